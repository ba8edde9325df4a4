//! Runs a fuzz target over what its fuzzer kept, in `fuzz/corpus`. Included by the tests of every crate that has a target.

use std::path::Path;

/// Panics as the fuzzer would, and where there is nothing to run.
pub(crate) fn replay(target: &str, run: impl Fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry can be read").path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{} holds nothing to run", folder.display());
    for file in files {
        // Shown where the test fails: the last one is the one.
        println!("{}", file.display());
        run(&std::fs::read(&file).expect("a file of ours can be read"));
    }
}
