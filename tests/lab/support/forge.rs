//! The lab's forge: a real Gitea. Each test has an organisation of its own there, with people and a recipe.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use super::{Lab, said, until};

const PASSWORD: &str = "lab-password";
/// Between two polls of the service under test, in seconds.
pub(crate) const POLL: u64 = 2;

/// An organisation on the forge.
pub(crate) struct Organisation {
    url: String,
    pub(crate) name: String,
    folder: tempfile::TempDir,
    runtime: tokio::runtime::Runtime,
    client: reqwest::Client,
}

/// A pull request of a recipe.
pub(crate) struct PullRequest<'a> {
    organisation: &'a Organisation,
    recipe: String,
    pub(crate) number: u64,
    pub(crate) head: String,
}

/// A comment as the forge shows it.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    pub(crate) author: String,
    pub(crate) body: String,
}

/// Where `lab up` left the forge's address.
fn forge_url() -> String {
    let base = std::env::var_os("XDG_STATE_HOME")
        .map_or_else(|| PathBuf::from(std::env::var_os("HOME").unwrap()).join(".local/state"), PathBuf::from);
    let state = std::env::var_os("CC_CI_LAB_STATE").map_or_else(|| base.join("cc-ci-lab"), PathBuf::from);
    let file = state.join("forge-url");
    std::fs::read_to_string(&file)
        .unwrap_or_else(|error| panic!("{}: {error}; hint: `cargo xtask lab up` first", file.display()))
}

impl Organisation {
    /// An organisation with a maintainer, who may write, and the gate's account, which may read. `outsider` is in neither.
    pub(crate) fn new() -> Self {
        // Before any HTTPS client; an error means that another test was first.
        let _installed = rustls::crypto::ring::default_provider().install_default();
        let organisation = Self {
            url: forge_url(),
            name: format!("o{:08x}", rand::random::<u32>()),
            folder: tempfile::tempdir().unwrap(),
            runtime: tokio::runtime::Runtime::new().unwrap(),
            client: reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().unwrap(),
        };
        for who in ["maintainer", "bot", "outsider"] {
            let login = organisation.login(who);
            organisation.admin(Method::POST, "/admin/users", &json!({"username": login, "password": PASSWORD, "email": format!("{login}@lab.test"), "must_change_password": false}));
        }
        organisation.admin(Method::POST, "/orgs", &json!({"username": organisation.name}));
        for (team, permission, who) in [("maintainers", "write", "maintainer"), ("readers", "read", "bot")] {
            let body = json!({"name": team, "permission": permission, "units": ["repo.code", "repo.issues", "repo.pulls"], "includes_all_repositories": true});
            let made = organisation.admin(Method::POST, &format!("/orgs/{}/teams", organisation.name), &body);
            organisation.admin(
                Method::PUT,
                &format!("/teams/{}/members/{}", made["id"], organisation.login(who)),
                &json!({}),
            );
        }
        organisation
    }

    /// The name of one of its people on the forge.
    pub(crate) fn login(&self, who: &str) -> String {
        format!("{who}-{}", self.name)
    }

    fn admin(&self, method: Method, path: &str, body: &Value) -> Value {
        self.ask("admin", method, path, body)
    }

    fn ask(&self, login: &str, method: Method, path: &str, body: &Value) -> Value {
        let request = self
            .client
            .request(method, format!("{}/api/v1{path}", self.url))
            .basic_auth(login, Some(PASSWORD))
            .json(body);
        self.runtime.block_on(async {
            let response = request.send().await.unwrap();
            let status = response.status();
            let text = response.text().await.unwrap();
            assert!(status.is_success(), "{path}: {status} {text}");
            serde_json::from_str(&text).unwrap_or(Value::Null)
        })
    }

    /// A file with a token of the gate's account, with the smallest scopes.
    fn token_file(&self) -> PathBuf {
        let bot = self.login("bot");
        let body = json!({"name": format!("t{:08x}", rand::random::<u32>()), "scopes": ["write:issue", "read:repository", "read:organization"]});
        let token = self.ask(&bot, Method::POST, &format!("/users/{bot}/tokens"), &body);
        let file = self.folder.path().join("token");
        std::fs::write(&file, token["sha1"].as_str().unwrap()).unwrap();
        file
    }

