//! The rules of the house that no compiler and no linter holds: who may know whom, what may come in from outside, how long a
//! file may be. A rule that fails says what to do instead.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use countersign_test::graph::Graph;
use countersign_test::{licence, repository};

/// Which of our crates each of our crates may name, for building, running or testing. A new crate gets its line here first.
const MAY_KNOW: [(&str, &[&str]); 10] = [
    ("countersign", &[]),
    ("countersign-evidence", &[]),
    ("countersign-ca", &[]),
    ("countersign-store", &["countersign", "countersign-evidence"]),
    ("countersign-proxy", &["countersign", "countersign-evidence"]),
    ("countersign-tower", &["countersign"]),
    ("countersign-reqwest", &["countersign"]),
    ("countersign-admin", &["countersign", "countersign-ca", "countersign-evidence", "countersign-store"]),
    ("countersign-cli", EVERY_LIBRARY),
    ("countersign-test", EVERY_LIBRARY),
];

/// All but the binary and the tests, which nobody may name.
const EVERY_LIBRARY: &[&str] = &[
    "countersign",
    "countersign-admin",
    "countersign-ca",
    "countersign-evidence",
    "countersign-proxy",
    "countersign-reqwest",
    "countersign-store",
    "countersign-tower",
];

/// What must not end up in what a crate ships, over any number of steps, and why.
const MUST_NOT_REACH: [(&str, &[&str], &str); 5] = [
    (
        "countersign",
        &["async-std", "hyper", "hyper-util", "mio", "redis", "reqwest", "rustls", "smol", "socket2", "sqlx", "tokio"],
        "the core does no I/O and has no runtime: take bytes, keys and `now` from the caller",
    ),
    (
        "countersign",
        &["log", "metrics", "tracing"],
        "the core reports by what it returns, so that nothing secret can leave by the side",
    ),
    (
        "countersign-store",
        &["axum", "hyper", "hyper-util"],
        "stores speak SQL and Redis; HTTP is the proxy's and the control plane's",
    ),
    (
        "countersign-proxy",
        &["countersign-admin", "countersign-ca", "countersign-store", "libsqlite3-sys", "rcgen", "redis", "sqlx"],
        "the data plane knows no database, no control plane and no CA key: it is handed `Keys` and a `ReplayStore`",
    ),
    ("countersign-proxy", &["axum", "clap"], "no framework between the request and its proof"),
];

/// What only one crate of ours may name in its manifest.
const NAMED_BY_ONE: [(&str, &str); 2] = [("sqlx", "countersign-store"), ("redis", "countersign-store")];

/// Of these a second version would mean a second TLS stack, runtime or crypto provider, or types that don't fit.
const ONE_VERSION: [&str; 10] =
    ["aws-lc-rs", "aws-lc-sys", "bytes", "http", "http-body", "hyper", "hyper-util", "rustls", "sqlx", "tokio"];

#[test]
fn our_crates_know_only_whom_they_may() {
    let graph = Graph::read();
    let ours = graph.ours();
    for name in &ours {
        let may = MAY_KNOW.iter().find(|(crate_, _)| crate_ == name).map(|(_, may)| *may);
        let may = may.unwrap_or_else(|| panic!("{name} has no line in MAY_KNOW: say whom it may know"));
        for other in graph.named_by(name).intersection(&ours) {
            assert!(may.contains(other), "{name} depends on {other}, and may know {may:?} only");
        }
    }
}

#[test]
fn what_a_crate_must_not_know_does_not_come_in_by_a_back_door() {
    let graph = Graph::read();
    let ours = graph.ours();
    for (name, never, why) in MUST_NOT_REACH {
        assert!(ours.contains(name), "{name} is gone; its rule goes with it");
        let reached = Graph::shipped_with(name);
        let found: Vec<_> = never.iter().filter(|other| reached.contains(**other)).collect();
        assert!(found.is_empty(), "{name} reaches {found:?}: {why}. `cargo tree -p {name} -i {}` shows how", found[0]);
    }
    for (dependency, only) in NAMED_BY_ONE {
        let others: Vec<_> =
            ours.iter().filter(|&&name| name != only && graph.named_by(name).contains(dependency)).collect();
        assert!(others.is_empty(), "{others:?} name {dependency}, which is {only}'s alone");
    }
}

