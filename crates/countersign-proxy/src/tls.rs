//! TLS: rustls with aws-lc-rs and nothing else. From callers to here in the modules, from here to others in this file.

mod certificate;
mod client_auth;
mod crl;
mod examine;
mod file;
mod handshake;
mod server;
mod shown;
pub(crate) mod vigil;

pub(crate) use client_auth::ClientAuth;
pub use examine::TlsFinding;
pub(crate) use handshake::{Handshakes, Unsecured};
pub(crate) use server::Server;
pub(crate) use shown::Shown;

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::{ClientConfig, RootCertStore};

/// What to connect with to hosts whose certificates the system trusts (`SSL_CERT_FILE` and `SSL_CERT_DIR` say otherwise).
///
/// # Errors
/// In words where no trusted certificate can be read.
pub(crate) fn client() -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    let (good, _) = roots.add_parsable_certificates(found.certs);
    if good == 0 {
        let why = found.errors.first().map_or_else(|| "there is none".to_owned(), ToString::to_string);
        return Err(format!("no certificate authority that this system trusts can be read: {why}"));
    }
    let config = ClientConfig::builder_with_provider(Arc::new(provider()))
        .with_safe_default_protocol_versions()
        .map_err(|fault| fault.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// The one crypto provider.
pub(crate) fn provider() -> CryptoProvider {
    rustls::crypto::aws_lc_rs::default_provider()
}
