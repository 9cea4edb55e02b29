//! `.env.sample`: docker's `env_file` syntax as abra reads it: quotes, inline comments, `$VAR` and `${VAR}`, repeated keys.
//!
//! The comment behind a value is kept, because abra reads a secret's modifiers there (`# length=32 charset=hex`).
//! Reading is total: a line that is no assignment is listed, not an error.

use std::collections::{BTreeMap, BTreeSet};

use super::interpolate::is_name;

/// One assignment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The variable.
    pub name: String,
    /// The value without its quotes, before expansion.
    pub value: Value,
    /// What stands behind `#` on the same line.
    pub comment: Option<String>,
    /// The line, from 1.
    pub line: usize,
}

/// A value as it was quoted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Between single quotes: taken as it is.
    Literal(String),
    /// Bare or between double quotes: variables in it are expanded.
    Expandable(String),
}

impl Value {
    /// The value before expansion.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::Literal(text) | Self::Expandable(text) => text,
        }
    }
}

/// What a `.env.sample` says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EnvFile {
    /// The assignments in order; a name may come more than once.
    pub assignments: Vec<Assignment>,
    /// Names that occur only in comments (`#SMTP_HOST=`): documented, not set.
    pub documented: BTreeSet<String>,
    /// Lines, from 1, that are neither assignment, comment nor empty.
    pub unreadable: Vec<usize>,
}

impl EnvFile {
    /// Reads the text; never fails.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut file = Self::default();
        for (line, text) in (1..).zip(text.lines()) {
            let text = text.trim();
            if let Some(comment) = text.strip_prefix('#') {
                file.documented
                    .extend(assignment(comment.trim_start_matches('#').trim(), line).map(|found| found.name));
            } else if !text.is_empty() {
                match assignment(text, line) {
                    Some(found) => file.assignments.push(found),
                    None => file.unreadable.push(line),
                }
            }
        }
        file
    }

    /// The assignment that counts: the last of that name.
    #[must_use]
    pub fn last(&self, name: &str) -> Option<&Assignment> {
        self.assignments.iter().rev().find(|assignment| assignment.name == name)
    }

    /// The variables after expansion, line by line, so that `COMPOSE_FILE="$COMPOSE_FILE:…"` may extend itself.
    /// A name in `ours` has that value from the start and keeps it, whatever the file says. Unset variables are empty.
    #[must_use]
    pub fn expand(&self, ours: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let (mut variables, mut left) = (ours.clone(), MAX_VALUES);
        for assignment in self.assignments.iter().filter(|assignment| !ours.contains_key(&assignment.name)) {
            let mut value = match &assignment.value {
                _ if left == 0 => String::new(),
                Value::Literal(text) => text.clone(),
                Value::Expandable(text) => expand(text, &variables),
            };
            if value.len() > left {
                value.truncate(value.floor_char_boundary(left));
                // What was cut off would be held all the same.
                value.shrink_to_fit();
            }
            left -= value.len();
            variables.insert(assignment.name.clone(), value);
        }
        variables
    }
}

/// The longest value that expansion makes, so that a file cannot double a value line by line for ever.
const MAX_VALUE: usize = 64 << 10;
/// So much all values of a file may have together; what is beyond is cut.
const MAX_VALUES: usize = 4 << 20;

/// The text with `$VAR` and `${VAR}` replaced, `\$` as `$`; anything else with a `$` stays as it is.
fn expand(text: &str, variables: &BTreeMap<String, String>) -> String {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        let (before, after) = rest.split_at(at);
        let after = &after[1..];
        if let Some(before) = before.strip_suffix('\\') {
            expanded.push_str(before);
            expanded.push('$');
            rest = after;
            continue;
        }
        expanded.push_str(before);
        let (name, behind) = reference(after);
        match name {
            Some(name) => expanded.push_str(variables.get(name).map_or("", String::as_str)),
            None => expanded.push('$'),
        }
        rest = behind;
        if expanded.len() > MAX_VALUE {
            break;
        }
    }
    expanded.push_str(rest);
    if expanded.len() > MAX_VALUE {
        expanded.truncate((0..=MAX_VALUE).rev().find(|at| expanded.is_char_boundary(*at)).unwrap_or(0));
    }
    expanded
}

/// The name behind a `$`, if there is one, and what follows it.
fn reference(after: &str) -> (Option<&str>, &str) {
    if let Some((name, behind)) = after.strip_prefix('{').and_then(|braced| braced.split_once('}'))
        && is_name(name)
    {
        return (Some(name), behind);
    }
    let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
    let (name, behind) = after.split_at(end);
    if is_name(name) { (Some(name), behind) } else { (None, after) }
}

/// `NAME=value # comment`, an `export` in front allowed.
fn assignment(text: &str, line: usize) -> Option<Assignment> {
    let text = text.strip_prefix("export ").map_or(text, str::trim_start);
    let (name, value) = text.split_once('=')?;
    let name = name.trim_end();
    let (value, comment) = split_comment(value.trim());
    is_name(name).then(|| Assignment { name: name.to_owned(), value, comment, line })
}

