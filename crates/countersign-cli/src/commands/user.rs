use clap::Subcommand;
use countersign_store::Registry;
use countersign_store::users::{Email, User, UserState};
use serde_json::{Value, json};

use super::key::print;
use super::wait;
use crate::exit::{Exit, Failure};
use crate::moment;
use crate::output::{self, say};
use crate::place::{ConfigFile, Place};

/// Keeps the users for whom trusted sites vouch
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Lists users by e-mail
    List(List),
    /// Shows a user
    Show(Show),
    /// Suspends a user: no site can log the user in until it is resumed, and the e-mail stays taken. Tokens that are out go on
    /// until `countersign token revoke --user`
    Suspend(Named),
    /// Resumes a user
    Resume(Named),
    /// Removes a user and the e-mail for good; whoever registers it again is another user. Tokens that are out go on until
    /// `countersign token revoke --user`
    Remove(Named),
}

#[derive(clap::Args)]
struct List {
    /// Only users whom keys of this partner registered
    #[arg(long, value_name = "NAME")]
    partner: Option<String>,
    /// Only those behind this e-mail
    #[arg(long, value_name = "EMAIL", default_value = "", hide_default_value = true)]
    after: String,
    /// How many at most
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
    #[command(flatten)]
    config: ConfigFile,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
struct Show {
    /// The e-mail, in any spelling, or the id
    #[arg(value_name = "EMAIL")]
    who: String,
    #[command(flatten)]
    config: ConfigFile,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
struct Named {
    /// The e-mail, in any spelling, or the id
    #[arg(value_name = "EMAIL")]
    who: String,
    #[command(flatten)]
    config: ConfigFile,
}

pub(crate) fn run(args: Args) -> Result<Exit, Failure> {
    match args.command {
        Command::List(args) => wait(list(args))?,
        Command::Show(args) => wait(show(args))?,
        Command::Suspend(args) => wait(turn(args, UserState::Suspended))?,
        Command::Resume(args) => wait(turn(args, UserState::Active))?,
        Command::Remove(args) => wait(remove(args))?,
    }
}

async fn list(args: List) -> Result<Exit, Failure> {
    let registry = Place::find(&args.config)?.registry_to_read().await?;
    let found = registry.users(args.partner.as_deref(), &args.after, args.limit).await?;
    let next = found.last().filter(|_| found.len() as u64 == u64::from(args.limit)).map(|user| user.email.clone());
    if args.json {
        output::json(&json!({ "users": found.iter().map(object).collect::<Vec<_>>(), "next": next }));
    } else if found.is_empty() {
        output::note!("no users");
        output::note!("hint: a trusted site registers them, at /auth/trusted/register");
    } else {
        let row = |it: &User| {
            let credits = it.credits_remaining.to_string();
            let (email, state) = (it.email.clone(), it.state.to_string());
            vec![email, state, it.registered_via.clone(), it.partner.clone(), credits, print::day(it.registered)]
        };
        let rows: Vec<_> = found.iter().map(row).collect();
        output::table(&["EMAIL", "STATE", "SITE", "PARTNER", "CREDITS", "REGISTERED"], &rows);
        if let Some(next) = next {
            output::note!("there may be more: countersign user list --after {next}{}", args.config.flag());
        }
    }
    done(registry).await
}

async fn show(args: Show) -> Result<Exit, Failure> {
    let registry = Place::find(&args.config)?.registry_to_read().await?;
    let user = find(&registry, &args.who).await?;
    if args.json {
        output::json(&object(&user));
    } else {
        say!("user        {}, {}", user.email, user.state);
        say!("id          {}", user.id);
        say!("registered  {} via {}, a key of {}", user.registered, user.registered_via, user.partner);
        say!("credits     {}", user.credits_remaining);
    }
    done(registry).await
}

async fn turn(args: Named, to: UserState) -> Result<Exit, Failure> {
    let place = Place::find(&args.config)?;
    let registry = place.registry_to_read().await?;
    let before = find(&registry, &args.who).await?;
    let flag = args.config.flag();
    if before.state == to {
        say!("unchanged  user {}: {to} already", before.email);
        return done(registry).await;
    }
    let user = registry.turn_user(&before.id, to, moment::now()).await?;
    match to {
        UserState::Active => say!("resumed    user {}: sites may log in again", user.email),
        UserState::Suspended => {
            say!("suspended  user {}: no site gets another token", user.email);
            if place.config.token.is_some() {
                say!(
                    "next       countersign token revoke --user {}{flag}: until then the tokens that are out go on",
                    user.id
                );
            }
            say!("undo       countersign user resume {}{flag}", user.email);
        }
    }
    done(registry).await
}

async fn remove(args: Named) -> Result<Exit, Failure> {
    let place = Place::find(&args.config)?;
    let registry = place.registry_to_read().await?;
    let user = find(&registry, &args.who).await?;
    let user = registry.remove_user(&user.id, moment::now()).await?;
    say!("removed  user {}, {}", user.email, user.id);
    if place.config.token.is_some() {
        let flag = args.config.flag();
        say!("next     countersign token revoke --user {}{flag}: until then the tokens that are out go on", user.id);
    }
    done(registry).await
}

/// By the address, in any spelling, or the id.
pub(crate) async fn find(registry: &Registry, text: &str) -> Result<User, Failure> {
    match found(registry, text).await? {
        Some(user) => Ok(user),
        None => Err(unknown(text)),
    }
}

/// As [`find`], where one may be gone.
pub(crate) async fn found(registry: &Registry, text: &str) -> Result<Option<User>, Failure> {
    let who = Email::fold(text).or_else(|| uuid(text)).unwrap_or_else(|| text.to_owned());
    Ok(registry.user(&who).await?)
}

/// Why nobody was found.
pub(crate) fn unknown(text: &str) -> Failure {
    match Email::parse(text) {
        Err(fault) if uuid(text).is_none() => {
            Failure::usage(format!("{text:?} is no e-mail address, and no user's id: {fault}"))
        }
        _ => Failure::usage(format!("there is no user {text}")),
    }
    .hint("countersign user list")
}

/// The id of a user in its form, a UUID in lower case; `None` for what is none.
pub(crate) fn uuid(text: &str) -> Option<String> {
    let form = text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        });
    form.then(|| text.to_ascii_lowercase())
}

async fn done(registry: Registry) -> Result<Exit, Failure> {
    registry.close().await;
    Ok(Exit::FINE)
}

fn object(user: &User) -> Value {
    json!({
        "id": user.id,
        "email": user.email,
        "state": user.state.as_str(),
        "registered_via": user.registered_via,
        "partner": user.partner,
        "credits_remaining": user.credits_remaining,
        "registered": user.registered.to_string(),
    })
}
