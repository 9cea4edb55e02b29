//! Which build this program is: the SHA-256 of its file.

use std::fs::File;
use std::io::Read as _;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use tokio::sync::OnceCell;

/// The hash of this program, worked out when it is first needed: that reads the whole file, which a start must not wait for.
#[derive(Debug, Clone, Default)]
pub struct OwnHash(Arc<OnceCell<String>>);

impl OwnHash {
    /// The hash in hex.
    ///
    /// # Errors
    /// When the program's file cannot be read.
    pub async fn get(&self) -> std::io::Result<&str> {
        let work_out = || async { tokio::task::spawn_blocking(of_this_program).await? };
        self.0.get_or_try_init(work_out).await.map(String::as_str)
    }
}

/// The file is the one that runs, also after an update has put another in its place.
fn of_this_program() -> std::io::Result<String> {
    let mut program = File::open("/proc/self/exe")?;
    let mut hash = Sha256::new();
    let mut piece = vec![0; 1 << 20];
    loop {
        match program.read(&mut piece)? {
            0 => return Ok(hex::encode(hash.finalize())),
            read => hash.update(&piece[..read]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_hash_is_that_of_the_file() {
        let file = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let own = OwnHash::default();
        assert_eq!(own.get().await.unwrap(), hex::encode(Sha256::digest(file)));
    }
}
