use countersign::{Scheme, Timestamp};

use super::{Error, Failed, Registry, commit};

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
    /// changes nothing, so that gateways may report in any order; a key that is not there is left out.
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
        }
        commit(change).await
    }
}
