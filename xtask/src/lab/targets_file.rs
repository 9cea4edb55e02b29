//! `targets.toml` in cc-ci's state folder: the lab owns the sections of its targets and leaves every other line as it is.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::DOMAIN;
use super::places::Places;
use super::target::{Access, Target};

/// A section's name and its text; no text: it is taken out.
type Section<'a> = (&'a str, Option<String>);

/// Writes the sections of these targets.
pub(crate) fn write(places: &Places, targets: &[(Target, Access)]) -> Result<()> {
    let sections: Vec<Section<'_>> =
        targets.iter().map(|(target, access)| (target.section(), Some(section(places, target, access)))).collect();
    rewrite(&places.targets_file(), &sections)
}

/// Takes the sections of these targets out.
pub(crate) fn remove(places: &Places, targets: &[Target]) -> Result<()> {
    let file = places.targets_file();
    let sections: Vec<Section<'_>> = targets.iter().map(|target| (target.section(), None)).collect();
    if file.exists() { rewrite(&file, &sections) } else { Ok(()) }
}

fn section(places: &Places, target: &Target, access: &Access) -> String {
    let lines = [
        ("address", access.address.clone()),
        ("user", "ccci".to_owned()),
        ("key_path", access.key_path.display().to_string()),
        ("host_key", access.host_key.clone()),
        ("domain", DOMAIN.to_owned()),
        ("ca_path", places.ca().display().to_string()),
        ("role", target.role().to_owned()),
    ];
    let keys: String =
        lines.into_iter().map(|(key, value)| format!("{key} = {}\n", toml::Value::String(value))).collect();
    let name = target.section();
    // Empty, so that no run asks the public certificate authority.
    format!("[{name}]\n{keys}\n[{name}.env]\nLETS_ENCRYPT_ENV = \"\"\n")
}

fn rewrite(file: &Path, sections: &[Section<'_>]) -> Result<()> {
    let old = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", file.display())),
    };
    let mut new = old.clone();
    for (name, section) in sections {
        new = merged(&new, name, section.as_deref())
            .with_context(|| format!("{}; hint: correct it by hand", file.display()))?;
    }
    if new == old {
        return Ok(());
    }
    // Readers see the old file or the new one, never half of it.
    let unfinished = file.with_extension("toml.new");
    fs::write(&unfinished, new)?;
    fs::set_permissions(&unfinished, fs::Permissions::from_mode(0o600))?;
    fs::rename(&unfinished, file).with_context(|| format!("cannot write {}", file.display()))
}

/// The text with the section of this name replaced, or taken out. Comments, order and all other sections stay.
fn merged(text: &str, section_name: &str, section: Option<&str>) -> Result<String> {
    let before: toml::Table = text.parse().context("not valid TOML")?;
    let mut kept = String::new();
    let mut ours = false;
    for line in text.lines() {
        if let Some(name) = header(line) {
            ours = name == section_name || name.starts_with(&format!("{section_name}."));
        }
        if !ours {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    let kept = kept.trim_end();
    let new = match (kept.is_empty(), section) {
        (true, section) => section.unwrap_or_default().to_owned(),
        (false, None) => format!("{kept}\n"),
        (false, Some(section)) => format!("{kept}\n\n{section}"),
    };
    let others = |mut table: toml::Table| {
        table.remove(section_name);
        table
    };
    let after: toml::Table =
        new.parse().with_context(|| format!("section {section_name} is written in an unusual way"))?;
    if others(before) != others(after) {
        bail!("section {section_name} cannot be replaced without touching others");
    }
    Ok(new)
}

/// The name in a line like `[name]`.
fn header(line: &str) -> Option<&str> {
    let line = line.trim().strip_prefix('[')?;
    let (name, _) = line.split_once(']')?;
    Some(name.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECTION_TEXT: &str = "[lab]\naddress = \"127.0.0.1:1\"\n\n[lab.env]\nX = \"\"\n";

    #[test]
    fn an_empty_file_gets_the_section_alone() {
        assert_eq!(merged("", "lab", Some(SECTION_TEXT)).unwrap(), SECTION_TEXT);
    }

    #[test]
    fn other_sections_keep_their_lines_and_comments() {
        let old = "# mine\n[first]\naddress = \"a\" # here\n\n[lab]\naddress = \"old\"\n[lab.env]\nY = \"1\"\n[second]\nx = 1\n";
        let expected = format!("# mine\n[first]\naddress = \"a\" # here\n\n[second]\nx = 1\n\n{SECTION_TEXT}");
        assert_eq!(merged(old, "lab", Some(SECTION_TEXT)).unwrap(), expected);
    }

    #[test]
    fn writing_twice_changes_nothing() {
        let once = merged("[other]\nx = 1\n", "lab", Some(SECTION_TEXT)).unwrap();
        assert_eq!(merged(&once, "lab", Some(SECTION_TEXT)).unwrap(), once);
    }

    #[test]
    fn a_section_whose_name_only_begins_alike_is_another() {
        let old = "[laboratory]\nx = 1\n";
        assert!(merged(old, "lab", Some(SECTION_TEXT)).unwrap().starts_with(old));
    }

    #[test]
    fn taking_out_leaves_the_rest() {
        let with = merged("[other]\nx = 1\n", "lab", Some(SECTION_TEXT)).unwrap();
        assert_eq!(merged(&with, "lab", None).unwrap(), "[other]\nx = 1\n");
        assert_eq!(merged(SECTION_TEXT, "lab", None).unwrap(), "");
    }

    #[test]
    fn what_cannot_be_kept_is_refused() {
        assert!(merged("not toml", "lab", Some(SECTION_TEXT)).is_err());
        assert!(merged("lab = { address = \"x\" }\n", "lab", Some(SECTION_TEXT)).is_err());
        let text_like_a_header = "[other]\nx = \"\"\"\n[lab]\n\"\"\"\ny = 1\n";
        assert!(merged(text_like_a_header, "lab", Some(SECTION_TEXT)).is_err());
    }
}
