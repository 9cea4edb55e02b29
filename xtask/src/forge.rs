//! The lab's forge as people use it: an organisation of its own for whoever asks, with a maintainer, a bot and its token, recipes
//! and pull requests. The forge's API is asked inside its own container, which has a client for it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use serde_json::{Value, json};

use crate::lab::{FORGE, Places};
use crate::process::{docker, feed, output, program, run, until};

const PASSWORD: &str = "lab-password";
/// The smallest scopes.
const SCOPES: [&str; 3] = ["write:issue", "read:repository", "read:organization"];
const PEOPLE: [&str; 2] = ["maintainer", "bot"];
/// What was pushed is taken in a moment later.
const SOON: Duration = Duration::from_secs(30);

/// An organisation with its people.
pub(crate) struct Organisation {
    /// Its name; those of its people end with it.
    pub(crate) name: String,
    /// The bot's token.
    pub(crate) token: String,
    /// The forge's address on this machine.
    pub(crate) url: String,
    work: tempfile::TempDir,
}

/// A pull request.
#[derive(Clone)]
pub(crate) struct PullRequest {
    pub(crate) recipe: String,
    number: u64,
    pub(crate) head: String,
}

/// What somebody has said.
#[derive(Clone)]
pub(crate) struct Comment {
    pub(crate) body: String,
    /// Its address on this machine.
    pub(crate) page: String,
}

impl Organisation {
    /// Makes one whose name begins with this.
    pub(crate) fn furnish(prefix: &str, places: &Places) -> Result<Self> {
        let file = places.lab.join("forge-url");
        let url = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let name = format!("{prefix}{:08x}", rand::random::<u32>());
        let mut it = Self { name, token: String::new(), url, work: tempfile::tempdir()? };
        it.people()?;
        it.token = it.bot_token()?;
        Ok(it)
    }

    /// The login of one of its people.
    pub(crate) fn login(&self, who: &str) -> String {
        format!("{who}-{}", self.name)
    }

    /// Puts a recipe of `tests/recipes` there.
    pub(crate) fn recipe(&self, recipe: &str, checkout: &Path) -> Result<()> {
        self.recipe_with(recipe, &[], checkout)
    }

    /// The same; in its compose file each first text is replaced by the second.
    pub(crate) fn recipe_with(&self, recipe: &str, edits: &[(&str, &str)], checkout: &Path) -> Result<()> {
        let path = format!("/orgs/{}/repos", self.name);
        self.ask("admin", "POST", &path, &json!({"name": recipe, "default_branch": "main"}))?;
        let place = self.place(recipe);
        run(program("cp").arg("--recursive").arg(checkout.join("tests/recipes").join(recipe)).arg(&place))?;
        let file = place.join("compose.yml");
        let mut text = fs::read_to_string(&file)?;
        for (from, to) in edits {
            if !text.contains(from) {
                bail!("`{from}` is not in {}", file.display());
            }
            text = text.replace(from, to);
        }
        fs::write(file, text)?;
        self.git(recipe, &["init", "--quiet"])?;
        self.git(recipe, &["add", "."])?;
        self.git(recipe, &["commit", "--quiet", "--message", "first"])?;
        self.git(recipe, &["push", "--quiet", &self.remote(recipe), "HEAD:main"]).map(drop)
    }

    /// A pull request by the maintainer, from a branch of this name that changes the README.
    pub(crate) fn change(&self, recipe: &str, branch: &str) -> Result<PullRequest> {
        self.git(recipe, &["checkout", "--quiet", "-B", branch, "main"])?;
        fs::write(self.place(recipe).join("README.md"), format!("{branch}\n"))?;
        self.git(recipe, &["commit", "--quiet", "--all", "--message", "a change"])?;
        self.git(recipe, &["push", "--quiet", &self.remote(recipe), &format!("HEAD:{branch}")])?;
        let there = format!("/repos/{}/{recipe}/branches/{branch}", self.name);
        if !until(SOON, || self.ask("admin", "GET", &there, &Value::Null).is_ok()) {
            bail!("the forge does not show the branch that was pushed");
        }
        let body = json!({"title": "A change", "head": branch, "base": "main"});
        let path = format!("/repos/{}/{recipe}/pulls", self.name);
        let made = self.ask(&self.login("maintainer"), "POST", &path, &body)?;
        let number = made["number"].as_u64().context("a pull request without number")?;
        Ok(PullRequest { recipe: recipe.to_owned(), number, head: self.git(recipe, &["rev-parse", "HEAD"])? })
    }

