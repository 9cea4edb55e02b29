//! P4: every rung of a recipe with a database, beside the same Docker calls in a shell script.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::figures::median;
use super::runs::Runs;
use crate::lab::DOMAIN;
use crate::process::{program, run};
use crate::steps::say;

/// So often each of them.
const PAIRS: usize = 3;
/// A folder of the target.
const THERE: &str = "/tmp/cc-ci-bench-ladder";
/// What the tests file calls by `cmd`.
const COUNT: &str = "\ncount_of() {\n  echo \"$1: $(psql -U notes -tAc \"select count(*) from $1\")\"\n}\n";

impl Runs<'_> {
    /// P4, with the share of the wall time that lies within a phase.
    pub(super) fn beside_ladder(&self) -> Result<Value> {
        let folder = tempfile::tempdir()?;
        let (base, head) = (folder.path().join("base/notes"), folder.path().join("head/notes"));
        for (place, version) in [(&base, "1.1.0"), (&head, "1.1.0")] {
            fs::create_dir_all(place)?;
            run(program("cp").arg("--recursive").arg(self.places.checkout.join("tests/recipes/notes/.")).arg(place))?;
            of_version(place, "1.0.0", version)?;
        }
        publish(&head, "1.1.0+1.1.0")?;
        of_version(&head, "1.1.0", "2.0.0")?;
        let functions = fs::read_to_string(head.join("abra.sh"))?;
        fs::write(head.join("abra.sh"), functions + COUNT)?;
        self.put(folder.path(), THERE)?;
        let of = |name: &str| format!("{THERE}/{name}/notes");
        let tests = self.places.checkout.join("bench/ladder");
        let more = ["--tests", tests.to_str().context("the checkout's path is no text")?];
        let (mut ours, mut plain, mut attributed) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..PAIRS {
            let arguments = [of("base"), format!("plain.{DOMAIN}"), of("head")];
            let took = self.script(&["plain.sh", "ladder.sh"], &arguments.each_ref().map(String::as_str))?;
            plain.push(took.as_secs_f64());
            let ended = self.run_with(&head, &more, "green")?;
            let deploys = &ended.results["deploys"];
            if ended.results["level"] != 5 || deploys["fresh"] != 2 || deploys["upgrade"] != 1 {
                bail!("not every rung, or other deploys than 2 and 1 upgrade: {}", ended.results["sentence"]);
            }
            attributed.push(self.attributed(&ended.results)?);
            ours.push(ended.took.as_secs_f64());
        }
        self.forget(THERE)?;
        say(format!("cc-ci run {ours:.1?} s, ladder.sh {plain:.1?} s, in a phase {attributed:.1?} %"));
        let (ours, plain, attributed) = (median(ours), median(plain), median(attributed));
        Ok(json!({
            "value": ours / plain, "cc_ci": ours, "baseline": plain, "attributed": attributed, "deploys": 2, "upgrades": 1,
            "beside": format!(
                "`cc-ci run` {ours:.1} s, `ladder.sh` {plain:.1} s; medians of {PAIRS}, alternating; 2 deploys and 1 upgrade; \
                 {attributed:.1} % of the run lies within a phase"
            ),
        }))
    }

    /// As `cc-ci timings` says it.
    fn attributed(&self, results: &Value) -> Result<f64> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("results.json");
        fs::write(&file, results.to_string())?;
        let mut command = Command::new(&self.binary);
        command.arg("timings").arg(&file).arg("--json").arg("--state").arg(self.state.path());
        let said = command.output()?;
        let said: Value = serde_json::from_slice(&said.stdout).context("cc-ci timings said no JSON")?;
        said["attributed"].as_f64().context("cc-ci timings did not say how much is in a phase")
    }
}

fn of_version(recipe: &Path, from: &str, to: &str) -> Result<()> {
    let file = recipe.join("compose.yml");
    let text = fs::read_to_string(&file)?;
    let changed = text
        .replace(&format!("version={from}+{from}"), &format!("version={to}+{to}"))
        .replace(&format!("lab/web:{from}"), &format!("lab/web:{to}"));
    if from != to && changed == text {
        bail!("{} is not of version {from}", file.display());
    }
    fs::write(file, changed).map_err(Into::into)
}

fn publish(recipe: &Path, version: &str) -> Result<()> {
    let git = |arguments: &[&str]| {
        let who = ["-c", "user.name=bench", "-c", "user.email=bench@localhost", "-c", "init.defaultBranch=main"];
        run(program("git").current_dir(recipe).args(who).args(arguments))
    };
    git(&["init", "--quiet"])?;
    git(&["add", "--all"])?;
    git(&["commit", "--quiet", "--message", version])?;
    git(&["tag", "--annotate", version, "--message", version])
}
