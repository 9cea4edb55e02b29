//! `docs/recipe-maintainers.md`: whoever types all its blocks into an empty folder ends with a green run.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use cc_ci::domain::results::Results;
use cc_ci::domain::stage::{Rung, RungState};

use crate::support::{figure, lab};

/// What is another one here: the lab has no public images, and a test gets the target that is free.
const IMAGES: [(&str, &str); 2] =
    [("registry.example.org/notes:1.0.0", "lab/web:1.0.0"), ("image: postgres:17", "image: lab/postgres:17")];

/// The blocks of a document, with their languages.
fn blocks(document: &str) -> Vec<(&str, &str)> {
    let fenced = document.split("\n```").skip(1).step_by(2);
    fenced.map(|block| block.split_once('\n').unwrap()).collect()
}

/// One script: `sh` is typed, and what begins with `# PATH` is written there.
fn script(blocks: &[(&str, &str)]) -> String {
    let mut script = "set -euo pipefail\n".to_owned();
    for (language, text) in blocks {
        if *language == "sh" {
            writeln!(script, "{text}").unwrap();
            continue;
        }
        let path = text.lines().next().and_then(|line| line.strip_prefix("# "));
        let path = path.filter(|path| !path.contains(' '));
        let path = path.unwrap_or_else(|| panic!("a block of {language} does not say which file it is:\n{text}"));
        writeln!(script, "cat >{path} <<'END OF BLOCK'\n{text}\nEND OF BLOCK").unwrap();
    }
    script
}

#[test]
fn every_block_of_the_maintainers_handbook_leads_to_green() {
    let lab = lab();
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/recipe-maintainers.md");
    let document = std::fs::read_to_string(document).unwrap();
    let blocks = blocks(&document);
    assert!(blocks.len() >= 8, "{blocks:?}");
    let mut script = script(&blocks);
    for (public, ours) in IMAGES.into_iter().chain([("--target lab", format!("--target {}", lab.name).as_str())]) {
        assert!(script.contains(public), "{public}");
        script = script.replace(public, ours);
    }
    let folder = tempfile::tempdir().unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_cc-ci")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let mut bash = Command::new("bash");
    bash.args(["-c", &script]).current_dir(folder.path()).stdin(Stdio::null()).env("PATH", path);
    bash.env("CC_CI_STATE", lab.state()).env("CC_CI_TARGETS", lab.targets()).env("CC_CI_RUNNER_IMAGE", lab.image());
    let begun = Instant::now();
    let ended = bash.output().unwrap();
    let said = [&ended.stdout, &ended.stderr].map(|text| String::from_utf8_lossy(text).into_owned()).concat();
    assert!(ended.status.success(), "{}\n{said}", ended.status);
    figure(
        "recipe-maintainers.md",
        &format!("all {} blocks, from an empty folder to green", blocks.len()),
        begun.elapsed().as_secs_f64(),
        "s",
    );
    let run = std::fs::read_dir(lab.state().join("runs")).unwrap().flatten().next().unwrap();
    let results = std::fs::read_to_string(run.path().join("results.json")).unwrap();
    let results: Results = serde_json::from_str(&results).unwrap();
    let of = |rung| results.rungs.of(rung).state;
    assert_eq!([Rung::Lint, Rung::Install, Rung::Backup, Rung::Checks].map(of), [RungState::Pass; 4], "{said}");
    assert_eq!(of(Rung::Upgrade), RungState::NotApplicable, "{said}");
    assert_eq!(results.checks.iter().filter(|check| check.holds).count(), 6, "{:#?}", results.checks);
    lab.assert_untouched();
}
