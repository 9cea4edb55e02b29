//! One SSH session per target, shown to the rest of the program as two local unix sockets: `docker.sock` leads to the
//! target's engine (direct-streamlocal), `web.sock` to its 127.0.0.1:443 (direct-tcpip).
//!
//! The session is opened lazily and anew when it was lost; each connection to a socket is one channel. A request that was
//! half sent is never repeated here: the caller knows whether it may be.

mod attempts;

pub use attempts::try_what_must_be_refused;

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use russh::client::{self, AuthResult, Handle};
use russh::keys::{self, PrivateKey, PrivateKeyWithHashAlg, PublicKey};
use russh::{Channel, ChannelOpenFailure};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::domain::target::{Endpoint, Target};

/// The engine's socket on the target. `PermitOpen` compares it as text: exactly this spelling.
const ENGINE_SOCKET: &str = "/var/run/docker.sock";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

/// Why a target cannot be used; each names the setting to change.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SessionError {
    /// Nobody answers.
    #[error(
        "cannot reach {address}: {why}\nhint: check `address` in targets.toml, and that the SSH server runs and its port is open"
    )]
    Unreachable {
        /// `host:port`.
        address: String,
        /// What the connection said.
        why: String,
    },
    /// It is not the machine that was pinned.
    #[error(
        "the host key of {address} is not the pinned one: it shows `{shown}`\nhint: if the target was really made anew, put that key into `host_key` in targets.toml; if not, somebody is in between"
    )]
    WrongHostKey {
        /// `host:port`.
        address: String,
        /// The key that the server showed.
        shown: String,
    },
    /// The key or user is not accepted.
    #[error(
        "the target refuses user `{user}` with this key: `{public}`\nhint: put that public key into ~{user}/.ssh/authorized_keys on the target, with the options of docs/targets.md"
    )]
    Refused {
        /// The login name.
        user: String,
        /// The public half of the key that was offered.
        public: String,
    },
    /// The SSH server forbids the engine's socket.
    #[error(
        "the SSH server does not forward {ENGINE_SOCKET}: {why}\nhint: sshd needs `AllowStreamLocalForwarding local`, `PermitOpen 127.0.0.1:443 [{ENGINE_SOCKET}]:*` and the same `permitopen` in authorized_keys, and the user must be in the group docker"
    )]
    NoEngineForward {
        /// What the server said.
        why: String,
    },
    /// The SSH server forbids port 443, or nothing listens there.
    #[error(
        "the SSH server does not forward 127.0.0.1:443: {why}\nhint: is the proxy deployed on the target? sshd needs `AllowTcpForwarding local` and `PermitOpen 127.0.0.1:443`"
    )]
    NoWebForward {
        /// What the server said.
        why: String,
    },
    /// The configured key or host key cannot be used.
    #[error("{what} cannot be used: {why}\nhint: `{key}` in targets.toml must be {needed}")]
    BadKey {
        /// Which file or value.
        what: String,
        /// Why not.
        why: String,
        /// The setting.
        key: &'static str,
        /// What it must be.
        needed: &'static str,
    },
    /// Something on this machine.
    #[error("cannot open the local sockets: {0}")]
    Local(String),
}

/// An open way to a target. Dropping it closes the session and removes the sockets.
pub struct Session {
    docker: PathBuf,
    web: Option<PathBuf>,
    link: Option<Arc<Link>>,
    cancel: CancellationToken,
    tasks: TaskTracker,
    _folder: Option<tempfile::TempDir>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("docker", &self.docker).field("web", &self.web).finish_non_exhaustive()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.cancel.cancel();
        self.tasks.close();
    }
}

impl Session {
    /// Opens the way and proves that it leads to the engine.
    ///
    /// # Errors
    /// [`SessionError`], naming the setting to change.
    pub async fn open(target: &Target) -> Result<Self, SessionError> {
        match &target.endpoint {
            Endpoint::Unix(path) => Ok(Self::local(path.clone())),
            Endpoint::Ssh { .. } => Self::over_ssh(target).await,
        }
    }

    fn local(docker: PathBuf) -> Self {
        Self {
            docker,
            web: None,
            link: None,
            cancel: CancellationToken::new(),
            tasks: TaskTracker::new(),
            _folder: None,
        }
    }

