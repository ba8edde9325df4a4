use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use countersign::{Algorithm, Scheme, Signer, SigningKey};

use crate::exit::Failure;
use crate::{file, output};

/// The key that is signed with, and the file that it comes from: replaced, the new one is taken, and the last good one stays
/// where it is none.
#[derive(Clone)]
pub(super) struct KeyFile {
    path: PathBuf,
    scheme: Scheme,
    asked: Option<Algorithm>,
    present: Arc<ArcSwap<SigningKey>>,
}

/// How often the file is looked at.
const EVERY: Duration = Duration::from_secs(1);

/// By what a file is known to be another one.
type Stamp = Option<(u64, u64, i64, i64)>;

impl KeyFile {
    pub(super) fn read(path: &Path, scheme: Scheme, asked: Option<Algorithm>) -> Result<Self, Failure> {
        let key = file::signing_key(path, scheme, asked)?;
        file::warn_of_mode(path);
        Ok(Self { path: path.to_owned(), scheme, asked, present: Arc::new(ArcSwap::from_pointee(key)) })
    }

    pub(super) fn signer(&self) -> Arc<dyn Signer> {
        self.present.load_full()
    }

    pub(super) fn algorithm(&self) -> Algorithm {
        self.present.load().algorithm()
    }

    /// Follows the file for ever.
    pub(super) async fn watch(self) {
        let mut seen = stamp(&self.path);
        let mut ticks = tokio::time::interval(EVERY);
        loop {
            ticks.tick().await;
            let now = stamp(&self.path);
            if now == seen || now.is_none() {
                continue;
            }
            seen = now;
            match file::signing_key(&self.path, self.scheme, self.asked) {
                Ok(key) => {
                    self.present.store(Arc::new(key));
                    output::note!("signing with the new key in {}", self.path.display());
                }
                Err(failure) => output::warning(
                    format!("{}; signing on with the key before", failure.message),
                    &["write the new key beside it, then move it over".to_owned()],
                ),
            }
        }
    }
}

fn stamp(path: &Path) -> Stamp {
    let found = std::fs::metadata(path).ok()?;
    Some((found.ino(), found.len(), found.mtime(), found.mtime_nsec()))
}
