use std::path::Path;

use countersign_proxy::ClientCertificate;

use super::file::Followed;
use crate::exit::Failure;
use crate::{file, output};

/// The certificate that is shown, and the file that it comes from: replaced, the new one is shown, and the last good one stays
/// where it is none.
pub(super) struct CertificateFile {
    file: Followed,
    present: ClientCertificate,
}

impl CertificateFile {
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let followed = Followed::new(path);
        let present = file::client_certificate(path)?;
        Ok(Self { file: followed, present })
    }

    pub(super) fn present(&self) -> ClientCertificate {
        self.present.clone()
    }

    /// Follows the file for ever.
    pub(super) async fn watch(self) {
        let Self { file, present } = self;
        file.watch(move |path| match file::read_secret(path).map(|pem| present.replace(&pem)) {
            Ok(Ok(())) => output::note!("showing the new certificate in {}", path.display()),
            fault => {
                let why = match fault {
                    Ok(fault) => fault.err().map(|fault| format!("{}: {fault}", path.display())),
                    Err(failure) => Some(failure.message),
                };
                output::warning(
                    format!("{}; showing on the certificate before", why.unwrap_or_default()),
                    &["write the new file beside it, then move it over".to_owned()],
                );
            }
        })
        .await;
    }
}
