//! What the fuzzers kept, run again without them: `fuzz/corpus/<target>` through the same functions. The targets that are
//! inside other crates are replayed there; that none is forgotten is asked here.

#[path = "../../../fuzz/replay.rs"]
mod replay;

use std::collections::BTreeSet;

use countersign_test::{fuzz, repository};
use replay::replay;

#[test]
fn accept_signature() {
    replay("accept_signature", fuzz::accept_signature);
}

#[test]
fn app_hmac() {
    replay("app_hmac", fuzz::app_hmac);
}

#[test]
fn content_digest() {
    replay("content_digest", fuzz::content_digest);
}

#[test]
fn head() {
    replay("head", fuzz::head);
}

#[test]
fn key_file() {
    replay("key_file", fuzz::key_file);
}

#[test]
fn labels() {
    replay("labels", fuzz::labels);
}

#[test]
fn pki_json() {
    replay("pki_json", fuzz::pki_json);
}

#[test]
fn pki_multipart() {
    replay("pki_multipart", fuzz::pki_multipart);
}

#[test]
fn replay_state() {
    replay("replay_state", fuzz::replay_state);
}

#[test]
fn request() {
    replay("request", fuzz::request);
}

#[test]
fn response() {
    replay("response", fuzz::response);
}

#[test]
fn sealed_fields() {
    replay("sealed_fields", fuzz::sealed_fields);
}

#[test]
fn token() {
    replay("token", fuzz::token);
}

#[test]
fn trusted_site() {
    replay("trusted_site", fuzz::trusted_site);
}

#[test]
fn every_target_has_a_corpus_that_is_replayed() {
    let manifest = repository::toml("fuzz/Cargo.toml");
    let targets = manifest["bin"].as_array().expect("the targets are binaries");
    let targets: BTreeSet<_> = targets.iter().filter_map(|target| target["name"].as_str()).collect();
    let sources: String = repository::files()
        .into_iter()
        .filter(|path| path.starts_with("crates") && path.extension().is_some_and(|extension| extension == "rs"))
        .map(repository::text)
        .collect();
    for target in &targets {
        assert!(sources.contains(&format!("replay(\"{target}\", ")), "no test replays {target}");
        let files = repository::walk(&repository::root().join("fuzz/corpus").join(target));
        let bytes: u64 = files.iter().map(|file| file.metadata().expect("a file").len()).sum();
        assert!(
            (1..=60).contains(&files.len()) && bytes <= 150 << 10,
            "{target}: {} files, {bytes} bytes",
            files.len()
        );
    }
    let corpora = repository::root().join("fuzz/corpus").read_dir().expect("there are corpora");
    for corpus in corpora {
        let name = corpus.expect("an entry").file_name();
        assert!(name.to_str().is_some_and(|name| targets.contains(name)), "{} is no target's", name.display());
    }
}
