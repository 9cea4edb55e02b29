//! Data that survives an upgrade and comes back from a backup, and the maintainers' own checks.

use cc_ci::domain::finding::{Class, FindingKind};
use cc_ci::domain::guilt::Guilt;
use cc_ci::domain::results::Results;
use cc_ci::domain::stage::{Rung, RungState, Stage};

use crate::support::{Finished, Lab, Recipe, Tests, edited, lab};

fn run(lab: &Lab, recipe: &Recipe, tests: &Tests, more: &[&str]) -> Finished {
    let arguments: Vec<&str> = ["--tests", tests.path()].into_iter().chain(more.iter().copied()).collect();
    lab.run_in(&recipe.path(), &arguments).finish()
}

/// A note in the database, and what must hold of `notes`: a check of each kind.
const NOTES: &str = r#"
[[seed]]
name = "a note"
service = "db"
exec = ["psql", "-U", "notes", "-c", "insert into notes (body) values ('calm waters')"]
verify = { exec = ["psql", "-U", "notes", "-tAc", "select body from notes"], stdout_contains = "calm waters" }

[[check]]
name = "the page"
http = { path = "/", title = "Lab notes", body_contains = "<form", assets = true }

[[check]]
name = "the API"
http = { path = "/api/notes", headers = { content-type = "application/json" } }

[[check]]
name = "the database listens"
tcp = { service = "db", port = 5432 }

[[check]]
name = "the database answers"
service = "db"
exec = ["pg_isready", "-U", "notes"]
stdout_contains = "accepting connections"

[[check]]
name = "the table is there"
service = "db"
cmd = "count_of notes"
stdout_contains = "notes:"

[[extra]]
name = "vacuum"
service = "db"
exec = ["psql", "-U", "notes", "-c", "vacuum full"]
"#;

/// `notes` in a repository with two versions; the next one, whose app migrates the database, is being written.
fn notes() -> Recipe {
    let recipe = Recipe::copy_of("notes");
    let compose = recipe.read("compose.yml");
    let of = |version: &str, image: &str| {
        edited(&compose, &[("1.0.0+1.0.0", version), ("lab/web:1.0.0", &format!("lab/web:{image}"))])
    };
    recipe.publish("1.0.0+1.0.0");
    recipe.write("compose.yml", &of("1.1.0+1.1.0", "1.1.0"));
    recipe.publish("1.1.0+1.1.0");
    recipe.write("compose.yml", &of("2.0.0+2.0.0", "2.0.0"));
    let count = "\ncount_of() {\n  echo \"$1: $(psql -U notes -tAc \"select count(*) from $1\")\"\n}\n";
    recipe.write("abra.sh", &(recipe.read("abra.sh") + count));
    recipe
}

fn rungs(results: &Results) -> Vec<(Rung, RungState)> {
    Rung::ALL.into_iter().map(|rung| (rung, results.rungs.of(rung).state)).collect()
}

#[test]
fn s01_s12_every_rung_of_a_recipe_with_a_database() {
    let lab = lab();
    let recipe = notes();
    let finished = run(&lab, &recipe, &Tests::of(NOTES), &[]);
    finished.assert(0, "green");
    let results = finished.results();
    assert!(rungs(results).iter().all(|(_, state)| *state == RungState::Pass), "{:#?}", results.rungs);
    assert_eq!((results.deploys.fresh, results.deploys.upgrade), (2, 1));
    assert_eq!(results.level, 5);
    let base = results.recipe.base.as_ref().unwrap();
    assert_eq!(base.version.as_deref(), Some("1.1.0+1.1.0"), "the newest that is older");
    let survived = [results.data.after_upgrade.as_ref().unwrap(), results.data.after_restore.as_ref().unwrap()];
    assert!(survived.iter().all(|survived| survived.seeds == ["a note"]), "{survived:?}");
    assert_eq!((survived[0].planted, survived[1].planted), (2, 1), "the database's volume comes back as a dump");
    let dump = results.data.backup.iter().find(|archive| archive.what.contains("backup.sql")).unwrap();
    assert!(dump.bytes > 500, "{dump:?}");
    // Each check after the upgrade and on the fresh deploy; the extra one is named and was not run (s12).
    let of = |stage| results.checks.iter().filter(|check| check.stage == stage && check.holds).count();
    assert_eq!((of(Stage::Upgrade), of(Stage::Checks), of(Stage::Extra)), (5, 5, 0));
    assert!(results.not_verified.iter().any(|line| line.contains("“vacuum”")), "{:?}", results.not_verified);
    assert!(results.sentence.contains("comes back from its backup and passes its 5 checks"), "{}", results.sentence);
    println!("s01: {} s", results.finished.duration_since(results.started).as_secs());
    lab.assert_untouched();
}

