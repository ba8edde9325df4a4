use countersign::{KeyRecord, KeyState, Keys, Material, Scheme, Timestamp, VerifyingKey};
use sqlx::{AnyConnection, Row};

use super::row::form_text;
use super::{Error, Failed, KeyAdd, KeyAdded, Refused, Registry, backup, commit, event, key_state, material, name};
use super::{partner, read, test_keys};
use crate::secrets::{Place, SealingKey, SecretsError};

impl Registry {
    /// Adds a key, active at once unless `pending`. Under an id that the partner already has it becomes the next
    /// version, and both verify: versions that were active are retiring until their own `not_after`.
    ///
    /// # Errors
    /// [`Refused`] when the partner is not there, an id or time makes no sense, the id is another partner's, the
    /// material is weak, not of the algorithm's kind, a public test key, or there already (under this id; elsewhere
    /// unless `shared`; revoked anywhere). [`Failed`] when the database or the sealing key does not do it.
    pub async fn add_key(&self, add: KeyAdd, now: Timestamp) -> Result<KeyAdded, Error> {
        let add = checked(add, now)?;
        let mut change = self.write().await?;
        partner::find(&mut change, &add.partner).await?;
        claim_id(&mut change, &add).await?;
        let (fingerprint, sealing) = self.fingerprint(&mut change, &add.material).await?;
        check_elsewhere(&mut change, &add, fingerprint).await?;
        let version = next_version(&mut change, &add).await?;
        let stored = match (&add.material, &sealing) {
            (Material::Shared(secret), Some(sealing)) => sealing.seal(place(&add, version), secret)?,
            (Material::Public(spki), _) => spki.clone(),
            (Material::Shared(_), None) => return Err(Failed::Row("a secret without a sealing key".to_owned()).into()),
        };
        insert(&mut change, &add, version, &stored, &fingerprint, now).await?;

        let versions = read::versions(&mut change, &add.id, Some(add.scheme)).await?;
        let (mut added, others): (Vec<_>, Vec<_>) = versions.into_iter().partition(|key| key.version == version);
        let verifying = others.iter().filter(|key| {
            let state = matches!(key.state, KeyState::Active | KeyState::Retiring);
            state && key.not_after.is_none_or(|end| now < end)
        });
        if verifying.count() >= Keys::MAX_VERSIONS {
            return Err(Refused::ManyVersions { scheme: add.scheme, id: add.id }.into());
        }
        let key = added.pop().ok_or_else(|| Failed::Row("a key that was added is not there".to_owned()))?;
        event::record(&mut change, now, "key.added", &key.id, &key_state::detail(&key)).await?;
        let retiring = if add.pending { Vec::new() } else { key_state::make_way(&mut change, others, now).await? };
        commit(change).await?;
        Ok(KeyAdded { key, retiring })
    }

    /// What the material is recognised by, and for a secret the key that seals it.
    async fn fingerprint(
        &self,
        change: &mut AnyConnection,
        material: &Material,
    ) -> Result<([u8; 32], Option<SealingKey>), Error> {
        let Material::Shared(secret) = material else { return Ok((material.fingerprint(), None)) };
        let sealing = self.sealing_key(change).await?;
        Ok((sealing.fingerprint(secret), Some(sealing)))
    }

    /// Made at first need, but never a second time: where secrets are sealed already, a new key would hide that the old
    /// one is lost.
    pub(super) async fn sealing_key(&self, change: &mut AnyConnection) -> Result<SealingKey, Error> {
        if let Some(key) = SealingKey::open_existing(&self.data_dir)? {
            return Ok(key);
        }
        let sealed: i64 = sqlx::query(backup::SECRETS)
            .fetch_one(change)
            .await
            .and_then(|row| row.try_get(0))
            .map_err(Failed::to("count its secrets"))?;
        if sealed > 0 {
            return Err(SecretsError::Missing { path: SealingKey::path_in(&self.data_dir) }.into());
        }
        Ok(SealingKey::open_or_create(&self.data_dir)?)
    }
}

/// Everything that can be judged without the database.
pub(crate) fn checked(add: KeyAdd, now: Timestamp) -> Result<KeyAdd, Error> {
    name::check_partner(&add.partner)?;
    name::check_key_id(add.scheme, &add.id)?;
    if let (Some(not_before), Some(not_after)) = (add.not_before, add.not_after)
        && not_after <= not_before
    {
        return Err(Refused::EndsBeforeItBegins { not_before, not_after }.into());
    }
    if let Some(not_after) = add.not_after.filter(|end| *end <= now) {
        return Err(Refused::Ended(not_after).into());
    }
    if !add.allow_test_keys
        && let Some(name) = test_keys::name_of(&add.material)
    {
        return Err(Refused::TestKey(name).into());
    }
    let add = KeyAdd { material: material::usual_rsa(add.algorithm, add.material), ..add };
    VerifyingKey::new(record(&add))?;
    let material = material::canonical(add.algorithm, add.material)?;
    let add = KeyAdd { material, ..add };
    match test_keys::name_of(&add.material) {
        Some(name) if !add.allow_test_keys => Err(Refused::TestKey(name).into()),
        _ => Ok(add),
    }
}

