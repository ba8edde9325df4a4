//! What `seal-key` and `token key` do alike: keys of our own are listed, give way to others and are revoked.

use countersign::{KeyState, Timestamp};
use countersign_store::Registry;
use countersign_store::registry::{Overlap, OwnKeyAdd, OwnKeyEntry, OwnUse};
use serde_json::{Value, json};

use crate::exit::{Exit, Failure};
use crate::moment;
use crate::output::{self, say};
use crate::place::{ConfigFile, Place};

#[derive(clap::Args)]
pub(super) struct List {
    #[command(flatten)]
    config: ConfigFile,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
pub(super) struct Which {
    /// The key's id: the kid that is published
    id: String,
    #[command(flatten)]
    pub(super) config: ConfigFile,
}

#[derive(clap::Args)]
pub(super) struct Revoke {
    #[command(flatten)]
    pub(super) which: Which,
    /// Why; kept for good
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

/// Keys of one use, and the words for what they do.
pub(super) struct OwnKeys {
    usage: OwnUse,
    /// How its commands begin.
    command: &'static str,
    /// Who makes the first.
    first: &'static str,
    /// From when, until when it is the one, and until when what was made with it counts.
    head: [&'static str; 3],
    /// What the one does, and what those before it still do.
    does: &'static str,
    still: &'static str,
    /// What becomes of what was made with one that has ended, and who has to do something then.
    lost: &'static str,
    then: &'static str,
}

pub(super) const SEAL: OwnKeys = OwnKeys {
    usage: OwnUse::Seal,
    command: "countersign seal-key",
    first: "a gateway with a route that opens fields makes the first",
    head: ["CURRENT FROM", "CURRENT UNTIL", "OPENS UNTIL"],
    does: "current",
    still: "opens",
    lost: "what was sealed for it opens no more",
    then: "partners seal anew, for a key that stands in /.well-known/jwks.json",
};

pub(super) const TOKEN: OwnKeys = OwnKeys {
    usage: OwnUse::Token,
    command: "countersign token key",
    first: "the first gateway that starts with [token] makes one",
    head: ["SIGNS FROM", "SIGNS UNTIL", "VERIFIES UNTIL"],
    does: "signs",
    still: "verifies",
    lost: "what it signed is worth nothing",
    then: "users log in again; whoever else verifies tokens fetches /.well-known/jwks.json anew",
};

impl OwnKeys {
    pub(super) async fn list(&self, args: List) -> Result<Exit, Failure> {
        let registry = Place::find(&args.config)?.registry_to_read().await?;
        let keys = registry.own_keys(self.usage).await?;
        registry.close().await;
        let now = moment::now();
        if args.json {
            output::json(&json!({ "keys": keys.iter().map(|key| object(key, now)).collect::<Value>() }));
        } else if keys.is_empty() {
            output::note!("no keys yet: {}", self.first);
            output::note!("hint: {} rotate{}", self.command, args.config.flag());
        } else {
            let [from, until, end] = self.head;
            let rows: Vec<_> = keys.iter().map(|key| row(key, now)).collect();
            output::table(&["ID", "ALGORITHM", "STATE", from, until, end], &rows);
        }
        Ok(Exit::FINE)
    }

    /// Adds the next one, which takes the place of the one before once everybody can have seen it.
    pub(super) async fn rotate(
        &self,
        registry: Registry,
        next: &OwnKeyAdd,
        overlap: Overlap,
        config: &ConfigFile,
    ) -> Result<Exit, Failure> {
        let now = moment::now();
        let next = registry.rotate_own_key(next, overlap, now).await?;
        let keys = registry.own_keys(self.usage).await?;
        registry.close().await;
        let former = keys.into_iter().find(|key| key.superseded == Some(next.not_before));
        let Self { does, still, command, .. } = self;
        say!("added     {} ({}), published within a second", next.id, next.algorithm);
        if next.state(now) == KeyState::Pending {
            say!("{does:<9} from {}, when everybody can have seen it", next.not_before);
        } else {
            say!("{does:<9} from now on");
        }
        if let Some(OwnKeyEntry { id, not_after: Some(end), .. }) = former {
            say!("{still:<9} {id} until {end}");
        }
        say!("next      {command} list{}", config.flag());
        Ok(Exit::FINE)
    }

    pub(super) async fn retire(&self, registry: Registry, args: &Which) -> Result<Exit, Failure> {
        let key = registry.retire_own_key(self.usage, &args.id, moment::now()).await?;
        registry.close().await;
        say!("retired   {}: {}, within a second everywhere", key.id, self.lost);
        say!("next      {} list{}", self.command, args.config.flag());
        Ok(Exit::FINE)
    }

    /// Ends one for good. Where it was the one, another takes its place: the next if there is one, else `successor`.
    pub(super) async fn revoke(
        &self,
        registry: Registry,
        successor: &OwnKeyAdd,
        overlap: Overlap,
        args: &Revoke,
    ) -> Result<Exit, Failure> {
        let (id, now) = (&args.which.id, moment::now());
        let keys = registry.revoke_own_key(id, &args.reason, successor, overlap, now).await?;
        registry.close().await;
        say!("revoked   {id}: {}, within a second everywhere, and it never comes back", self.lost);
        if let Some(key) = keys.iter().find(|key| key.state(now) == KeyState::Active) {
            say!("{:<9} {} ({})", self.does, key.id, key.algorithm);
        }
        say!("next      {}", self.then);
        Ok(Exit::FINE)
    }
}

fn row(key: &OwnKeyEntry, now: Timestamp) -> Vec<String> {
    let time = |time: Option<Timestamp>| time.map_or_else(|| "-".to_owned(), |time| time.to_string());
    let (id, algorithm, state) = (key.id.clone(), key.algorithm.clone(), key.state(now).to_string());
    let end = key.revoked.or(key.not_after);
    vec![id, algorithm, state, key.not_before.to_string(), time(key.superseded), time(end)]
}

fn object(key: &OwnKeyEntry, now: Timestamp) -> Value {
    let time = |time: Option<Timestamp>| time.map(|time| time.to_string());
    json!({
        "id": key.id,
        "algorithm": key.algorithm,
        "state": key.state(now).as_str(),
        "current": key.state(now) == KeyState::Active,
        "added": key.added.to_string(),
        "not_before": key.not_before.to_string(),
        "superseded": time(key.superseded),
        "not_after": time(key.not_after),
        "revoked": time(key.revoked),
        "reason": key.reason,
    })
}