#[test]
fn banned_crates_are_not_built() {
    let built = Graph::built();
    assert!(built.contains("aws-lc-rs"), "the list of what is built is not one");
    for (banned, reason) in banned() {
        assert!(!built.contains(&banned), "{banned} is built: {reason}. `cargo tree -i {banned}` shows how");
    }
}

#[test]
fn chosen_crates_are_locked_once() {
    let locked = locked();
    for name in ONE_VERSION {
        let versions = locked.get(name).map_or(&[][..], Vec::as_slice);
        assert!(versions.len() <= 1, "{name} is locked as {versions:?}: bring whoever asks for the old one up to date");
    }
}

#[test]
fn everything_comes_from_the_one_registry() {
    let lock = repository::toml("Cargo.lock");
    let packages = lock["package"].as_array().expect("a lock lists packages");
    let sources: BTreeSet<_> = packages.iter().filter_map(|package| package.get("source")?.as_str()).collect();
    assert_eq!(sources.len(), 1, "more than one source: {sources:?}");
    assert!(sources.iter().all(|source| source.starts_with("registry+")), "not a registry: {sources:?}");
}

#[test]
fn every_licence_is_allowed() {
    let deny = repository::toml("deny.toml");
    let allowed = deny["licenses"]["allow"].as_array().expect("deny.toml lists the allowed licences");
    let allowed: Vec<_> = allowed.iter().filter_map(toml::Value::as_str).collect();
    let graph = Graph::read();
    let refused: Vec<_> = graph
        .packages()
        .filter(|package| !package.licence.is_some_and(|expression| licence::is_met(expression, &allowed)))
        .map(|package| format!("{} {}: {}", package.name, package.version, package.licence.unwrap_or("no licence")))
        .collect();
    assert!(refused.is_empty(), "licences that deny.toml does not allow: {refused:#?}");
}

#[test]
fn every_dependency_says_what_it_is_for() {
    let manifest = repository::text("Cargo.toml");
    let lines = manifest.lines().skip_while(|line| *line != "[workspace.dependencies]").skip(1);
    let unexplained: Vec<_> = lines
        .take_while(|line| !line.starts_with('['))
        .filter(|line| !line.is_empty() && !line.starts_with('#') && !line.contains("path = \"crates/"))
        .filter(|line| line.split_once(" # ").is_none_or(|(_, reason)| reason.trim().len() < 10))
        .collect();
    assert!(unexplained.is_empty(), "on one line each, with `# what it is for`: {unexplained:#?}");
    for directory in repository::crates() {
        let manifest = repository::toml(directory.join("Cargo.toml"));
        for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
            for (name, value) in manifest.get(kind).and_then(toml::Value::as_table).into_iter().flatten() {
                let inherited = value.get("workspace").and_then(toml::Value::as_bool) == Some(true);
                assert!(
                    inherited,
                    "{}: {name} belongs in the root manifest, here `workspace = true`",
                    shown(&directory)
                );
            }
        }
    }
}

#[test]
fn every_crate_is_on_the_map_and_takes_the_lints() {
    let manifest = repository::text("Cargo.toml");
    for directory in repository::crates() {
        let entry = format!("\"crates/{}\",", directory.file_name().unwrap_or_default().to_string_lossy());
        let line = manifest.lines().find_map(|line| line.trim().strip_prefix(&entry));
        let described = line.is_some_and(|rest| rest.trim().strip_prefix('#').is_some_and(|text| text.len() > 10));
        assert!(described, "{entry} has no line with a comment under `members` in the root manifest");
        let lints = repository::toml(directory.join("Cargo.toml")).get("lints").cloned();
        let inherited = lints.and_then(|lints| lints.get("workspace")?.as_bool()) == Some(true);
        assert!(inherited, "{}/Cargo.toml lacks `[lints]` with `workspace = true`", shown(&directory));
    }
}

