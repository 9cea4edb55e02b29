//! Base resolution: which older version a head is compared with and upgraded from. Total, and it tells why.
//!
//! Candidates are the canonicals (versions that were green here), newest first, then the published tags, newest first. One
//! must be *strictly older* than the head: by the recipe's semver, then by the app's version. A head without a version label
//! takes the newest candidate.

use std::cmp::{Ordering, Reverse};
use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::ids::CommitSha;
use super::recipe::RecipeVersion;
use super::results::{count, one_line};

/// So many candidates and skipped tags are told, of each.
const TOLD: usize = 20;

/// A tag of the recipe's repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// Its name, which for a published version is the version. Untrusted text.
    pub name: String,
    /// The commit it leads to.
    pub commit: CommitSha,
    /// Whether it is an object of its own, with author and message; a lightweight one is only a name.
    pub annotated: bool,
}

/// Where a base comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// A version that was green here.
    Canonical,
    /// A tag.
    Published,
    /// A person named it.
    Asked,
}

/// A version that may be a base.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// The version.
    pub version: RecipeVersion,
    /// Its commit.
    pub commit: CommitSha,
    /// Where it comes from.
    pub origin: Origin,
}

/// The base of a run: frozen before it begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Base {
    /// What it is called: its version, or the reference that a person gave.
    pub name: String,
    /// Its version; nothing where a person named a commit without a version label.
    pub version: Option<RecipeVersion>,
    /// Its commit.
    pub commit: CommitSha,
    /// Where it comes from.
    pub origin: Origin,
}

impl From<&Candidate> for Base {
    fn from(candidate: &Candidate) -> Self {
        let Candidate { version, commit, origin } = candidate.clone();
        Self { name: version.to_string(), version: Some(version), commit, origin }
    }
}

/// How a candidate stands to the head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It can be the base.
    Fits,
    /// The head has the same version.
    SameAsHead,
    /// The head's version is older.
    NewerThanHead,
}

/// A candidate that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Considered {
    /// It.
    pub candidate: Candidate,
    /// How it stands to the head.
    pub standing: Standing,
}

/// A tag that is no candidate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// Its name: untrusted text.
    pub tag: String,
    /// Why.
    pub why: String,
}

/// Why this base, or why none. [`fmt::Display`] says it in a sentence without a full stop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum Why {
    /// The newest version older than the head that was green here.
    NewestCanonical,
    /// The newest published version older than the head.
    NewestPublished,
    /// The head has no version label: the newest candidate.
    HeadWithoutVersion,
    /// A person named it.
    Asked,
    /// There is no history: a plain directory.
    NoRepository,
    /// No version was ever published.
    NothingPublished,
    /// There are tags, but none is a recipe version.
    NothingReadable {
        /// How many there are.
        tags: usize,
    },
    /// Nothing is older than the head.
    NothingOlder,
    /// The first choice did not deploy: the next one was taken.
    Next {
        /// The first choice.
        skipped: String,
        /// Why it does not deploy.
        because: String,
    },
    /// It was chosen and its files could not be read.
    Unreadable {
        /// What was chosen.
        name: String,
        /// Why not.
        because: String,
    },
}

impl Why {
    /// Whether there is no upgrade to show, since nothing older was ever published.
    #[must_use]
    pub const fn nothing_is_older(&self) -> bool {
        match self {
            Self::NothingPublished | Self::NothingOlder => true,
            Self::NewestCanonical
            | Self::NewestPublished
            | Self::HeadWithoutVersion
            | Self::Asked
            | Self::Next { .. }
            | Self::NoRepository
            | Self::NothingReadable { .. }
            | Self::Unreadable { .. } => false,
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NewestCanonical => f.write_str("the newest version older than this one that was green here"),
            Self::NewestPublished => f.write_str("the newest published version older than this one"),
            Self::HeadWithoutVersion => {
                f.write_str("the newest version there is, since this one has no readable version label")
            }
            Self::Asked => f.write_str("asked for"),
            Self::Next { skipped, because } => {
                let (skipped, because) = (one_line(skipped, 80), one_line(because, 200));
                write!(f, "the next older one, since {skipped} does not deploy: {because}")
            }
            Self::NoRepository => {
                f.write_str("the directory is no git repository, so that there are no older versions")
            }
            Self::NothingPublished => f.write_str("no version is published: the repository has no tags"),
            Self::NothingReadable { tags } => {
                write!(f, "no version is published: {}", count(*tags, "tag is", "tags are"))?;
                f.write_str(" there, and none has the form `x.y.z+app`")
            }
            Self::NothingOlder => f.write_str("no published version is older than this one"),
            Self::Unreadable { name, because } => {
                write!(f, "{} cannot be read: {}", one_line(name, 80), one_line(because, 200))
            }
        }
    }
}

