use countersign::Timestamp;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use super::{Error, Failed, Refused, Registry, commit, event, name};

/// An independent party that calls the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partner {
    /// `[A-Za-z0-9._-]{1,64}`, unique.
    pub name: String,
    /// Whether its keys may be used.
    pub state: PartnerState,
    /// When it was added.
    pub added: Timestamp,
    /// How many keys it has, every version and state counted.
    pub keys: u64,
}

/// Whether a partner's keys may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartnerState {
    /// They may.
    Active,
    /// None is usable, whatever its own state.
    Suspended,
}

impl PartnerState {
    /// The word for it in the registry and on the screen.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
        }
    }
}

impl std::fmt::Display for PartnerState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Registry {
    /// Adds a partner, active.
    ///
    /// # Errors
    /// [`Refused::PartnerName`], [`Refused::PartnerExists`]; [`Failed`] when the database does not do it.
    pub async fn add_partner(&self, name: &str, now: Timestamp) -> Result<Partner, Error> {
        name::check_partner(name)?;
        let mut change = self.write().await?;
        let partner = add(&mut change, name, now).await?;
        commit(change).await?;
        Ok(partner)
    }

    /// All partners by name.
    ///
    /// # Errors
    /// [`Failed`] when the database does not answer.
    pub async fn partners(&self) -> Result<Vec<Partner>, Error> {
        sqlx::query(SELECT)
            .bind("")
            .fetch_all(&mut *self.reader().await?)
            .await
            .map_err(Failed::to("read its partners"))?
            .iter()
            .map(read)
            .collect()
    }

    /// One partner.
    ///
    /// # Errors
    /// [`Refused::NoSuchPartner`]; [`Failed`] when the database does not answer.
    pub async fn partner(&self, name: &str) -> Result<Partner, Error> {
        find(&mut *self.reader().await?, name).await
    }

    /// Suspends a partner: none of its keys is usable until it is resumed. Fine where it is suspended already. One that is known
    /// by files of the directory of trusted sites alone is added for it, so that it stays so, whatever files come.
    ///
    /// # Errors
    /// [`Refused::NoSuchPartner`]; [`Failed`] when the database does not do it.
    pub async fn suspend_partner(&self, name: &str, now: Timestamp) -> Result<Partner, Error> {
        self.turn_partner(name, PartnerState::Suspended, "partner.suspended", now).await
    }

    /// Resumes a partner. Fine where it is active already.
    ///
    /// # Errors
    /// [`Refused::NoSuchPartner`]; [`Failed`] when the database does not do it.
    pub async fn resume_partner(&self, name: &str, now: Timestamp) -> Result<Partner, Error> {
        self.turn_partner(name, PartnerState::Active, "partner.resumed", now).await
    }

    async fn turn_partner(
        &self,
        name: &str,
        to: PartnerState,
        what: &'static str,
        now: Timestamp,
    ) -> Result<Partner, Error> {
        // Looked at before: a disk may take its time.
        let by_file = self.is_known_by_file(name).await;
        let mut change = self.write().await?;
        let partner = match find(&mut change, name).await {
            Err(Error::Refused(Refused::NoSuchPartner(_))) if by_file? => add(&mut change, name, now).await?,
            found => found?,
        };
        if partner.state == to {
            return Ok(partner);
        }
        sqlx::query("UPDATE partner SET state = $1 WHERE name = $2")
            .bind(to.as_str())
            .bind(name)
            .execute(&mut *change)
            .await
            .map_err(Failed::to("change a partner"))?;
        event::record(&mut change, now, what, name, &serde_json::json!({})).await?;
        commit(change).await?;
        Ok(Partner { state: to, ..partner })
    }
}

async fn add(change: &mut AnyConnection, name: &str, now: Timestamp) -> Result<Partner, Error> {
    let added =
        sqlx::query("INSERT INTO partner (name, state, added) VALUES ($1, 'active', $2) ON CONFLICT (name) DO NOTHING")
            .bind(name)
            .bind(now.as_millis())
            .execute(&mut *change)
            .await
            .map_err(Failed::to("add a partner"))?;
    if added.rows_affected() == 0 {
        return Err(Refused::PartnerExists(name.to_owned()).into());
    }
    event::record(change, now, "partner.added", name, &serde_json::json!({})).await?;
    Ok(Partner { name: name.to_owned(), state: PartnerState::Active, added: now, keys: 0 })
}

pub(super) async fn find(connection: &mut AnyConnection, name: &str) -> Result<Partner, Error> {
    name::check_partner(name)?;
    let row = sqlx::query(SELECT).bind(name).fetch_optional(connection).await.map_err(Failed::to("read a partner"))?;
    match row {
        Some(row) => read(&row),
        None => Err(Refused::NoSuchPartner(name.to_owned()).into()),
    }
}

fn read(row: &AnyRow) -> Result<Partner, Error> {
    let read = || -> Result<Partner, sqlx::Error> {
        let state: String = row.try_get("state")?;
        Ok(Partner {
            name: row.try_get("name")?,
            // The table knows two words; whatever is not the one is the safe one.
            state: if state == "active" { PartnerState::Active } else { PartnerState::Suspended },
            added: Timestamp::from_millis(row.try_get("added")?),
            keys: row.try_get::<i64, _>("keys")?.unsigned_abs(),
        })
    };
    read().map_err(Failed::to("read a partner"))
}

/// An empty `$1` stands for every partner: no name is empty.
const SELECT: &str = "SELECT name, state, added, \
    (SELECT count(*) FROM partner_key WHERE partner_key.partner = partner.name) AS keys \
    FROM partner WHERE $1 = '' OR name = $1 ORDER BY name";
