//! `key activate`, `key retire`, `key revoke`.

use countersign::{KeyState, Scheme};
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
    let changed = match &change {
        Change::Activate => registry.activate_key(&selector, now).await,
        Change::Retire => registry.retire_key(&selector, now).await,
        Change::Revoke { reason } => {
            match registry.revoke_key(&selector, reason, now).await {
                // The key of a file is known by that alone: it becomes an entry, which stays when the file is gone.
                Err(Error::Refused(Refused::NoSuchKey { .. })) if which.may_be_a_site() => {
                    match registry.adopt_site_key(&which.id, now).await {
                        Ok(()) => registry.revoke_key(&KeySelector::id(&which.id), reason, now).await,
                        Err(error) => Err(error),
                    }
                }
                revoked => revoked,
            }
        }
    };
    let changed = match changed {
        // Its file says what it is, and alone ends it in order.
        Err(Error::Refused(missing @ Refused::NoSuchKey { .. })) if which.may_be_a_site() => {
            let sites = registry.site_keys(None, now).await?.keys;
            Err(if sites.iter().any(|key| key.id == which.id) {
                let (id, flag) = (&which.id, which.config.flag());
                let hint = format!(
                    "a file of trusted sites has it: remove that, or countersign key revoke {id} --reason …{flag}"
                );
                Failure::usage(missing).hint(hint)
            } else {
                Error::from(missing).into()
            })
        }
        changed => changed.map_err(Failure::from),
    };
    registry.close().await;
    let changed = changed?;
    for key in &changed {
        let word = if key.state == KeyState::Active { "activated" } else { key.state.as_str() };
        say!("{word:<9}  key {}, version {}, of partner {}", key.id, key.version, key.partner);
    }
    let version = which.version.map_or_else(String::new, |version| format!(", version {version}"));
    match (&change, changed.is_empty()) {
        (Change::Activate, true) => say!("unchanged  key {}{version}: it is active already", which.id),
        (Change::Retire, true) => say!("unchanged  key {}{version}: it is retired already", which.id),
        (Change::Revoke { .. }, true) => say!("unchanged  key {}{version}: it is revoked already", which.id),
        (Change::Activate, false) => say!("effect     within a second at every gateway"),
        (Change::Retire, false) => say!("effect     within a second at every gateway; activate brings it back"),
        (Change::Revoke { .. }, false) => say!("effect     within a second at every gateway; it can't be undone"),
    }
    say!("next       countersign key show {}{}", which.id, which.config.flag());
    Ok(Exit::FINE)
}
