//! The shape of the file, as serde reads it. What its values mean is looked at afterwards, so that errors are in our words.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::{Spanned, Value};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Shape {
    pub(super) host_power: Option<Spanned<String>>,
    pub(super) settle: Option<Spanned<String>>,
    pub(super) weight: Option<Spanned<i64>>,
    #[serde(default)]
    pub(super) not_applicable: NotApplicableTable,
    #[serde(default)]
    pub(super) env: BTreeMap<String, Spanned<Value>>,
    #[serde(default)]
    pub(super) secrets: BTreeMap<String, Spanned<Value>>,
    #[serde(default)]
    pub(super) ready: Vec<ProbeTable>,
    #[serde(default)]
    pub(super) seed: Vec<Spanned<SeedTable>>,
    #[serde(default)]
    pub(super) check: Vec<Spanned<CheckTable>>,
    #[serde(default)]
    pub(super) extra: Vec<Spanned<CheckTable>>,
}

/// The rungs that may have nothing to show: whatever a recipe is, it can be linted and installed.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NotApplicableTable {
    pub(super) upgrade: Option<Spanned<String>>,
    pub(super) backup: Option<Spanned<String>>,
    pub(super) checks: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProbeTable {
    pub(super) http: ProbeHttpTable,
    pub(super) timeout: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProbeHttpTable {
    pub(super) path: Spanned<String>,
    pub(super) status: Option<Spanned<i64>>,
    pub(super) subdomain: Option<Spanned<String>>,
    pub(super) title: Option<Spanned<String>>,
    pub(super) body_contains: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SeedTable {
    pub(super) name: Spanned<String>,
    pub(super) service: Spanned<String>,
    pub(super) exec: Option<Spanned<Words>>,
    pub(super) cmd: Option<Spanned<Words>>,
    pub(super) timeout: Option<Spanned<String>>,
    pub(super) verify: Spanned<VerifyTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct VerifyTable {
    pub(super) http: Option<HttpTable>,
    pub(super) exec: Option<Spanned<Words>>,
    pub(super) cmd: Option<Spanned<Words>>,
    pub(super) service: Option<Spanned<String>>,
    pub(super) stdout_contains: Option<Spanned<String>>,
}

/// A check or an extra check.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CheckTable {
    pub(super) name: Spanned<String>,
    pub(super) http: Option<HttpTable>,
    pub(super) tcp: Option<TcpTable>,
    pub(super) exec: Option<Spanned<Words>>,
    pub(super) cmd: Option<Spanned<Words>>,
    pub(super) container: Option<ContainerTable>,
    pub(super) service: Option<Spanned<String>>,
    pub(super) stdout_contains: Option<Spanned<String>>,
    pub(super) timeout: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HttpTable {
    pub(super) path: Spanned<String>,
    pub(super) status: Option<Spanned<i64>>,
    pub(super) subdomain: Option<Spanned<String>>,
    pub(super) title: Option<Spanned<String>>,
    pub(super) body_contains: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) headers: BTreeMap<String, Spanned<String>>,
    #[serde(default)]
    pub(super) json: BTreeMap<String, Spanned<Value>>,
    #[serde(default)]
    pub(super) assets: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TcpTable {
    pub(super) service: Spanned<String>,
    pub(super) port: Spanned<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ContainerTable {
    pub(super) image: Spanned<String>,
    pub(super) run: Option<Spanned<Words>>,
}

/// A text, or a list of texts.
#[derive(Deserialize)]
#[serde(untagged, expecting = "this is neither a text nor a list of texts")]
pub(super) enum Words {
    Line(String),
    List(Vec<String>),
}
