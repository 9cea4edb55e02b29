//! The compose files that `COMPOSE_FILE` selects, interpolated and merged, and what docker would refuse about them.

use super::variables::Variables;
use super::{Facts, PlanError};
use crate::domain::recipe::compose::{Compose, Resource};
use crate::domain::recipe::files::{MAX_BYTES, inside};
use crate::domain::recipe::interpolate::{InterpolateError, interpolate};
use crate::domain::recipe::{MAX_COMPOSE_FILES, RecipeFiles, compose_files, yaml};

/// How long a name of a secret or config may be in Swarm.
pub(super) const MAX_NAME: usize = 64;

/// The selected compose files as one.
pub(super) struct Stack {
    /// The recipe's files in order.
    pub(super) paths: Vec<String>,
    /// Merged as written.
    pub(super) raw: Compose,
    /// Merged after interpolation.
    pub(super) compose: Compose,
}

pub(super) fn read(files: &RecipeFiles, variables: &Variables) -> Result<Stack, PlanError> {
    let paths = compose_files(variables.app.get("COMPOSE_FILE").map(String::as_str));
    if paths.len() >= MAX_COMPOSE_FILES {
        let what = format!("`COMPOSE_FILE` names {MAX_COMPOSE_FILES} files or more");
        return Err(PlanError::new(None, None, what, "name fewer"));
    }
    let mut merged: Option<(Compose, Compose)> = None;
    for path in &paths {
        let (raw, compose) = file(files, path, variables)?;
        match &mut merged {
            None => merged = Some((raw, compose)),
            Some((earlier_raw, earlier)) => {
                same_version(earlier_raw, &raw, path)?;
                earlier_raw.merge(raw);
                earlier.merge(compose);
            }
        }
    }
    let (raw, compose) = merged.unwrap_or_default();
    Ok(Stack { paths, raw, compose })
}

