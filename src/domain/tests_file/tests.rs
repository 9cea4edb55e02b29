use secrecy::ExposeSecret as _;

use super::*;

const WHOLE: &str = r#"
host_power = "mounts docker.sock: it is a proxy"
settle = "150s"

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
    assert!(!format!("{file:?}").contains("made-up"));
    assert!(TestsFile::read("").unwrap().ready.is_empty());
}

#[test]
fn what_is_wrong_is_said_with_line_and_advice() {
    let cases = [
        "redy = 1",
        "\n[[seed]]\nname = 'x'",
        "weight = 2",
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
    let said = cases.map(|text| {
        let error = TestsFile::read(text).unwrap_err();
        format!("{text:?}\n  {error}\n  {}", error.advice)
    });
    insta::assert_snapshot!(said.join("\n"));
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
    let deep = format!("a = {}{}", "[".repeat(20_000), "]".repeat(20_000));
    assert!(TestsFile::read(&deep).is_err());
}

proptest::proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "(?s).{0,120}|[a-z=\\[\\]\"'{}\n. 0-9]{0,120}") {
        let _ = TestsFile::read(&text);
    }
}
