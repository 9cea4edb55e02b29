//! What a deploy of a recipe is: the pure part of the `stack` driver.
//!
//! The semantics are abra's as documented (see the design, §5): `.env.sample` becomes the app's env, `abra.sh` exports are
//! merged in, `COMPOSE_FILE` says which files count, labels tell what runs, and every variable of the app is exposed to its
//! services. It is carried out by the real `docker stack deploy`, which gets [`Deployment::compose_files`] in order: first a
//! file of ours, so that whatever the recipe says itself wins when they are merged.

mod own_file;
mod secrets;
mod stack;
mod variables;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::domain::host_power::{Power, host_power, without_effect};
use crate::domain::ids::{DomainName, RecipeName, StackName};
use crate::domain::recipe::compose::{Mount, Port, Resource, Service};
use crate::domain::recipe::{RecipeFiles, RecipeVersion, router};

pub use own_file::OWN_FILE;
pub use secrets::{Charset, SecretPlan};

/// What is known of a deploy besides the recipe's files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The stack.
    pub stack: StackName,
    /// The app's domain.
    pub domain: DomainName,
    /// The recipe.
    pub recipe: RecipeName,
    /// What is deployed, for the label `chaos-version`: eight hex digits, `+U` behind them when there are uncommitted changes.
    pub commit: String,
    /// Variables that the target forces on every app (`[env]` of its section). `LETS_ENCRYPT_ENV` is empty unless it is here.
    pub forced: BTreeMap<String, String>,
    /// Variables that the tests file sets in place of `.env.sample` (`[env]`).
    pub overrides: BTreeMap<String, String>,
}

/// Everything that a deploy needs. Pure data; equal inputs give equal deployments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// The recipe's part of the environment of `docker stack deploy`, from which it interpolates. Names that would steer
    /// the docker client itself are withheld; whoever starts it adds `PATH`, `DOCKER_HOST` and the like.
    pub env: BTreeMap<String, String>,
    /// The arguments of `-c`, in order, relative to the recipe's folder.
    pub compose_files: Vec<String>,
    /// Name and content of the one file that we add to the recipe's folder.
    pub own_file: (String, String),
    /// Secrets that must exist before the deploy, by name.
    pub secrets: Vec<SecretPlan>,
    /// Services by name.
    pub services: Vec<ServicePlan>,
    /// What the stack's HTTP routers answer to, each host once.
    pub routes: Vec<Route>,
    /// Networks that must exist before the deploy, by their name in the Swarm.
    pub networks_external: Vec<String>,
    /// How long the recipe says that convergence may take (its `timeout` label).
    pub timeout: Option<Duration>,
    /// The recipe's version (its `version` label on service `app`).
    pub version: Option<RecipeVersion>,
    /// By what its services can rule their host.
    pub host_power: Vec<Power>,
    /// What a person should know: things that this version does not do, or read differently than abra might.
    pub notes: Vec<String>,
}

/// A service of a deploy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServicePlan {
    /// Its name in the compose file.
    pub name: String,
    /// Its image, interpolated.
    pub image: String,
    /// Services it waits for.
    pub depends_on: Vec<String>,
    /// What it publishes.
    pub ports: Vec<Port>,
    /// What it mounts.
    pub mounts: Vec<Mount>,
    /// Secrets, configs and networks that it uses, by their names in the Swarm.
    pub uses: Vec<String>,
    /// Whether it has no task at all: `replicas: 0`.
    pub scaled_to_zero: bool,
    /// Its labels of the backup spec, `backupbot.…`.
    pub backup_labels: BTreeMap<String, String>,
}

/// A host of the app: which service should answer there, and by which labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The host.
    pub host: DomainName,
    /// The service with the labels.
    pub service: String,
    /// The router rule that names the host.
    pub rule: String,
    /// The port of the service that requests are sent to, if a label says so.
    pub port: Option<u16>,
}

/// Why a recipe cannot be deployed: for a person, with what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{what}; {advice}", place(file.as_deref(), *line))]
pub struct PlanError {
    /// The file, where one is at fault.
    pub file: Option<String>,
    /// The line in it, from 1.
    pub line: Option<usize>,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub advice: String,
}

fn place(file: Option<&str>, line: Option<usize>) -> String {
    match (file, line) {
        (Some(file), Some(line)) => format!("{file}:{line}: "),
        (Some(file), None) => format!("{file}: "),
        (None, _) => String::new(),
    }
}

impl PlanError {
    fn new(file: Option<&str>, line: Option<usize>, what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { file: file.map(str::to_owned), line, what: what.into(), advice: advice.into() }
    }
}

