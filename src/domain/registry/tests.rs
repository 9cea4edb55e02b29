//! Messages as engines and registries give them, and what they are taken for.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::domain::convergence::Rules;
use crate::domain::finding::{Class, Finding, FindingKind as Kind};
use crate::domain::stage::Stage;

fn name(text: &str) -> ImageName {
    ImageName::parse(text).unwrap()
}

/// Message, status and what it is, about `registry.example/team/app:1`. Those of the engine 26 and 20.10 were seen; others are those of
/// the registries' documentation and of reports by people.
const SEEN: &[(u16, &str, Refusal)] = {
    use Refusal::{BadName, Denied, Limit, Missing, Trouble as T, Unusable};
    use Trouble::{Certificate, Disk, NoTls, Other, ServerError, Timeout, UnknownHost, Unreachable};
    &[
        // Docker's engine 26 with its registry: distribution inspect, then pull.
        (404, "manifest unknown: manifest unknown", Missing),
        (404, "manifest for registry.example/team/app:1 not found: manifest unknown: manifest unknown", Missing),
        (404, "name unknown: repository name not known to registry", Missing),
        (429, "toomanyrequests: You have reached your pull rate limit.", Limit),
        (500, "toomanyrequests: You have reached your pull rate limit.", Limit),
        (401, "unauthorized", Denied),
        (500, "unauthorized: authentication required", Denied),
        (500, "Head \"https://registry.example/v2/team/app/manifests/1\": no basic auth credentials", Denied),
        (500, "error parsing HTTP 403 response body: unexpected end of JSON input: \"denied\"", Denied),
        (
            500,
            "Get \"https://registry.example/v2/\": dial tcp 172.19.0.2:1: connect: connection refused",
            T(Unreachable),
        ),
        (
            500,
            "Get \"https://registry.example/v2/\": dial tcp: lookup registry.example on 127.0.0.11:53: no such host",
            T(UnknownHost),
        ),
        (
            500,
            "Get \"https://registry.example/v2/\": dial tcp: lookup registry.example: Temporary failure in name resolution",
            T(UnknownHost),
        ),
        (500, "Get \"https://registry.example/v2/\": http: server gave HTTP response to HTTPS client", T(NoTls)),
        (400, "invalid reference format: repository name (team/App) must be lowercase", BadName),
        (500, "received unexpected HTTP status: 503 Service Unavailable", T(ServerError)),
        (
            500,
            "error parsing HTTP 502 response body: invalid character '<' looking for beginning of value",
            T(ServerError),
        ),
        (500, "unknown: Internal Server Error", T(ServerError)),
        // Docker Hub.
        (
            404,
            "pull access denied for team/app, repository does not exist or may require 'docker login': denied: requested access to the resource is denied",
            Denied,
        ),
        (
            500,
            "toomanyrequests: You have reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit",
            Limit,
        ),
        (
            500,
            "errors:\ndenied: requested access to the resource is denied\nunauthorized: authentication required\n",
            Denied,
        ),
        // GitHub, GitLab, Google, quay.io, Amazon.
        (500, "Head \"https://registry.example/v2/team/app/manifests/1\": denied", Denied),
        (500, "denied: permission_denied: The token provided does not match expected scopes.", Denied),
        (500, "error from registry: denied\ndenied", Denied),
        (500, "denied: access forbidden", Denied),
        (500, "denied: Permission \"artifactregistry.repositories.downloadArtifacts\" denied on resource", Denied),
        (500, "unauthorized: access to the requested resource is not authorized", Denied),
        (500, "toomanyrequests: Rate exceeded", Limit),
        // An engine with containerd's image store.
        (
            500,
            "failed to resolve reference \"registry.example/team/app:1\": registry.example/team/app:1: not found",
            Missing,
        ),
        (
            500,
            "failed to resolve reference \"registry.example/team/app:1\": unexpected status from HEAD request to https://registry.example/v2/team/app/manifests/1: 429 Too Many Requests",
            Limit,
        ),
        (
            500,
            "failed to resolve reference \"registry.example/team/app:1\": pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed",
            Denied,
        ),
        (
            500,
            "failed to authorize: failed to fetch anonymous token: unexpected status from GET request to https://registry.example/token: 403 Forbidden",
            Denied,
        ),
        (
            500,
            "unexpected status from HEAD request to https://registry.example/v2/team/app/manifests/1: 503 Service Unavailable",
            T(ServerError),
        ),
        // Platforms and formats.
        (404, "no matching manifest for linux/arm64/v8 in the manifest list entries", Unusable),
        (500, "no match for platform in manifest: not found", Unusable),
        (
            500,
            "Docker Image Format v1 and Docker Image manifest version 2, schema 1 support is disabled by default and will be removed",
            Unusable,
        ),
        // Networks.
        (
            500,
            "Get \"https://registry.example/v2/\": net/http: request canceled while waiting for connection (Client.Timeout exceeded while awaiting headers)",
            T(Timeout),
        ),
        (500, "Get \"https://registry.example/v2/\": net/http: TLS handshake timeout", T(Timeout)),
        (500, "Get \"https://registry.example/v2/\": dial tcp 192.0.2.1:443: i/o timeout", T(Timeout)),
        (500, "Get \"https://registry.example/v2/\": context deadline exceeded", T(Timeout)),
        (500, "error parsing HTTP 504 response body: Gateway Timeout", T(ServerError)),
        (
            500,
            "Get \"https://registry.example/v2/\": tls: failed to verify certificate: x509: certificate signed by unknown authority",
            T(Certificate),
        ),
        (
            500,
            "Get \"https://registry.example/v2/\": x509: certificate has expired or is not yet valid",
            T(Certificate),
        ),
        (
            500,
            "Get \"https://registry.example/v2/\": dial tcp 192.0.2.1:443: connect: no route to host",
            T(Unreachable),
        ),
        (500, "Get \"https://registry.example/v2/\": EOF", T(Unreachable)),
        (500, "unexpected EOF", T(Unreachable)),
        (500, "read tcp 10.0.0.2:51000->192.0.2.1:443: read: connection reset by peer", T(Unreachable)),
        // The target itself.
        (500, "failed to register layer: write /usr/lib/x.so: no space left on device", T(Disk)),
        (500, "failed to register layer: mkdir /var/lib/docker/overlay2/x: permission denied", T(Other)),
        (500, "error creating temporary lease: context canceled", T(Other)),
    ]
};

