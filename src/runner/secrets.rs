//! Makes the run's secrets on the target, each once, with the labels that say whose they are.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use anyhow::Context as _;
use base64::Engine as _;
use bollard::models::SecretSpec;

use super::{ENGINE, say};
use crate::adapters::docker::{GATE_LABEL, RUN_LABEL, Tried as _, connect};
use crate::domain::protocol::{ORDERS, Orders, SECRETS};

/// Makes each secret for which a file is there. One that exists keeps its value.
///
/// # Errors
/// When the engine refuses or does not answer.
pub async fn make_secrets() -> anyhow::Result<()> {
    let orders: Orders = serde_json::from_slice(&fs::read(ORDERS).context("cannot read the runner's orders")?)?;
    let docker = connect(Path::new(ENGINE)).await?;
    for entry in fs::read_dir(SECRETS)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let value = fs::read(entry.path())?;
        let spec = SecretSpec {
            name: Some(name.clone()),
            labels: Some(HashMap::from([
                (RUN_LABEL.to_owned(), orders.run.to_string()),
                (GATE_LABEL.to_owned(), orders.gate.to_string()),
            ])),
            data: Some(base64::engine::general_purpose::STANDARD.encode(value)),
            ..Default::default()
        };
        match docker.create_secret(spec).await.tried(format!("make secret {name}")) {
            Ok(_) => say(&format!("made secret {name}")),
            Err(error) if error.status() == Some(409) => say(&format!("secret {name} is there")),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
