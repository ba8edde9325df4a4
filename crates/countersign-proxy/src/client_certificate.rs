//! The certificate that is shown to a destination which asks for one (mutual TLS).

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::client::{ResolvesClientCert, Resumption};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, SignatureScheme};

use crate::tls;

/// A chain of certificates and the private key of its first. Clones share it: what replaces it in one is shown by all, on
/// every connection that begins after that.
#[derive(Clone)]
pub struct ClientCertificate(Arc<ArcSwap<Shown>>);

struct Shown {
    key: Arc<CertifiedKey>,
    /// How often it was replaced.
    turn: u64,
}

/// Why a file holds no certificate that can be shown, in words for the operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidCertificate(String);

impl ClientCertificate {
    /// Reads PEM: the client's certificate, those between it and its authority, and the private key (PKCS#8, PKCS#1 or
    /// SEC 1), in any order but for the chain's.
    ///
    /// # Errors
    /// [`InvalidCertificate`] where one of the two is not there, or the key belongs to another certificate.
    pub fn from_pem(pem: &[u8]) -> Result<Self, InvalidCertificate> {
        Ok(Self(Arc::new(ArcSwap::from_pointee(Shown { key: read(pem)?, turn: 0 }))))
    }

    /// Shows another one from now on. Connections that began with the former are not used again.
    ///
    /// # Errors
    /// As [`Self::from_pem`]; then the former stays.
    pub fn replace(&self, pem: &[u8]) -> Result<(), InvalidCertificate> {
        let turn = self.turn() + 1;
        self.0.store(Arc::new(Shown { key: read(pem)?, turn }));
        Ok(())
    }

    pub(crate) fn turn(&self) -> u64 {
        self.0.load().turn
    }

    /// `config`, and this certificate shown.
    pub(crate) fn shown_by(&self, config: &ClientConfig) -> ClientConfig {
        let mut config = config.clone();
        config.client_auth_cert_resolver = Arc::new(self.clone());
        // A session that is resumed goes on as who began it, which after a replacement is somebody else.
        config.resumption = Resumption::disabled();
        config
    }
}

fn read(pem: &[u8]) -> Result<Arc<CertifiedKey>, InvalidCertificate> {
    let invalid = |text: String| InvalidCertificate(text);
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let chain = chain.map_err(|fault| invalid(format!("it is no PEM: {fault}")))?;
    if chain.is_empty() {
        return Err(invalid("it has no CERTIFICATE".to_owned()));
    }
    let key = PrivateKeyDer::from_pem_slice(pem).map_err(|_| {
        let encrypted = pem.windows(ENCRYPTED.len()).any(|bytes| bytes == ENCRYPTED);
        invalid(if encrypted { "its private key is encrypted" } else { "it has no PRIVATE KEY" }.to_owned())
    })?;
    let key = CertifiedKey::from_der(chain, key, &tls::provider()).map_err(|fault| match fault {
        rustls::Error::InconsistentKeys(_) => {
            invalid("its private key is not that of its first certificate".to_owned())
        }
        fault => invalid(fault.to_string()),
    })?;
    Ok(Arc::new(key))
}

const ENCRYPTED: &[u8] = b"BEGIN ENCRYPTED PRIVATE KEY";

impl ResolvesClientCert for ClientCertificate {
    fn resolve(&self, _: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let shown = self.0.load();
        shown.key.key.choose_scheme(schemes).map(|_| Arc::clone(&shown.key))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCertificate").finish_non_exhaustive()
    }
}
