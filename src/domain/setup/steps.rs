//! The steps, in their order.

use super::{ENGINE_SOCKET, Ed25519, HostUser, PROXY_NETWORK, WEB, Wishes};
use crate::domain::engine_version::EngineVersion;

/// One step of setting up a test host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its name, a word.
    pub name: &'static str,
    /// What is so when it is done.
    pub what: String,
    /// Why it is needed.
    pub why: &'static str,
    /// A shell variable that both use: name and text.
    pub text: Option<(&'static str, String)>,
    /// Shell: succeeds when it is done already; changes nothing.
    pub done: String,
    /// Shell: does it. `fail TEXT` ends it, `note TEXT` tells something beside.
    pub act: String,
}

/// Where sshd finds what it may do for the gate's user.
pub const SSHD_FILE: &str = "/etc/ssh/sshd_config.d/cc-ci.conf";

/// What sshd may do for the gate's user, as keyword and value: two channels, no session of any kind. `PermitOpen` covers paths of
/// sockets too, although its manual does not say so.
pub const SSHD: [(&str, &str); 13] = [
    ("AuthenticationMethods", "publickey"),
    ("AllowTcpForwarding", "local"),
    ("PermitOpen", "127.0.0.1:443 [/var/run/docker.sock]:*"),
    ("AllowStreamLocalForwarding", "local"),
    ("PermitListen", "none"),
    ("GatewayPorts", "no"),
    ("AllowAgentForwarding", "no"),
    ("X11Forwarding", "no"),
    ("PermitTunnel", "no"),
    ("PermitTTY", "no"),
    ("PermitUserRC", "no"),
    ("MaxSessions", "0"),
    ("ForceCommand", "/bin/false"),
];

/// The lines of [`SSHD_FILE`].
#[must_use]
pub fn sshd_file(user: &HostUser) -> String {
    let lines: String = SSHD.iter().map(|(keyword, value)| format!("    {keyword} {value}\n")).collect();
    format!("# Made by `cc-ci target setup`: what the gate may do here, and nothing else.\nMatch User {user}\n{lines}")
}

/// The line of the gate's key in `authorized_keys`.
#[must_use]
pub fn authorized_keys_line(key: &Ed25519) -> String {
    let options = format!(
        "restrict,port-forwarding,permitopen=\"{WEB}\",permitopen=\"[{ENGINE_SOCKET}]:*\",command=\"/bin/false\""
    );
    format!("{options} {key} cc-ci")
}

/// All steps, in their order.
#[must_use]
pub fn steps(wishes: &Wishes) -> Vec<Step> {
    let user = &wishes.user;
    vec![engine(), account(user), group(user), key(user, &wishes.key), sshd(user), swarm(wishes), network()]
}

fn engine() -> Step {
    let oldest = EngineVersion::OLDEST;
    Step {
        name: "engine",
        what: format!("a Docker engine runs, version {oldest} or newer"),
        why: "everything under test runs in it",
        text: None,
        done: format!(
            "version=$(docker version --format '{{{{.Server.Version}}}}' 2>/dev/null) && [ -n \"$version\" ] &&\n  \
             [ \"$(printf '%s\\n%s\\n' {oldest} \"$version\" | sort -V | head -n 1)\" = {oldest} ]"
        ),
        act: format!(
            "if ! command -v dockerd >/dev/null; then\n  \
               command -v apt-get >/dev/null ||\n    \
                 fail 'no apt-get here: install a Docker engine, see https://docs.docker.com/engine/install/'\n  \
               export DEBIAN_FRONTEND=noninteractive\n  \
               apt-get update && apt-get install --yes docker.io || fail 'docker.io could not be installed'\n  \
               command -v docker >/dev/null || apt-get install --yes docker-cli || fail 'docker-cli could not be installed'\n\
             fi\n\
             docker version >/dev/null 2>&1 || {{\n  \
               has_systemd || fail 'the engine does not run, and there is no systemd to start it: start dockerd'\n  \
               systemctl enable --now docker || fail 'the engine does not start: journalctl -u docker'\n\
             }}\n\
             done_engine || fail \"the engine is older than {oldest}: see https://docs.docker.com/engine/install/\""
        ),
    }
}

fn account(user: &HostUser) -> Step {
    Step {
        name: "user",
        what: format!("the user {user} is there, without password and shell"),
        why: "the gate comes as this user, who can do nothing but forward",
        text: None,
        done: format!("id -u {user} >/dev/null 2>&1"),
        // A locked password would lock the account where sshd does without PAM; `*` is one that nothing matches.
        act: format!(
            "useradd --create-home --shell \"$(command -v nologin || echo /usr/sbin/nologin)\" --password '*' {user} ||\n  \
             fail 'useradd refused'"
        ),
    }
}

fn group(user: &HostUser) -> Step {
    Step {
        name: "group",
        what: format!("{user} is in the group docker"),
        why: "the engine's socket belongs to that group; it is root on this host, which is why the host must be disposable",
        text: None,
        done: format!("id -nG {user} 2>/dev/null | tr ' ' '\\n' | grep -qx docker"),
        act: format!("usermod --append --groups docker {user} || fail 'usermod refused'"),
    }
}

