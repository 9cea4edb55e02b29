//! Who may ask for what, story by story.

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::domain::command::Flag;

fn sha(digit: char) -> CommitSha {
    CommitSha::parse(&digit.to_string().repeat(40)).unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_785_000_000 + second).unwrap()
}

fn comment(body: &str) -> CommentFacts {
    CommentFacts {
        id: 812,
        author: "ada".into(),
        body: body.into(),
        created_at: at(0),
        updated_at: at(0),
        edited: false,
        place: Place::Pull,
    }
}

/// A member's comment on a pull request from a branch of the repository.
fn members() -> Context {
    Context {
        own_account: Some("cc-ci".into()),
        recipe: Some(RecipeName::parse("notes").unwrap()),
        rights: Rights::Trusted,
        pull: PullFacts {
            state: PullState::Open,
            silenced: false,
            archived: false,
            head: sha('a'),
            then: HeadThen::Was(sha('a')),
            pushers: Pushers::Trusted,
        },
        told_before: false,
    }
}

/// A member's comment on a pull request from an outsider's fork.
fn outsiders_pull(then: HeadThen) -> Context {
    let members = members();
    Context { pull: PullFacts { then, pushers: Pushers::Outsiders, ..members.pull }, ..members }
}

fn tested(decision: Decision) -> (CommitSha, bool) {
    match decision {
        Decision::Accept(Request { asked: Asked::Test { head, vouches, .. }, .. }) => (head, vouches),
        other @ (Decision::Accept(_) | Decision::Ignore(_) | Decision::Refuse(_)) => panic!("{other:?}"),
    }
}

fn ask_again(then: Option<CommitSha>) -> Decision {
    Decision::Refuse(Say::AskAgain { then, now: sha('a') })
}

#[test]
fn s40_a_member_asks_and_that_head_is_run() {
    let asked = Asked::Test { head: sha('a'), options: Options::default(), vouches: false };
    let recipe = RecipeName::parse("notes").unwrap();
    let request = Request { comment: 812, by: "ada".into(), recipe, asked };
    assert_eq!(decide(&comment("!testme"), &members()), Decision::Accept(request));
}

#[test]
fn s44_a_program_with_rights_asks_like_a_person() {
    let upgrader = CommentFacts { author: "recipe-upgrader".into(), ..comment("!testme\n\n_from a program_") };
    // It has just pushed, and nothing was seen of its branch before.
    let mut context = members();
    context.pull.then = HeadThen::Unknown;
    assert_eq!(tested(decide(&upgrader, &context)), (sha('a'), false));
}

#[test]
fn s42_a_push_between_comment_and_decision_is_not_run() {
    for pushers in [Pushers::Trusted, Pushers::Outsiders] {
        let mut context = members();
        context.pull.pushers = pushers;
        context.pull.then = HeadThen::Was(sha('b'));
        assert_eq!(decide(&comment("!testme"), &context), ask_again(Some(sha('b'))));
        context.pull.then = HeadThen::Moved;
        assert_eq!(decide(&comment("!testme"), &context), ask_again(None));
    }
}

#[test]
fn s42_where_only_members_can_push_an_unseen_head_is_run() {
    let mut context = members();
    context.pull.then = HeadThen::Unknown;
    assert_eq!(tested(decide(&comment("!testme"), &context)), (sha('a'), false));
}

#[test]
fn s92_a_member_vouches_for_the_head_that_was_there_and_no_other() {
    let context = outsiders_pull(HeadThen::Was(sha('a')));
    assert_eq!(tested(decide(&comment("!testme"), &context)), (sha('a'), true));
    for then in [HeadThen::Moved, HeadThen::Unknown] {
        assert_eq!(decide(&comment("!testme"), &outsiders_pull(then)), ask_again(None));
    }
    assert_eq!(decide(&comment("!testme"), &outsiders_pull(HeadThen::Was(sha('b')))), ask_again(Some(sha('b'))));
}