/// The choice, and everything that led to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolution {
    /// The base; nothing: there is none.
    pub base: Option<Base>,
    /// Why.
    pub why: Why,
    /// What was looked at, in the order in which it is preferred. Bounded: the first ones.
    pub considered: Vec<Considered>,
    /// Tags that are no recipe versions. Bounded.
    pub skipped: Vec<Skipped>,
    /// Tags that are not annotated: untrusted text. Bounded.
    #[serde(default)]
    pub lightweight: Vec<String>,
}

impl Resolution {
    /// No base, for that reason.
    #[must_use]
    pub const fn none(why: Why) -> Self {
        Self { base: None, why, considered: Vec::new(), skipped: Vec::new(), lightweight: Vec::new() }
    }

    /// The one that a person named.
    #[must_use]
    pub fn asked(name: &str, version: Option<RecipeVersion>, commit: CommitSha) -> Self {
        let base = Base { name: one_line(name, 80), version, commit, origin: Origin::Asked };
        Self { base: Some(base), ..Self::none(Why::Asked) }
    }

    /// The same, with what is known of the repository's tags.
    #[must_use]
    pub fn among(self, tags: &[Tag]) -> Self {
        let mut lightweight: Vec<String> =
            tags.iter().filter(|tag| !tag.annotated).map(|tag| one_line(&tag.name, 80)).collect();
        lightweight.sort();
        lightweight.truncate(TOLD);
        Self { lightweight, ..self }
    }

    /// The same, when the files of the choice could not be read.
    #[must_use]
    pub fn unreadable(self, because: &str) -> Self {
        let name = self.base.map(|base| base.name).unwrap_or_default();
        Self { base: None, why: Why::Unreadable { name, because: because.to_owned() }, ..self }
    }

    /// The candidate that is taken where the choice does not deploy; none for one that a person named.
    #[must_use]
    pub fn next(&self) -> Option<Base> {
        self.base.as_ref()?;
        self.fitting().nth(1).map(Base::from)
    }

    /// The same, with the next candidate as the choice.
    #[must_use]
    pub fn with_next(self, because: &str) -> Self {
        let Some(next) = self.next() else { return self };
        let skipped = self.base.map(|base| base.name).unwrap_or_default();
        Self { base: Some(next), why: Why::Next { skipped, because: because.to_owned() }, ..self }
    }

    /// The candidates that can be a base, the preferred one first: the next one is for a base that does not deploy.
    pub fn fitting(&self) -> impl Iterator<Item = &Candidate> {
        self.considered.iter().filter(|one| one.standing == Standing::Fits).map(|one| &one.candidate)
    }
}

/// Chooses the base of a head.
///
/// `canonicals` and `tags` may come in any order; a tag of a canonical's commit is that canonical.
#[must_use]
pub fn resolve(head: Option<&RecipeVersion>, canonicals: &[Candidate], tags: &[Tag]) -> Resolution {
    let (published, skipped) = published(tags);
    let known: BTreeSet<&str> = canonicals.iter().map(|candidate| candidate.commit.as_str()).collect();
    let published = published.into_iter().filter(|candidate| !known.contains(candidate.commit.as_str()));
    let all = newest_first(canonicals.iter().cloned()).into_iter().chain(newest_first(published));
    let mut considered: Vec<Considered> =
        all.map(|candidate| Considered { standing: standing(head, &candidate.version), candidate }).collect();
    let found_any = !considered.is_empty();
    let choice = considered.iter().find(|one| one.standing == Standing::Fits).map(|one| Base::from(&one.candidate));
    let why = match &choice {
        Some(_) if head.is_none() => Why::HeadWithoutVersion,
        Some(Base { origin: Origin::Canonical, .. }) => Why::NewestCanonical,
        Some(_) => Why::NewestPublished,
        None if found_any => Why::NothingOlder,
        None if skipped.is_empty() => Why::NothingPublished,
        None => Why::NothingReadable { tags: skipped.len() },
    };
    shorten(&mut considered);
    let skipped = skipped.into_iter().take(TOLD).collect();
    Resolution { base: choice, why, considered, skipped, lightweight: Vec::new() }.among(tags)
}

