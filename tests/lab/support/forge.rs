//! The lab's forge: a real Gitea. Each test has an organisation of its own there, with people and a recipe.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use super::browser::Browser;
use super::children::Children;
use super::relay::Relay;
use super::{Lab, said, until};

const PASSWORD: &str = "lab-password";
/// Between two polls of the service under test, in seconds.
pub(crate) const POLL: u64 = 2;

/// The scopes of the smallest token.
pub(crate) const SCOPES: [&str; 3] = ["write:issue", "read:repository", "read:organization"];
/// What the hooks of the tests sign with.
pub(crate) const HOOK_SECRET: &str = "hook-secret-of-the-lab";

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

    /// Registers a gate at this address as an application of the forge, owned by the maintainer. Returns its id and its secret.
    pub(crate) fn application(&self, gate: &str) -> (String, String) {
        let body =
            json!({"name": "gate", "confidential_client": true, "redirect_uris": [format!("{gate}/login/callback")]});
        let made = self.ask(&self.login("maintainer"), Method::POST, "/user/applications/oauth2", &body);
        let text = |name: &str| made[name].as_str().unwrap().to_owned();
        (text("client_id"), text("client_secret"))
    }

    /// A browser in which this person is logged in on the forge.
    pub(crate) fn browser(&self, who: &str) -> Browser {
        let mut browser = Browser::new();
        let form = [("user_name", self.login(who)), ("password", PASSWORD.to_owned())];
        let answer = browser.post(&format!("{}/user/login", self.url), &form);
        assert_eq!(answer.status, 303, "{who} cannot log in on the forge");
        browser
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

    /// A file with a new token of the gate's account, with these scopes.
    fn token_file(&self, scopes: &[&str]) -> PathBuf {
        let bot = self.login("bot");
        let body = json!({"name": format!("t{:08x}", rand::random::<u32>()), "scopes": scopes});
        let token = self.ask(&bot, Method::POST, &format!("/users/{bot}/tokens"), &body);
        let file = self.folder.path().join(format!("token-{}", rand::random::<u32>()));
        std::fs::write(&file, token["sha1"].as_str().unwrap()).unwrap();
        file
    }

    /// Makes somebody an owner of the organisation.
    pub(crate) fn make_owner(&self, who: &str) {
        let teams = self.admin(Method::GET, &format!("/orgs/{}/teams", self.name), &json!({}));
        let owners = teams.as_array().unwrap().iter().find(|team| team["name"] == "Owners").unwrap();
        let path = format!("/teams/{}/members/{}", owners["id"], self.login(who));
        self.admin(Method::PUT, &path, &json!({}));
    }

    /// A request of the site's administrator below `/api/v1/repos/ORGANISATION/…`.
    pub(crate) fn repository(&self, method: Method, path: &str, body: &Value) -> Value {
        self.admin(method, &format!("/repos/{}/{path}", self.name), body)
    }

    /// The hooks of the organisation.
    pub(crate) fn hooks(&self) -> Vec<Value> {
        self.admin(Method::GET, &format!("/orgs/{}/hooks", self.name), &json!({})).as_array().unwrap().clone()
    }

    /// Changes a hook of the organisation, or makes one (`id` none).
    pub(crate) fn set_hook(&self, id: Option<u64>, body: &Value) -> u64 {
        let path = format!("/orgs/{}/hooks", self.name);
        let made = match id {
            Some(id) => self.admin(Method::PATCH, &format!("{path}/{id}"), body),
            None => self.admin(Method::POST, &path, body),
        };
        made["id"].as_u64().unwrap()
    }

    /// The hook that an administrator sets up by hand.
    pub(crate) fn make_hook(&self, url: &str) {
        let config = json!({"url": url, "content_type": "json", "secret": HOOK_SECRET});
        let events = ["create", "push", "pull_request", "pull_request_comment", "issue_comment", "pull_request_sync"];
        self.set_hook(None, &json!({"type": "gitea", "active": true, "events": events, "config": config}));
    }

    fn remote(&self, who: &str, owner: &str, recipe: &str) -> String {
        let address = self.url.replace("http://", &format!("http://{who}:{PASSWORD}@"));
        format!("{address}/{owner}/{recipe}.git")
    }

    fn git(&self, recipe: &str, arguments: &[&str]) -> String {
        let me = ["-c", "user.name=ada", "-c", "user.email=ada@lab.test", "-c", "init.defaultBranch=main"];
        let place = self.folder.path().join(recipe);
        said(Command::new("git").args(me).args(arguments).current_dir(&place))
    }

    /// Puts a recipe of `tests/recipes` there.
    pub(crate) fn recipe(&self, recipe: &str) {
        self.recipe_from(recipe, &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recipes").join(recipe));
    }

    /// Puts the recipe of a folder there.
    pub(crate) fn recipe_from(&self, recipe: &str, from: &Path) {
        let body = json!({"name": recipe, "default_branch": "main"});
        self.admin(Method::POST, &format!("/orgs/{}/repos", self.name), &body);
        said(Command::new("cp").arg("--recursive").arg(from).arg(self.folder.path().join(recipe)));
        self.git(recipe, &["init", "--quiet"]);
        self.git(recipe, &["add", "."]);
        self.git(recipe, &["commit", "--quiet", "--message", "first"]);
        self.git(recipe, &["push", "--quiet", &self.remote("admin", &self.name, recipe), "HEAD:main"]);
        self.wait_for_branch(&self.name, recipe, "main");
    }

    /// Puts a recipe of `tests/recipes` there, with a pull request by the maintainer that changes its README.
    pub(crate) fn pull_request(&self, recipe: &str) -> PullRequest<'_> {
        self.recipe(recipe);
        self.change(recipe, "change", "A change")
    }

    /// Puts a recipe of a test's own there, with a pull request by the maintainer.
    pub(crate) fn pull_request_of(&self, recipe: &str, from: &Path) -> PullRequest<'_> {
        self.recipe_from(recipe, from);
        self.change(recipe, "change", "A change")
    }

    /// A pull request by the maintainer, from a branch of that name.
    pub(crate) fn change(&self, recipe: &str, branch: &str, title: &str) -> PullRequest<'_> {
        let head = self.push(recipe, branch, &self.remote("admin", &self.name, recipe));
        self.wait_for_branch(&self.name, recipe, branch);
        self.open(recipe, "maintainer", branch, title, head)
    }

    /// A pull request by the outsider, from a fork.
    pub(crate) fn change_by_outsider(&self, recipe: &str) -> PullRequest<'_> {
        let outsider = self.login("outsider");
        self.ask(&outsider, Method::POST, &format!("/repos/{}/{recipe}/forks", self.name), &json!({}));
        let head = self.push(recipe, "change", &self.remote(&outsider, &outsider, recipe));
        self.wait_for_branch(&outsider, recipe, "change");
        self.open(recipe, "outsider", &format!("{outsider}:change"), "From outside", head)
    }

    fn open(&self, recipe: &str, who: &str, from: &str, title: &str, head: String) -> PullRequest<'_> {
        let body = json!({"title": title, "head": from, "base": "main"});
        let path = format!("/repos/{}/{recipe}/pulls", self.name);
        let made = self.ask(&self.login(who), Method::POST, &path, &body);
        PullRequest { organisation: self, recipe: recipe.to_owned(), number: made["number"].as_u64().unwrap(), head }
    }

    /// One more commit on a branch; its id.
    fn push(&self, recipe: &str, branch: &str, remote: &str) -> String {
        let text = format!("{branch} {:08x}\n", rand::random::<u32>());
        std::fs::write(self.folder.path().join(recipe).join("README.md"), text).unwrap();
        self.git(recipe, &["commit", "--quiet", "--all", "--message", "a change"]);
        self.git(recipe, &["push", "--quiet", remote, &format!("HEAD:refs/heads/{branch}")]);
        self.git(recipe, &["rev-parse", "HEAD"])
    }

    /// Merges into the default branch, as a push of the maintainer; returns the new tip.
    pub(crate) fn push_to_main(&self, recipe: &str) -> String {
        self.push(recipe, "main", &self.remote("admin", &self.name, recipe))
    }

    /// The same with these files written before, path and text.
    pub(crate) fn push_files_to_main(&self, recipe: &str, files: &[(&str, &str)]) -> String {
        self.write(recipe, files);
        self.push_to_main(recipe)
    }

    /// A pull request by the maintainer with these files, from a branch of that name.
    pub(crate) fn change_files(&self, recipe: &str, branch: &str, files: &[(&str, &str)]) -> PullRequest<'_> {
        self.write(recipe, files);
        self.change(recipe, branch, "A change")
    }

    fn write(&self, recipe: &str, files: &[(&str, &str)]) {
        for (path, text) in files {
            let place = self.folder.path().join(recipe).join(path);
            std::fs::create_dir_all(place.parent().unwrap()).unwrap();
            std::fs::write(place, text).unwrap();
            self.git(recipe, &["add", path]);
        }
    }

    /// Pushes an annotated tag.
    pub(crate) fn tag(&self, recipe: &str, tag: &str) {
        self.git(recipe, &["tag", "--annotate", "--message", tag, tag]);
        self.git(recipe, &["push", "--quiet", &self.remote("admin", &self.name, recipe), tag]);
    }

    /// The forge takes in what was pushed a moment later.
    fn wait_for_branch(&self, owner: &str, recipe: &str, branch: &str) {
        let branch: String = branch
            .bytes()
            .map(
                |byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") },
            )
            .collect();
        let url = format!("{}/api/v1/repos/{owner}/{recipe}/branches/{branch}", self.url);
        until("the pushed branch", || {
            let request = self.client.get(&url).basic_auth("admin", Some(PASSWORD));
            self.runtime
                .block_on(async { request.send().await.is_ok_and(|answer| answer.status().is_success()) })
                .then_some(())
        });
    }

    /// Starts the service under test, which watches this organisation.
    pub(crate) fn serve(&self, lab: &Lab) -> Serving {
        let serving = self.serve_with(lab, &SCOPES, &[]);
        self.wait_for_first_poll(&serving);
        serving
    }

    /// The same, woken by webhooks through this relay and polling only at its start.
    pub(crate) fn serve_hooked(&self, lab: &Lab, relay: &Relay) -> Serving {
        self.make_hook(&relay.url());
        let serving =
            self.serve_with(lab, &SCOPES, &["--poll", "3600", "--webhook-secret-file", &self.hook_secret_file()]);
        relay.lead_to(&serving.page);
        self.wait_for_first_poll(&serving);
        serving
    }

    pub(crate) fn hook_secret_file(&self) -> String {
        let file = self.folder.path().join("hook-secret");
        std::fs::write(&file, HOOK_SECRET).unwrap();
        file.to_string_lossy().into_owned()
    }

    /// A file with settings.
    pub(crate) fn config_file(&self, settings: &str) -> String {
        let file = self.folder.path().join(format!("settings-{}", rand::random::<u32>()));
        std::fs::write(&file, settings).unwrap();
        file.to_string_lossy().into_owned()
    }

    /// Comments before the first poll are none that this gate answers.
    pub(crate) fn wait_for_first_poll(&self, serving: &Serving) {
        until("the first poll", || (self.page(serving, "/readyz").0 == 200).then_some(()));
    }

    /// Starts the service with a token of these scopes and more arguments; what is given twice counts as it comes last.
    pub(crate) fn serve_with(&self, lab: &Lab, scopes: &[&str], more: &[&str]) -> Serving {
        let mut command = lab.cc_ci(&["serve"]);
        if !more.contains(&"--listen") {
            command.args(["--listen", "127.0.0.1:0"]);
        }
        command.args(["--forge-url", &self.url, "--forge-account", &self.login("bot"), "--organisation", &self.name]);
        command.args(["--target", lab.name]).arg("--runner-image").arg(lab.image());
        if !more.contains(&"--poll") {
            command.args(["--poll", &POLL.to_string()]);
        }
        command.arg("--forge-token-file").arg(self.token_file(scopes)).args(more);
        let told = tempfile::NamedTempFile::new().unwrap();
        command.stdout(Stdio::null()).stderr(told.reopen().unwrap());
        let child = command.spawn().unwrap();
        let page = until("the service", || {
            let text = std::fs::read_to_string(told.path()).unwrap();
            text.split_once("pages on ").map(|(_, page)| page.lines().next().unwrap_or_default().to_owned())
        });
        let children = Children::of(child.id());
        Serving { child, page, told, children }
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

    /// Writes a comment; its id.
    pub(crate) fn say(&self, who: &str, text: &str) -> u64 {
        let login = self.organisation.login(who);
        let made = self.organisation.ask(&login, Method::POST, &self.comments_path(), &json!({ "body": text }));
        made["id"].as_u64().unwrap()
    }

    /// Changes a comment.
    pub(crate) fn edit(&self, who: &str, comment: u64, text: &str) {
        let path = format!("/repos/{}/{}/issues/comments/{comment}", self.organisation.name, self.recipe);
        self.organisation.ask(&self.organisation.login(who), Method::PATCH, &path, &json!({ "body": text }));
    }

    /// Writes a review.
    pub(crate) fn review(&self, who: &str, text: &str) {
        let path = format!("/repos/{}/{}/pulls/{}/reviews", self.organisation.name, self.recipe, self.number);
        self.organisation.ask(
            &self.organisation.login(who),
            Method::POST,
            &path,
            &json!({"body": text, "event": "COMMENT"}),
        );
    }

    /// Pushes one more commit to the head; its id.
    pub(crate) fn push(&self) -> String {
        let (organisation, recipe) = (self.organisation, self.recipe.as_str());
        organisation.push(recipe, "change", &organisation.remote("admin", &organisation.name, recipe))
    }

    /// The same as the outsider, to the fork.
    pub(crate) fn push_to_fork(&self) -> String {
        let outsider = self.organisation.login("outsider");
        self.organisation.push(&self.recipe, "change", &self.organisation.remote(&outsider, &outsider, &self.recipe))
    }

    /// Waits until the forge shows this head.
    pub(crate) fn wait_for_head(&self, head: &str) {
        until("the pushed head", || {
            let path = format!("{}/pulls/{}", self.recipe, self.number);
            let pull = self.organisation.repository(Method::GET, &path, &json!({}));
            (pull["head"]["sha"] == head).then_some(())
        });
    }

    /// The states of the gate's commit statuses on the head, newest first.
    pub(crate) fn statuses(&self) -> Vec<String> {
        let path = format!("{}/commits/{}/status", self.recipe, self.head);
        let found = self.organisation.repository(Method::GET, &path, &json!({}));
        let statuses = found["statuses"].as_array().cloned().unwrap_or_default();
        statuses.iter().map(|status| status["status"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// What somebody reacted with to a comment.
    pub(crate) fn reactions(&self, comment: u64) -> usize {
        let path = format!("{}/issues/comments/{comment}/reactions", self.recipe);
        self.organisation.repository(Method::GET, &path, &json!({})).as_array().map_or(0, Vec::len)
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
    children: Children,
}

impl Serving {
    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.children.end();
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Where its pages are.
    pub(crate) fn page_url(&self) -> &str {
        &self.page
    }

    /// The programs that it started.
    pub(crate) fn started(&self) -> std::collections::BTreeSet<String> {
        self.children.seen()
    }

    /// What it told on standard error.
    pub(crate) fn told(&self) -> String {
        std::fs::read_to_string(self.told.path()).unwrap()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("what the service said:\n{}", self.told());
        }
        let _killed = self.child.kill();
        let _ended = self.child.wait();
        self.children.end();
    }
}
