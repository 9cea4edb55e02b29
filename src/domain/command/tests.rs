//! Comments as people write them, and as nobody should.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::domain::stage::Stage;

fn test(keep: Option<&str>) -> Parsed {
    Parsed::Command(Command::Test(Options { keep: keep.and_then(Keep::parse), ..Options::default() }))
}

fn wrong(comment: &str) -> Wrong {
    match parse(comment) {
        Parsed::Wrong(wrong) => wrong,
        other @ (Parsed::NotForUs | Parsed::Command(_)) => panic!("{comment:?} is {other:?}"),
    }
}

fn later(comment: &str) -> Parsed {
    parse(comment)
}

#[test]
fn s40_the_first_word_asks_and_later_lines_are_for_people() {
    let plain = [
        "!testme",
        "  !testme  ",
        "!testme\r\n",
        "!testme\r\nplease look at `--extra` later",
        "!testme\n\n- a\n- b",
        "!testme\n-- \nAda, by e-mail",
        "\n\n!testme",
        "<!-- a template\nof the forge -->\n\n!testme",
    ];
    for comment in plain {
        assert_eq!(parse(comment), test(None), "{comment:?}");
    }
    assert_eq!(parse("!testme --keep 30m"), test(Some("30m")));
    assert_eq!(parse("!testme\t--keep=1h30m \r\nthanks"), test(Some("90m")));
}

#[test]
fn s40_what_is_said_to_a_quote_counts() {
    assert_eq!(parse("> shall we?\n\n!testme"), test(None));
    assert_eq!(parse("> a\n> > b\n\n```\nlog\n```\n\n!testme status"), Parsed::Command(Command::Status));
}

#[test]
fn s44_quotes_code_html_and_other_words_do_not_ask() {
    let not = [
        "",
        "!testmenot",
        "!testme, please",
        "!TestMe",
        "please !testme",
        "`!testme`",
        "`x` !testme",
        "``\n!testme\n``",
        "```\n!testme\n```",
        "~~~ !testme\n!testme",
        "    !testme",
        "\t!testme",
        "> !testme",
        "> looks good?\n!testme",
        "> `a`\n> \n> !testme\n\nwhat does this do?",
        "- !testme",
        "1. !testme",
        "# !testme",
        "---\n\n!testme",
        "**!testme**",
        "[!testme](https://example.org)",
        "![testme](x)",
        r"\!testme",
        "&#33;testme",
        "<b>!testme</b>",
        "<details>\n\n!testme\n\n</details>",
        "<!-- !testme -->",
        "<!-- never closed\n\n!testme",
        "<!-- a --><b>\n\n!testme",
        "<pre>\n!testme\n</pre>",
        "\u{feff}!testme",
        "\u{200b}!testme",
    ];
    for comment in not {
        assert_eq!(parse(comment), Parsed::NotForUs, "{comment:?}");
    }
}

#[test]
fn words_stand_alone() {
    for word in Word::ALL {
        let Parsed::Command(command) = parse(&format!("!testme {}", word.name())) else { panic!("{word:?}") };
        assert_eq!(command.to_string(), format!("!testme {}", word.name()));
        assert_eq!(wrong(&format!("!testme {} --keep 30m", word.name())), Wrong::StandsAlone(*word));
        assert_eq!(wrong(&format!("!testme --keep 30m {}", word.name())), Wrong::StandsAlone(*word));
    }
}

#[test]
fn s44_an_unknown_argument_gets_a_suggestion() {
    let unknown = |given: &str, nearest| Wrong::Unknown { given: given.to_owned(), nearest };
    assert_eq!(wrong("!testme --kepe 30m"), unknown("--kepe", Some("--keep")));
    assert_eq!(wrong("!testme canecl"), unknown("canecl", Some("cancel")));
    assert_eq!(wrong("!testme please"), unknown("please", None));
    assert_eq!(wrong(&format!("!testme {}", "ß".repeat(30_000))), unknown(&"ß".repeat(60), None));
}

#[test]
fn s90_how_long_an_app_can_be_kept() {
    let seconds = |text| Keep::parse(text).map(Keep::seconds);
    assert_eq!([seconds("30m"), seconds("90s"), seconds("1h30m")], [Some(1800), Some(90), Some(5400)]);
    for bad in ["", "0m", "59s", "3h", "30", "m", "-5m", "+5m", "1m1h", "30min", "99999999999999999999m", "1h1h", "٣m"]
    {
        assert_eq!(seconds(bad), None, "{bad:?}");
    }
    assert_eq!(wrong("!testme --keep"), Wrong::NoValue(Flag::Keep));
    assert_eq!(wrong("!testme --keep="), Wrong::NoValue(Flag::Keep));
    assert_eq!(wrong("!testme --keep --keep"), Wrong::NoValue(Flag::Keep));
    assert_eq!(wrong("!testme --keep 1m --keep 2m"), Wrong::Twice(Flag::Keep));
    assert_eq!(
        wrong("!testme --keep 9h"),
        Wrong::BadValue { flag: Flag::Keep, given: "9h".into(), choices: Vec::new() }
    );
}

