//! Certificate revocation lists (RFC 5280 §5). They come from outside, so reading one may fail in any way but two: it can't
//! take the process down, and it can't un-revoke.

use std::panic::catch_unwind;
use std::time::Duration;

use countersign::Timestamp;
use rustls::pki_types::CertificateRevocationListDer;
use rustls::pki_types::pem::PemObject;
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::{CertificateRevocationList, FromDer};

/// One list.
#[derive(Clone, Debug)]
pub(super) struct Crl {
    pub(super) der: CertificateRevocationListDer<'static>,
    /// Whose list it is, and of which part of the certificates where it is not of all.
    scope: (Vec<u8>, Vec<u8>),
    /// For people.
    pub(super) issuer: String,
    this_update: Timestamp,
    /// Its number (RFC 5280 §5.2.3), which rises: length and bytes, without leading zeros.
    number: Option<(usize, Vec<u8>)>,
    /// Until when it says which certificates are revoked.
    pub(super) next_update: Timestamp,
}

impl Crl {
    /// The lists in a file, in PEM or as one in DER.
    ///
    /// # Errors
    /// In words where there is none, or one that can't be read: then none of them counts.
    pub(super) fn read_all(file: &[u8]) -> Result<Vec<Self>, String> {
        let lists = if file.windows(BEGIN.len()).any(|part| part == BEGIN) {
            let lists: Result<Vec<_>, _> = CertificateRevocationListDer::pem_slice_iter(file).collect();
            lists.map_err(|fault| fault.to_string())?
        } else {
            vec![CertificateRevocationListDer::from(file.to_vec())]
        };
        if lists.is_empty() {
            return Err("there is no revocation list in it".to_owned());
        }
        // RUSTSEC-2026-0104 was a panic in reading such a list.
        catch_unwind(|| lists.into_iter().map(Self::read).collect()).unwrap_or_else(|_| Err(PANICKED.to_owned()))
    }

    fn read(der: CertificateRevocationListDer<'static>) -> Result<Self, String> {
        let (rest, list) = CertificateRevocationList::from_der(&der).map_err(|fault| fault.to_string())?;
        if !rest.is_empty() {
            return Err("there is something behind the revocation list".to_owned());
        }
        let part = list
            .extensions()
            .iter()
            .find(|it| matches!(it.parsed_extension(), ParsedExtension::IssuingDistributionPoint(_)));
        let scope = (list.issuer().as_raw().to_vec(), part.map_or_else(Vec::new, |part| part.value.to_vec()));
        let issuer = list.issuer().to_string();
        let this_update = Timestamp::from_secs(list.last_update().timestamp());
        let Some(next_update) = list.next_update().map(|time| Timestamp::from_secs(time.timestamp())) else {
            return Err(format!("the list of {issuer} has no nextUpdate, so that nobody could tell when it is stale"));
        };
        let number = list.crl_number().map(|number| {
            let bytes = number.to_bytes_be();
            (bytes.len(), bytes)
        });
        Ok(Self { der, scope, issuer, this_update, number, next_update })
    }

    /// Whether it is issued by this subject.
    pub(super) fn is_of(&self, raw_subject: &[u8]) -> bool {
        self.scope.0 == raw_subject
    }

    /// From its issue to its end.
    pub(super) fn life(&self) -> Duration {
        let life = self.next_update.as_millis().saturating_sub(self.this_update.as_millis());
        Duration::from_millis(u64::try_from(life).unwrap_or(0))
    }

    pub(super) fn is_stale(&self, now: Timestamp) -> bool {
        self.next_update < now
    }
}

/// Whether the lists of now may follow on those of before.
///
/// # Errors
/// In words where one of them is older than the one in force, which would un-revoke what was revoked between the two, or has
/// ended while the one in force has not.
pub(super) fn follow(former: &[Crl], lists: &[Crl], now: Timestamp) -> Result<(), String> {
    for list in lists {
        let Some(in_force) = former.iter().find(|former| former.scope == list.scope) else { continue };
        if list.this_update < in_force.this_update {
            return Err(format!(
                "the list of {} is of {}, older than the one in force, of {}: it could un-revoke",
                list.issuer, list.this_update, in_force.this_update
            ));
        }
        // Issued later, and counted from before: its authority forgot what it had revoked.
        if list.number.is_some() && list.number < in_force.number {
            return Err(format!(
                "the list of {} has a lower number than the one in force: it could un-revoke",
                list.issuer
            ));
        }
        if list.is_stale(now) && !in_force.is_stale(now) {
            return Err(format!("the list of {} has ended at {}", list.issuer, list.next_update));
        }
    }
    Ok(())
}

const BEGIN: &[u8] = b"-----BEGIN ";
pub(super) const PANICKED: &str = "reading the revocation list failed in a way that should not be; it is not taken";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_list_is_refused_and_takes_nothing_down() {
        let deep = vec![0x30; 100_000];
        let garbage: [&[u8]; 6] = [
            b"",
            b"-----BEGIN X509 CRL-----\nMII",
            b"-----BEGIN X509 CRL-----\n!!!!\n-----END X509 CRL-----\n",
            b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
            &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 0x30],
            &deep,
        ];
        for file in garbage {
            assert!(Crl::read_all(file).is_err());
        }
    }
}