#[test]
fn s23_messages_as_engines_give_them() {
    let image = name("registry.example/team/app:1");
    for (status, message, wanted) in SEEN {
        assert_eq!(Refusal::read(Some(*status), message, &image), *wanted, "{message}");
        // In a stream there is no status; the words are enough for each of them.
        assert_eq!(Refusal::read(None, &message.to_uppercase(), &image), *wanted, "{message}");
    }
}

#[test]
fn s23_a_status_counts_where_the_words_say_nothing() {
    let image = name("app");
    let read = |status| Refusal::read(Some(status), "something else", &image);
    assert_eq!(
        [read(404), read(401), read(403), read(429)],
        [Refusal::Missing, Refusal::Denied, Refusal::Denied, Refusal::Limit]
    );
    assert_eq!(read(503), Refusal::Trouble(Trouble::ServerError));
    assert_eq!(read(500), Refusal::Trouble(Trouble::Other));
}

proptest! {
    #[test]
    fn s23_no_message_panics_and_each_has_one_finding(
        status in proptest::option::of(0_u16..600), message in ".{0,300}", nth in 0..SEEN.len(), cut in 0_usize..200,
    ) {
        let image = name("registry.example/team/app:1");
        let half: String = SEEN[nth].1.chars().take(cut).collect();
        for message in [message.clone(), format!("{message}{half}"), format!("{half}{message}")] {
            let refusal = Refusal::read(status, &message, &image);
            prop_assert_eq!(refusal, Refusal::read(status, &message, &image));
            let finding = judge(refusal, &image, &message, &BTreeSet::new(), Stage::Install, Timestamp::UNIX_EPOCH);
            // One kind, and only the class that this kind has, whatever was said.
            prop_assert_eq!(finding.class, finding.kind.class());
            prop_assert!(finding.sentence.contains("registry.example/team/app:1"));
            prop_assert!(finding.sentence.chars().count() < 400 && !finding.sentence.contains('\n'));
        }
    }

    #[test]
    fn s23_an_images_own_name_decides_nothing(
        nth in 0..SEEN.len(), word in "(denied|toomanyrequests|x509|timeout|unauthorized|eof|not-found|503)", deep in any::<bool>(),
    ) {
        let tricky = if deep { format!("registry.example/{word}/{word}:{word}") } else { format!("{word}/app:{word}") };
        let (status, message, wanted) = SEEN[nth];
        let message = message.replace("registry.example/team/app:1", &tricky).replace("team/app", &tricky);
        prop_assert_eq!(Refusal::read(Some(status), &message, &name(&tricky)), wanted, "{}", message);
    }

    #[test]
    fn names_are_taken_apart_and_put_together(text in "[a-zA-Z0-9._/:@+ é-]{0,60}") {
        if let Ok(image) = ImageName::parse(&text) {
            prop_assert!(text.starts_with(image.name()) && image.as_str() == text);
            prop_assert!(!image.version().is_empty() && !image.host().is_empty());
            prop_assert!(!image.name().split('/').any(|part| part.is_empty() || part.starts_with('.')));
            prop_assert!(!image.name().contains([' ', '?', '#', '%']));
        }
    }

    #[test]
    fn a_pull_never_counts_backwards(
        messages in proptest::collection::vec(
            (0_u8..4, 0_usize..8, proptest::option::of(any::<i64>()), proptest::option::of(any::<i64>())), 0..200),
    ) {
        const STATUS: [&str; 8] = [
            "Downloading", "Extracting", "Download complete", "Pull complete", "Waiting", "Retrying in 3 seconds",
            "Pulling fs layer", "Digest: sha256:x",
        ];
        let mut pulling = Pulling::default();
        for (layer, status, current, total) in messages {
            let (before, layer) = (pulling.clone(), layer.to_string());
            let message = Message { layer: Some(&layer), status: STATUS[status], current, total };
            let moved = pulling.take(message);
            prop_assert!(pulling.downloaded() >= before.downloaded() && pulling.size() >= pulling.downloaded());
            // The same once more is no progress, unless it is the digest.
            prop_assert!(status == 7 || !pulling.take(message));
            prop_assert!(moved || pulling == before || status == 6 || status == 4 || status == 5);
        }
    }
}