#[test]
fn s91_unknown_values_are_answered_with_the_choices() {
    let Parsed::Wrong(Wrong::BadValue { flag, given, choices }) = later("!testme --only lint,instal") else {
        panic!("taken")
    };
    assert_eq!((flag, given.as_str()), (Flag::Only, "instal"));
    assert!(choices.contains(&"install".to_owned()) && !choices.contains(&"teardown".to_owned()), "{choices:?}");
    assert_eq!(later("!testme --only ,"), Parsed::Wrong(Wrong::NoValue(Flag::Only)));
    let bad = |flag, given: &str| Parsed::Wrong(Wrong::BadValue { flag, given: given.into(), choices: Vec::new() });
    assert_eq!(later("!testme --base $(x)"), bad(Flag::Base, "$(x)"));
    assert_eq!(later("!testme --extra=no"), bad(Flag::Extra, ""));
}

#[test]
fn options_are_kept_as_data() {
    let json = r#"{"only":["lint"],"base":"1.4.0+2.0.3","keep":1800}"#;
    let options: Options = serde_json::from_str(json).unwrap();
    assert_eq!(options.to_string(), "--only lint --base 1.4.0+2.0.3 --keep 30m");
    assert_eq!(serde_json::to_string(&options).unwrap(), json);
    assert_eq!(serde_json::to_string(&Options::default()).unwrap(), "{}");
    for bad in [r#"{"keep":1}"#, r#"{"base":"-x"}"#, r#"{"only":["all"]}"#] {
        assert!(serde_json::from_str::<Options>(bad).is_err(), "{bad}");
    }
}

#[test]
fn a_comment_made_to_be_slow_is_not() {
    for part in ["> ", "- ", "[", "`", "*_", "<!--", "<a ", "\\", "&#", "> - 1. ", "![](", "~~~\n", "\n\n", "!testme "]
    {
        let comment = format!("{}\n\n!testme", part.repeat((1 << 20) / part.len()));
        let _no_panic = parse(&comment);
    }
}

fn options() -> impl Strategy<Value = Options> {
    let stages = askable_stages().collect::<Vec<Stage>>();
    let only = prop::sample::subsequence(stages.clone(), 0..=stages.len());
    let base = prop::option::of("[0-9a-z][0-9a-zA-Z.+_-]{0,63}");
    (any::<bool>(), only, base, prop::option::of(Keep::LIMITS), any::<bool>()).prop_map(
        |(extra, only, base, keep, with_tests)| Options {
            extra,
            only: only.into_iter().collect::<BTreeSet<_>>(),
            base: base.and_then(|base| BaseVersion::parse(&base)),
            keep: keep.and_then(|keep| Keep::try_from(keep).ok()),
            with_tests,
        },
    )
}

proptest! {
    #[test]
    fn every_combination_of_flags_is_read_as_it_is_written(options in options()) {
        let command = Command::Test(options);
        prop_assert_eq!(later(&command.to_string()), Parsed::Command(command));
    }

    #[test]
    fn nothing_panics(text in any::<String>(), tail in "\\PC{0,80}") {
        let _any = parse(&text);
        let _any = later(&format!("!testme {tail}"));
    }

    #[test]
    fn a_command_in_a_quote_or_in_code_never_asks(before in "[^\r\n]{0,40}", after in "\\PC{0,40}") {
        let command = format!("{before}\n!testme {after}");
        let quoted: String = command.lines().map(|line| format!("> {line}\n")).collect();
        prop_assert_eq!(parse(&quoted), Parsed::NotForUs);
        let fenced = format!("``````\n{}\n``````", command.replace("``````", ""));
        prop_assert_eq!(parse(&fenced), Parsed::NotForUs);
        let span = format!("`!testme {}`", after.replace('`', ""));
        prop_assert_eq!(parse(&span), Parsed::NotForUs);
    }

    #[test]
    fn only_text_whose_first_word_is_the_word_asks(text in "(> |    |`|\n|!testme|!test|[ a<#-]){0,12}") {
        if parse(&text) != Parsed::NotForUs {
            prop_assert!(text.split_whitespace().any(|word| word == WORD), "{:?}", text);
        }
    }
}
