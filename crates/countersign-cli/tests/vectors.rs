//! The vectors of this repository, run by the binary; and that they leave no refusal out.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use countersign::Code;

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors")
}

fn run(dir: &Path) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_countersign")).args(["vectors", "run"]).arg(dir).output().unwrap();
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr),
    )
}

#[test]
fn every_vector_is_judged_as_it_says() {
    let (code, said) = run(&vectors());
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn a_vector_that_differs_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let from = vectors().join("http-message-signatures");
    std::fs::copy(from.join("keys.json"), dir.path().join("keys.json")).unwrap();
    let case = std::fs::read_to_string(from.join("accepted-ed25519.txt")).unwrap();
    std::fs::write(dir.path().join("case.txt"), case.replacen("expect: accepted", "expect: too_old", 1)).unwrap();
    let (code, said) = run(dir.path());
    assert_eq!(code, Some(1));
    assert!(said.contains("expected too_old, got accepted"), "{said}");
}

/// What no single message can show: it takes a gateway, a store, a user or a certificate. Their tests stand beside those.
const NOT_IN_A_MESSAGE: &[Code] = &[
    Code::UserInvalid,
    Code::TokenMissing,
    Code::TokenInvalid,
    Code::TokenExpired,
    Code::SignatureInvalid,
    Code::ChannelMismatch,
    Code::NoRoute,
    Code::NoUser,
    Code::TooSlow,
    Code::UserExists,
    Code::RateLimited,
    Code::HeadTooLarge,
    Code::UpstreamFailed,
    Code::Unavailable,
    Code::UpstreamTimeout,
];

#[test]
fn every_refusal_that_a_message_can_meet_has_a_vector() {
    let mut expected = BTreeSet::new();
    for folder in std::fs::read_dir(vectors()).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir())
    {
        for case in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            let text = String::from_utf8_lossy(&std::fs::read(case).unwrap()).into_owned();
            expected.extend(text.lines().find_map(|line| line.strip_prefix("expect: ")).map(str::to_owned));
        }
    }
    let missing: Vec<_> = Code::ALL
        .iter()
        .filter(|code| expected.contains(code.as_str()) == NOT_IN_A_MESSAGE.contains(code))
        .map(|code| code.as_str())
        .collect();
    assert!(missing.is_empty(), "no vector, or one too many: {missing:?}");
}
