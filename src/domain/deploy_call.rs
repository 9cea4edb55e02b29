//! Why `docker stack deploy` refused: its words, turned into a finding.

use jiff::Timestamp;

use super::deployment::ServicePlan;
use super::finding::{Finding, FindingKind};
use super::results::one_line;
use super::stage::Stage;

/// What each refusal looks like in the words of docker and Swarm.
const REFUSALS: [(&str, FindingKind, &str); 7] = [
    ("could not be found", FindingKind::MissingNetwork, "network"),
    ("is declared as external", FindingKind::MissingNetwork, "network"),
    ("secret not found", FindingKind::MissingSecret, "secret"),
    ("config not found", FindingKind::MissingConfig, "config"),
    ("is already in use by service", FindingKind::PortInUse, ""),
    ("only updates to Labels are allowed", FindingKind::MissingConfig, ""),
    ("no such image", FindingKind::ImageMissing, ""),
];

/// Characters of what docker said within a sentence.
const SAID: usize = 300;

/// A deploy call that failed.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// What it printed.
    pub output: &'a str,
    /// How it ended, for when it printed nothing.
    pub how: &'a str,
    /// The stack's name.
    pub stack: &'a str,
    /// What it was to deploy.
    pub services: &'a [ServicePlan],
}

/// The finding for a deploy call that failed.
#[must_use]
pub fn refused(call: Call, stage: Stage, at: Timestamp) -> Finding {
    let lower = call.output.to_ascii_lowercase();
    let known = REFUSALS.iter().find(|(words, ..)| lower.contains(&words.to_ascii_lowercase()));
    let (kind, what) = known.map_or((FindingKind::LintError, ""), |(_, kind, what)| (*kind, *what));
    let said = call.output.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or(call.how);
    let about = call.about(said);
    let mut finding = Finding::new(kind, stage, at, sentence(kind, what, about, said));
    finding.service = about.map(|(service, _)| service.to_owned());
    finding.with("docker stack deploy", call.output.chars().take(8_000).collect::<String>())
}

impl<'a> Call<'a> {
    /// The service that docker could not make, or else the first that uses what docker names; and that.
    fn about(&self, said: &str) -> Option<(&'a str, Option<&'a str>)> {
        let words = || said.split(|c: char| c.is_whitespace() || matches!(c, ':' | '"' | '\'' | '`' | ','));
        let is_made = |service: &&ServicePlan| {
            let whole = format!("{}_{}", self.stack, service.name);
            said.contains("service ") && words().any(|word| word == whole)
        };
        if let Some(service) = self.services.iter().find(is_made) {
            return Some((&service.name, None));
        }
        let used = |service: &'a ServicePlan| {
            let name = service.uses.iter().find(|name| words().any(|word| word == name.as_str()))?;
            Some((service.name.as_str(), Some(name.as_str())))
        };
        self.services.iter().find_map(used)
    }
}

fn sentence(kind: FindingKind, what: &str, about: Option<(&str, Option<&str>)>, said: &str) -> String {
    let said = one_line(said, SAID);
    match (kind, about) {
        (_, Some((service, Some(name)))) if !what.is_empty() => {
            format!("{service} uses the {what} {}, which is not there", one_line(name, SAID))
        }
        (FindingKind::PortInUse, Some((service, _))) => {
            format!("{service} publishes a port that is taken on the target: {}", port_taken(&said))
        }
        (FindingKind::PortInUse, None) => format!("a published port is taken on the target: {}", port_taken(&said)),
        _ if said.contains("only updates to Labels are allowed") => {
            format!("a config changed but kept its version: “{said}”")
        }
        _ if !what.is_empty() => format!("a {what} that the compose file names is not there: “{said}”"),
        _ if kind == FindingKind::ImageMissing => format!("an image is not there: “{said}”"),
        _ => format!("docker refuses the compose file: “{said}”"),
    }
}

/// Swarm's own words, without the way that they came.
fn port_taken(said: &str) -> &str {
    said.rsplit_once("desc = ").map_or(said, |(_, said)| said)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(name: &str, uses: &[&str]) -> ServicePlan {
        ServicePlan {
            name: name.to_owned(),
            image: "app:1".to_owned(),
            depends_on: Vec::new(),
            ports: Vec::new(),
            mounts: Vec::new(),
            scaled_to_zero: false,
            backup_labels: std::collections::BTreeMap::new(),
            uses: uses.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    fn refusal(said: &str) -> Finding {
        let services = [service("db", &["ccab_internal"]), service("app", &["web", "ccab_pw_v1", "ccab_x_v1"])];
        let output = format!("Creating service ccab_db\n{said}\n\n");
        let call = Call { output: &output, how: "exit code 1", stack: "ccab", services: &services };
        refused(call, Stage::Install, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn s25_dockers_words_become_kind_service_and_sentence() {
        use FindingKind::{LintError, MissingConfig, MissingNetwork, MissingSecret, PortInUse};
        let port = "failed to create service ccab_app: Error response from daemon: rpc error: code = InvalidArgument desc = port '8080' is already in use by service 'y_web' (1) as an ingress port";
        let cases = [
            (
                "network \"web\" is declared as external, but could not be found. You need to create a swarm-scoped network",
                MissingNetwork,
                Some("app"),
                "app uses the network web, which is not there",
            ),
            (
                "service app: secret not found: ccab_pw_v1",
                MissingSecret,
                Some("app"),
                "app uses the secret ccab_pw_v1, which is not there",
            ),
            (
                "service app: config not found: ccab_x_v1",
                MissingConfig,
                Some("app"),
                "app uses the config ccab_x_v1, which is not there",
            ),
            (
                "service app: secret not found: other",
                MissingSecret,
                None,
                "a secret that the compose file names is not there: “service app: secret not found: other”",
            ),
            (
                port,
                PortInUse,
                Some("app"),
                "app publishes a port that is taken on the target: port '8080' is already in use by service 'y_web' (1) as an ingress port",
            ),
            (
                "services.app.deploy.replicas must be a integer",
                LintError,
                None,
                "docker refuses the compose file: “services.app.deploy.replicas must be a integer”",
            ),
        ];
        for (said, kind, service, sentence) in cases {
            let finding = refusal(said);
            assert_eq!((finding.kind, finding.service.as_deref()), (kind, service), "{said}");
            assert_eq!(finding.sentence, sentence);
        }
    }

    #[test]
    fn a_call_that_printed_nothing_says_how_it_ended() {
        let call = Call { output: "", how: "stopped: it took too long", stack: "ccab", services: &[] };
        let finding = refused(call, Stage::Install, Timestamp::UNIX_EPOCH);
        assert_eq!(finding.sentence, "docker refuses the compose file: “stopped: it took too long”");
    }
}
