use std::collections::HashSet;
use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use countersign::{KeyRecord, Keys, Revocations, Timestamp, TokenAlgorithm, TokenKey, TokenKeys, VerifyingKey};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use super::listed::suspended;
use super::merge::Standing;
use super::sites::Sites;
use crate::registry::{
    Error, Failed, OwnKey, OwnKeys, OwnUse, Registry, SELECT_KEYS, SELECT_OWN_KEYS, own_key_of, record_of, revocations,
};
use crate::secrets::SealingKey;

/// What one load made of the registry.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) keys: Arc<Keys>,
    pub(super) own_keys: Arc<OwnKeys>,
    pub(super) token_keys: Arc<TokenKeys>,
    pub(super) generation: i64,
    pub(super) at: Timestamp,
    pub(super) broken: Vec<String>,
    /// Whether rows are among what is broken: a row can be mended outside the registry, unseen.
    rows_broken: bool,
}

/// The kept connection. Made anew after a failure, and when another file lies under the registry's name.
pub(super) struct Source {
    registry: Registry,
    kept: Option<(AnyConnection, FileId)>,
    /// The second source, where there is one.
    sites: Option<Arc<Mutex<Sites>>>,
    /// Whether that one was found changed, and no load has taken it in yet.
    sites_changed: bool,
    /// Looks left until rows that were broken are tried again.
    patience: Option<u32>,
}

/// Device and inode: a connection stays with the file that it opened, also when a backup was put in its place since.
type FileId = (u64, u64);

impl Source {
    pub(super) fn new(registry: Registry, max_stale: Duration) -> Self {
        let dir = registry.trusted_sites().map(ToOwned::to_owned);
        let sites = dir.map(|dir| Arc::new(Mutex::new(Sites::new(dir, max_stale))));
        Self { registry, kept: None, sites, sites_changed: false, patience: None }
    }

    /// The keys, when the registry is at another generation than `known` or is another file.
    pub(super) async fn news_since(&mut self, known: i64, now: Timestamp) -> Result<Option<Loaded>, Error> {
        self.look_at_sites(now).await?;
        let file = self.file_id()?;
        if self.kept.as_ref().is_none_or(|(_, opened)| *opened != file) {
            return self.load_rows(now).await.map(Some);
        }
        let again = match &mut self.patience {
            Some(0) => true,
            Some(left) => {
                *left -= 1;
                false
            }
            None => false,
        };
        match self.generation().await {
            Ok(generation) if generation == known && !again && !self.sites_changed => Ok(None),
            Ok(_) => self.load_rows(now).await.map(Some),
            Err(error) => {
                self.kept = None;
                Err(error)
            }
        }
    }

    /// The keys as they are.
    pub(super) async fn load(&mut self, now: Timestamp) -> Result<Loaded, Error> {
        self.look_at_sites(now).await?;
        self.load_rows(now).await
    }

    async fn load_rows(&mut self, now: Timestamp) -> Result<Loaded, Error> {
        let loaded = self.try_load(now).await;
        match &loaded {
            Ok(loaded) => {
                self.patience = loaded.rows_broken.then_some(PATIENCE);
                self.sites_changed = false;
            }
            Err(_) => self.kept = None,
        }
        loaded
    }

    /// On a thread of its own: a disk may take its time.
    async fn look_at_sites(&mut self, now: Timestamp) -> Result<(), Error> {
        let Some(sites) = &self.sites else { return Ok(()) };
        let sites = Arc::clone(sites);
        let look = move || sites.lock().unwrap_or_else(PoisonError::into_inner).look(now);
        let changed = tokio::task::spawn_blocking(look)
            .await
            .map_err(|error| Failed::Row(format!("looking at the trusted sites failed: {error}")))?;
        self.sites_changed |= changed;
        Ok(())
    }

