use countersign::Scheme;
use countersign_store::registry::{Error, Refused};
use serde_json::{Value, json};

use super::print;
use crate::exit::{Exit, Failure};
use crate::place::{ConfigFile, Place};
use crate::{arguments, moment, output};

#[derive(clap::Args)]
pub(crate) struct List {
    /// Only the keys of this partner
    #[arg(long, value_name = "NAME")]
    partner: Option<String>,
    #[command(flatten)]
    config: ConfigFile,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
pub(crate) struct Show {
    /// The key's id
    id: String,
    /// Decides where the id stands under two schemes
    #[arg(long, value_name = "S", value_parser = arguments::scheme())]
    scheme: Option<Scheme>,
    /// Only this version
    #[arg(long, value_name = "N")]
    version: Option<u32>,
    #[command(flatten)]
    config: ConfigFile,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn list(args: List) -> Result<Exit, Failure> {
    let registry = Place::find(&args.config)?.registry_to_read().await?;
    let now = moment::now();
    let sites = registry.site_keys(args.partner.as_deref(), now).await?;
    let keys = match registry.keys(args.partner.as_deref()).await {
        // A partner may be known by its files alone.
        Err(Error::Refused(Refused::NoSuchPartner(_))) if !sites.keys.is_empty() => Vec::new(),
        keys => keys?,
    };
    let keys: Vec<_> = keys.into_iter().chain(sites.keys).collect();
    for broken in sites.broken {
        print::broken(&broken);
    }
    if args.json {
        output::json(&json!({ "keys": keys.iter().map(|key| print::object(key, now)).collect::<Value>() }));
    } else if keys.is_empty() {
        output::note!("no keys yet");
        output::note!("hint: countersign key add --help");
    } else {
        print::table(&keys, now);
    }
    registry.close().await;
    Ok(Exit::FINE)
}

pub(super) async fn show(args: Show) -> Result<Exit, Failure> {
    let registry = Place::find(&args.config)?.registry_to_read().await?;
    let mut keys = match registry.key(&args.id, args.scheme).await {
        Err(Error::Refused(Refused::NoSuchKey { id, scheme })) => {
            let sites = registry.site_keys(None, moment::now()).await?.keys;
            let keys: Vec<_> = sites
                .into_iter()
                .filter(|key| key.id == id && scheme.is_none_or(|scheme| scheme == key.scheme))
                .collect();
            if keys.is_empty() {
                return Err(Error::from(Refused::NoSuchKey { id, scheme }).into());
            }
            keys
        }
        keys => keys?,
    };
    registry.close().await;
    if let Some(version) = args.version {
        keys.retain(|key| key.version == version);
        if keys.is_empty() {
            return Err(Failure::usage(format!("the key {} has no version {version}", args.id)).hint(format!(
                "countersign key show {}{}",
                args.id,
                args.config.flag()
            )));
        }
    }
    let now = moment::now();
    if args.json {
        output::json(&json!({ "keys": keys.iter().map(|key| print::object(key, now)).collect::<Value>() }));
        return Ok(Exit::FINE);
    }
    for (at, key) in keys.iter().enumerate() {
        if at > 0 {
            output::say!("");
        }
        print::whole(key, now);
    }
    Ok(Exit::FINE)
}
