use clap::Subcommand;

use crate::commands::own_key::{List, Revoke, TOKEN};
use crate::exit::{Exit, Failure};
use crate::place::{ConfigFile, Place};
use crate::token_keys;

/// Keeps the keys that user tokens are signed with
///
/// They lie in the registry, sealed, so that all gateways have one set; the first is made by the first gateway that starts with
/// [token]. All that verify stand in /.well-known/jwks.json.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Lists them
    List(List),
    /// Makes a new key, which signs once everybody can have seen it
    ///
    /// It is published at once, and signs 301 seconds later: so long others may go by the set that they have. The key that signed
    /// so far verifies until the last token of its is past its time.
    Rotate(Rotate),
    /// Revokes a key for good: tokens signed with it are worth nothing within a second, and another key signs
    Revoke(Revoke),
}

#[derive(clap::Args)]
struct Rotate {
    #[command(flatten)]
    config: ConfigFile,
}

pub(super) async fn run(args: Args) -> Result<Exit, Failure> {
    match args.command {
        Command::List(args) => TOKEN.list(args).await,
        Command::Rotate(args) => rotate(args).await,
        Command::Revoke(args) => revoke(args).await,
    }
}

async fn rotate(args: Rotate) -> Result<Exit, Failure> {
    let place = Place::find(&args.config)?;
    let token = token_keys::settings(&place)?;
    let registry = place.registry_to_write().await?;
    TOKEN.rotate(registry, &token_keys::new_key(token)?, token_keys::overlap(token), &args.config).await
}

async fn revoke(args: Revoke) -> Result<Exit, Failure> {
    let place = Place::find(&args.which.config)?;
    let token = token_keys::settings(&place)?;
    let registry = place.registry_to_write().await?;
    TOKEN.revoke(registry, &token_keys::new_key(token)?, token_keys::overlap(token), &args).await
}
