//! `cc-ci verify`: whether results are what a gate signed, and whether the files beside them are those it saw.

use std::fs::File;
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use sha2::{Digest as _, Sha256};
use url::{Host, Url};

use super::{Exit, Places};
use crate::adapters::probe::root_cause;
use crate::adapters::sign::{Allowed, allowed_signers, verify as verify_signature};
use crate::domain::results::{Artefact, Results};
use crate::engine::state::StateFolder;
use crate::report::clean_line;

/// Results are far smaller.
pub(super) const LARGEST_RESULTS: u64 = 64 << 20;
/// A signature, or a list of keys.
const LARGEST: u64 = 1 << 20;
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The results of a run
    #[arg(value_name = "results.json")]
    results: PathBuf,
    /// Their signature [default: the same name with .sig behind it]
    #[arg(long, value_name = "FILE")]
    signature: Option<PathBuf>,
    /// Whose signatures hold: a file, or https://GATE/.well-known/cc-ci/allowed_signers [default: the keys of this state folder]
    #[arg(long, value_name = "FILE|URL")]
    allowed_signers: Option<String>,
    #[command(flatten)]
    places: Places,
}

/// What was given cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum VerifyError {
    #[error("{path}: {source}")]
    File { path: PathBuf, source: io::Error },
    #[error("{path} is larger than {most} bytes")]
    Large { path: PathBuf, most: u64 },
    #[error("{url}: {why}")]
    Url { url: String, why: String },
    #[error("{0} names no key: there is nothing to check against\nhint: give --allowed-signers")]
    NoKeys(String),
}

pub(super) async fn verify(arguments: &Arguments) -> anyhow::Result<Exit> {
    let content = read(&arguments.results, LARGEST_RESULTS)?;
    let path = arguments.signature.clone().unwrap_or_else(|| with_sig(&arguments.results));
    let signature = read(&path, LARGEST)?;
    let (whose, allowed) = allowed(arguments).await?;
    if allowed.trim().is_empty() {
        return Err(VerifyError::NoKeys(whose).into());
    }
    let mut out = io::stdout().lock();
    let name = arguments.results.display();
    let signer = match verify_signature(&content, &signature, &Allowed::parse(&allowed)) {
        Ok(signer) => signer,
        Err(refused) => {
            writeln!(out, "✕ {name}: {refused}")?;
            return Ok(Exit::Red);
        }
    };
    writeln!(out, "✓ {name}: signed by {signer}, as {whose} allows")?;
    let Ok(results) = serde_json::from_slice::<Results>(&content) else {
        writeln!(out, "  of a form that this version does not read")?;
        return Ok(Exit::Fine);
    };
    let sentence = clean_line(&results.sentence);
    writeln!(out, "  run {} of {}: {}: {sentence}", results.run, results.recipe.name, results.verdict.name())?;
    let mut exit = Exit::Fine;
    for artefact in &results.artefacts {
        let beside = Beside::of(&arguments.results, artefact);
        writeln!(out, "  {} {}: {}", beside.glyph(), clean_line(&artefact.name), beside.said())?;
        if beside == Beside::Changed {
            exit = Exit::Red;
        }
    }
    Ok(exit)
}

fn with_sig(results: &Path) -> PathBuf {
    let mut name = results.as_os_str().to_owned();
    name.push(".sig");
    name.into()
}

pub(super) fn read(path: &Path, most: u64) -> Result<Vec<u8>, VerifyError> {
    let file = |source| VerifyError::File { path: path.to_owned(), source };
    let mut content = Vec::new();
    File::open(path).map_err(file)?.take(most + 1).read_to_end(&mut content).map_err(file)?;
    if content.len() as u64 > most {
        return Err(VerifyError::Large { path: path.to_owned(), most });
    }
    Ok(content)
}

/// Where the allowed keys come from, and what is there.
async fn allowed(arguments: &Arguments) -> Result<(String, String), VerifyError> {
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    match &arguments.allowed_signers {
        Some(url) if url.contains("://") => Ok((url.clone(), text(fetch(url).await?))),
        Some(path) => Ok((path.clone(), text(read(Path::new(path), LARGEST)?))),
        None => {
            let folder = arguments.places.state();
            let file = |source| VerifyError::File { path: folder.clone(), source };
            let keys = StateFolder::at(&folder).map_err(|error| file(io::Error::other(error)))?.signing();
            Ok((keys.display().to_string(), allowed_signers(&keys).map_err(file)?))
        }
    }
}

/// Keys over a line that anybody can change prove nothing: HTTPS, or this machine.
async fn fetch(url: &str) -> Result<Vec<u8>, VerifyError> {
    let wrong = |why: String| VerifyError::Url { url: url.to_owned(), why };
    let parsed = Url::parse(url).map_err(|error| wrong(error.to_string()))?;
    let here = match parsed.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    if parsed.scheme() != "https" && !(parsed.scheme() == "http" && here) {
        return Err(wrong("keys are only asked for over HTTPS".to_owned()));
    }
    let client = reqwest::Client::builder().https_only(!here).timeout(PATIENCE).build();
    let client = client.map_err(|error| wrong(root_cause(&error)))?;
    let answer = client.get(parsed).send().await.map_err(|error| wrong(root_cause(&error)))?;
    if !answer.status().is_success() {
        return Err(wrong(format!("it answers {}", answer.status())));
    }
    let mut answer = answer;
    let mut content = Vec::new();
    while let Some(piece) = answer.chunk().await.map_err(|error| wrong(root_cause(&error)))? {
        content.extend_from_slice(&piece);
        if content.len() as u64 > LARGEST {
            return Err(wrong(format!("it is larger than {LARGEST} bytes")));
        }
    }
    Ok(content)
}

