use countersign::Timestamp;
use sqlx::Row;
use sqlx::any::AnyRow;

use super::{OwnKey, OwnKeyEntry, OwnUse};
use crate::secrets::{OwnPlace, SealingKey};

/// All of them, the newest of each purpose first. An empty `$1` stands for every purpose.
pub(crate) const SELECT: &str = "SELECT use, id, algorithm, public, private, added, not_before, superseded, not_after, \
    revoked, reason FROM own_key WHERE $1 = '' OR use = $1 ORDER BY use, not_before DESC, added DESC, id";

/// What a row says, without its private half. An error is words for the operator, beginning with the row's name.
pub(super) fn entry_of(row: &AnyRow) -> Result<OwnKeyEntry, String> {
    let read = || -> Result<OwnKeyEntry, sqlx::Error> {
        let usage: String = row.try_get("use")?;
        let usage = [OwnUse::Token, OwnUse::Seal].into_iter().find(|known| known.as_str() == usage);
        let time = |column: &str| Ok::<_, sqlx::Error>(Timestamp::from_millis(row.try_get(column)?));
        let maybe =
            |column: &str| Ok::<_, sqlx::Error>(row.try_get::<Option<i64>, _>(column)?.map(Timestamp::from_millis));
        Ok(OwnKeyEntry {
            usage: usage.ok_or_else(|| sqlx::Error::Decode("unknown use".into()))?,
            id: row.try_get("id")?,
            algorithm: row.try_get("algorithm")?,
            public: row.try_get("public")?,
            added: time("added")?,
            not_before: time("not_before")?,
            superseded: maybe("superseded")?,
            not_after: maybe("not_after")?,
            revoked: maybe("revoked")?,
            reason: row.try_get("reason")?,
        })
    };
    read().map_err(|error| format!("{}: {error}", name_of(row)))
}

/// The key that a row stands for, opened with `sealing`. `None` for one that is revoked or past its end.
pub(crate) fn own_key_of(row: &AnyRow, sealing: Option<&SealingKey>, now: Timestamp) -> Result<Option<OwnKey>, String> {
    use countersign::KeyState::{Retired, Revoked};
    let entry = entry_of(row)?;
    if matches!(entry.state(now), Retired | Revoked) {
        return Ok(None);
    }
    let broken = |what: &dyn std::fmt::Display| format!("{}: {what}", name_of(row));
    let sealed: Vec<u8> = row.try_get("private").map_err(|error| broken(&error))?;
    let sealing = sealing.ok_or_else(|| broken(&"the sealing key of shared secrets is not there"))?;
    let place = OwnPlace { usage: entry.usage.as_str(), id: &entry.id, algorithm: &entry.algorithm };
    let private = sealing.open_own(place, &sealed).map_err(|error| broken(&error))?;
    Ok(Some(OwnKey { entry, private }))
}

/// `token key ID` as far as it can be read.
fn name_of(row: &AnyRow) -> String {
    let usage: String = row.try_get("use").unwrap_or_default();
    let id: String = row.try_get("id").unwrap_or_default();
    format!("our {usage} key {id:?}")
}
