//! Tries with the gate's key what a target's SSH server must refuse. Each attempt is harmless where it is let through: what was opened is
//! closed at once, nothing is written, and no other host is really there to answer.

use std::time::Duration;

use russh::ChannelMsg;
use russh::client::{self, Handle};
use russh::{Channel, ChannelOpenFailure};

use super::{Link, Pinned, SessionError, spoken};
use crate::domain::doctor::{Attempt, Tried};
use crate::domain::target::Target;

/// A server that refuses does so at once.
const PATIENCE: Duration = Duration::from_secs(5);
/// No machine has this address: it is kept for documentation.
const NOBODY: &str = "192.0.2.1";
/// The engine's socket by another path: it is there, the user may open it, and only `PermitOpen` refuses it.
const OTHER_SOCKET: &str = "/run/docker.sock";
/// A program that runs says this; a shell that only echoes does not.
const SAY: &str = "echo cc-ci-$((6*7))";
const SAID: &[u8] = b"cc-ci-42";
/// The first packet of the file transfer's protocol, and the kind of its answer.
const SFTP_INIT: [u8; 9] = [0, 0, 0, 5, 1, 0, 0, 0, 3];
const SFTP_VERSION: u8 = 2;
/// So much is read of what a session says.
const LARGEST_ANSWER: usize = 1 << 16;

/// Tries everything that must be refused, over a connection of its own. `random` names a socket that is not there yet.
///
/// # Errors
/// When the target cannot be reached at all.
pub async fn try_what_must_be_refused(target: &Target, random: u64) -> Result<Vec<(Attempt, Tried)>, SessionError> {
    let link = Link::new(target)?;
    let mut tried = Vec::new();
    for attempt in Attempt::ALL {
        // One that a refusal ended is opened anew.
        let handle = link.connected().await?;
        let limit = tokio::time::timeout(PATIENCE, make(attempt, &handle, random));
        tried.push((attempt, limit.await.unwrap_or_else(|_| silent(attempt))));
    }
    Ok(tried)
}

async fn make(attempt: Attempt, handle: &Handle<Pinned>, random: u64) -> Tried {
    match attempt {
        Attempt::Shell | Attempt::Command | Attempt::FileTransfer => session(attempt, handle).await,
        Attempt::RemotePort => {
            let asked = handle.tcpip_forward("127.0.0.1", 0).await;
            if let Ok(port) = asked {
                let _closed = handle.cancel_tcpip_forward("127.0.0.1", port).await;
            }
            remote(asked.map(|port| format!("127.0.0.1:{port} was opened there")))
        }
        Attempt::RemoteSocket => {
            let path = format!("/tmp/cc-ci-doctor-{random:016x}.sock");
            let asked = handle.streamlocal_forward(path.clone()).await;
            if asked.is_ok() {
                let _closed = handle.cancel_streamlocal_forward(path.clone()).await;
            }
            remote(asked.map(|()| format!("{path} was opened there; it may have to be removed")))
        }
        Attempt::OtherPort => tcp(handle.channel_open_direct_tcpip("127.0.0.1", 22, "127.0.0.1", 0).await).await,
        Attempt::OtherHost => tcp(handle.channel_open_direct_tcpip(NOBODY, 443, "127.0.0.1", 0).await).await,
        Attempt::OtherSocket => match handle.channel_open_direct_streamlocal(OTHER_SOCKET).await {
            Ok(channel) => {
                let _closed = channel.close().await;
                Tried::Allowed("a connection was made".to_owned())
            }
            Err(russh::Error::ChannelOpenFailure(why)) => Tried::Refused(spoken(why)),
            Err(error) => Tried::Unclear(error.to_string()),
        },
    }
}

/// What no answer means: a server that refuses to connect says so at once, so one that is silent is connecting.
fn silent(attempt: Attempt) -> Tried {
    let seconds = PATIENCE.as_secs();
    match attempt {
        Attempt::OtherPort | Attempt::OtherHost => {
            Tried::Allowed(format!("the server was still connecting after {seconds} s"))
        }
        Attempt::Shell
        | Attempt::Command
        | Attempt::FileTransfer
        | Attempt::RemotePort
        | Attempt::RemoteSocket
        | Attempt::OtherSocket => Tried::Unclear(format!("no answer within {seconds} s")),
    }
}

fn remote(asked: Result<String, russh::Error>) -> Tried {
    match asked {
        Ok(seen) => Tried::Allowed(seen),
        Err(russh::Error::RequestDenied) => Tried::Refused("request denied".to_owned()),
        Err(error) => Tried::Unclear(error.to_string()),
    }
}

/// sshd says *administratively prohibited* where it refuses; *connect failed* means that it tried.
async fn tcp(opened: Result<Channel<client::Msg>, russh::Error>) -> Tried {
    match opened {
        Ok(channel) => {
            let _closed = channel.close().await;
            Tried::Allowed("a connection was made".to_owned())
        }
        Err(russh::Error::ChannelOpenFailure(ChannelOpenFailure::AdministrativelyProhibited)) => {
            Tried::Refused(spoken(ChannelOpenFailure::AdministrativelyProhibited))
        }
        Err(russh::Error::ChannelOpenFailure(why)) => {
            Tried::Allowed(format!("the server tried it, and nobody answered: {}", spoken(why)))
        }
        Err(error) => Tried::Unclear(error.to_string()),
    }
}

async fn session(attempt: Attempt, handle: &Handle<Pinned>) -> Tried {
    let mut channel = match handle.channel_open_session().await {
        Ok(channel) => channel,
        Err(russh::Error::ChannelOpenFailure(why)) => {
            return Tried::Refused(format!("no session is opened: {}", spoken(why)));
        }
        Err(error) => return Tried::Unclear(error.to_string()),
    };
    let asked = async {
        match attempt {
            Attempt::FileTransfer => {
                channel.request_subsystem(false, "sftp").await?;
                channel.data(&SFTP_INIT[..]).await?;
            }
            Attempt::Command => channel.exec(false, SAY).await?,
            Attempt::Shell
            | Attempt::RemotePort
            | Attempt::RemoteSocket
            | Attempt::OtherPort
            | Attempt::OtherHost
            | Attempt::OtherSocket => {
                channel.request_shell(false).await?;
                channel.data(format!("{SAY}\nexit\n").as_bytes()).await?;
            }
        }
        channel.eof().await
    };
    // A session that ends while it is asked has not done what was asked; what it said shows below.
    let _asked: Result<(), russh::Error> = asked.await;
    let mut heard = Vec::new();
    while let Some(message) = channel.wait().await {
        if let ChannelMsg::Data { data } = message
            && heard.len() < LARGEST_ANSWER
        {
            heard.extend_from_slice(&data);
        }
    }
    let works = if attempt == Attempt::FileTransfer {
        heard.get(4) == Some(&SFTP_VERSION)
    } else {
        heard.windows(SAID.len()).any(|window| window == SAID)
    };
    if works {
        Tried::Allowed("it ran".to_owned())
    } else {
        Tried::Refused("a session is opened, but nothing runs in it".to_owned())
    }
}
