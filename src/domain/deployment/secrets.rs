//! Secrets that an app needs before it is deployed: their names, versions, and how they are made.

use super::variables::Variables;
use super::{Facts, PlanError, stack};
use crate::domain::recipe::interpolate::{Fallback, Use, uses};

/// How long a secret is whose comment says nothing. (abra makes a passphrase then; its length is not documented.)
const DEFAULT_LENGTH: usize = 32;
/// The longest secret that is generated.
const MAX_LENGTH: usize = 4096;

/// One secret of a deploy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretPlan {
    /// Its key in the compose file.
    pub name: String,
    /// Its name in the Swarm, as the compose file's `name:` says: usually `<stack>_<name>_<version>`.
    pub full_name: String,
    /// Its version, e.g. `v1`.
    pub version: String,
    /// How many characters it has.
    pub length: usize,
    /// Of which characters it is made.
    pub charset: Charset,
    /// Whether it is generated; `# generate=false` means that somebody must insert it.
    pub generate: bool,
}

/// Characters that a secret is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charset(String);

impl Charset {
    const ALPHANUMERIC: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

    /// The characters of a modifier's value, names joined by commas; nothing for an unknown name.
    #[must_use]
    pub fn named(names: &str) -> Option<Self> {
        let mut all = String::new();
        for name in names.split(',').map(str::trim) {
            let part = match name {
                "default" | "alnum" => Self::ALPHANUMERIC,
                "special" => "!@#$%^&*_-+=",
                "safespecial" => "!@#%^&*_-+=",
                "hex" => "0123456789abcdef",
                _ => return None,
            };
            all.extend(part.chars().filter(|c| !all.contains(*c)).collect::<Vec<_>>());
        }
        Some(Self(all))
    }

    /// The characters, each once.
    #[must_use]
    pub fn characters(&self) -> &str {
        &self.0
    }
}

impl Default for Charset {
    fn default() -> Self {
        Self(Self::ALPHANUMERIC.to_owned())
    }
}

impl SecretPlan {
    /// How many random bytes [`generate`](Self::generate) needs.
    #[must_use]
    pub const fn random_len(&self) -> usize {
        self.length * 4
    }

    /// The secret that these random bytes stand for: four bytes a character, so that no character is noticeably more likely.
    /// Nothing when there are fewer than [`random_len`](Self::random_len) bytes.
    #[must_use]
    pub fn generate(&self, random: &[u8]) -> Option<String> {
        let characters = self.charset.characters().as_bytes();
        let (chunks, _) = random.as_chunks::<4>();
        let pick = |chunk: &[u8; 4]| {
            let number = usize::try_from(u32::from_le_bytes(*chunk)).ok()?;
            characters.get(number.checked_rem(characters.len())?).copied().map(char::from)
        };
        (chunks.len() >= self.length).then(|| chunks[..self.length].iter().map(pick).collect())?
    }
}

/// The secrets that services of the selected compose files use, by name.
pub(super) fn plan(
    stack: &stack::Stack,
    variables: &Variables,
    facts: &Facts,
    notes: &mut Vec<String>,
) -> Result<Vec<SecretPlan>, PlanError> {
    let mut used: Vec<&String> = stack
        .compose
        .services
        .values()
        .flat_map(|service| service.secrets.iter().map(|secret| &secret.source))
        .collect();
    used.sort();
    used.dedup();
    let mut plans = Vec::new();
    for key in used {
        let (Some(resource), Some(raw)) = (stack.compose.secrets.get(key), stack.raw.secrets.get(key)) else {
            let what = format!("a service uses the secret `{key}`, which no selected compose file declares");
            return Err(PlanError::new(None, None, what, "declare it under the top-level `secrets:`"));
        };
        if !resource.external {
            continue;
        }
        let full_name = stack::full_name(key, resource, facts);
        stack::valid_name("secret", key, &full_name)?;
        match raw.name.as_deref().and_then(version_variable) {
            Some(variable) => plans.push(secret(key, full_name, variable, variables, notes)),
            None => {
                notes.push(format!("the secret `{key}` has the fixed name `{full_name}`: it must exist on the target"));
            }
        }
    }
    Ok(plans)
}

/// The variable in a secret's `name:` that holds its version.
fn version_variable(name: &str) -> Option<Use<'_>> {
    uses(name).filter(|used| used.name.ends_with("_VERSION")).last()
}

fn secret(
    key: &str,
    full_name: String,
    variable: Use<'_>,
    variables: &Variables,
    notes: &mut Vec<String>,
) -> SecretPlan {
    let set = variables.process.get(variable.name).filter(|version| !version.is_empty());
    let version = match (set, variable.fallback) {
        (Some(version), _) => version.clone(),
        (None, Fallback::Default(version)) => version.to_owned(),
        (None, Fallback::Empty | Fallback::Required(_)) => String::new(),
    };
    let comment =
        variables.sample.last(variable.name).and_then(|assignment| assignment.comment.as_deref()).unwrap_or_default();
    let modifier = |name: &str| comment.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    let length = modifier("length").map(|text| {
        let length = text.parse().ok().filter(|length| (1..=MAX_LENGTH).contains(length));
        length.unwrap_or_else(|| {
            notes.push(format!("the length of the secret `{key}` is not 1 to {MAX_LENGTH}: {DEFAULT_LENGTH} is used"));
            DEFAULT_LENGTH
        })
    });
    let charset = modifier("charset").map(|names| {
        Charset::named(names).unwrap_or_else(|| {
            notes
                .push(format!("the charset `{names}` of the secret `{key}` is not known: letters and digits are used"));
            Charset::default()
        })
    });
    SecretPlan {
        name: key.to_owned(),
        full_name,
        version,
        length: length.unwrap_or(DEFAULT_LENGTH),
        charset: charset.unwrap_or_default(),
        generate: modifier("generate") != Some("false"),
    }
}
