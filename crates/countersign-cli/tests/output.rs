//! What becomes of output that nobody takes.

mod support;

use std::fs::File;
use std::process::Stdio;

use support::Dir;

#[test]
fn a_result_that_could_not_be_written_is_not_a_success() {
    let dir = Dir::new();
    dir.fine("partner add acme");
    for line in
        ["partner list", "partner list --json", "--help", "version", "man", "completion bash", "vectors run --help"]
    {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let ran = dir.command(line).stdin(Stdio::null()).stdout(full).output().unwrap();
        let err = String::from_utf8(ran.stderr).unwrap();
        assert_eq!(ran.status.code(), Some(1), "{line}: {err}");
        assert_eq!(err, "countersign: error: stdout: no space left on device\n", "{line}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let dir = Dir::new();
    let mut child = dir.command("--help").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let ended = child.wait_with_output().unwrap();
    assert_eq!((ended.status.code(), ended.stderr.len()), (Some(0), 0));
}
