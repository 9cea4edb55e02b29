//! `abra.sh` as data: its `export NAME=value` lines are parsed and nothing is executed.
//!
//! Only lines that begin with `export` count; what is indented belongs to a function that runs in a container. A value that
//! a shell would have to compute is reported, not guessed.

use std::collections::{BTreeMap, BTreeSet};

use super::interpolate::is_name;

/// One exported variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    /// The variable.
    pub name: String,
    /// Its value.
    pub value: String,
    /// The line, from 1.
    pub line: usize,
}

/// An export whose value only a shell could tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// The variable, as far as it could be read.
    pub name: String,
    /// The line, from 1.
    pub line: usize,
}

/// What an `abra.sh` exports.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AbraSh {
    /// In order; the last of a name counts.
    pub exports: Vec<Export>,
    /// Exports that are not read.
    pub unreadable: Vec<Unreadable>,
    /// Of all values.
    bytes: usize,
}

/// A longer value is not read, nor are more exports than this, nor more bytes of them: values may name each other.
const MAX_VALUE: usize = 64 << 10;
const MAX_EXPORTS: usize = 1_000;
const MAX_VALUES: usize = 1 << 20;

impl AbraSh {
    /// Reads the text; never fails.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut read = Self::default();
        for (line, text) in (1..).zip(text.lines()) {
            if let Some(rest) = text.strip_prefix("export").filter(|rest| rest.starts_with([' ', '\t'])) {
                read.export(rest, line);
            }
        }
        read
    }

    /// Names and values, the last of each name.
    #[must_use]
    pub fn values(&self) -> BTreeMap<String, String> {
        self.exports.iter().map(|export| (export.name.clone(), export.value.clone())).collect()
    }

    /// All words behind one `export`.
    fn export(&mut self, mut rest: &str, line: usize) {
        loop {
            rest = rest.trim_start_matches([' ', '\t']);
            if rest.is_empty() || rest.starts_with(['#', ';', '&', '|']) {
                return;
            }
            let name_end = rest.find(['=', ' ', '\t', ';']).unwrap_or(rest.len());
            let (name, behind) = rest.split_at(name_end);
            let Some(value) = behind.strip_prefix('=') else {
                rest = behind;
                continue;
            };
            let room = self.exports.len() < MAX_EXPORTS && self.bytes <= MAX_VALUES;
            match (is_name(name) && room, self.word(value)) {
                (true, Some((value, behind))) => {
                    self.bytes += value.len();
                    self.exports.push(Export { name: name.to_owned(), value, line });
                    rest = behind;
                }
                _ => {
                    self.unreadable.push(Unreadable { name: name.chars().take(80).collect(), line });
                    return;
                }
            }
        }
    }

    /// A shell word without its quotes and what follows; nothing when a shell would have to compute it.
    fn word<'a>(&self, text: &'a str) -> Option<(String, &'a str)> {
        let mut word = String::new();
        let mut double = false;
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            if word.len() > MAX_VALUE {
                return None;
            }
            let after = &rest[c.len_utf8()..];
            rest = match c {
                '"' => {
                    double = !double;
                    after
                }
                '\'' if !double => {
                    let (quoted, after) = after.split_once('\'')?;
                    word.push_str(quoted);
                    after
                }
                '\\' => {
                    let escaped = after.chars().next()?;
                    word.push(escaped);
                    &after[escaped.len_utf8()..]
                }
                '$' => {
                    let (value, after) = self.known(after)?;
                    word.push_str(value);
                    after
                }
                '`' | '(' => return None,
                ' ' | '\t' | ';' | '&' | '|' if !double => return Some((word, rest)),
                other => {
                    word.push(other);
                    after
                }
            };
        }
        (!double).then_some((word, rest))
    }

    /// The value of `NAME` or `{NAME}` if it was exported above, and what follows.
    fn known<'a>(&self, after: &'a str) -> Option<(&str, &'a str)> {
        let (name, behind) = match after.strip_prefix('{') {
            Some(braced) => braced.split_once('}')?,
            None => after.split_at(after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len())),
        };
        let export = self.exports.iter().rev().find(|export| export.name == name)?;
        Some((&export.value, behind))
    }
}

