//! `cc-ci target setup`.

use std::fs;
use std::io::Write as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use clap::Args;

use crate::adapters::{operator_ssh, own_key};
use crate::cli::{Exit, Places};
use crate::config;
use crate::domain::ids::{DomainName, InvalidName, TargetName};
use crate::domain::setup::{
    Ed25519, HOST_KEY, HostUser, Mode, Pinned, Reached, SshHost, Wishes, cloud_init, script, section,
};

#[derive(Debug, Args)]
#[command(
    after_help = "Without --check, --apply or --cloud-init the script is printed: read it, and run it on the host as root."
)]
pub(in crate::cli) struct SetupArguments {
    /// Do what is missing on this host, as root, with your own ssh
    #[arg(long, value_name = "[USER@]HOST[:PORT]", value_parser = SshHost::parse)]
    apply: Option<SshHost>,
    /// Say what is missing on this host; change nothing
    #[arg(long, value_name = "[USER@]HOST[:PORT]", value_parser = SshHost::parse, conflicts_with = "apply")]
    check: Option<SshHost>,
    /// With --apply: the same as --check
    #[arg(long, requires = "apply")]
    dry_run: bool,
    /// Print user data for a new machine, in cloud-init's format
    #[arg(long, conflicts_with_all = ["apply", "check"])]
    cloud_init: bool,
    /// An option for ssh, e.g. --ssh-option=-i --ssh-option=key; as often as needed
    #[arg(long, value_name = "OPTION", allow_hyphen_values = true)]
    ssh_option: Vec<String>,
    /// You log in as a user who may become root by sudo without a password
    #[arg(long)]
    sudo: bool,
    /// The gate's public key: the line itself, or a file [default: the gate's own, made in the state folder where there is none]
    #[arg(long, value_name = "KEY|FILE")]
    key: Option<String>,
    /// The gate's user on the host
    #[arg(long, value_name = "NAME", default_value = "ccci", value_parser = HostUser::parse)]
    user: HostUser,
    /// The swarm's own address; loopback closes its ports to others, and is right for one node
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    advertise: IpAddr,
    /// What the target is to be called
    #[arg(long, value_name = "NAME", default_value = "target", value_parser = TargetName::parse)]
    name: TargetName,
    /// Apps get names below it; the proxy has a certificate for them
    #[arg(long, value_name = "DOMAIN", value_parser = DomainName::parse)]
    domain: Option<DomainName>,
    /// Where the gate reaches the host's SSH server, if it is not what you give to ssh
    #[arg(long, value_name = "HOST:PORT")]
    address: Option<String>,
    #[command(flatten)]
    places: Places,
}

/// The gate's key: the public half, and where the private one is, if that is known here.
struct GateKey {
    public: Ed25519,
    private: Option<PathBuf>,
}

pub(super) async fn setup(arguments: SetupArguments) -> anyhow::Result<Exit> {
    let key = gate_key(arguments.key.as_deref(), &arguments.places.state())?;
    let wishes = Wishes { user: arguments.user.clone(), key: key.public.clone(), advertise: arguments.advertise };
    let (host, mode) = match (&arguments.apply, &arguments.check) {
        (Some(host), _) if arguments.dry_run => (host, Mode::Check),
        (Some(host), _) => (host, Mode::Apply),
        (None, Some(host)) => (host, Mode::Check),
        (None, None) => {
            let text = if arguments.cloud_init { cloud_init(&wishes) } else { script(&wishes) };
            write!(std::io::stdout().lock(), "{text}")?;
            return Ok(Exit::Fine);
        }
    };
    on_host(&arguments, &wishes, &key, host, mode).await
}

/// What was done is told as it is done, on standard error; the section is data.
#[expect(clippy::print_stderr, reason = "progress, for the person at the terminal")]
async fn on_host(
    arguments: &SetupArguments,
    wishes: &Wishes,
    key: &GateKey,
    host: &SshHost,
    mode: Mode,
) -> anyhow::Result<Exit> {
    let mut words = vec!["sh", "-s", "--", mode.word()];
    if arguments.sudo {
        words.splice(0..0, ["sudo", "-n"]);
    }
    let mut host_key = None;
    let code = operator_ssh::run(host, &arguments.ssh_option, &words, &script(wishes), |line| {
        match line.strip_prefix(HOST_KEY) {
            Some(key) => host_key = Some(key.to_owned()),
            None => eprintln!("{line}"),
        }
    })
    .await?;
    match (code, mode) {
        (0, _) => {}
        (_, Mode::Check) => {
            eprintln!("hint: `cc-ci target setup --apply HOST` does what is missing");
            return Ok(Exit::Red);
        }
        (_, Mode::Apply) => {
            eprintln!("hint: put right what failed and run this again; what is done stays done");
            return Ok(Exit::Red);
        }
    }
    let told = host_key.ok_or_else(|| anyhow!("the host did not tell its host key"))?;
    let host_key = Pinned {
        key: Ed25519::parse(&told)
            .context("the host has no ed25519 host key\nhint: run `ssh-keygen -A` there, and restart sshd")?,
        how: "read on the host itself, over your own ssh connection; it is as sure as that is".to_owned(),
    };
    let address = arguments.address.clone().unwrap_or_else(|| host.address());
    let reached = Reached {
        name: &arguments.name,
        address: &address,
        user: &arguments.user,
        key_path: key.private.as_deref(),
        host_key: &host_key,
        domain: arguments.domain.as_ref(),
    };
    let file = arguments.places.targets();
    eprintln!("\nFor {}:\n", file.display());
    write!(std::io::stdout().lock(), "{}", section(&reached))?;
    eprintln!("\nnext: a proxy with a certificate on 443, then `cc-ci doctor --target {}`", arguments.name);
    Ok(Exit::Fine)
}

fn gate_key(given: Option<&str>, state: &Path) -> anyhow::Result<GateKey> {
    let Some(given) = given else {
        let path = config::own_key(state);
        let public = own_key::ensure(&path, rand::random())?;
        return Ok(GateKey { public: Ed25519::parse(&public)?, private: Some(path) });
    };
    if given.starts_with("ssh-") {
        return Ok(GateKey { public: Ed25519::parse(given)?, private: None });
    }
    let path = Path::new(given);
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {given}"))?;
    if text.contains("PRIVATE KEY") {
        bail!("{given} is the private key; only the public one goes to the host\nhint: --key {given}.pub");
    }
    let public = Ed25519::parse(&text).map_err(|error: InvalidName| anyhow!("{given}: {error}"))?;
    let private = path.with_extension("");
    Ok(GateKey { public, private: (path.extension().is_some() && private.exists()).then_some(private) })
}
