use std::process::{Command, Output, Stdio};

use super::*;

const CONTENT: &[u8] = b"{\n  \"verdict\": \"green\"\n}";

struct Keys(tempfile::TempDir);

impl Keys {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn sign(&self, seed: u8) -> String {
        sign(self.0.path(), [seed; 32], CONTENT).unwrap()
    }

    fn allowed(&self) -> String {
        allowed_signers(self.0.path()).unwrap()
    }
}

/// As somebody without cc-ci checks it.
fn ssh_keygen(keys: &Keys, signature: &str, content: &[u8]) -> Output {
    let file = |name: &str, text: &str| {
        let path = keys.0.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let (allowed, signature) = (file("allowed", &keys.allowed()), file("signature", signature));
    let content_file = keys.0.path().join("content");
    fs::write(&content_file, content).unwrap();
    Command::new("ssh-keygen")
        .args(["-Y", "verify", "-I", PRINCIPAL, "-n", NAMESPACE, "-f"])
        .arg(allowed)
        .arg("-s")
        .arg(signature)
        .stdin(Stdio::from(fs::File::open(content_file).unwrap()))
        .output()
        .unwrap()
}

#[test]
fn s63_a_changed_file_is_refused_by_us_and_by_ssh_keygen() {
    let keys = Keys::new();
    let signature = keys.sign(1);
    let allowed = Allowed::parse(&keys.allowed());
    let check = |content: &[u8], signature: &str| {
        let ours = verify(content, signature.as_bytes(), &allowed);
        let theirs = ssh_keygen(&keys, signature, content);
        assert_eq!(ours.is_ok(), theirs.status.success(), "{ours:?}\n{theirs:?}");
        ours
    };
    let signer = check(CONTENT, &signature).unwrap();
    assert!(signer.starts_with("SHA256:"), "{signer}");
    let red = String::from_utf8_lossy(CONTENT).replace("green", "red");
    assert_eq!(check(red.as_bytes(), &signature), Err(Refused::Changed));
    assert_eq!(check(b"", &signature), Err(Refused::Changed));
    let longer = [CONTENT, b"\n"].concat();
    assert_eq!(check(&longer, &signature), Err(Refused::Changed));
    assert!(matches!(check(CONTENT, "no signature"), Err(Refused::NoSignature(_))));
    let theirs = Keys::new().sign(2);
    assert!(matches!(check(CONTENT, &theirs), Err(Refused::UnknownSigner { known: 1, .. })));
}

#[test]
fn a_signature_for_something_else_does_not_hold() {
    let keys = Keys::new();
    ensure(keys.0.path(), [1; 32]).unwrap();
    let key = own_key::key(&keys.0.path().join(KEY), [1; 32]).unwrap();
    let other = key.sign("git", HashAlg::Sha512, CONTENT).unwrap().to_pem(LineEnding::LF).unwrap();
    let refused = verify(CONTENT, other.as_bytes(), &Allowed::parse(&keys.allowed()));
    assert_eq!(refused, Err(Refused::OtherNamespace("git".into())));
    assert!(!ssh_keygen(&keys, &other, CONTENT).status.success());
}

#[test]
fn a_replaced_key_stays_allowed_while_its_public_half_is_kept() {
    let keys = Keys::new();
    let old = keys.sign(1);
    fs::remove_file(keys.0.path().join(KEY)).unwrap();
    fs::rename(keys.0.path().join("id_ed25519.pub"), keys.0.path().join("2026.pub")).unwrap();
    fs::write(keys.0.path().join("slip.pub"), "no key").unwrap();
    let new = keys.sign(2);
    let allowed = Allowed::parse(&keys.allowed());
    assert_eq!(keys.allowed().lines().count(), 2);
    assert!([&old, &new].iter().all(|signature| verify(CONTENT, signature.as_bytes(), &allowed).is_ok()));
    assert!([&old, &new].iter().all(|signature| ssh_keygen(&keys, signature, CONTENT).status.success()));
    fs::remove_file(keys.0.path().join("2026.pub")).unwrap();
    assert!(verify(CONTENT, old.as_bytes(), &Allowed::parse(&keys.allowed())).is_err());
}

#[test]
fn a_line_that_is_not_understood_allows_nothing() {
    let keys = Keys::new();
    keys.sign(1);
    let line = keys.allowed();
    let key = line.split_once("\" ").unwrap().1.trim();
    let allows = |text: &str| Allowed::parse(text).keys.len();
    for good in [format!("{PRINCIPAL} {key}"), format!("ada,{PRINCIPAL} {key}"), format!("* {key}"), line.clone()] {
        assert_eq!(allows(&good), 1, "{good}");
    }
    for bad in [
        format!("ada {key}"),
        format!("{PRINCIPAL} cert-authority {key}"),
        format!("{PRINCIPAL} valid-before=\"20200101\" {key}"),
        format!("{PRINCIPAL} namespaces=\"git\" {key}"),
        format!("{PRINCIPAL} namespaces=\"{NAMESPACE} {key}"),
        format!("# {line}"),
        PRINCIPAL.to_owned(),
    ] {
        assert_eq!(allows(&bad), 0, "{bad}");
    }
}
