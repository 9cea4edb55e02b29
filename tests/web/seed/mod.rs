//! A gate with a history: runs of every kind, a queue, targets, and text that means harm. Nothing of it runs; pages show it.

mod facts;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use cc_ci::adapters::clock::Clock;
use cc_ci::adapters::docker::runner::ImageSource;
use cc_ci::adapters::forge::{Forge, ForgeConfig, Pace};
use cc_ci::adapters::own_hash::OwnHash;
use cc_ci::adapters::sign::sign;
use cc_ci::adapters::store::{Cause, End, Needs, NewRequest, Report, StageState, Store};
use cc_ci::domain::command::Options as Asks;
use cc_ci::domain::enrolment::Enrolment;
use cc_ci::domain::finding::{Finding, FindingKind};
use cc_ci::domain::forge::{CommentId, Login, PullNumber, RepoName};
use cc_ci::domain::ids::{CommitSha, DomainName, GateId, RecipeName, RunId, TargetName};
use cc_ci::domain::log::{Record, Source};
use cc_ci::domain::queue::TargetState;
use cc_ci::domain::results::{RunFacts, conclude};
use cc_ci::domain::stage::Stage;
use cc_ci::domain::target::{Endpoint, Role, Target};
use cc_ci::domain::verdict::Verdict;
use cc_ci::engine::plan::Limits;
use cc_ci::engine::run::Gate;
use cc_ci::engine::service::{Heard, Round, Service, Watched};
use cc_ci::engine::state::{RunFile, StateFolder};
use cc_ci::web::Options;
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;

use self::facts::{crash_log, crash_loop, good, good_log, harm_facts, harm_log, heavy_facts, heavy_log, target_lost};

/// Text that would act, if anything let it.
pub(crate) const HARM: &str = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'`$(touch /x);--upload-pack";

/// The numbers of the runs that tests look at.
pub(crate) struct Numbers {
    pub(crate) green: i64,
    pub(crate) red: i64,
    pub(crate) heavy: i64,
    pub(crate) lost: i64,
    pub(crate) never: i64,
    pub(crate) harm: i64,
    pub(crate) running: i64,
    pub(crate) waiting: i64,
}

/// A service over this folder; its forge is at that address.
pub(crate) async fn service(folder: &Path, forge: &str) -> Service {
    let state = StateFolder::at(folder).unwrap();
    let gate = Gate {
        store: Store::open(state.root()).await.unwrap(),
        state,
        id: GateId::from_random([7; 16]),
        image: ImageSource::Reference("none".into()),
        binary: OwnHash::default(),
        shares: true,
    };
    let watched = Watched {
        organisation: Login::parse("recipes").unwrap(),
        enrolled: Enrolment::default(),
        tests_repository: None,
        poll: Duration::from_secs(1),
        public_url: "http://127.0.0.1".into(),
        limits: Limits::default(),
        sweep_period: None,
        webhook_secrets: Vec::new(),
        hook: None,
        settles_after: Duration::from_secs(1),
        recycle: None,
        keep_runs: None,
    };
    let config = ForgeConfig {
        url: forge.to_owned(),
        token: SecretString::from("token".to_owned()),
        bot_login: Some(Login::parse("ci-bot").unwrap()),
        ca_path: None,
        pace: Pace { attempts: 1, first_delay: Duration::from_millis(10), ..Pace::default() },
    };
    let targets = ["swarm-a", "swarm-b", "swarm-c"].map(target).into();
    Service::new(gate, Forge::new(config).unwrap(), watched, targets, Clock::system())
}

fn target(name: &str) -> Target {
    Target {
        name: TargetName::parse(name).unwrap(),
        endpoint: Endpoint::Ssh {
            address: "127.0.0.1:9".into(),
            user: "ccci".into(),
            key_path: "/nonexistent".into(),
            host_key: "ssh-ed25519 AAAA".into(),
        },
        domain: DomainName::parse("ci.example.org").unwrap(),
        ca_path: None,
        role: Role::Gate,
        capacity: std::num::NonZeroU32::MIN,
        env: BTreeMap::new(),
    }
}

/// How the pages of these tests are reached.
pub(crate) fn options(public_url: &str) -> Options {
    Options {
        public_url: public_url.to_owned(),
        oauth: None,
        organisation: "recipes".into(),
        operators: vec!["Owners".into()],
        closed: false,
    }
}

/// As if its loops went round.
pub(crate) fn alive(service: &Service) {
    service.beat(Round::Work);
    service.hears(Heard { polled_at: Some(Timestamp::now()), trouble: None });
}

