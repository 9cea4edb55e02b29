//! A tests file beside its recipe: whether the recipe has what the file names. Reading cannot tell, and a run would only tell
//! when everything is deployed.

use std::collections::BTreeSet;

use super::{Act, CheckKind, How, Seed, TestsError, TestsFile};
use crate::domain::deployment::Deployment;
use crate::domain::ids::DomainName;
use crate::domain::recipe::abra_sh::functions;
use crate::domain::results::one_line;

/// What the file names and the recipe does not have, in the order of the file's kinds. `deployment` is how a run would deploy
/// the recipe as an app of `domain`, with the file's `[env]`; `abra_sh` is the text of its `abra.sh`.
#[must_use]
pub fn against(tests: &TestsFile, deployment: &Deployment, domain: &DomainName, abra_sh: &str) -> Vec<TestsError> {
    let recipe = Recipe { deployment, domain, functions: functions(abra_sh) };
    let mut complaints: Vec<TestsError> = tests.secrets.keys().filter_map(|name| recipe.lacks_secret(name)).collect();
    for ready in &tests.ready {
        complaints.extend(recipe.lacks_host("a `[[ready]]`", ready.subdomain.as_deref()));
    }
    for Seed { name, act, verify, timeout: _ } in &tests.seeds {
        complaints.extend(recipe.lacks_for_act(&format!("the seed `{name}`"), act));
        complaints.extend(recipe.lacks_for_look(&format!("`verify` of the seed `{name}`"), verify));
    }
    for (kind, checks) in [("check", &tests.checks), ("extra check", &tests.extras)] {
        for check in checks {
            complaints.extend(recipe.lacks_for_look(&format!("the {kind} `{}`", check.name), &check.kind));
        }
    }
    complaints
}

/// What there is to be named.
struct Recipe<'a> {
    deployment: &'a Deployment,
    domain: &'a DomainName,
    functions: BTreeSet<&'a str>,
}

impl Recipe<'_> {
    fn lacks_for_look(&self, who: &str, kind: &CheckKind) -> Vec<TestsError> {
        match kind {
            CheckKind::Http(page) => self.lacks_host(who, page.subdomain.as_deref()).into_iter().collect(),
            CheckKind::Tcp { service, port: _ } => self.lacks_service(who, service).into_iter().collect(),
            CheckKind::Inside { act, stdout_contains: _ } => self.lacks_for_act(who, act),
            CheckKind::Container(_) => Vec::new(),
        }
    }

    fn lacks_for_act(&self, who: &str, act: &Act) -> Vec<TestsError> {
        let function = match &act.how {
            How::Exec(_) => None,
            How::Cmd(words) => words.first().and_then(|name| self.lacks_function(who, name)),
        };
        self.lacks_service(who, &act.service).into_iter().chain(function).collect()
    }

    fn lacks_service(&self, who: &str, name: &str) -> Option<TestsError> {
        let known: Vec<&str> = self.deployment.services.iter().map(|service| service.name.as_str()).collect();
        (!known.contains(&name)).then(|| {
            let what = format!("{who} names the service `{name}`, which no selected compose file has");
            let more = "`COMPOSE_FILE` in `.env.sample` or in `[env]` selects the files.";
            complaint(what, format!("{} {more}", there_is("services", &known)))
        })
    }

    fn lacks_function(&self, who: &str, name: &str) -> Option<TestsError> {
        (!self.functions.contains(name)).then(|| {
            let known: Vec<&str> = self.functions.iter().copied().collect();
            let what = format!("{who} names the function `{name}`, which `abra.sh` does not define");
            complaint(what, there_is("functions", &known))
        })
    }

    fn lacks_host(&self, who: &str, subdomain: Option<&str>) -> Option<TestsError> {
        let hosts: Vec<&str> = self.deployment.routes.iter().map(|route| route.host.as_str()).collect();
        let wanted = subdomain.map_or_else(|| self.domain.to_string(), |name| format!("{name}.{}", self.domain));
        (!hosts.contains(&wanted.as_str())).then(|| {
            // The app's domain is another one in each run.
            let general = |host: &str| match host.strip_suffix(self.domain.as_str()) {
                Some(before) => format!("{before}DOMAIN"),
                None => host.to_owned(),
            };
            let known: Vec<String> = hosts.iter().map(|host| general(host)).collect();
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            let what = format!("{who} asks `{}`, which no router rule names", general(&wanted));
            complaint(what, there_is("hosts", &known))
        })
    }

    fn lacks_secret(&self, name: &str) -> Option<TestsError> {
        let known: Vec<&str> = self.deployment.secrets.iter().map(|secret| secret.name.as_str()).collect();
        (!known.contains(&name)).then(|| {
            let what = format!("`[secrets]` has `{}`, which no selected compose file has", one_line(name, 60));
            complaint(what, there_is("secrets", &known))
        })
    }
}