    async fn try_load(&mut self, now: Timestamp) -> Result<Loaded, Error> {
        // Looked at before it is opened: replaced in between, it is another one at the next look.
        let file = self.file_id()?;
        if self.kept.as_ref().is_none_or(|(_, opened)| *opened != file) {
            self.kept = None;
            self.kept = Some((self.registry.connect().await?, file));
        }
        // The generation first: rows that are newer than it are loaded once more, rows that are older never pass for
        // new.
        let generation = self.generation().await?;
        let rows = sqlx::query(SELECT_KEYS)
            .bind("")
            .bind("")
            .bind("")
            .fetch_all(self.connection()?)
            .await
            .map_err(Failed::to("read its keys"))?;
        let own_rows = sqlx::query(SELECT_OWN_KEYS).bind("").fetch_all(self.connection()?).await;
        let own_rows = own_rows.map_err(Failed::to("read keys of our own"))?;
        let revoked = revocations(self.connection()?, generation).await?;
        let suspended = if self.sites.is_some() { suspended(self.connection()?).await? } else { HashSet::new() };
        let data_dir = self.registry.data_dir().to_owned();
        let sites = self.sites.clone();
        // Parsing ten thousand RSA keys takes a while that no request of this thread should wait.
        let parse = move || {
            let mut broken = Vec::new();
            let secret = |row: &AnyRow| row.try_get::<i64, _>("symmetric").is_ok_and(|it| it != 0);
            let sealing = if !own_rows.is_empty() || rows.iter().any(secret) {
                SealingKey::open_existing(&data_dir).unwrap_or_else(|error| {
                    broken.push(error.to_string());
                    None
                })
            } else {
                None
            };
            let mut good = Vec::with_capacity(rows.len());
            for row in &rows {
                match record_of(row, sealing.as_ref()).and_then(parsed) {
                    Ok(key) => good.push(key),
                    Err(what) => broken.push(what),
                }
            }
            let mut own = Vec::with_capacity(own_rows.len());
            for row in &own_rows {
                match own_key_of(row, sealing.as_ref(), now) {
                    Ok(key) => own.extend(key),
                    Err(what) => broken.push(what),
                }
            }
            let token_keys = Arc::new(token_keys(&own, revoked, &mut broken));
            let rows_broken = !broken.is_empty();
            if let Some(sites) = sites {
                let sites = sites.lock().unwrap_or_else(PoisonError::into_inner);
                Standing::of(&rows, suspended).add_sites(&sites, &mut good, &mut broken);
            }
            let (keys, own_keys) = (Arc::new(Keys::new(good)), Arc::new(OwnKeys::new(own)));
            Loaded { keys, own_keys, token_keys, generation, at: now, broken, rows_broken }
        };
        tokio::task::spawn_blocking(parse)
            .await
            .map_err(|error| Failed::Row(format!("reading its keys failed: {error}")).into())
    }

    async fn generation(&mut self) -> Result<i64, Error> {
        sqlx::query("SELECT value FROM generation")
            .fetch_one(self.connection()?)
            .await
            .and_then(|row| row.try_get(0))
            .map_err(Failed::to("tell its generation"))
    }

    fn connection(&mut self) -> Result<&mut AnyConnection, Error> {
        match &mut self.kept {
            Some((connection, _)) => Ok(connection),
            None => Err(Failed::Row("the connection to the registry was lost".to_owned()).into()),
        }
    }

    fn file_id(&self) -> Result<FileId, Error> {
        let file = self.registry.file();
        let metadata = std::fs::metadata(file).map_err(crate::FileError::of("find", file))?;
        Ok((metadata.dev(), metadata.ino()))
    }
}

/// Those of our own that tokens are signed with.
fn token_keys(own: &[OwnKey], revoked: Revocations, broken: &mut Vec<String>) -> TokenKeys {
    let mut keys = Vec::new();
    for OwnKey { entry, private } in own.iter().filter(|key| key.entry.usage == OwnUse::Token) {
        let name = format!("our token key {:?}", entry.id);
        let parsed = entry.algorithm.parse::<TokenAlgorithm>().map_err(|error| format!("{name}: {error}"));
        let parsed = parsed.and_then(|algorithm| {
            let key = TokenKey::new(algorithm, private, entry.not_before, entry.superseded, entry.not_after);
            key.map_err(|error| format!("{name}: {error}"))
        });
        match parsed {
            Ok(key) if key.id() == entry.id => keys.push(key),
            Ok(_) => broken.push(format!("{name}: it is another one")),
            Err(what) => broken.push(what),
        }
    }
    TokenKeys::new(keys, revoked)
}

/// Some five seconds: what breaks a row can be mended outside the registry (the mode of the sealing key).
const PATIENCE: u32 = 25;

fn parsed(record: KeyRecord) -> Result<VerifyingKey, String> {
    let name = format!("{} key {:?} version {}", record.scheme, record.id, record.version);
    VerifyingKey::new(record).map_err(|error| format!("{name}: {error}"))
}
