//! Interpolation of compose values, exactly as `docker stack deploy` does it (tried with docker 28.2.2):
//! `$VAR`, `${VAR}`, `${VAR:-default}`, `${VAR-default}`, `${VAR:?message}`, `${VAR?message}`, `$$`.
//!
//! Three surprises are docker's own: a default also follows a bare name (`$VAR-x` is `${VAR-x}`), defaults are not
//! interpolated again (no nesting), and `${VAR:+x}` is refused although other programs know it.

/// Whether the text is a variable's name.
#[must_use]
pub fn is_name(text: &str) -> bool {
    text.len() <= 256
        && text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// What happens when the variable is not set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fallback<'a> {
    /// It is empty, with a warning.
    Empty,
    /// It has this default.
    Default(&'a str),
    /// The deploy fails with this message.
    Required(&'a str),
}

/// One place where a variable is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Use<'a> {
    /// The variable.
    pub name: &'a str,
    /// Without it.
    pub fallback: Fallback<'a>,
    /// Whether an empty value counts as not set (`:-`, `:?`).
    pub empty_counts_as_unset: bool,
}

/// A piece of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Text as it is; `$$` has become `$`.
    Text(&'a str),
    /// A variable.
    Variable(Use<'a>),
    /// Something behind a `$` that docker refuses.
    Invalid(&'a str),
}

/// Why a value cannot be interpolated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InterpolateError {
    /// Docker refuses the text; the part that it stumbles over.
    #[error("`{0}` is not a variable that docker reads; write `$$` for a dollar sign")]
    Invalid(String),
    /// A required variable has no value.
    #[error("the required variable `{name}` is not set: {message}")]
    Required {
        /// The variable.
        name: String,
        /// The recipe's message.
        message: String,
    },
    /// What comes out is longer than any file that is read.
    #[error("it becomes longer than {} MiB", super::files::MAX_TEXT >> 20)]
    TooLong,
}

/// The value as pieces; never fails.
#[must_use]
pub fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        if at > 0 {
            found.push(Piece::Text(&rest[..at]));
        }
        let (piece, behind) = piece(&rest[at..]);
        found.push(piece);
        rest = behind;
    }
    if !rest.is_empty() {
        found.push(Piece::Text(rest));
    }
    found
}

/// The piece at the front of a text that begins with `$`, and what follows.
fn piece(text: &str) -> (Piece<'_>, &str) {
    let after = &text[1..];
    if let Some(behind) = after.strip_prefix('$') {
        return (Piece::Text(&after[..1]), behind);
    }
    if let Some(braced) = after.strip_prefix('{') {
        let (inner, behind) = braced.split_once('}').unwrap_or((braced, ""));
        return match variable(inner) {
            Some((used, "")) if braced.len() > inner.len() => (Piece::Variable(used), behind),
            _ => (Piece::Invalid(&text[..text.len() - behind.len()]), behind),
        };
    }
    match variable(after) {
        Some((used, behind)) => (Piece::Variable(used), behind),
        None => {
            let end = after.chars().next().map_or(1, |c| 1 + c.len_utf8());
            (Piece::Invalid(&text[..end]), &text[end..])
        }
    }
}

/// A name, perhaps with a fallback up to the next `}`, and what follows.
fn variable(text: &str) -> Option<(Use<'_>, &str)> {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    let (name, behind) = text.split_at(end);
    if !is_name(name) {
        return None;
    }
    let (colon, operator) = behind.strip_prefix(':').map_or((false, behind), |rest| (true, rest));
    let fallback = operator.get(1..).filter(|_| operator.starts_with(['-', '?']));
    let Some(fallback) = fallback else {
        return Some((Use { name, fallback: Fallback::Empty, empty_counts_as_unset: false }, behind));
    };
    let (fallback, behind) = fallback.split_at(fallback.find('}').unwrap_or(fallback.len()));
    let fallback = if operator.starts_with('-') { Fallback::Default(fallback) } else { Fallback::Required(fallback) };
    Some((Use { name, fallback, empty_counts_as_unset: colon }, behind))
}

/// The variables of a value, in order, as often as they are used.
pub fn uses(text: &str) -> impl Iterator<Item = Use<'_>> {
    pieces(text).into_iter().filter_map(|piece| match piece {
        Piece::Variable(used) => Some(used),
        Piece::Text(_) | Piece::Invalid(_) => None,
    })
}

