use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AnyConnection, AnyPool, ConnectOptions, Connection, Row, SqlSafeStr};

use super::{Error, Failed, Refused, WRITE};
use crate::file::{self, FileError};

/// What a registry URL points at.
#[derive(Clone, Debug)]
pub(super) struct Target {
    file: PathBuf,
    options: AnyConnectOptions,
}

impl Target {
    /// `sqlite:PATH` or `sqlite://PATH`, without parameters: how the file is opened is decided here. No `:memory:`,
    /// since the commands beside a gateway could not reach it.
    pub(super) fn parse(url: &str) -> Result<Self, Error> {
        let refused = || Refused::Url(shown(url));
        let path = url.strip_prefix("sqlite:").ok_or_else(refused)?;
        let path = path.strip_prefix("//").unwrap_or(path);
        if path.is_empty() || path.contains(['?', '\0']) || path.starts_with(":memory:") {
            return Err(refused().into());
        }
        let file = std::path::absolute(path).map_err(FileError::of("find", Path::new(path)))?;
        let encoded = percent_encoded(file.to_str().ok_or_else(refused)?);
        sqlx::any::install_default_drivers();
        let options = options(&format!("sqlite://{encoded}?mode=rw"))?;
        Ok(Self { file, options })
    }

    /// Only to be read, and nothing is made beside it.
    pub(super) fn read_only(file: &Path) -> Result<Self, Error> {
        let found = Self::parse(&format!("sqlite:{}", file.display()))?;
        let encoded = percent_encoded(&found.file.to_string_lossy());
        Ok(Self { options: options(&format!("sqlite://{encoded}?mode=ro&immutable=1"))?, ..found })
    }

    pub(super) fn file(&self) -> &Path {
        &self.file
    }
}

fn options(url: &str) -> Result<AnyConnectOptions, Error> {
    Ok(AnyConnectOptions::from_str(url).map_err(Failed::to("read its URL"))?.disable_statement_logging())
}

pub(super) async fn pool(target: &Target) -> Result<AnyPool, Error> {
    let file = target.file();
    if let Some(dir) = file.parent() {
        file::make_private_dir(dir)?;
    }
    // SQLite would make it 0644; its journals take the mode of the file.
    match file::create_private(file) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(FileError::of("make", file)(error).into());
        }
        _ => {}
    }
    let mut first = connect(target).await?;
    use_write_ahead_log(&mut first).await?;
    migrate(&mut first).await?;
    first.close().await.map_err(Failed::to("close"))?;

    AnyPoolOptions::new()
        .max_connections(4)
        .acquire_timeout(Duration::from_secs(10))
        .idle_timeout(Duration::from_secs(60))
        .connect_with(target.options.clone())
        .await
        .map_err(Failed::to("connect"))
}

/// One connection. sqlx turns foreign keys on and waits up to five seconds for another writer; SQLite's own default is
/// `synchronous=FULL`, so what was committed stays committed.
pub(super) async fn connect(target: &Target) -> Result<AnyConnection, Error> {
    target.options.connect().await.map_err(Failed::to("open its file"))
}

/// Readers and one writer at once. The mode stays with the file. Changing it can't wait for others, so this does.
async fn use_write_ahead_log(connection: &mut AnyConnection) -> Result<(), Error> {
    let mut left = 50;
    loop {
        let attempt = sqlx::query("PRAGMA journal_mode = WAL").fetch_one(&mut *connection).await;
        let mode: Result<String, _> = attempt.and_then(|row| row.try_get(0));
        match mode {
            Ok(mode) if mode == "wal" => return Ok(()),
            Err(error) if left == 0 => return Err(Failed::to("turn on its write-ahead log")(error)),
            Ok(_) if left == 0 => {
                let what = "its file system does not take a write-ahead log (is it a network share?)";
                return Err(Failed::Row(what.to_owned()).into());
            }
            _ => left -= 1,
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Brings the tables up to date in one transaction, so that two processes that start at once do it once.
async fn migrate(connection: &mut AnyConnection) -> Result<(), Error> {
    let mut change = connection.begin_with(WRITE).await.map_err(Failed::to("begin a change"))?;
    migrations().run_direct(None, &mut *change, false).await.map_err(Failed::Migration).map_err(Error::Failed)?;
    change.commit().await.map_err(Failed::to("commit a change"))
}

/// Forward only: a change is a new file and a new line.
fn migrations() -> Migrator {
    let forward = |version, description: &'static str, sql: &'static str| {
        Migration::new(version, description.into(), MigrationType::Simple, sql.into_sql_str(), false)
    };
    Migrator::with_migrations(vec![
        forward(1, "registry", include_str!("../../migrations/sqlite/0001_registry.sql")),
        forward(2, "site use", include_str!("../../migrations/sqlite/0002_site_use.sql")),
        forward(3, "own key", include_str!("../../migrations/sqlite/0003_own_key.sql")),
        forward(4, "user", include_str!("../../migrations/sqlite/0004_user.sql")),
        forward(5, "token revocation", include_str!("../../migrations/sqlite/0005_token_revocation.sql")),
        forward(
            6,
            "token revocation generation",
            include_str!("../../migrations/sqlite/0006_token_revocation_generation.sql"),
        ),
        forward(7, "user skeleton", include_str!("../../migrations/sqlite/0007_user_skeleton.sql")),
        forward(8, "user uncompared", include_str!("../../migrations/sqlite/0008_user_uncompared.sql")),
    ])
}

/// A URL as it may be shown: a database URL can hold a password.
fn shown(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, _)) if url.contains('@') => format!("{scheme}://…"),
        _ => url.to_owned(),
    }
}

fn percent_encoded(path: &str) -> String {
    path.bytes().fold(String::with_capacity(path.len()), |mut out, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
        out
    })
}
