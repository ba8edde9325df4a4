//! Partners, their keys and what happened to them: every change in one transaction with its event.
//!
//! One code path on [`sqlx::Any`]: `$1` placeholders, integers, text and bytes only. SQLite today; PostgreSQL will
//! bring a folder of migrations and another word for `WRITE`.

mod backup;
mod error;
pub(crate) mod event;
mod key;
mod key_add;
mod key_state;
mod last_use;
mod material;
mod name;
mod open;
mod own_key;
mod partner;
mod read;
mod row;
mod test_keys;
mod token_revocation;

use std::path::{Path, PathBuf};

use sqlx::any::Any;
use sqlx::{AnyConnection, AnyPool, Transaction};

pub use backup::Backup;
pub use error::{Error, Failed, Refused};
pub use event::Event;
pub use key::{KeyAdd, KeyAdded, KeyEntry, KeySelector};
pub(crate) use key_add::checked;
pub use last_use::{LastUse, LastUses};
pub use own_key::{Overlap, OwnKey, OwnKeyAdd, OwnKeyEntry, OwnKeys, OwnUse};
pub(crate) use own_key::{SELECT as SELECT_OWN_KEYS, own_key_of};
pub use partner::{Partner, PartnerState};
pub(crate) use row::{SELECT_KEYS, record_of};
pub use token_revocation::TokenRevocation;
pub(crate) use token_revocation::revocations;

use crate::file;

/// The registry of a deployment. Cheap to clone; every clone shares the connections.
///
/// Many processes may have it open: writers queue for each other (up to five seconds), readers wait for nobody.
#[derive(Clone, Debug)]
pub struct Registry {
    pool: AnyPool,
    target: open::Target,
    data_dir: PathBuf,
    trusted_sites: Option<PathBuf>,
}

impl Registry {
    /// Opens the registry under `url` (`sqlite:PATH`), and makes directory (0700), file (0600) and tables where they
    /// are missing. A relative path is relative to the working directory: resolve it against the configuration file
    /// first. `data_dir` is where the sealing key of shared secrets lies.
    ///
    /// # Errors
    /// [`Refused::Url`] for a URL of another kind; [`Failed`] when the file can't be made, opened or brought up to
    /// date.
    pub async fn open(url: &str, data_dir: &Path) -> Result<Self, Error> {
        let target = open::Target::parse(url)?;
        file::make_private_dir(data_dir)?;
        let pool = open::pool(&target).await?;
        Ok(Self { pool, target, data_dir: data_dir.to_owned(), trusted_sites: None })
    }

    /// Adds the directory of `<site_id>_public.pem` as a second source of keys to what [`Snapshots`](crate::Snapshots) sees of
    /// this registry. Nothing is ever written there, and it need not be there yet.
    #[must_use]
    pub fn with_trusted_sites(self, dir: Option<&Path>) -> Self {
        Self { trusted_sites: dir.map(ToOwned::to_owned), ..self }
    }

    /// The directory of trusted sites, where there is one.
    #[must_use]
    pub fn trusted_sites(&self) -> Option<&Path> {
        self.trusted_sites.as_deref()
    }

    /// The data directory that it was opened with.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// The file of the database.
    #[must_use]
    pub fn file(&self) -> &Path {
        self.target.file()
    }

    /// Closes every connection.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// A connection of its own, outside the pool, to be kept.
    pub(crate) async fn connect(&self) -> Result<AnyConnection, Error> {
        open::connect(&self.target).await
    }

    pub(crate) async fn reader(&self) -> Result<sqlx::pool::PoolConnection<Any>, Error> {
        self.pool.acquire().await.map_err(Failed::to("connect"))
    }

    pub(crate) async fn write(&self) -> Result<Transaction<'static, Any>, Error> {
        self.pool.begin_with(WRITE).await.map_err(Failed::to("begin a change"))
    }
}

/// How a transaction that writes begins. SQLite takes the write lock at once: one that read first and wants to write
/// later would be turned away while another writes, whatever the timeout.
pub(crate) const WRITE: &str = "BEGIN IMMEDIATE";

/// Who makes the changes. Administrators with names come with the control plane.
const ACTOR: &str = "operator";

pub(crate) async fn commit(change: Transaction<'static, Any>) -> Result<(), Error> {
    change.commit().await.map_err(Failed::to("commit a change"))
}
