//! A gate, its forge and its clock. Time passes when a story says so, and the loops of the service go round by round.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use cc_ci::adapters::clock::Clock;
use cc_ci::adapters::docker::runner::ImageSource;
use cc_ci::adapters::forge::{Forge, ForgeConfig, HOOK_EVENTS, Pace, PullNumber, RepoName};
use cc_ci::adapters::git;
use cc_ci::adapters::own_hash::OwnHash;
use cc_ci::adapters::store::{Asked, Needs, Store};
use cc_ci::domain::answer::{Marker, marker};
use cc_ci::domain::enrolment::Enrolment;
use cc_ci::domain::forge::Login;
use cc_ci::domain::ids::{DomainName, TargetName};
use cc_ci::domain::queue::{HostPort, TargetState};
use cc_ci::domain::target::{Endpoint, Role, Target};
use cc_ci::engine::plan::{Limits, save_files};
use cc_ci::engine::run::Gate;
use cc_ci::engine::service::{Delivered, Round, Service, Watched};
use cc_ci::engine::state::StateFolder;
use jiff::SignedDuration;
use secrecy::SecretString;
use tokio::net::UnixListener;
use tokio::sync::OnceCell;

use crate::fake::world::FakeHook;
use crate::fake::{FakeForge, Member, Right, Sent};

/// The recipe of most stories.
pub(crate) const NOTES: &str = "recipes/notes";
/// The bot's smallest token.
pub(crate) const SMALLEST: [&str; 3] = ["read:organization", "write:issue", "read:repository"];
/// What the first deliveries are signed with.
pub(crate) const SECRET: &str = "the first secret";

/// The head of the first pull request, and those that are pushed after it.
pub(crate) fn sha(number: u32) -> String {
    format!("{number:08x}").repeat(5)
}

/// A gate, its forge and its clock.
pub(crate) struct Scene {
    pub(crate) forge: FakeForge,
    pub(crate) clock: Clock,
    folder: tempfile::TempDir,
    /// The bot's token; another one counts after the next start.
    pub(crate) token: String,
    /// What the gate watches, and how; a change counts after the next start.
    pub(crate) watched: Watched,
    pub(crate) targets: Vec<Target>,
    pub(crate) timeout: Duration,
    gate: Option<Service>,
}

impl Scene {
    /// An organisation `recipes` with a maintainer, who may write, and the bot, which may read; `recipes/notes` with pull
    /// request 1 by the maintainer. The gate is not started.
    pub(crate) async fn set() -> Self {
        let forge = FakeForge::start().await;
        let token = forge.act(|world| {
            world.member("recipes", "maintainer", Member { right: Right::Write, public: false });
            world.member("recipes", "bot", Member { right: Right::Read, public: false });
            world.user("outsider");
            world.repo(NOTES);
            world.pull(NOTES, "maintainer", &sha(1), NOTES);
            world.token("bot", &SMALLEST)
        });
        // In memory where there is such a place: what is shown here is not the disk's patience.
        let memory = PathBuf::from("/dev/shm");
        let place = if memory.is_dir() { memory } else { std::env::temp_dir() };
        let watched = Watched {
            organisation: Login::parse("recipes").unwrap(),
            enrolled: Enrolment::of(Vec::new()),
            tests_repository: None,
            poll: Duration::from_secs(15),
            public_url: "https://ci.example.org".to_owned(),
            limits: Limits::default(),
            sweep_period: None,
            webhook_secrets: vec![SecretString::from(SECRET)],
            hook: None,
            settles_after: Duration::from_secs(30),
            recycle: None,
            keep_runs: None,
        };
        Self {
            forge,
            clock: Clock::system(),
            folder: tempfile::tempdir_in(place).unwrap(),
            token,
            watched,
            targets: Vec::new(),
            timeout: Duration::from_secs(20),
            gate: None,
        }
    }

    /// The same, with a gate that has polled once.
    pub(crate) async fn begin() -> Self {
        let mut scene = Self::set().await;
        scene.start().await;
        scene.round(Round::Poll).await;
        scene.pass(1);
        scene
    }