fn key(user: &HostUser, key: &Ed25519) -> Step {
    let (line, data) = (authorized_keys_line(key), key.data());
    Step {
        name: "key",
        what: format!("the gate's key is in ~{user}/.ssh/authorized_keys, with its options"),
        why: "the options limit this key even where sshd's configuration is lost",
        text: None,
        done: format!("[ \"$(grep -F '{data}' \"$(home {user})/.ssh/authorized_keys\" 2>/dev/null)\" = '{line}' ]"),
        act: format!(
            "folder=$(home {user})/.ssh\n\
             install -d -m 700 -o {user} -g \"$(id -gn {user})\" \"$folder\" || fail \"cannot make $folder\"\n\
             # The same key with other options would win, or open more: it goes. Other keys stay.\n\
             {{ grep -vF '{data}' \"$folder/authorized_keys\" 2>/dev/null; printf '%s\\n' '{line}'; }} >\"$folder/new\" &&\n  \
             chmod 600 \"$folder/new\" && chown {user}: \"$folder/new\" && mv \"$folder/new\" \"$folder/authorized_keys\" ||\n  \
             fail \"cannot write $folder/authorized_keys\""
        ),
    }
}

fn sshd(user: &HostUser) -> Step {
    let effective: Vec<String> = SSHD
        .iter()
        .map(|(keyword, value)| format!("  printf '%s\\n' \"$now\" | grep -qxF '{} {value}'", keyword.to_lowercase()))
        .collect();
    Step {
        name: "sshd",
        what: format!("{SSHD_FILE} limits {user} to the engine's socket and port 443"),
        why: "no shell, no command, no file transfer, no other port or socket: the server itself refuses",
        text: Some(("sshd_lines", sshd_file(user).trim_end().to_owned())),
        done: format!(
            "printf '%s\\n' \"$sshd_lines\" | cmp -s - {SSHD_FILE} && now=$(\"$sshd\" -T -C user={user},host=localhost,addr=127.0.0.1) &&\n{}",
            effective.join(" &&\n")
        ),
        act: format!(
            "grep -Eiq '^[[:space:]]*Include[[:space:]]+\"?/etc/ssh/sshd_config\\.d/\\*\\.conf' /etc/ssh/sshd_config ||\n  \
               fail 'put the line `Include /etc/ssh/sshd_config.d/*.conf` at the top of /etc/ssh/sshd_config'\n\
             kept=$(mktemp) && {{ cat {SSHD_FILE} >\"$kept\" 2>/dev/null || rm -f \"$kept\"; }}\n\
             mkdir -p /etc/ssh/sshd_config.d && printf '%s\\n' \"$sshd_lines\" >{SSHD_FILE} && chmod 644 {SSHD_FILE} || fail 'cannot write {SSHD_FILE}'\n\
             if ! \"$sshd\" -t; then\n  \
               if [ -e \"$kept\" ]; then cat \"$kept\" >{SSHD_FILE}; else rm -f {SSHD_FILE}; fi\n  \
               fail 'sshd refuses the lines; they are taken back'\n\
             fi\n\
             rm -f \"$kept\"\n\
             reload_sshd\n\
             \"$sshd\" -T -C user={user},host=localhost,addr=127.0.0.1 | grep -Eq '^(allow|deny)(users|groups) ' &&\n  \
               note 'AllowUsers, AllowGroups or the like is set here: it must let {user} in'\n\
             done_sshd || fail \"another file sets something else for {user}: $sshd -T -C user={user}\""
        ),
    }
}

fn swarm(wishes: &Wishes) -> Step {
    let address = wishes.advertise;
    // Port 2377 stays closed to others where nobody else can be a node.
    let listen = if address.is_loopback() { format!(" --listen-addr {address}") } else { String::new() };
    Step {
        name: "swarm",
        what: "the engine is a manager of a swarm".to_owned(),
        why: "recipes are stacks of a swarm",
        text: None,
        done: "[ \"$(docker info --format '{{.Swarm.ControlAvailable}}' 2>/dev/null)\" = true ]".to_owned(),
        act: format!(
            "[ \"$(docker info --format '{{{{.Swarm.LocalNodeState}}}}')\" = inactive ] ||\n  \
             fail 'the engine is in a swarm, but no manager of it: docker node promote, or docker swarm leave'\n\
             docker swarm init --advertise-addr {address}{listen} || fail 'docker swarm init refused'"
        ),
    }
}

fn network() -> Step {
    let found = format!("$(docker network inspect {PROXY_NETWORK} --format '{{{{.Driver}}}}' 2>/dev/null)");
    Step {
        name: "network",
        what: format!("the overlay network {PROXY_NETWORK} is there"),
        why: "the proxy reaches the apps by it",
        text: None,
        done: format!("[ \"{found}\" = overlay ]"),
        act: format!(
            "[ -z \"{found}\" ] || fail 'there is a network {PROXY_NETWORK} of another driver: remove it'\n\
             docker network create --driver overlay --attachable {PROXY_NETWORK} || fail 'docker network create refused'"
        ),
    }
}