    async fn over_ssh(target: &Target) -> Result<Self, SessionError> {
        let link = Arc::new(Link::new(target)?);
        link.prove().await?;
        let folder = private_folder().map_err(local)?;
        let (cancel, tasks) = (CancellationToken::new(), TaskTracker::new());
        let (docker, web) = (folder.path().join("docker.sock"), folder.path().join("web.sock"));
        for (path, far_end) in [(&docker, FarEnd::Engine), (&web, FarEnd::Web)] {
            let listener = listen(path).map_err(local)?;
            tasks.spawn(forward(listener, Arc::clone(&link), far_end, cancel.clone(), tasks.clone()));
        }
        Ok(Self { docker, web: Some(web), link: Some(link), cancel, tasks, _folder: Some(folder) })
    }

    /// The local socket that leads to the engine.
    #[must_use]
    pub fn docker_socket(&self) -> &Path {
        &self.docker
    }

    /// The local socket that leads to the proxy's 443; `None`: it is on this machine, at 127.0.0.1:443.
    #[must_use]
    pub fn web_socket(&self) -> Option<&Path> {
        self.web.as_deref()
    }

    /// Why the last channel could not be opened, if it could not: a connection to a socket that closes at once says
    /// nothing itself.
    pub async fn last_error(&self) -> Option<SessionError> {
        match &self.link {
            Some(link) => link.last_error.lock().await.clone(),
            None => None,
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape of map_err")]
fn local(error: io::Error) -> SessionError {
    SessionError::Local(error.to_string())
}

fn private_folder() -> io::Result<tempfile::TempDir> {
    tempfile::Builder::new().prefix("cc-ci-").permissions(std::fs::Permissions::from_mode(0o700)).tempdir()
}

fn listen(path: &Path) -> io::Result<UnixListener> {
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Where a local socket leads.
#[derive(Debug, Clone, Copy)]
enum FarEnd {
    Engine,
    Web,
}

async fn forward(
    listener: UnixListener,
    link: Arc<Link>,
    far_end: FarEnd,
    cancel: CancellationToken,
    tasks: TaskTracker,
) {
    loop {
        let accepted = tokio::select! {
            () = cancel.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((near, _)) => {
                let (link, cancel) = (Arc::clone(&link), cancel.clone());
                tasks.spawn(async move {
                    tokio::select! {
                        () = cancel.cancelled() => {}
                        () = join(near, &link, far_end) => {}
                    }
                });
            }
            Err(error) => tracing::warn!(%error, "cannot accept a connection to a target's socket"),
        }
    }
}

async fn join(mut near: UnixStream, link: &Link, far_end: FarEnd) {
    let channel = match link.open(far_end).await {
        Ok(channel) => channel,
        Err(error) => {
            tracing::debug!(%error, ?far_end, "no channel to the target");
            *link.last_error.lock().await = Some(error);
            return;
        }
    };
    // An error here is the end of one connection; whoever uses it sees it end.
    let _ended = tokio::io::copy_bidirectional(&mut near, &mut channel.into_stream()).await;
}

/// The one SSH connection, opened when it is needed.
struct Link {
    address: String,
    user: String,
    key: Arc<PrivateKey>,
    pinned: PublicKey,
    handle: Mutex<Option<Arc<Handle<Pinned>>>>,
    last_error: Mutex<Option<SessionError>>,
}

impl Link {
    fn new(target: &Target) -> Result<Self, SessionError> {
        let Endpoint::Ssh { address, user, key_path, host_key } = &target.endpoint else {
            return Err(SessionError::Local("this target is not reached over SSH".to_owned()));
        };
        let key = keys::load_secret_key(key_path, None).map_err(|error| SessionError::BadKey {
            what: format!("the key {}", key_path.display()),
            why: error.to_string(),
            key: "key_path",
            needed: "an unencrypted ed25519 private key in OpenSSH format",
        })?;
        let pinned = PublicKey::from_openssh(host_key).map_err(|error| SessionError::BadKey {
            what: "the pinned host key".to_owned(),
            why: error.to_string(),
            key: "host_key",
            needed: "the server's public key as in /etc/ssh/ssh_host_ed25519_key.pub",
        })?;
        Ok(Self {
            address: address.clone(),
            user: user.clone(),
            key: Arc::new(key),
            pinned,
            handle: Mutex::new(None),
            last_error: Mutex::new(None),
        })
    }

    /// Opens one channel to the engine, so that a wrong setting shows now and by name.
    async fn prove(&self) -> Result<(), SessionError> {
        let channel = self.open(FarEnd::Engine).await?;
        // The channel has served its purpose; a failed close is a closed channel.
        let _closed = channel.close().await;
        Ok(())
    }

    async fn open(&self, far_end: FarEnd) -> Result<Channel<client::Msg>, SessionError> {
        let handle = self.connected().await?;
        let opened = match far_end {
            FarEnd::Engine => handle.channel_open_direct_streamlocal(ENGINE_SOCKET).await,
            FarEnd::Web => handle.channel_open_direct_tcpip("127.0.0.1", 443, "127.0.0.1", 0).await,
        };
        opened.map_err(|error| {
            let russh::Error::ChannelOpenFailure(why) = error else {
                return SessionError::Unreachable { address: self.address.clone(), why: error.to_string() };
            };
            match far_end {
                FarEnd::Engine => SessionError::NoEngineForward { why: spoken(why) },
                FarEnd::Web => SessionError::NoWebForward { why: spoken(why) },
            }
        })
    }

    async fn connected(&self) -> Result<Arc<Handle<Pinned>>, SessionError> {
        let mut slot = self.handle.lock().await;
        if let Some(handle) = slot.as_ref().filter(|handle| !handle.is_closed()) {
            return Ok(Arc::clone(handle));
        }
        let connecting = tokio::time::timeout(CONNECT_TIMEOUT, self.connect());
        let handle = connecting.await.unwrap_or_else(|_| {
            let why = format!("no answer within {} s", CONNECT_TIMEOUT.as_secs());
            Err(SessionError::Unreachable { address: self.address.clone(), why })
        })?;
        let handle = Arc::new(handle);
        *slot = Some(Arc::clone(&handle));
        Ok(handle)
    }

    async fn connect(&self) -> Result<Handle<Pinned>, SessionError> {
        let config = client::Config {
            keepalive_interval: Some(Duration::from_secs(15)),
            keepalive_max: 3,
            nodelay: true,
            ..client::Config::default()
        };
        let shown = Arc::new(std::sync::Mutex::new(None));
        let pinned = Pinned { expected: self.pinned.clone(), shown: Arc::clone(&shown) };
        let mut handle = client::connect(Arc::new(config), self.address.as_str(), pinned).await.map_err(|error| {
            let shown = shown.lock().ok().and_then(|mut shown| shown.take());
            match shown {
                Some(shown) => SessionError::WrongHostKey { address: self.address.clone(), shown },
                None => SessionError::Unreachable { address: self.address.clone(), why: error.to_string() },
            }
        })?;
        let key = PrivateKeyWithHashAlg::new(Arc::clone(&self.key), None);
        match handle.authenticate_publickey(self.user.clone(), key).await {
            Ok(AuthResult::Success) => Ok(handle),
            Ok(AuthResult::Failure { .. }) => Err(SessionError::Refused {
                user: self.user.clone(),
                public: self.key.public_key().to_openssh().unwrap_or_default(),
            }),
            Err(error) => Err(SessionError::Unreachable { address: self.address.clone(), why: error.to_string() }),
        }
    }
}

fn spoken(why: ChannelOpenFailure) -> String {
    match why {
        ChannelOpenFailure::AdministrativelyProhibited => "administratively prohibited".to_owned(),
        ChannelOpenFailure::ConnectFailed => "connect failed".to_owned(),
        ChannelOpenFailure::UnknownChannelType => "unknown channel type".to_owned(),
        ChannelOpenFailure::ResourceShortage => "resource shortage".to_owned(),
        ChannelOpenFailure::Other { reason, .. } => reason.chars().take(200).collect(),
    }
}

/// Accepts exactly the pinned host key.
struct Pinned {
    expected: PublicKey,
    shown: Arc<std::sync::Mutex<Option<String>>>,
}

impl client::Handler for Pinned {
    type Error = russh::Error;

    async fn check_server_key(&mut self, key: &keys::PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        let keys::PublicKeyOrCertificate::PublicKey { key, .. } = key else { return Ok(false) };
        if key.key_data() == self.expected.key_data() {
            return Ok(true);
        }
        if let Ok(mut shown) = self.shown.lock() {
            *shown = Some(key.to_openssh().unwrap_or_default());
        }
        Ok(false)
    }
}
