//! What a run leaves behind: files that agree with each other, signed, and without any secret.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};

use cc_ci::adapters::sign::{NAMESPACE, PRINCIPAL, allowed_signers};
use sha2::{Digest as _, Sha256};

use crate::support::{Finished, Lab, lab};

/// The files in the evidence, by name.
fn evidence(finished: &Finished) -> BTreeMap<String, String> {
    let packed = flate2::read::GzDecoder::new(finished.files["evidence.tar.gz"].as_slice());
    let mut archive = tar::Archive::new(packed);
    let entries = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        (entry.path().unwrap().display().to_string(), text)
    });
    entries.collect()
}

/// The part of a name in front of what differs each time.
fn has(files: &BTreeMap<String, String>, start: &str) -> bool {
    files.keys().any(|name| name.starts_with(start))
}

fn assert_signed(lab: &Lab, finished: &Finished) {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for (name, content) in &finished.files {
        std::fs::write(path(name), content).unwrap();
    }
    std::fs::write(path("allowed"), allowed_signers(&lab.state().join("signing")).unwrap()).unwrap();
    assert_eq!(check(lab, folder.path()), (true, true));
    let good = &finished.files["results.json"];
    let changed = String::from_utf8_lossy(good).replacen("\"green\"", "\"red\"", 1);
    assert_ne!(changed.as_bytes(), good.as_slice());
    std::fs::write(path("results.json"), changed).unwrap();
    assert_eq!(check(lab, folder.path()), (false, false), "s63: both refuse what was changed");
    std::fs::write(path("results.json"), good).unwrap();
    std::fs::write(path("log.jsonl"), "{}").unwrap();
    assert_eq!(check(lab, folder.path()), (false, true), "the results tell that the log was changed");
}

/// Whether `cc-ci verify` and `ssh-keygen -Y verify` believe what is in a folder.
fn check(lab: &Lab, folder: &Path) -> (bool, bool) {
    let file = |name: &str| folder.join(name).display().to_string();
    let (results, allowed) = (file("results.json"), file("allowed"));
    let ours = lab.cc_ci(&["verify", &results, "--allowed-signers", &allowed]).output().unwrap();
    assert!([Some(0), Some(1)].contains(&ours.status.code()), "{ours:?}");
    let theirs = Command::new("ssh-keygen")
        .args(["-Y", "verify", "-I", PRINCIPAL, "-n", NAMESPACE, "-f", &allowed, "-s", &file("results.json.sig")])
        .stdin(Stdio::from(std::fs::File::open(&results).unwrap()))
        .output()
        .unwrap();
    (ours.status.success(), theirs.status.success())
}

fn assert_artefacts(finished: &Finished) {
    let artefacts = &finished.results().artefacts;
    let names: Vec<&str> = artefacts.iter().map(|artefact| artefact.name.as_str()).collect();
    assert_eq!(names, ["log.jsonl", "evidence.tar.gz"]);
    for artefact in artefacts {
        let content = &finished.files[&artefact.name];
        assert_eq!(artefact.bytes, content.len() as u64);
        assert_eq!(artefact.sha256, hex::encode(Sha256::digest(content)), "{}", artefact.name);
    }
}

#[test]
fn s63_s67_a_green_run_is_signed_has_its_evidence_and_no_secret() {
    let lab = lab();
    let mut run = lab.run("notes", &["--keep", "10m"]);
    run.wait_for("stays up until");
    let deploys =
        run.log().into_iter().find_map(|line| line.text.strip_prefix("docker stack deploy ").map(str::to_owned));
    let stack = deploys.unwrap().split(' ').next().unwrap().to_owned();
    let service = format!("label=com.docker.swarm.service.name={stack}_app");
    let container = lab.docker(&["ps", "-q", "--filter", &service]);
    let secrets = lab.docker(&["exec", &container, "sh", "-c", "cat /run/secrets/*"]);
    run.interrupt();
    let finished = run.finish();
    finished.assert(0, "green");
    let names: Vec<&str> = finished.files.keys().map(String::as_str).collect();
    let all = ["evidence.tar.gz", "junit.xml", "log.jsonl", "report.html", "results.json", "results.json.sig"];
    assert_eq!(names, all);
    assert_artefacts(&finished);
    assert_signed(&lab, &finished);

    let files = evidence(&finished);
    for name in [
        "README.txt",
        "tasks.txt",
        "tasks.json",
        "http.txt",
        "services/app.json",
        "services/db.json",
        "containers/app.1.",
        "containers/db.1.",
        "logs/app.1@",
        "logs/db.1@",
        "logs/cc-ci.log",
        "inventory/before.txt",
        "inventory/after.txt",
    ] {
        assert!(has(&files, name), "no {name}: {:?}", files.keys());
    }
    assert_eq!(files["inventory/before.txt"], files["inventory/after.txt"]);
    assert!(
        files["http.txt"].contains("GET https://cc") && files["http.txt"].contains("\n200\n"),
        "{}",
        files["http.txt"]
    );
    assert!(files["services/app.json"].contains("=•••"), "values of variables are hidden");
    let resources = &finished.results().resources;
    assert!(resources.image_bytes.is_some_and(|bytes| bytes > 1_000_000));
    let memory: Vec<&str> = resources.memory.iter().map(|of| of.service.as_str()).collect();
    assert_eq!(memory, ["app", "db"]);
    // A program in memory, and less than the machine has.
    let plausible = 500_000..8 << 30;
    assert!(resources.memory.iter().all(|of| plausible.contains(&of.peak_bytes)), "{resources:?}");

    let secrets: Vec<&str> = secrets.split_whitespace().collect();
    assert!(!secrets.is_empty() && secrets.iter().all(|secret| secret.len() >= 20), "{secrets:?}");
    for secret in secrets {
        let plain = finished.files.iter().filter(|(name, _)| *name != "evidence.tar.gz");
        let texts = plain.map(|(name, text)| (name.clone(), String::from_utf8_lossy(text).into_owned()));
        for (name, text) in texts.chain(files.clone()) {
            assert!(!text.contains(secret), "{name} has a secret");
        }
    }
    lab.assert_untouched();
}

#[test]
fn a_red_run_shows_what_was_there_when_it_was_told() {
    let lab = lab();
    let finished = lab.run("crash-loop", &[]).finish();
    finished.assert(1, "red");
    assert_artefacts(&finished);
    let files = evidence(&finished);
    assert!(files["tasks.txt"].matches("failed").count() >= 3, "{}", files["tasks.txt"]);
    let app = |name: &&String| name.starts_with("containers/app.1.");
    assert!(files.keys().filter(app).count() >= 3, "each life: {:?}", files.keys());
    let junit = String::from_utf8_lossy(&finished.files["junit.xml"]);
    let junit = roxmltree::Document::parse(&junit).unwrap();
    let failures = junit.descendants().filter(|node| node.has_tag_name("failure")).count();
    assert_eq!(failures, 3, "verdict, rung and finding");
    lab.assert_untouched();
}