#[test]
fn s92_a_retry_tests_what_was_vouched_for_before() {
    let decision = decide(&comment("!testme retry"), &outsiders_pull(HeadThen::Moved));
    assert!(matches!(decision, Decision::Accept(Request { asked: Asked::Retry, .. })), "{decision:?}");
}

#[test]
fn s92_what_the_head_was_is_believed_only_with_proof() {
    let (now, other) = (sha('a'), sha('b'));
    let push = |second, head: &CommitSha| Push { at: at(second), head: Some(head.clone()) };
    let then = |by_hook, pushes: Option<&[Push]>, last_seen| {
        head_then(&now, at(0), HeadEvidence { by_hook, pushes, last_seen })
    };
    let was = |head: &CommitSha| HeadThen::Was(head.clone());
    // The webhook's own head decides.
    assert_eq!(then(Some(&other), Some(&[push(-9, &now)]), Some(&now)), was(&other));
    // The timeline: pushed before, after.
    assert_eq!(then(None, Some(&[push(-9, &other), push(-5, &now)]), None), was(&now));
    assert_eq!(then(None, Some(&[push(-5, &other), push(6, &now)]), Some(&other)), HeadThen::Moved);
    assert_eq!(then(None, Some(&[push(6, &other), push(7, &now)]), Some(&now)), HeadThen::Moved);
    // Pushed and commented on at once: the timeline may have come late.
    for second in [0, 1, 5] {
        assert_eq!(then(None, Some(&[push(second, &now)]), Some(&now)), HeadThen::Unknown);
    }
    // The timeline does not know of this head yet, or an old head was pushed again.
    assert_eq!(then(None, Some(&[push(-5, &other)]), None), HeadThen::Unknown);
    assert_eq!(then(None, Some(&[push(-9, &now), push(-5, &other)]), Some(&now)), HeadThen::Unknown);
    assert_eq!(then(None, Some(&[Push { at: at(-5), head: None }]), Some(&now)), HeadThen::Unknown);
    // Never pushed to, or no timeline: what was seen at the last look before.
    for pushes in [None, Some([].as_slice())] {
        assert_eq!(then(None, pushes, Some(&now)), was(&now));
        assert_eq!(then(None, pushes, Some(&other)), HeadThen::Unknown);
        assert_eq!(then(None, pushes, None), HeadThen::Unknown);
    }
}

#[test]
fn s44_an_outsider_gets_one_answer_whatever_was_asked() {
    for (rights, membership_unseen) in [(Rights::Outsider, false), (Rights::MembershipUnseen, true)] {
        let mut context = Context { rights, ..members() };
        for body in ["!testme", "!testme cancel", "!testme help", "!testme --nonsense"] {
            let said = decide(&comment(body), &context);
            assert_eq!(said, Decision::Refuse(Say::Outsider { membership_unseen }), "{body}");
        }
        context.told_before = true;
        assert_eq!(decide(&comment("!testme"), &context), Decision::Ignore(Why::ToldBefore));
        context.pull.state = PullState::Closed;
        assert_eq!(decide(&comment("!testme"), &context), Decision::Ignore(Why::OutsiderOnClosed));
    }
}

#[test]
fn s44_edits_reviews_issues_and_the_gate_itself_ask_for_nothing() {
    let ignored = |comment: CommentFacts, why| {
        assert_eq!(decide(&comment, &members()), Decision::Ignore(why));
        // Nobody gets an answer to them either.
        let outsiders = Context { rights: Rights::Outsider, ..members() };
        assert_eq!(decide(&comment, &outsiders), Decision::Ignore(why));
    };
    let plain = || comment("!testme");
    ignored(CommentFacts { updated_at: at(60), ..plain() }, Why::Edited);
    ignored(CommentFacts { edited: true, ..plain() }, Why::Edited);
    ignored(CommentFacts { place: Place::Review, ..plain() }, Why::Review);
    ignored(CommentFacts { place: Place::Issue, ..plain() }, Why::NotOnAPull);
    ignored(CommentFacts { author: "CC-CI".into(), ..plain() }, Why::Own);
    ignored(comment("> !testme\n\nwhat is this?"), Why::NotForUs);
    ignored(comment("!testmenot"), Why::NotForUs);
}