    /// Starts the gate, on the database that is there.
    pub(crate) async fn start(&mut self) {
        let state = StateFolder::at(self.folder.path()).unwrap();
        let database = self.folder.path().join("cc-ci.db");
        if !database.exists() {
            std::fs::write(database, EMPTY.get_or_init(empty).await).unwrap();
        }
        let store = Store::open(state.root()).await.unwrap();
        let gate = Gate {
            id: state.gate_id([7; 16]).unwrap(),
            store,
            image: ImageSource::Reference("none".to_owned()),
            binary: OwnHash::default(),
            shares: true,
            state,
        };
        let config = ForgeConfig {
            url: self.forge.url(),
            token: SecretString::from(self.token.clone()),
            bot_login: Some(Login::parse("bot").unwrap()),
            // One authority that signs nothing: reading all of this machine's takes longer than the rest of a story.
            ca_path: Some(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/stories/authority.pem")),
            // Tried once, so that every wait is one of the clock that stories move.
            pace: Pace { attempts: 1, timeout: self.timeout, ..Pace::default() },
        };
        let forge = Forge::with_clock(config, self.clock.clone()).unwrap();
        self.gate = Some(Service::new(gate, forge, self.watched.clone(), self.targets.clone(), self.clock.clone()));
    }

    /// The gate is gone, as after `kill -9`: nothing is said or written any more.
    pub(crate) fn kill(&mut self) {
        self.gate = None;
    }

    pub(crate) async fn restart(&mut self) {
        self.kill();
        self.start().await;
    }

    pub(crate) fn gate(&self) -> &Service {
        self.gate.as_ref().unwrap()
    }

    pub(crate) fn store(&self) -> &Store {
        self.gate().store()
    }

    /// Time passes, here and at the forge.
    pub(crate) fn pass(&self, seconds: u32) {
        self.clock.pass(Duration::from_secs(seconds.into()));
        self.forge.act(|world| world.tick(seconds.into()));
    }

    /// The clock of the gate's machine is set, while no time passes.
    pub(crate) fn jump(&self, seconds: i64) {
        self.clock.jump(SignedDuration::from_secs(seconds));
    }

    /// Somebody writes a comment on pull request 1. A second passes.
    pub(crate) fn say(&self, who: &str, text: &str) -> i64 {
        self.say_on(1, who, text)
    }

    pub(crate) fn say_on(&self, pull: i64, who: &str, text: &str) -> i64 {
        let id = self.forge.act(|world| world.comment(NOTES, pull, who, text));
        self.pass(1);
        id
    }

    /// One round. Whether it went well.
    pub(crate) async fn round(&self, round: Round) -> bool {
        self.gate().round(round).await.is_ok()
    }

    /// Time passes in rounds of all that needs no git and no target, until there is nothing left to decide, to tell or to show.
    pub(crate) async fn quiet(&self) {
        let mut polled = false;
        for time in 0..200 {
            // Once all is heard, nobody says anything new.
            polled = polled || self.round(Round::Poll).await;
            let worked = self.round(Round::Work).await;
            self.round(Round::Answer).await;
            if polled && worked && self.is_quiet().await {
                return;
            }
            self.pass(1 << time.min(6));
        }
        panic!("it is never quiet: {:?}, {}", self.gate().heard(), self.unfinished().await);
    }

    async fn is_quiet(&self) -> bool {
        let store = self.store();
        store.outbox_backlog().await.unwrap().0 == 0
            && store.unsettled().await.unwrap().is_empty()
            && store.unanswered().await.unwrap().is_empty()
    }

    pub(crate) async fn unfinished(&self) -> String {
        let (store, far) = (self.store(), self.clock.now() + SignedDuration::from_hours(100));
        format!(
            "unsettled {:#?}, outbox {:#?}",
            store.unsettled().await.unwrap(),
            store.due(far, Duration::ZERO).await.unwrap()
        )
    }

    /// A delivery comes to the gate.
    pub(crate) async fn deliver(&self, sent: &Sent) -> Delivered {
        let mut headers = HeaderMap::new();
        for (name, value) in &sent.headers {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        self.gate().deliver(&headers, sent.body.as_bytes()).await
    }

    /// What the gate has said on pull request 1, oldest first.
    pub(crate) fn answers(&self) -> Vec<String> {
        self.answers_on(1)
    }

    pub(crate) fn answers_on(&self, pull: i64) -> Vec<String> {
        let all = self.forge.act(|world| {
            let name = if world.repos.contains_key(NOTES) { NOTES } else { world.moved[NOTES].as_str() }.to_owned();
            world.conversation(&name, pull)
        });
        all.into_iter().filter(|(author, _)| author == "bot").map(|(_, body)| body).collect()
    }

    /// The one answer to this comment.
    pub(crate) fn answer_to(&self, comment: i64) -> String {
        let mut found = self.answers_to(comment);
        assert_eq!(found.len(), 1, "answers to {comment}: {found:#?}; all: {:#?}", self.answers());
        found.remove(0)
    }

    /// All answers to this comment.
    pub(crate) fn answers_to(&self, comment: i64) -> Vec<String> {
        self.answers().into_iter().filter(|body| answers(body).is_some_and(|it| it.comment == comment)).collect()
    }

    /// The reactions to a comment.
    pub(crate) fn reactions(&self, comment: i64) -> Vec<String> {
        self.forge.act(|world| world.comments[&comment].reactions.iter().map(|(_, what)| what.clone()).collect())
    }

    /// All runs of pull request 1, oldest first.
    pub(crate) async fn runs(&self) -> Vec<Asked> {
        let (repo, pull) = (RepoName::parse(NOTES).unwrap(), PullNumber::new(1).unwrap());
        let mut runs = self.store().runs_of(&repo, pull).await.unwrap();
        runs.reverse();
        runs
    }

    /// The recipe's files are there, as after a round that fetches: git is not part of these stories.
    pub(crate) async fn fetched(&self, run: &Asked, ports: &[HostPort]) {
        let good = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/recipes/good");
        let folder = self.gate().state().run(&run.id);
        drop(folder.hold(&run.id).unwrap());
        save_files(&git::read(good).await.unwrap().files, &folder.recipe()).unwrap();
        let needs = Needs { weight: 1, ports: ports.to_vec(), ..Needs::default() };
        self.store().fetched(&run.id, &needs).await.unwrap();
    }

    /// Test targets in good order whose engines take a call and never answer it: whoever runs there is wedged.
    pub(crate) async fn wedging(&mut self, names: &[&str]) {
        for name in names {
            let socket = self.folder.path().join(format!("{name}.sock"));
            let listener = UnixListener::bind(&socket).unwrap();
            tokio::spawn(async move {
                let mut open = Vec::new();
                while let Ok(connection) = listener.accept().await {
                    open.push(connection);
                }
            });
            self.targets.push(local(name, socket));
        }
        self.restart().await;
        for target in &self.targets {
            let now = self.clock.now();
            self.store().set_target(&target.name, TargetState::Clean, "it is empty", now).await.unwrap();
        }
    }

    /// A target whose engine is at this socket, and which nobody has looked at yet.
    pub(crate) async fn target_at(&mut self, name: &str, socket: PathBuf) {
        self.targets.push(local(name, socket));
        self.restart().await;
    }

    /// A statement on the database itself, where a story needs what only a kill at the right instant would make.
    pub(crate) async fn sql(&self, statement: &'static str) {
        let pool = self.database().await;
        sqlx::query(statement).execute(&pool).await.unwrap();
        pool.close().await;
    }

    /// What a statement on the database itself finds, a text per row.
    pub(crate) async fn list(&self, question: &'static str) -> Vec<String> {
        let pool = self.database().await;
        let rows = sqlx::query_scalar(question).fetch_all(&pool).await.unwrap();
        pool.close().await;
        rows
    }

    async fn database(&self) -> sqlx::SqlitePool {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(self.folder.path().join("cc-ci.db"));
        sqlx::SqlitePool::connect_with(options).await.unwrap()
    }

    /// The organisation has a hook that somebody made by hand, on everything.
    pub(crate) fn hook_by_hand(&self, url: &str) {
        let hook = FakeHook {
            id: 900,
            url: url.to_owned(),
            content_type: "json".to_owned(),
            secret: SECRET.to_owned(),
            events: HOOK_EVENTS.iter().map(|event| (*event).to_owned()).collect(),
            active: true,
        };
        self.forge.act(|world| world.organisations.get_mut("recipes").unwrap().hooks.push(hook));
    }

    /// What was asked of the forge since then.
    pub(crate) fn requests_since(&self, before: usize) -> Vec<String> {
        self.forge.requests().split_off(before)
    }
}

fn local(name: &str, socket: PathBuf) -> Target {
    Target {
        name: TargetName::parse(name).unwrap(),
        endpoint: Endpoint::Unix(socket),
        domain: DomainName::parse("ci.example.org").unwrap(),
        ca_path: None,
        role: Role::Gate,
        capacity: std::num::NonZeroU32::MIN,
        env: BTreeMap::new(),
    }
}

/// A new database: making its tables takes longer than most stories.
static EMPTY: OnceCell<Vec<u8>> = OnceCell::const_new();

async fn empty() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    Store::open(folder.path()).await.unwrap().close().await;
    std::fs::read(folder.path().join("cc-ci.db")).unwrap()
}

/// What an answer of the gate answers.
pub(crate) fn answers(body: &str) -> Option<Marker> {
    marker(body)
}
