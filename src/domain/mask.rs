//! Hides the values of a run's secrets in everything that is kept or shown.

use secrecy::{ExposeSecret as _, SecretString};

/// What stands where a secret stood.
const MASK: &str = "•••";
/// Shorter values are not masked: they would also hide half of the log.
const SHORTEST: usize = 6;

/// Knows the values that must not be seen.
#[derive(Debug, Default, Clone)]
pub struct Masker {
    secrets: Vec<SecretString>,
}

impl Masker {
    /// Learns one more value, and the form it has inside a JSON text.
    pub fn learn(&mut self, value: &SecretString) {
        let plain = value.expose_secret();
        let quoted = serde_json::to_string(plain).unwrap_or_default();
        let quoted = quoted.trim_matches('"');
        for form in [plain, quoted] {
            if form.len() >= SHORTEST && !self.secrets.iter().any(|known| known.expose_secret() == form) {
                self.secrets.push(SecretString::from(form.to_owned()));
            }
        }
        // The longest first, so that a secret that contains another one is hidden whole.
        self.secrets.sort_by_key(|secret| std::cmp::Reverse(secret.expose_secret().len()));
    }

    /// The text with every known value hidden.
    #[must_use]
    pub fn mask(&self, text: &str) -> String {
        let hide = |text: String, secret: &SecretString| {
            let secret = secret.expose_secret();
            if text.contains(secret) { text.replace(secret, MASK) } else { text }
        };
        self.secrets.iter().fold(text.to_owned(), hide)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_hidden_also_inside_json_and_inside_each_other() {
        let mut masker = Masker::default();
        for secret in ["hunter2hunter2", "hunter2", "a\"quote\\d", "abc"] {
            masker.learn(&SecretString::from(secret.to_owned()));
        }
        let masked = masker.mask(r#"pw=hunter2hunter2; {"k":"a\"quote\\d"} abc hunter2"#);
        assert_eq!(masked, r#"pw=•••; {"k":"•••"} abc •••"#);
    }
}
