//! Recipe versions, `x.y.z+app`: the left part is the recipe's own semver, what is right of `+` is the app's version in
//! whatever form its makers use (docs.coopcloud.tech, "new version handling").

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};

/// A version of a recipe. Ordered by the recipe's semver, then by the app part as far as it can be read.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RecipeVersion {
    recipe: semver::Version,
    app: String,
}

/// Why a text is no recipe version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a recipe version: {why}")]
pub struct InvalidVersion {
    /// The refused text, shortened to 80 characters.
    pub text: String,
    /// The rule it breaks.
    pub why: &'static str,
}

impl RecipeVersion {
    /// Parses `x.y.z+app`.
    ///
    /// # Errors
    /// When the left part is no semver, or the app part is missing or not printable.
    pub fn parse(text: &str) -> Result<Self, InvalidVersion> {
        let invalid = |why| InvalidVersion { text: text.chars().take(80).collect(), why };
        let (recipe, app) = text.split_once('+').ok_or_else(|| invalid("`+` and the app's version are missing"))?;
        let recipe = semver::Version::parse(recipe).map_err(|_| invalid("left of `+` must be `x.y.z`"))?;
        if app.is_empty() || app.len() > 128 || !app.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(invalid("right of `+` must be the app's version, printable and without spaces"));
        }
        Ok(Self { recipe, app: app.to_owned() })
    }

    /// The recipe's own version.
    #[must_use]
    pub const fn recipe(&self) -> &semver::Version {
        &self.recipe
    }

    /// The app's version.
    #[must_use]
    pub fn app(&self) -> &str {
        &self.app
    }
}

impl RecipeVersion {
    /// Which of two versions an operator would call the newer one: as the order, but texts that only differ in how they are
    /// written (`v1.0`, `1.0`) are equal.
    #[must_use]
    pub fn precedence(&self, other: &Self) -> Ordering {
        self.recipe.cmp(&other.recipe).then_with(|| tokens(&self.app).cmp(&tokens(&other.app)))
    }
}

impl fmt::Display for RecipeVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}", self.recipe, self.app)
    }
}

impl TryFrom<String> for RecipeVersion {
    type Error = InvalidVersion;

    fn try_from(text: String) -> Result<Self, InvalidVersion> {
        Self::parse(&text)
    }
}

impl From<RecipeVersion> for String {
    fn from(version: RecipeVersion) -> Self {
        version.to_string()
    }
}

impl Ord for RecipeVersion {
    fn cmp(&self, other: &Self) -> Ordering {
        self.precedence(other).then_with(|| self.app.cmp(&other.app))
    }
}

impl PartialOrd for RecipeVersion {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A piece of an app version. The order of the variants is the order of versions: `1.0-rc1 < 1.0 < 1.0-social < 1.0.1`.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Token<'a> {
    /// `alpha`, `beta`, `rc` …: what comes before the release.
    Before(u8, &'a str),
    /// Nothing follows.
    End,
    /// Any other word.
    Word(&'a str),
    /// Digits, compared as a number of any size: by length without leading zeros, then as text.
    Number(usize, &'a str),
}

/// A version as pieces that compare one by one; a total order, whatever the text.
fn tokens(app: &str) -> Vec<Token<'_>> {
    let app = app.strip_prefix(['v', 'V']).filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit())).unwrap_or(app);
    let mut pieces: Vec<Token<'_>> = Vec::new();
    for part in app.split(|c: char| !c.is_ascii_alphanumeric()) {
        let mut rest = part;
        while let Some(first) = rest.chars().next() {
            let digits = first.is_ascii_digit();
            let end = rest.find(|c: char| c.is_ascii_digit() != digits).unwrap_or(rest.len());
            let (piece, after) = rest.split_at(end);
            pieces.push(if digits { number(piece) } else { word(piece) });
            rest = after;
        }
    }
    pieces.push(Token::End);
    pieces
}

fn number(piece: &str) -> Token<'_> {
    let digits = piece.trim_start_matches('0');
    Token::Number(digits.len(), digits)
}

fn word(piece: &str) -> Token<'_> {
    const BEFORE: [&str; 6] = ["dev", "alpha", "a", "beta", "b", "rc"];
    let rank = BEFORE.iter().zip(0u8..).find(|(name, _)| piece.eq_ignore_ascii_case(name));
    rank.map_or(Token::Word(piece), |(name, rank)| Token::Before(rank, name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn version(text: &str) -> RecipeVersion {
        RecipeVersion::parse(text).unwrap()
    }

    #[test]
    fn the_left_part_decides_then_the_app_part() {
        let ordered = [
            "0.1.0+99",
            "1.0.0-rc1+2.0",
            "1.0.0+1.9.0-rc1",
            "1.0.0+1.9.0",
            "1.0.0+1.9.0-social",
            "1.0.0+1.10.0",
            "1.0.0+v1.10.1",
            "1.0.0+2024.01.02",
            "1.1.0+1.0",
            "2.0.1+1.0.6-social-amd64",
            "10.0.0+0",
        ];
        for pair in ordered.windows(2) {
            assert!(version(pair[0]) < version(pair[1]), "{} < {}", pair[0], pair[1]);
        }
    }

    #[test]
    fn what_is_no_version_says_why() {
        let error = RecipeVersion::parse("0.0.1").unwrap_err();
        assert_eq!(error.to_string(), "`0.0.1` is not a recipe version: `+` and the app's version are missing");
        for bad in ["", "+", "1.0+1", "v1.0.0+1", "1.0.0+", "1.0.0+a b", "latest+1"] {
            assert!(RecipeVersion::parse(bad).is_err(), "{bad:?}");
        }
        assert_eq!(version("3.0.10+1.10.8").to_string(), "3.0.10+1.10.8");
    }

    proptest! {
        #[test]
        fn the_order_is_total(a in "[0-9a-c.+v-]{1,8}", b in "[0-9a-c.+v-]{1,8}", c in "[0-9a-c.+v-]{1,8}") {
            let (a, b, c) = (version(&format!("1.0.0+{a}")), version(&format!("1.0.0+{b}")), version(&format!("1.0.0+{c}")));
            prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
            prop_assert!(!(a <= b && b <= c) || a <= c);
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,40}") {
            let _ = RecipeVersion::parse(&text);
        }
    }
}
