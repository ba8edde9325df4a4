use std::collections::BTreeMap;

use clap::Subcommand;
use countersign_store::Registry;
use countersign_store::registry::{Error, Partner, PartnerState, Refused};
use serde_json::{Value, json};

use super::key::print;
use super::wait;
use crate::exit::{Exit, Failure};
use crate::moment;
use crate::output::{self, say};
use crate::place::{ConfigFile, Place};

/// Keeps the partners that may call
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Adds a partner
    Add(Named),
    /// Lists all partners
    List(List),
    /// Shows a partner and its keys
    Show(Show),
    /// Suspends a partner: none of its keys is usable until it is resumed
    Suspend(Named),
    /// Resumes a partner
    Resume(Named),
}

#[derive(clap::Args)]
struct Named {
    /// The partner: 1 to 64 of A-Z a-z 0-9 . _ -
    name: String,
    #[command(flatten)]
    config: ConfigFile,
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
struct Show {
    /// The partner
    name: String,
    #[command(flatten)]
    config: ConfigFile,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: Args) -> Result<Exit, Failure> {
    match args.command {
        Command::Add(args) => wait(add(args))?,
        Command::List(args) => wait(list(args))?,
        Command::Show(args) => wait(show(args))?,
        Command::Suspend(args) => wait(turn(args, false))?,
        Command::Resume(args) => wait(turn(args, true))?,
    }
}

async fn add(args: Named) -> Result<Exit, Failure> {
    let place = Place::find(&args.config)?;
    let registry = place.registry_to_write().await?;
    let partner = registry.add_partner(&args.name, moment::now()).await?;
    say!("added     partner {}, active", partner.name);
    say!("registry  {}", place.registry_file()?.display());
    say!(
        "next      countersign key add --partner {} --id {}-1 --scheme http-message-signatures --algorithm ed25519 \
         --public-key FILE{}",
        partner.name,
        partner.name,
        args.config.flag()
    );
    done(registry).await
}

async fn list(args: List) -> Result<Exit, Failure> {
    let registry = Place::find(&args.config)?.registry_to_read().await?;
    let mut partners = registry.partners().await?;
    let mut sites = BTreeMap::<String, u64>::new();
    for key in registry.site_keys(None, moment::now()).await?.keys {
        *sites.entry(key.partner).or_default() += 1;
    }
    for partner in &mut partners {
        partner.keys += sites.remove(&partner.name).unwrap_or(0);
    }
    if args.json {
        let alone = |(name, keys)| json!({ "name": name, "state": "active", "keys": keys, "added": null });
        let all = partners.iter().map(object).chain(sites.iter().map(alone));
        output::json(&json!({ "partners": all.collect::<Vec<_>>() }));
    } else if partners.is_empty() && sites.is_empty() {
        output::note!("no partners yet");
        output::note!("hint: countersign partner add NAME{}", args.config.flag());
    } else {
        let row = |it: &Partner| vec![it.name.clone(), it.state.to_string(), it.keys.to_string(), print::day(it.added)];
        let alone = |(name, keys): (&String, &u64)| {
            vec![name.clone(), "active".to_owned(), keys.to_string(), "by its file".to_owned()]
        };
        let rows: Vec<_> = partners.iter().map(row).chain(sites.iter().map(alone)).collect();
        output::table(&["NAME", "STATE", "KEYS", "ADDED"], &rows);
    }
    done(registry).await
}

async fn show(args: Show) -> Result<Exit, Failure> {
    let registry = Place::find(&args.config)?.registry_to_read().await?;
    let sites = registry.site_keys(Some(&args.name), moment::now()).await?.keys;
    let (partner, mut keys) = match registry.partner(&args.name).await {
        // Known by files of the directory of trusted sites alone.
        Err(Error::Refused(Refused::NoSuchPartner(_))) if !sites.is_empty() => (None, Vec::new()),
        partner => (Some(partner?), registry.keys(Some(&args.name)).await?),
    };
    keys.extend(sites);
    if args.json {
        let mut shown = partner.as_ref().map_or_else(|| json!({ "name": args.name, "state": "active" }), object);
        shown["keys"] = keys.iter().map(|key| print::object(key, moment::now())).collect();
        output::json(&shown);
    } else {
        match partner {
            Some(partner) => say!("partner  {}, {}, added {}", partner.name, partner.state, partner.added),
            None => say!("partner  {}, active, known by files of trusted sites alone", args.name),
        }
        if keys.is_empty() {
            say!("keys     none");
        } else {
            print::table(&keys, moment::now());
        }
    }
    done(registry).await
}

async fn turn(args: Named, active: bool) -> Result<Exit, Failure> {
    let place = Place::find(&args.config)?;
    let registry = place.registry_to_write().await?;
    let (now, flag) = (moment::now(), args.config.flag());
    let before = state(&registry, &args.name).await?;
    if (before == PartnerState::Active) == active {
        say!("unchanged  partner {}: {before} already", args.name);
        say!("next       countersign partner show {}{flag}", args.name);
    } else if active {
        let partner = registry.resume_partner(&args.name, now).await?;
        say!("resumed    partner {}: its active keys verify again within a second", partner.name);
        say!("next       countersign partner show {}{flag}", partner.name);
    } else {
        let partner = registry.suspend_partner(&args.name, now).await?;
        say!("suspended  partner {}: none of its keys is usable, within a second everywhere", partner.name);
        say!("next       countersign partner resume {}{flag}", partner.name);
    }
    done(registry).await
}

/// Of a partner who may be known by files of trusted sites alone.
async fn state(registry: &Registry, name: &str) -> Result<PartnerState, Failure> {
    let missing = match registry.partner(name).await {
        Err(Error::Refused(missing @ Refused::NoSuchPartner(_))) => missing,
        found => return Ok(found?.state),
    };
    if registry.is_known_by_file(name).await? {
        return Ok(PartnerState::Active);
    }
    let sites = registry.site_keys(None, moment::now()).await?.keys;
    let of = sites.into_iter().find(|key| key.id == name).map(|key| key.partner);
    Err(match of {
        Some(partner) => Failure::usage(missing).hint(format!("it is a site of the partner {partner}")),
        None => Error::from(missing).into(),
    })
}

async fn done(registry: Registry) -> Result<Exit, Failure> {
    registry.close().await;
    Ok(Exit::FINE)
}

fn object(partner: &Partner) -> Value {
    json!({
        "name": partner.name, "state": partner.state.as_str(), "keys": partner.keys, "added": partner.added.to_string(),
    })
}