#[test]
fn s12_extra_checks_are_run_in_the_same_deploy_when_they_are_asked_for() {
    let lab = lab();
    let finished = run(&lab, &notes(), &Tests::of(NOTES), &["--extra"]);
    finished.assert(0, "green");
    let results = finished.results();
    assert!(results.checks.iter().any(|check| check.stage == Stage::Extra && check.holds), "{:?}", results.checks);
    assert_eq!((results.deploys.fresh, results.deploys.upgrade), (2, 1));
    assert!(results.not_verified.iter().all(|line| !line.contains("vacuum")), "{:?}", results.not_verified);
    lab.assert_untouched();
}

#[test]
fn s02_without_tests_the_floor_looks_for_its_own_file_and_another_volume_is_data_left_behind() {
    let lab = lab();
    let recipe = Recipe::copy_of("good");
    recipe.publish("1.0.0+1.0.0");
    let compose = recipe.read("compose.yml");
    let next = edited(&compose, &[("1.0.0+1.0.0", "1.1.0+1.0.0")]);
    recipe.write("compose.yml", &next);
    let finished = lab.run_in(&recipe.path(), &[]).finish();
    finished.assert(0, "green");
    let results = finished.results();
    assert_eq!(results.data.after_upgrade.as_ref().unwrap().planted, 1);
    assert_eq!(results.data.after_restore.as_ref().unwrap().planted, 1);
    assert_eq!(results.rungs.backup.state, RungState::Pass, "{:?}", results.rungs.backup);
    assert_eq!(results.rungs.checks.state, RungState::NotApplicable);
    assert!(results.not_verified.iter().any(|line| line.starts_with("checks: not applicable, none declared")));

    recipe.write("compose.yml", &edited(&next, &[("data:/data", "notes:/data"), ("\n  data:\n", "\n  notes:\n")]));
    let finished = lab.run_in(&recipe.path(), &[]).finish();
    finished.assert(1, "red");
    let results = finished.results();
    assert_eq!(results.findings[0].kind, FindingKind::DataLost);
    assert_eq!(results.findings[0].rung, Some(Rung::Upgrade));
    assert_eq!(
        results.findings[0].sentence,
        "data left behind in the volume data: app now mounts the volume notes at /data"
    );
    assert_eq!(results.rungs.install.state, RungState::Pass);
    assert_eq!(results.rungs.backup.state, RungState::NotVerified);
    lab.assert_untouched();
}

#[test]
fn s08_an_upgrade_that_drops_data_is_red_and_names_the_seed() {
    let lab = lab();
    let recipe = notes();
    // What the new version does when it starts: in a real recipe a migration that goes wrong.
    let compose = recipe.read("compose.postgres.yml");
    let dropping = edited(
        &compose,
        &[
            ("      DATABASE_HOST: db\n", "      DATABASE_HOST: db\n      LAB_WITHOUT_DATABASE: wait\n"),
            (
                "      test: [\"CMD\", \"pg_isready\", \"-q\", \"-h\", \"127.0.0.1\", \"-U\", \"notes\"]",
                "      test: [\"CMD\", \"psql\", \"-q\", \"-U\", \"notes\", \"-c\", \"drop table if exists notes; create table notes (id serial primary key, body text, written_at timestamptz default now())\"]",
            ),
        ],
    );
    recipe.write("compose.postgres.yml", &dropping);
    let finished = run(&lab, &recipe, &Tests::of(NOTES), &[]);
    finished.assert(1, "red");
    let results = finished.results();
    let finding = &results.findings[0];
    assert_eq!((finding.kind, finding.stage), (FindingKind::DataLost, Stage::Upgrade), "{}", finding.sentence);
    assert!(finding.sentence.starts_with("the seed “a note” is gone after the upgrade: "), "{}", finding.sentence);
    assert_eq!(finding.service.as_deref(), Some("db"));
    assert_eq!(results.rungs.upgrade.state, RungState::Fail);
    lab.assert_untouched();
}

/// What a run says of a `notes` whose hooks are these.
fn with_hooks(lab: &Lab, pre_backup: &str, post_restore: &str) -> Finished {
    let recipe = notes();
    let compose = recipe.read("compose.postgres.yml");
    let hooks = [("\"/pg_backup.sh backup\"", pre_backup), ("\"/pg_backup.sh restore\"", post_restore)];
    recipe.write("compose.postgres.yml", &edited(&compose, &hooks));
    let finished = run(lab, &recipe, &Tests::of(NOTES), &[]);
    finished.assert(1, "red");
    finished
}

