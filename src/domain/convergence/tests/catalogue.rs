//! Every kind of finding with the sentences that the rules make for it and its advice, side by side. `docs/findings.md` quotes it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::script::{Act, Script, service};
use super::swarm::lab;
use crate::domain::convergence::{Rules, watch};
use crate::domain::deploy_call::{Call, refused};
use crate::domain::deployment::{Route, ServicePlan};
use crate::domain::finding::{Finding, FindingKind as Kind, sentences};
use crate::domain::floor::{Meaning, Seen, broken_asset, meaning, unreachable};
use crate::domain::host::{HostLoad, Reading, excuse};
use crate::domain::ids::DomainName;
use crate::domain::inventory::Object;
use crate::domain::registry::{ImageName, Refusal, Trouble, judge};
use crate::domain::stage::Stage;
use crate::domain::swarm::{Mode, RestartCondition, Update, UpdateState};

const AT: Timestamp = Timestamp::UNIX_EPOCH;

fn app() -> Script {
    service("app")
}

/// What ends the deploy of these services.
fn deploys() -> Vec<Finding> {
    let fatal = "FATAL: database files are incompatible with server";
    let refused = "invalid mount config for type \"bind\": bind source path does not exist: /srv/media";
    let taken = "starting container failed: Bind for 0.0.0.0:8080 failed: port is already allocated";
    let once = (RestartCondition::None, None);
    let scripts = [
        app().exits(1_000, 1).says(fatal),
        app().exits(1_000, 3).says("no such option").restart(once.0, once.1),
        app().acts([Act::Rejected("failed to set up container networking")]),
        app().exits(1_000, 0).says("done"),
        app().acts([Act::Unhealthy { after: 31_000 }]).healthcheck(10_000).up_after(60_000),
        app()
            .acts([Act::Unhealthy { after: 60_000 }, Act::Exits { after: 400, code: 2 }])
            .healthcheck(30_000)
            .up_after(90_000)
            .says("tablespace is corrupt"),
        app().acts([Act::OutOfMemory { after: 3_000 }]).memory_limit(64 << 20),
        app().acts([Act::Rejected("No such image: registry.lab/app:2@sha256:0")]),
        app().acts([Act::Pending("no suitable node (scheduling constraints not satisfied on 1 node)")]),
        app().acts([Act::Pending("no suitable node (insufficient resources on 1 node)")]),
        app().mode(Mode::Global).constrained(),
        app().acts([Act::Pending("no suitable node (host-mode port already in use on 1 node)")]),
        app().acts([Act::Rejected(taken)]),
        app().acts([Act::Rejected(refused)]),
        app().up_after(5_000_000).healthcheck(1_000),
    ];
    let slow = Rules { stalled_after: Duration::from_mins(60), ..Rules::default() };
    let late = lab([app().up_after(5_000_000).healthcheck(1_000)]).play(500, 1200, &slow);
    let ends = scripts.into_iter().map(|script| lab([script]).ends());
    ends.chain([late]).map(|ended| ended.headline().clone()).collect()
}

fn updates() -> Vec<Finding> {
    let mut found = Vec::new();
    for (state, message) in [
        (UpdateState::Paused, "update paused due to failure or early termination of task x"),
        (UpdateState::RollbackCompleted, "rollback completed"),
    ] {
        let mut lab = lab([app().exits(1_000, 1).says("unknown option --foo")]);
        lab.old.push("app");
        lab.updates[0] = Some(Update { state: UpdateState::Updating, message: String::new() });
        let begun = lab.play(500, 3, &Rules::default());
        lab.updates[0] = Some(Update { state, message: message.to_owned() });
        let ended = lab.play_on(begun.memory, 500, 3, &Rules::default());
        let crate::domain::convergence::Progress::Failed(findings) = ended.progress else { panic!("{state:?}") };
        found.extend(findings);
    }
    found
}

/// What a service does after everything had come up.
fn later() -> Vec<Finding> {
    let acts = [
        Act::Exits { after: 20_000, code: 9 },
        Act::Exits { after: 20_000, code: 0 },
        Act::OutOfMemory { after: 20_000 },
    ];
    let found = acts.into_iter().flat_map(|act| {
        let mut lab = lab([app().acts([act, Act::Lives]).memory_limit(64 << 20).says("worker lost")]);
        let ended = lab.ends();
        ended.is_green();
        (0..150).for_each(|_| lab.step());
        watch(ended.memory, &lab.wanted(), &lab.snapshot(), &Rules::default(), Stage::Install).1
    });
    found.collect()
}

