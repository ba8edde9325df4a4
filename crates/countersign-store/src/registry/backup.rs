use std::io;
use std::path::Path;

use sqlx::{AnyConnection, Connection, Row};

use super::open::{Target, connect};
use super::{Error, Failed, Refused, Registry};
use crate::file::{self, FileError};

/// What a copy of the registry holds, as it was read back from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backup {
    /// Partners.
    pub partners: u64,
    /// Versions of keys, revoked ones included.
    pub keys: u64,
    /// Whether secrets are among them, which nobody can open without the sealing key.
    pub secrets: bool,
}

impl Registry {
    /// Writes a consistent copy of the database to a new file (0600), while others go on writing, and reads it back whole.
    /// The sealing key (`<data>/secrets.key`) is not part of it: keep a copy of that elsewhere.
    ///
    /// # Errors
    /// [`Refused::BackupExists`] when something has that name; [`Failed`] when it can't be written, or is not whole. Then
    /// there is no file.
    pub async fn backup(&self, to: &Path) -> Result<Backup, Error> {
        let name = to.to_str().ok_or_else(|| Refused::Url(to.display().to_string()))?;
        // VACUUM INTO takes an empty file, and keeps the mode that it was made with.
        let made = file::create_private(to).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => Error::from(Refused::BackupExists(to.to_owned())),
            _ => FileError::of("make", to)(error).into(),
        })?;
        let copy = async {
            sqlx::query("VACUUM INTO $1").bind(name).execute(&self.pool).await.map_err(Failed::to("copy itself"))?;
            let synced = made.sync_all().and_then(|()| file::sync_dir_of(to));
            synced.map_err(FileError::of("write", to))?;
            look_into(to).await
        };
        let copied = copy.await;
        if copied.is_err() {
            // Half a backup helps nobody; the failure itself is what is told.
            let _ = std::fs::remove_file(to);
        }
        copied
    }
}

async fn look_into(copy: &Path) -> Result<Backup, Error> {
    let mut copy = connect(&Target::read_only(copy)?).await?;
    let check = sqlx::query("PRAGMA integrity_check").fetch_one(&mut copy).await;
    let said: String = check.and_then(|row| row.try_get(0)).map_err(Failed::to("check its copy"))?;
    if said != "ok" {
        return Err(Failed::Row(format!("the copy is not whole: {said}")).into());
    }
    let partners = count(&mut copy, "SELECT count(*) FROM partner").await?;
    let keys = count(&mut copy, "SELECT count(*) FROM partner_key").await?;
    let secrets = count(&mut copy, SECRETS).await? > 0;
    copy.close().await.map_err(Failed::to("close"))?;
    Ok(Backup { partners, keys, secrets })
}

/// What is sealed under the key that lies beside the registry.
pub(super) const SECRETS: &str =
    "SELECT (SELECT count(*) FROM partner_key WHERE symmetric = 1) + (SELECT count(*) FROM own_key)";

async fn count(copy: &mut AnyConnection, rows: &'static str) -> Result<u64, Error> {
    let row = sqlx::query(rows).fetch_one(copy).await;
    let number: i64 = row.and_then(|row| row.try_get(0)).map_err(Failed::to("read its copy"))?;
    Ok(u64::try_from(number).unwrap_or_default())
}