    /// Puts a recipe of `tests/recipes` there, with a pull request by the maintainer that changes its README.
    pub(crate) fn pull_request(&self, recipe: &str) -> PullRequest<'_> {
        self.admin(
            Method::POST,
            &format!("/orgs/{}/repos", self.name),
            &json!({"name": recipe, "default_branch": "main"}),
        );
        let place = self.folder.path().join(recipe);
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recipes").join(recipe);
        said(Command::new("cp").arg("--recursive").arg(from).arg(&place));
        let address = self.url.replace("http://", &format!("http://admin:{PASSWORD}@"));
        let remote = format!("{address}/{}/{recipe}.git", self.name);
        let git = |arguments: &[&str]| {
            let me = ["-c", "user.name=ada", "-c", "user.email=ada@lab.test", "-c", "init.defaultBranch=main"];
            said(Command::new("git").args(me).args(arguments).current_dir(&place))
        };
        git(&["init", "--quiet"]);
        git(&["add", "."]);
        git(&["commit", "--quiet", "--message", "first"]);
        git(&["push", "--quiet", &remote, "HEAD:main"]);
        std::fs::write(place.join("README.md"), "changed\n").unwrap();
        git(&["commit", "--quiet", "--all", "--message", "a change"]);
        git(&["push", "--quiet", &remote, "HEAD:change"]);
        let head = git(&["rev-parse", "HEAD"]);
        self.wait_for_branch(recipe, "change");
        let body = json!({"title": "A change", "head": "change", "base": "main"});
        let made =
            self.ask(&self.login("maintainer"), Method::POST, &format!("/repos/{}/{recipe}/pulls", self.name), &body);
        PullRequest { organisation: self, recipe: recipe.to_owned(), number: made["number"].as_u64().unwrap(), head }
    }

    /// The forge takes in what was pushed a moment later.
    fn wait_for_branch(&self, recipe: &str, branch: &str) {
        let url = format!("{}/api/v1/repos/{}/{recipe}/branches/{branch}", self.url, self.name);
        until("the pushed branch", || {
            let request = self.client.get(&url).basic_auth("admin", Some(PASSWORD));
            self.runtime
                .block_on(async { request.send().await.is_ok_and(|answer| answer.status().is_success()) })
                .then_some(())
        });
    }

    /// Starts the service under test, which watches this organisation.
    pub(crate) fn serve(&self, lab: &Lab) -> Serving {
        let mut command = lab.cc_ci(&["serve", "--listen", "127.0.0.1:0"]);
        command.args(["--forge-url", &self.url, "--forge-account", &self.login("bot"), "--organisation", &self.name]);
        command.args(["--target", lab.name, "--poll", &POLL.to_string()]).arg("--runner-image").arg(lab.image());
        command.arg("--forge-token-file").arg(self.token_file());
        let told = tempfile::NamedTempFile::new().unwrap();
        command.stdout(Stdio::null()).stderr(told.reopen().unwrap());
        let child = command.spawn().unwrap();
        let page = until("the service", || {
            let text = std::fs::read_to_string(told.path()).unwrap();
            text.split_once("pages on ").map(|(_, page)| page.lines().next().unwrap_or_default().to_owned())
        });
        Serving { child, page, told }
    }

    /// A page of the service, as text with its status.
    pub(crate) fn page(&self, serving: &Serving, path: &str) -> (u16, String) {
        let url = format!("{}{path}", serving.page);
        self.runtime.block_on(async {
            let response = self.client.get(url).send().await.unwrap();
            (response.status().as_u16(), response.text().await.unwrap())
        })
    }
}

impl PullRequest<'_> {
    fn comments_path(&self) -> String {
        format!("/repos/{}/{}/issues/{}/comments", self.organisation.name, self.recipe, self.number)
    }

    /// Writes a comment.
    pub(crate) fn say(&self, who: &str, text: &str) {
        let login = self.organisation.login(who);
        self.organisation.ask(&login, Method::POST, &self.comments_path(), &json!({ "body": text }));
    }

    /// All comments, oldest first.
    pub(crate) fn comments(&self) -> Vec<Said> {
        let all = self.organisation.admin(Method::GET, &self.comments_path(), &json!({}));
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        all.as_array()
            .unwrap()
            .iter()
            .map(|one| Said { author: text(&one["user"]["login"]), body: text(&one["body"]) })
            .collect()
    }

    /// What the gate has said here.
    pub(crate) fn answers(&self) -> Vec<String> {
        let bot = self.organisation.login("bot");
        self.comments().into_iter().filter(|said| said.author == bot).map(|said| said.body).collect()
    }

    /// Waits until so many answers hold this text.
    pub(crate) fn wait_for(&self, text: &str, times: usize) -> Vec<String> {
        let begun = Instant::now();
        loop {
            let answers = self.answers();
            if answers.iter().filter(|answer| answer.contains(text)).count() >= times {
                return answers;
            }
            assert!(begun.elapsed() < Duration::from_secs(120), "`{text}` was not said {times} times: {answers:#?}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// The service under test.
pub(crate) struct Serving {
    child: Child,
    page: String,
    told: tempfile::NamedTempFile,
}

impl Serving {
    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// What it told on standard error.
    pub(crate) fn told(&self) -> String {
        std::fs::read_to_string(self.told.path()).unwrap()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _killed = self.child.kill();
        let _ended = self.child.wait();
    }
}
