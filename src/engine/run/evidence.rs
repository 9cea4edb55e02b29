//! The evidence of a run: what there was to see of the app, kept before it is removed. It decides nothing, and nothing waits for it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::Run;
use super::deploy::Deploy;
use super::memory::{MemoryWatch, keep_larger};
use super::prepare::{BEFORE, Live};
use super::teardown::AFTER;
use crate::adapters::docker::evidence::{Seen, image_bytes, look};
use crate::adapters::docker::memory::memory;
use crate::domain::evidence::{Bundle, last_lines};
use crate::domain::inventory::Inventory;
use crate::domain::log::Record;
use crate::domain::results::{By, Resources, ServiceMemory};
use crate::engine::EngineError;
use crate::engine::state::RunFile;

/// The fact with what the app needed of the target.
pub(super) const RESOURCES: &str = "resources";
/// Looking takes a few hundred milliseconds; a target that is slower than this has other things to do.
const PATIENCE: Duration = Duration::from_secs(5);

impl Run {
    /// Whether a deploy call was made, or was about to be.
    async fn has_deployed(&self) -> Result<bool, EngineError> {
        for deploy in Deploy::ALL {
            if self.calls(deploy).await? > 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Looks at the app and keeps what is seen, once; not where nothing was deployed. What goes wrong is said and no more.
    pub(super) async fn collect(&self, live: &Live) -> Result<(), EngineError> {
        if !self.has_deployed().await? || self.folder.seen().exists() {
            return Ok(());
        }
        self.phase::<(), EngineError>("evidence", By::CcCi, async {
            let mut seen = Seen::new();
            let looked = async {
                let (looked, resources) =
                    tokio::join!(look(&live.docker, &self.plan.stack, &mut seen), self.measure(live),);
                (looked.err().map(|error| error.to_string()), resources)
            };
            let (trouble, resources) = tokio::time::timeout(PATIENCE, looked)
                .await
                .unwrap_or_else(|_| (Some(format!("it took longer than {} s", PATIENCE.as_secs())), None));
            if let Some(why) = trouble {
                self.log.say(format!("the evidence is not whole: {why}"));
            }
            if let Some(resources) = resources {
                self.gate.store.put_fact(&self.plan.run, RESOURCES, &resources).await?;
            }
            seen.push(("", "http.txt".to_owned(), live.web.transcript()));
            let seen: Vec<_> = seen.iter().map(|(folder, name, text)| (folder, name, self.log.masked(text))).collect();
            if let Err(error) = serde_json::to_vec(&seen)
                .map_err(io::Error::other)
                .and_then(|json| write_whole(&self.folder.seen(), |path| fs::write(path, json)))
            {
                self.log.say(format!("the evidence could not be kept: {error}"));
            }
            Ok(())
        })
        .await
    }

    async fn measure(&self, live: &Live) -> Option<Resources> {
        let (_, wanted) = self.last_wanted().await.ok()??;
        let images: Vec<String> = wanted.services.iter().map(|service| service.image().to_owned()).collect();
        let mut peaks = live.memory.as_ref().map(MemoryWatch::peaks).unwrap_or_default();
        let (image_bytes, last) =
            tokio::join!(image_bytes(&live.docker, &images), memory(&live.docker, &self.plan.stack));
        keep_larger(&mut peaks, last.unwrap_or_default());
        let memory = wanted.services.iter().filter_map(|service| {
            let peak_bytes = *peaks.get(&service.name)?;
            Some(ServiceMemory { service: service.name.clone(), peak_bytes, limit_bytes: service.memory_limit })
        });
        let mut memory: Vec<_> = memory.collect();
        // The engine lists services in an order of its own.
        memory.sort_by(|one, other| one.service.cmp(&other.service));
        Some(Resources { memory, image_bytes })
    }

    /// Packs what was seen with the logs and the inventories. Without evidence a verdict is a verdict all the same.
    pub(super) async fn pack(&self, log: &[Record]) {
        let packed = match self.bundle(log).await {
            Ok(files) => write_whole(&self.folder.file(RunFile::Evidence), |path| archive(path, &files, self.created)),
            Err(error) => Err(error),
        };
        match packed {
            Ok(()) => drop(fs::remove_file(self.folder.seen())),
            Err(error) => tracing::warn!(%error, run = %self.plan.run, "the evidence could not be packed"),
        }
    }

    async fn bundle(&self, log: &[Record]) -> io::Result<BTreeMap<String, String>> {
        let mut bundle = Bundle::default();
        for (name, fact) in [("before.txt", BEFORE), ("after.txt", AFTER)] {
            let known: Option<Inventory> =
                self.gate.store.fact(&self.plan.run, fact).await.map_err(io::Error::other)?;
            if let Some(inventory) = known {
                bundle.add(&["inventory", name], &self.log.masked(&inventory.to_string()), false);
            }
        }
        let seen: Vec<(String, String, String)> = match fs::read(self.folder.seen()) {
            Ok(json) => serde_json::from_slice(&json)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        for (folder, name, text) in seen.iter().filter(|(.., text)| !text.is_empty()) {
            let parts = [folder.as_str(), name.as_str()];
            bundle.add(if folder.is_empty() { &parts[1..] } else { &parts }, text, false);
        }
        for (source, text) in last_lines(log) {
            bundle.add(&["logs", &format!("{}.log", source.replace('/', "-"))], &self.log.masked(&text), true);
        }
        let about = format!("What run {} saw of {} on {}.", self.plan.run, self.plan.recipe, self.plan.target);
        Ok(bundle.files(&about))
    }
}

/// A process that is killed leaves no half file behind.
fn write_whole(path: &Path, write: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
    let unfinished = path.with_extension("unfinished");
    write(&unfinished)?;
    fs::rename(unfinished, path)
}

fn archive(path: &Path, files: &BTreeMap<String, String>, at: jiff::Timestamp) -> io::Result<()> {
    let mut archive = tar::Builder::new(GzEncoder::new(File::create(path)?, Compression::default()));
    for (name, text) in files {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        header.set_size(text.len() as u64);
        header.set_mtime(u64::try_from(at.as_second()).unwrap_or(0));
        archive.append_data(&mut header, name, text.as_bytes())?;
    }
    archive.into_inner()?.finish()?.sync_all()
}
