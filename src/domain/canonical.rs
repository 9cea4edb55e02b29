//! Canonicals: versions that were green here. Only what is on the default branch, or released, becomes one: a pull request that
//! nobody merged is no base for anybody (design §4, *Base resolution*).

use super::finding::FindingKind;
use super::ids::CommitSha;
use super::recipe::RecipeVersion;
use super::results::{Image, Results};
use super::verdict::Verdict;

/// So many are kept of each recipe.
pub const KEPT: i64 = 10;

/// A version that was green.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Canonical {
    /// Its version label.
    pub version: RecipeVersion,
    /// Its commit.
    pub commit: CommitSha,
    /// Its images, as they were resolved.
    pub images: Vec<Image>,
}

/// What a run of the default branch or of a release makes known; nothing unless it is green at the first try, clean, and has a
/// version.
#[must_use]
pub fn canonical(results: &Results) -> Option<Canonical> {
    let head = &results.recipe.head;
    let flake = results.findings.iter().any(|finding| finding.kind == FindingKind::Flake);
    if results.verdict != Verdict::Green || head.dirty || flake {
        return None;
    }
    let version = RecipeVersion::parse(head.version.as_deref()?).ok()?;
    Some(Canonical { version, commit: head.commit.clone()?, images: results.images.clone() })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::domain::finding::Finding;
    use crate::domain::results::{conclude, samples};
    use crate::domain::stage::Stage;

    #[test]
    fn a_green_run_of_a_clean_commit_with_a_version() {
        let results = conclude(samples::good());
        let known = canonical(&results).unwrap();
        assert_eq!(known.version.to_string(), "1.0.0+1.0.0");
        assert_eq!(Some(&known.commit), results.recipe.head.commit.as_ref());

        let mut dirty = results.clone();
        dirty.recipe.head.dirty = true;
        let mut nameless = results.clone();
        nameless.recipe.head.version = Some("main".to_owned());
        let mut flaky = results.clone();
        flaky.findings.push(Finding::new(FindingKind::Flake, Stage::Teardown, Timestamp::UNIX_EPOCH, "x"));
        let mut red = results;
        red.verdict = Verdict::Red;
        for refused in [dirty, nameless, flaky, red] {
            assert_eq!(canonical(&refused), None);
        }
    }
}
