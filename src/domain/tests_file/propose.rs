//! A first tests file for a recipe: what its compose files show, with comments that teach the rest.

use toml::Value;

use super::read::{is_service, is_subdomain};
use crate::domain::deployment::{Deployment, ServicePlan};
use crate::domain::ids::{DomainName, RecipeName};

/// What a database's image is called, where it listens, and how a seed could look. The order is that of what is worth more: a
/// cache comes last.
struct Database {
    image: &'static str,
    port: u16,
    /// `exec` of a seed, as TOML.
    make: &'static str,
    /// `exec` of its `verify`, as TOML.
    find: &'static str,
}

const DATABASES: [Database; 6] = [
    Database {
        image: "postgres",
        port: 5432,
        make: r#"["sh", "-c", 'psql -U "$POSTGRES_USER" -d "$POSTGRES_DB" -c "create table cc_ci (n int); insert into cc_ci values (4711)"']"#,
        find: r#"["sh", "-c", 'psql -U "$POSTGRES_USER" -d "$POSTGRES_DB" -tAc "select n from cc_ci"']"#,
    },
    Database {
        image: "mariadb",
        port: 3306,
        make: r#"["sh", "-c", 'mariadb -u root -p"$(cat /run/secrets/db_root_password)" "$MYSQL_DATABASE" -e "create table cc_ci (n int); insert into cc_ci values (4711)"']"#,
        find: r#"["sh", "-c", 'mariadb -u root -p"$(cat /run/secrets/db_root_password)" "$MYSQL_DATABASE" -e "select n from cc_ci"']"#,
    },
    Database {
        image: "mysql",
        port: 3306,
        make: r#"["sh", "-c", 'mysql -u root -p"$(cat /run/secrets/db_root_password)" "$MYSQL_DATABASE" -e "create table cc_ci (n int); insert into cc_ci values (4711)"']"#,
        find: r#"["sh", "-c", 'mysql -u root -p"$(cat /run/secrets/db_root_password)" "$MYSQL_DATABASE" -e "select n from cc_ci"']"#,
    },
    Database {
        image: "mongo",
        port: 27017,
        make: r#"["mongosh", "--quiet", "--eval", "db.cc_ci.insertOne({ n: 4711 })"]"#,
        find: r#"["mongosh", "--quiet", "--eval", "db.cc_ci.findOne().n"]"#,
    },
    Database { image: "redis", port: 6379, make: REDIS_MAKE, find: REDIS_FIND },
    Database { image: "valkey", port: 6379, make: REDIS_MAKE, find: REDIS_FIND },
];

const REDIS_MAKE: &str = r#"["redis-cli", "set", "cc-ci", "4711"]"#;
const REDIS_FIND: &str = r#"["redis-cli", "get", "cc-ci"]"#;

/// Images that are called after a database and are none.
const BESIDE: [&str; 4] = ["admin", "backup", "exporter", "express"];

const HEAD: &str = "\
# Nothing here is needed: it is what cc-ci cannot know by itself. docs/recipe-maintainers.md lists all that can be written.
# Examples begin with `#` and no space: take the `#` away and adapt them. `cc-ci lint-tests` tells what is wrong.

# What has nothing to show, and why.
#not_applicable = { backup = \"keeps no data\" }
";

/// A tests file that can be read as it is. `deployment` is how a run would deploy the recipe as an app of `domain`.
#[must_use]
pub fn propose(recipe: &RecipeName, deployment: &Deployment, domain: &DomainName) -> String {
    let mut text = format!("# Tests of {recipe}.\n{HEAD}");
    text.push_str(&pages(&asked(deployment, domain)));
    let databases = databases(deployment);
    if !databases.is_empty() {
        text.push_str("\n# Whether something listens in a service's container.\n");
        for (service, database) in &databases {
            let tcp = format!("tcp = {{ service = \"{service}\", port = {} }}", database.port);
            text.push_str(&format!("[[check]]\nname = \"{service} listens\"\n{tcp}\n"));
        }
    }
    text.push_str(&seed(deployment, &databases));
    text.push_str(&secrets(deployment));
    text
}

/// The subdomains that can be asked; nothing is the domain itself. A host that is not the app's cannot.
fn asked(deployment: &Deployment, domain: &DomainName) -> Vec<Option<String>> {
    let subdomain = |host: &DomainName| match host.as_str().strip_suffix(domain.as_str())? {
        "" => Some(None),
        before => before.strip_suffix('.').filter(|name| is_subdomain(name)).map(|name| Some(name.to_owned())),
    };
    deployment.routes.iter().filter_map(|route| subdomain(&route.host)).collect()
}

fn pages(subdomains: &[Option<String>]) -> String {
    if subdomains.is_empty() {
        return String::new();
    }
    let page = |subdomain: &Option<String>| match subdomain {
        None => "http = { path = \"/\", status = 200 }\n".to_owned(),
        Some(name) => format!("http = {{ path = \"/\", status = 200, subdomain = \"{name}\" }}\n"),
    };
    let mut text = "
# Waited for before anything is judged. Better than `/` is a page that only answers when the app is well, such as `/healthz`.
# An app that sends visitors elsewhere answers 302: write the status that it has.
"
    .to_owned();
    for subdomain in subdomains {
        text.push_str(&format!("[[ready]]\n{}", page(subdomain)));
    }
    text.push_str(
        "
# What must hold once it is ready. Say more of the right page: `title = \"Sign in\"`, `body_contains = \"password\"`,
# `assets = true` for its stylesheet and script, `json = { \"/status\" = \"ok\" }`.
",
    );
    for subdomain in subdomains {
        let name = subdomain.as_ref().map_or_else(|| "front page".to_owned(), |name| format!("front page of {name}"));
        text.push_str(&format!("[[check]]\nname = \"{name}\"\n{}", page(subdomain)));
    }
    text
}

