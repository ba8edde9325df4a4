use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign::Timestamp;
use http::HeaderValue;
use rustls::pki_types::CertificateDer;

use super::certificate::Certificate;
use super::client_auth::ClientAuth;

/// The certificates that a caller showed in its handshake.
pub(crate) struct Shown {
    chain: Vec<CertificateDer<'static>>,
    partner: Option<Arc<str>>,
    header: HeaderValue,
    /// When the first of them ends.
    not_after: Timestamp,
}

impl Shown {
    /// Reads a chain that the handshake found good; `None` where the caller showed none.
    ///
    /// # Errors
    /// In words where its own certificate can't be read after all.
    pub(crate) fn read(chain: Vec<CertificateDer<'static>>) -> Result<Option<Self>, String> {
        let Some(own) = chain.first() else { return Ok(None) };
        let certificate = Certificate::read(own)?;
        // RFC 9440 §2.2: "The Client-Cert field value is the DER-encoded client certificate as a Byte Sequence".
        let header =
            HeaderValue::from_str(&format!(":{}:", STANDARD.encode(own))).map_err(|fault| fault.to_string())?;
        let others = chain.iter().skip(1).filter_map(|it| Certificate::read(it).ok()).map(|it| it.not_after);
        let not_after = others.fold(certificate.not_after, Timestamp::min);
        Ok(Some(Self { partner: certificate.partner.map(Arc::from), header, not_after, chain }))
    }

    /// The one partner that the certificate names.
    pub(crate) fn partner(&self) -> Option<Arc<str>> {
        self.partner.clone()
    }

    /// The certificate as a field of RFC 9440.
    pub(crate) fn header(&self) -> HeaderValue {
        self.header.clone()
    }

    /// Judges it by what is in force now.
    ///
    /// # Errors
    /// In words.
    pub(crate) fn judge(&self, auth: &ClientAuth, now: Timestamp) -> Result<(), String> {
        auth.judge(&self.chain, now)
    }

    /// Until when a good verdict holds, as long as nothing else changes.
    pub(crate) fn good_until(&self, auth: &ClientAuth) -> Timestamp {
        auth.next_update().map_or(self.not_after, |next| next.min(self.not_after))
    }
}
