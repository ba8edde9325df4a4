//! Runs the real binary in a directory of its own.
#![allow(dead_code, unreachable_pub, missing_docs, clippy::struct_excessive_bools)]

pub mod gateway;
pub mod https;
pub mod openssl;
pub mod sidecar;
pub mod site;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub struct Dir(tempfile::TempDir);

/// What a command said, and how it ended.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Dir {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    pub fn write_bytes(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    pub fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        command.args(words(line)).current_dir(self.0.path()).env_remove("NO_COLOR");
        command
    }

    pub fn run(&self, line: &str) -> Ran {
        self.run_with(line, b"")
    }

    pub fn run_with(&self, line: &str, stdin: &[u8]) -> Ran {
        let mut child =
            self.command(line).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // A command that does not read its stdin closes it.
        drop(child.stdin.take().unwrap().write_all(stdin));
        let output = child.wait_with_output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Ran { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
    }

    /// Runs a command that has to succeed.
    #[track_caller]
    pub fn fine(&self, line: &str) -> String {
        self.fine_with(line, b"")
    }

    #[track_caller]
    pub fn fine_with(&self, line: &str, stdin: &[u8]) -> String {
        let ran = self.run_with(line, stdin);
        assert_eq!(ran.code, 0, "{line}: {ran:?}");
        ran.out
    }

    pub fn here(&self) -> &Path {
        self.0.path()
    }
}

/// Words of a command line; double quotes hold a word together.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (at, part) in line.split('"').enumerate() {
        match at % 2 {
            0 => words.extend(part.split_whitespace().map(str::to_owned)),
            _ => words.push(part.to_owned()),
        }
    }
    words
}