/// The services that are databases, those worth most first.
fn databases(deployment: &Deployment) -> Vec<(&str, &'static Database)> {
    let named = |service: &'static Database| {
        let of = move |plan: &&ServicePlan| {
            let image = plan.image.rsplit('/').next().unwrap_or_default();
            let image = image.split([':', '@']).next().unwrap_or_default();
            image.contains(service.image) && !BESIDE.iter().any(|word| image.contains(word))
        };
        let runs = |plan: &&ServicePlan| !plan.scaled_to_zero && is_service(&plan.name);
        deployment.services.iter().filter(of).filter(runs).map(move |plan| (plan.name.as_str(), service))
    };
    DATABASES.iter().flat_map(named).collect()
}

/// An example of data that must be kept: in the database, else in a file.
fn seed(deployment: &Deployment, databases: &[(&str, &Database)]) -> String {
    let (what, service, make, find) = match (databases.first(), volume(deployment)) {
        (Some((service, database)), _) => ("a row", *service, database.make.to_owned(), database.find.to_owned()),
        (None, Some(folder)) => {
            let file = folder.trim_end_matches('/');
            let make = format!(r#"["sh", "-c", "echo 4711 > {file}/cc-ci.txt"]"#);
            ("a file", "app", make, format!(r#"["cat", "{file}/cc-ci.txt"]"#))
        }
        (None, None) => return String::new(),
    };
    format!(
        "
# Data that is made before an upgrade and must be there afterwards; `verify` looks for it and changes nothing. Best is what a
# user would make: a function of `abra.sh` can do it (`cmd = \"make_user ada\"`).
#[[seed]]
#name = \"{what}\"
#service = \"{service}\"
#exec = {make}
#verify = {{ exec = {find}, stdout_contains = \"4711\" }}
"
    )
}

/// Where `app` mounts its first volume; not where the path would need quotes.
fn volume(deployment: &Deployment) -> Option<&str> {
    let plain = |path: &&str| path.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
    let app = deployment.services.iter().find(|service| service.name == "app")?;
    let mut volumes = app.mounts.iter().filter(|mount| mount.kind == "volume" && !mount.read_only);
    volumes.next().map(|mount| mount.target.as_str()).filter(plain)
}

fn secrets(deployment: &Deployment) -> String {
    let by_hand: Vec<&str> =
        deployment.secrets.iter().filter(|secret| !secret.generate).map(|secret| secret.name.as_str()).collect();
    if by_hand.is_empty() {
        return String::new();
    }
    let mut text = "
# Operators insert these by hand; without a value here each has a random one. Made up: this file is not secret.
#[secrets]
"
    .to_owned();
    for name in by_hand {
        let bare = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
        let key = if bare { name.to_owned() } else { Value::String(name.to_owned()).to_string() };
        text.push_str(&format!("#{key} = \"made-up-value\"\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::TestsFile;
    use super::super::against::against;
    use super::super::planned::planned;
    use super::*;
    use crate::domain::recipe::fixtures::{crash_loop, files, good, notes};
    use crate::domain::recipe::{ABRA_SH, RecipeFiles};

    /// The proposal, which is read and names nothing that the recipe lacks: as it is, and with every example in force.
    fn proposed(recipe: &RecipeFiles, name: &str) -> String {
        let (deployment, domain) = planned(recipe, name, &TestsFile::default());
        let text = propose(&RecipeName::parse(name).unwrap(), &deployment, &domain);
        let uncommented: Vec<&str> = text
            .lines()
            .map(|line| {
                line.strip_prefix('#').filter(|rest| !rest.is_empty() && !rest.starts_with(' ')).unwrap_or(line)
            })
            .collect();
        for text in [&text, &uncommented.join("\n")] {
            let tests = TestsFile::read(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
            let abra_sh = recipe.text_or_empty(ABRA_SH).unwrap();
            assert_eq!(against(&tests, &deployment, &domain, abra_sh), [], "{text}");
        }
        text
    }

    #[test]
    fn a_proposal_for_each_of_our_recipes_can_be_used() {
        insta::assert_snapshot!(proposed(&notes(), "notes"));
        assert!(proposed(&good(), "good").contains("echo 4711 > /data/cc-ci.txt"));
        assert!(proposed(&crash_loop(), "crash-loop").contains("port = 5432"));
    }

    #[test]
    fn several_hosts_databases_and_secrets() {
        let recipe = files(&[
            (".env.sample", "SECRET_SMTP_VERSION=v1 # generate=false\n"),
            (
                "compose.yml",
                r#"
services:
  app:
    image: web:1
    secrets: [smtp]
    deploy:
      labels:
        traefik.http.routers.a.rule: "Host(`${DOMAIN}`) || Host(`elsewhere.example`)"
        traefik.http.routers.b.rule: "Host(`admin.${DOMAIN}`)"
  cache: { image: "valkey/valkey:8" }
  db: { image: "docker.io/library/mariadb:11@sha256:00" }
  metrics: { image: "quay.io/postgres-exporter:1" }
secrets:
  smtp: { external: true, name: "${STACK_NAME}_smtp_${SECRET_SMTP_VERSION}" }
"#,
            ),
        ]);
        insta::assert_snapshot!(proposed(&recipe, "many"));
        let bare = files(&[("compose.yml", "services: {app: {image: 'a:1'}}")]);
        assert!(!proposed(&bare, "bare").contains("[["), "nothing is known of it");
    }
}
