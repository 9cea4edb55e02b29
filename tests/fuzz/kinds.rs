//! What is read, and by whom.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use cc_ci::adapters::forge::webhook;
use cc_ci::adapters::logread::{self, From};
use cc_ci::config::{Layers, Settings, effective, target};
use cc_ci::domain::command::{self, Parsed};
use cc_ci::domain::deployment::{Facts, plan};
use cc_ci::domain::enrolment::Enrolment;
use cc_ci::domain::ids::{DomainName, RecipeName, StackName};
use cc_ci::domain::lint::{Around, lint};
use cc_ci::domain::log;
use cc_ci::domain::recipe::abra_sh::AbraSh;
use cc_ci::domain::recipe::compose::Compose;
use cc_ci::domain::recipe::env::EnvFile;
use cc_ci::domain::recipe::{ABRA_SH, COMPOSE_YML, ENV_SAMPLE, RecipeFiles};
use cc_ci::domain::tests_file::TestsFile;
use cc_ci::report::clean_line;
use reqwest::header::{HeaderMap, HeaderValue};

use crate::draw::Random;
use crate::{compose, texts};

/// A kind of input.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Comment,
    Compose,
    Bomb,
    Env,
    AbraSh,
    Webhook,
    Toml,
    Settings,
    Log,
}

/// Reads an input, and does with it what the gate does.
pub(crate) type Reader = Box<dyn FnMut(&[u8])>;

impl Kind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Comment => "comment",
            Self::Compose => "compose",
            Self::Bomb => "compose bomb",
            Self::Env => ".env",
            Self::AbraSh => "abra.sh",
            Self::Webhook => "webhook",
            Self::Toml => "TOML",
            Self::Settings => "settings",
            Self::Log => "log",
        }
    }

    /// One of these costs as much as so many others.
    pub(crate) const fn rarer(self) -> u64 {
        match self {
            Self::Bomb => 100,
            Self::Comment
            | Self::Compose
            | Self::Env
            | Self::AbraSh
            | Self::Webhook
            | Self::Toml
            | Self::Settings
            | Self::Log => 1,
        }
    }

    pub(crate) fn draw(self, random: &mut Random) -> Vec<u8> {
        match self {
            Self::Comment => random.mutated(&texts::COMMENTS),
            Self::Compose if random.one_in(2) => compose::made_up(random).into_bytes(),
            Self::Compose => random.mutated(&texts::COMPOSE),
            Self::Bomb => compose::bomb(random).into_bytes(),
            Self::Env if random.one_in(500) => compose::assignments(random, "").into_bytes(),
            Self::Env => random.mutated(&texts::ENV),
            Self::AbraSh if random.one_in(500) => compose::assignments(random, "export ").into_bytes(),
            Self::AbraSh => random.mutated(&texts::ABRA_SH),
            Self::Webhook => random.mutated(&texts::DELIVERIES),
            Self::Toml => random.mutated(&texts::TOML),
            Self::Settings => random.mutated(&texts::SETTINGS),
            Self::Log => random.mutated(&texts::LOG),
        }
    }

    pub(crate) fn reader(self) -> Reader {
        match self {
            Self::Comment => Box::new(|input| comment(&String::from_utf8_lossy(input))),
            Self::Compose | Self::Bomb => recipe_with(COMPOSE_YML),
            Self::Env => recipe_with(ENV_SAMPLE),
            Self::AbraSh => recipe_with(ABRA_SH),
            Self::Webhook => Box::new(webhook),
            Self::Toml => on_disk(toml),
            Self::Settings => on_disk(settings),
            Self::Log => on_disk(log_file),
        }
    }
}

/// A reader with a file that may be written a million times: in memory where there is such a place.
fn on_disk(read: fn(&[u8], &Path)) -> Reader {
    let memory = PathBuf::from("/dev/shm");
    let place = if memory.is_dir() { memory } else { std::env::temp_dir() };
    let folder = tempfile::tempdir_in(place).unwrap();
    Box::new(move |input| read(input, &folder.path().join("file")))
}