/// The tags that are recipe versions, and those that are not.
fn published(tags: &[Tag]) -> (Vec<Candidate>, Vec<Skipped>) {
    let (mut candidates, mut skipped) = (Vec::new(), Vec::new());
    for tag in tags {
        match RecipeVersion::parse(&tag.name) {
            Ok(version) => {
                candidates.push(Candidate { version, commit: tag.commit.clone(), origin: Origin::Published });
            }
            Err(error) => skipped.push(Skipped { tag: one_line(&tag.name, 80), why: error.why.to_owned() }),
        }
    }
    skipped.sort_by(|one, other| one.tag.cmp(&other.tag));
    (candidates, skipped)
}

fn newest_first(candidates: impl Iterator<Item = Candidate>) -> Vec<Candidate> {
    let mut sorted: Vec<Candidate> = candidates.collect();
    sorted.sort_by_key(|candidate| Reverse((candidate.version.clone(), candidate.commit.clone())));
    sorted
}

fn standing(head: Option<&RecipeVersion>, version: &RecipeVersion) -> Standing {
    match head.map_or(Ordering::Less, |head| version.precedence(head)) {
        Ordering::Less => Standing::Fits,
        Ordering::Equal => Standing::SameAsHead,
        Ordering::Greater => Standing::NewerThanHead,
    }
}