/// What lies beside the results under the name of one of the run's files.
#[derive(Debug, PartialEq, Eq)]
enum Beside {
    Same,
    Changed,
    NotThere,
}

impl Beside {
    fn of(results: &Path, artefact: &Artefact) -> Self {
        // Signed or not: a name from a file leads nowhere but into that file's own folder.
        let plain = Path::new(&artefact.name).file_name().is_some_and(|name| name == artefact.name.as_str());
        if !plain {
            return Self::NotThere;
        }
        let Ok(mut file) = File::open(results.with_file_name(&artefact.name)) else { return Self::NotThere };
        let mut hash = Sha256::new();
        let mut piece = vec![0; 1 << 20];
        loop {
            match file.read(&mut piece) {
                Ok(0) => break,
                Ok(read) => hash.update(&piece[..read]),
                Err(_) => return Self::Changed,
            }
        }
        if hex::encode(hash.finalize()) == artefact.sha256 { Self::Same } else { Self::Changed }
    }

    const fn glyph(&self) -> &'static str {
        match self {
            Self::Same => "✓",
            Self::Changed => "✕",
            Self::NotThere => "○",
        }
    }

    const fn said(&self) -> &'static str {
        match self {
            Self::Same => "as it was then",
            Self::Changed => "was changed since",
            Self::NotThere => "not beside it, so not compared",
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::adapters::sign::sign;
    use crate::domain::results::{conclude, samples};

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        arguments: Arguments,
    }

    struct Scene(tempfile::TempDir);

    impl Scene {
        /// Results with their log, signed by the gate of this folder.
        fn new() -> Self {
            let scene = Self(tempfile::tempdir().unwrap());
            let log = b"{\"l\":\"a line\"}\n";
            std::fs::write(scene.path("log.jsonl"), log).unwrap();
            let mut facts = samples::good();
            facts.artefacts[0].sha256 = hex::encode(Sha256::digest(log));
            let json = serde_json::to_string_pretty(&conclude(facts)).unwrap();
            std::fs::write(scene.path("results.json"), &json).unwrap();
            let signature = sign(&scene.path("signing"), [1; 32], json.as_bytes()).unwrap();
            std::fs::write(scene.path("results.json.sig"), signature).unwrap();
            scene
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        async fn verify(&self, more: &[&str]) -> anyhow::Result<Exit> {
            let (results, state) = (self.path("results.json"), self.0.path());
            let base = ["verify", results.to_str().unwrap(), "--state", state.to_str().unwrap()];
            verify(&Cli::parse_from(base.iter().chain(more)).arguments).await
        }

        fn change(&self, name: &str, from: &str, to: &str) {
            let text = std::fs::read_to_string(self.path(name)).unwrap();
            assert!(text.contains(from));
            std::fs::write(self.path(name), text.replacen(from, to, 1)).unwrap();
        }
    }

    #[tokio::test]
    async fn s63_changed_results_are_refused_and_so_is_a_changed_log() {
        let scene = Scene::new();
        assert_eq!(scene.verify(&[]).await.unwrap(), Exit::Fine);
        scene.change("results.json", "\"green\"", "\"red\"");
        assert_eq!(scene.verify(&[]).await.unwrap(), Exit::Red);
        scene.change("results.json", "\"red\"", "\"green\"");
        assert_eq!(scene.verify(&[]).await.unwrap(), Exit::Fine);
        scene.change("log.jsonl", "a line", "another");
        assert_eq!(scene.verify(&[]).await.unwrap(), Exit::Red);
        std::fs::remove_file(scene.path("log.jsonl")).unwrap();
        assert_eq!(scene.verify(&[]).await.unwrap(), Exit::Fine, "what is not there is said, not refused");
    }

    #[tokio::test]
    async fn keys_come_from_a_file_or_a_gate_and_from_nowhere_unsafe() {
        let (scene, other) = (Scene::new(), Scene::new());
        sign(&other.path("others"), [9; 32], b"x").unwrap();
        let allow = |scene: &Scene, keys: &str| {
            std::fs::write(scene.path("allowed"), allowed_signers(&other.path(keys)).unwrap()).unwrap();
            scene.path("allowed").to_str().unwrap().to_owned()
        };
        let same_key = allow(&scene, "signing");
        assert_eq!(scene.verify(&["--allowed-signers", &same_key]).await.unwrap(), Exit::Fine);
        let other_key = allow(&scene, "others");
        assert_eq!(scene.verify(&["--allowed-signers", &other_key]).await.unwrap(), Exit::Red);
        for (word, told) in [("http://gate.example.org/x", "HTTPS"), ("/nonexistent", "No such file")] {
            let error = scene.verify(&["--allowed-signers", word]).await.unwrap_err();
            assert!(error.to_string().contains(told), "{error}");
        }
        std::fs::remove_dir_all(scene.path("signing")).unwrap();
        let error = scene.verify(&[]).await.unwrap_err().to_string();
        assert!(error.contains("names no key"), "{error}");
    }
}