/// What a deploy of this recipe is.
///
/// # Errors
/// When `docker stack deploy` would refuse it, or when it would read or claim what is not the recipe's.
pub fn plan(files: &RecipeFiles, facts: &Facts) -> Result<Deployment, PlanError> {
    let mut variables = variables::read(files, facts)?;
    let mut notes = std::mem::take(&mut variables.notes);
    let stack = stack::read(files, &variables)?;
    stack::check(&stack, files, facts)?;
    let secrets = secrets::plan(&stack, &variables, facts, &mut notes)?;
    let app = stack.compose.services.get("app").map(|service| &service.deploy.labels);
    let label = |name: &str| app?.get(&format!("coop-cloud.{}.{name}", facts.stack)).map(String::as_str);
    if app.is_none() {
        notes.push("no service is called `app`: nothing carries the version labels".to_owned());
    }
    let version = label("version")
        .and_then(|text| RecipeVersion::parse(text).map_err(|error| notes.push(error.to_string())).ok());
    let timeout = label("timeout").and_then(|text| seconds(text, &mut notes));
    notes.extend(without_effect(&stack.compose));
    let texts: Vec<(&str, &str)> =
        stack.paths.iter().filter_map(|path| Some((path.as_str(), files.text(path).ok()?))).collect();
    let own = own_file::content(&stack, &variables.app, facts)?;
    let compose_files = std::iter::once(OWN_FILE.to_owned()).chain(stack.paths.iter().cloned()).collect();
    Ok(Deployment {
        compose_files,
        own_file: (OWN_FILE.to_owned(), own),
        secrets,
        services: stack
            .compose
            .services
            .iter()
            .map(|(name, service)| service_plan(name, service, &stack, facts))
            .collect(),
        routes: routes(&stack),
        host_power: host_power(&stack.compose, &texts),
        networks_external: networks_external(&stack, &mut notes),
        timeout,
        version,
        notes,
        env: variables.process,
    })
}

fn service_plan(name: &str, service: &Service, stack: &stack::Stack, facts: &Facts) -> ServicePlan {
    let of = |keys: Vec<&String>, resources: &BTreeMap<String, Resource>| -> Vec<String> {
        let known = keys.into_iter().filter_map(|key| resources.get_key_value(key));
        known.map(|(key, resource)| stack::full_name(key, resource, facts)).collect()
    };
    let compose = &stack.compose;
    let uses = [
        of(service.secrets.iter().map(|secret| &secret.source).collect(), &compose.secrets),
        of(service.configs.iter().map(|config| &config.source).collect(), &compose.configs),
        of(service.networks.iter().collect(), &compose.networks),
    ];
    ServicePlan {
        name: name.to_owned(),
        image: service.image.clone().unwrap_or_default(),
        depends_on: service.depends_on.clone(),
        ports: service.ports.clone(),
        mounts: service.volumes.clone(),
        uses: uses.concat(),
        scaled_to_zero: service.deploy.replicas.as_deref() == Some("0"),
        backup_labels: labels_of_backups(&service.deploy.labels),
    }
}

fn labels_of_backups(labels: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let of_backups = labels.iter().filter(|(name, _)| name.starts_with("backupbot."));
    of_backups.map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn seconds(text: &str, notes: &mut Vec<String>) -> Option<Duration> {
    match text.trim().parse::<u32>() {
        Ok(0) => None,
        Ok(seconds) => Some(Duration::from_secs(seconds.into())),
        Err(_) => {
            notes.push(format!(
                "the label `timeout` is no number of seconds: `{}`",
                text.chars().take(40).collect::<String>()
            ));
            None
        }
    }
}

fn routes(stack: &stack::Stack) -> Vec<Route> {
    let mut found: Vec<Route> = Vec::new();
    for (name, service) in &stack.compose.services {
        let port = router::port(&service.deploy.labels);
        for (host, rule) in router::hosts(&service.deploy.labels) {
            if found.iter().all(|known| known.host != host) {
                found.push(Route { host, service: name.clone(), rule, port });
            }
        }
    }
    found
}

/// Networks and configs that somebody else must have made; configs are only noted.
fn networks_external(stack: &stack::Stack, notes: &mut Vec<String>) -> Vec<String> {
    let used = |names: &mut dyn Iterator<Item = &String>, of: &BTreeMap<String, _>| -> Vec<String> {
        let mut external: Vec<String> = names
            .filter_map(|key| of.get_key_value(key))
            .filter(|(_, resource): &(_, &Resource)| resource.external)
            .map(|(key, resource)| resource.name.clone().unwrap_or_else(|| key.clone()))
            .collect();
        external.sort();
        external.dedup();
        external
    };
    let services = || stack.compose.services.values();
    let configs = used(
        &mut services().flat_map(|service| service.configs.iter().map(|config| &config.source)),
        &stack.compose.configs,
    );
    notes.extend(configs.iter().map(|name| format!("the external config `{name}` must exist on the target")));
    used(&mut services().flat_map(|service| &service.networks), &stack.compose.networks)
}

#[cfg(test)]
mod tests;
