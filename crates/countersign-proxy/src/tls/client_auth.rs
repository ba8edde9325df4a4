//! Which certificates of callers are taken: of whom, and unless revoked.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use countersign::Timestamp;
use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;

use super::certificate::Certificate;
use super::crl::{self, Crl};
use super::file;
use crate::settings::ClientAuthSettings;

/// The authorities and their revocations, as they are in force between two reloads.
pub(crate) struct ClientAuth {
    verifier: Arc<dyn ClientCertVerifier>,
    required: bool,
    crls: Vec<Crl>,
    /// Of what it was made, so that a reload which changes none of it need not judge every connection anew.
    made_of: Vec<u8>,
}

impl ClientAuth {
    /// Reads the files. `former` is what is in force.
    ///
    /// # Errors
    /// In words where one of them can't be taken; none is, then.
    pub(super) fn new(
        settings: &ClientAuthSettings,
        provider: &Arc<CryptoProvider>,
        former: Option<&Arc<Self>>,
        now: Timestamp,
    ) -> Result<Arc<Self>, String> {
        let ClientAuthSettings { authorities, crl, required } = settings;
        let named = |path: &std::path::Path, fault: String| format!("{}: {fault}", path.display());
        let roots_file = file::read(authorities, file::AUTHORITIES)?;
        let crl_file = crl.as_ref().map(|path| file::read(path, file::REVOCATIONS)).transpose()?;
        let made_of = fingerprint(&roots_file, crl_file.as_deref().map(Vec::as_slice), *required);
        if let Some(former) = former.filter(|former| former.made_of == made_of) {
            return Ok(Arc::clone(former));
        }
        let roots = roots(&roots_file).map_err(|fault| named(authorities, fault))?;
        let crls = match (&crl_file, crl) {
            (Some(content), Some(path)) => {
                let crls = Crl::read_all(content).map_err(|fault| named(path, fault))?;
                let in_force = former.map_or(&[][..], |former| &former.crls);
                crl::follow(in_force, &crls, now).map_err(|fault| named(path, fault))?;
                crls
            }
            _ => Vec::new(),
        };
        let mut builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
            .with_crls(crls.iter().map(|crl| crl.der.clone()))
            .enforce_revocation_expiration();
        if !required {
            builder = builder.allow_unauthenticated();
        }
        // It reads the revocation lists, which come from outside.
        let built = catch_unwind(AssertUnwindSafe(|| builder.build().map_err(|fault| fault.to_string())));
        let verifier = built.unwrap_or_else(|_| Err(crl::PANICKED.to_owned()));
        let verifier = verifier.map_err(|fault| named(crl.as_deref().unwrap_or(authorities), fault))?;
        Ok(Arc::new(Self { verifier, required: *required, crls, made_of }))
    }

    pub(super) fn verifier(&self) -> Arc<dyn ClientCertVerifier> {
        Arc::clone(&self.verifier)
    }

    /// Whether a caller without a certificate is turned away.
    pub(crate) fn required(&self) -> bool {
        self.required
    }

    /// Judges a chain that was shown in a handshake once more: its authority, its dates, its revocation, its purpose.
    ///
    /// # Errors
    /// In words.
    pub(super) fn judge(&self, chain: &[CertificateDer<'_>], now: Timestamp) -> Result<(), String> {
        let Some((own, others)) = chain.split_first() else { return Err("there is no certificate".to_owned()) };
        let judged = self.verifier.verify_client_cert(own, others, unix_time(now));
        judged.map(drop).map_err(|fault| fault.to_string())
    }

    /// The first moment at which one of the revocation lists has ended.
    pub(crate) fn next_update(&self) -> Option<Timestamp> {
        self.crls.iter().map(|crl| crl.next_update).min()
    }

    /// Whose revocation list has ended, so that their certificates are not taken.
    pub(crate) fn stale(&self, now: Timestamp) -> Option<String> {
        let stale = self.crls.iter().find(|crl| crl.is_stale(now))?;
        Some(format!("the revocation list of {} has ended at {}", stale.issuer, stale.next_update))
    }
}

/// The authorities of a PEM file.
///
/// # Errors
/// In words where there is none, or one that can't be read.
pub(super) fn authorities(file: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(file).collect();
    let found = found.map_err(|fault| fault.to_string())?;
    if found.is_empty() { Err("there is no certificate in it".to_owned()) } else { Ok(found) }
}

fn roots(file: &[u8]) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for authority in authorities(file)? {
        let subject = Certificate::read(&authority)?.subject;
        roots.add(authority).map_err(|fault| format!("{subject}: {fault}"))?;
    }
    Ok(roots)
}

fn fingerprint(roots: &[u8], crls: Option<&[u8]>, required: bool) -> Vec<u8> {
    let mut made_of = vec![u8::from(required), u8::from(crls.is_some())];
    made_of.extend_from_slice(digest(&SHA256, roots).as_ref());
    made_of.extend_from_slice(digest(&SHA256, crls.unwrap_or_default()).as_ref());
    made_of
}

pub(super) fn unix_time(now: Timestamp) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_millis(u64::try_from(now.as_millis()).unwrap_or(0)))
}
