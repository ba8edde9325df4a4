//! `key activate`, `key retire`, `key revoke`.

use countersign::Scheme;
use countersign_store::registry::{Error, KeySelector, Refused};

use crate::exit::{Exit, Failure};
use crate::output::say;
use crate::place::{ConfigFile, Place};
use crate::{arguments, moment};

#[derive(clap::Args)]
pub(crate) struct Which {
    /// The key's id; all of its versions, unless --version names one
    id: String,
    /// Only this version
    #[arg(long, value_name = "N")]
    version: Option<u32>,
    /// Decides where the id stands under two schemes
    #[arg(long, value_name = "S", value_parser = arguments::scheme())]
    scheme: Option<Scheme>,
    #[command(flatten)]
    config: ConfigFile,
}

#[derive(clap::Args)]
pub(crate) struct Revoke {
    #[command(flatten)]
    which: Which,
    /// Why; kept for good
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

pub(super) enum Change {
    Activate,
    Retire,
    Revoke { reason: String },
}

impl Which {
    /// Whether a file of the directory of trusted sites may be meant.
    fn may_be_a_site(&self) -> bool {
        self.version.is_none() && self.scheme.is_none_or(|scheme| scheme == Scheme::TrustedSite)
    }
}

impl Revoke {
    pub(super) fn split(self) -> (Which, Change) {
        (self.which, Change::Revoke { reason: self.reason })
    }
}

pub(super) async fn run(which: Which, change: Change) -> Result<Exit, Failure> {
    let registry = Place::find(&which.config)?.registry_to_write().await?;
    let selector = KeySelector { id: which.id.clone(), scheme: which.scheme, version: which.version };
    let now = moment::now();
    let (changed, word) = match &change {
        Change::Activate => (registry.activate_key(&selector, now).await, "activated"),
        Change::Retire => (registry.retire_key(&selector, now).await, "retired  "),
        Change::Revoke { reason } => {
            let revoked = match registry.revoke_key(&selector, reason, now).await {
                // The key of a file is known by that alone: it becomes an entry, which stays when the file is gone.
                Err(Error::Refused(Refused::NoSuchKey { .. })) if which.may_be_a_site() => {
                    match registry.adopt_site_key(&which.id, now).await {
                        Ok(()) => registry.revoke_key(&KeySelector::id(&which.id), reason, now).await,
                        Err(error) => Err(error),
                    }
                }
                revoked => revoked,
            };
            (revoked, "revoked  ")
        }
    };
    registry.close().await;
    let changed = changed?;
    for key in &changed {
        say!("{word}  key {}, version {}, of partner {}", key.id, key.version, key.partner);
    }
    if changed.is_empty() {
        say!("unchanged  key {}: it was so already", which.id);
    } else if let Change::Revoke { .. } = change {
        say!("effect     within a second at every gateway; it can't be undone");
    }
    say!("next       countersign key show {}{}", which.id, which.config.flag());
    Ok(Exit::FINE)
}
