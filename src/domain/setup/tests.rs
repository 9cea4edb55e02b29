use super::*;
use crate::domain::ids::{DomainName, TargetName};

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";

fn wishes() -> Wishes {
    Wishes::of(Ed25519::parse(&format!("{KEY} ada@example")).unwrap())
}

#[test]
fn the_script_is_what_is_told() {
    insta::assert_snapshot!(script(&wishes()));
}

#[test]
fn user_data_hold_the_very_script() {
    let (data, script) = (cloud_init(&wishes()), script(&wishes()));
    let value: serde_json::Value = serde_saphyr::from_str(&data).unwrap();
    assert_eq!(value["write_files"][0]["content"].as_str().unwrap(), script);
    assert_eq!(value["runcmd"][0][2], "apply");
    let around: Vec<&str> = data.lines().filter(|line| !line.starts_with("      ") && !line.is_empty()).collect();
    insta::assert_snapshot!(around.join("\n"));
}

#[test]
fn names_and_keys_hold_nothing_that_a_shell_would_read() {
    for bad in ["", "root", "a b", "a'b", "$(id)", "-x", "A", "1a", "a;b", "a\nb", &"a".repeat(32)] {
        assert!(HostUser::parse(bad).is_err(), "{bad:?}");
    }
    for bad in [
        "",
        "ssh-rsa AAAA",
        "ssh-ed25519",
        "ssh-ed25519 AAAA'",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5",
        "ssh-ed25519 $(id)",
    ] {
        assert!(Ed25519::parse(bad).is_err(), "{bad:?}");
    }
    assert_eq!(Ed25519::parse(&format!(" {KEY} x'y\n")).unwrap().to_string(), KEY);
}

#[test]
fn the_sections_are_what_the_gate_reads() {
    let key = Ed25519::parse(KEY).unwrap();
    let pinned = Pinned { key, how: "read on the host itself over your own ssh connection".to_owned() };
    let (name, user) = (TargetName::parse("swarm-a").unwrap(), HostUser::parse("ccci").unwrap());
    let mut reached = Reached {
        name: &name,
        address: "swarm-a.example.org:22",
        user: &user,
        key_path: None,
        host_key: &pinned,
        domain: None,
    };
    let bare = section(&reached);
    let domain = DomainName::parse("ci.swarm-a.org").unwrap();
    reached.key_path = Some("/home/ada/.ssh/cc-ci".as_ref());
    reached.domain = Some(&domain);
    insta::assert_snapshot!(format!("{}\n---\n{bare}", section(&reached)));
    assert!(section(&reached).parse::<toml::Table>().is_ok());
}