fn ago(seconds: i64) -> Timestamp {
    Timestamp::now() - SignedDuration::from_secs(seconds)
}

/// A run that is asked for, and its number.
pub(crate) struct Asked {
    pub(crate) id: RunId,
    pub(crate) number: i64,
}

pub(crate) async fn ask(service: &Service, recipe: &str, pull: Option<i64>, who: &str, at: Timestamp) -> Asked {
    let id = RunId::from_random(rand::random());
    let request = NewRequest {
        id: &id,
        cause: if pull.is_some() { Cause::PullRequest } else { Cause::Sweep },
        recipe: &RecipeName::parse(recipe).unwrap(),
        repository: &RepoName::parse(&format!("recipes/{recipe}")).unwrap(),
        pull: pull.map(|pull| PullNumber::new(pull).unwrap()),
        head: &commit(),
        asked_by: who,
        options: &Asks::default(),
        attempt: 1,
        comment: pull.map(|_| CommentId::new(i64::from(rand::random::<u32>()) + 1).unwrap()),
        post: 1,
        vouched: false,
        first_try: None,
        sweep: None,
        queued_at: at,
    };
    let number = service.store().add_request(&request).await.unwrap();
    Asked { id, number }
}

pub(crate) async fn queue(service: &Service, asked: &Asked) {
    service.store().fetched(&asked.id, &Needs { weight: 1, ..Needs::default() }).await.unwrap();
}

pub(crate) async fn start(service: &Service, asked: &Asked, target: &str, at: Timestamp) {
    queue(service, asked).await;
    assert!(service.store().start(&asked.id, target, "ccx_ci_example_org", "{}", 1, at).await.unwrap());
    std::fs::create_dir_all(service.state().run(&asked.id).log().parent().unwrap()).unwrap();
}

fn commit() -> CommitSha {
    CommitSha::parse(&"9f31c0e2".repeat(5)).unwrap()
}

/// A run that ended so.
async fn ended(service: &Service, asked: &Asked, facts: RunFacts, log: &[Record]) {
    start(service, asked, "swarm-a", facts.started).await;
    let finished = facts.finished;
    let results = conclude(RunFacts { run: asked.id.clone(), ..facts });
    let json = serde_json::to_string(&results).unwrap();
    let folder = service.state().run(&asked.id);
    std::fs::write(folder.results(), &json).unwrap();
    // One for all is enough: rendering is slow in a test's build.
    std::fs::write(folder.report(), "<!doctype html><title>the report</title>").unwrap();
    let signature = sign(&service.state().signing(), [7; 32], json.as_bytes()).unwrap();
    std::fs::write(folder.file(RunFile::Signature), &signature).unwrap();
    std::fs::write(folder.file(RunFile::Evidence), "no archive").unwrap();
    append(service, asked, log);
    let report = Some(Report { results: &json, signature: Some(&signature) });
    let end = End { verdict: results.verdict, sentence: &results.sentence, level: results.level, report };
    assert!(service.store().finish(&asked.id, &end, finished).await.unwrap());
}

/// Lines at the end of a run's log.
pub(crate) fn append(service: &Service, asked: &Asked, log: &[Record]) {
    use std::io::Write as _;
    let path = service.state().run(&asked.id).log();
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
    for record in log {
        let mut line = serde_json::to_vec(record).unwrap();
        line.push(b'\n');
        file.write_all(&line).unwrap();
    }
}

pub(crate) fn line(at: Timestamp, source: &str, text: &str) -> Record {
    Record { at, source: Source::try_from(source.to_owned()).unwrap(), position: None, text: text.to_owned() }
}

