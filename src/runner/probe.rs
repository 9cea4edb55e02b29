//! `cc-ci runner probe`: says what it sees of the machine it runs on, and ends.

use std::time::Duration;

use anyhow::Context as _;
use futures_util::future::join_all;
use nix::sys::statvfs::statvfs;
use tokio::net::TcpStream;

use super::say;
use crate::domain::probed::Probed;

/// Who does not answer within this time is not reached.
const PATIENCE: Duration = Duration::from_secs(3);

/// Prints one line of JSON: the disk below this file system, and which of the addresses take a connection.
///
/// # Errors
/// When the file system does not tell its size.
pub async fn probe(addresses: &[String]) -> anyhow::Result<()> {
    let disk = statvfs("/").context("cannot look at the file system")?;
    let size = disk.fragment_size();
    let tried = addresses.iter().map(async |address| reaches(address).await.then(|| address.clone()));
    let probed = Probed {
        disk_free: disk.blocks_available().saturating_mul(size),
        disk_total: disk.blocks().saturating_mul(size),
        reached: join_all(tried).await.into_iter().flatten().collect(),
    };
    say(&serde_json::to_string(&probed)?);
    Ok(())
}

async fn reaches(address: &str) -> bool {
    matches!(tokio::time::timeout(PATIENCE, TcpStream::connect(address)).await, Ok(Ok(_)))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn only_who_takes_a_connection_is_reached() {
        let open = TcpListener::bind("127.0.0.1:0").await.unwrap();
        assert!(reaches(&open.local_addr().unwrap().to_string()).await);
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        assert!(!reaches(&closed.to_string()).await);
        assert!(!reaches("no-such-host.invalid:1").await && !reaches("not an address").await);
    }
}
