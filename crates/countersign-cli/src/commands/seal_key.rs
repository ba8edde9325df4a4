use clap::Subcommand;
use countersign::{KeyState, Timestamp};
use countersign_store::registry::{OwnKeyEntry, OwnUse};
use serde_json::{Value, json};

use super::wait;
use crate::config::SealAlgorithm;
use crate::exit::{Exit, Failure};
use crate::place::{ConfigFile, Place};
use crate::{moment, output, seal_keys};

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
struct List {
    #[command(flatten)]
    config: ConfigFile,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
struct Rotate {
    /// What the new one is for: ecdh-es or rsa-oaep-256 [default: what [seal] says]
    #[arg(long, value_name = "A", value_parser = algorithm)]
    algorithm: Option<SealAlgorithm>,
    #[command(flatten)]
    config: ConfigFile,
}

#[derive(clap::Args)]
struct Which {
    /// The key's id: the kid that is published
    id: String,
    #[command(flatten)]
    config: ConfigFile,
}

#[derive(clap::Args)]
struct Revoke {
    #[command(flatten)]
    which: Which,
    /// Why; kept for good
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

pub(crate) fn run(args: Args) -> Result<Exit, Failure> {
    wait(async {
        match args.command {
            Command::List(args) => list(args).await,
            Command::Rotate(args) => rotate(args).await,
            Command::Retire(args) => retire(args).await,
            Command::Revoke(args) => revoke(args).await,
        }
    })?
}

async fn list(args: List) -> Result<Exit, Failure> {
    let registry = Place::find(&args.config)?.registry_to_read().await?;
    let keys = registry.own_keys(OwnUse::Seal).await?;
    registry.close().await;
    show(&keys, args.json);
    Ok(Exit::FINE)
}

async fn rotate(args: Rotate) -> Result<Exit, Failure> {
    let place = Place::find(&args.config)?;
    let (registry, seal) = (place.registry_to_write().await?, &place.config.seal);
    let next = seal_keys::made(args.algorithm.unwrap_or(seal.algorithm)).await?;
    let now = moment::now();
    let key = registry.rotate_own_key(&next, seal_keys::overlap(seal), now).await?;
    registry.close().await;
    let since = if key.not_before <= now { "now".to_owned() } else { key.not_before.to_string() };
    output::say!("new       {} ({})", key.id, key.algorithm);
    output::say!(
        "current   from {since} on; those before it go on opening: countersign seal-key list{}",
        args.config.flag()
    );
    if !seal.keys.is_empty() {
        output::note!("hint: `keys` of [seal] stands before it: published first is a key of a file");
    }
    Ok(Exit::FINE)
}

async fn retire(args: Which) -> Result<Exit, Failure> {
    let registry = Place::find(&args.config)?.registry_to_write().await?;
    let key = registry.retire_own_key(OwnUse::Seal, &args.id, moment::now()).await?;
    registry.close().await;
    output::say!("retired   {}: what was sealed for it opens no more", key.id);
    Ok(Exit::FINE)
}

async fn revoke(args: Revoke) -> Result<Exit, Failure> {
    let place = Place::find(&args.which.config)?;
    let (registry, seal) = (place.registry_to_write().await?, &place.config.seal);
    let successor = seal_keys::made(seal.algorithm).await?;
    let (id, overlap) = (&args.which.id, seal_keys::overlap(seal));
    let keys = registry.revoke_own_key(id, &args.reason, &successor, overlap, moment::now()).await?;
    registry.close().await;
    output::say!("revoked   {id}: what was sealed for it opens no more, and it never comes back");
    show(&keys, false);
    Ok(Exit::FINE)
}

fn show(keys: &[OwnKeyEntry], as_json: bool) {
    let now = moment::now();
    if as_json {
        output::json(&json!({ "keys": keys.iter().map(|key| object(key, now)).collect::<Value>() }));
    } else if keys.is_empty() {
        output::note!("no keys yet: a gateway with a route that opens fields makes the first");
        output::note!("hint: countersign seal-key rotate");
    } else {
        let until =
            |key: &OwnKeyEntry| key.revoked.or(key.not_after).map_or_else(|| "-".to_owned(), |at| at.to_string());
        let row = |key: &OwnKeyEntry| {
            vec![
                key.id.clone(),
                key.algorithm.clone(),
                key.state(now).to_string(),
                key.not_before.to_string(),
                until(key),
            ]
        };
        output::table(&["ID", "ALGORITHM", "STATE", "FROM", "OPENS UNTIL"], &keys.iter().map(row).collect::<Vec<_>>());
    }
}

fn object(key: &OwnKeyEntry, now: Timestamp) -> Value {
    let time = |at: Option<Timestamp>| at.map(|at| at.to_string());
    json!({
        "id": key.id,
        "algorithm": key.algorithm,
        "state": key.state(now).to_string(),
        "current": key.state(now) == KeyState::Active,
        "added": key.added.to_string(),
        "not_before": key.not_before.to_string(),
        "superseded": time(key.superseded),
        "not_after": time(key.not_after),
        "revoked": time(key.revoked),
        "reason": key.reason,
    })
}

fn algorithm(text: &str) -> Result<SealAlgorithm, String> {
    text.parse().map_err(|_| "write it as ecdh-es or rsa-oaep-256".to_owned())
}