/// Everything.
pub(crate) async fn seed(service: &Service) -> Numbers {
    let store = service.store();
    for nth in 0..48_i64 {
        history(service, nth).await;
    }
    let never = ask(service, "ghost", Some(4), "cy", ago(4_000)).await;
    let why = "not judged: superseded by run 51";
    let end = End { verdict: Verdict::NotJudged, sentence: why, level: 0, report: None };
    store.finish(&never.id, &end, ago(3_990)).await.unwrap();
    let lost = ask(service, "mumble", Some(3), "bo", ago(3_500)).await;
    ended(service, &lost, target_lost(ago(3_400)), &good_log(ago(3_400))[..4]).await;
    let heavy = ask(service, "mumble", Some(5), "bo", ago(2_500)).await;
    ended(service, &heavy, heavy_facts(ago(2_400)), &heavy_log(ago(2_400))).await;
    let harm = ask(service, "plausible", Some(7), HARM, ago(1_500)).await;
    ended(service, &harm, harm_facts(ago(1_400)), &harm_log(ago(1_400))).await;
    let flake = Finding::new(FindingKind::Flake, Stage::Checks, ago(1_400), HARM);
    store.add_flakes(&harm.id, &RecipeName::parse("plausible").unwrap(), &[flake]).await.unwrap();
    let green = ask(service, "hedgedoc", Some(18), "ada", ago(900)).await;
    ended(service, &green, good("hedgedoc", ago(880)), &good_log(ago(880))).await;
    let red = ask(service, "notes", Some(41), "ada", ago(400)).await;
    ended(service, &red, crash_loop(ago(380)), &crash_log(ago(380))).await;
    let running = goes_on(service).await;
    let waiting = ask(service, "notes", Some(42), "ada", ago(60)).await;
    queue(service, &waiting).await;
    for (recipe, pull) in [("immich", Some(13)), ("ghost", None), ("wordpress", Some(2))] {
        let asked = ask(service, recipe, pull, "cy", ago(30)).await;
        queue(service, &asked).await;
    }
    ask(service, "mattermost", Some(11), "bo", ago(3)).await;
    targets(service).await;
    Numbers {
        green: green.number,
        red: red.number,
        heavy: heavy.number,
        lost: lost.number,
        never: never.number,
        harm: harm.number,
        running: running.number,
        waiting: waiting.number,
    }
}

async fn history(service: &Service, nth: i64) {
    let recipes = ["cc-ci", "hedgedoc", "notes", "immich", "ghost"];
    let recipe = recipes[usize::try_from(nth).unwrap() % recipes.len()];
    let begun = ago(200_000 - nth * 3_000);
    let pull = (nth % 3 != 0).then(|| 10 + nth / 6);
    let asked = ask(service, recipe, pull, "ada", begun - SignedDuration::from_secs(40)).await;
    let facts = match nth % 7 {
        3 => crash_loop(begun),
        5 => target_lost(begun),
        _ => good(recipe, begun),
    };
    let recipe = RecipeName::parse(recipe).unwrap();
    ended(service, &asked, RunFacts { recipe, ..facts }, &good_log(begun)).await;
}

async fn goes_on(service: &Service) -> Asked {
    let store = service.store();
    let other = ask(service, "plausible", Some(8), "cy", ago(100)).await;
    start(service, &other, "swarm-b", ago(22)).await;
    store.begin_stage(&other.id, Stage::Prepare, ago(22)).await.unwrap();
    let run = ask(service, "immich", Some(12), "bo", ago(250)).await;
    let begun = ago(190);
    start(service, &run, "swarm-a", begun).await;
    for (stage, from, to) in [(Stage::Prepare, 190, 185), (Stage::Lint, 185, 184)] {
        store.begin_stage(&run.id, stage, ago(from)).await.unwrap();
        store.end_stage(&run.id, stage, StageState::Done, None, ago(to)).await.unwrap();
    }
    store.begin_stage(&run.id, Stage::Install, ago(184)).await.unwrap();
    for (phase, by, from, to) in
        [("connect", "cc-ci", 190, 189), ("runner", "docker", 189, 186), ("deploy call", "docker", 184, 150)]
    {
        store.begin_phase(&run.id, phase, by, ago(from)).await.unwrap();
        store.end_phase(&run.id, phase, ago(to)).await.unwrap();
    }
    store.begin_phase(&run.id, "converge", "app", ago(150)).await.unwrap();
    append(service, &run, &good_log(begun)[..6]);
    let many: Vec<_> =
        (0..40).map(|n| line(ago(150 - n), "app.1@4f0c2d11a9b3", &format!("migration {n} of 212 applied"))).collect();
    append(service, &run, &many);
    run
}

/// What a look at each target found.
async fn targets(service: &Service) {
    let quarantine = "volume `old_data` is nobody's: it was not there before run 17";
    let known = [
        ("swarm-a", TargetState::Leased, "run of immich", 190, 0),
        ("swarm-b", TargetState::Leased, "run of plausible", 22, 4),
        ("swarm-c", TargetState::Quarantined, quarantine, 86_400, 9),
    ];
    for (name, state, reason, since, heard) in known {
        let name = TargetName::parse(name).unwrap();
        service.store().set_target(&name, state, reason, ago(since)).await.unwrap();
        service.store().hear_target(&name, ago(heard)).await.unwrap();
    }
}