fn judged(refusal: Refusal, image: &str, base: &[&str]) -> Finding {
    let base = base.iter().map(|&image| image.to_owned()).collect();
    judge(refusal, &name(image), "told", &base, Stage::Install, Timestamp::UNIX_EPOCH)
}

#[test]
fn s23_denied_is_the_recipes_fault_only_for_what_the_base_does_not_use() {
    let of = |image, base| {
        let finding = judged(Refusal::Denied, image, base);
        (finding.kind, finding.class)
    };
    let (theirs, nobodys) = ((Kind::ImageDenied, Class::Recipe), (Kind::RegistryDenied, Class::Infra));
    assert_eq!(of("ghcr.io/team/app:2", &[]), theirs, "without a base every image is new");
    assert_eq!(of("ghcr.io/team/app:2", &["ghcr.io/team/other:1", "broken name"]), theirs);
    assert_eq!(of("ghcr.io/team/app:2", &["ghcr.io/team/app:1"]), nobodys, "rights are given for a repository");
    assert_eq!(of("nginx", &["docker.io/library/nginx:1.27@sha256:ab"]), nobodys);
    assert_eq!(of("team/app", &["other.example/team/app"]), theirs);
}

#[test]
fn s23_whose_fault_each_refusal_is() {
    use Refusal::{BadName, Denied, Limit, Missing, Trouble as T, Unusable};
    use Trouble::{Certificate, Disk, NoTls, Other, ServerError, Timeout, UnknownHost, Unreachable};
    let troubles = [UnknownHost, Unreachable, Timeout, Certificate, NoTls, ServerError, Disk, Other].map(T);
    let mut said = Vec::new();
    for refusal in [Missing, Unusable, BadName, Denied, Limit].into_iter().chain(troubles) {
        for base in [&[][..], &["ghcr.io/team/app:1"]] {
            let finding = judged(refusal, "ghcr.io/team/app:2", base);
            let infra = matches!(refusal, Limit | T(_)) || refusal == Denied && !base.is_empty();
            assert_eq!(finding.turns_red(), !infra, "{refusal:?}");
            assert!(finding.advice.ends_with('.') && !finding.sentence.ends_with('.'));
            said.push(format!(
                "{} · {:?} · {}\n    {}",
                finding.kind.name(),
                finding.class,
                finding.sentence,
                finding.advice
            ));
        }
    }
    said.dedup();
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn names_as_compose_files_write_them() {
    let parts = |text: &str| {
        let image = name(text);
        (image.name().to_owned(), image.version().to_owned(), image.repository())
    };
    let digest = format!("sha256:{}", "ab".repeat(32));
    let whole =
        |name: &str, version: &str, repository: &str| (name.to_owned(), version.to_owned(), repository.to_owned());
    assert_eq!(parts("nginx"), whole("nginx", "latest", "docker.io/library/nginx"));
    assert_eq!(parts("team/app:1.2"), whole("team/app", "1.2", "docker.io/team/app"));
    assert_eq!(parts("registry.lab:5000/app"), whole("registry.lab:5000/app", "latest", "registry.lab:5000/app"));
    assert_eq!(parts(&format!("localhost/a:1@{digest}")), whole("localhost/a", &digest, "localhost/a"));
    for text in ["", ":1", "app:", "a//b", "a/../../containers/x/json", "app?x=1", "a b", "a@", "app@sha256:a/b", "ünï"]
    {
        assert!(ImageName::parse(text).is_err(), "{text}");
    }
    assert!(ImageName::parse(&"a/".repeat(200)).is_err());
}

#[test]
fn a_pull_is_followed_by_what_the_engine_says() {
    let mut pulling = Pulling::default();
    let mut take = |layer, status, current, total| {
        let moved = pulling.take(Message { layer, status, current, total });
        (moved, pulling.downloaded(), pulling.size())
    };
    assert_eq!(take(Some("1.0.0"), "Pulling from lab/web", None, None), (false, 0, 0));
    assert_eq!(take(Some("aa"), "Pulling fs layer", None, None), (false, 0, 0));
    assert_eq!(take(Some("aa"), "Downloading", Some(10), Some(100)), (true, 10, 100));
    assert_eq!(take(Some("bb"), "Already exists", None, None), (true, 10, 100));
    assert_eq!(take(Some("aa"), "Retrying in 5 seconds", None, None), (false, 10, 100));
    assert_eq!(take(Some("aa"), "Downloading", Some(5), Some(100)), (false, 10, 100), "begun anew");
    assert_eq!(take(Some("aa"), "Download complete", None, None), (true, 100, 100));
    assert_eq!(take(Some("aa"), "Extracting", Some(70), Some(100)), (true, 100, 100));
    let digest = format!("Digest: sha256:{}", "61be90ab".repeat(8));
    assert_eq!(take(None, &digest, None, None), (true, 100, 100));
    assert_eq!(pulling.digest(), digest.strip_prefix("Digest: "));
}

#[test]
fn s27_a_pull_that_moves_is_never_quiet_however_slow_it_is() {
    let rules = Rules::default();
    let (mut pulling, mut moved, mut worst) = (Pulling::default(), 0, Quiet::Moves);
    // An hour at a byte in four minutes.
    for second in 0..3_600_u64 {
        let current = i64::try_from(second / 240).unwrap();
        if pulling.take(Message { layer: Some("aa"), status: "Downloading", current: Some(current), total: Some(99) }) {
            moved = second;
        }
        if quiet(Duration::from_secs(second - moved), &rules) != Quiet::Moves {
            worst = Quiet::Stalled;
        }
    }
    assert_eq!((worst, pulling.downloaded()), (Quiet::Moves, 14));
    let after = |minutes| quiet(Duration::from_mins(minutes), &rules);
    assert_eq!([after(4), after(5), after(9), after(10)], [Quiet::Moves, Quiet::Warn, Quiet::Warn, Quiet::Stalled]);
    assert_eq!(quiet(Duration::from_mins(60), &Rules::only_deadline(Duration::from_secs(1))), Quiet::Warn);
}

#[test]
fn a_pull_without_end_stays_small() {
    let mut pulling = Pulling::default();
    for layer in 0..10_000 {
        let id = layer.to_string();
        pulling.take(Message {
            layer: Some(&id),
            status: "Downloading",
            current: Some(i64::MAX),
            total: Some(i64::MAX),
        });
    }
    assert_eq!(pulling.size(), 512 << 40);
    assert!(!pulling.take(Message {
        layer: Some(&"x".repeat(100)),
        status: "Downloading",
        current: Some(1),
        total: None
    }));
    assert!(
        pulling.take(Message { status: "Digest: sha256:../../x", ..Message::default() }) && pulling.digest().is_none()
    );
}
