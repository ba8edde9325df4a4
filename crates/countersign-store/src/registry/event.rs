use countersign::Timestamp;
use sqlx::{AnyConnection, Row};

use super::{ACTOR, Error, Failed, Registry};

/// One change, as it was written down in the transaction that made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its place in the order of changes, from 1.
    pub seq: i64,
    /// When it happened, by the clock of who made it.
    pub at: Timestamp,
    /// Who made it.
    pub actor: String,
    /// `partner.added`, `partner.suspended`, `partner.resumed`, `key.added`, `key.retiring`, `key.activated`,
    /// `key.retired`, `key.revoked`; of keys of our own `own_key.added`, `own_key.superseded`, `own_key.advanced`,
    /// `own_key.revoked`; of user tokens `token.revoked`; `user.suspended`, `user.resumed`, `user.removed`.
    pub what: String,
    /// The partner's name, the key's id, or the user's.
    pub subject: String,
    /// A JSON object: for a key its partner, scheme, version, algorithm, fingerprint, and the reason of a revocation.
    pub detail: String,
}

impl Registry {
    /// Up to `limit` events after the one numbered `after`, oldest first.
    ///
    /// # Errors
    /// [`Failed`] when the database does not answer.
    pub async fn events(&self, after: i64, limit: u32) -> Result<Vec<Event>, Error> {
        let sql = "SELECT seq, at, actor, what, subject, detail FROM event WHERE seq > $1 ORDER BY seq LIMIT $2";
        let rows = sqlx::query(sql)
            .bind(after)
            .bind(i64::from(limit))
            .fetch_all(&mut *self.reader().await?)
            .await
            .map_err(Failed::to("read its events"))?;
        let read = |row: sqlx::any::AnyRow| {
            Ok(Event {
                seq: row.try_get("seq")?,
                at: Timestamp::from_millis(row.try_get("at")?),
                actor: row.try_get("actor")?,
                what: row.try_get("what")?,
                subject: row.try_get("subject")?,
                detail: row.try_get("detail")?,
            })
        };
        rows.into_iter().map(read).collect::<Result<_, sqlx::Error>>().map_err(Failed::to("read its events"))
    }
}

/// Writes an event down, in the transaction of its change.
pub(crate) async fn record(
    change: &mut AnyConnection,
    now: Timestamp,
    what: &'static str,
    subject: &str,
    detail: &serde_json::Value,
) -> Result<(), Error> {
    sqlx::query("INSERT INTO event (at, actor, what, subject, detail) VALUES ($1, $2, $3, $4, $5)")
        .bind(now.as_millis())
        .bind(ACTOR)
        .bind(what)
        .bind(subject)
        .bind(detail.to_string())
        .execute(change)
        .await
        .map_err(Failed::to("record an event"))?;
    Ok(())
}