#[test]
fn s09_a_backup_hook_that_ends_with_0_and_leaves_nothing_is_red() {
    let lab = lab();
    let finished = with_hooks(&lab, "\"touch /var/lib/postgresql/data/backup.sql\"", "\"/pg_backup.sh restore\"");
    let finding = &finished.results().findings[0];
    assert_eq!((finding.kind, finding.rung), (FindingKind::BackupEmpty, Some(Rung::Backup)), "{}", finding.sentence);
    assert!(finding.sentence.contains("backup.sql on the volume db_data holds nothing"), "{}", finding.sentence);
    lab.assert_untouched();
    // A dump of another database is not empty, and brings nothing back.
    let other = "\"pg_dump --username=notes --file=/var/lib/postgresql/data/backup.sql template1\"";
    let finished = with_hooks(&lab, other, "\"true\"");
    let finding = &finished.results().findings[0];
    assert_eq!((finding.kind, finding.stage), (FindingKind::DataLost, Stage::Restore), "{}", finding.sentence);
    assert!(finding.sentence.starts_with("the seed “a note” is gone after the restore: "), "{}", finding.sentence);
    lab.assert_untouched();
}

#[test]
fn s10_a_hook_that_fails_is_red_with_its_output() {
    let lab = lab();
    let fails = "\"echo cannot read the dump >&2; exit 3\"";
    let finished = with_hooks(&lab, "\"/pg_backup.sh backup\"", fails);
    let finding = &finished.results().findings[0];
    assert_eq!((finding.kind, finding.stage), (FindingKind::HookFailed, Stage::Restore), "{}", finding.sentence);
    assert_eq!(finding.sentence, "db: the post-hook of the restore fails, exit code 3: “cannot read the dump”");
    assert!(finding.evidence.iter().any(|evidence| evidence.text.contains("cannot read the dump")));
    lab.assert_untouched();
    // In a pipe, every part counts.
    let finished = with_hooks(&lab, "\"false | cat > /var/lib/postgresql/data/backup.sql\"", "\"true\"");
    let finding = &finished.results().findings[0];
    assert_eq!((finding.kind, finding.stage), (FindingKind::HookFailed, Stage::Backup), "{}", finding.sentence);
    lab.assert_untouched();
}

#[test]
fn s11_a_service_that_head_removes_is_told_since_deploys_do_not_prune() {
    let lab = lab();
    let recipe = Recipe::copy_of("good");
    let compose = recipe.read("compose.yml");
    let side = "services:\n  side:\n    image: lab/web:1.0.0\n    volumes:\n      - side:/data\n";
    let two = edited(&compose, &[("services:\n", side), ("\nvolumes:\n", "\nvolumes:\n  side:\n")]);
    recipe.write("compose.yml", &two);
    recipe.publish("1.0.0+1.0.0");
    recipe.write("compose.yml", &edited(&compose, &[("1.0.0+1.0.0", "1.1.0+1.0.0")]));
    let finished = lab.run_in(&recipe.path(), &[]).finish();
    finished.assert(0, "green");
    let results = finished.results();
    let still = "`side` is not a part of head and still runs after the upgrade: deploys do not prune";
    assert!(results.warnings.iter().any(|warning| warning == still), "{:?}", results.warnings);
    assert!(
        results.not_verified.iter().any(|line| line.contains("side is not a part of head")),
        "{:?}",
        results.not_verified
    );
    lab.assert_untouched();
}

#[test]
fn s35_a_service_that_dies_during_checks_or_backup_is_a_finding_of_that_stage() {
    let lab = lab();
    let recipe = notes();
    // The check takes the database down with it, as a check should not; what is told is the service that died.
    let kills =
        "\n[[check]]\nname = \"a query\"\nservice = \"db\"\nexec = [\"bash\", \"-c\", \"kill -QUIT 1; sleep 5\"]\n";
    let finished = run(&lab, &recipe, &Tests::of(kills), &[]);
    finished.assert(1, "red");
    let finding = &finished.results().findings[0];
    assert_eq!((finding.stage, finding.service.as_deref()), (Stage::Upgrade, Some("db")), "{}", finding.sentence);
    assert_eq!(finding.class, Class::Recipe);
    lab.assert_untouched();
    let finished = with_hooks(&lab, "\"kill -QUIT 1; sleep 5\"", "\"true\"");
    let finding = &finished.results().findings[0];
    assert_eq!((finding.stage, finding.service.as_deref()), (Stage::Backup, Some("db")), "{}", finding.sentence);
    assert_ne!(finding.kind, FindingKind::HookFailed, "the service's death is the cause");
    lab.assert_untouched();
}