    /// The maintainer writes on a pull request. Returns the comment's id.
    pub(crate) fn say(&self, pull: &PullRequest, text: &str) -> Result<i64> {
        let said = self.ask(&self.login("maintainer"), "POST", &self.comments_path(pull), &json!({ "body": text }))?;
        said["id"].as_i64().context("a comment without id")
    }

    /// What the bot has said there, oldest first.
    pub(crate) fn answers(&self, pull: &PullRequest) -> Result<Vec<Comment>> {
        let all = self.ask("admin", "GET", &self.comments_path(pull), &Value::Null)?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let page = format!("{}/{}/{}/pulls/{}", self.url, self.name, pull.recipe, pull.number);
        let comment =
            |one: &Value| Comment { body: text(&one["body"]), page: format!("{page}#issuecomment-{}", one["id"]) };
        let bot = self.login("bot");
        let own = all.as_array().into_iter().flatten().filter(|one| one["user"]["login"] == bot.as_str());
        Ok(own.map(comment).collect())
    }

    /// Whether the bot has said there how a run ended.
    pub(crate) fn has_verdict(&self, pull: &PullRequest) -> Result<bool> {
        Ok(self.answers(pull)?.iter().any(|answer| is_verdict(&answer.body)))
    }

    /// Removes it from the forge, with its people and everything that they have there.
    pub(crate) fn remove(&self) -> Result<()> {
        let repositories = self.ask("admin", "GET", &format!("/orgs/{}/repos?limit=50", self.name), &Value::Null)?;
        for repository in repositories.as_array().into_iter().flatten() {
            let name = repository["full_name"].as_str().context("a repository without name")?;
            self.ask("admin", "DELETE", &format!("/repos/{name}"), &Value::Null)?;
        }
        self.ask("admin", "DELETE", &format!("/orgs/{}", self.name), &Value::Null)?;
        for who in PEOPLE {
            self.ask("admin", "DELETE", &format!("/admin/users/{}?purge=true", self.login(who)), &Value::Null)?;
        }
        Ok(())
    }

    fn comments_path(&self, pull: &PullRequest) -> String {
        format!("/repos/{}/{}/issues/{}/comments", self.name, pull.recipe, pull.number)
    }

    fn place(&self, recipe: &str) -> PathBuf {
        self.work.path().join(recipe)
    }

    fn remote(&self, recipe: &str) -> String {
        let address = self.url.replace("http://", &format!("http://admin:{PASSWORD}@"));
        format!("{address}/{}/{recipe}.git", self.name)
    }

    fn git(&self, recipe: &str, arguments: &[&str]) -> Result<String> {
        let me = ["-c", "user.name=ada", "-c", "user.email=ada@lab.test", "-c", "init.defaultBranch=main"];
        output(program("git").args(me).args(arguments).current_dir(self.place(recipe)))
    }

    fn people(&self) -> Result<()> {
        for who in PEOPLE {
            let login = self.login(who);
            let mail = format!("{login}@lab.test");
            let user = json!({"username": login, "password": PASSWORD, "email": mail, "must_change_password": false});
            self.ask("admin", "POST", "/admin/users", &user)?;
        }
        self.ask("admin", "POST", "/orgs", &json!({"username": self.name}))?;
        for (team, permission, who) in [("maintainers", "write", "maintainer"), ("readers", "read", "bot")] {
            let units = ["repo.code", "repo.issues", "repo.pulls"];
            let body =
                json!({"name": team, "permission": permission, "units": units, "includes_all_repositories": true});
            let made = self.ask("admin", "POST", &format!("/orgs/{}/teams", self.name), &body)?;
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

/// Whether a comment says how a run ended, not that it waits or goes on.
pub(crate) fn is_verdict(comment: &str) -> bool {
    let headline = comment.lines().next().unwrap_or_default();
    ["### ✓", "### ✕", "### !"].iter().any(|mark| headline.starts_with(mark))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_is_told_from_what_is_said_before_it() {
        assert!(is_verdict("### ✓ good 1.0.0 is green") && is_verdict("### ! good: not judged"));
        assert!(!is_verdict("### ○ good: waiting, number 1") && !is_verdict("### ▸ good: running, install"));
    }
}
