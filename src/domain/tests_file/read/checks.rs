//! `[[seed]]`, `[[check]]` and `[[extra]]`.

use std::collections::BTreeSet;
use std::time::Duration;

use toml::Spanned;

use super::super::{Act, Check, CheckKind, Container, How, Seed};
use super::pages::page;
use super::shape::{CheckTable, ContainerTable, HttpTable, SeedTable, TcpTable, VerifyTable, Words};
use super::{LONGEST_TEXT, Wrong, bounded, text, time_or, wrong};
use crate::domain::registry::ImageName;
use crate::domain::results::one_line;

/// How long each may take unless it says otherwise.
const SEED_TIMEOUT: Duration = Duration::from_mins(2);
const CHECK_TIMEOUT: Duration = Duration::from_mins(1);
const SUITE_TIMEOUT: Duration = Duration::from_mins(10);
const EXTRA_TIMEOUT: Duration = Duration::from_mins(20);
const MOST_SEEDS: usize = 64;
/// Of checks and extra checks together.
const MOST_CHECKS: usize = 200;
/// Of a program or function with its arguments.
const MOST_WORDS: usize = 64;
const LONGEST_NAME: usize = 80;

/// What runs in a container.
enum Call<'a> {
    Exec(&'a Spanned<Words>),
    Cmd(&'a Spanned<Words>),
}

/// What a check looks at.
enum Kind<'a> {
    Http(&'a HttpTable),
    Tcp(&'a TcpTable),
    Inside(Call<'a>),
    Container(&'a ContainerTable),
}

pub(super) fn seeds(found: &[Spanned<SeedTable>]) -> Result<Vec<Seed>, Wrong> {
    bounded(found.len(), MOST_SEEDS, "[[seed]]", "A few rows and files show that data is kept.")?;
    unique(found.iter().map(|seed| &seed.get_ref().name), "two seeds have the name")?;
    found.iter().map(seed).collect()
}

/// The checks and the extra checks.
pub(super) fn checks(
    found: &[Spanned<CheckTable>],
    extras: &[Spanned<CheckTable>],
) -> Result<(Vec<Check>, Vec<Check>), Wrong> {
    let advice = "Let a program in the container look at many things at once (`exec`).";
    bounded(found.len() + extras.len(), MOST_CHECKS, "[[check]] and [[extra]]", advice)?;
    unique(found.iter().chain(extras).map(|check| &check.get_ref().name), "two checks have the name")?;
    let all = |found: &[Spanned<CheckTable>], timeout| {
        found.iter().map(|it| check(it, timeout)).collect::<Result<Vec<_>, _>>()
    };
    Ok((all(found, CHECK_TIMEOUT)?, all(extras, EXTRA_TIMEOUT)?))
}

fn seed(found: &Spanned<SeedTable>) -> Result<Seed, Wrong> {
    let SeedTable { name: called, service: place, exec, cmd, timeout, verify } = found.get_ref();
    let calls = [("exec", exec.as_ref().map(Call::Exec)), ("cmd", cmd.as_ref().map(Call::Cmd))];
    let call = only(found, calls, "Write exactly one of `exec` and `cmd`; make a seed for each thing.")?;
    Ok(Seed {
        name: name(called)?,
        act: Act { service: service(place)?, how: how(&call)? },
        timeout: time_or(timeout.as_ref(), SEED_TIMEOUT)?,
        verify: proof(verify, place)?,
    })
}

/// What looks for a seed: in the same service, unless it names another.
fn proof(found: &Spanned<VerifyTable>, seeds_own: &Spanned<String>) -> Result<CheckKind, Wrong> {
    let VerifyTable { http, exec, cmd, service, stdout_contains } = found.get_ref();
    let kinds = [
        ("http", http.as_ref().map(Kind::Http)),
        ("exec", exec.as_ref().map(|words| Kind::Inside(Call::Exec(words)))),
        ("cmd", cmd.as_ref().map(|words| Kind::Inside(Call::Cmd(words)))),
    ];
    let kind = only(found, kinds, "Write exactly one of `http`, `exec` and `cmd` in `verify`.")?;
    Beside { service: service.as_ref(), stdout_contains: stdout_contains.as_ref() }.with(&kind, Some(seeds_own))
}

fn check(found: &Spanned<CheckTable>, usual: Duration) -> Result<Check, Wrong> {
    let CheckTable { name: called, http, tcp, exec, cmd, container, service, stdout_contains, timeout } =
        found.get_ref();
    let kinds = [
        ("http", http.as_ref().map(Kind::Http)),
        ("tcp", tcp.as_ref().map(Kind::Tcp)),
        ("exec", exec.as_ref().map(|words| Kind::Inside(Call::Exec(words)))),
        ("cmd", cmd.as_ref().map(|words| Kind::Inside(Call::Cmd(words)))),
        ("container", container.as_ref().map(Kind::Container)),
    ];
    let kind = only(found, kinds, "Write exactly one of `http`, `tcp`, `exec`, `cmd` and `container`.")?;
    let usual = if matches!(kind, Kind::Container(_)) { usual.max(SUITE_TIMEOUT) } else { usual };
    let beside = Beside { service: service.as_ref(), stdout_contains: stdout_contains.as_ref() };
    Ok(Check { name: name(called)?, kind: beside.with(&kind, None)?, timeout: time_or(timeout.as_ref(), usual)? })
}

/// What stands beside `exec` and `cmd`, and only there.
struct Beside<'a> {
    service: Option<&'a Spanned<String>>,
    stdout_contains: Option<&'a Spanned<String>>,
}

impl Beside<'_> {
    /// The kind as a check; it runs in the usual service where none is named.
    fn with(&self, kind: &Kind<'_>, usual: Option<&Spanned<String>>) -> Result<CheckKind, Wrong> {
        match kind {
            Kind::Http(found) => {
                self.must_be_nothing()?;
                page(found).map(CheckKind::Http)
            }
            Kind::Tcp(found) => {
                self.must_be_nothing()?;
                tcp(found)
            }
            Kind::Container(found) => {
                self.must_be_nothing()?;
                container(found).map(CheckKind::Container)
            }
            Kind::Inside(call) => {
                let (Call::Exec(words) | Call::Cmd(words)) = call;
                let place = self.service.or(usual).ok_or_else(|| {
                    let advice = "Add `service`, its name in the compose file.";
                    wrong(words, "it is not said in which service this runs", advice)
                })?;
                let advice = "Write a text that is only there when all is well; without one, exit code 0 counts.";
                Ok(CheckKind::Inside {
                    act: Act { service: service(place)?, how: how(call)? },
                    stdout_contains: text("stdout_contains", self.stdout_contains, advice)?,
                })
            }
        }
    }

    fn must_be_nothing(&self) -> Result<(), Wrong> {
        for (key, found) in [("service", self.service), ("stdout_contains", self.stdout_contains)] {
            if let Some(found) = found {
                let what = format!("`{key}` means nothing here");
                return Err(wrong(found, what, "Take it out: it belongs to `exec` and `cmd`."));
            }
        }
        Ok(())
    }
}

fn tcp(found: &TcpTable) -> Result<CheckKind, Wrong> {
    let port = u16::try_from(*found.port.get_ref()).ok().filter(|port| *port > 0);
    let port = port.ok_or_else(|| {
        wrong(&found.port, format!("`port` is {}", found.port.get_ref()), "A port is a number from 1 to 65535.")
    })?;
    Ok(CheckKind::Tcp { service: service(&found.service)?, port })
}

fn container(found: &ContainerTable) -> Result<Container, Wrong> {
    let image = found.image.get_ref();
    ImageName::parse(image).map_err(|_| {
        let advice = "Write it as in a compose file: `registry.example.org/suite:3`.";
        wrong(&found.image, "`image` is not the name of an image", advice)
    })?;
    let run = found.run.as_ref().map(|run| match run.get_ref() {
        Words::List(words) => fits(run, words, "run").map(|()| words.clone()),
        Words::Line(_) => {
            let advice = "Write a list, one text for each argument: `[\"pytest\", \"-q\"]`.";
            Err(wrong(run, "`run` is one text, and no shell takes it apart", advice))
        }
    });
    Ok(Container { image: image.clone(), run: run.transpose()?.unwrap_or_default() })
}

/// The one kind that is there.
fn only<T, S>(
    table: &Spanned<S>,
    kinds: impl IntoIterator<Item = (&'static str, Option<T>)>,
    advice: &'static str,
) -> Result<T, Wrong> {
    let mut found = kinds.into_iter().filter_map(|(name, kind)| Some((name, kind?)));
    match (found.next(), found.next()) {
        (Some((_, kind)), None) => Ok(kind),
        (Some((one, _)), Some((other, _))) => Err(wrong(table, format!("it has `{one}` and `{other}`"), advice)),
        (None, _) => Err(wrong(table, "it does not say what is done", advice)),
    }
}

fn how(call: &Call<'_>) -> Result<How, Wrong> {
    match call {
        Call::Exec(found) => match found.get_ref() {
            Words::List(words) => {
                fits(found, words, "exec")?;
                Ok(How::Exec(words.clone()))
            }
            Words::Line(_) => {
                let advice = "Write a list, one text for each argument: `[\"psql\", \"-c\", \"select 1\"]`.";
                Err(wrong(found, "`exec` is one text, and no shell takes it apart", advice))
            }
        },
        Call::Cmd(found) => {
            let words = match found.get_ref() {
                Words::List(words) => words.clone(),
                Words::Line(line) if line.contains(['"', '\'']) => {
                    let advice = "Write a list, one text for each argument: `[\"greet\", \"two words\"]`.";
                    return Err(wrong(found, "`cmd` has quotation marks, and no shell reads them", advice));
                }
                Words::Line(line) => line.split_whitespace().map(str::to_owned).collect(),
            };
            fits(found, &words, "cmd")?;
            if !words.first().is_some_and(|name| is_function(name)) {
                let advice = "Write the name of a function of `abra.sh`, and its arguments behind it.";
                return Err(wrong(found, "`cmd` names no function", advice));
            }
            Ok(How::Cmd(words))
        }
    }
}

fn fits(found: &Spanned<Words>, words: &[String], key: &str) -> Result<(), Wrong> {
    if words.first().is_none_or(String::is_empty) {
        return Err(wrong(found, format!("`{key}` is empty"), "Write what runs, and its arguments behind it."));
    }
    if words.len() > MOST_WORDS {
        let what = format!("`{key}` has {} words, {MOST_WORDS} are possible", words.len());
        return Err(wrong(found, what, "Write a function in `abra.sh` that does the rest."));
    }
    if words.iter().any(|word| word.len() > LONGEST_TEXT || word.contains('\0')) {
        let what = format!("a word of `{key}` is too long, or has a NUL byte");
        return Err(wrong(found, what, "At most 4096 bytes are possible; put more into a function in `abra.sh`."));
    }
    Ok(())
}

/// A shell's function, as recipes name theirs: bash takes `-` in it, too.
fn is_function(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
}

fn name(found: &Spanned<String>) -> Result<String, Wrong> {
    let name = found.get_ref();
    if name.is_empty() || one_line(name, LONGEST_NAME) != *name {
        let advice = "Write 1 to 80 visible characters, words with one space between them.";
        return Err(wrong(found, "`name` cannot be shown in one line", advice));
    }
    Ok(name.clone())
}

fn unique<'a>(names: impl Iterator<Item = &'a Spanned<String>>, what: &str) -> Result<(), Wrong> {
    let mut known = BTreeSet::new();
    for name in names {
        if !known.insert(name.get_ref()) {
            let what = format!("{what} `{}`", one_line(name.get_ref(), LONGEST_NAME));
            return Err(wrong(name, what, "Call one of them otherwise: reports tell them apart by it."));
        }
    }
    Ok(())
}

/// Whether a service of a compose file may be called so.
pub(in crate::domain::tests_file) fn is_service(name: &str) -> bool {
    name.len() <= 63
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))
}

fn service(found: &Spanned<String>) -> Result<String, Wrong> {
    if !is_service(found.get_ref()) {
        let advice = "Write its name in the compose file, without the stack's: `db`.";
        return Err(wrong(found, "`service` is not the name of a service", advice));
    }
    Ok(found.get_ref().clone())
}