fn record(add: &KeyAdd) -> KeyRecord {
    KeyRecord {
        partner: add.partner.clone(),
        partner_active: true,
        id: add.id.clone(),
        version: 1,
        scheme: add.scheme,
        algorithm: add.algorithm,
        state: state(add),
        not_before: add.not_before,
        not_after: add.not_after,
        form: add.form,
        material: add.material.clone(),
    }
}

const fn state(add: &KeyAdd) -> KeyState {
    if add.pending { KeyState::Pending } else { KeyState::Active }
}

fn place(add: &KeyAdd, version: u32) -> Place<'_> {
    Place { scheme: add.scheme, id: &add.id, version, partner: &add.partner }
}

/// Makes the id this partner's, or finds that it is.
async fn claim_id(change: &mut AnyConnection, add: &KeyAdd) -> Result<(), Error> {
    sqlx::query("INSERT INTO key_id (scheme, id, partner) VALUES ($1, $2, $3) ON CONFLICT (scheme, id) DO NOTHING")
        .bind(add.scheme.as_str())
        .bind(add.id.as_str())
        .bind(add.partner.as_str())
        .execute(&mut *change)
        .await
        .map_err(Failed::to("claim an id"))?;
    let owner: String = sqlx::query("SELECT partner FROM key_id WHERE scheme = $1 AND id = $2")
        .bind(add.scheme.as_str())
        .bind(add.id.as_str())
        .fetch_one(change)
        .await
        .and_then(|row| row.try_get(0))
        .map_err(Failed::to("claim an id"))?;
    if owner == add.partner {
        return Ok(());
    }
    Err(Refused::ForeignId { scheme: add.scheme, id: add.id.clone(), partner: owner }.into())
}

/// Where the material stands already: nowhere, or where it may.
async fn check_elsewhere(change: &mut AnyConnection, add: &KeyAdd, fingerprint: [u8; 32]) -> Result<(), Error> {
    let rows = sqlx::query(
        "SELECT scheme, id, version, partner, state, form FROM partner_key WHERE fingerprint = $1 \
         ORDER BY scheme, id, version",
    )
    .bind(&fingerprint[..])
    .fetch_all(change)
    .await
    .map_err(Failed::to("look for the material"))?;
    for row in rows {
        let read = || -> Result<_, sqlx::Error> {
            let scheme: String = row.try_get("scheme")?;
            let state: String = row.try_get("state")?;
            Ok((
                scheme.parse::<Scheme>().map_err(|error| sqlx::Error::Decode(error.into()))?,
                row.try_get::<String, _>("id")?,
                u32::try_from(row.try_get::<i64, _>("version")?).unwrap_or(u32::MAX),
                row.try_get::<String, _>("partner")?,
                state.parse::<KeyState>().map_err(|error| sqlx::Error::Decode(error.into()))?,
                row.try_get::<Option<String>, _>("form")?,
            ))
        };
        let (scheme, id, version, partner, state, form) = read().map_err(Failed::to("look for the material"))?;
        if state == KeyState::Revoked {
            return Err(Refused::MaterialRevoked { id, version }.into());
        }
        if (scheme, &id) == (add.scheme, &add.id) {
            return Err(Refused::MaterialTwice { id, version, state }.into());
        }
        if scheme == add.scheme && form != add.form.map(form_text) {
            return Err(Refused::TwoForms { partner, id }.into());
        }
        if !add.shared && (scheme != add.scheme || partner != add.partner) {
            return Err(Refused::MaterialElsewhere { partner, scheme, id }.into());
        }
    }
    Ok(())
}

async fn next_version(change: &mut AnyConnection, add: &KeyAdd) -> Result<u32, Error> {
    let newest: Option<i64> = sqlx::query("SELECT max(version) FROM partner_key WHERE scheme = $1 AND id = $2")
        .bind(add.scheme.as_str())
        .bind(add.id.as_str())
        .fetch_one(change)
        .await
        .and_then(|row| row.try_get(0))
        .map_err(Failed::to("count versions"))?;
    u32::try_from(newest.unwrap_or(0) + 1).map_err(|_| Failed::Row(format!("{:?} ran out of versions", add.id)).into())
}

async fn insert(
    change: &mut AnyConnection,
    add: &KeyAdd,
    version: u32,
    stored: &[u8],
    fingerprint: &[u8; 32],
    now: Timestamp,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO partner_key (scheme, id, version, partner, algorithm, state, not_before, not_after, form, \
         symmetric, material, fingerprint, shared, added) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
    )
    .bind(add.scheme.as_str())
    .bind(add.id.as_str())
    .bind(i64::from(version))
    .bind(add.partner.as_str())
    .bind(add.algorithm.as_str())
    .bind(state(add).as_str())
    .bind(add.not_before.map(Timestamp::as_millis))
    .bind(add.not_after.map(Timestamp::as_millis))
    .bind(add.form.map(form_text))
    .bind(i64::from(add.algorithm.is_symmetric()))
    .bind(stored)
    .bind(&fingerprint[..])
    .bind(i64::from(add.shared))
    .bind(now.as_millis())
    .execute(change)
    .await
    .map_err(Failed::to("add a key"))?;
    Ok(())
}
