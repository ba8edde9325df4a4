use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use countersign::{Identity, Scheme, Timestamp};
use sqlx::AnyConnection;

use super::{Error, Failed, Registry, commit};

/// Uses of keys that wait to be written. The data path notes them here, and whoever writes does so in batches: a use costs
/// the path one short lock, and what the database does costs it nothing.
#[derive(Debug, Default)]
pub struct LastUses {
    /// By id; one shard per key, so that partners wait for each other as little as they can.
    shards: [Mutex<HashMap<String, Vec<Waiting>>>; SHARDS],
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    scheme: Scheme,
    version: u32,
    at: Timestamp,
}

impl LastUses {
    /// Notes a use. There are at most as many to keep as there are keys.
    pub fn note(&self, identity: &Identity, at: Timestamp) {
        self.keep(&identity.key, Waiting { scheme: identity.scheme, version: identity.version, at });
    }

    /// Writes what was noted since the last time, in one transaction.
    ///
    /// # Errors
    /// As [`Registry::note_last_uses`]; what was noted waits for the next time.
    pub async fn write(&self, registry: &Registry) -> Result<(), Error> {
        let batch = self.take();
        let written = registry.note_last_uses(&batch).await;
        if written.is_err() {
            for last in batch {
                self.keep(&last.id, Waiting { scheme: last.scheme, version: last.version, at: last.at });
            }
        }
        written
    }

    fn take(&self) -> Vec<LastUse> {
        let mut batch = Vec::new();
        for shard in &self.shards {
            let noted = std::mem::take(&mut *shard.lock().unwrap_or_else(PoisonError::into_inner));
            for (id, uses) in noted {
                let last = |it: Waiting| LastUse { scheme: it.scheme, id: id.clone(), version: it.version, at: it.at };
                batch.extend(uses.into_iter().map(last));
            }
        }
        batch
    }

    fn keep(&self, id: &str, new: Waiting) {
        let at = id.bytes().fold(0, |sum: usize, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
        let mut noted = self.shards[at % SHARDS].lock().unwrap_or_else(PoisonError::into_inner);
        match noted.get_mut(id) {
            None => drop(noted.insert(id.to_owned(), vec![new])),
            Some(uses) => match uses.iter_mut().find(|it| (it.scheme, it.version) == (new.scheme, new.version)) {
                Some(known) => known.at = known.at.max(new.at),
                None => uses.push(new),
            },
        }
    }
}

/// A key of the directory of trusted sites is no row of the registry, and has its uses apart.
async fn note_site(change: &mut AnyConnection, last: &LastUse) -> Result<(), Error> {
    let noted = sqlx::query(
        "INSERT INTO site_use (id, at) \
         SELECT $1, $2 WHERE NOT EXISTS (SELECT 1 FROM partner_key WHERE scheme = 'trusted-site' AND id = $1) \
         ON CONFLICT (id) DO UPDATE SET at = excluded.at WHERE excluded.at > site_use.at",
    )
    .bind(last.id.as_str())
    .bind(last.at.as_millis());
    noted.execute(change).await.map_err(Failed::to("note a last use")).map(drop)
}

const SHARDS: usize = 16;

/// The latest use of one version of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastUse {
    /// The scheme of the key.
    pub scheme: Scheme,
    /// Its id.
    pub id: String,
    /// Its version.
    pub version: u32,
    /// When it last verified a message that was admitted.
    pub at: Timestamp,
}

impl Registry {
    /// Writes a batch of last uses in one transaction, behind the data path. A time earlier than the one that stands
    /// changes nothing, so that gateways may report in any order; a key that is not there is left out, but for those of the
    /// directory of trusted sites.
    ///
    /// # Errors
    /// [`Failed`] when the database does not do it; nothing of the batch is written then.
    pub async fn note_last_uses(&self, uses: &[LastUse]) -> Result<(), Error> {
        if uses.is_empty() {
            return Ok(());
        }
        let mut change = self.write().await?;
        for last in uses {
            sqlx::query(
                "INSERT INTO last_use (scheme, id, version, at) \
                 SELECT scheme, id, version, $4 FROM partner_key WHERE scheme = $1 AND id = $2 AND version = $3 \
                 ON CONFLICT (scheme, id, version) DO UPDATE SET at = excluded.at WHERE excluded.at > last_use.at",
            )
            .bind(last.scheme.as_str())
            .bind(last.id.as_str())
            .bind(i64::from(last.version))
            .bind(last.at.as_millis())
            .execute(&mut *change)
            .await
            .map_err(Failed::to("note a last use"))?;
            if last.scheme == Scheme::TrustedSite {
                note_site(&mut change, last).await?;
            }
        }
        commit(change).await
    }
}
