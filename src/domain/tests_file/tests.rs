use secrecy::ExposeSecret as _;

use super::*;

const WHOLE: &str = r#"
host_power = "mounts docker.sock: it is a proxy"
settle = "150s"
weight = 3
not_applicable = { upgrade = "has no older version", backup = "keeps  no data" }

[env]
TITLE = "A test"
PORT = 8080
DEBUG = true

[secrets]
api_key = "made-up-value"

[[ready]]
http = { path = "/healthz" }

[[ready]]
http = { path = "/login?next=/", status = 401, subdomain = "admin", title = "Sign in", body_contains = "password" }
timeout = "5m"

[[seed]]
name = "a user"
service = "db"
exec = ["psql", "-c", "insert into users values ('ada')"]
verify = { exec = ["psql", "-tAc", "select name from users"], stdout_contains = "ada" }

[[seed]]
name = "a file"
service = "app"
cmd = "make_file  /data/x 1"
timeout = "5m"
verify = { cmd = ["find_file", "two words"], service = "files" }

[[seed]]
name = "a post"
service = "app"
cmd = ["post"]
verify.http = { path = "/post" }

[[check]]
name = "sign in"
timeout = "90s"
[check.http]
path = "/api/status"
status = 503
subdomain = "api"
title = "Sign in"
body_contains = "password"
headers = { Content-Type = "text/html", x-empty = "" }
json = { "/status/ok" = true, "/n" = 2, "/half" = 0.5, "/a~1b" = "x" }
assets = true

[[check]]
name = "database"
tcp = { service = "db", port = 5432 }

[[check]]
name = "queue"
service = "app"
cmd = "queue_is_empty"
stdout_contains = "0"

[[check]]
name = "browser suite"
container = { image = "registry.example.org/suite:3", run = ["pytest", "-q"] }

[[extra]]
name = "compress state"
service = "app"
exec = ["compress"]
"#;

#[test]
fn a_whole_file() {
    let file = TestsFile::read(WHOLE).unwrap();
    assert_eq!(file.host_power.as_deref(), Some("mounts docker.sock: it is a proxy"));
    assert_eq!(file.settle, Some(Duration::from_secs(150)));
    assert_eq!(
        (file.env["TITLE"].as_str(), file.env["PORT"].as_str(), file.env["DEBUG"].as_str()),
        ("A test", "8080", "true")
    );
    assert_eq!(file.secrets["api_key"].expose_secret(), "made-up-value");
    assert_eq!(
        (file.ready[0].path.as_str(), file.ready[0].status, file.ready[0].timeout.as_secs()),
        ("/healthz", 200, 120)
    );
    assert_eq!((file.ready[1].subdomain.as_deref(), file.ready[1].timeout.as_secs()), (Some("admin"), 300));
    assert_eq!(file.weight, Some(3));
    let reasons: Vec<_> = file.not_applicable.iter().map(|(rung, why)| (rung.name(), why.as_str())).collect();
    assert_eq!(reasons, [("upgrade", "has no older version"), ("backup", "keeps no data")]);
    assert!(!format!("{file:?}").contains("made-up"));
    assert!(TestsFile::read("").unwrap().ready.is_empty());
}

#[test]
fn seeds_and_checks_of_a_whole_file() {
    let file = TestsFile::read(WHOLE).unwrap();
    insta::assert_debug_snapshot!((file.seeds, file.checks, file.extras));
}

fn said(cases: &[&str]) -> String {
    let said = cases.iter().map(|text| {
        let error = TestsFile::read(text).expect_err(text);
        format!("{text:?}\n  {error}\n  {}", error.advice)
    });
    said.collect::<Vec<_>>().join("\n")
}

#[test]
fn what_is_wrong_is_said_with_line_and_advice() {
    let cases = [
        "redy = 1",
        "weight = 0",
        "\nweight = 101",
        "weight = '2'",
        "not_applicable = { lint = 'x' }",
        "[not_applicable]\nupgrade = 'new'\nbackup = ' \t '",
        "not_applicable = { backup = '\u{202e}' }",
        "not_applicable = 'backup'",
        "host_power = ''",
        "host_power = true",
        "settle = '3 minutes'",
        "settle = '2h'",
        "[env]\nDOMAIN = 'x'",
        "[env]\n'a b' = 'x'",
        "[env]\nA = ['x']",
        "[[ready]]\nhttp = { path = 'healthz' }",
        "[[ready]]\nhttp = { path = '//other.example/' }",
        "[[ready]]\nhttp = { path = '/', status = 503 }",
        "[[ready]]\nhttp = { path = '/', subdomain = 'a_b' }",
        "[[ready]]\ntcp = 5",
        "[[ready]]\nhttp = { path = '/', body = 'x' }",
        "a = ",
        "[env]\nA = '1'\nA = '2'",
    ];
    let long = format!("not_applicable = {{ checks = '{}' }}", "x".repeat(201));
    insta::assert_snapshot!(format!("{}\n{}", said(&cases), TestsFile::read(&long).unwrap_err()));
}

