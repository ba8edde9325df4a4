use countersign::{KeyState, Material, Timestamp};
use serde_json::json;
use sqlx::AnyConnection;

use super::row::{SELECT, entry_of};
use super::{Overlap, OwnKeyAdd, OwnKeyEntry, OwnUse};
use crate::registry::{Error, Failed, Refused, Registry, commit, event, key_state};
use crate::secrets::OwnPlace;

impl Registry {
    /// The keys of one purpose, revoked and retired ones included, the newest first.
    ///
    /// # Errors
    /// [`Failed`] when the database does not answer.
    pub async fn own_keys(&self, usage: OwnUse) -> Result<Vec<OwnKeyEntry>, Error> {
        select(&mut *self.reader().await?, usage).await
    }

    /// The last key of this purpose, which is `add` where there was none; that one is in use at once. Of processes that ask
    /// at once one adds its key, and all get that. Also says whether it was added.
    ///
    /// # Errors
    /// [`Refused::Material`] for a pair that makes no key; [`Failed`] when the database or the sealing key does not do it.
    pub async fn add_own_key(&self, add: &OwnKeyAdd, now: Timestamp) -> Result<(OwnKeyEntry, bool), Error> {
        let mut change = self.write().await?;
        let all = select(&mut change, add.usage).await?;
        if let Some(last) = last(&all) {
            return Ok((last.clone(), false));
        }
        let added = self.insert(&mut change, add, now, now).await?;
        commit(change).await?;
        Ok((added, true))
    }

    /// Adds the successor of the last key. It is published at once, and in use after the overlap's lead; the former one is
    /// taken for its tail after that. Where there is none to succeed it is in use at once.
    ///
    /// # Errors
    /// As [`Registry::add_own_key`].
    pub async fn rotate_own_key(
        &self,
        add: &OwnKeyAdd,
        overlap: Overlap,
        now: Timestamp,
    ) -> Result<OwnKeyEntry, Error> {
        let mut change = self.write().await?;
        let all = select(&mut change, add.usage).await?;
        let begin = match last(&all) {
            None => now,
            Some(last) => {
                let begin = now.after(overlap.lead);
                supersede(&mut change, last, begin, overlap, now).await?;
                begin
            }
        };
        let added = self.insert(&mut change, add, begin, now).await?;
        commit(change).await?;
        Ok(added)
    }

    /// As [`Registry::rotate_own_key`], where `id` still is the last key; `None` where another has succeeded it already: of
    /// processes that rotate at once one does.
    ///
    /// # Errors
    /// As [`Registry::add_own_key`].
    pub async fn succeed_own_key(
        &self,
        id: &str,
        add: &OwnKeyAdd,
        overlap: Overlap,
        now: Timestamp,
    ) -> Result<Option<OwnKeyEntry>, Error> {
        let mut change = self.write().await?;
        let all = select(&mut change, add.usage).await?;
        let Some(last) = last(&all).filter(|last| last.id == id) else { return Ok(None) };
        let begin = now.after(overlap.lead);
        supersede(&mut change, last, begin, overlap, now).await?;
        let added = self.insert(&mut change, add, begin, now).await?;
        commit(change).await?;
        Ok(Some(added))
    }

    /// Ends a key that has a successor in use: what was made with it is taken no more.
    ///
    /// # Errors
    /// [`Refused::NoSuchOwnKey`]; [`Refused::OwnKeyInUse`] for one that nothing has succeeded yet; [`Failed`].
    pub async fn retire_own_key(&self, usage: OwnUse, id: &str, now: Timestamp) -> Result<OwnKeyEntry, Error> {
        let mut change = self.write().await?;
        let all = select(&mut change, usage).await?;
        let key = all.into_iter().find(|key| key.id == id);
        let key = key.ok_or_else(|| Refused::NoSuchOwnKey { usage, id: id.to_owned() })?;
        match key.state(now) {
            KeyState::Retired | KeyState::Revoked => Ok(key),
            KeyState::Retiring => {
                let key = OwnKeyEntry { not_after: Some(now), ..key };
                put(&mut change, &key, "own_key.retired", now).await?;
                commit(change).await?;
                Ok(key)
            }
            _ => Err(Refused::OwnKeyInUse { usage, id: key.id }.into()),
        }
    }

