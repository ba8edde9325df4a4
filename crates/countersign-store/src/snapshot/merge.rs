//! Keys of the registry and keys of the directory of trusted sites, made into one snapshot. The registry wins.

use std::collections::{HashMap, HashSet};

use countersign::{Algorithm, KeyRecord, KeyState, Scheme, VerifyingKey};
use sqlx::Row;
use sqlx::any::AnyRow;

use super::sites::{Site, Sites};

/// What the registry says of ids, material and partners, usable or not.
#[derive(Default)]
pub(super) struct Standing {
    /// Ids of `trusted-site`, in whatever state, with their material.
    ids: HashMap<String, Vec<Vec<u8>>>,
    /// Entries by their fingerprint.
    material: HashMap<Vec<u8>, Vec<Entry>>,
    suspended: HashSet<String>,
}

struct Entry {
    scheme: String,
    id: String,
    partner: String,
    revoked: bool,
    shared: bool,
}

impl Standing {
    /// Of all rows, also those that make no key: what stands there once is not free for a file.
    pub(super) fn of(rows: &[AnyRow], suspended: HashSet<String>) -> Self {
        let mut standing = Self { suspended, ..Self::default() };
        for row in rows {
            let text = |column: &str| row.try_get::<String, _>(column).unwrap_or_default();
            let fingerprint: Vec<u8> = row.try_get("fingerprint").unwrap_or_default();
            let entry = Entry {
                scheme: text("scheme"),
                id: text("id"),
                partner: text("partner"),
                revoked: text("state") == KeyState::Revoked.as_str(),
                shared: row.try_get::<i64, _>("shared").is_ok_and(|shared| shared != 0),
            };
            if entry.scheme == Scheme::TrustedSite.as_str() {
                standing.ids.entry(entry.id.clone()).or_default().push(fingerprint.clone());
            }
            standing.material.entry(fingerprint).or_default().push(entry);
        }
        standing
    }

    /// Adds the keys of the directory to `good`, and what is wrong with others to `broken`.
    pub(super) fn add_sites(&self, sites: &Sites, good: &mut Vec<VerifyingKey>, broken: &mut Vec<String>) {
        broken.extend(sites.troubles());
        // Of files that hold one key for two partners the first by name counts: whoever is told apart by the file alone could
        // be taken for the other.
        let mut owners: HashMap<[u8; 32], String> = HashMap::new();
        for site in sites.keys() {
            let owner = owners.entry(site.material.fingerprint()).or_insert_with(|| site.name.partner.clone());
            if *owner != site.name.partner {
                let what = format!("the same key material is a key of the partner {owner:?}");
                broken.push(format!("{}: {what}", site.file.display()));
                continue;
            }
            match self.key(&site) {
                Ok(Some(key)) => good.push(key),
                Ok(None) => {}
                Err(what) => broken.push(format!("{}: {what}", site.file.display())),
            }
        }
    }

    /// `None` where the registry has the same key under this id already.
    fn key(&self, site: &Site<'_>) -> Result<Option<VerifyingKey>, String> {
        let fingerprint = site.material.fingerprint();
        if let Some(known) = self.ids.get(&site.name.id) {
            if known.iter().any(|it| it[..] == fingerprint) {
                return Ok(None);
            }
            return Err("the registry has a key of this id, and that one counts".to_owned());
        }
        for entry in self.material.get(&fingerprint[..]).into_iter().flatten() {
            let Entry { scheme, id, partner, .. } = entry;
            if entry.revoked {
                return Err(format!("this key material was revoked, as {scheme} key {id:?}: it stays revoked"));
            }
            // One material for two schemes would sign in both: `payload|timestamp` can be a signature base.
            let elsewhere = *scheme != Scheme::TrustedSite.as_str() || *partner != site.name.partner;
            if elsewhere && !entry.shared {
                return Err(format!("the same key material is the {scheme} key {id:?} of the partner {partner:?}"));
            }
        }
        let record = KeyRecord {
            partner: site.name.partner.clone(),
            partner_active: !self.suspended.contains(&site.name.partner),
            id: site.name.id.clone(),
            version: site.name.version,
            scheme: Scheme::TrustedSite,
            algorithm: Algorithm::RsaV15Sha256,
            state: KeyState::Active,
            not_before: None,
            not_after: None,
            form: None,
            material: site.material.clone(),
        };
        VerifyingKey::new(record).map(Some).map_err(|fault| fault.to_string())
    }
}
