//! The forge client against a forge on the wire: over HTTP, with everything that can go wrong in between. Named after the
//! scenarios they show.

#![expect(clippy::unwrap_used, reason = "a recording or a fake that is not there fails its test")]

#[path = "../fakes/forge/mod.rs"]
#[expect(dead_code, reason = "what only the stories of the service need")]
mod fake;

mod faults;
mod hooks;
mod reading;
mod recorded;
mod rights;
mod webhooks;

use std::time::Duration;

use cc_ci::adapters::forge::{Forge, ForgeConfig, Login, Outcome, Pace, PullNumber, Reason, RepoName};
use fake::{FakeForge, Member, Right};
use secrecy::SecretString;

/// The bot's smallest token.
const SMALLEST: [&str; 3] = ["read:organization", "write:issue", "read:repository"];

const SHA: &str = "c943659535bdf869e245e923a9136887fbcac6ee";
const OTHER_SHA: &str = "4bc22ec3492217ae56955b24a9e746ffec76db08";

fn login(text: &str) -> Login {
    Login::parse(text).unwrap()
}

fn repo(text: &str) -> RepoName {
    RepoName::parse(text).unwrap()
}

fn number(number: i64) -> PullNumber {
    PullNumber::new(number).unwrap()
}

/// Why the forge said no.
fn reason<T: std::fmt::Debug>(outcome: Outcome<T>) -> Reason {
    let Outcome::Refused(refusal) = outcome else { panic!("{outcome:?}") };
    refusal.reason
}

/// A configuration that loses no time.
fn config(url: &str, token: &str) -> ForgeConfig {
    ForgeConfig {
        url: url.to_owned(),
        token: SecretString::from(token),
        bot_login: Some(login("bot")),
        ca_path: None,
        pace: Pace {
            attempts: 3,
            first_delay: Duration::from_millis(1),
            longest_delay: Duration::from_millis(20),
            timeout: Duration::from_secs(20),
        },
    }
}

/// A client of the fake.
fn client(fake: &FakeForge, token: &str) -> Forge {
    Forge::new(config(&fake.url(), token)).unwrap()
}

/// An organisation `recipes` with a maintainer, a repository `recipes/notes` and a pull request of theirs; a client with
/// the bot's smallest token.
async fn seeded() -> (FakeForge, Forge) {
    let fake = FakeForge::start().await;
    let token = fake.act(|world| {
        world.member("recipes", "admin", Member { right: Right::Admin, public: false });
        world.member("recipes", "maintainer", Member { right: Right::Write, public: false });
        world.repo("recipes/notes");
        world.pull("recipes/notes", "maintainer", SHA, "recipes/notes");
        world.token("bot", &SMALLEST)
    });
    let forge = client(&fake, &token);
    (fake, forge)
}
