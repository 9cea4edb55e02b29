//! Stories of planning a deploy.

use proptest::prelude::*;

use super::*;
use crate::domain::recipe::compose::Compose;
use crate::domain::recipe::fixtures::{crash_loop, files, good, notes};

fn facts(recipe: &str) -> Facts {
    let domain = DomainName::parse("ccabcd.ci.lab.test").unwrap();
    Facts {
        stack: StackName::of_domain(&domain).unwrap(),
        domain,
        recipe: RecipeName::parse(recipe).unwrap(),
        commit: "09bf4d54+U".to_owned(),
        forced: BTreeMap::new(),
        overrides: BTreeMap::new(),
    }
}

fn app(sample: &str, compose: &str) -> Result<Deployment, PlanError> {
    plan(&files(&[(".env.sample", sample), ("compose.yml", compose)]), &facts("x"))
}

fn text(error: Result<Deployment, PlanError>) -> String {
    error.unwrap_err().to_string()
}

#[test]
fn s16_notes_deploys_as_written() {
    let deployment = plan(&notes(), &facts("notes")).unwrap();
    assert_eq!(deployment.compose_files, [OWN_FILE, "compose.yml", "compose.postgres.yml"]);
    let env = |name: &str| deployment.env[name].as_str();
    assert_eq!((env("STACK_NAME"), env("DOMAIN"), env("TYPE")), ("ccabcd_ci_lab_test", "ccabcd.ci.lab.test", "notes"));
    assert_eq!((env("LETS_ENCRYPT_ENV"), env("APP_CONF_VERSION"), env("TITLE")), ("", "v1", "Lab notes"));
    let secret = &deployment.secrets[0];
    assert_eq!(deployment.secrets.len(), 1, "that of compose.smtp.yml is not selected");
    assert_eq!((secret.full_name.as_str(), secret.version.as_str()), ("ccabcd_ci_lab_test_db_password_v1", "v1"));
    assert_eq!((secret.length, secret.generate), (32, true));
    let services: Vec<_> =
        deployment.services.iter().map(|service| (service.name.as_str(), service.image.as_str())).collect();
    assert_eq!(services, [("app", "lab/web:1.0.0"), ("db", "lab/postgres:17")]);
    assert_eq!(deployment.services[0].depends_on, ["db"]);
    assert_eq!(deployment.routes.len(), 1);
    assert_eq!(deployment.routes[0].host, DomainName::parse("ccabcd.ci.lab.test").unwrap());
    assert_eq!(deployment.networks_external, ["proxy"]);
    assert_eq!(deployment.timeout, Some(Duration::from_secs(120)));
    assert_eq!(deployment.version.unwrap().to_string(), "1.0.0+1.0.0");
    assert!(deployment.notes.is_empty(), "{:?}", deployment.notes);
}

#[test]
fn the_other_recipes_can_be_deployed_too() {
    for (name, files) in [("good", good()), ("crash-loop", crash_loop())] {
        let deployment = plan(&files, &facts(name)).unwrap();
        assert_eq!(deployment.routes.len(), 1, "{name}");
        assert!(deployment.notes.is_empty(), "{name}: {:?}", deployment.notes);
    }
}

#[test]
fn our_file_carries_version_variables_and_labels_and_is_not_interpolated_again() {
    let sample = "A=\"it costs $ 5, \\\"net\\\"\"\nB=mine\n";
    let deployment =
        app(sample, "version: '3.8'\nservices:\n  app: {image: a:1, environment: [B=theirs]}\n  db: {image: b:1}\n")
            .unwrap();
    let wanted = r#"# Written by cc-ci; the recipe's own files come after it and win.
"version": "3.8"
services:
  "app":
    environment:
      "A": "it costs $$ 5, \"net\""
      "DOMAIN": "ccabcd.ci.lab.test"
      "LETS_ENCRYPT_ENV": ""
      "STACK_NAME": "ccabcd_ci_lab_test"
    deploy:
      labels:
        "coop-cloud.ccabcd_ci_lab_test.recipe": "x"
        "coop-cloud.ccabcd_ci_lab_test.chaos": "true"
        "coop-cloud.ccabcd_ci_lab_test.chaos-version": "09bf4d54+U"
  "db":
    environment:
      "A": "it costs $$ 5, \"net\""
      "B": "mine"
      "DOMAIN": "ccabcd.ci.lab.test"
      "LETS_ENCRYPT_ENV": ""
      "STACK_NAME": "ccabcd_ci_lab_test"
"#;
    assert_eq!(deployment.own_file, (OWN_FILE.to_owned(), wanted.to_owned()));
    let without = app("", "services: {app: {image: a:1}}").unwrap();
    assert!(!without.own_file.1.contains("\n\"version\":"), "docker refuses another version than the recipe's");
}

