//! The files that a run leaves behind.

use std::fs::{self, File};
use std::io::{self, Read as _};

use sha2::{Digest as _, Sha256};

use super::Run;
use crate::adapters::sign;
use crate::domain::log::Record;
use crate::domain::results::{Artefact, Results};
use crate::engine::EngineError;
use crate::engine::state::RunFile;

impl Run {
    pub(super) fn whole_log(&self) -> Result<Vec<Record>, EngineError> {
        let log = fs::read(self.folder.log()).map_err(EngineError::file(self.folder.log()))?;
        Ok(crate::domain::log::read(&log).0)
    }

    /// What is whole before `results.json` is written.
    pub(super) fn artefacts(&self) -> Result<Vec<Artefact>, EngineError> {
        let there = [RunFile::Log, RunFile::Evidence].into_iter().filter(|file| self.folder.file(*file).exists());
        there.map(|file| self.artefact(file)).collect()
    }

    fn artefact(&self, file: RunFile) -> Result<Artefact, EngineError> {
        let path = self.folder.file(file);
        let hashed = File::open(&path).and_then(hash);
        let (bytes, sha256) = hashed.map_err(EngineError::file(&path))?;
        Ok(Artefact { name: file.name().to_owned(), bytes, sha256 })
    }

    /// Writes results, their signature, JUnit and report; returns `results.json` as it is on disk, and the signature. Results that
    /// cannot be signed are results all the same.
    pub(super) fn write_files(
        &self,
        results: &Results,
        log: &[Record],
    ) -> Result<(String, Option<String>), EngineError> {
        let json = serde_json::to_string_pretty(results).map_err(|error| EngineError::Unreadable(error.to_string()))?;
        let json = self.log.masked(&json);
        self.write(RunFile::Results, &json)?;
        let signature = sign::sign(&self.gate.state.signing(), rand::random(), json.as_bytes())
            .inspect_err(|error| tracing::error!(%error, run = %self.plan.run, "the results are not signed"))
            .ok();
        match &signature {
            Some(signature) => self.write(RunFile::Signature, signature)?,
            // One of an earlier process would be of other results.
            None => drop(fs::remove_file(self.folder.file(RunFile::Signature))),
        }
        let rendered =
            |text: Result<String, askama::Error>| text.map_err(|error| EngineError::Unreadable(error.to_string()));
        let junit = rendered(crate::report::junit(results))?;
        self.write(RunFile::Junit, &self.log.masked(&junit))?;
        self.write(RunFile::Report, &rendered(crate::report::html(results, log))?)?;
        Ok((json, signature))
    }

    fn write(&self, file: RunFile, text: &str) -> Result<(), EngineError> {
        let path = self.folder.file(file);
        fs::write(&path, text).map_err(EngineError::file(&path))
    }
}

/// The length of a file and the SHA-256 of its content. A log may have many megabytes: it is read in pieces.
fn hash(mut file: File) -> io::Result<(u64, String)> {
    let (mut hash, mut bytes) = (Sha256::new(), 0);
    let mut piece = vec![0; 1 << 20];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok((bytes, hex::encode(hash.finalize()))),
            read => {
                bytes += read as u64;
                hash.update(&piece[..read]);
            }
        }
    }
}
