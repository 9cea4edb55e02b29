//! The session against an SSH server in this process: what works, and that each refusal names the setting to change.

#[path = "../fakes/engine.rs"]
mod engine;
mod fitness;
mod setup;
mod target;

use std::path::Path;
use std::time::Duration;

use cc_ci::adapters::session::{Session, SessionError, try_what_must_be_refused};
use cc_ci::domain::doctor::{Attempt, Tried};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use target::{Allows, FakeTarget};

/// Sends a line to the far end, which echoes it, and reads it back.
async fn echo(socket: &Path, line: &str) -> std::io::Result<String> {
    let mut stream = UnixStream::connect(socket).await?;
    stream.write_all(line.as_bytes()).await?;
    stream.shutdown().await?;
    let mut back = String::new();
    stream.read_to_string(&mut back).await?;
    Ok(back)
}

#[tokio::test]
async fn both_sockets_lead_to_their_far_ends() {
    let fake = FakeTarget::start(Allows::all()).await;
    let session = Session::open(&fake.target()).await.unwrap();
    assert_eq!(echo(session.docker_socket(), "ping").await.unwrap(), "/var/run/docker.sock: ping");
    assert_eq!(echo(session.web_socket().unwrap(), "get").await.unwrap(), "127.0.0.1:443: get");
}

#[tokio::test]
async fn many_connections_share_one_session() {
    let fake = FakeTarget::start(Allows::all()).await;
    let session = Session::open(&fake.target()).await.unwrap();
    let socket = session.docker_socket().to_owned();
    let asked = (0..64).map(|n| {
        let socket = socket.clone();
        tokio::spawn(async move { (n, echo(&socket, &n.to_string()).await.unwrap()) })
    });
    for answer in asked.collect::<Vec<_>>() {
        let (n, text) = answer.await.unwrap();
        assert_eq!(text, format!("/var/run/docker.sock: {n}"));
    }
    assert_eq!(fake.sessions(), 1);
}

#[tokio::test]
async fn a_lost_session_is_opened_anew_at_the_next_need() {
    let fake = FakeTarget::start(Allows::all()).await;
    let session = Session::open(&fake.target()).await.unwrap();
    echo(session.docker_socket(), "before").await.unwrap();
    fake.cut();
    // The cut may be noticed by the first connection after it; the one after that is on a new session.
    let answered = tokio::time::timeout(Duration::from_secs(20), async {
        loop {
            match echo(session.docker_socket(), "after").await {
                Ok(text) if text.ends_with("after") => return text,
                Ok(_) | Err(_) => tokio::task::yield_now().await,
            }
        }
    });
    assert_eq!(answered.await.unwrap(), "/var/run/docker.sock: after");
    assert_eq!(fake.sessions(), 2);
}

#[tokio::test]
async fn the_sockets_are_for_their_owner_alone_and_go_with_the_session() {
    use std::os::unix::fs::PermissionsExt as _;
    let fake = FakeTarget::start(Allows::all()).await;
    let session = Session::open(&fake.target()).await.unwrap();
    let socket = session.docker_socket().to_owned();
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&socket), mode(socket.parent().unwrap())), (0o600, 0o700));
    drop(session);
    assert!(!socket.exists());
}

#[tokio::test]
async fn s66_another_machine_than_the_pinned_one_is_refused() {
    let fake = FakeTarget::start(Allows::all()).await;
    let mut target = fake.target();
    fake.pin_another_key(&mut target);
    let error = Session::open(&target).await.unwrap_err();
    assert!(matches!(&error, SessionError::WrongHostKey { shown, .. } if *shown == fake.host_key()), "{error}");
    assert!(error.to_string().contains("`host_key`"), "{error}");
}

#[tokio::test]
async fn s66_a_refused_key_names_authorized_keys() {
    let fake = FakeTarget::start(Allows { key: false, ..Allows::all() }).await;
    let error = Session::open(&fake.target()).await.unwrap_err();
    assert!(
        matches!(&error, SessionError::Refused { user, public } if user == "ccci" && public.starts_with("ssh-ed25519 ")),
        "{error}"
    );
    assert!(error.to_string().contains("authorized_keys"), "{error}");
}

#[tokio::test]
async fn s66_a_forbidden_socket_names_the_sshd_settings() {
    let fake = FakeTarget::start(Allows { engine: false, ..Allows::all() }).await;
    let error = Session::open(&fake.target()).await.unwrap_err();
    assert!(matches!(error, SessionError::NoEngineForward { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("AllowStreamLocalForwarding") && text.contains("PermitOpen"), "{text}");
}

#[tokio::test]
async fn a_forbidden_port_is_told_when_it_is_needed() {
    let fake = FakeTarget::start(Allows { web: false, ..Allows::all() }).await;
    let session = Session::open(&fake.target()).await.unwrap();
    assert_eq!(echo(session.web_socket().unwrap(), "get").await.unwrap_or_default(), "");
    assert!(matches!(session.last_error().await, Some(SessionError::NoWebForward { .. })));
}

#[tokio::test]
async fn nobody_at_the_address_is_told_with_the_address() {
    let fake = FakeTarget::start(Allows::all()).await;
    let mut target = fake.target();
    fake.move_to_a_closed_port(&mut target).await;
    let error = Session::open(&target).await.unwrap_err();
    assert!(
        matches!(&error, SessionError::Unreachable { address, .. } if address.starts_with("127.0.0.1:")),
        "{error}"
    );
}

#[tokio::test]
async fn s60_what_a_server_refuses_and_what_it_lets_through_is_told() {
    let fake = FakeTarget::start(Allows::all()).await;
    let tried = try_what_must_be_refused(&fake.target(), 7).await.unwrap();
    assert_eq!(tried.len(), Attempt::ALL.len());
    for (attempt, came) in tried {
        assert!(matches!(came, Tried::Refused(_)), "{}: {came:?}", attempt.what());
    }
    let careless = FakeTarget::start(Allows { anything: true, ..Allows::all() }).await;
    for (attempt, came) in try_what_must_be_refused(&careless.target(), 7).await.unwrap() {
        assert!(matches!(came, Tried::Allowed(_)), "{}: {came:?}", attempt.what());
    }
}
