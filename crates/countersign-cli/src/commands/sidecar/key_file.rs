use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use countersign::{Algorithm, Scheme, Signer, SigningKey};

use super::file::Followed;
use crate::exit::Failure;
use crate::{file, output};

/// The key that is signed with, and the file that it comes from: replaced, the new one is taken, and the last good one stays
/// where it is none.
pub(super) struct KeyFile {
    file: Followed,
    scheme: Scheme,
    asked: Option<Algorithm>,
    present: Arc<ArcSwap<SigningKey>>,
}

impl KeyFile {
    pub(super) fn read(path: &Path, scheme: Scheme, asked: Option<Algorithm>) -> Result<Self, Failure> {
        let followed = Followed::new(path);
        let key = file::signing_key(path, scheme, asked)?;
        file::warn_of_mode(path);
        Ok(Self { file: followed, scheme, asked, present: Arc::new(ArcSwap::from_pointee(key)) })
    }

    /// Who signs now, whenever it is called.
    pub(super) fn signer(&self) -> Arc<dyn Fn() -> Arc<dyn Signer> + Send + Sync> {
        let present = Arc::clone(&self.present);
        Arc::new(move || present.load_full())
    }

    pub(super) fn algorithm(&self) -> Algorithm {
        self.present.load().algorithm()
    }

    /// Follows the file for ever.
    pub(super) async fn watch(self) {
        let Self { file, scheme, asked, present } = self;
        file.watch(move |path| match file::signing_key(path, scheme, asked) {
            Ok(key) => {
                present.store(Arc::new(key));
                output::note!("signing with the new key in {}", path.display());
            }
            Err(failure) => output::warning(
                format!("{}; signing on with the key before", failure.message),
                &["write the new key beside it, then move it over".to_owned()],
            ),
        })
        .await;
    }
}
