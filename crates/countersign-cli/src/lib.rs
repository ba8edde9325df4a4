//! The one binary `countersign`: its commands, its configuration, and the wiring of the other crates.
//!
//! `cli` reads the command line and hands over to one file per command under `commands`. What they share: `exit` (what a
//! failure says and which code it exits with), `output` (what goes to stdout and what to stderr), `message` (a raw HTTP
//! message on stdin), `moment` (a time as people write it), `file` (key files and their modes).
#![forbid(unsafe_code)]

mod app_hmac_form;
mod arguments;
mod cli;
mod commands;
pub mod config;
mod demo;
mod descriptors;
mod exit;
mod file;
mod handover;
mod last_use;
mod message;
mod moment;
mod output;
mod place;
mod random;
#[cfg(test)]
mod reference;
mod remember;
mod replay;
mod seal_keys;
mod serve;
mod stdin;
mod supervisor;
mod token_keys;
mod users;
mod verdict;
mod watch;
mod wire;

use std::process::ExitCode;

/// What the fuzz target of this crate does with an input; for `fuzz/`, and no part of the crate's face.
#[cfg(any(test, feature = "fuzz"))]
#[doc(hidden)]
pub mod fuzz {
    /// Reads a raw message. Panics where writing it again gives another one.
    pub fn message(input: &[u8]) {
        crate::message::fuzz::message(input);
    }
}

/// Runs the command that the arguments name.
#[must_use]
pub fn main() -> ExitCode {
    cli::main()
}
