//! TLS, from callers to here.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use countersign::Timestamp;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{Ticketer, sign};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::{NoServerSessionStorage, ServerConfig, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::time_provider::TimeProvider;
use rustls::{Error, InconsistentKeys};
use zeroize::Zeroizing;

use super::certificate::Certificate;
use super::client_auth::{ClientAuth, unix_time};
use super::file;
use crate::clock::Clock;
use crate::settings::TlsSettings;

/// How callers are spoken to, made of files that were read whole and fit each other. What a reload swaps with the routes.
pub(crate) struct Server {
    pub(super) config: Arc<ServerConfig>,
    client_auth: Option<Arc<ClientAuth>>,
    /// When the gateway's own certificate ends.
    not_after: Timestamp,
}

impl Server {
    /// Reads the files. `former` is what is in force.
    ///
    /// # Errors
    /// In words for the operator, where one of them can't be taken; none is, then.
    pub(crate) fn new(settings: &TlsSettings, clock: &Clock, former: Option<&Self>) -> Result<Self, String> {
        let provider = Arc::new(super::provider());
        let own = own_key(&settings.certificate, &settings.key)?;
        let not_after = own.cert.iter().filter_map(|it| Certificate::read(it).ok()).map(|it| it.not_after).min();
        let client_auth = match &settings.client_auth {
            Some(settings) => {
                let former = former.and_then(|former| former.client_auth.as_ref());
                Some(ClientAuth::new(settings, &provider, former, clock.now())?)
            }
            None => None,
        };
        let config = config(provider, own, client_auth.as_deref(), clock).map_err(|fault| fault.to_string())?;
        Ok(Self { config: Arc::new(config), client_auth, not_after: not_after.unwrap_or(Timestamp::from_secs(0)) })
    }

    /// Whom callers' certificates have to be of; `None` where none is asked for.
    pub(crate) fn client_auth(&self) -> Option<&Arc<ClientAuth>> {
        self.client_auth.as_ref()
    }

    /// When the first certificate of the gateway's own chain ends.
    pub(crate) fn not_after(&self) -> Timestamp {
        self.not_after
    }
}

fn config(
    provider: Arc<CryptoProvider>,
    own: CertifiedKey,
    client_auth: Option<&ClientAuth>,
    clock: &Clock,
) -> Result<ServerConfig, Error> {
    let verifier = client_auth.map_or_else(WebPkiClientVerifier::no_client_auth, ClientAuth::verifier);
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(own)));
    // Without one of these in common the handshake fails (RFC 7301 §3.2).
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // Early data can be replayed by whoever captures it, and is none of the message (RFC 8446 §8).
    config.max_early_data_size = 0;
    config.time_provider = Arc::new(ByClock(clock.clone()));
    // Who resumes shows no certificate, so none is judged: not its revocation, nor whether its authority is still trusted
    // (RFC 8446 §2.2). Where one is asked for, there is no resumption at all.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    if client_auth.is_some() {
        config.send_tls13_tickets = 0;
    } else {
        config.ticketer = Ticketer::new()?;
    }
    Ok(config)
}

/// The gateway's own certificate with the key to it.
///
/// # Errors
/// In words where one of the files can't be read, or they don't belong together.
pub(super) fn own_key(certificate: &Path, key: &Path) -> Result<CertifiedKey, String> {
    let chain = chain(certificate)?;
    let content = file::read(key, file::SMALL)?;
    let der = PrivateKeyDer::from_pem_slice(&content);
    let der = Zeroizing::new(der.map_err(|fault| format!("{}: no private key in PEM: {fault}", key.display()))?);
    let own = sign::any_supported_type(&der).map_err(|fault| format!("{}: {fault}", key.display()))?;
    let own = CertifiedKey::new(chain, own);
    match own.keys_match() {
        Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(own),
        Err(Error::InconsistentKeys(_)) => {
            Err(format!("the key in {} does not belong to the certificate in {}", key.display(), certificate.display()))
        }
        Err(fault) => Err(format!("{}: {fault}", certificate.display())),
    }
}

/// The certificates of a PEM file.
pub(super) fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let content = file::read(path, file::SMALL)?;
    let chain = CertificateDer::pem_slice_iter(&content).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|fault| format!("{}: {fault}", path.display()))?;
    for certificate in &chain {
        Certificate::read(certificate).map_err(|fault| format!("{}: {fault}", path.display()))?;
    }
    if chain.is_empty() {
        return Err(format!("{}: there is no certificate in it", path.display()));
    }
    Ok(chain)
}

/// Certificates are judged by the clock of all verdicts.
struct ByClock(Clock);

impl TimeProvider for ByClock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(unix_time(self.0.now()))
    }
}

impl fmt::Debug for ByClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ByClock")
    }
}
