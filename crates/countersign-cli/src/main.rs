//! The binary `countersign`; everything stands in the library of this crate.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    countersign_cli::main()
}
