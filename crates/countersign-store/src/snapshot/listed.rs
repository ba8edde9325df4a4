//! The directory of trusted sites for those who administer a registry: its keys as entries, and one taken into the registry.

use std::collections::{HashMap, HashSet};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::Duration;

use countersign::{KeyState, Timestamp, VerifyingKey};
use sqlx::Row;

use super::merge::Standing;
use super::sites::{self, Sites};
use crate::FileError;
use crate::registry::{Error, Failed, KeyAdd, KeyEntry, Refused, Registry, SELECT_KEYS};

/// What a directory of trusted sites adds to a registry.
#[derive(Clone, Debug, Default)]
pub struct SiteKeys {
    /// The keys that count, by id.
    pub keys: Vec<KeyEntry>,
    /// What else lies there and why it does not, in words for the operator.
    pub broken: Vec<String>,
}

impl Registry {
    /// The keys that come from the directory of trusted sites, as a gateway would take them now; of one partner or of all.
    ///
    /// # Errors
    /// [`Failed`] when the database does not answer.
    pub async fn site_keys(&self, of: Option<&str>, now: Timestamp) -> Result<SiteKeys, Error> {
        let Some(dir) = self.trusted_sites().map(ToOwned::to_owned) else { return Ok(SiteKeys::default()) };
        let mut reader = self.reader().await?;
        let rows = sqlx::query(SELECT_KEYS).bind("").bind("").bind("").fetch_all(&mut *reader).await;
        let rows = rows.map_err(Failed::to("read its keys"))?;
        let suspended = suspended(&mut reader).await?;
        let uses = uses(&mut reader).await?;
        let of = of.map(ToOwned::to_owned);
        let look = move || {
            let mut sites = Sites::new(dir, Duration::ZERO);
            sites.look(now);
            let (mut good, mut broken) = (Vec::new(), Vec::new());
            Standing::of(&rows, suspended).add_sites(&sites, &mut good, &mut broken);
            let keys = good.iter().filter(|key| of.as_ref().is_none_or(|of| *of == key.record().partner));
            let files: HashMap<_, _> = sites.keys().map(|site| (site.name.id.as_str(), site.file)).collect();
            SiteKeys { keys: keys.map(|key| entry(key, files.get(key.record().id.as_str()), &uses)).collect(), broken }
        };
        let looked = tokio::task::spawn_blocking(look).await;
        looked.map_err(|error| Failed::Row(format!("looking at the trusted sites failed: {error}")).into())
    }

    /// Whether a file of the directory of trusted sites is named for this partner, whatever it holds at the moment: what it held
    /// before may still verify.
    ///
    /// # Errors
    /// [`Failed`] when the directory can't be read.
    pub async fn is_known_by_file(&self, partner: &str) -> Result<bool, Error> {
        let Some(dir) = self.trusted_sites().map(ToOwned::to_owned) else { return Ok(false) };
        let partner = partner.to_owned();
        let looked = tokio::task::spawn_blocking(move || match sites::partners(&dir) {
            Ok(mut partners) => Ok(partners.any(|name| name == partner)),
            Err(fault) if fault.kind() == ErrorKind::NotFound => Ok(false),
            Err(fault) => Err(FileError::of("read", &dir)(fault)),
        });
        let looked = looked.await;
        Ok(looked.map_err(|error| Failed::Row(format!("looking at the trusted sites failed: {error}")))??)
    }

    /// Takes a key of the directory into the registry, pending, so that its id can be revoked for good; its partner is added
    /// where it is not there. From then on the file counts for nothing.
    ///
    /// # Errors
    /// [`Refused::NoSuchKey`] where no file of the directory is a key of this id; else as [`Registry::add_key`].
    pub async fn adopt_site_key(&self, id: &str, now: Timestamp) -> Result<(), Error> {
        let found = self.site_keys(None, now).await?.keys.into_iter().find(|key| key.id == id);
        let found = found.ok_or_else(|| Refused::NoSuchKey { id: id.to_owned(), scheme: None })?;
        match self.add_partner(&found.partner, now).await {
            Ok(_) | Err(Error::Refused(Refused::PartnerExists(_))) => {}
            Err(error) => return Err(error),
        }
        let add = KeyAdd {
            partner: found.partner,
            id: found.id,
            scheme: found.scheme,
            algorithm: found.algorithm,
            material: countersign::Material::Public(found.public_key.unwrap_or_default()),
            not_before: None,
            not_after: None,
            pending: true,
            form: None,
            // It may lie under a second name; both are meant.
            shared: true,
            allow_test_keys: false,
        };
        self.add_key(add, now).await.map(drop)
    }
}

/// Partners whose keys are not usable, wherever they lie.
pub(super) async fn suspended(connection: &mut sqlx::AnyConnection) -> Result<HashSet<String>, Error> {
    let rows = sqlx::query("SELECT name FROM partner WHERE state <> 'active'").fetch_all(connection).await;
    rows.and_then(|rows| rows.iter().map(|row| row.try_get(0)).collect()).map_err(Failed::to("read its partners"))
}

/// When the keys of the directory were last used, by id.
async fn uses(connection: &mut sqlx::AnyConnection) -> Result<HashMap<String, Timestamp>, Error> {
    let rows = sqlx::query("SELECT id, at FROM site_use").fetch_all(connection).await;
    let read = |row: &sqlx::any::AnyRow| Ok((row.try_get(0)?, Timestamp::from_millis(row.try_get(1)?)));
    rows.and_then(|rows| rows.iter().map(read).collect()).map_err(Failed::to("read its last uses"))
}

fn entry(key: &VerifyingKey, file: Option<&PathBuf>, uses: &HashMap<String, Timestamp>) -> KeyEntry {
    let record = key.record();
    let written = file.and_then(|file| std::fs::metadata(file).ok()).map_or(0, |it| it.mtime());
    KeyEntry {
        partner: record.partner.clone(),
        partner_active: record.partner_active,
        id: record.id.clone(),
        version: record.version,
        scheme: record.scheme,
        algorithm: record.algorithm,
        state: KeyState::Active,
        not_before: None,
        not_after: None,
        form: None,
        public_key: match &record.material {
            countersign::Material::Public(spki) => Some(spki.clone()),
            countersign::Material::Shared(_) => None,
        },
        fingerprint: *key.fingerprint(),
        shared: false,
        added: Timestamp::from_secs(written),
        ended: None,
        reason: None,
        last_used: uses.get(&record.id).copied(),
    }
}
