//! YAML as a tree with budgets, and where something stands in the text.

use serde_json::Value;

/// Why a text is no YAML that we read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct YamlError {
    /// The line, from 1, where it is known.
    pub line: Option<usize>,
    /// The parser's message, one line.
    pub message: String,
}

/// The text as a tree: anchors and merge keys resolved, duplicate keys refused (as docker does), sizes bounded.
///
/// # Errors
/// When it is no YAML, has several documents, or exceeds a budget.
pub fn parse(text: &str) -> Result<Value, YamlError> {
    if text.len() > super::files::MAX_TEXT {
        return Err(YamlError { line: None, message: "the file is too large".to_owned() });
    }
    let options = serde_saphyr::options! {
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        with_snippet: false,
        // Two hundred services that share twenty lines are read; what doubles itself again and again is given up within a moment.
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: 20_000 },
        budget: serde_saphyr::budget! { max_nodes: 100_000, max_anchors: 1_000, max_aliases: 5_000, max_recorded_anchor_events: 50_000, max_total_scalar_bytes: 4 << 20, enforce_alias_anchor_ratio: false },
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let line = error.location().and_then(|location| usize::try_from(location.line()).ok()).filter(|line| *line > 0);
        let message = error.to_string();
        let message = message.lines().next().unwrap_or_default().chars().take(300).collect();
        YamlError { line, message }
    })
}

/// A scalar as docker's loader writes it into a string; nothing for null, lists and maps.
#[must_use]
pub fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// What becomes of a text at a path.
pub type Change<'c, E> = &'c mut dyn FnMut(&[String], &str) -> Result<String, E>;

/// Calls `change` with each text of the tree and its path (`services.app.image`; list items as `[]`). Keys are not visited.
///
/// # Errors
/// The first error of `change`, with the path.
pub fn try_map_texts<E>(value: &mut Value, path: &mut Vec<String>, change: Change<'_, E>) -> Result<(), E> {
    match value {
        Value::String(text) => *text = change(path, text)?,
        Value::Array(items) => {
            path.push("[]".to_owned());
            for item in items {
                try_map_texts(item, path, change)?;
            }
            path.pop();
        }
        Value::Object(entries) => {
            for (key, entry) in entries {
                path.push(key.clone());
                try_map_texts(entry, path, change)?;
                path.pop();
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
    Ok(())
}

/// The line, from 1, on which the block-style key at that path stands: the deepest part that can be found. Good enough to
/// lead a person there; flow style and anchors end the search early.
#[must_use]
pub fn line_of(text: &str, path: &[&str]) -> Option<usize> {
    let mut found = None;
    let mut outer: Option<usize> = None;
    let mut level: Option<usize> = None;
    let mut wanted = path.iter();
    let mut next = wanted.next()?;
    for (line, content) in (1..).zip(text.lines()) {
        let trimmed = content.trim_start();
        if trimmed.is_empty() || trimmed.starts_with('#') || trimmed == "---" {
            continue;
        }
        let indent = content.len() - trimmed.len();
        let same_level_item = trimmed.starts_with("- ");
        if outer.is_some_and(|outer| indent < outer || (indent == outer && !same_level_item)) {
            return found;
        }
        if level.is_none() {
            level = Some(indent);
        }
        if level == Some(indent) && key(trimmed) == Some(*next) {
            found = Some(line);
            outer = Some(indent);
            level = None;
            match wanted.next() {
                Some(part) => next = part,
                None => return found,
            }
        }
    }
    found
}

/// The key of a line `key: …`, without quotes.
fn key(line: &str) -> Option<&str> {
    let (key, behind) = line.split_once(':')?;
    (behind.is_empty() || behind.starts_with([' ', '\t'])).then(|| key.trim_end().trim_matches(['"', '\'']))
}

/// The first line, from 1, that contains all of the texts.
#[must_use]
pub fn line_with(text: &str, all: &[&str]) -> Option<usize> {
    let holds = |line: &str| !line.trim_start().starts_with('#') && all.iter().all(|wanted| line.contains(wanted));
    text.lines().position(holds).map(|line| line + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TEXT: &str = "---\nx-a: &a\n  image: no\nservices:\n  # app:\n  db:\n    image: x\n  app:\n    deploy:\n      labels:\n        - \"image: 1\"\n    image: y\nvolumes:\n  app:\n";

    #[test]
    fn many_services_may_share_their_lines() {
        let shared: String = (0..20).map(|n| format!("  key{n}: value\n")).collect();
        let services: String = (0..200).map(|n| format!("  s{n}:\n    <<: *all\n    image: a:{n}\n")).collect();
        let tree = parse(&format!("x-all: &all\n{shared}services:\n{services}")).unwrap();
        assert_eq!(tree["services"]["s199"]["key19"], "value");
    }

    #[test]
    fn lines_of_keys() {
        assert_eq!(line_of(TEXT, &["services", "app", "image"]), Some(12));
        assert_eq!(line_of(TEXT, &["services", "db", "image"]), Some(7));
        assert_eq!(line_of(TEXT, &["services", "db", "healthcheck"]), Some(6), "the deepest part that is there");
        assert_eq!(line_of(TEXT, &["volumes", "app"]), Some(14));
        assert_eq!(line_of(TEXT, &["secrets"]), None);
        assert_eq!(line_with(TEXT, &["image", "y"]), Some(12));
    }

    #[test]
    fn anchors_and_merge_keys_are_resolved_and_bombs_refused() {
        let tree = parse("a: &a {x: 1, y: no}\nb:\n  <<: *a\n  x: 2\n").unwrap();
        assert_eq!((scalar(&tree["b"]["x"]), scalar(&tree["b"]["y"])), (Some("2".into()), Some("no".into())));
        let mut bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
        for n in 1..9 {
            let alias = format!("*a{}", n - 1);
            bomb.push_str(&format!("a{n}: &a{n} [{}]\n", [alias.as_str(); 10].join(",")));
        }
        assert!(parse(&bomb).is_err());
        let error = parse("a: 1\na: 2\n").unwrap_err();
        assert_eq!(error.line, Some(2), "{error}");
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "(?s).{0,120}|[a-z:&*<> \n{}\\[\\]\"'|-]{0,80}") {
            let _ = parse(&text);
            let _ = line_of(&text, &["services", "a"]);
        }
    }
}
