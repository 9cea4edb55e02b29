use std::fs;
use std::path::PathBuf;

use secrecy::ExposeSecret as _;

use super::*;
use crate::domain::target::Endpoint;

/// A public key made for this test.
const HOST_KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAdldZqXq3KJ1/BnE75B1QBpMsXnT1ugmYk5zMu7Q+Nu";

fn enough() -> Vec<(&'static str, String)> {
    let all = [
        ("FORGE_URL", "https://git.example.org/"),
        ("FORGE_ACCOUNT", "ci-bot"),
        ("FORGE_TOKEN", "0123456789"),
        ("ORGANISATION", "recipes"),
        ("TARGET_ADDRESS", "swarm.example.org"),
        ("TARGET_HOST_KEY", HOST_KEY),
        ("TARGET_DOMAIN", "ci.example.org"),
    ];
    all.into_iter().map(|(name, value)| (name, value.to_owned())).collect()
}

fn layers(pairs: &[(&str, String)]) -> Layers {
    Layers::default().with("a test", pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())))
}

fn read(more: &[(&str, &str)]) -> Result<Settings, InvalidSettings> {
    let mut pairs = enough();
    pairs.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
    Settings::read(&layers(&pairs), PathBuf::from("/state"))
}

fn problems(more: &[(&str, &str)]) -> Vec<String> {
    read(more).unwrap_err().0.iter().map(ToString::to_string).collect()
}

#[test]
fn seven_settings_are_enough() {
    let settings = read(&[]).unwrap();
    assert_eq!(settings.forge.url, "https://git.example.org");
    assert_eq!(settings.forge.token.expose_secret(), "0123456789");
    assert_eq!(settings.watch.poll.as_secs(), 15);
    assert!(settings.watch.enrolled.holds("anything"));
    assert_eq!((settings.runs.limit_seconds, settings.runs.silence_seconds), (3600, 300));
    assert_eq!(settings.runs.sweep_days.map(std::num::NonZero::get), Some(7));
    assert_eq!(settings.recycle.policy, RecyclePolicy::Never);
    assert_eq!(settings.pages.access, Access::Public);
    assert_eq!(settings.pages.operators, "Owners");
    assert_eq!(settings.pages.public_url(settings.pages.listen), "http://127.0.0.1:8080");
    assert_eq!(settings.state, PathBuf::from("/state"));
    let [target] = settings.targets.as_slice() else { panic!("one target") };
    let Endpoint::Ssh { address, user, key_path, .. } = &target.endpoint else { panic!("over SSH") };
    assert_eq!((address.as_str(), user.as_str()), ("swarm.example.org:22", "ccci"));
    assert_eq!(*key_path, settings.own_key());
    assert!(settings.uses_own_key);
    assert_eq!(target.env["LETS_ENCRYPT_ENV"], "");
}

#[test]
fn everything_that_is_missing_is_told_at_once() {
    let InvalidSettings(problems) = Settings::read(&Layers::default(), PathBuf::from("/state")).unwrap_err();
    let keys: Vec<&str> = problems.iter().map(|problem| problem.key.as_str()).collect();
    let target = ["TARGET_ADDRESS", "TARGET_HOST_KEY", "TARGET_DOMAIN"];
    assert_eq!(keys, [["FORGE_URL", "FORGE_ACCOUNT", "FORGE_TOKEN", "ORGANISATION"].as_slice(), &target].concat());
    insta::assert_snapshot!(InvalidSettings(problems));
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let wrong = [
        ("POLL_SECONDS", "0"),
        ("FORGE_CA_FILE", "/nonexistent/ca.pem"),
        ("RECIPES", "traefik, a/b"),
        ("WEBHOOK_AUTOREGISTER", "1"),
        ("TARGET_HOST_KEY", "ssh-ed25519 AAAA"),
        ("RECYCLE_POLICY", "always"),
        ("RUN_LIMIT_MINUTES", "soon"),
        ("LISTEN", "8080"),
        ("PAGES", "login"),
        ("LOG_FORMAT", "xml"),
    ];
    insta::assert_snapshot!(read(&wrong).unwrap_err());
}

