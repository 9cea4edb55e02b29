//! A target that is nothing but an SSH server in this process. Each far end echoes what it gets, with its own name before it.

#![expect(clippy::unwrap_used, reason = "a fake that cannot start fails its test")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cc_ci::domain::ids::{DomainName, TargetName};
use cc_ci::domain::target::{Endpoint, Role, Target};
use russh::keys::ssh_key::LineEnding;
use russh::keys::{Algorithm, PrivateKey};
use russh::server::{self, Auth, ChannelOpenHandle, Msg};
use russh::{Channel, ChannelId, ChannelOpenFailure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// What the server lets its client do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Allows {
    pub(crate) key: bool,
    pub(crate) engine: bool,
    pub(crate) web: bool,
    /// Everything that a target must refuse.
    pub(crate) anything: bool,
}

impl Allows {
    pub(crate) const fn all() -> Self {
        Self { key: true, engine: true, web: true, anything: false }
    }
}

pub(crate) struct FakeTarget {
    address: String,
    host_key: PrivateKey,
    folder: tempfile::TempDir,
    sessions: Arc<AtomicUsize>,
    cut: Arc<std::sync::Mutex<CancellationToken>>,
}

fn new_key() -> PrivateKey {
    PrivateKey::random(&mut russh::keys::key::safe_rng(), Algorithm::Ed25519).unwrap()
}

impl FakeTarget {
    pub(crate) async fn start(allows: Allows) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host_key = new_key();
        let folder = tempfile::tempdir().unwrap();
        new_key().write_openssh_file(folder.path().join("id"), LineEnding::LF).unwrap();
        let fake = Self {
            address: listener.local_addr().unwrap().to_string(),
            host_key: host_key.clone(),
            folder,
            sessions: Arc::default(),
            cut: Arc::default(),
        };
        let config = Arc::new(server::Config {
            keys: vec![host_key],
            auth_rejection_time: std::time::Duration::from_millis(1),
            ..Default::default()
        });
        let (sessions, cut) = (Arc::clone(&fake.sessions), Arc::clone(&fake.cut));
        tokio::spawn(async move {
            while let Ok((mut network, _)) = listener.accept().await {
                let handler = Server { allows, sessions: Arc::clone(&sessions) };
                let (near, mut far) = tokio::io::duplex(1 << 16);
                tokio::spawn(server::run_stream(Arc::clone(&config), near, handler));
                let token = cut.lock().unwrap().clone();
                // The network in between, which can be cut.
                tokio::spawn(async move {
                    tokio::select! {
                        () = token.cancelled() => {}
                        _ = tokio::io::copy_bidirectional(&mut network, &mut far) => {}
                    }
                });
            }
        });
        fake
    }

    pub(crate) fn target(&self) -> Target {
        Target {
            name: TargetName::parse("fake").unwrap(),
            endpoint: Endpoint::Ssh {
                address: self.address.clone(),
                user: "ccci".to_owned(),
                key_path: self.folder.path().join("id"),
                host_key: self.host_key(),
            },
            domain: DomainName::parse("ci.test").unwrap(),
            ca_path: None,
            role: Role::Gate,
            capacity: std::num::NonZeroU32::MIN,
            env: std::collections::BTreeMap::default(),
        }
    }

    pub(crate) fn host_key(&self) -> String {
        self.host_key.public_key().to_openssh().unwrap()
    }

    pub(crate) fn pin_another_key(&self, target: &mut Target) {
        let Endpoint::Ssh { host_key, .. } = &mut target.endpoint else { unreachable!() };
        *host_key = new_key().public_key().to_openssh().unwrap();
    }

    pub(crate) async fn move_to_a_closed_port(&self, target: &mut Target) {
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let Endpoint::Ssh { address, .. } = &mut target.endpoint else { unreachable!() };
        *address = free.to_string();
    }

    /// How many sessions have authenticated.
    pub(crate) fn sessions(&self) -> usize {
        self.sessions.load(Ordering::SeqCst)
    }

    /// Ends every session that is open now.
    pub(crate) fn cut(&self) {
        std::mem::take(&mut *self.cut.lock().unwrap()).cancel();
    }
}

struct Server {
    allows: Allows,
    sessions: Arc<AtomicUsize>,
}

impl Server {
    async fn open(allowed: bool, channel: Channel<Msg>, reply: ChannelOpenHandle, name: String) {
        if !allowed {
            reply.reject(ChannelOpenFailure::AdministrativelyProhibited).await;
            return;
        }
        reply.accept().await;
        tokio::spawn(async move {
            let mut stream = channel.into_stream();
            let mut text = Vec::new();
            stream.read_to_end(&mut text).await.unwrap();
            stream.write_all(format!("{name}: {}", String::from_utf8_lossy(&text)).as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
        });
    }
}

impl server::Handler for Server {
    type Error = russh::Error;

    async fn auth_publickey(&mut self, _user: &str, _key: server::VerifiedPublicKey<'_>) -> Result<Auth, Self::Error> {
        if !self.allows.key {
            return Ok(Auth::reject());
        }
        self.sessions.fetch_add(1, Ordering::SeqCst);
        Ok(Auth::Accept)
    }

    async fn channel_open_direct_streamlocal(
        &mut self,
        channel: Channel<Msg>,
        path: &str,
        reply: ChannelOpenHandle,
        _session: &mut server::Session,
    ) -> Result<(), Self::Error> {
        let allowed = self.allows.anything || self.allows.engine && path == "/var/run/docker.sock";
        Self::open(allowed, channel, reply, path.to_owned()).await;
        Ok(())
    }

    async fn channel_open_direct_tcpip(
        &mut self,
        channel: Channel<Msg>,
        host: &str,
        port: u32,
        _originator: &str,
        _originator_port: u32,
        reply: ChannelOpenHandle,
        _session: &mut server::Session,
    ) -> Result<(), Self::Error> {
        let allowed = self.allows.anything || self.allows.web && (host, port) == ("127.0.0.1", 443);
        Self::open(allowed, channel, reply, format!("{host}:{port}")).await;
        Ok(())
    }

    async fn channel_open_session(
        &mut self,
        _channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut server::Session,
    ) -> Result<(), Self::Error> {
        if self.allows.anything {
            reply.accept().await;
        } else {
            reply.reject(ChannelOpenFailure::ResourceShortage).await;
        }
        Ok(())
    }

    async fn data(
        &mut self,
        channel: ChannelId,
        data: &[u8],
        session: &mut server::Session,
    ) -> Result<(), Self::Error> {
        if !self.allows.anything {
            return Ok(());
        }
        // A shell says what it was told to say; the file transfer's server names its version.
        let answer: &[u8] = if data.starts_with(b"echo") { b"cc-ci-42\n" } else { &[0, 0, 0, 5, 2, 0, 0, 0, 3] };
        session.data(channel, answer.to_vec())?;
        session.close(channel)
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        command: &[u8],
        session: &mut server::Session,
    ) -> Result<(), Self::Error> {
        self.data(channel, command, session).await
    }

    async fn tcpip_forward(
        &mut self,
        _address: &str,
        port: &mut u32,
        _session: &mut server::Session,
    ) -> Result<bool, Self::Error> {
        *port = 1;
        Ok(self.allows.anything)
    }

    async fn streamlocal_forward(&mut self, _path: &str, _session: &mut server::Session) -> Result<bool, Self::Error> {
        Ok(self.allows.anything)
    }
}
