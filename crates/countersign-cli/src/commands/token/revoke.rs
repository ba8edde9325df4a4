use countersign::{Revocation, Scheme};
use countersign_store::Registry;
use countersign_store::registry::{Error, KeyEntry, Refused, TokenRevocation};
use serde_json::{Value, json};

use crate::commands::user;
use crate::exit::{Exit, Failure};
use crate::output::{self, say};
use crate::place::{ConfigFile, Place};
use crate::{moment, token_keys};

/// Revokes user tokens that were issued until now, within a second everywhere
///
/// Who logs in afterwards gets a token that counts. To keep a site or a partner from that, too, revoke its key or suspend it:
/// `countersign key revoke`, `countersign partner suspend`; their tokens are worth nothing then, either.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    what: What,
    /// Why, for whoever asks later
    #[arg(long, default_value = "by the operator")]
    reason: String,
    #[command(flatten)]
    config: ConfigFile,
}

#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct What {
    /// The one token with this id: `token` in the gateway's log, `jti` in the token
    #[arg(long, value_name = "ID")]
    jti: Option<String>,
    /// All tokens of this user: the e-mail, in any spelling, or the id, which stands in Countersign-User
    #[arg(long, value_name = "EMAIL")]
    user: Option<String>,
    /// All tokens of users for whom this site vouched: the id of its key
    #[arg(long, value_name = "ID")]
    site: Option<String>,
    /// All tokens of users for whom any site of this partner vouched
    #[arg(long, value_name = "NAME")]
    partner: Option<String>,
}

#[derive(clap::Args)]
pub(super) struct List {
    #[command(flatten)]
    config: ConfigFile,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> Result<Exit, Failure> {
    let place = Place::find(&args.config)?;
    let token = token_keys::settings(&place)?;
    let registry = place.registry_to_write().await?;
    let what = args.what.revocation(&registry).await?;
    let revoked = registry.revoke_tokens(&what, &args.reason, token.lifetime, moment::now()).await?;
    registry.close().await;
    say!("revoked  {}, within a second everywhere", told(&what));
    say!("until    {}: by then they are past their time anyway", revoked.until);
    say!("next     countersign token revoked{}", args.config.flag());
    Ok(Exit::FINE)
}

pub(super) async fn list(args: List) -> Result<Exit, Failure> {
    let registry = Place::find(&args.config)?.registry_to_read().await?;
    let revoked = registry.token_revocations(moment::now()).await?;
    registry.close().await;
    if args.json {
        output::json(&json!({ "revoked": revoked.iter().map(object).collect::<Value>() }));
    } else if revoked.is_empty() {
        output::note!("nothing is revoked that could meet a token");
    } else {
        let row = |it: &TokenRevocation| vec![told(&it.what), it.at.to_string(), it.until.to_string()];
        output::table(&["REVOKED", "ISSUED UNTIL", "KEPT UNTIL"], &revoked.iter().map(row).collect::<Vec<_>>());
    }
    Ok(Exit::FINE)
}

impl What {
    /// By the names that tokens have. One that nobody has would be revoked in vain, and whoever meant another would not know.
    async fn revocation(self, registry: &Registry) -> Result<Revocation, Failure> {
        match self {
            Self { jti: Some(id), .. } => token(&id),
            Self { user: Some(who), .. } => user(registry, &who).await,
            Self { site: Some(id), .. } => site(registry, id).await,
            Self { partner: Some(name), .. } => partner(registry, name).await,
            _ => Err(Failure::usage("nothing is named").hint("--jti, --user, --site or --partner")),
        }
    }
}

/// Tokens are kept nowhere, so only the form tells a slip.
fn token(text: &str) -> Result<Revocation, Failure> {
    let id = text.to_ascii_lowercase();
    if Revocation::is_token_id(&id) {
        return Ok(Revocation::Token(id));
    }
    let where_to =
        "it stands as \"token\" in the gateway's log, and as jti in the token's second part: a UUID of version 7";
    Err(Failure::usage(format!("{text:?} is no token's id")).hint(where_to))
}

async fn user(registry: &Registry, who: &str) -> Result<Revocation, Failure> {
    if let Some(user) = user::found(registry, who).await? {
        return Ok(Revocation::User(user.id));
    }
    // Of one who was removed, tokens may be out all the same.
    let id = user::uuid(who).ok_or_else(|| user::unknown(who))?;
    output::note!("there is no user {id} now: only tokens of one who was removed can end by it");
    Ok(Revocation::User(id))
}

async fn site(registry: &Registry, id: String) -> Result<Revocation, Failure> {
    if sites(registry).await?.iter().all(|key| key.id != id) {
        registry.key(&id, Some(Scheme::TrustedSite)).await?;
    }
    Ok(Revocation::Site(id))
}

async fn partner(registry: &Registry, name: String) -> Result<Revocation, Failure> {
    match registry.partner(&name).await {
        Err(Error::Refused(Refused::NoSuchPartner(_)))
            if sites(registry).await?.iter().any(|key| key.partner == name) => {}
        found => drop(found?),
    }
    Ok(Revocation::Partner(name))
}

async fn sites(registry: &Registry) -> Result<Vec<KeyEntry>, Failure> {
    Ok(registry.site_keys(None, moment::now()).await?.keys)
}

fn told(what: &Revocation) -> String {
    match what {
        Revocation::Token(id) => format!("the token {id}"),
        Revocation::User(id) => format!("all tokens of the user {id}"),
        Revocation::Site(id) => format!("all tokens by the site {id}"),
        Revocation::Partner(name) => format!("all tokens by sites of {name}"),
    }
}

fn object(one: &TokenRevocation) -> Value {
    let (kind, name) = match &one.what {
        Revocation::Token(name) => ("jti", name),
        Revocation::User(name) => ("user", name),
        Revocation::Site(name) => ("site", name),
        Revocation::Partner(name) => ("partner", name),
    };
    json!({ "kind": kind, "name": name, "at": one.at.to_string(), "until": one.until.to_string() })
}