#[test]
fn the_targets_env_comes_last_but_stack_and_domain_are_ours() {
    let recipe = files(&[
        (".env.sample", "STACK_NAME=theirs\nA=1\nB=$A\nURL=https://api.x.example.com\n"),
        ("abra.sh", "export A=2\nexport C=3\nexport D=$(id)\n"),
        ("compose.yml", "services: {app: {image: 'a:${C}'}}"),
    ]);
    let mut facts = facts("x");
    facts.forced = BTreeMap::from([("C".to_owned(), "9".to_owned()), ("STACK_NAME".to_owned(), "no".to_owned())]);
    let deployment = plan(&recipe, &facts).unwrap();
    let env = |name: &str| deployment.env[name].as_str();
    assert_eq!((env("A"), env("B"), env("C"), env("STACK_NAME")), ("2", "1", "9", "ccabcd_ci_lab_test"));
    assert_eq!(env("URL"), "https://api.ccabcd.ci.lab.test", "as abra does in a new app's env");
    assert_eq!(deployment.services[0].image, "a:9");
    assert!(deployment.notes[0].starts_with("abra.sh:3: `D` is computed"), "{:?}", deployment.notes);
}

#[test]
fn the_tests_file_overrides_the_sample_as_somebody_would_who_edits_it() {
    let recipe = files(&[
        (".env.sample", "A=1\nB=$A\nCOMPOSE_FILE=compose.yml\n"),
        ("abra.sh", "export C=3\n"),
        ("compose.yml", "services: {app: {image: 'a:${B}${C}'}}"),
        ("compose.more.yml", "services: {more: {image: 'b:${NEW}', volumes: ['${WHERE}:/x']}}"),
    ]);
    let set =
        [("A", "2"), ("NEW", "4"), ("C", "9"), ("COMPOSE_FILE", "compose.yml:compose.more.yml"), ("WHERE", "/srv")];
    let mut facts = facts("x");
    facts.overrides = set.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let deployment = plan(&recipe, &facts).unwrap();
    let images: Vec<&str> = deployment.services.iter().map(|service| service.image.as_str()).collect();
    assert_eq!(images, ["a:23", "b:4"], "abra.sh still comes behind it");
    let power: Vec<String> = deployment.host_power.iter().map(ToString::to_string).collect();
    assert_eq!(
        power,
        ["`more` mounts `/srv` of the host (compose.more.yml:1)"],
        "as it is deployed, not as it is written"
    );
}

#[test]
fn a_recipe_cannot_steer_the_docker_client_or_read_its_machine() {
    let deployment =
        app("DOCKER_HOST=tcp://evil:1\nLD_PRELOAD=/x\nhttps_proxy=x\n", "services: {app: {image: a:1}}").unwrap();
    assert!(
        deployment.env.keys().all(|name| !name.contains("DOCKER") && !name.contains("LD_") && !name.contains("proxy"))
    );
    assert_eq!(deployment.notes.len(), 3);
    assert!(deployment.own_file.1.contains("DOCKER_HOST"), "the service may have it");
    for section in
        ["configs: {c: {file: /proc/1/environ}}", "configs: {c: {file: ../x}}", "secrets: {c: {file: '${A}'}}"]
    {
        let error = text(app("A=/etc/shadow", &format!("services: {{app: {{image: a:1}}}}\n{section}")));
        assert!(error.contains("no file of the recipe"), "{error}");
    }
    assert!(
        text(app("", "services: {app: {image: a:1, env_file: /etc/passwd}}")).contains("`env_file` of service `app`")
    );
}

#[test]
fn a_recipe_cannot_claim_another_commit() {
    let error = text(app(
        "",
        "services: {app: {image: a:1, deploy: {labels: ['coop-cloud.${STACK_NAME}.chaos-version=f00']}}}",
    ));
    assert!(
        error.contains("sets the label `coop-cloud.ccabcd_ci_lab_test.chaos-version` itself; remove it"),
        "{error}"
    );
}

