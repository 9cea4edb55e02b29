//! Why `docker stack deploy` refused: its words, turned into a finding.

use jiff::Timestamp;

use super::finding::{Finding, FindingKind};
use super::results::one_line;
use super::stage::Stage;

/// What each refusal looks like in the words of docker and Swarm.
const REFUSALS: [(&str, FindingKind, &str); 7] = [
    ("could not be found", FindingKind::MissingNetwork, "a network that the compose file calls external is not there"),
    (
        "is declared as external",
        FindingKind::MissingNetwork,
        "a network that the compose file calls external is not there",
    ),
    ("secret not found", FindingKind::MissingSecret, "a secret is not there"),
    ("config not found", FindingKind::MissingConfig, "a config is not there"),
    ("is already in use by service", FindingKind::PortInUse, "a published port is taken"),
    ("only updates to Labels are allowed", FindingKind::MissingConfig, "a config changed but kept its version"),
    ("no such image", FindingKind::ImageMissing, "an image is not there"),
];

/// The finding for a deploy call that ended with `how` after this output.
#[must_use]
pub fn refused(output: &str, how: &str, stage: Stage, at: Timestamp) -> Finding {
    let last = output.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or(how);
    let told = one_line(last, 300);
    let lower = output.to_ascii_lowercase();
    let known = REFUSALS.iter().find(|(words, ..)| lower.contains(&words.to_ascii_lowercase()));
    let (kind, what) =
        known.map_or((FindingKind::LintError, "docker refuses the compose file"), |(_, kind, what)| (*kind, *what));
    Finding::new(kind, stage, at, format!("{what}: “{told}”"))
        .with("docker stack deploy", output.chars().take(8_000).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dockers_words_become_kinds() {
        for (output, kind) in [
            (
                "network \"web\" is declared as external, but could not be found. You need to create a swarm-scoped network",
                FindingKind::MissingNetwork,
            ),
            ("secret not found: ccab_pw_v1", FindingKind::MissingSecret),
            ("config not found: ccab_x_v1", FindingKind::MissingConfig),
            (
                "failed to create service x: Error response from daemon: rpc error: code = InvalidArgument desc = port '8080' is already in use by service 'y' (1) as an ingress port",
                FindingKind::PortInUse,
            ),
            ("services.app.deploy.replicas must be a integer", FindingKind::LintError),
        ] {
            let finding = refused(
                &format!("Creating service x\n{output}\n\n"),
                "exit code 1",
                Stage::Install,
                Timestamp::UNIX_EPOCH,
            );
            assert_eq!(finding.kind, kind, "{output}");
            assert!(finding.sentence.contains(&output[..20]), "{}", finding.sentence);
        }
    }
}
