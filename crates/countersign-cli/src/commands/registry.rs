use std::path::{Path, PathBuf};

use clap::Subcommand;
use countersign_store::secrets::SealingKey;

use super::wait;
use crate::exit::{Exit, Failure};
use crate::output::{self, say};
use crate::place::{ConfigFile, Place};

/// Keeps the registry of partners and keys
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Backup(Backup),
}

/// Copies the registry to a new file, while gateways run
///
/// The copy is of one moment, has mode 0600, and is read back before the command ends. A file that exists is never
/// overwritten. Shared secrets in it are sealed under secrets.key in the data directory: keep a copy of that, too, and
/// not beside this one.
#[derive(clap::Args)]
struct Backup {
    /// Where the copy goes
    #[arg(value_name = "FILE")]
    to: PathBuf,
    #[command(flatten)]
    config: ConfigFile,
}

pub(crate) fn run(args: Args) -> Result<Exit, Failure> {
    let Command::Backup(args) = args.command;
    wait(backup(args))?
}

async fn backup(args: Backup) -> Result<Exit, Failure> {
    let dir = args.to.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !dir.is_dir() {
        return Err(Failure::usage(format!("there is no directory {}", dir.display()))
            .hint(format!("mkdir -p {}", dir.display())));
    }
    let place = Place::find(&args.config)?;
    let registry = place.registry_to_read().await?;
    let copied = registry.backup(&args.to).await;
    let (file, sealing_key) = (place.registry_file()?.display(), SealingKey::path_in(registry.data_dir()));
    registry.close().await;
    let copied = copied?;
    let count = |number: u64, what: &str| output::count(usize::try_from(number).unwrap_or(usize::MAX), what);
    say!("copied    {file} to {} (mode 0600)", args.to.display());
    say!("verified  {}, {}", count(copied.partners, "partner"), count(copied.keys, "key"));
    if copied.secrets {
        say!("keep too  {}: without it the shared secrets in the copy are lost.", sealing_key.display());
        say!("          Not in the same place: who has both can sign for your partners");
    }
    say!("restore   stop the gateway, remove {file}-wal and -shm,");
    say!("          put the copy in the place of {file}.");
    say!("          It does not know what was revoked since: revoke that again");
    Ok(Exit::FINE)
}
