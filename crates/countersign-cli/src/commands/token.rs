//! User tokens: the keys that they are signed with, and those that count no more.

mod key;
mod revoke;

use clap::Subcommand;

use super::wait;
use crate::exit::{Exit, Failure};

/// Keeps the keys of user tokens, and revokes tokens
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Key(key::Args),
    Revoke(revoke::Args),
    /// Lists what was revoked and may still meet a token
    Revoked(revoke::List),
}

pub(crate) fn run(args: Args) -> Result<Exit, Failure> {
    match args.command {
        Command::Key(args) => wait(key::run(args))?,
        Command::Revoke(args) => wait(revoke::run(args))?,
        Command::Revoked(args) => wait(revoke::list(args))?,
    }
}
