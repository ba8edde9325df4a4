//! The vectors of this repository, run by the binary; and that they leave no refusal out.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use countersign::{Code, Scheme};

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

/// What no single message can show, and why. Their tests stand beside what it takes.
const NOT_IN_A_MESSAGE: &[(Code, &str)] = &[
    (Code::UserInvalid, "the gateway's own paths for users, of which a vector knows nothing"),
    (Code::UserExists, "takes a user who was registered before"),
    (Code::NoUser, "takes users"),
    (Code::TokenMissing, "a vector's route asks for no token"),
    (Code::TokenInvalid, "takes the gateway's key for tokens"),
    (Code::TokenExpired, "takes the gateway's key for tokens"),
    (Code::SignatureInvalid, "what others are told; vectors name the detailed codes"),
    (Code::ChannelMismatch, "takes a TLS connection with a certificate"),
    (Code::NoRoute, "a vector speaks of the one route that takes its path"),
    (Code::TooSlow, "takes time"),
    (Code::RateLimited, "takes many messages"),
    (Code::HeadTooLarge, "the limit is a server's; a vector's head may be of any length"),
    (Code::UpstreamFailed, "takes an upstream"),
    (Code::UpstreamTimeout, "takes an upstream"),
    (Code::Unavailable, "takes a store that is down"),
];

/// What no message of one scheme can meet, and why.
const NOT_IN_A_SCHEME: &[(Scheme, Code, &str)] = &[
    (Scheme::Pki, Code::DigestMismatch, "the body itself is signed, no digest of it that could differ"),
    (Scheme::Pki, Code::AlgorithmMismatch, "the scheme has one algorithm, and messages name none"),
    (Scheme::TrustedSite, Code::DigestMismatch, "the body itself is signed, no digest of it that could differ"),
    (Scheme::TrustedSite, Code::AlgorithmMismatch, "the scheme has one algorithm, and messages name none"),
    (Scheme::AppHmac, Code::DigestMismatch, "the body itself is signed, no digest of it that could differ"),
];

/// The verdicts that the cases of a folder are for.
fn expected(folder: &Path) -> Vec<String> {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let cases = files.filter(|path| path.extension().is_some_and(|extension| extension == "txt"));
    cases
        .map(|case| {
            let text = String::from_utf8_lossy(&std::fs::read(&case).unwrap()).into_owned();
            let expect = text.lines().find_map(|line| line.strip_prefix("expect: "));
            expect.unwrap_or_else(|| panic!("{}: no expect", case.display())).to_owned()
        })
        .collect()
}

#[test]
fn every_refusal_that_a_message_of_a_scheme_can_meet_has_a_vector() {
    for scheme in Scheme::ALL {
        let found: BTreeSet<_> = expected(&vectors().join(scheme.as_str())).into_iter().collect();
        assert!(found.contains("accepted"), "{scheme}: nothing passes");
        let out_of_reach = |code: &Code| {
            NOT_IN_A_MESSAGE.iter().any(|(it, _)| it == code)
                || NOT_IN_A_SCHEME.iter().any(|(of, it, _)| (of, it) == (&scheme, code))
        };
        let wrong: Vec<_> =
            Code::ALL.iter().filter(|code| found.contains(code.as_str()) == out_of_reach(code)).collect();
        assert!(wrong.is_empty(), "{scheme}: no vector, or one of what is said to be out of reach: {wrong:?}");
        let known = |text: &String| text == "accepted" || Code::ALL.iter().any(|code| code.as_str() == text);
        assert!(found.iter().all(known), "{scheme}: {found:?}");
    }
}

#[test]
fn no_folder_is_left_out() {
    let folders = std::fs::read_dir(vectors()).unwrap().map(|entry| entry.unwrap().path());
    let folders: Vec<_> = folders.filter(|path| path.join("keys.json").exists()).collect();
    let names: BTreeSet<_> = folders.iter().filter_map(|path| path.file_name()?.to_str()).collect();
    let wanted = Scheme::ALL.iter().map(|scheme| scheme.as_str()).chain(["sealed-fields"]);
    assert_eq!(names, wanted.collect());
    let cases: usize = folders.iter().map(|folder| expected(folder).len()).sum();
    let (_, said) = run(&vectors());
    assert!(said.starts_with(&format!("{cases} cases, ")), "{cases}: {said}");
}