    /// Revokes a key for good: nothing made with it is taken any more. Where it was the last one, `successor` takes its
    /// place; where nothing else is in use, at once. Gives the keys as they are then.
    ///
    /// # Errors
    /// [`Refused::NoSuchOwnKey`], [`Refused::Reason`]; else as [`Registry::add_own_key`].
    pub async fn revoke_own_key(
        &self,
        id: &str,
        reason: &str,
        successor: &OwnKeyAdd,
        overlap: Overlap,
        now: Timestamp,
    ) -> Result<Vec<OwnKeyEntry>, Error> {
        let usage = successor.usage;
        let reason = key_state::reason(reason)?;
        let mut change = self.write().await?;
        let mut all = select(&mut change, usage).await?;
        let key = all.iter_mut().find(|key| key.id == id);
        let key = key.ok_or_else(|| Refused::NoSuchOwnKey { usage, id: id.to_owned() })?;
        if key.revoked.is_some() {
            return Ok(all);
        }
        (key.revoked, key.reason) = (Some(now), Some(reason));
        put(&mut change, key, "own_key.revoked", now).await?;
        let in_use = all.iter().find(|key| key.state(now) == KeyState::Active).cloned();
        match (last(&all), in_use) {
            // It waited, and there is nothing to wait for.
            (Some(last), None) if now < last.not_before => {
                put(&mut change, &OwnKeyEntry { not_before: now, ..last.clone() }, "own_key.advanced", now).await?;
            }
            (Some(_), _) => {}
            (None, Some(in_use)) => {
                let begin = now.after(overlap.lead);
                supersede(&mut change, &in_use, begin, overlap, now).await?;
                self.insert(&mut change, successor, begin, now).await?;
            }
            (None, None) => drop(self.insert(&mut change, successor, now, now).await?),
        }
        let all = select(&mut change, usage).await?;
        commit(change).await?;
        Ok(all)
    }

    async fn insert(
        &self,
        change: &mut AnyConnection,
        add: &OwnKeyAdd,
        not_before: Timestamp,
        now: Timestamp,
    ) -> Result<OwnKeyEntry, Error> {
        let material = Material::from_public_pem(add.pair.public.as_bytes())?;
        let (id, Material::Public(public)) = (material.thumbprint(), material) else {
            return Err(Failed::Row("an own key is a pair".to_owned()).into());
        };
        let id = id.ok_or_else(|| Failed::Row("a key without a thumbprint".to_owned()))?;
        let place = OwnPlace { usage: add.usage.as_str(), id: &id, algorithm: &add.algorithm };
        let private = self.sealing_key(change).await?.seal_own(place, add.pair.private.as_bytes())?;
        sqlx::query(
            "INSERT INTO own_key (use, id, algorithm, public, private, added, not_before) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(add.usage.as_str())
        .bind(id.as_str())
        .bind(add.algorithm.as_str())
        .bind(&public[..])
        .bind(private)
        .bind(now.as_millis())
        .bind(not_before.as_millis())
        .execute(&mut *change)
        .await
        .map_err(Failed::to("add a key of our own"))?;
        let added = OwnKeyEntry {
            usage: add.usage,
            id,
            algorithm: add.algorithm.clone(),
            public,
            added: now,
            not_before,
            superseded: None,
            not_after: None,
            revoked: None,
            reason: None,
        };
        event::record(change, now, "own_key.added", &added.id, &detail(&added)).await?;
        Ok(added)
    }
}

/// The one that nothing succeeds.
fn last(all: &[OwnKeyEntry]) -> Option<&OwnKeyEntry> {
    all.iter().find(|key| key.superseded.is_none() && key.revoked.is_none())
}

/// From `begin` on a key makes nothing more.
async fn supersede(
    change: &mut AnyConnection,
    key: &OwnKeyEntry,
    begin: Timestamp,
    overlap: Overlap,
    now: Timestamp,
) -> Result<(), Error> {
    let key = OwnKeyEntry { superseded: Some(begin), not_after: Some(begin.after(overlap.tail)), ..key.clone() };
    put(change, &key, "own_key.superseded", now).await
}

/// Writes a key's times, with the event. The database itself refuses to touch a revoked one.
async fn put(change: &mut AnyConnection, key: &OwnKeyEntry, what: &'static str, now: Timestamp) -> Result<(), Error> {
    sqlx::query(
        "UPDATE own_key SET not_before = $1, superseded = $2, not_after = $3, revoked = $4, reason = $5 \
         WHERE use = $6 AND id = $7",
    )
    .bind(key.not_before.as_millis())
    .bind(key.superseded.map(Timestamp::as_millis))
    .bind(key.not_after.map(Timestamp::as_millis))
    .bind(key.revoked.map(Timestamp::as_millis))
    .bind(key.reason.as_deref())
    .bind(key.usage.as_str())
    .bind(key.id.as_str())
    .execute(&mut *change)
    .await
    .map_err(Failed::to("change a key of our own"))?;
    event::record(change, now, what, &key.id, &detail(key)).await
}

/// What an event says of a key.
fn detail(key: &OwnKeyEntry) -> serde_json::Value {
    json!({
        "use": key.usage.as_str(),
        "algorithm": key.algorithm,
        "not_before": key.not_before.to_string(),
        "superseded": key.superseded.map(|at| at.to_string()),
        "not_after": key.not_after.map(|at| at.to_string()),
        "reason": key.reason,
    })
}

async fn select(connection: &mut AnyConnection, usage: OwnUse) -> Result<Vec<OwnKeyEntry>, Error> {
    let rows = sqlx::query(SELECT).bind(usage.as_str()).fetch_all(connection).await;
    let rows = rows.map_err(Failed::to("read keys of our own"))?;
    rows.iter().map(|row| entry_of(row).map_err(|what| Failed::Row(what).into())).collect()
}