#[test]
fn every_crate_forbids_unsafe_code_in_its_own_words() {
    for directory in repository::crates() {
        let source = directory.join("src");
        let programs = repository::walk(&source).into_iter().filter(|path| path.parent() == Some(&source.join("bin")));
        let roots = [source.join("lib.rs"), source.join("main.rs")].into_iter().filter(|path| path.exists());
        for root in roots.chain(programs) {
            let forbids = repository::text(&root).lines().any(|line| line == "#![forbid(unsafe_code)]");
            assert!(forbids, "{} lacks `#![forbid(unsafe_code)]`", shown(&root));
        }
    }
}

#[test]
fn files_stay_such_that_a_person_can_hold_them() {
    let mut lengths: Vec<_> = repository::files()
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs") && is_source(path))
        .map(|path| (repository::text(&path).lines().count(), path))
        .collect();
    lengths.sort();
    let long: Vec<_> = lengths.iter().filter(|(length, _)| *length > 500).collect();
    assert!(long.is_empty(), "over 500 lines; which two ideas live there? {long:?}");
    let median = lengths[lengths.len() / 2].0;
    assert!(median < 300, "half of the files have {median} lines or more");
}

/// `crates/<crate>/src/…`
fn is_source(path: &Path) -> bool {
    let mut parts = path.iter();
    parts.next().is_some_and(|part| part == "crates") && parts.nth(1).is_some_and(|part| part == "src")
}

#[test]
fn nothing_names_a_path_of_one_machine() {
    // Put together here, so that this file does not name them either.
    let private = ["home", "root", "work", "Users", "workspace"].map(|directory| format!("/{directory}/"));
    let mut found = Vec::new();
    for path in repository::files() {
        let Ok(text) = std::fs::read_to_string(repository::root().join(&path)) else { continue };
        for (number, line) in (1..).zip(text.lines()) {
            if private.iter().any(|directory| starts_a_path(line, directory)) {
                found.push(format!("{}:{number}: {line}", path.display()));
            }
        }
    }
    assert!(found.is_empty(), "paths that exist on one machine only: {found:#?}");
}

/// Whether `directory` stands in the line where an absolute path begins, not inside a longer path or URL.
fn starts_a_path(line: &str, directory: &str) -> bool {
    line.match_indices(directory).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|before| !before.is_alphanumeric() && !matches!(before, '.' | '_' | '-' | '~' | '}' | '*'))
    })
}

/// Every locked crate with its versions.
fn locked() -> BTreeMap<String, Vec<String>> {
    let lock = repository::toml("Cargo.lock");
    let mut locked = BTreeMap::<_, Vec<_>>::new();
    for package in lock["package"].as_array().expect("a lock lists packages") {
        let text = |key: &str| package[key].as_str().expect("a name, a version").to_owned();
        locked.entry(text("name")).or_default().push(text("version"));
    }
    locked
}

/// The bans of deny.toml, with their reasons.
fn banned() -> Vec<(String, String)> {
    let deny = repository::toml("deny.toml");
    let bans = deny["bans"]["deny"].as_array().expect("deny.toml lists bans");
    assert!(!bans.is_empty(), "deny.toml bans nothing");
    let text = |ban: &toml::Value, key: &str| ban.get(key).and_then(toml::Value::as_str).map(str::to_owned);
    bans.iter()
        .map(|ban| text(ban, "crate").zip(text(ban, "reason")).expect("a ban names a crate and gives a reason"))
        .collect()
}

fn shown(path: &Path) -> String {
    path.strip_prefix(repository::root()).map_or_else(|_| PathBuf::from(path), Path::to_owned).display().to_string()
}
