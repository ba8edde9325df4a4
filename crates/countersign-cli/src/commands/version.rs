use serde_json::json;

use crate::exit::{Exit, Failure};
use crate::output;

/// Prints the version
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<Exit, Failure> {
    let version = env!("CARGO_PKG_VERSION");
    match args.json {
        true => output::json(&json!({ "version": version })),
        false => output::say!("countersign {version}"),
    }
    Ok(Exit::FINE)
}
