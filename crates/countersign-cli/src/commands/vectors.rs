mod case;
mod folder;
mod keys;

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::json;

use super::wait;
use crate::exit::{Exit, Failure};
use crate::output;
use folder::Folder;

/// Test vectors: text files that every language can read
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs a folder of vectors, and the folders in it
    Run(Run),
}

#[derive(clap::Args)]
struct Run {
    /// The folder: keys.json and one text file per case
    dir: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: Args) -> Result<Exit, Failure> {
    let Command::Run(args) = args.command;
    let mut judged = Vec::new();
    for folder in Folder::find(&args.dir)? {
        judged.extend(wait(folder.judge())??);
    }
    if judged.is_empty() {
        return Err(Failure::usage(format!("{}: no vectors", args.dir.display()))
            .hint("a folder of vectors holds keys.json and one text file per case"));
    }
    let differing = judged.iter().filter(|one| !one.as_expected()).count();
    if args.json {
        let cases = judged.iter().map(|one| {
            json!({ "case": one.name, "expected": one.expected, "actual": one.actual, "reason": one.reason, "ok": one.as_expected() })
        });
        output::json(&json!({ "cases": cases.collect::<Vec<_>>(), "differing": differing }));
    } else {
        for one in judged.iter().filter(|one| !one.as_expected()) {
            output::say!("{}: expected {}, got {} ({})", one.name, one.expected, one.actual, one.reason);
        }
        output::say!("{}, {} as expected", output::count(judged.len(), "case"), judged.len() - differing);
    }
    // A vector that differs means that one of the two is wrong about the protocol: our own failure until shown otherwise.
    Ok(if differing == 0 { Exit::FINE } else { Exit(1) })
}

/// What came of one case.
pub(crate) struct Judged {
    name: String,
    expected: String,
    actual: String,
    reason: String,
}

impl Judged {
    fn as_expected(&self) -> bool {
        self.expected == self.actual
    }
}
