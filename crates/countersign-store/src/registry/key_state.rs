use countersign::{KeyState, Timestamp};
use serde_json::json;
use sqlx::AnyConnection;

use super::{Error, Failed, KeyEntry, KeySelector, Refused, Registry, commit, event, read};

impl Registry {
    /// Activates keys. Without a version: those that are pending, or, where nothing verifies, those that were retired.
    /// What was retired never comes back by the way. The newest of them is active then, and whatever was active before
    /// is retiring: it verifies until its own `not_after`.
    ///
    /// Returns what changed; nothing where it verifies already.
    ///
    /// # Errors
    /// [`Refused::RevokedForGood`] when it is revoked, [`Refused::Ended`] when its validity is over, and what selecting
    /// can meet: [`Refused::NoSuchKey`], [`Refused::NoSuchVersion`], [`Refused::TwoSchemes`]. [`Failed`] when the
    /// database does not do it.
    pub async fn activate_key(&self, which: &KeySelector, now: Timestamp) -> Result<Vec<KeyEntry>, Error> {
        let mut change = self.write().await?;
        let all = read::versions(&mut change, &which.id, which.scheme).await?;
        let chosen = choose(&all, which)?;
        let in_state = |state| chosen.iter().filter(move |key| key.state == state).cloned().collect::<Vec<_>>();
        let waiting = match which.version {
            // One version by number: also one that is retiring becomes the active one again.
            Some(_) => chosen.iter().filter(|key| key.state != KeyState::Active).cloned().collect(),
            None if chosen.iter().any(|key| key.state == KeyState::Pending) => in_state(KeyState::Pending),
            None if chosen.iter().any(|key| matches!(key.state, KeyState::Active | KeyState::Retiring)) => Vec::new(),
            None => in_state(KeyState::Retired),
        };
        for key in &waiting {
            if let Some(end) = key.not_after.filter(|end| *end <= now) {
                return Err(Refused::Ended(end).into());
            }
        }
        let Some(newest) = waiting.iter().map(|key| key.version).max() else { return Ok(Vec::new()) };
        let mut changed = Vec::new();
        for key in waiting {
            let to = if key.version == newest { KeyState::Active } else { KeyState::Retiring };
            let key = KeyEntry { state: to, ended: None, ..key };
            put(&mut change, &key, "key.activated", now).await?;
            changed.push(key);
        }
        let others = all.into_iter().filter(|key| key.state == KeyState::Active && key.version != newest).collect();
        changed.extend(make_way(&mut change, others, now).await?);
        commit(change).await?;
        Ok(changed)
    }

    /// Takes keys out of use: they verify nothing from now on, and can be activated again. Returns what changed.
    ///
    /// # Errors
    /// [`Refused::RevokedForGood`] when it is revoked, and what selecting can meet, as [`Registry::activate_key`];
    /// [`Failed`] when the database does not do it.
    pub async fn retire_key(&self, which: &KeySelector, now: Timestamp) -> Result<Vec<KeyEntry>, Error> {
        let mut change = self.write().await?;
        let all = read::versions(&mut change, &which.id, which.scheme).await?;
        let mut changed = Vec::new();
        for key in choose(&all, which)? {
            if key.state != KeyState::Retired {
                let key = KeyEntry { state: KeyState::Retired, ended: Some(now), ..key };
                put(&mut change, &key, "key.retired", now).await?;
                changed.push(key);
            }
        }
        commit(change).await?;
        Ok(changed)
    }

