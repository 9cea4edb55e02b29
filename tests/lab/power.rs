//! What a recipe can reach, and what happens to one that could rule its target.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};

use cc_ci::domain::finding::FindingKind;

use crate::support::forge::{Organisation, SCOPES, Serving};
use crate::support::{Recipe, Tests, edited, lab, said, until};

/// Tries all doors that must be shut, tells which are open, lies about the verdict, and is then an app that answers 500.
const NOSY: &str = r#"#!/bin/bash
found() { echo "OPEN: $*"; }
for socket in $(find / -xdev -name '*.sock' 2>/dev/null); do found "$socket"; done
for path in /cc-ci /run/docker.sock /var/run/docker.sock /run/host-services; do [ -e "$path" ] && found "$path"; done
(echo x > /proc/sysrq-trigger) 2>/dev/null && found sysrq
[ "$(ls -A /dev | grep -cE '^(sd|vd|nvme|dm-)')" = 0 ] || found "devices"
grep -q "CapEff:.*00000000a80425fb" /proc/self/status || found "capabilities $(grep CapEff /proc/self/status)"
(env; cat /run/secrets/* 2>/dev/null) | grep -iE 'token|TOKEN_OF_THE_FORGE' && found "a token"
find / -xdev \( -name 'cc-ci*.toml' -o -name 'targets.toml' -o -name 'cc-ci.db' -o -name 'id_ed25519' \) 2>/dev/null | grep . && found "files of the gate"
door() { (exec 3<>"/dev/tcp/$1/$2") 2>/dev/null; }
gateway() { while read -r _ to via _; do [ "$to" = 00000000 ] && printf '%d.%d.%d.%d\n' 0x${via:6:2} 0x${via:4:2} 0x${via:2:2} 0x${via:0:2}; done < /proc/net/route; }
door 127.0.0.11 53 && echo "the probe works" || door 127.0.0.11 42 || echo "the probe works: $(gateway)"
for host in $(gateway) 127.0.0.1; do for port in 2375 2376 GATE_PORT; do door "$host" $port && found "$host:$port"; done; done
echo '{"verdict":"green","level":5}'
echo "all doors were tried"
LAB_STATUS=500 exec web
"#;

fn nosy(gate_port: u16) -> Recipe {
    let good = Recipe::copy_of("good");
    let compose = edited(
        &good.read("compose.yml"),
        &[
            (
                "    image: lab/web:1.0.0\n",
                "    image: lab/web:1.0.0\n    entrypoint: [bash, /nosy.sh]\n    configs: [{source: nosy, target: /nosy.sh}]\n",
            ),
            (
                "volumes:\n  data:\n",
                "volumes:\n  data:\nconfigs:\n  nosy: {file: nosy.sh, name: '${STACK_NAME}_nosy_v1'}\n",
            ),
        ],
    );
    good.write("compose.yml", &compose);
    good.write("nosy.sh", &NOSY.replace("GATE_PORT", &gate_port.to_string()));
    good.write("abra.sh", "touch /tmp/abra-was-run\nexport NOSY_VERSION=$(touch /tmp/abra-was-run; echo v1)\n");
    good
}

#[test]
fn s61_what_a_recipe_runs_reaches_nothing_and_decides_nothing() {
    let lab = lab();
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let recipe = nosy(listener.local_addr().unwrap().port());
    let run = lab.run_in(&recipe.path(), &[]).finish();
    run.assert(1, "red");
    let of_app: Vec<&str> = run
        .log
        .iter()
        .filter(|record| record.source.to_string().starts_with("app."))
        .map(|record| record.text.as_str())
        .collect();
    assert!(of_app.contains(&"all doors were tried"), "{}", run.told());
    assert!(of_app.iter().any(|line| line.starts_with("the probe works")), "{}", run.told());
    let open: Vec<_> = of_app.iter().filter(|line| line.starts_with("OPEN")).collect();
    assert!(open.is_empty(), "{open:#?}");
    let found = &run.results().findings[0];
    assert!(found.kind == FindingKind::Unreachable && found.sentence.contains("500"), "{}", run.told());
    assert_eq!(run.results().level, 1, "the app's own word does not count");
    assert!(!std::path::Path::new("/tmp/abra-was-run").exists());
    lab.assert_untouched();
}

#[test]
fn s61_host_power_is_refused_before_anything_is_started() {
    let lab = lab();
    let good = Recipe::copy_of("good");
    let compose = good.read("compose.yml");
    good.write(
        "compose.yml",
        &edited(
            &compose,
            &[("      - data:/data\n", "      - data:/data\n      - /var/run/docker.sock:/var/run/docker.sock\n")],
        ),
    );
    let run = lab.run_in(&good.path(), &[]).finish();
    run.assert(1, "red");
    let found = &run.results().findings[0];
    assert_eq!((found.kind, found.service.as_deref()), (FindingKind::HostPower, Some("app")));
    assert!(
        found.sentence.starts_with("`app` mounts the host's socket `/var/run/docker.sock` (compose.yml:13)"),
        "{}",
        found.sentence
    );
    assert!(run.log.iter().all(|record| !record.text.contains("docker stack deploy")), "{}", run.told());
    assert_eq!((run.results().deploys.fresh, &run.results().host_power), (0, &None));

    // A tests file that cannot be used judges nobody, and one that allows it says so with the verdict.
    let with = |text: &str| lab.run_in(&good.path(), &["--tests", Tests::of(text).path()]).finish();
    let invalid = with("host_power = 'it is a proxy'\n[[chek]]\nname = 'x'\n");
    invalid.assert(3, "not_judged");
    let found = &invalid.results().findings[0];
    assert!(
        found.kind == FindingKind::TestsInvalid && found.sentence.contains("cc-ci.toml:2: unknown field `chek`"),
        "{}",
        found.sentence
    );
    let never = with("host_power = 'x'\n[[ready]]\nhttp = { path = '/', title = 'Never' }\ntimeout = '2s'\n");
    never.assert(1, "red");
    let found = &never.results().findings[0];
    assert!(
        found.sentence.contains("answers 200 with the title “A good recipe” instead of “Never”"),
        "{}",
        found.sentence
    );
    let allowed = with(concat!(
        "host_power = 'it is a proxy'\n[env]\nTITLE = 'With a tests file'\n",
        "[[ready]]\nhttp = { path = '/healthz' }\n[[ready]]\nhttp = { path = '/', title = 'With a tests file' }\n",
    ));
    allowed.assert(0, "green");
    let results = allowed.results();
    assert!(
        results.sentence.ends_with("; it had host power and could fake what was seen: it is a proxy"),
        "{}",
        results.sentence
    );
    assert!(results.host_power.is_some() && results.tests.is_some());
    assert!(
        results.sentence.contains("1 more host answers"),
        "both probes are told, the floor asks no more: {}",
        results.sentence
    );
    assert!(results.verified.iter().any(|claim| claim.contains("“With a tests file”")), "{:?}", results.verified);
    // Both, after the install and after the second deploy, into which the backup comes back.
    assert_eq!(allowed.log.iter().filter(|record| record.text.starts_with("ready: ")).count(), 4);
    lab.assert_untouched();
}

/// A hypervisor: hears that a target should be brought back.
fn hypervisor() -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/back/{{target}}?key=sesame", listener.local_addr().unwrap());
    let (sender, heard) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut bytes = [0; 2048];
            let length = stream.read(&mut bytes).unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
            let line = String::from_utf8_lossy(&bytes[..length]).lines().next().unwrap_or_default().to_owned();
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    (url, heard)
}

fn targets_page(organisation: &Organisation, serving: &Serving, text: &str) -> String {
    until(text, || Some(organisation.page(serving, "/targets").1).filter(|page| page.contains(text)))
}

#[test]
fn s61_s65_the_tests_file_is_the_default_branchs_and_a_target_that_was_ruled_is_recycled_or_quarantined() {
    let (lab, organisation) = (lab(), Organisation::new());
    organisation.recipe("good");
    let socket = "      - data:/data\n      - /var/run/docker.sock:/var/run/docker.sock:ro\n";
    let compose = std::fs::read_to_string("tests/recipes/good/compose.yml").unwrap();
    let compose = edited(&compose, &[("      - data:/data\n", socket)]);
    let allows = "host_power = \"it is a proxy\"\n";
    let change = [("compose.yml", compose.as_str()), ("tests/cc-ci.toml", allows)];
    let pull = organisation.change_files("good", "change", &change);
    let (url, heard) = hypervisor();
    let config = organisation.config_file(&format!("RECYCLE_POLICY=when_dirty\nRECYCLE_URL={url}\n"));
    let serving = organisation.serve_with(&lab, &SCOPES, &["--config", &config]);
    organisation.wait_for_first_poll(&serving);

    // The pull request cannot allow itself anything.
    pull.say("maintainer", "!testme");
    let refused = pull.wait_for("### ✕ good", 1).pop().unwrap();
    assert!(refused.contains("`app` mounts the host's socket"), "{refused}");
    assert!(refused.contains("the `tests/cc-ci.toml` under test says nothing"), "{refused}");
    assert!(heard.try_recv().is_err(), "nothing was started, so nothing is recycled");

    // Its maintainers can, on the default branch.
    let tip = organisation.push_files_to_main("good", &[]);
    pull.say("maintainer", "!testme");
    let allowed = pull.wait_for("with host power is green", 1).pop().unwrap();
    assert!(allowed.contains("it had host power and could fake what was seen: it is a proxy"), "{allowed}");
    let line = heard.recv_timeout(std::time::Duration::from_secs(30)).unwrap();
    assert_eq!(line, format!("POST /back/{}?key=sesame HTTP/1.1", lab.name));
    targets_page(&organisation, &serving, "nothing of this gate was there");
    let (_, results) = organisation.page(&serving, "/runs/2/results.json");
    assert!(results.contains("\"host_power\": {") || results.contains(&tip), "{results}");
    serving.kill();

    // Without a hypervisor the run of what was pushed leaves it quarantined, until somebody says that it was set up anew; also across
    // a restart.
    let serving = organisation.serve(&lab);
    targets_page(&organisation, &serving, "had host power (it is a proxy)");
    serving.kill();
    let serving = organisation.serve(&lab);
    targets_page(&organisation, &serving, "quarantined");
    said(&mut lab.cc_ci(&["target", "trust", lab.name]));
    targets_page(&organisation, &serving, "nothing of this gate was there");
    lab.assert_untouched();
}
