//! What of the lab is up.

use std::fmt;

use anyhow::Result;

use super::images::{FRONT, GO, REGISTRY, SERVICES, TARGET, WEB, id};
use super::places::Places;
use super::target::Target;
use super::{base, engine, front, proxy, registry, runner, traefik};

/// One line per part.
pub(crate) struct Status {
    parts: Vec<Part>,
}

struct Part {
    name: String,
    up: bool,
    detail: String,
}

impl Status {
    /// Looks at every part; what stands on a missing part is missing too.
    pub(crate) fn read() -> Result<Self> {
        let places = Places::find()?;
        let engine = engine::version();
        let mut parts = vec![part("engine", engine.is_some(), engine.unwrap_or_else(|| "none answers".to_owned()))];
        if parts[0].up {
            let missing = missing_images();
            parts.push(part("images", missing.is_empty(), listed("missing", &missing)));
            parts.push(part("registry", registry::answers() && front::answers(), String::new()));
            for target in Target::wanted(&[])? {
                let (ready, name) = (target.ready(), target.section());
                parts.push(part("target", ready, name.to_owned()));
                parts.push(part("proxy", ready && proxy::answers(&target), format!("of {name}")));
            }
        }
        let hash = runner::saved_hash(&places);
        let detail = hash
            .as_deref()
            .map_or("no runner.tar".to_owned(), |hash| format!("binary {}", &hash[..12.min(hash.len())]));
        parts.push(part("runner", hash.is_some(), detail));
        Ok(Self { parts })
    }

    /// Whether nothing is missing.
    pub(crate) fn all_up(&self) -> bool {
        self.parts.iter().all(|part| part.up)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.parts {
            let state = if part.up { "up" } else { "down" };
            writeln!(f, "{}", format!("{:10}{state:6}{}", part.name, part.detail).trim_end())?;
        }
        if !self.all_up() {
            writeln!(f, "hint: cargo xtask lab up")?;
        }
        Ok(())
    }
}

fn part(name: &str, up: bool, detail: String) -> Part {
    Part { name: name.to_owned(), up, detail }
}

fn listed(what: &str, names: &[&str]) -> String {
    if names.is_empty() { String::new() } else { format!("{what}: {}", names.join(", ")) }
}

fn missing_images() -> Vec<&'static str> {
    let images = [&GO, &TARGET, &REGISTRY, &FRONT].into_iter().chain(&WEB).chain(&SERVICES);
    let tags = images.map(|image| image.tag).chain([base::IMAGE, traefik::IMAGE]);
    tags.filter(|tag| id(tag).is_none()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_part_brings_the_hint() {
        let up = Status { parts: vec![part("engine", true, "20.10".to_owned())] };
        assert_eq!(up.to_string(), "engine    up    20.10\n");
        let down = Status { parts: vec![part("registry", false, String::new())] };
        assert_eq!(down.to_string(), "registry  down\nhint: cargo xtask lab up\n");
    }
}
