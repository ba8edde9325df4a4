//! The skeletons of those who are there already: made when users are opened by another version of the tables.

use sqlx::{AnyConnection, Row};

use super::email;
use crate::registry::{Error, Failed, Registry, commit};

/// Two users whose addresses look alike, by their ids. Both were there before anybody compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookalikes(pub String, pub String);

/// Makes them anew unless they are of this version: in one transaction, so that of two processes one does it, and nobody
/// registers in between.
pub(super) async fn fill(registry: &Registry) -> Result<(), Error> {
    let version = version();
    if written(&mut *registry.reader().await?).await? == version {
        return Ok(());
    }
    let mut change = registry.write().await?;
    if written(&mut change).await? == version {
        return Ok(());
    }
    for step in
        ["UPDATE site_user SET skeleton = NULL, twin = 0 WHERE skeleton IS NOT NULL", "DELETE FROM skeleton_version"]
    {
        sqlx::query(step).execute(&mut *change).await.map_err(Failed::to("compare its users"))?;
    }
    let mut after = String::new();
    loop {
        let page = page(&mut change, &after).await?;
        let Some((_, last)) = page.last() else { break };
        after = last.clone();
        for (id, address) in page {
            if let Some(skeleton) = email::skeleton(&address) {
                give(&mut change, &id, &skeleton).await?;
            }
        }
    }
    sqlx::query("INSERT INTO skeleton_version (one, version) VALUES (1, $1)")
        .bind(version.as_str())
        .execute(&mut *change)
        .await
        .map_err(Failed::to("compare its users"))?;
    commit(change).await
}

/// Pairs of users whose addresses look alike.
pub(super) async fn lookalikes(connection: &mut AnyConnection, limit: u32) -> Result<Vec<Lookalikes>, Error> {
    let rows = sqlx::query(SELECT_TWINS).bind(i64::from(limit)).fetch_all(connection).await;
    rows.and_then(|rows| rows.iter().map(|row| Ok(Lookalikes(row.try_get(0)?, row.try_get(1)?))).collect())
        .map_err(Failed::to("compare its users"))
}

/// What it is filled by: the tables of Unicode, and what we make of them.
fn version() -> String {
    let (major, minor, patch) = unicode_security::UNICODE_VERSION;
    format!("{major}.{minor}.{patch}-{RULES}")
}

/// By which version it was filled last; empty for none.
async fn written(connection: &mut AnyConnection) -> Result<String, Error> {
    let row = sqlx::query("SELECT version FROM skeleton_version").fetch_optional(connection).await;
    row.and_then(|row| row.map_or_else(|| Ok(String::new()), |row| row.try_get(0)))
        .map_err(Failed::to("compare its users"))
}

/// Id and address of some users, by address.
async fn page(connection: &mut AnyConnection, after: &str) -> Result<Vec<(String, String)>, Error> {
    let rows = sqlx::query("SELECT id, email FROM site_user WHERE email > $1 ORDER BY email LIMIT 1000")
        .bind(after)
        .fetch_all(connection)
        .await;
    rows.and_then(|rows| rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect())
        .map_err(Failed::to("compare its users"))
}

async fn give(connection: &mut AnyConnection, id: &str, skeleton: &str) -> Result<(), Error> {
    sqlx::query(
        "UPDATE site_user SET skeleton = $1, \
         twin = (SELECT coalesce(max(twin) + 1, 0) FROM site_user WHERE skeleton = $1) WHERE id = $2",
    )
    .bind(skeleton)
    .bind(id)
    .execute(connection)
    .await
    .map(drop)
    .map_err(Failed::to("compare its users"))
}

/// Raised where another skeleton is made of the same address.
const RULES: u32 = 1;

const SELECT_TWINS: &str = "SELECT one.id, other.id FROM site_user AS other \
    JOIN site_user AS one ON one.skeleton = other.skeleton AND one.twin = 0 \
    WHERE other.twin > 0 ORDER BY other.skeleton, other.twin LIMIT $1";
