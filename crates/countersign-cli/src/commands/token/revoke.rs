use countersign::{Revocation, Scheme};
use countersign_store::Registry;
use countersign_store::registry::{Error, Refused, TokenRevocation};
use serde_json::{Value, json};

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
    /// The one token with this id
    #[arg(long, value_name = "ID")]
    jti: Option<String>,
    /// All tokens of this user: what stands in Countersign-User
    #[arg(long, value_name = "ID")]
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
    let what = args.what.revocation()?;
    is_there(&registry, &what).await?;
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
    fn revocation(self) -> Result<Revocation, Failure> {
        match self {
            Self { jti: Some(id), .. } => Ok(Revocation::Token(id)),
            Self { user: Some(id), .. } => Ok(Revocation::User(id)),
            Self { site: Some(id), .. } => Ok(Revocation::Site(id)),
            Self { partner: Some(name), .. } => Ok(Revocation::Partner(name)),
            _ => Err(Failure::usage("nothing is named").hint("--jti, --user, --site or --partner")),
        }
    }
}

/// A name that nobody has would be revoked in vain, and whoever meant another would not know.
async fn is_there(registry: &Registry, what: &Revocation) -> Result<(), Failure> {
    let sites = async || Ok::<_, Failure>(registry.site_keys(None, moment::now()).await?.keys);
    match what {
        Revocation::Site(id) => {
            if sites().await?.iter().all(|key| key.id != *id) {
                registry.key(id, Some(Scheme::TrustedSite)).await?;
            }
        }
        Revocation::Partner(name) => match registry.partner(name).await {
            Err(Error::Refused(Refused::NoSuchPartner(_))) if sites().await?.iter().any(|key| key.partner == *name) => {
            }
            found => drop(found?),
        },
        Revocation::Token(_) | Revocation::User(_) => {}
    }
    Ok(())
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
