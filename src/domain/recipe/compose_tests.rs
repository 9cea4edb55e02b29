//! Stories of reading compose files.

use super::*;
use proptest::prelude::*;

const FORMS: &str = r#"
version: "3.8"
x-env: &env
  TZ: UTC
services:
  list:
    image: a:1
    environment: [A=1, "B=x=y", DOMAIN]
    deploy: {labels: ["traefik.enable=true", "flag"], replicas: 0}
    depends_on: [map]
    secrets: [s, {source: t, target: u}]
    configs: [{source: c, target: /c, mode: 0444}]
    volumes: ["data:/data", "/var/run/docker.sock:/s:ro", "/anonymous", "${A:-x:y}:/z"]
    ports: ["80", "81:80", "127.0.0.1:82:80/udp", 8080]
    command: web --port 1
  map:
    image: b:2
    environment: {<<: *env, N: 1, T: true, E: }
    deploy:
      labels: {coop-cloud.x.version: 1.0.0+1}
      placement: {constraints: [node.role == manager]}
    depends_on: {list: {condition: service_started}}
    networks: {proxy: {aliases: [x]}, internal: }
    volumes: [{type: bind, source: /etc, target: /etc, read_only: true}]
    ports: [{target: 443, published: 443, mode: host}]
    command: ["web", "--port", "1"]
    healthcheck: {test: [NONE], interval: 5s}
  empty:
secrets:
  s: {external: true, name: "${STACK_NAME}_s_${SECRET_S_VERSION}"}
  t: {external: {name: old}}
configs:
  c: {file: c.tmpl, template_driver: golang}
networks: {proxy: {external: true}, internal: }
volumes: {data: }
"#;

#[test]
fn s16_list_and_map_forms_say_the_same() {
    let compose = Compose::parse(FORMS).unwrap();
    let list = &compose.services["list"];
    assert_eq!(list.environment["B"].as_deref(), Some("x=y"));
    assert_eq!(list.environment["DOMAIN"], None);
    assert_eq!(list.deploy.labels["traefik.enable"], "true");
    assert_eq!(list.deploy.replicas.as_deref(), Some("0"));
    assert_eq!(list.secrets[1], Attached { source: "t".into(), target: Some("u".into()) });
    let kinds: Vec<_> =
        list.volumes.iter().map(|mount| (mount.kind.as_str(), mount.source.as_deref(), mount.read_only)).collect();
    let wanted = [
        ("volume", Some("data"), false),
        ("bind", Some("/var/run/docker.sock"), true),
        ("volume", None, false),
        ("volume", Some("${A:-x:y}"), false),
    ];
    assert_eq!(kinds, wanted);
    let ports: Vec<_> = list.ports.iter().map(|port| (port.published.as_deref(), port.target.as_str())).collect();
    assert_eq!(ports, [(None, "80"), (Some("81"), "80"), (Some("82"), "80"), (None, "8080")]);

    let map = &compose.services["map"];
    assert_eq!(map.environment["TZ"].as_deref(), Some("UTC"), "merge keys are applied");
    assert_eq!((map.environment["N"].as_deref(), map.environment["T"].as_deref()), (Some("1"), Some("true")));
    assert_eq!(map.environment["E"], None);
    assert_eq!(map.depends_on, ["list"]);
    assert_eq!(map.networks, ["internal", "proxy"]);
    assert_eq!((map.ports[0].mode.as_str(), map.ports[0].published.as_deref()), ("host", Some("443")));
    assert!(map.healthcheck.as_ref().unwrap().disabled);
    assert_eq!(compose.services["empty"], Service::default());
}

#[test]
fn top_level_entries_are_read_in_both_forms() {
    let compose = Compose::parse(FORMS).unwrap();
    assert_eq!(compose.secrets["t"], Resource { external: true, name: Some("old".into()), ..Resource::default() });
    assert_eq!(compose.configs["c"].template_driver.as_deref(), Some("golang"));
    assert!(compose.networks["proxy"].external && !compose.networks["internal"].external);
    assert_eq!(compose.loader_version(), Some("3.8"));
}

#[test]
fn a_file_that_is_no_map_is_refused() {
    for text in ["", "[]", "text", "a: 1\n---\nb: 2\n", "services: {a: *nowhere}"] {
        assert!(Compose::parse(text).is_err(), "{text:?}");
    }
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "(?s).{0,120}") {
        let _ = Compose::parse(&text);
        let _ = Compose::parse(&format!("services:\n  app: {}\n", text.replace('\n', " ")));
    }

    #[test]
    fn any_shape_is_read(key in "image|environment|deploy|volumes|ports|secrets|networks|healthcheck|command|depends_on", value in "\\[\\]|\\{\\}|1|x|~|\\[\\[\\]\\]|\\[1, x: y\\]|\\{a: \\[\\]\\}|\\[\":\"\\]|\\[\":::\", \"\\$\\{\"\\]") {
        let text = format!("services: {{app: {{{key}: {value}}}}}");
        prop_assert!(Compose::parse(&text).is_ok(), "{}", text);
    }
}
