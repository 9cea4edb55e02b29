use super::*;

#[test]
fn the_list_says_what_why_and_what_to_do() {
    let of = |name: &str, check: Check| Check { target: Some(name.to_owned()), ..check };
    let checks = [
        Check::good(Matter::Settings, "all settings are right"),
        Check::open(Matter::ForgeRights, "no commit statuses; the comment has the verdict", None),
        of("lab", Check::good(Matter::Session, "127.0.0.1:22 shows the pinned host key")),
        of("lab", Check::failed(Matter::Swarm, &"the engine is no manager\nhint: run `docker swarm init` there")),
        of("lab", Attempt::OtherPort.check(&Tried::Allowed("a connection was made".to_owned()))),
        of("lab", Attempt::Shell.check(&Tried::Refused("no session is opened".to_owned()))),
        of("lab", Check::open(Matter::Mirror, "no registry mirror", Some("see docs/targets.md".to_owned()))),
    ];
    insta::assert_snapshot!(told(&checks));
    assert!(!is_fine(&checks) && is_fine(&checks[..3]));
    insta::assert_snapshot!(serde_json::to_string_pretty(&checks[3..5]).unwrap());
}

#[test]
fn each_refusal_has_its_matter_and_its_lines() {
    let all: Vec<String> = Attempt::ALL
        .iter()
        .map(|attempt| format!("{:21} {} — {}", attempt.matter().name(), attempt.what(), attempt.lines()))
        .collect();
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn no_name_is_there_twice() {
    for (at, matter) in Matter::ALL.iter().enumerate() {
        assert!(Matter::ALL[at + 1..].iter().all(|other| other.name() != matter.name()), "{}", matter.name());
        assert!(matter.why().ends_with('.'), "{}", matter.name());
    }
}