#[test]
fn what_is_wrong_with_seeds_is_said() {
    let seed = |rest: &str| format!("[[seed]]\nname = 'x'\nservice = 'db'\n{rest}");
    let cases = [
        "\n[[seed]]\nname = 'x'",
        "[seed]\nname = 'x'",
        &seed("exec = ['a']"),
        &seed("verify = { exec = ['a'] }"),
        &seed("exec = ['a']\ncmd = 'a'\nverify = { exec = ['a'] }"),
        &seed("exec = 'psql -c x'\nverify = { exec = ['a'] }"),
        &seed("exec = []\nverify = { exec = ['a'] }"),
        &seed("exec = ['', 'a']\nverify = { exec = ['a'] }"),
        &seed("exec = ['a', 1]\nverify = { exec = ['a'] }"),
        &seed("exec = ['a', \"\\u0000\"]\nverify = { exec = ['a'] }"),
        &seed("cmd = 5\nverify = { exec = ['a'] }"),
        &seed("cmd = ' '\nverify = { exec = ['a'] }"),
        &seed("cmd = './backup.sh now'\nverify = { exec = ['a'] }"),
        &seed("cmd = 'greet \"two words\"'\nverify = { exec = ['a'] }"),
        &seed("cmd = 'a'\ntimeout = '2h'\nverify = { exec = ['a'] }"),
        &seed("cmd = 'a'\n\n[seed.verify]\nstdout_contains = 'x'"),
        &seed("cmd = 'a'\nverify = { exec = ['a'], http = { path = '/' } }"),
        &seed("cmd = 'a'\nverify = { exec = ['a'], stdout_contains = '' }"),
        &seed("cmd = 'a'\nverify = { http = { path = '/' }, service = 'db' }"),
        &seed("cmd = 'a'\nverify = { tcp = { service = 'db', port = 1 } }"),
        &seed("cmd = 'a'\nverify = { cmd = 'a', service = 'a b' }"),
        &seed("cmd = 'a'\nverify = { cmd = 'a' }\n").repeat(2),
        "[[seed]]\nname = ''\nservice = 'db'\ncmd = 'a'\nverify = { cmd = 'a' }",
        "[[seed]]\nname = 'x'\nservice = '-db'\ncmd = 'a'\nverify = { cmd = 'a' }",
    ];
    insta::assert_snapshot!(said(&cases));
}

#[test]
fn what_is_wrong_with_checks_is_said() {
    let check = |rest: &str| format!("[[check]]\nname = 'x'\n{rest}");
    let page = |rest: &str| check(&format!("http = {{ path = '/', {rest} }}"));
    let cases = [
        "[[check]]\ntcp = { service = 'db', port = 5432 }",
        "[[extra]]\nname = 5\ntcp = { service = 'db', port = 5432 }",
        "[[check]]\nname = ' x'\ntcp = { service = 'db', port = 5432 }",
        &check(""),
        &check("container = { run = ['pytest'] }"),
        &check("container = { image = 'Suite 3' }"),
        &check("container = { image = 'suite:3', run = 'pytest -q' }"),
        &check("container = { image = 'suite:3', run = [] }"),
        &check("container = { image = 'suite:3', volumes = ['/:/host'] }"),
        &check("container = { image = 'suite:3' }\nservice = 'db'"),
        &check("exec = ['a']\n"),
        &check("exec = ['a']\nservice = 'db'\nhttp = { path = '/' }"),
        &check("exec = ['a']\nservice = 'db'\nstdout = 'x'"),
        &check("tcp = { service = 'db', port = 0 }"),
        &check("tcp = { service = 'db', port = 70000 }"),
        &check("tcp = { service = 'db' }"),
        &check("tcp = { service = 'db', port = 1 }\nstdout_contains = 'x'"),
        &check("http = { path = '/' }\nservice = 'app'"),
        &check("http = { path = 'https://elsewhere.example/' }"),
        &page("status = 100"),
        &page("status = 600"),
        &page("title = ''"),
        &page("subdomain = 'https://x'"),
        &page("headers = { 'a b' = 'x' }"),
        &page("headers = { a = ' x' }"),
        &page("headers = { a = 1 }"),
        &page("headers = { A = 'x', a = 'x' }"),
        &page("json = { status = 'ok' }"),
        &page("json = { '/~2' = 'ok' }"),
        &page("json = { '/a' = ['ok'] }"),
        &page("json = { '/a' = nan }"),
        &page("json = { '/a' = 2026-01-01 }"),
        &page("assets = 'yes'"),
        &page("redirect = true"),
        "[[check]]\nname = 'x'\nhttp = { path = '/' }\n[[extra]]\nname = 'x'\nhttp = { path = '/' }",
    ];
    insta::assert_snapshot!(said(&cases));
}

