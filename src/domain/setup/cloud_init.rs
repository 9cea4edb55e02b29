//! The same script as user data of a new machine.

use super::{Mode, Wishes, script};

const PLACE: &str = "/usr/local/sbin/cc-ci-target-setup";

/// User data in cloud-init's format: the script is written there and applied at the first boot.
#[must_use]
pub fn cloud_init(wishes: &Wishes) -> String {
    let script: String = script(wishes)
        .lines()
        .map(|line| if line.is_empty() { "\n".to_owned() } else { format!("      {line}\n") })
        .collect();
    format!(
        "#cloud-config\n\
         # A disposable test host for cc-ci, made by `cc-ci target setup --cloud-init`. What was done is in /var/log/cloud-init-output.log,\n\
         # the host key to pin too; compare it there, not over the network.\n\
         write_files:\n  \
           - path: {PLACE}\n    \
             permissions: \"0755\"\n    \
             content: |\n{script}\
         runcmd:\n  \
           - [sh, {PLACE}, {}]\n",
        Mode::Apply.word()
    )
}
