use clap::Subcommand;
use countersign::{KeyState, Timestamp};
use countersign_store::registry::{OwnKeyEntry, OwnUse};
use serde_json::{Value, json};

use crate::exit::{Exit, Failure};
use crate::output::{self, say};
use crate::place::{ConfigFile, Place};
use crate::{moment, token_keys};

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
struct List {
    #[command(flatten)]
    config: ConfigFile,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
struct Rotate {
    #[command(flatten)]
    config: ConfigFile,
}

#[derive(clap::Args)]
struct Revoke {
    /// The key's id, as `token key list` and the kid of a token have it
    id: String,
    /// Why, for whoever asks later
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    config: ConfigFile,
}

pub(super) async fn run(args: Args) -> Result<Exit, Failure> {
    match args.command {
        Command::List(args) => list(args).await,
        Command::Rotate(args) => rotate(args).await,
        Command::Revoke(args) => revoke(args).await,
    }
}

async fn list(args: List) -> Result<Exit, Failure> {
    let registry = Place::find(&args.config)?.registry_to_read().await?;
    let keys = registry.own_keys(OwnUse::Token).await?;
    registry.close().await;
    let now = moment::now();
    if args.json {
        output::json(&json!({ "keys": keys.iter().map(|key| object(key, now)).collect::<Value>() }));
    } else if keys.is_empty() {
        output::note!("no keys yet: the first gateway that starts with [token] makes one");
        output::note!("hint: countersign token key rotate{}", args.config.flag());
    } else {
        let time = |time: Option<Timestamp>| time.map_or_else(|| "-".to_owned(), |time| time.to_string());
        let row = |key: &OwnKeyEntry| {
            let (id, algorithm, state) = (key.id.clone(), key.algorithm.clone(), key.state(now).to_string());
            vec![id, algorithm, state, key.not_before.to_string(), time(key.superseded), time(key.not_after)]
        };
        let head = ["ID", "ALGORITHM", "STATE", "SIGNS FROM", "SIGNS UNTIL", "VERIFIES UNTIL"];
        output::table(&head, &keys.iter().map(row).collect::<Vec<_>>());
    }
    Ok(Exit::FINE)
}

async fn rotate(args: Rotate) -> Result<Exit, Failure> {
    let place = Place::find(&args.config)?;
    let token = token_keys::settings(&place)?;
    let registry = place.registry_to_write().await?;
    let now = moment::now();
    let next = registry.rotate_own_key(&token_keys::new_key(token)?, token_keys::overlap(token), now).await?;
    let former =
        registry.own_keys(OwnUse::Token).await?.into_iter().find(|key| key.superseded == Some(next.not_before));
    registry.close().await;
    say!("added     {} ({}), published within a second", next.id, next.algorithm);
    if next.state(now) == KeyState::Pending {
        say!("signs     from {}, when everybody can have seen it", next.not_before);
    } else {
        say!("signs     from now on");
    }
    if let Some(OwnKeyEntry { id, not_after: Some(end), .. }) = former {
        say!("verifies  {id} until {end}");
    }
    say!("next      countersign token key list{}", args.config.flag());
    Ok(Exit::FINE)
}

async fn revoke(args: Revoke) -> Result<Exit, Failure> {
    let place = Place::find(&args.config)?;
    let token = token_keys::settings(&place)?;
    let registry = place.registry_to_write().await?;
    let now = moment::now();
    let (successor, overlap) = (token_keys::new_key(token)?, token_keys::overlap(token));
    let keys = registry.revoke_own_key(&args.id, &args.reason, &successor, overlap, now).await?;
    registry.close().await;
    say!("revoked   {}: what it signed is worth nothing, within a second everywhere", args.id);
    if let Some(key) = keys.iter().find(|key| key.state(now) == KeyState::Active) {
        say!("signs     {} ({})", key.id, key.algorithm);
    }
    say!("next      users log in again; whoever else verifies tokens fetches /.well-known/jwks.json anew");
    Ok(Exit::FINE)
}

fn object(key: &OwnKeyEntry, now: Timestamp) -> Value {
    let time = |time: Option<Timestamp>| time.map(|time| time.to_string());
    json!({
        "id": key.id, "algorithm": key.algorithm, "state": key.state(now).as_str(), "added": key.added.to_string(),
        "not_before": key.not_before.to_string(), "superseded": time(key.superseded), "not_after": time(key.not_after),
        "revoked": time(key.revoked), "reason": key.reason,
    })
}