    /// Revokes keys for good, whatever their state. The reason is kept; the reason of what was revoked before stands.
    /// Returns what changed; nothing where all is revoked already.
    ///
    /// # Errors
    /// [`Refused::Reason`] when it is empty, longer than 500 characters, or holds control characters, and what
    /// selecting can meet, as [`Registry::activate_key`]; [`Failed`] when the database does not do it.
    pub async fn revoke_key(&self, which: &KeySelector, reason: &str, now: Timestamp) -> Result<Vec<KeyEntry>, Error> {
        let reason = self::reason(reason)?;
        let mut change = self.write().await?;
        let all = read::versions(&mut change, &which.id, which.scheme).await?;
        let mut changed = Vec::new();
        for key in select(&all, which)? {
            if key.state != KeyState::Revoked {
                let reason = Some(reason.clone());
                let key = KeyEntry { state: KeyState::Revoked, ended: Some(now), reason, ..key };
                put(&mut change, &key, "key.revoked", now).await?;
                changed.push(key);
            }
        }
        commit(change).await?;
        Ok(changed)
    }
}

/// The reason of a revocation, as it is kept.
pub(super) fn reason(text: &str) -> Result<String, Refused> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > 500 || text.chars().any(char::is_control) {
        return Err(Refused::Reason);
    }
    Ok(text.to_owned())
}

/// Whatever of `keys` is active becomes retiring. Returns those.
pub(super) async fn make_way(
    change: &mut AnyConnection,
    keys: Vec<KeyEntry>,
    now: Timestamp,
) -> Result<Vec<KeyEntry>, Error> {
    let mut retiring = Vec::new();
    for key in keys.into_iter().filter(|key| key.state == KeyState::Active) {
        let key = KeyEntry { state: KeyState::Retiring, ..key };
        put(change, &key, "key.retiring", now).await?;
        retiring.push(key);
    }
    Ok(retiring)
}

/// What an event says of a key.
pub(super) fn detail(key: &KeyEntry) -> serde_json::Value {
    let hex: String = key.fingerprint.iter().map(|byte| format!("{byte:02x}")).collect();
    json!({
        "partner": key.partner,
        "scheme": key.scheme.as_str(),
        "version": key.version,
        "algorithm": key.algorithm.as_str(),
        "state": key.state.as_str(),
        "not_before": key.not_before.map(|at| at.to_string()),
        "not_after": key.not_after.map(|at| at.to_string()),
        "fingerprint": hex,
        "reason": key.reason,
    })
}

/// The selected versions that are not revoked; an error where there is none.
fn choose(all: &[KeyEntry], which: &KeySelector) -> Result<Vec<KeyEntry>, Refused> {
    let selected = select(all, which)?;
    let (revoked, open): (Vec<_>, Vec<_>) = selected.into_iter().partition(|key| key.state == KeyState::Revoked);
    match revoked.into_iter().next() {
        Some(key) if open.is_empty() => Err(Refused::RevokedForGood { id: key.id, version: key.version }),
        _ => Ok(open),
    }
}

fn select(all: &[KeyEntry], which: &KeySelector) -> Result<Vec<KeyEntry>, Refused> {
    let Some(version) = which.version else { return Ok(all.to_vec()) };
    let one: Vec<_> = all.iter().filter(|key| key.version == version).cloned().collect();
    if one.is_empty() {
        let newest = all.first().map_or(0, |key| key.version);
        return Err(Refused::NoSuchVersion { id: which.id.clone(), version, newest });
    }
    Ok(one)
}

/// Writes a key's state, end and reason, with the event. The database itself refuses to touch a revoked key.
async fn put(change: &mut AnyConnection, key: &KeyEntry, what: &'static str, now: Timestamp) -> Result<(), Error> {
    sqlx::query(
        "UPDATE partner_key SET state = $1, ended = $2, reason = $3 WHERE scheme = $4 AND id = $5 AND version = $6",
    )
    .bind(key.state.as_str())
    .bind(key.ended.map(Timestamp::as_millis))
    .bind(key.reason.as_deref())
    .bind(key.scheme.as_str())
    .bind(key.id.as_str())
    .bind(i64::from(key.version))
    .execute(&mut *change)
    .await
    .map_err(Failed::to("change a key"))?;
    event::record(change, now, what, &key.id, &detail(key)).await
}
