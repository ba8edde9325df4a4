//! `countersign key …`.

mod add;
mod change;
mod generate;
mod list;
pub(crate) mod print;

use clap::Subcommand;

use super::wait;
use crate::exit::{Exit, Failure};
use change::Change;

/// Makes keys, and keeps those of partners
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Generate(generate::Args),
    Add(add::Args),
    /// Lists keys, one line per version
    List(list::List),
    /// Shows all versions of a key
    Show(list::Show),
    /// Makes a pending or retired key verify
    Activate(change::Which),
    /// Ends a key's use
    Retire(change::Which),
    /// Withdraws a key for good
    Revoke(change::Revoke),
}

pub(crate) fn run(args: Args) -> Result<Exit, Failure> {
    match args.command {
        Command::Generate(args) => generate::run(&args),
        Command::Add(args) => wait(add::run(args))?,
        Command::List(args) => wait(list::list(args))?,
        Command::Show(args) => wait(list::show(args))?,
        Command::Activate(which) => wait(change::run(which, Change::Activate))?,
        Command::Retire(which) => wait(change::run(which, Change::Retire))?,
        Command::Revoke(args) => {
            let (which, change) = args.split();
            wait(change::run(which, change))?
        }
    }
}