/// So many names are listed.
const LISTED: usize = 20;

fn there_is(kind: &str, names: &[&str]) -> String {
    if names.is_empty() {
        return format!("The recipe has no {kind}.");
    }
    let more = if names.len() > LISTED { ", …" } else { "" };
    let listed: Vec<String> = names.iter().take(LISTED).map(|name| one_line(name, 80)).collect();
    format!("Its {kind} are: {}{more}.", listed.join(", "))
}

fn complaint(what: String, advice: String) -> TestsError {
    TestsError { line: None, what, advice }
}

#[cfg(test)]
mod tests {
    use super::super::planned::planned;
    use super::*;
    use crate::domain::recipe::fixtures::{files, notes};
    use crate::domain::recipe::{ABRA_SH, RecipeFiles};

    fn said(recipe: &RecipeFiles, tests: &str) -> Vec<String> {
        let tests = TestsFile::read(tests).unwrap();
        let (deployment, domain) = planned(recipe, "notes", &tests);
        let complaints = against(&tests, &deployment, &domain, recipe.text_or_empty(ABRA_SH).unwrap());
        complaints.iter().map(|error| format!("{}\n  {}", error.what, error.advice)).collect()
    }

    #[test]
    fn what_the_recipe_does_not_have_is_told() {
        let tests = r#"
            secrets = { smtp_password = "made-up-value" }
            [[ready]]
            http = { path = "/", subdomain = "admin" }
            [[seed]]
            name = "a note"
            service = "web"
            cmd = "write_note hello"
            verify = { cmd = "read_note", service = "app" }
            [[check]]
            name = "page"
            http = { path = "/", subdomain = "www" }
            [[check]]
            name = "database"
            tcp = { service = "postgres", port = 5432 }
            [[extra]]
            name = "long"
            service = "app"
            cmd = ["compress"]
        "#;
        insta::assert_snapshot!(said(&notes(), tests).join("\n"));
        assert_eq!(said(&files(&[("compose.yml", "services: {app: {image: 'a:1'}}")]), "").len(), 0);
    }

    #[test]
    fn what_it_has_is_not_and_the_files_own_env_counts() {
        let recipe = files(&[
            (".env.sample", "API=api.notes.example.com\nSECRET_KEY_VERSION=v1 # generate=false\n"),
            ("abra.sh", "write_note() {\n  true\n}\n"),
            (
                "compose.yml",
                "services: {app: {image: 'a:1', deploy: {labels: {traefik.http.routers.x.rule: 'Host(`${API}`)'}}}}",
            ),
            (
                "compose.db.yml",
                "services: {db: {image: 'b:1', secrets: [key]}}\nsecrets: {key: {external: true, name: '${STACK_NAME}_key_${SECRET_KEY_VERSION}'}}",
            ),
        ]);
        let rest = r#"
            [secrets]
            key = "made-up-value"
            [[seed]]
            name = "a note"
            service = "db"
            cmd = "write_note"
            verify = { http = { path = "/", subdomain = "api" } }
        "#;
        assert_eq!(said(&recipe, &format!("env = {{ COMPOSE_FILE = 'compose.yml:compose.db.yml' }}\n{rest}")), [""; 0]);
        assert_eq!(said(&recipe, rest).len(), 2, "without it, the database and its secret are not selected");
    }
}
