//! The service's settings on the command line: a file, the environment, and flags over both.

use std::path::PathBuf;

use clap::Args;

use super::Places;
use crate::config::{InvalidSettings, Layers, Settings, state_folder};

/// Each flag is a setting; `cc-ci check-config --keys` lists those that have no flag, too.
#[derive(Debug, Args)]
pub(super) struct SettingsArguments {
    /// A file with settings in the style of .env; the environment is over it, flags over both
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// FORGE_URL: the forge, Gitea or Forgejo, e.g. https://forge.example
    #[arg(long, value_name = "URL")]
    forge_url: Option<String>,
    /// FORGE_ACCOUNT: the gate's account there
    #[arg(long, value_name = "LOGIN")]
    forge_account: Option<String>,
    /// FORGE_TOKEN_FILE: a file with the account's token
    #[arg(long, value_name = "FILE")]
    forge_token_file: Option<String>,
    /// ORGANISATION: whose recipes are watched
    #[arg(long, value_name = "NAME")]
    organisation: Option<String>,
    /// RECIPES: watch only these, by name or pattern
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    recipes: Vec<String>,
    /// TARGETS: the test Swarms, sections of targets.toml
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    target: Vec<String>,
    /// LISTEN: where pages are served
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// PUBLIC_URL: where people reach them
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// POLL_SECONDS: between two polls of the forge
    #[arg(long, value_name = "SECONDS")]
    poll: Option<String>,
    /// WEBHOOK_SECRET_FILE: a file with what webhooks are signed with
    #[arg(long, value_name = "FILE")]
    webhook_secret_file: Option<String>,
    /// WEBHOOK_URL: where the forge sends its webhooks
    #[arg(long, value_name = "URL")]
    webhook_url: Option<String>,
    /// TESTS_REPOSITORY: it holds recipes.toml
    #[arg(long, value_name = "OWNER/NAME")]
    tests_repository: Option<String>,
    /// RUN_LIMIT_MINUTES: a run may take so long
    #[arg(long, value_name = "MINUTES")]
    run_limit: Option<String>,
    /// RUNNER_IMAGE: a name that the targets know, or a `docker save` file
    #[arg(long, value_name = "REF|FILE", env = "CC_CI_RUNNER_IMAGE", hide_env_values = true)]
    runner_image: Option<String>,
    #[command(flatten)]
    places: Places,
}

impl SettingsArguments {
    /// All places from which settings come.
    pub(super) fn layers(&self) -> anyhow::Result<Layers> {
        let layers = match &self.config {
            Some(file) => Layers::default().with_file(file)?,
            None => Layers::default(),
        };
        Ok(layers.with_environment().with("the command line", self.flags()))
    }

    /// The settings, all of them right.
    pub(super) fn settings(&self) -> anyhow::Result<Settings> {
        Self::read(&self.layers()?)
    }

    /// The settings from these places.
    pub(super) fn read(layers: &Layers) -> anyhow::Result<Settings> {
        Ok(Self::read_all(layers)?)
    }

    /// The same, with everything that is wrong as it is.
    pub(super) fn read_all(layers: &Layers) -> Result<Settings, InvalidSettings> {
        Settings::read(layers, state_folder(None, |name| std::env::var(name).ok()))
    }

    /// The names that `--target` gave.
    pub(super) const fn targets(&mut self) -> &mut Vec<String> {
        &mut self.target
    }

    /// The state folder, as the command line alone has it.
    pub(super) fn state(&self) -> PathBuf {
        self.places.state()
    }

    /// The targets file, as the command line alone has it.
    pub(super) fn targets_file(&self) -> PathBuf {
        self.places.targets()
    }

    /// The runner image that was given.
    pub(super) fn image(&self) -> Option<String> {
        self.runner_image.clone()
    }

    fn flags(&self) -> Vec<(String, String)> {
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        let flags = [
            ("FORGE_URL", self.forge_url.clone()),
            ("FORGE_ACCOUNT", self.forge_account.clone()),
            ("FORGE_TOKEN_FILE", self.forge_token_file.clone()),
            ("ORGANISATION", self.organisation.clone()),
            ("RECIPES", Some(self.recipes.join(","))),
            ("TARGETS", Some(self.target.join(","))),
            ("LISTEN", self.listen.clone()),
            ("PUBLIC_URL", self.public_url.clone()),
            ("POLL_SECONDS", self.poll.clone()),
            ("WEBHOOK_SECRET_FILE", self.webhook_secret_file.clone()),
            ("WEBHOOK_URL", self.webhook_url.clone()),
            ("TESTS_REPOSITORY", self.tests_repository.clone()),
            ("RUN_LIMIT_MINUTES", self.run_limit.clone()),
            ("RUNNER_IMAGE", self.runner_image.clone()),
            ("STATE", path(&self.places.state)),
            ("TARGETS_FILE", path(&self.places.targets)),
        ];
        flags.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::config::keys::key;

    #[derive(Parser)]
    struct Whole {
        #[command(flatten)]
        arguments: SettingsArguments,
    }

    #[test]
    fn each_flag_is_a_setting() {
        let all =
            ["x", "--forge-url=u", "--forge-account=a", "--forge-token-file=f", "--organisation=o", "--recipes=a,b"];
        let more = [
            "--target=t",
            "--listen=l",
            "--public-url=p",
            "--poll=1",
            "--webhook-secret-file=f",
            "--webhook-url=u",
            "--tests-repository=o/n",
            "--run-limit=1",
            "--runner-image=i",
            "--state=s",
            "--targets=f",
        ];
        let flags = Whole::parse_from(all.iter().chain(&more)).arguments.flags();
        assert_eq!(flags.len(), all.len() + more.len() - 1);
        for (name, _) in flags {
            assert!(key(&name).is_some(), "{name}");
        }
    }
}