/// The value and what stands behind it as comment: ` #` after a bare value, `#` after a quoted one.
fn split_comment(text: &str) -> (Value, Option<String>) {
    if let Some((value, behind)) = text.strip_prefix('\'').and_then(|quoted| quoted.split_once('\'')) {
        return (Value::Literal(value.to_owned()), comment_in(behind));
    }
    if let Some((value, behind)) = text.strip_prefix('"').and_then(double_quoted) {
        return (Value::Expandable(value), comment_in(behind));
    }
    let bare = |(value, comment): (&str, &str)| (value.trim_end().to_owned(), Some(comment.trim().to_owned()));
    let at = text.char_indices().find(|&(at, c)| c == '#' && (at == 0 || text[..at].ends_with([' ', '\t'])));
    let (value, comment) = match at {
        Some((at, _)) => bare((&text[..at], &text[at + 1..])),
        None => (text.to_owned(), None),
    };
    (Value::Expandable(value), comment)
}

fn comment_in(behind: &str) -> Option<String> {
    behind.split_once('#').map(|(_, comment)| comment.trim().to_owned())
}

/// The text up to the closing quote, its escapes resolved (`\$` is left for expansion), and what follows.
fn double_quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match chars.next()?.1 {
                'n' => value.push('\n'),
                'r' => value.push('\r'),
                't' => value.push('\t'),
                escaped @ ('"' | '\\') => value.push(escaped),
                other => value.extend(['\\', other]),
            },
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn expanded(text: &str) -> BTreeMap<String, String> {
        EnvFile::parse(text).expand(&BTreeMap::new())
    }

    #[test]
    fn quotes_comments_and_repeated_keys() {
        let all = expanded(concat!(
            "TYPE=notes\n# a comment\n\nA=one two # not this\nB=\"a # b\" # c\nC='$A'\nD=\"$A and ${A}!\"\nE=a#b\n",
            "G=\nH= # empty\nA=last\nI=\"line\\nbreak \\\"q\\\" \\$A\"\nEXTRA_DOMAINS=', `www.x`'\nnonsense\n",
        ));
        let of = |name: &str| all[name].as_str();
        assert_eq!((of("A"), of("B"), of("C"), of("D")), ("last", "a # b", "$A", "one two and one two!"));
        assert_eq!((of("E"), of("G"), of("H"), of("EXTRA_DOMAINS")), ("a#b", "", "", ", `www.x`"));
        assert_eq!(of("I"), "line\nbreak \"q\" $A");
    }

    #[test]
    fn compose_file_may_extend_itself() {
        let all = expanded(
            "COMPOSE_FILE=compose.yml\nCOMPOSE_FILE=\"$COMPOSE_FILE:compose.smtp.yml\"\nCOMPOSE_FILE=${COMPOSE_FILE}:sub/x.yml\n",
        );
        assert_eq!(all["COMPOSE_FILE"], "compose.yml:compose.smtp.yml:sub/x.yml");
    }

    #[test]
    fn the_comment_of_a_secret_is_kept_with_its_line() {
        let file = EnvFile::parse("\nSECRET_KEY_VERSION=v1 # length=32 charset=hex\n#SECRET_OLD_VERSION=v1\n oops\n");
        let key = file.last("SECRET_KEY_VERSION").unwrap();
        assert_eq!((key.line, key.comment.as_deref()), (2, Some("length=32 charset=hex")));
        assert!(file.last("SECRET_OLD_VERSION").is_none(), "a commented-out line is no variable");
        assert!(file.documented.contains("SECRET_OLD_VERSION"));
        assert_eq!(file.unreadable, [4]);
    }

    #[test]
    fn our_values_count_from_the_first_line() {
        let ours = BTreeMap::from([("DOMAIN".to_owned(), "ccab.ci.test".to_owned())]);
        let all = EnvFile::parse("URL=https://$DOMAIN\nDOMAIN=notes.example.com\n").expand(&ours);
        assert_eq!((all["URL"].as_str(), all["DOMAIN"].as_str()), ("https://ccab.ci.test", "ccab.ci.test"));
    }

    #[test]
    fn a_value_cannot_be_doubled_for_ever() {
        let text = format!("A=xxxxxxxx\n{}", "A=$A$A\n".repeat(64));
        assert!(expanded(&text)["A"].len() <= MAX_VALUE);
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "(?s).{0,200}") {
            let _ = expanded(&text);
        }

        #[test]
        fn any_assignment_is_read(value in "[ -~é]{0,40}") {
            let file = EnvFile::parse(&format!("A={value}"));
            prop_assert_eq!(file.assignments.len(), 1);
            prop_assert_eq!(file.assignments[0].line, 1);
            let _ = file.expand(&BTreeMap::new());
        }

        #[test]
        fn a_single_quoted_value_is_taken_as_it_is(value in "[ -&(-~]{0,40}") {
            let all = expanded(&format!("A='{value}'"));
            prop_assert_eq!(all["A"].as_str(), value);
        }
    }

    #[test]
    fn all_values_together_are_bounded() {
        let text =
            format!("A={}\n{}", "x".repeat(60_000), (0..1_000).map(|n| format!("B{n}=$A\n")).collect::<String>());
        let values = EnvFile::parse(&text).expand(&BTreeMap::new());
        assert_eq!(values.values().map(String::len).sum::<usize>(), MAX_VALUES);
        assert_eq!((values["B1"].len(), values["B999"].len()), (60_000, 0));
    }
}