#[test]
fn s44_the_gate_knows_its_own_words_without_knowing_its_name() {
    let context = Context { own_account: None, ..members() };
    let own = comment("!testme\n\n<!-- cc-ci:run=- comment=7 gate=abcdefghijklmnop post=1 -->\n");
    assert_eq!(decide(&own, &context), Decision::Ignore(Why::Own));
}

#[test]
fn s44_a_wrong_flag_is_answered() {
    let said = decide(&comment("!testme --extra=no"), &members());
    assert!(matches!(said, Decision::Refuse(Say::Wrong(Wrong::BadValue { flag: Flag::Extra, .. }))), "{said:?}");
}

#[test]
fn s49_closed_locked_and_archived() {
    let mut context = members();
    context.pull.state = PullState::Merged;
    for body in ["!testme", "!testme retry"] {
        assert_eq!(decide(&comment(body), &context), Decision::Refuse(Say::NotOpen { merged: true }));
    }
    for body in ["!testme status", "!testme cancel", "!testme help"] {
        assert!(matches!(decide(&comment(body), &context), Decision::Accept(_)), "{body}");
    }
    context.pull.archived = true;
    assert_eq!(decide(&comment("!testme status"), &context), Decision::Ignore(Why::NoAnswerPossible));
    let mut context = members();
    context.pull.silenced = true;
    assert_eq!(decide(&comment("!testme"), &context), Decision::Ignore(Why::NoAnswerPossible));
}

#[test]
fn a_repository_that_is_not_enrolled_is_left_alone() {
    let context = Context { recipe: None, ..members() };
    assert_eq!(decide(&comment("!testme"), &context), Decision::Ignore(Why::NotEnrolled));
}

fn contexts() -> impl Strategy<Value = Context> {
    let rights = prop_oneof![Just(Rights::Trusted), Just(Rights::Outsider), Just(Rights::MembershipUnseen)];
    let state = prop_oneof![Just(PullState::Open), Just(PullState::Closed), Just(PullState::Merged)];
    let then = prop_oneof![
        Just(HeadThen::Was(sha('a'))),
        Just(HeadThen::Was(sha('b'))),
        Just(HeadThen::Moved),
        Just(HeadThen::Unknown)
    ];
    let pushers = prop_oneof![Just(Pushers::Trusted), Just(Pushers::Outsiders)];
    (rights, state, then, pushers, any::<[bool; 5]>()).prop_map(|(rights, state, then, pushers, flags)| {
        let [silenced, archived, told_before, enrolled, known] = flags;
        let members = members();
        Context {
            own_account: members.own_account.filter(|_| known),
            recipe: members.recipe.filter(|_| enrolled),
            rights,
            pull: PullFacts { state, silenced, archived, head: sha('a'), then, pushers },
            told_before,
        }
    })
}

proptest! {
    #[test]
    fn s92_whatever_the_facts_nothing_unvouched_is_accepted(context in contexts(), edited in any::<bool>()) {
        let comment = CommentFacts { edited, ..comment("!testme") };
        if let Decision::Accept(request) = decide(&comment, &context) {
            let Asked::Test { head, .. } = request.asked else { panic!("{:?}", request.asked) };
            prop_assert!(context.rights == Rights::Trusted && !edited);
            prop_assert_eq!(&head, &context.pull.head);
            let proved = context.pull.then == HeadThen::Was(head);
            prop_assert!(proved || (context.pull.pushers == Pushers::Trusted && context.pull.then == HeadThen::Unknown));
        }
    }
}