/// Keeps the first ones, and of those that fit at least as many.
fn shorten(considered: &mut Vec<Considered>) {
    let (mut fitting, mut others) = (0, 0);
    considered.retain(|one| {
        let seen = if one.standing == Standing::Fits { &mut fitting } else { &mut others };
        *seen += 1;
        *seen <= TOLD
    });
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn version(text: &str) -> RecipeVersion {
        RecipeVersion::parse(text).unwrap()
    }

    fn commit(number: usize) -> CommitSha {
        CommitSha::parse(&format!("{number:040x}")).unwrap()
    }

    fn tags(names: &[&str]) -> Vec<Tag> {
        let tag =
            |(name, number): (&&str, usize)| Tag { name: (*name).into(), commit: commit(number), annotated: true };
        names.iter().zip(1..).map(tag).collect()
    }

    fn canonicals(versions: &[&str]) -> Vec<Candidate> {
        let one = |(text, number): (&&str, usize)| Candidate {
            version: version(text),
            commit: commit(number),
            origin: Origin::Canonical,
        };
        versions.iter().zip(100..).map(one).collect()
    }

    /// What is chosen, and the sentence.
    fn chosen(head: Option<&str>, green: &[&str], published: &[&str]) -> (Option<String>, String) {
        let head = head.map(version);
        let resolution = resolve(head.as_ref(), &canonicals(green), &tags(published));
        (resolution.base.map(|base| base.name), resolution.why.to_string())
    }

    #[test]
    fn the_newest_published_version_that_is_strictly_older() {
        let published = ["0.9.0+1", "1.0.0+2.0", "1.0.0+10.0", "1.1.0+3.0", "2.0.0+4.0"];
        let (base, why) = chosen(Some("1.1.0+3.0"), &[], &published);
        assert_eq!(base.as_deref(), Some("1.0.0+10.0"));
        assert_eq!(why, "the newest published version older than this one");
        assert_eq!(
            chosen(Some("1.1.0+3.1"), &[], &published).0.as_deref(),
            Some("1.1.0+3.0"),
            "the app part decides too"
        );
        assert_eq!(
            chosen(Some("1.1.0+v3.0"), &[], &published).0.as_deref(),
            Some("1.0.0+10.0"),
            "only written otherwise"
        );
        assert_eq!(chosen(Some("9.0.0+1"), &[], &published).0.as_deref(), Some("2.0.0+4.0"));
    }

    #[test]
    fn s05_a_canonical_comes_before_any_tag_and_one_of_the_same_version_steps_back() {
        let green = ["1.0.0+1", "1.1.0+1"];
        let (base, why) = chosen(Some("1.1.0+1"), &green, &["1.0.5+1"]);
        assert_eq!(base.as_deref(), Some("1.0.0+1"));
        assert_eq!(why, "the newest version older than this one that was green here");
        assert_eq!(chosen(Some("1.0.0+1"), &green, &["0.5.0+1"]).0.as_deref(), Some("0.5.0+1"), "without one, a tag");
    }

    #[test]
    fn the_next_candidate_is_known_and_is_another_commit() {
        let mut published = tags(&["1.0.0+1", "0.9.0+1"]);
        let green =
            [Candidate { version: version("1.0.0+1"), commit: published[0].commit.clone(), origin: Origin::Canonical }];
        published.rotate_left(1);
        let resolution = resolve(Some(&version("1.1.0+1")), &green, &published);
        let fitting: Vec<String> = resolution.fitting().map(|one| one.version.to_string()).collect();
        assert_eq!(fitting, ["1.0.0+1", "0.9.0+1"]);
    }

    #[test]
    fn without_a_base_it_is_said_why() {
        assert_eq!(
            chosen(Some("1.0.0+1"), &[], &[]),
            (None, "no version is published: the repository has no tags".into())
        );
        assert_eq!(
            chosen(Some("1.0.0+1"), &[], &["v1.0.0", "latest"]).1,
            "no version is published: 2 tags are there, and none has the form `x.y.z+app`"
        );
        assert_eq!(chosen(Some("1.0.0+1"), &[], &["1.0.0+1", "x"]).1, "no published version is older than this one");
    }

    #[test]
    fn a_head_without_version_takes_the_newest() {
        let (base, why) = chosen(None, &[], &["1.0.0+1", "0.9.0+1"]);
        assert_eq!(base.as_deref(), Some("1.0.0+1"));
        assert_eq!(why, "the newest version there is, since this one has no readable version label");
    }

    #[test]
    fn tags_that_are_no_versions_are_listed_and_skipped() {
        let resolution = resolve(Some(&version("1.0.0+1")), &[], &tags(&["v0.9", "0.8.0+1", "nightly"]));
        assert_eq!(resolution.base.unwrap().name, "0.8.0+1");
        let skipped: Vec<_> = resolution.skipped.iter().map(|one| format!("{}: {}", one.tag, one.why)).collect();
        let why = "`+` and the app's version are missing";
        assert_eq!(skipped, [format!("nightly: {why}"), format!("v0.9: {why}")]);
    }

    #[test]
    fn a_repository_with_very_many_tags_is_told_shortly() {
        let names: Vec<String> = (0..300).map(|n| format!("1.{n}.0+1")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let resolution = resolve(Some(&version("1.100.0+1")), &[], &tags(&names));
        assert_eq!(resolution.base.as_ref().unwrap().name, "1.99.0+1");
        assert_eq!((resolution.considered.len(), resolution.fitting().count()), (2 * TOLD, TOLD));
    }

    fn tag_name() -> impl Strategy<Value = String> {
        prop_oneof![4 => "[0-2]\\.[0-2]\\.[0-2](-rc1)?\\+v?[0-2](\\.[0-2])?", 1 => ".{0,12}"]
    }

    proptest! {
        #[test]
        fn s05_the_choice_is_older_and_nothing_older_is_newer(
            names in prop::collection::btree_set(tag_name(), 0..12),
            head in "[0-2]\\.[0-2]\\.[0-2]\\+v?[0-2]",
            turn in 0_usize..12,
        ) {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let mut tags = tags(&names);
            let head = version(&head);
            let resolution = resolve(Some(&head), &[], &tags);
            let versions = names.iter().filter_map(|name| RecipeVersion::parse(name).ok());
            let older: Vec<RecipeVersion> = versions.filter(|one| one.precedence(&head) == Ordering::Less).collect();
            match &resolution.base {
                None => prop_assert!(older.is_empty()),
                Some(base) => {
                    let base = base.version.clone().unwrap();
                    prop_assert!(base < head && base.precedence(&head) == Ordering::Less);
                    prop_assert!(older.iter().all(|one| one <= &base));
                }
            }
            prop_assert_eq!(resolution.considered.len() + resolution.skipped.len(), names.len(), "each is told");
            if !tags.is_empty() {
                let turn = turn % tags.len();
                tags.rotate_left(turn);
            }
            prop_assert_eq!(resolve(Some(&head), &[], &tags), resolution, "the order of the tags does not matter");
        }

        #[test]
        fn any_tags_are_resolved_and_kept(
            names in prop::collection::vec("(?s).{0,30}", 0..6),
            head in prop::option::of(tag_name()),
        ) {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let head = head.and_then(|text| RecipeVersion::parse(&text).ok());
            let resolution = resolve(head.as_ref(), &[], &tags(&names));
            let stored = serde_json::to_string(&resolution).unwrap();
            prop_assert_eq!(serde_json::from_str::<Resolution>(&stored).unwrap(), resolution);
        }
    }
}
