//! Hides the values of a run's secrets in everything that is kept or shown.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use secrecy::{ExposeSecret as _, SecretString};

/// What stands where a secret stood.
const MASK: &str = "•••";
/// Shorter values are not masked: they would also hide half of the log.
pub const SHORTEST: usize = 6;

/// Of base64 a shorter piece could be anything.
const SHORTEST_BASE64: usize = 8;

/// Knows the values that must not be seen.
#[derive(Debug, Default, Clone)]
pub struct Masker {
    secrets: Vec<SecretString>,
}

impl Masker {
    /// Learns one more value, and the forms that it has inside a JSON text, an address, and base64; of a value of several lines each
    /// line, since logs are read line by line.
    pub fn learn(&mut self, value: &SecretString) {
        let whole = value.expose_secret();
        let lines = whole.lines().map(str::trim).filter(|line| *line != whole);
        for plain in std::iter::once(whole).chain(lines).filter(|plain| plain.len() >= SHORTEST) {
            let json = serde_json::to_string(plain).unwrap_or_default();
            let json = json.get(1..json.len().saturating_sub(1)).unwrap_or_default().to_owned();
            for form in [plain.to_owned(), json].into_iter().chain(in_address(plain)).chain(in_base64(plain)) {
                if form.len() >= SHORTEST && !self.secrets.iter().any(|known| known.expose_secret() == form) {
                    self.secrets.push(SecretString::from(form));
                }
            }
        }
        // The longest first, so that a secret that contains another one is hidden whole.
        self.secrets.sort_by_key(|secret| std::cmp::Reverse(secret.expose_secret().len()));
    }

    /// The same in each text of a JSON value; keys stay.
    pub fn mask_texts(&self, value: &mut serde_json::Value) {
        match value {
            serde_json::Value::String(text) => *text = self.mask(text),
            serde_json::Value::Array(items) => items.iter_mut().for_each(|item| self.mask_texts(item)),
            serde_json::Value::Object(entries) => entries.values_mut().for_each(|entry| self.mask_texts(entry)),
            serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Number(_) => {}
        }
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

/// As programs write it into an address: with `%XX`, and with `+` for a space.
fn in_address(plain: &str) -> [String; 3] {
    let form: String = url::form_urlencoded::byte_serialize(plain.as_bytes()).collect();
    let percent = form.replace('+', "%20");
    let path: String = url::Url::parse("x://h").map_or_else(
        |_| String::new(),
        |mut url| {
            url.set_password(Some(plain)).map_or_else(|()| String::new(), |()| url.password().unwrap_or("").to_owned())
        },
    );
    [form, percent, path]
}

/// As it stands in base64, wherever in the encoded text it begins: at each of three offsets, without the characters at its ends
/// that depend on its neighbours. So `Authorization: Basic …` is hidden too.
fn in_base64(plain: &str) -> impl Iterator<Item = String> {
    [STANDARD, URL_SAFE].into_iter().flat_map(move |engine| {
        (0..3_usize).map(move |offset| {
            let mut bytes = vec![0; offset];
            bytes.extend_from_slice(plain.as_bytes());
            let whole = bytes.len() / 3 * 4;
            // `offset` foreign bytes share their last character with the first of ours.
            let from = if offset == 0 { 0 } else { offset + 1 };
            let encoded = engine.encode(&bytes);
            let core = encoded.get(from..whole).unwrap_or_default();
            if core.len() >= SHORTEST_BASE64 { core.to_owned() } else { String::new() }
        })
    })
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

    #[test]
    fn s67_a_value_is_hidden_wherever_it_stands() {
        let mut masker = Masker::default();
        masker.learn(&SecretString::from("hunter2".to_owned()));
        assert_eq!(masker.mask("hunter2, hunter2hunter2 and hunter2"), "•••, •••••• and •••");
    }

    #[test]
    fn s67_values_are_hidden_in_addresses_and_base64_wherever_they_stand() {
        let secret = "p/w+with space&?é";
        let mut masker = Masker::default();
        masker.learn(&SecretString::from(secret.to_owned()));
        let address: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        let mut url = url::Url::parse("https://user@example.org/").unwrap();
        url.set_password(Some(secret)).unwrap();
        let forms =
            [secret.to_owned(), address.clone(), address.replace('+', "%20"), url.password().unwrap().to_owned()];
        for text in forms {
            assert_eq!(masker.mask(&format!("<{text}>")), "<•••>", "{text}");
        }
        for before in ["", "a", "ab", "user:", "user:x"] {
            for engine in [STANDARD, URL_SAFE] {
                let text = engine.encode(format!("{before}{secret}!"));
                let masked = masker.mask(&text);
                assert!(masked.contains("•••"), "{before}: {masked}");
                // What stays of it are at most two characters at each end, with those of its neighbours.
                let shown = masked.replace("•••", "").trim_end_matches('=').len();
                assert!(shown <= before.len().div_ceil(3) * 4 + 8, "{before}: {masked}");
            }
        }
    }

    #[test]
    fn s67_a_value_of_several_lines_is_hidden_line_by_line() {
        let mut masker = Masker::default();
        masker.learn(&SecretString::from("-----BEGIN KEY-----\nMIIBVwIBADANBg\nab\n".to_owned()));
        assert_eq!(masker.mask("  MIIBVwIBADANBg"), "  •••");
        let mut json = serde_json::json!({"MIIBVwIBADANBg": ["MIIBVwIBADANBg", 5]});
        masker.mask_texts(&mut json);
        assert_eq!(json, serde_json::json!({"MIIBVwIBADANBg": ["•••", 5]}));
    }
}
