//! Compose files that somebody might have written, and some that only mean harm.

use crate::draw::Random;

const KEYS: [&str; 30] = [
    "image",
    "command",
    "entrypoint",
    "environment",
    "env_file",
    "labels",
    "deploy",
    "healthcheck",
    "depends_on",
    "secrets",
    "configs",
    "networks",
    "volumes",
    "ports",
    "stop_grace_period",
    "privileged",
    "cap_add",
    "network_mode",
    "pid",
    "<<",
    "external",
    "name",
    "file",
    "template_driver",
    "replicas",
    "restart_policy",
    "update_config",
    "resources",
    "mode",
    "test",
];
const TOP: [&str; 8] = ["version", "services", "secrets", "configs", "networks", "volumes", "x-any", "name"];
const SCALARS: [&str; 28] = [
    "a",
    "lab/web:1.0.0",
    "\"80:80\"",
    "80-90:80-90/udp",
    "127.0.0.1:53:53",
    "${STACK_NAME}_x_${V:-v1}",
    "\"${A:?no}\"",
    "${",
    "$$",
    "${A:-${B}}",
    "3.8",
    "0o17",
    "0555",
    "1_000",
    ".inf",
    ".nan",
    "-0",
    "~",
    "yes",
    "!!int 3",
    "!!binary aGk=",
    "'it''s'",
    "\"\\u0000\"",
    "\"\\x41\"",
    "*a",
    "10s",
    "1m30s",
    "traefik.http.routers.x.rule=Host(`${DOMAIN}`)",
];

/// A file of the right kind of pieces.
pub(crate) fn made_up(random: &mut Random) -> String {
    let mut text = String::new();
    if random.one_in(4) {
        text.push_str("x-a: &a\n  image: a:1\n");
    }
    for _ in 0..1 + random.below(5) {
        let key = random.pick(&TOP);
        let name = random.word();
        text.push_str(&format!("{key}:\n  {name}:\n"));
        for _ in 0..random.below(6) {
            let key = random.pick(&KEYS);
            text.push_str(&format!("    {key}:"));
            value(random, 3, &mut text);
        }
    }
    text
}

/// What stands behind a key, and the end of its line.
fn value(random: &mut Random, depth: usize, text: &mut String) {
    let indent = "  ".repeat(6 - depth);
    match random.below(if depth == 0 { 2 } else { 6 }) {
        0 => text.push_str(&format!(" {}\n", random.pick(&SCALARS))),
        1 => {
            flow(random, 3, text);
            text.push('\n');
        }
        2 => {
            text.push_str(if random.one_in(4) { " &a\n" } else { "\n" });
            for _ in 0..random.below(4) {
                text.push_str(&format!("{indent}- {}\n", random.pick(&SCALARS)));
            }
        }
        3 => text.push_str(&format!(" |\n{indent}{}\n", random.word())),
        _ => {
            text.push('\n');
            for _ in 0..random.below(4) {
                text.push_str(&format!("{indent}{}:", random.pick(&KEYS)));
                value(random, depth - 1, text);
            }
        }
    }
}

fn flow(random: &mut Random, depth: usize, text: &mut String) {
    text.push(' ');
    match random.below(if depth == 0 { 1 } else { 3 }) {
        0 => text.push_str(random.pick(&SCALARS)),
        1 => {
            text.push('[');
            for _ in 0..random.below(4) {
                flow(random, depth - 1, text);
                text.push(',');
            }
            text.push(']');
        }
        _ => {
            text.push('{');
            for _ in 0..random.below(4) {
                text.push_str(&format!("{}:", random.pick(&KEYS)));
                flow(random, depth - 1, text);
                text.push(',');
            }
            text.push('}');
        }
    }
}

/// About a megabyte that becomes much more, or goes very deep, or is one thing alone.
pub(crate) fn bomb(random: &mut Random) -> String {
    let many = 1 << random.below(18);
    match random.below(15) {
        0 => doubling(random, "[", "]"),
        1 => doubling(random, "{x: ", "}"),
        2 => "[".repeat(many),
        3 => format!("services: {}{}", "[".repeat(many), "]".repeat(many)),
        4 => format!("services: {}", "{a: ".repeat(many)),
        5 => (0..many.min(2_000)).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect(),
        6 => format!("services:\n  app:\n    image: \"{}\"\n", "a".repeat(many * 4)),
        7 => format!("services:\n{}", (0..many).map(|n| format!("  s{n}: {{image: a}}\n")).collect::<String>()),
        8 => format!("{}services: *a1\n", (0..many).map(|n| format!("a{n}: &a{n} 1\n")).collect::<String>()),
        9 => merges(many),
        10 => format!("services:\n  app:\n    image: {}\n", "${A:-".repeat(many)),
        11 => format!("services:\n  app:\n    ports: [\"{}\"]\n", "1-65535:".repeat(many)),
        12 => format!("services:\n  app:\n    environment:\n{}", "      - A=${A}${A}${A}\n".repeat(many)),
        13 => format!(
            "services:\n  app:\n    image: a:1\n    ports:\n{}",
            (0..many).map(|n| format!("      - \"{n}:{n}\"\n")).collect::<String>()
        ),
        _ => "- ".repeat(many),
    }
}

/// Each anchor holds the one before it several times.
fn doubling(random: &mut Random, open: &str, close: &str) -> String {
    let (levels, times) = (2 + random.below(40), 2 + random.below(12));
    let mut text = format!("a0: &a0 {open}x{close}\n");
    for level in 1..levels {
        let inner: Vec<String> = (0..times)
            .map(|n| if open == "[" { format!("*a{}", level - 1) } else { format!("k{n}: *a{}", level - 1) })
            .collect();
        let (open, close) = if open == "[" { ("[", "]") } else { ("{", "}") };
        text.push_str(&format!("a{level}: &a{level} {open}{}{close}\n", inner.join(", ")));
    }
    text + &format!("services: *a{}\n", levels - 1)
}

/// Merge keys of merge keys.
fn merges(many: usize) -> String {
    let mut text = "m0: &m0 {a: 1, b: 2}\n".to_owned();
    for level in 1..many.min(3_000) {
        text.push_str(&format!("m{level}: &m{level}\n  <<: [*m{0}, *m{0}]\n  k{level}: 1\n", level - 1));
    }
    text + "services:\n  app:\n    <<: *m0\n"
}

/// Values that name each other, and many of them, each behind these words.
pub(crate) fn assignments(random: &mut Random, words: &str) -> String {
    let many = 1 << random.below(16);
    let long = "x".repeat(60_000);
    match random.below(6) {
        0 => format!("{words}A={long}\n{}", (0..many).map(|n| format!("{words}B{n}=$A\n")).collect::<String>()),
        1 => format!("{words}A={long}\n{words}B={}\n", "$A".repeat(many)),
        2 => format!("{words}A=x\n{}", format!("{words}A=$A$A\n").repeat(many)),
        3 => (0..many).map(|n| format!("{words}A{n}={n}\n")).collect(),
        4 => format!("{words}COMPOSE_FILE=\"{}\"\n", "compose.yml:".repeat(many)),
        _ => format!("{words}A=\"{}\"\n", "${".repeat(many)),
    }
}