#[test]
fn a_secret_comes_from_its_file_and_is_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    fs::write(&file, "\n  s3cr3t-of-the-forge\n").unwrap();
    let path = file.display().to_string();
    let mut pairs: Vec<_> = enough().into_iter().filter(|(name, _)| *name != "FORGE_TOKEN").collect();
    pairs.push(("FORGE_TOKEN_FILE", path.clone()));
    pairs.push(("WEBHOOK_SECRET", "old\nnew\n".to_owned()));
    let layers = layers(&pairs);
    let settings = Settings::read(&layers, PathBuf::from("/state")).unwrap();
    assert_eq!(settings.forge.token.expose_secret(), "s3cr3t-of-the-forge");
    assert_eq!(settings.hooks.secrets.len(), 2);
    let shown = effective(&layers);
    let token = shown.iter().find(|it| it.key.name == "FORGE_TOKEN").unwrap();
    assert_eq!(token.value, "set, 19 characters");
    assert!(token.from.starts_with(&path), "{}", token.from);
    assert!(!format!("{shown:?} {settings:?}").contains("s3cr3t"));
}

#[test]
fn what_does_not_go_together_is_told() {
    let both = problems(&[("FORGE_TOKEN_FILE", "/x")]);
    assert!(both[0].starts_with("FORGE_TOKEN_FILE is set, and so is FORGE_TOKEN"), "{both:?}");
    let both = problems(&[("TARGETS", "a")]);
    assert!(both[0].starts_with("TARGETS is set, and so is TARGET_ADDRESS"), "{both:?}");
    let half = problems(&[("OAUTH_CLIENT_ID", "x"), ("PUBLIC_URL", "https://ci.example.org")]);
    assert!(half[0].starts_with("OAUTH_CLIENT_SECRET is not set"), "{half:?}");
    let wrong = problems(&[("RECYCLE_URL", "token-abc")]);
    assert!(!wrong[0].contains("abc"), "{wrong:?}");
}

#[test]
fn several_targets_come_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let section = |name: &str, role: &str| {
        format!(
            "[{name}]\naddress = \"{name}.example.org\"\nuser = \"ccci\"\nkey_path = \"/k\"\nhost_key = \"{HOST_KEY}\"\ndomain = \"ci.example.org\"\nrole = \"{role}\"\n"
        )
    };
    let file = folder.path().join("targets.toml");
    fs::write(&file, format!("{}{}{}", section("a", "gate"), section("b", "gate"), section("c", "dev"))).unwrap();
    let with = |names: &str| {
        let mut pairs: Vec<_> = enough().into_iter().filter(|(name, _)| *name != "TARGET_ADDRESS").collect();
        pairs.extend([("TARGETS", names.to_owned()), ("TARGETS_FILE", file.display().to_string())]);
        Settings::read(&layers(&pairs), PathBuf::from("/state"))
    };
    let settings = with("a, b").unwrap();
    let names: Vec<&str> = settings.targets.iter().map(|target| target.name.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
    assert!(!settings.uses_own_key);
    let wrong = with("a, c, d").unwrap_err().to_string();
    assert!(wrong.contains("names c, which is a `dev` target") && wrong.contains("no target `d`"), "{wrong}");
    assert!(with("a a").unwrap_err().to_string().contains("twice"));
}

#[test]
fn defaults_that_are_values_are_right() {
    // Each of these is read from the table of keys; one that could not be parsed would make the whole unreadable.
    let settings = read(&[]).unwrap();
    assert_eq!((settings.log.level, settings.log.format), (tracing::Level::INFO, LogFormat::Text));
    assert_eq!(settings.runs.keep.map(std::num::NonZero::get), Some(500));
}
