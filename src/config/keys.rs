//! Every setting of the service, in one place: its name, what it is for, its default, and whether it is a secret.
//! `cc-ci check-config --keys` prints this; docs/configuration.md is made from it, and `.env.sample` is held against it.

use std::fmt::Write as _;

/// A setting. Its name is that of an environment variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// The variable.
    pub name: &'static str,
    /// Whether its value is kept out of everything that is printed.
    pub kind: Kind,
    /// What holds when it is not set; empty: nothing.
    pub default: &'static str,
    /// What it is for, in a sentence.
    pub what: &'static str,
}

/// How a setting is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// As it is.
    Plain,
    /// As it is, or in the file that `NAME_FILE` names; never printed.
    Secret,
}

impl Key {
    /// The variable that names a file with the value; secrets have one.
    #[must_use]
    pub fn file_name(&self) -> Option<String> {
        match self.kind {
            Kind::Secret => Some(format!("{}_FILE", self.name)),
            Kind::Plain => None,
        }
    }
}

/// Declares the keys, and the list of them all.
macro_rules! keys {
    ($($name:ident $kind:ident $default:literal $what:literal)*) => {
        $(
            #[doc = $what]
            pub const $name: Key =
                Key { name: stringify!($name), kind: Kind::$kind, default: $default, what: $what };
        )*
        /// All of them, in the order in which they are told.
        pub const KEYS: &[Key] = &[$($name),*];
    };
}

keys! {
    FORGE_URL Plain "" "The forge, Gitea or Forgejo, e.g. `https://git.example.org`"
    FORGE_CA_FILE Plain "" "A PEM file with the authority of the forge's certificate, if it is not a public one; no other is accepted then"
    FORGE_ACCOUNT Plain "" "The gate's account there; it must be in the organisation to see who else is"
    FORGE_TOKEN Secret "" "That account's token, with the scopes `write:issue`, `read:repository`, `read:organization`, and `write:repository` for commit statuses"
    ORGANISATION Plain "" "The organisation whose recipes are watched"
    RECIPES Plain "" "Only these recipes, by repository name; `*` stands for any characters: `traefik, matrix-*`. All, if it is not set"
    TESTS_REPOSITORY Plain "" "The repository with `recipes.toml`, which then says what is watched, and with tests files, `tests/RECIPE/cc-ci.toml`; `owner/name`"
    POLL_SECONDS Plain "15" "Seconds between two polls of the forge, 1 to 3600"

    WEBHOOK_SECRET Secret "" "What the forge's webhooks are signed with; several, one per line, are all valid, so that it can be changed"
    WEBHOOK_AUTOREGISTER Plain "0" "`1`: set up the webhook of each watched repository; the account must be its administrator"
    WEBHOOK_URL Plain "PUBLIC_URL/hooks/forge" "Where the forge sends its webhooks"

    TARGET_ADDRESS Plain "" "The test Swarm: `host` or `host:port` of its SSH server"
    TARGET_NAME Plain "target" "What it is called in comments and reports"
    TARGET_USER Plain "ccci" "The login name there"
    TARGET_HOST_KEY Plain "" "The SSH server's public key, pinned: `ssh-ed25519 AAAA…`"
    TARGET_DOMAIN Plain "" "Apps under test get names below this domain"
    TARGET_KEY_FILE Plain "STATE/ssh/id_ed25519" "The private key for it, ed25519 in OpenSSH format. Without one the gate makes its own, and prints the public half"
    TARGET_CA_FILE Plain "" "A PEM file with the authority of its proxy's certificate, if it is not a public one"
    TARGETS Plain "" "Instead of `TARGET_…`, several test Swarms: sections of the targets file, separated by commas"
    TARGETS_FILE Plain "STATE/targets.toml" "The file that describes them"
    MUST_NOT_REACH Plain "" "What nothing on a target may reach, `host:port` separated by commas: the gate, its networks. `cc-ci doctor` tries from a container there"
    RECYCLE_POLICY Plain "never" "When a target is brought back to its snapshot: `never`, `when_dirty` (after a run that could not be proved clean), `always` (after every run)"
    RECYCLE_URL Secret "" "Asked with POST to bring a target back; `{target}` in it stands for its name. A secret, since it may hold a token"

    RUNNER_IMAGE Plain "" "The runner image, pulled by the target by this name. Without one the gate sends its own file system there, once per version"
    RUN_LIMIT_MINUTES Plain "60" "A run may take so many minutes, 1 to 1440"
    TARGET_SILENCE_SECONDS Plain "300" "A target that gives no answer for so many seconds is unreachable: the run is not judged, and tried once more"
    SWEEP_DAYS Plain "7" "In so many days each recipe is tested once at its default branch; `0`: never"

    LISTEN Plain "127.0.0.1:8080" "Where pages are served, `address:port`"
    PUBLIC_URL Plain "http://LISTEN" "Where people reach the pages, for links in comments"
    PAGES Plain "public" "Who may read the pages: `public`, or `login`: members of the organisation"
    OAUTH_CLIENT_ID Plain "" "The gate as an OAuth2 application of the forge, with the redirect address `PUBLIC_URL/login/callback`; without one nobody can log in"
    OAUTH_CLIENT_SECRET Secret "" "The secret of that application"
    OPERATORS Plain "Owners" "The team of the organisation whose members may do more than cancel and retry runs"

    STATE Plain "$XDG_STATE_HOME/cc-ci, else ~/.local/state/cc-ci" "The state folder: database, logs, results, keys"
    KEEP_RUNS Plain "500" "The newest so many runs keep their log and report; `0`: all do"
    LOG Plain "info" "What is logged: `error`, `warn`, `info`, `debug`, `trace`"
    LOG_FORMAT Plain "text" "`text`, or `json`: one object per line"
}

/// The setting of that name; `NAME_FILE` is the setting `NAME` where that is a secret.
#[must_use]
pub fn key(name: &str) -> Option<Key> {
    KEYS.iter().copied().find(|key| key.name == name || key.file_name().is_some_and(|file| file == name))
}

/// All settings as a table in Markdown.
#[must_use]
pub fn table() -> String {
    let mut table = String::from("| key | default | what it is |\n|---|---|---|\n");
    for key in KEYS {
        let (name, default) = (key.name, key.default);
        let names = key.file_name().map_or_else(|| format!("`{name}`"), |file| format!("`{name}`, `{file}`"));
        let default = if default.is_empty() { String::new() } else { format!("`{default}`") };
        let secret = match key.kind {
            Kind::Secret => "*Secret.* ",
            Kind::Plain => "",
        };
        // Writing to a String cannot fail.
        let _written = writeln!(table, "| {names} | {default} | {secret}{} |", key.what);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_with_their_files() {
        assert_eq!(key("FORGE_TOKEN_FILE"), Some(FORGE_TOKEN));
        assert_eq!(key("FORGE_CA_FILE"), Some(FORGE_CA_FILE));
        assert_eq!(key("FORGE_URL_FILE"), None);
    }

    #[test]
    fn no_name_is_there_twice_and_every_sentence_is_one() {
        for (at, key) in KEYS.iter().enumerate() {
            assert!(KEYS[at + 1..].iter().all(|other| other.name != key.name), "{}", key.name);
            assert!(!key.what.ends_with('.') && !key.what.contains('|') && !key.what.contains('\n'), "{}", key.name);
        }
    }
}
