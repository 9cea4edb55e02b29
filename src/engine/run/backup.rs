//! Backup: what the recipe's labels name is archived, with the hooks before and after it, as operators' tools do.

use std::time::Duration;

use super::prepare::Live;
use super::step::own_step;
use super::{Run, Stop};
use crate::adapters::docker::runner;
use crate::domain::backup::{BackupPlan, Hook, Part};
use crate::domain::data::sentinel;
use crate::domain::finding::{Finding, FindingKind};
use crate::domain::protocol::{LISTED, Listed};
use crate::domain::results::{Archived, By, last_line, one_line};
use crate::domain::stage::Stage;
use crate::domain::tests_file::{Act, How};
use crate::engine::EngineError;

/// The fact with what was archived.
pub(super) const ARCHIVED: &str = "archived";
/// A dump of a large database takes its time.
pub(super) const LIMIT: Duration = Duration::from_mins(15);

impl Run {
    /// Makes the backup of what runs now.
    pub(super) async fn backup(&self, live: &mut Live) -> Result<(), Stop> {
        self.enter(live, Stage::Backup).await?;
        let plan = self.backup_plan(live)?;
        let live = &*live;
        self.watched(live, async {
            self.phase("backup hooks", By::App, self.hooks(live, Stage::Backup, "before-backup", &plan.before_backup))
                .await?;
            let archived = self.phase("archive", By::Docker, self.archive(live, &plan)).await?;
            self.phase(
                "after backup hooks",
                By::App,
                self.hooks(live, Stage::Backup, "after-backup", &plan.after_backup),
            )
            .await?;
            self.store(ARCHIVED, &archived).await
        })
        .await
    }

    /// Runs hooks in their services' containers, one after the other. In a pipe every part counts, where there is bash.
    pub(super) async fn hooks(&self, live: &Live, stage: Stage, name: &str, hooks: &[Hook]) -> Result<(), Stop> {
        const SHELL: &str =
            "if command -v bash >/dev/null 2>&1; then exec bash -o pipefail -c \"$1\"; else exec sh -c \"$1\"; fi";
        for (index, hook) in hooks.iter().enumerate() {
            self.log.say(format!("{name} hook of {}: {}", hook.service, one_line(&hook.command, 200)));
            let words = ["sh", "-c", SHELL, "hook", &hook.command].map(str::to_owned);
            let act = Act { service: hook.service.clone(), how: How::Exec(words.to_vec()) };
            if let Err(failed) = self.act(live, stage, &format!("{name}-{index}"), &act, LIMIT).await? {
                let label = name.replace("before-", "pre-hook of the ").replace("after-", "post-hook of the ");
                let last = last_line(&failed.output, 160).map(|line| format!(": “{line}”")).unwrap_or_default();
                let sentence = format!("{}: the {label} fails, {}{last}", hook.service, failed.how);
                let finding = Finding::new(FindingKind::HookFailed, stage, live.now(), sentence).about(&hook.service);
                return Err(Stop::Failed(vec![
                    finding.with("the hook", hook.command.clone()).with("its output", failed.output),
                ]));
            }
        }
        Ok(())
    }

    async fn archive(&self, live: &Live, plan: &BackupPlan) -> Result<Vec<Archived>, Stop> {
        let planted = sentinel(&self.plan.run);
        let mut archived = Vec::new();
        for (index, part) in plan.parts.iter().enumerate() {
            let container = self.container(live, Stage::Backup, &part.service).await?.ok_or_else(|| {
                self.empty(
                    live,
                    part,
                    format!("{} has no running container, and {} is not backed up", part.service, part.said()),
                )
            })?;
            let name = format!("archive-{index}");
            let words = ["archive", &container.id, &part.asked_for(), &name, &planted];
            let ended = self.step(live, Stage::Backup, &own_step(&name, &words, LIMIT.as_secs())?).await?;
            if !ended.end.succeeded() {
                let why = last_line(&ended.output, 160).unwrap_or_default();
                return Err(self.empty(live, part, format!("{} cannot be backed up: {why}", part.said())));
            }
            let listed = self.listed(live, &name).await?;
            // A volume may be empty but for the planted file, and so may a folder; a file that a label names must hold something.
            if !part.whole && listed.files > 0 && listed.bytes == 0 {
                return Err(self.empty(live, part, format!("the backup is empty: {} holds nothing", part.said())));
            }
            archived.push(Archived { what: part.said(), files: listed.files, bytes: listed.bytes });
        }
        Ok(archived)
    }

    async fn listed(&self, live: &Live, name: &str) -> Result<Listed, Stop> {
        let Some(id) = &live.runner else { return Ok(Listed::default()) };
        let files = runner::download(&live.docker, id, LISTED).await?.unwrap_or_default();
        let file = files.get(&format!("{name}.json"));
        let listed = file.and_then(|json| serde_json::from_slice(json).ok());
        Ok(listed.ok_or_else(|| EngineError::Unreadable(format!("the runner does not list {name}")))?)
    }

    fn empty(&self, live: &Live, part: &Part, sentence: String) -> Stop {
        let finding = Finding::new(FindingKind::BackupEmpty, Stage::Backup, live.now(), sentence);
        Stop::Failed(vec![finding.about(&part.service)])
    }
}
