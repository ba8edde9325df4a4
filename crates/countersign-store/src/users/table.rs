use countersign::Timestamp;
use serde_json::json;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use super::skeletons::{self, Lookalikes};
use crate::registry::{Error, Failed, Refused, Registry, commit, event};

/// A user whom a trusted site has vouched for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// A random UUID: what a token's `sub` says, and all that an API behind needs to know.
    pub id: String,
    /// The address in its one form.
    pub email: String,
    /// The id of the key that registered the user.
    pub registered_via: String,
    /// Whose key that is.
    pub partner: String,
    /// What of the first credits is left.
    pub credits_remaining: u64,
    /// Whether sites may log the user in.
    pub state: UserState,
    /// When the user was registered.
    pub registered: Timestamp,
}

/// Whether sites may log a user in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserState {
    /// They may.
    Active,
    /// Nobody may. The address stays taken.
    Suspended,
}

impl UserState {
    /// The word for it in the registry and on the screen.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
        }
    }
}

impl std::fmt::Display for UserState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl User {
    /// Adds it unless its address, or one that looks like it, is taken; whether it was free.
    pub(super) async fn insert(&self, skeleton: Option<&str>, change: &mut AnyConnection) -> Result<bool, Error> {
        // The unique index does not know whether a twin has outlived the one it looks like.
        let added = sqlx::query(
            "INSERT INTO site_user (id, email, registered_via, partner, credits_remaining, state, registered, skeleton) \
             SELECT $1, $2, $3, $4, $5, $6, $7, $8 \
             WHERE NOT EXISTS (SELECT 1 FROM site_user WHERE skeleton = $8) ON CONFLICT DO NOTHING",
        )
        .bind(self.id.as_str())
        .bind(self.email.as_str())
        .bind(self.registered_via.as_str())
        .bind(self.partner.as_str())
        .bind(i64::try_from(self.credits_remaining).unwrap_or(i64::MAX))
        .bind(self.state.as_str())
        .bind(self.registered.as_millis())
        .bind(skeleton)
        .execute(change)
        .await
        .map_err(Failed::to("register a user"))?;
        Ok(added.rows_affected() == 1)
    }
}

/// What an operator asks of users. `who` is an address in its one form, or an id.
impl Registry {
    /// One user, whoever registered it.
    ///
    /// # Errors
    /// [`Failed`] when the database does not answer.
    pub async fn user(&self, who: &str) -> Result<Option<User>, Error> {
        find(&mut *self.reader().await?, who).await
    }

    /// Up to `limit` pairs of users whose addresses look alike: registered before such addresses were told apart by their looks.
    ///
    /// # Errors
    /// [`Failed`] when the database does not answer.
    pub async fn lookalikes(&self, limit: u32) -> Result<Vec<Lookalikes>, Error> {
        skeletons::lookalikes(&mut *self.reader().await?, limit).await
    }

    /// Up to `limit` users by address, those behind `after`; of one partner, or of all.
    ///
    /// # Errors
    /// [`Failed`] when the database does not answer.
    pub async fn users(&self, partner: Option<&str>, after: &str, limit: u32) -> Result<Vec<User>, Error> {
        sqlx::query(SELECT_ALL)
            .bind(after)
            .bind(partner.unwrap_or_default())
            .bind(i64::from(limit))
            .fetch_all(&mut *self.reader().await?)
            .await
            .map_err(Failed::to("read its users"))?
            .iter()
            .map(read)
            .collect()
    }

    /// Suspends a user, or resumes one: whether sites may log the user in. Fine where it is so already.
    ///
    /// # Errors
    /// [`Refused::NoSuchUser`]; [`Failed`] when the database does not do it.
    pub async fn turn_user(&self, who: &str, to: UserState, now: Timestamp) -> Result<User, Error> {
        let mut change = self.write().await?;
        let user = find(&mut change, who).await?.ok_or_else(|| Refused::NoSuchUser(who.to_owned()))?;
        if user.state == to {
            return Ok(user);
        }
        sqlx::query("UPDATE site_user SET state = $1 WHERE id = $2")
            .bind(to.as_str())
            .bind(user.id.as_str())
            .execute(&mut *change)
            .await
            .map_err(Failed::to("change a user"))?;
        let what = match to {
            UserState::Active => "user.resumed",
            UserState::Suspended => "user.suspended",
        };
        // Events are kept for good, so they name the id, never the person.
        event::record(&mut change, now, what, &user.id, &json!({ "partner": user.partner })).await?;
        commit(change).await?;
        Ok(User { state: to, ..user })
    }

    /// Removes a user and the address for good. Whoever registers it again is another user.
    ///
    /// # Errors
    /// [`Refused::NoSuchUser`]; [`Failed`] when the database does not do it.
    pub async fn remove_user(&self, who: &str, now: Timestamp) -> Result<User, Error> {
        let mut change = self.write().await?;
        let user = find(&mut change, who).await?.ok_or_else(|| Refused::NoSuchUser(who.to_owned()))?;
        sqlx::query("DELETE FROM site_user WHERE id = $1")
            .bind(user.id.as_str())
            .execute(&mut *change)
            .await
            .map_err(Failed::to("remove a user"))?;
        event::record(&mut change, now, "user.removed", &user.id, &json!({ "partner": user.partner })).await?;
        commit(change).await?;
        Ok(user)
    }
}

async fn find(connection: &mut AnyConnection, who: &str) -> Result<Option<User>, Error> {
    let select = if who.contains('@') { SELECT_BY_EMAIL } else { SELECT_BY_ID };
    let row = sqlx::query(select).bind(who).fetch_optional(connection).await.map_err(Failed::to("read a user"))?;
    row.as_ref().map(read).transpose()
}

fn read(row: &AnyRow) -> Result<User, Error> {
    let read = || -> Result<User, sqlx::Error> {
        let state: String = row.try_get("state")?;
        Ok(User {
            id: row.try_get("id")?,
            email: row.try_get("email")?,
            registered_via: row.try_get("registered_via")?,
            partner: row.try_get("partner")?,
            credits_remaining: row.try_get::<i64, _>("credits_remaining")?.unsigned_abs(),
            // Whatever is not the one word is the safe one.
            state: if state == "active" { UserState::Active } else { UserState::Suspended },
            registered: Timestamp::from_millis(row.try_get("registered")?),
        })
    };
    read().map_err(Failed::to("read a user"))
}

const SELECT_BY_EMAIL: &str = "SELECT id, email, registered_via, partner, credits_remaining, state, registered \
    FROM site_user WHERE email = $1";

const SELECT_BY_ID: &str = "SELECT id, email, registered_via, partner, credits_remaining, state, registered \
    FROM site_user WHERE id = $1";

/// An empty `$2` stands for every partner: no name is empty.
const SELECT_ALL: &str = "SELECT id, email, registered_via, partner, credits_remaining, state, registered \
    FROM site_user WHERE email > $1 AND ($2 = '' OR partner = $2) ORDER BY email LIMIT $3";