fn deploy_calls() -> Vec<Finding> {
    let uses = ["notes_pw_v1", "notes_conf_v1", "backend"].map(str::to_owned).to_vec();
    let (ports, mounts, depends_on) = (Vec::new(), Vec::new(), Vec::new());
    let app = ServicePlan {
        name: "app".into(),
        image: "app:1".into(),
        depends_on,
        ports,
        mounts,
        scaled_to_zero: false,
        backup_labels: BTreeMap::new(),
        uses,
    };
    let said = [
        "service app: secret not found: notes_pw_v1",
        "service app: config not found: notes_conf_v1",
        "network \"backend\" is declared as external, but could not be found",
        "failed to create service notes_app: Error response from daemon: rpc error: code = InvalidArgument desc = port '8080' is already in use by service 'other_web' (x1) as an ingress port",
        "services.app.deploy.replicas must be a integer",
    ];
    let call = |output| Call { output, how: "exit code 1", stack: "notes", services: std::slice::from_ref(&app) };
    said.map(|output| refused(call(output), Stage::Install, AT)).into()
}

fn floor() -> Vec<Finding> {
    let host = DomainName::parse("notes.example.com").unwrap();
    let rule = "Host(`notes.example.com`)".to_owned();
    let route = Route { host, service: "app".into(), rule, port: Some(8081) };
    let seen = |status, body: &str| Seen { status, body: body.into() };
    let random = seen(404, "404 page not found");
    let answers = [random.clone(), seen(502, "Bad Gateway"), seen(500, "oops")];
    let mut found: Vec<String> = Vec::new();
    for answer in answers {
        let (Meaning::NotYet(why) | Meaning::Broken(why)) = meaning(&route, &answer, Some(&random)) else {
            panic!("{answer:?}")
        };
        found.push(unreachable(&route, &why));
    }
    found.push(broken_asset("notes.example.com", "https://notes.example.com/style.css", 404));
    found.into_iter().map(|sentence| Finding::new(Kind::Unreachable, Stage::Install, AT, sentence)).collect()
}

fn target_and_limits() -> Vec<Finding> {
    let reading = |seconds: i64, cpu| {
        let at = AT + SignedDuration::from_secs(seconds);
        Reading { at, cpus: 2, load: 14.0, cpu: Some(cpu), memory: None, disk: None }
    };
    let load =
        HostLoad::during(Stage::Install, &[reading(0, 0), reading(900, 882_000_000)], AT, Timestamp::MAX).unwrap();
    let limit = sentences::total_limit(Duration::from_mins(60));
    let deadline = Finding::new(Kind::Deadline, Stage::Install, AT, limit);
    let silent = sentences::target_silent(Duration::from_mins(5), "list the services: connection timed out");
    let object = |text: &str| Object::try_from(text.to_owned()).unwrap();
    let left = sentences::leftovers(&[object("volume notes_data")], &[object("container other_web.1")]);
    let mut found = vec![
        deadline.clone(),
        Finding::new(Kind::TargetUnreachable, Stage::Install, AT, silent),
        Finding::new(Kind::TargetUnreachable, Stage::Install, AT, sentences::RUNNER_REMOVED),
        Finding::new(Kind::Leftovers, Stage::Teardown, AT, left),
    ];
    found.extend(excuse(vec![deadline], &load).into_iter().take(1));
    found
}

fn images() -> Vec<Finding> {
    let image = ImageName::parse("registry.example.com/notes:2").unwrap();
    let (none, base) = (BTreeSet::new(), BTreeSet::from(["registry.example.com/notes:1".to_owned()]));
    let cases = [
        (Refusal::Missing, &none),
        (Refusal::Denied, &none),
        (Refusal::Denied, &base),
        (Refusal::Limit, &none),
        (Refusal::Trouble(Trouble::Timeout), &none),
        (Refusal::Trouble(Trouble::Disk), &none),
    ];
    cases.map(|(refusal, base)| judge(refusal, &image, "", base, Stage::Install, AT)).into()
}

#[test]
fn every_sentence_and_its_advice() {
    let mut sentences: BTreeMap<Kind, Vec<String>> = BTreeMap::new();
    let all = [images(), deploys(), updates(), later(), deploy_calls(), floor(), target_and_limits()];
    for finding in all.into_iter().flatten() {
        let of_kind = sentences.entry(finding.kind).or_default();
        if !of_kind.contains(&finding.sentence) {
            of_kind.push(finding.sentence);
        }
    }
    let mut catalogue = String::new();
    for (kind, sentences) in &sentences {
        writeln!(catalogue, "{}", kind.name()).unwrap();
        sentences.iter().for_each(|sentence| writeln!(catalogue, "    {sentence}").unwrap());
        writeln!(catalogue, "    -> {}", kind.advice()).unwrap();
    }
    insta::assert_snapshot!("catalogue", catalogue);
}