/// The functions that an `abra.sh` defines, which `abra app cmd` could call: by lines such as `name() {` and `function name`.
#[must_use]
pub fn functions(text: &str) -> BTreeSet<&str> {
    text.lines().filter_map(|line| function(line.trim_start())).collect()
}

fn function(line: &str) -> Option<&str> {
    let keyword = line.strip_prefix("function").filter(|rest| rest.starts_with([' ', '\t']));
    let rest = keyword.unwrap_or(line).trim_start();
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '-')).unwrap_or(rest.len());
    let (name, behind) = rest.split_at(end);
    let parentheses = behind.trim_start().strip_prefix('(').is_some_and(|inner| inner.trim_start().starts_with(')'));
    (!name.is_empty() && (keyword.is_some() || parentheses)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn exports_are_read_as_data() {
        let read = AbraSh::parse(concat!(
            "#!/bin/bash\nexport APP_CONF_VERSION=v1 # bump me\nexport A=\"two words\" B='$raw'; export C=no\n",
            "export D=${A}-x\nexport NAME_ONLY\nnot_exported=1\n\nbackup() {\n  export PGPASSWORD=$(cat /run/secrets/x)\n}\n",
        ));
        let values = read.values();
        assert_eq!(values["APP_CONF_VERSION"], "v1");
        assert_eq!(
            (values["A"].as_str(), values["B"].as_str(), values["D"].as_str()),
            ("two words", "$raw", "two words-x")
        );
        assert_eq!(values.len(), 4);
        assert!(read.unreadable.is_empty(), "what a function exports is not ours");
    }

    #[test]
    fn computed_exports_are_reported_not_executed() {
        let read =
            AbraSh::parse("export A=$(touch /x)\nexport B=`id`\nexport C=${UNKNOWN}\nexport D=\"open\nexport E=ok\n");
        let lines: Vec<_> = read.unreadable.iter().map(|export| (export.name.as_str(), export.line)).collect();
        assert_eq!(lines, [("A", 1), ("B", 2), ("C", 3), ("D", 4)]);
        assert_eq!(read.values(), BTreeMap::from([("E".to_owned(), "ok".to_owned())]));
    }

    #[test]
    fn functions_are_found_by_how_they_begin() {
        let text = concat!(
            "#!/bin/bash\nbackup() {\n  helper () { true; }\n}\nfunction restore {\n}\n\tfunction make-user() {\n",
            "# commented() {\necho hello()\nfunctional\nx=$(y)\nbrace()\n{\n",
        );
        assert_eq!(functions(text), BTreeSet::from(["backup", "brace", "helper", "make-user", "restore"]));
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "(?s)(export |function )?.{0,120}") {
            let _ = (AbraSh::parse(&text), functions(&text));
        }

        #[test]
        fn any_export_is_read_or_reported(value in "[ -~é]{1,40}") {
            let read = AbraSh::parse(&format!("export A={value}"));
            prop_assert!(read.exports.len() + read.unreadable.len() >= 1);
        }
    }

    #[test]
    fn values_that_name_each_other_stay_bounded() {
        let long = "x".repeat(60_000);
        let text = format!("export A={long}\nexport B={}\n{}", "$A".repeat(100_000), "export C=$A\n".repeat(10_000));
        let read = AbraSh::parse(&text);
        assert!(read.values()["A"] == long && !read.values().contains_key("B"), "a value that is too long is not read");
        let bytes: usize = read.exports.iter().map(|export| export.value.len()).sum();
        assert!(bytes <= MAX_VALUES + MAX_VALUE + 60_000 && read.unreadable.len() > 9_000, "{bytes}");
    }
}
