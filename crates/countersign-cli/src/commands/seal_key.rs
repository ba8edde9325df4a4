use clap::Subcommand;

use super::own_key::{List, Revoke, SEAL, Which};
use super::wait;
use crate::config::SealAlgorithm;
use crate::exit::{Exit, Failure};
use crate::place::{ConfigFile, Place};
use crate::{output, seal_keys};

/// The gateway's own keys that others seal fields for, kept in the registry
///
/// The gateway makes them and rotates them by itself, see [seal] of its configuration. What is changed here acts within a second, at
/// every gateway of the registry.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Lists them: which is the current one, which still open
    List(List),
    /// Makes the next one, which is the current one in five minutes; the one before goes on opening
    Rotate(Rotate),
    /// Ends one that another has followed: what was sealed for it opens no more
    Retire(Which),
    /// Ends one for good, at once; where it was the current one, another takes its place
    Revoke(Revoke),
}

#[derive(clap::Args)]
struct Rotate {
    /// What the new one is for: ecdh-es or rsa-oaep-256 [default: what [seal] says]
    #[arg(long, value_name = "A", value_parser = algorithm)]
    algorithm: Option<SealAlgorithm>,
    #[command(flatten)]
    config: ConfigFile,
}

pub(crate) fn run(args: Args) -> Result<Exit, Failure> {
    wait(async {
        match args.command {
            Command::List(args) => SEAL.list(args).await,
            Command::Rotate(args) => rotate(args).await,
            Command::Retire(args) => retire(args).await,
            Command::Revoke(args) => revoke(args).await,
        }
    })?
}

async fn rotate(args: Rotate) -> Result<Exit, Failure> {
    let place = Place::find(&args.config)?;
    let (registry, seal) = (place.registry_to_write().await?, &place.config.seal);
    let next = seal_keys::made(args.algorithm.unwrap_or(seal.algorithm)).await?;
    let rotated = SEAL.rotate(registry, &next, seal_keys::overlap(seal), &args.config).await?;
    if !seal.keys.is_empty() {
        output::note!("hint: `keys` of [seal] stands before it: published first is a key of a file");
    }
    Ok(rotated)
}

async fn retire(args: Which) -> Result<Exit, Failure> {
    SEAL.retire(Place::find(&args.config)?.registry_to_write().await?, &args).await
}

async fn revoke(args: Revoke) -> Result<Exit, Failure> {
    let place = Place::find(&args.which.config)?;
    let (registry, seal) = (place.registry_to_write().await?, &place.config.seal);
    let successor = seal_keys::made(seal.algorithm).await?;
    SEAL.revoke(registry, &successor, seal_keys::overlap(seal), &args).await
}

fn algorithm(text: &str) -> Result<SealAlgorithm, String> {
    text.parse().map_err(|_| "write it as ecdh-es or rsa-oaep-256".to_owned())
}
