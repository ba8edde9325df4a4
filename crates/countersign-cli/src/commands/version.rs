use serde_json::json;

use crate::output;

/// Prints the version
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) {
    let version = env!("CARGO_PKG_VERSION");
    if args.json { output::json(&json!({ "version": version })) } else { output::say!("countersign {version}") }
}
