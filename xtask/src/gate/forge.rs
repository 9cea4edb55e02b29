//! What an operator and a maintainer have on the forge: an organisation, people, a recipe with a pull request, a bot with its token.
//! The forge's API is asked inside its own container, which has a client for it.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use serde_json::{Value, json};

use crate::lab::FORGE;
use crate::process::{docker, feed, output, program, run, until};

const PASSWORD: &str = "lab-password";
/// The smallest scopes.
const SCOPES: [&str; 3] = ["write:issue", "read:repository", "read:organization"];
const RECIPE: &str = "good";

/// An organisation with a pull request.
pub(super) struct Forge {
    /// As the gate and the targets reach it.
    pub(super) url: String,
    /// The organisation's name; those of its people end with it.
    pub(super) organisation: String,
    /// The bot's token.
    pub(super) token: String,
    /// The pull request's head.
    pub(super) head: String,
    pull: u64,
    /// The pull request's address on this machine.
    page: String,
}

impl Forge {
    /// Makes them all; `url` is the forge's address on this machine.
    pub(super) fn furnish(url: &str, checkout: &Path) -> Result<Self> {
        let organisation = format!("demo{:08x}", seconds_of_now()?);
        let mut forge = Self {
            url: "http://forge.lab:3000".to_owned(),
            organisation,
            token: String::new(),
            head: String::new(),
            pull: 0,
            page: String::new(),
        };
        forge.people()?;
        forge.token = forge.bot_token()?;
        (forge.head, forge.pull) = forge.pull_request(url, checkout)?;
        forge.page = format!("{url}/{}/{RECIPE}/pulls/{}", forge.organisation, forge.pull);
        Ok(forge)
    }

    /// The login of one of its people.
    pub(super) fn login(&self, who: &str) -> String {
        format!("{who}-{}", self.organisation)
    }

    /// Writes on the pull request.
    pub(super) fn say(&self, text: &str) -> Result<()> {
        self.ask(&self.login("maintainer"), "POST", &self.comments(), &json!({ "body": text })).map(drop)
    }

    /// What the bot has said there: text and address of each comment.
    pub(super) fn answers(&self) -> Result<Vec<(String, String)>> {
        let bot = self.login("bot");
        let all = self.ask("admin", "GET", &self.comments(), &Value::Null)?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let own = all.as_array().into_iter().flatten().filter(|one| one["user"]["login"] == bot.as_str());
        let address = |one: &Value| format!("{}#issuecomment-{}", self.page, one["id"]);
        Ok(own.map(|one| (text(&one["body"]), address(one))).collect())
    }

    fn comments(&self) -> String {
        format!("/repos/{}/{RECIPE}/issues/{}/comments", self.organisation, self.pull)
    }

    fn people(&self) -> Result<()> {
        for who in ["maintainer", "bot"] {
            let login = self.login(who);
            let mail = format!("{login}@lab.test");
            let user = json!({"username": login, "password": PASSWORD, "email": mail, "must_change_password": false});
            self.ask("admin", "POST", "/admin/users", &user)?;
        }
        self.ask("admin", "POST", "/orgs", &json!({"username": self.organisation}))?;
        for (team, permission, who) in [("maintainers", "write", "maintainer"), ("readers", "read", "bot")] {
            let units = ["repo.code", "repo.issues", "repo.pulls"];
            let body =
                json!({"name": team, "permission": permission, "units": units, "includes_all_repositories": true});
            let made = self.ask("admin", "POST", &format!("/orgs/{}/teams", self.organisation), &body)?;
            let member = format!("/teams/{}/members/{}", made["id"], self.login(who));
            self.ask("admin", "PUT", &member, &json!({}))?;
        }
        Ok(())
    }

    fn bot_token(&self) -> Result<String> {
        let bot = self.login("bot");
        let body = json!({"name": "cc-ci", "scopes": SCOPES});
        let token = self.ask(&bot, "POST", &format!("/users/{bot}/tokens"), &body)?;
        token["sha1"].as_str().map(str::to_owned).ok_or_else(|| anyhow!("the forge gave no token"))
    }

    /// Pushes a recipe, and a change to it as a pull request. Returns its head and number.
    fn pull_request(&self, url: &str, checkout: &Path) -> Result<(String, u64)> {
        let path = format!("/orgs/{}/repos", self.organisation);
        self.ask("admin", "POST", &path, &json!({"name": RECIPE, "default_branch": "main"}))?;
        let work = tempfile::tempdir()?;
        let place = work.path().join(RECIPE);
        run(program("cp").arg("--recursive").arg(checkout.join("tests/recipes").join(RECIPE)).arg(&place))?;
        let address = url.replace("http://", &format!("http://admin:{PASSWORD}@"));
        let remote = format!("{address}/{}/{RECIPE}.git", self.organisation);
        let git = |arguments: &[&str]| {
            let me = ["-c", "user.name=ada", "-c", "user.email=ada@lab.test", "-c", "init.defaultBranch=main"];
            output(program("git").args(me).args(arguments).current_dir(&place))
        };
        git(&["init", "--quiet"])?;
        git(&["add", "."])?;
        git(&["commit", "--quiet", "--message", "first"])?;
        git(&["push", "--quiet", &remote, "HEAD:main"])?;
        fs::write(place.join("README.md"), "changed\n")?;
        git(&["commit", "--quiet", "--all", "--message", "a change"])?;
        git(&["push", "--quiet", &remote, "HEAD:change"])?;
        let branch = format!("/repos/{}/{RECIPE}/branches/change", self.organisation);
        // The forge takes in what was pushed a moment later.
        if !until(super::SOON, || self.ask("admin", "GET", &branch, &Value::Null).is_ok()) {
            bail!("the forge does not show the branch that was pushed");
        }
        let pulls = format!("/repos/{}/{RECIPE}/pulls", self.organisation);
        let body = json!({"title": "A change", "head": "change", "base": "main"});
        let made = self.ask(&self.login("maintainer"), "POST", &pulls, &body)?;
        Ok((git(&["rev-parse", "HEAD"])?, made["number"].as_u64().context("a pull request without number")?))
    }

    fn ask(&self, login: &str, method: &str, path: &str, body: &Value) -> Result<Value> {
        let mut command = docker(["exec", "--interactive", FORGE, "curl", "--silent", "--show-error"]);
        command.args(["--fail-with-body", "--max-time", "30", "--request", method]);
        command.args(["--user", &format!("{login}:{PASSWORD}"), "--header", "Content-Type: application/json"]);
        if !body.is_null() {
            command.args(["--data-binary", "@-"]);
        }
        command.arg(format!("http://127.0.0.1:3000/api/v1{path}"));
        let text = feed(&mut command, body.to_string().as_bytes()).with_context(|| format!("{method} {path}"))?;
        Ok(serde_json::from_str(&text).unwrap_or(Value::Null))
    }
}

/// Enough to tell two demos apart.
fn seconds_of_now() -> Result<u32> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    Ok(u32::try_from(now.as_secs() & u64::from(u32::MAX))?)
}