/// The value with its variables replaced; `lookup` says what is set.
///
/// # Errors
/// When docker refuses the text or a required variable is not set.
pub fn interpolate<'e>(text: &str, lookup: &dyn Fn(&str) -> Option<&'e str>) -> Result<String, InterpolateError> {
    let mut done = String::with_capacity(text.len());
    for piece in pieces(text) {
        if done.len() > super::files::MAX_TEXT {
            return Err(InterpolateError::TooLong);
        }
        match piece {
            Piece::Text(text) => done.push_str(text),
            Piece::Invalid(part) => return Err(InterpolateError::Invalid(part.chars().take(80).collect())),
            Piece::Variable(used) => {
                let value = lookup(used.name).filter(|value| !(used.empty_counts_as_unset && value.is_empty()));
                match (value, used.fallback) {
                    (Some(value), _) | (None, Fallback::Default(value)) => done.push_str(value),
                    (None, Fallback::Empty) => {}
                    (None, Fallback::Required(message)) => {
                        return Err(InterpolateError::Required {
                            name: used.name.to_owned(),
                            message: message.to_owned(),
                        });
                    }
                }
            }
        }
    }
    Ok(done)
}

/// The text so that interpolation gives it back as it is.
#[must_use]
pub fn escape(text: &str) -> String {
    text.replace('$', "$$")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn with_a_and_empty_e(text: &str) -> Result<String, InterpolateError> {
        interpolate(text, &|name| match name {
            "a" => Some("1"),
            "e" => Some(""),
            _ => None,
        })
    }

    #[test]
    fn it_reads_what_docker_reads() {
        // Each line was given to `docker stack config` 28.2.2 with a=1, e= and c unset.
        for (text, value) in [
            ("$a-b", "1"),
            ("$c-b", "b"),
            ("$c-b}x$a", "b}x1"),
            ("$c:-b", "b"),
            ("${c:-}x", "x"),
            ("${e-d}", ""),
            ("${e:-d}", "d"),
            ("${e?d}", ""),
            ("$A", ""),
            ("${c--}", "-"),
            ("$a:x", "1:x"),
            ("$c-", ""),
            ("$a}", "1}"),
            ("${a}}", "1}"),
            ("${a:-x$$y}", "1"),
            ("${c:-x$$y}", "x$$y"),
            ("${c:-${a}}", "${a}"),
            ("$$a$$$$b$${c}", "$a$$b${c}"),
            ("${c}y", "y"),
        ] {
            assert_eq!(with_a_and_empty_e(text).as_deref(), Ok(value), "{text}");
        }
    }

    #[test]
    fn it_refuses_what_docker_refuses() {
        for text in [
            "$1",
            "${}",
            "x$",
            "${c:d}",
            "${a.b}",
            "${c:+yes}",
            "$ foo",
            "${a",
            "${c?}",
            "${c:?why}",
            "${e:?why}",
            "$c?why",
        ] {
            assert!(with_a_and_empty_e(text).is_err(), "{text}");
        }
        assert_eq!(
            with_a_and_empty_e("${c:?set me}").unwrap_err().to_string(),
            "the required variable `c` is not set: set me"
        );
    }

    #[test]
    fn variables_are_listed_with_and_without_default() {
        let found: Vec<_> =
            uses("${STACK_NAME}_x_${V:-v1} $$NOT ${N:?needed}").map(|used| (used.name, used.fallback)).collect();
        let wanted =
            [("STACK_NAME", Fallback::Empty), ("V", Fallback::Default("v1")), ("N", Fallback::Required("needed"))];
        assert_eq!(found, wanted);
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "(?s).{0,80}|[$a-c{}:?+-]{0,20}") {
            let _ = with_a_and_empty_e(&text);
        }

        #[test]
        fn text_without_a_dollar_stays(text in "[^$]{0,80}") {
            prop_assert_eq!(with_a_and_empty_e(&text).unwrap(), text);
        }

        #[test]
        fn escaped_text_comes_back(text in ".{0,80}|[$a-c{}:?+-]{0,20}") {
            prop_assert_eq!(with_a_and_empty_e(&escape(&text)).unwrap(), text);
        }
    }
}