/// One file: as written, and interpolated.
fn file(files: &RecipeFiles, path: &str, variables: &Variables) -> Result<(Compose, Compose), PlanError> {
    let text = files.text(path).map_err(|error| {
        PlanError::new(
            None,
            None,
            error.to_string(),
            "`COMPOSE_FILE` in `.env.sample` names it: add the file or change the variable",
        )
    })?;
    let no_yaml = |error: yaml::YamlError| {
        let what = format!("it is no compose file: {}", error.message);
        PlanError::new(Some(path), error.line, what, "`docker stack config -c FILE` shows the same")
    };
    let mut tree = yaml::parse(text).map_err(no_yaml)?;
    let raw = Compose::read(&tree).map_err(no_yaml)?;
    let mut left = MAX_BYTES;
    for section in ["services", "volumes", "networks", "secrets", "configs"] {
        let Some(value) = tree.get_mut(section) else { continue };
        let mut change = |at: &[String], value: &str| {
            let filled_in = interpolate(value, &|name| variables.process.get(name).map(String::as_str));
            let fits = filled_in.and_then(|text| {
                left = left.checked_sub(text.len()).ok_or(InterpolateError::TooLong)?;
                Ok(text)
            });
            fits.map_err(|error| {
                let at: Vec<&str> = at.iter().map(String::as_str).collect();
                let line = yaml::line_with(text, &[first_line(value)]).or_else(|| yaml::line_of(text, &at));
                let what = format!("{} cannot be filled in: {error}", at.join("."));
                PlanError::new(
                    Some(path),
                    line,
                    what,
                    "set the variable in `.env.sample`, give it a default, or mend the text",
                )
            })
        };
        yaml::try_map_texts(value, &mut vec![section.to_owned()], &mut change)?;
    }
    let compose = Compose::read(&tree).map_err(no_yaml)?;
    Ok((raw, compose))
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

fn same_version(first: &Compose, later: &Compose, path: &str) -> Result<(), PlanError> {
    let shown = |compose: &Compose| compose.version.clone().unwrap_or_else(|| "none".to_owned());
    if first.loader_version() == later.loader_version() {
        return Ok(());
    }
    let what = format!("its `version` is {}, that of the first file is {}", shown(later), shown(first));
    Err(PlanError::new(Some(path), None, what, "docker merges only files of one version: write the same in all"))
}

/// What docker would refuse in the middle of a deploy, or read from outside the recipe.
pub(super) fn check(stack: &Stack, files: &RecipeFiles, facts: &Facts) -> Result<(), PlanError> {
    if stack.compose.services.is_empty() {
        let first = stack.paths.first().map(String::as_str);
        return Err(PlanError::new(first, None, "there are no services", "a recipe needs at least the service `app`"));
    }
    for (name, service) in &stack.compose.services {
        if service.image.as_deref().unwrap_or_default().trim().is_empty() {
            let what = format!("service `{name}` has no image");
            return Err(PlanError::new(None, None, what, "give it one in a compose file that `COMPOSE_FILE` selects"));
        }
        for path in &service.env_file {
            shipped(files, path, &format!("the `env_file` of service `{name}`"))?;
        }
        own_labels(&service.deploy.labels, name, facts)?;
    }
    for (kind, resources) in [("config", &stack.compose.configs), ("secret", &stack.compose.secrets)] {
        for (key, resource) in resources.iter().filter(|(_, resource)| !resource.external) {
            if let Some(path) = &resource.file {
                shipped(files, path, &format!("{kind} `{key}`"))?;
            }
            let name = full_name(key, resource, facts);
            valid_name(kind, key, &name)?;
        }
    }
    Ok(())
}

/// The name of a secret or config in the Swarm.
pub(super) fn full_name(key: &str, resource: &Resource, facts: &Facts) -> String {
    let default = || if resource.external { key.to_owned() } else { format!("{}_{key}", facts.stack) };
    resource.name.clone().unwrap_or_else(default)
}

/// The docker client would read any path on the machine that it runs on: only the recipe's own files are allowed.
fn shipped(files: &RecipeFiles, path: &str, what: &str) -> Result<(), PlanError> {
    if inside(path).is_some() && files.contains(path) {
        return Ok(());
    }
    let what =
        format!("{what} comes from `{}`, which is no file of the recipe", path.chars().take(120).collect::<String>());
    Err(PlanError::new(None, None, what, "ship the file with the recipe and name it by its relative path"))
}

/// Swarm's rule for names of secrets and configs.
pub(super) fn valid_name(kind: &str, key: &str, name: &str) -> Result<(), PlanError> {
    let length = name.chars().count();
    if length > MAX_NAME {
        let what =
            format!("the name of {kind} `{key}` would be `{name}`, {length} characters; Swarm allows {MAX_NAME}");
        return Err(PlanError::new(None, None, what, "shorten its key, or use a target with a shorter domain"));
    }
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    let inner = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    if inner && edge(name.chars().next()) && edge(name.chars().last()) {
        return Ok(());
    }
    let what = format!("the name of {kind} `{key}` would be `{name}`, which Swarm refuses");
    let advice = match kind {
        "secret" => "set its `SECRET_…_VERSION` in `.env.sample`, e.g. to `v1`",
        _ => "export its `…_VERSION` in `abra.sh`, e.g. as `v1`",
    };
    Err(PlanError::new(None, None, what, advice))
}

/// Labels that prove what runs are ours to set; a recipe that writes them itself could claim to be another commit.
fn own_labels(
    labels: &std::collections::BTreeMap<String, String>,
    service: &str,
    facts: &Facts,
) -> Result<(), PlanError> {
    for name in ["recipe", "chaos", "chaos-version"] {
        let label = format!("coop-cloud.{}.{name}", facts.stack);
        if labels.contains_key(&label) {
            let what = format!("service `{service}` sets the label `{label}` itself");
            return Err(PlanError::new(None, None, what, "remove it: the deploy sets it, and it proves what runs"));
        }
    }
    Ok(())
}
