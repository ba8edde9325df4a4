//! User tokens that count no more: by `jti`, user, site or partner.

use std::time::Duration;

use countersign::{Revocation, Revocations, Timestamp};
use serde_json::json;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use super::{Error, Failed, Refused, Registry, commit, event, key_state};

/// A revocation as the registry has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRevocation {
    /// Which tokens.
    pub what: Revocation,
    /// It holds for those that were issued until then.
    pub at: Timestamp,
    /// It holds, too, for those whose issuer knew an earlier generation of the registry: a clock may have been ahead.
    pub generation: i64,
    /// After this moment none of them is within its time, and it may be forgotten.
    pub until: Timestamp,
}

impl Registry {
    /// Revokes tokens that were issued until now, by the clock, or by whoever does not know of it yet; one made again holds until
    /// the later moment. `lifetime` is the longest that a token has. What can meet no token any more is forgotten by the way.
    ///
    /// # Errors
    /// [`Refused::TokenName`] for what names no token, user, site or partner, [`Refused::Reason`]; [`Failed`] when the
    /// database does not do it.
    pub async fn revoke_tokens(
        &self,
        what: &Revocation,
        reason: &str,
        lifetime: Duration,
        now: Timestamp,
    ) -> Result<TokenRevocation, Error> {
        let (kind, name) = words(what);
        if !(1..=128).contains(&name.len()) || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Refused::TokenName(name.to_owned()).into());
        }
        let reason = key_state::reason(reason)?;
        let until = now.after(lifetime).after(MARGIN);
        let mut change = self.write().await?;
        sqlx::query("DELETE FROM token_revocation WHERE until < $1")
            .bind(now.as_millis())
            .execute(&mut *change)
            .await
            .map_err(Failed::to("forget revocations"))?;
        // The change itself raises the generation by one, and nobody else writes meanwhile.
        sqlx::query(
            "INSERT INTO token_revocation (kind, name, at, until, generation) \
             SELECT $1, $2, $3, $4, value + 1 FROM generation WHERE TRUE \
             ON CONFLICT (kind, name) DO UPDATE SET generation = excluded.generation, \
             at = CASE WHEN excluded.at > token_revocation.at THEN excluded.at ELSE token_revocation.at END, \
             until = CASE WHEN excluded.until > token_revocation.until THEN excluded.until \
             ELSE token_revocation.until END",
        )
        .bind(kind)
        .bind(name)
        .bind(now.as_millis())
        .bind(until.as_millis())
        .execute(&mut *change)
        .await
        .map_err(Failed::to("revoke tokens"))?;
        let detail = json!({ "kind": kind, "until": until.to_string(), "reason": reason });
        event::record(&mut change, now, "token.revoked", name, &detail).await?;
        let revoked = select(&mut change, kind, name).await?.pop();
        commit(change).await?;
        revoked.ok_or_else(|| Failed::Row("a revocation was lost".to_owned()).into())
    }

    /// All revocations that may still meet a token, the latest first.
    ///
    /// # Errors
    /// [`Failed`] when the database does not answer.
    pub async fn token_revocations(&self, now: Timestamp) -> Result<Vec<TokenRevocation>, Error> {
        let mut all = select(&mut *self.reader().await?, "", "").await?;
        all.retain(|one| now <= one.until);
        Ok(all)
    }
}

/// As a snapshot of this generation has them.
pub(crate) async fn revocations(connection: &mut AnyConnection, generation: i64) -> Result<Revocations, Error> {
    let mut revocations = Revocations::known_up_to(generation);
    for one in select(connection, "", "").await? {
        revocations.add(one.what, one.at, one.generation);
    }
    Ok(revocations)
}

/// All, or the one of this kind and name.
async fn select(connection: &mut AnyConnection, kind: &str, name: &str) -> Result<Vec<TokenRevocation>, Error> {
    let sql = "SELECT kind, name, at, until, generation FROM token_revocation \
               WHERE $1 = '' OR (kind = $1 AND name = $2) ORDER BY at DESC, kind, name";
    let rows = sqlx::query(sql).bind(kind).bind(name).fetch_all(connection).await;
    let rows = rows.map_err(Failed::to("read revocations"))?;
    let read = |row: &AnyRow| -> Result<TokenRevocation, sqlx::Error> {
        let name: String = row.try_get("name")?;
        let what = match row.try_get::<String, _>("kind")?.as_str() {
            "jti" => Revocation::Token(name),
            "user" => Revocation::User(name),
            "site" => Revocation::Site(name),
            "partner" => Revocation::Partner(name),
            _ => return Err(sqlx::Error::Decode("unknown kind".into())),
        };
        let time = |column: &str| Ok::<_, sqlx::Error>(Timestamp::from_millis(row.try_get(column)?));
        let generation = row.try_get("generation")?;
        Ok(TokenRevocation { what, at: time("at")?, generation, until: time("until")? })
    };
    rows.iter().map(read).collect::<Result<_, _>>().map_err(Failed::to("read revocations"))
}

fn words(what: &Revocation) -> (&'static str, &str) {
    match what {
        Revocation::Token(name) => ("jti", name),
        Revocation::User(name) => ("user", name),
        Revocation::Site(name) => ("site", name),
        Revocation::Partner(name) => ("partner", name),
    }
}

/// Clocks differ, and a lifetime may have been longer yesterday.
const MARGIN: Duration = Duration::from_hours(24);