#[test]
fn s67_an_error_never_quotes_a_secret() {
    for text in [
        "[secrets]\nkey = 'tiny'",
        "[secrets]\nkey = 471199",
        "[secrets]\nkey = ['hunter2hunter2']",
        "[secrets]\nkey = { value = 'hunter2hunter2' }",
        "secrets = 'hunter2hunter2'",
        "secrets = ['hunter2hunter2']",
        "settle = 471199",
        "[secrets]\nkey = 'hunter2hunter2'\n[[seed]]\nname = 'x'",
        "[secrets]\nkey = 'hunter2hunter2'\n[[check]]\nname = 'x'\nservice = 'db'\ncmd = 'a \"b\"'",
        "[[check]]\nname = 'x'\nsecrets = 'hunter2hunter2'",
        "[[check]]\nname = 'x'\nservice = 'db'\nexec = { key = 'hunter2hunter2' }",
    ] {
        let error = TestsFile::read(text).unwrap_err();
        let said = format!("{error} {error:?}");
        assert!(!said.contains("hunter2") && !said.contains("471199") && !said.contains("tiny"), "{said}");
    }
}

#[test]
fn budgets() {
    let large = format!("host_power = \"{}\"", "x".repeat(LARGEST));
    assert!(TestsFile::read(&large).unwrap_err().what.contains("bytes"));
    let many = "[[ready]]\nhttp = { path = '/' }\n".repeat(33);
    assert!(TestsFile::read(&many).unwrap_err().what.contains("33"));
    let seeds: String = (0..65)
        .map(|n| format!("[[seed]]\nname = '{n}'\nservice = 'a'\ncmd = 'a'\nverify = {{ cmd = 'a' }}\n"))
        .collect();
    assert!(TestsFile::read(&seeds).unwrap_err().what.contains("65"));
    let checks = |kind: &str, names: std::ops::Range<u32>| -> String {
        names.map(|n| format!("[[{kind}]]\nname = '{n}'\nhttp = {{ path = '/' }}\n")).collect()
    };
    assert!(TestsFile::read(&format!("{}{}", checks("check", 0..100), checks("extra", 100..200))).is_ok());
    let many = format!("{}{}", checks("check", 0..100), checks("extra", 100..201));
    assert!(TestsFile::read(&many).unwrap_err().what.contains("201"));
    let page = |key: &str, front: &str, count: u32| {
        let entries: Vec<String> = (0..count).map(|n| format!("'{front}{n}' = 'x'")).collect();
        let text = format!("[[check]]\nname = 'x'\nhttp = {{ path = '/', {key} = {{ {} }} }}", entries.join(", "));
        TestsFile::read(&text).map(|_| ())
    };
    for (key, front) in [("headers", "h"), ("json", "/")] {
        assert!(page(key, front, 32).is_ok());
        assert!(page(key, front, 33).unwrap_err().what.contains("33"));
    }
    let words = |count: usize, longest: usize| {
        let words = vec![format!("'{}'", "x".repeat(longest)); count].join(", ");
        TestsFile::read(&format!("[[check]]\nname = 'x'\nservice = 'a'\nexec = [{words}]")).map(|_| ())
    };
    assert!(words(64, 1).is_ok() && words(1, 4096).is_ok());
    assert!(words(65, 1).unwrap_err().what.contains("65 words"));
    assert!(words(1, 4097).unwrap_err().what.contains("too long"));
    let deep = format!("a = {}{}", "[".repeat(20_000), "]".repeat(20_000));
    assert!(TestsFile::read(&deep).is_err());
}

proptest::proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "(?s).{0,120}|[a-z=\\[\\]\"'{}\n. 0-9]{0,120}") {
        let _ = TestsFile::read(&text);
    }

    /// Whatever stands where a value could, it is read, or refused with a line that is there.
    #[test]
    fn any_value_is_read_or_refused(
        key in "exec|cmd|http|tcp|container|service|stdout_contains|timeout|name|verify|headers|json",
        value in "'.{0,20}'|-?[0-9]{1,6}|true|\\[('a'(, '[a-z ]{0,8}')?)?\\]|\\{ (path|exec|service|port|json|'/a') = ('/'|1|\\['a'\\]) \\}",
        kind in "seed|check|extra",
    ) {
        for rest in ["", "service = 'db'\n", "service = 'db'\nexec = ['a']\nverify = { exec = ['a'] }\n"] {
            let text = format!("[[{kind}]]\nname = 'x'\n{rest}{key} = {value}\n");
            if let Err(error) = TestsFile::read(&text) {
                let there = error.line.is_some_and(|line| line <= text.lines().count());
                proptest::prop_assert!(there && !error.advice.is_empty(), "{text}\n{error:?}");
            }
        }
    }
}
