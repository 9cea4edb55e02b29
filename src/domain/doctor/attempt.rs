//! What a target's SSH server must refuse to the gate's key.

use super::{Check, Matter};
use crate::domain::setup::SSHD_FILE;

/// Something that is tried because it must be refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is told by its own sentence")]
pub enum Attempt {
    Shell,
    Command,
    FileTransfer,
    RemotePort,
    RemoteSocket,
    OtherPort,
    OtherHost,
    OtherSocket,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tried {
    /// The server refused; in its words.
    Refused(String),
    /// It was let through; what was seen.
    Allowed(String),
    /// It could not be tried.
    Unclear(String),
}

impl Attempt {
    /// All of them, in the order in which they are tried.
    pub const ALL: [Self; 8] = [
        Self::Shell,
        Self::Command,
        Self::FileTransfer,
        Self::RemotePort,
        Self::RemoteSocket,
        Self::OtherPort,
        Self::OtherHost,
        Self::OtherSocket,
    ];

    /// The matter that it shows.
    #[must_use]
    pub const fn matter(self) -> Matter {
        match self {
            Self::Shell => Matter::Shell,
            Self::Command => Matter::Command,
            Self::FileTransfer => Matter::FileTransfer,
            Self::RemotePort => Matter::RemotePort,
            Self::RemoteSocket => Matter::RemoteSocket,
            Self::OtherPort => Matter::OtherPort,
            Self::OtherHost => Matter::OtherHost,
            Self::OtherSocket => Matter::OtherSocket,
        }
    }

    /// What it is, in a few words.
    #[must_use]
    pub const fn what(self) -> &'static str {
        match self {
            Self::Shell => "a shell",
            Self::Command => "a command",
            Self::FileTransfer => "file transfer (sftp)",
            Self::RemotePort => "a port opened on the target (-R)",
            Self::RemoteSocket => "a socket opened on the target (-R)",
            Self::OtherPort => "another port of the target, 127.0.0.1:22",
            Self::OtherHost => "another host, 192.0.2.1:443",
            Self::OtherSocket => "another socket, /run/docker.sock",
        }
    }

    /// The lines of sshd's configuration that refuse it; the options of the key do the same.
    #[must_use]
    pub const fn lines(self) -> &'static str {
        match self {
            Self::Shell | Self::Command | Self::FileTransfer => "`MaxSessions 0` and `ForceCommand /bin/false`",
            Self::RemotePort => "`AllowTcpForwarding local` and `PermitListen none`",
            Self::RemoteSocket => {
                "`AllowStreamLocalForwarding local`, `AllowTcpForwarding local` and `PermitListen none`"
            }
            Self::OtherPort | Self::OtherHost | Self::OtherSocket => {
                "`PermitOpen 127.0.0.1:443 [/var/run/docker.sock]:*`"
            }
        }
    }

    /// The line of the list.
    #[must_use]
    pub fn check(self, tried: &Tried) -> Check {
        let (matter, what) = (self.matter(), self.what());
        match tried {
            Tried::Refused(how) => Check::good(matter, format!("{what} is refused: {how}")),
            Tried::Allowed(seen) => Check::bad(
                matter,
                format!("{what} is not refused: {seen}"),
                format!("put {} into {SSHD_FILE}: cc-ci target setup --apply HOST", self.lines()),
            ),
            Tried::Unclear(why) => Check::bad(
                matter,
                format!("{what} could not be tried: {why}"),
                "cc-ci doctor once more; it must be shown to be refused",
            ),
        }
    }
}
