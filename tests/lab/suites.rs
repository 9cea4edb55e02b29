//! Checks that are a test suite in a container of its own: what it reaches, what it is given, and what becomes of what it says.

use cc_ci::domain::finding::FindingKind;
use cc_ci::domain::results::Results;
use cc_ci::domain::stage::{Rung, RungState, Stage};

use crate::support::{Finished, Lab, Recipe, Tests, lab};

/// Asks the app by its service's name and the proxy by the app's own, sees that it rules nothing, and reports as JUnit.
const SUITE: &str = r#"
set -eu
. ./lib.sh
host=${CC_CI_URL#https://}
case_of page      'get app 8080 / | grep -q "<title>A good recipe</title>"'
case_of proxy     'exec 3<>/dev/tcp/$host/443'
case_of stack     'test -n "$CC_CI_STACK"'
case_of read_only '! echo more >>lib.sh'
case_of no_power  '[ ! -e /var/run/docker.sock ] && [ ! -e /run/docker.sock ] && [ ! -e /cc-ci/orders.json ] && [ ! -e /usr/local/bin/cc-ci ]'
report
"#;

const LIB: &str = r#"
cases= failed=0
get() { exec 4<>"/dev/tcp/$1/$2"; printf 'GET %s HTTP/1.0\r\nHost: x\r\n\r\n' "$3" >&4; cat <&4; }
case_of() {
  echo "test $1"
  if (eval "$2") >/dev/null 2>&1; then
    cases="$cases<testcase name='$1'/>"
  else
    failed=$((failed+1)) cases="$cases<testcase name='$1'><failure message='it is not so'/></testcase>"
  fi
}
report() { printf '<testsuite>%s</testsuite>' "$cases" >"$CC_CI_JUNIT"; exit $((failed > 0)); }
"#;

fn run(lab: &Lab, tests: &Tests) -> Finished {
    let recipe = Recipe::copy_of("good");
    lab.run_in(&recipe.path(), &["--tests", tests.path(), "--only", "install,checks"]).finish()
}

fn check_failures(results: &Results) -> Vec<&str> {
    let failures = results.findings.iter().filter(|finding| finding.kind == FindingKind::CheckFailed);
    failures.map(|finding| finding.sentence.as_str()).collect()
}

#[test]
fn a_suite_reaches_the_app_and_the_proxy_and_its_report_is_read() {
    let lab = lab();
    let file =
        "[[check]]\nname = 'the suite'\ncontainer = { image = 'lab/web:1.0.0', run = ['bash', 'sub/suite.sh'] }\n";
    let finished = run(&lab, &Tests::with(file, &[("sub/suite.sh", SUITE), ("lib.sh", LIB), ("sub/__init__.py", "")]));
    finished.assert(0, "green");
    let results = finished.results();
    let check = results.checks.iter().find(|check| check.stage == Stage::Checks).unwrap();
    assert_eq!(check.seen, "lab/web:1.0.0: 5 tests pass");
    let suite = check.suite.as_ref().unwrap();
    assert_eq!((suite.passed, suite.failed, suite.skipped), (5, 0, 0));
    assert!(finished.log.iter().any(|record| record.text == "test no_power"), "what it says is in the log");
    lab.assert_untouched();
}

#[test]
fn s28_a_suite_that_fails_hangs_or_cannot_start_is_red_and_named_and_nothing_stays() {
    let lab = lab();
    let suite = |name: &str, more: &str, rest: &str| {
        format!("[[check]]\nname = '{name}'\ncontainer = {{ image = 'lab/web:1.0.0', {more} }}\n{rest}\n")
    };
    let file = [
        suite("fails", "run = ['bash', 'fails.sh']", ""),
        suite("is endless", "run = ['yes', 'and on and on']", "timeout = '8s'"),
        suite("does not start", "run = ['pytest', '-q']", ""),
        suite("ends badly", "run = ['sh', '-c', 'echo no such page >&2; exit 3']", ""),
        "[[check]]\nname = 'no image'\ncontainer = { image = 'lab/nowhere:1' }\n".to_owned(),
        "[[check]]\nname = 'endless inside'\nservice = 'app'\nexec = ['yes']\ntimeout = '3s'\n".to_owned(),
    ];
    let script = ". ./lib.sh\ncase_of one true\ncase_of 'two &lt;b&gt;' false\nreport\n";
    let finished = run(&lab, &Tests::with(&file.concat(), &[("fails.sh", script), ("lib.sh", LIB)]));
    finished.assert(1, "red");
    let results = finished.results();
    assert_eq!(results.rungs.of(Rung::Install).state, RungState::Pass);
    assert_eq!(results.rungs.of(Rung::Checks).state, RungState::Fail);
    let said = check_failures(results).join("\n");
    for sentence in [
        "“fails” does not hold: lab/web:1.0.0 1 of 2 tests fails: “two <b>”: it is not so",
        "“is endless” does not hold: lab/web:1.0.0 took too long",
        "“does not start” does not hold: lab/web:1.0.0 ends with 127",
        "“ends badly” does not hold: lab/web:1.0.0 ends with 3: “no such page”",
        "“no image” does not hold: its image lab/nowhere:1 cannot be had",
        "“endless inside” does not hold: `yes` in app took too long",
    ] {
        assert!(said.contains(sentence), "{sentence}\n\n{said}");
    }
    let endless = results.checks.iter().find(|check| check.name == "is endless").unwrap();
    assert!(endless.output.len() <= 64 << 10 && endless.output.contains("and on and on"), "{}", endless.output.len());
    assert!(finished.files["log.jsonl"].len() < 65 << 20, "the log is capped");
    lab.assert_untouched();
}