/// What was understood is understood again when it is written down.
fn comment(text: &str) {
    if let Parsed::Command(command) = command::parse(text) {
        assert_eq!(command::parse(&command.to_string()), Parsed::Command(command), "{text:?}");
    }
    let _shown = clean_line(text);
}

/// Every so many inputs are gone through as a whole recipe.
const WHOLE: u64 = 10;

/// A recipe of which one file is the input: read, and now and then linted and planned as for a deploy.
fn recipe_with(file: &'static str) -> Reader {
    let mut files = RecipeFiles::new();
    for (path, text) in [
        (COMPOSE_YML, texts::COMPOSE[0]),
        ("compose.postgres.yml", texts::COMPOSE[1]),
        ("compose.smtp.yml", texts::COMPOSE[2]),
        (ENV_SAMPLE, texts::ENV[0]),
        (ABRA_SH, texts::ABRA_SH[0]),
        ("app.conf.tmpl", "x"),
        ("pg_backup.sh", "x"),
    ] {
        files.add(path, text.as_bytes().to_vec(), false).unwrap();
    }
    let facts = Facts {
        stack: StackName::parse("cck7q2_ci_example_org").unwrap(),
        domain: DomainName::parse("cck7q2.ci.example.org").unwrap(),
        recipe: RecipeName::parse("notes").unwrap(),
        commit: "9f31c0e2".to_owned(),
        forced: BTreeMap::from([("LETS_ENCRYPT_ENV".to_owned(), String::new())]),
        overrides: BTreeMap::new(),
    };
    let base = files.clone();
    let mut nth = 0_u64;
    Box::new(move |input| {
        let text = String::from_utf8_lossy(input);
        let _values = (EnvFile::parse(&text).expand(&BTreeMap::new()), AbraSh::parse(&text).values());
        let _compose = Compose::parse(&text);
        nth += 1;
        // All that is done with a recipe costs a hundred times as much as reading one file of it.
        if !nth.is_multiple_of(WHOLE) && nth != 1 || files.add(file, input.to_vec(), false).is_err() {
            return;
        }
        let _hits = lint(&files, &Around { base: Some(&base), base_name: "1.0.0", lightweight: &[] });
        let _plan = plan(&files, &facts);
    })
}

fn webhook(input: &[u8]) {
    for event in ["issue_comment", "pull_request", "push", "create"] {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        headers.insert("x-gitea-event", HeaderValue::from_static(event));
        let _read = webhook::read(&headers, input);
    }
}

fn toml(input: &[u8], file: &Path) {
    let _tests = TestsFile::read(&String::from_utf8_lossy(input));
    let _read = Enrolment::read(&String::from_utf8_lossy(input)).map(|enrolled| {
        let name = RecipeName::parse("immich-machine-learning").unwrap();
        (enrolled.holds(name.as_str()), enrolled.weight(&name), enrolled.sweeps(&name))
    });
    std::fs::write(file, input).unwrap();
    let _target = target("lab", file);
}

fn settings(input: &[u8], file: &Path) {
    std::fs::write(file, input).unwrap();
    if let Ok(layers) = Layers::default().with_file(file) {
        let _read = (Settings::read(&layers, PathBuf::from("/nonexistent")), effective(&layers));
    }
}

fn log_file(input: &[u8], file: &Path) {
    let (records, whole) = log::read(input);
    assert!(whole <= input.len());
    records.iter().for_each(|record| _ = clean_line(&record.text));
    std::fs::write(file, input).unwrap();
    let from = input.len() as u64 / 2;
    let piece = logread::piece(file, from, 64).unwrap();
    assert!(piece.next >= from.min(input.len() as u64), "{} before {from}", piece.next);
    let line = usize::try_from(from % 7).unwrap();
    for from in [From::Line(line), From::End] {
        assert!(logread::lines(file, &Mutex::default(), from, 3, 100).unwrap().records.len() <= 3);
    }
    let _ends = logread::ends(file, &Mutex::default(), 64).unwrap();
}
