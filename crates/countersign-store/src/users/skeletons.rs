//! The skeletons of those who are there already: made when users are opened by another version of the tables.

use sqlx::{AnyConnection, Row as _};

use super::email;
use crate::registry::{Error, Failed, Registry, commit};

/// Two users whose addresses look alike, by their ids. Both were there before anybody compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookalikes(pub String, pub String);

/// Makes them anew unless they are of this version. Whoever registers meanwhile compares with what there is, and two that do this
/// at once do no harm. Else only for those who have none: a gateway of a version without skeletons may have served on since they
/// were made.
pub(super) async fn fill(registry: &Registry) -> Result<(), Error> {
    let version = version();
    if written(&mut *registry.reader().await?).await? == version {
        return make(registry, SELECT_UNCOMPARED).await;
    }
    make(registry, SELECT_ALL).await?;
    let mut change = registry.write().await?;
    sqlx::query(
        "INSERT INTO skeleton_version (one, version) VALUES (1, $1) ON CONFLICT (one) DO UPDATE SET version = $1",
    )
    .bind(version.as_str())
    .execute(&mut *change)
    .await
    .map_err(Failed::to("compare its users"))?;
    commit(change).await
}

/// Those of the rows that are selected, some at a time, so that others who write come in between.
async fn make(registry: &Registry, select: &'static str) -> Result<(), Error> {
    let mut after = String::new();
    loop {
        let page = page(&mut *registry.reader().await?, select, &after).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.address.clone();
        let other = page.into_iter().filter_map(|row| {
            let skeleton = email::skeleton(&row.address);
            (skeleton != row.skeleton).then_some((row.id, skeleton))
        });
        let other: Vec<_> = other.collect();
        if !other.is_empty() {
            let mut change = registry.write().await?;
            for (id, skeleton) in other {
                give(&mut change, &id, skeleton.as_deref()).await?;
            }
            commit(change).await?;
        }
    }
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

struct Row {
    id: String,
    address: String,
    skeleton: Option<String>,
}

/// Some users, by address.
async fn page(connection: &mut AnyConnection, select: &'static str, after: &str) -> Result<Vec<Row>, Error> {
    let rows = sqlx::query(select).bind(after).fetch_all(connection).await;
    let read =
        |row: &sqlx::any::AnyRow| Ok(Row { id: row.try_get(0)?, address: row.try_get(1)?, skeleton: row.try_get(2)? });
    rows.and_then(|rows| rows.iter().map(read).collect()).map_err(Failed::to("compare its users"))
}

/// Beside those who have the same one already.
async fn give(connection: &mut AnyConnection, id: &str, skeleton: Option<&str>) -> Result<(), Error> {
    sqlx::query(
        "UPDATE site_user SET skeleton = $1, \
         twin = (SELECT coalesce(max(twin) + 1, 0) FROM site_user WHERE skeleton = $1) \
         WHERE id = $2 AND skeleton IS DISTINCT FROM $1",
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

const SELECT_ALL: &str = "SELECT id, email, skeleton FROM site_user WHERE email > $1 ORDER BY email LIMIT 1000";

/// The index is named, since without statistics SQLite takes another and reads every user of ASCII.
const SELECT_UNCOMPARED: &str = "SELECT id, email, skeleton FROM site_user INDEXED BY site_user_uncompared \
    WHERE email > $1 AND skeleton IS NULL AND email GLOB '*[^ -~]*' ORDER BY email LIMIT 1000";

const SELECT_TWINS: &str = "SELECT one.id, other.id FROM site_user AS other \
    JOIN site_user AS one ON one.skeleton = other.skeleton AND one.twin < other.twin \
    WHERE other.twin > 0 ORDER BY other.skeleton, other.twin LIMIT $1";