#[test]
fn secrets_follow_their_comment_and_their_version() {
    let sample = concat!(
        "SECRET_A_VERSION=v2 # length=12 charset=hex\nSECRET_B_VERSION=v1 # generate=false\nSECRET_UNUSED_VERSION=v1\n",
        "SECRET_D_VERSION=v1 # length=0 charset=runes\n",
    );
    let compose = concat!(
        "services:\n  app: {image: a:1, secrets: [a, b, c, shared, d]}\nsecrets:\n",
        "  a: {external: true, name: '${STACK_NAME}_a_${SECRET_A_VERSION}'}\n  b: {external: true, name: '${STACK_NAME}_b_${SECRET_B_VERSION}'}\n",
        "  c: {external: true, name: '${STACK_NAME}_c_${SECRET_C_VERSION:-v7}'}\n  shared: {external: true, name: shared}\n",
        "  d: {external: true, name: '${STACK_NAME}_d_${SECRET_D_VERSION}'}\n",
    );
    let deployment = app(sample, compose).unwrap();
    let plans: Vec<_> = deployment
        .secrets
        .iter()
        .map(|secret| (secret.name.as_str(), secret.version.as_str(), secret.length, secret.generate))
        .collect();
    assert_eq!(plans, [("a", "v2", 12, true), ("b", "v1", 32, false), ("c", "v7", 32, true), ("d", "v1", 32, true)]);
    assert_eq!(deployment.secrets[0].charset, Charset::named("hex").unwrap());
    assert_eq!(deployment.notes.len(), 3, "length, charset, fixed name: {:?}", deployment.notes);
}

#[test]
fn what_docker_would_refuse_is_said_before() {
    assert!(
        text(app("COMPOSE_FILE=compose.yml:nope.yml", "services: {app: {image: a:1}}"))
            .contains("no file `nope.yml`; `COMPOSE_FILE`")
    );
    assert!(text(app("COMPOSE_FILE=../x.yml", "services: {app: {image: a:1}}")).contains("../x.yml"));
    assert!(text(app("", "services: {app: {}}")).contains("service `app` has no image"));
    assert!(
        text(app("", "services:\n  app: {image: 'a:${V:?choose one}'}"))
            .starts_with("compose.yml:2: services.app.image cannot be filled in")
    );
    assert!(text(app("", "services: [")).starts_with("compose.yml"));
    let unset = "services: {app: {image: a:1, secrets: [k]}}\nsecrets: {k: {external: true, name: '${STACK_NAME}_k_${SECRET_K_VERSION}'}}";
    assert!(text(app("", unset)).contains("set its `SECRET_…_VERSION` in `.env.sample`"));
    let long = "a_secret_with_a_name_that_is_really_much_too_long";
    let error = text(app("V_VERSION=v1", &unset.replace('k', long).replace("SECRET_K_VERSION", "V_VERSION")));
    assert!(error.contains(long) && error.contains("Swarm allows 64"), "{error}");
    let two = files(&[
        (".env.sample", "COMPOSE_FILE=a.yml:b.yml"),
        ("a.yml", "version: '3.8'\nservices: {app: {image: a:1}}"),
        ("b.yml", "services: {}"),
    ]);
    assert!(text(plan(&two, &facts("x"))).contains("its `version` is none, that of the first file is 3.8"));
}

#[test]
fn what_is_not_done_is_said() {
    let deployment = app("POST_DEPLOY_CMDS=\"app migrate\"\n", "services: {web: {image: a:1}}").unwrap();
    assert_eq!(deployment.notes.len(), 2, "{:?}", deployment.notes);
    assert!(deployment.notes[0].contains("`POST_DEPLOY_CMDS` is set"));
}

proptest! {
    #[test]
    fn secrets_match_length_and_charset(length in 1_usize..200, names in "(default|hex|special|safespecial|alnum)(,hex)?", random in prop::collection::vec(any::<u8>(), 0..1000)) {
        let charset = Charset::named(&names).unwrap();
        let plan = SecretPlan { name: "k".into(), full_name: "k".into(), version: "v1".into(), length, charset, generate: true };
        match plan.generate(&random) {
            Some(secret) => {
                prop_assert_eq!(secret.chars().count(), length);
                prop_assert!(secret.chars().all(|c| plan.charset.characters().contains(c)));
            }
            None => prop_assert!(random.len() < plan.random_len()),
        }
    }

    #[test]
    fn our_file_gives_back_every_value(value in "[^\0]{0,40}") {
        let variables = BTreeMap::from([("A".to_owned(), value.clone())]);
        let compose = Compose::parse("services: {app: {image: a}}").unwrap();
        let stack = stack::Stack { paths: vec![], raw: compose.clone(), compose };
        let read = Compose::parse(&own_file::content(&stack, &variables, &facts("x")).unwrap()).unwrap();
        let given = read.services["app"].environment["A"].clone().unwrap();
        prop_assert_eq!(crate::domain::recipe::interpolate::interpolate(&given, &|_| None).unwrap(), value);
    }

    #[test]
    fn any_recipe_is_planned_or_refused(sample in "(?s).{0,60}", shell in "(?s).{0,60}", compose in "(?s).{0,60}|services: \\{app: \\{image: .{0,20}\\}\\}") {
        let _ = plan(&files(&[(".env.sample", &sample.replace('\0', "")), ("abra.sh", &shell.replace('\0', "")), ("compose.yml", &compose.replace('\0', ""))]), &facts("x"));
    }
}