#[test]
fn s29_killed_in_each_stage_of_the_ladder_a_run_goes_on() {
    let lab = lab();
    let (recipe, tests) = (notes(), Tests::of(NOTES));
    for moment in ["seed “a note” in db", "before-backup hook", "5 checks, in the order", "after-restore hook"] {
        let mut running = lab.run_in(&recipe.path(), &["--tests", tests.path()]);
        running.wait_for(moment);
        let id = running.id();
        assert!(running.kill(), "it was killed after {moment}");
        let finished = lab.resume(&id).finish();
        finished.assert(0, "green");
        let results = finished.results();
        assert_eq!((results.deploys.fresh, results.deploys.upgrade), (2, 1), "after {moment}");
        assert_eq!(results.level, 5, "after {moment}: {:#?}", results.rungs);
        lab.assert_untouched();
    }
}

#[test]
fn s36_a_check_that_holds_on_the_second_look_is_green_and_a_flake() {
    let lab = lab();
    let flaky = "[[check]]\nname = 'now and then'\nservice = 'app'\nexec = ['sh', '-c', 'test -e /tmp/seen || { touch /tmp/seen; exit 1; }']\n";
    let finished = run(&lab, &Recipe::copy_of("good"), &Tests::of(flaky), &[]);
    finished.assert(0, "green");
    let results = finished.results();
    let flake = &results.findings[0];
    assert_eq!((flake.kind, flake.stage, flake.rung), (FindingKind::Flake, Stage::Checks, None));
    assert!(
        flake.sentence.starts_with("the check “now and then” held on the second look only; first "),
        "{}",
        flake.sentence
    );
    assert!(results.sentence.contains("; green on the second try: the check"), "{}", results.sentence);
    assert!(results.checks[0].holds && results.checks[0].second_look);
    lab.assert_untouched();
}

/// `good`, healthy only when this shell condition holds, and never killed before.
fn healthy_when(recipe: &Recipe, condition: &str, version: &str) {
    let compose = Recipe::copy_of("good").read("compose.yml");
    let test = format!("[\"CMD-SHELL\", \"{condition}\"]");
    let edits = [
        ("[\"CMD\", \"web\", \"healthcheck\"]", test.as_str()),
        ("start_period: 30s", "start_period: 1h"),
        ("1.0.0+1.0.0", version),
    ];
    recipe.write("compose.yml", &edited(&compose, &edits));
}

#[test]
fn s36_an_install_that_comes_up_on_the_second_try_is_green_and_a_flake() {
    let lab = lab();
    let recipe = Recipe::copy_of("good");
    // Healthy from half a minute from now on: the first try is over by then.
    let from = jiff::Timestamp::now().as_second() + 40;
    healthy_when(&recipe, &format!("test $$(date +%s) -gt {from}"), "1.0.0+1.0.0");
    let finished = lab.run_in(&recipe.path(), &["--deploy-limit", "20s"]).finish();
    finished.assert(0, "green");
    let results = finished.results();
    assert_eq!(results.findings[0].kind, FindingKind::Flake, "{:?}", results.findings);
    assert!(results.findings[0].sentence.starts_with("the install came up on the second try; first "));
    assert_eq!(results.rungs.install.state, RungState::Pass);
    assert_eq!(results.deploys.fresh, 3, "the second try, and the restore");
    lab.assert_untouched();
}

#[test]
fn s37_what_fails_on_head_and_on_base_is_red_and_not_this_change() {
    let lab = lab();
    let recipe = Recipe::copy_of("good");
    healthy_when(&recipe, "false", "1.0.0+1.0.0");
    recipe.publish("1.0.0+1.0.0");
    healthy_when(&recipe, "false", "1.1.0+1.0.0");
    let finished = lab.run_in(&recipe.path(), &["--deploy-limit", "15s"]).finish();
    finished.assert(1, "red");
    let results = finished.results();
    assert_eq!(results.guilt, Some(Guilt::NotThisChange));
    assert!(results.sentence.ends_with("; not this change: 1.0.0+1.0.0 fails the same way"), "{}", results.sentence);
    assert_eq!((results.deploys.fresh, results.deploys.upgrade), (2, 0), "no extra deploy: the base has told");
    lab.assert_untouched();
}

#[test]
fn s38_what_the_base_passed_and_head_fails_is_this_change_with_no_extra_deploy() {
    let lab = lab();
    let recipe = Recipe::copy_of("good");
    let compose = recipe.read("compose.yml");
    recipe.publish("1.0.0+1.0.0");
    let exits = "WEB_TITLE=${TITLE}\n      - LAB_EXIT_CODE=7\n      - LAB_EXIT_AFTER=1s";
    recipe.write("compose.yml", &edited(&compose, &[("1.0.0+1.0.0", "1.1.0+1.0.0"), ("WEB_TITLE=${TITLE}", exits)]));
    let finished = lab.run_in(&recipe.path(), &[]).finish();
    finished.assert(1, "red");
    let results = finished.results();
    assert_eq!(results.guilt, Some(Guilt::ThisChange));
    assert_eq!((results.deploys.fresh, results.deploys.upgrade), (2, 1));
    lab.assert_untouched();
}
