//! What a certificate says. Whether it is to be believed is rustls' to judge.

use countersign::Timestamp;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// What is read of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Certificate {
    /// For people.
    pub(super) subject: String,
    /// The subject, as CRLs name their issuer.
    pub(super) raw_subject: Vec<u8>,
    pub(super) not_before: Timestamp,
    pub(super) not_after: Timestamp,
    /// The one partner that it names.
    pub(super) partner: Option<String>,
}

impl Certificate {
    /// Reads a certificate.
    ///
    /// # Errors
    /// In words where it is none.
    pub(super) fn read(der: &[u8]) -> Result<Self, String> {
        let (rest, certificate) = X509Certificate::from_der(der).map_err(|fault| fault.to_string())?;
        if !rest.is_empty() {
            return Err("there is something behind the certificate".to_owned());
        }
        let validity = certificate.validity();
        Ok(Self {
            subject: certificate.subject().to_string(),
            raw_subject: certificate.subject().as_raw().to_vec(),
            not_before: Timestamp::from_secs(validity.not_before.timestamp()),
            not_after: Timestamp::from_secs(validity.not_after.timestamp()),
            partner: partner(&certificate),
        })
    }
}

/// The partner that a certificate names: by one URI `urn:countersign:partner:NAME` among its alternative names, or, where it
/// has no such URI, by the one common name of its subject. Two names are none: whoever reads one of them may read the other.
fn partner(certificate: &X509Certificate<'_>) -> Option<String> {
    let alternative = certificate.subject_alternative_name().ok()?;
    let names = alternative.iter().flat_map(|names| &names.value.general_names);
    let mut partners = names.filter_map(|name| match name {
        GeneralName::URI(uri) => uri.strip_prefix(PARTNER),
        _ => None,
    });
    match (partners.next(), partners.next()) {
        (Some(partner), None) => return Some(partner.to_owned()),
        (Some(_), Some(_)) => return None,
        (None, _) => {}
    }
    let mut names = certificate.subject().iter_common_name();
    match (names.next(), names.next()) {
        (Some(name), None) => name.as_str().ok().map(str::to_owned),
        _ => None,
    }
}

const PARTNER: &str = "urn:countersign:partner:";

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    use super::*;

    fn named(names: &[&str], uris: &[&str]) -> Option<String> {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        for (at, name) in names.iter().enumerate() {
            // A second common name has to be spelled by its number, since names are kept by their type.
            let kind = if at == 0 { DnType::CommonName } else { DnType::CustomDnType(vec![2, 5, 4, 3]) };
            params.distinguished_name.push(kind, *name);
        }
        params.subject_alt_names = uris.iter().map(|uri| SanType::URI((*uri).try_into().unwrap())).collect();
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        Certificate::read(certificate.der()).unwrap().partner
    }

    #[test]
    fn a_certificate_names_one_partner_or_none() {
        assert_eq!(named(&["acme"], &[]).as_deref(), Some("acme"));
        assert_eq!(named(&["Client 7"], &["urn:countersign:partner:acme"]).as_deref(), Some("acme"));
        assert_eq!(named(&["acme"], &["https://acme.example"]).as_deref(), Some("acme"));
        assert_eq!(named(&["acme"], &["urn:countersign:partner:acme", "urn:countersign:partner:other"]), None);
        assert_eq!(named(&["acme", "other"], &[]), None);
        assert_eq!(named(&[], &[]), None);
    }

    #[test]
    fn a_name_is_taken_as_it_is_spelled() {
        assert_eq!(named(&[], &["urn:countersign:partner:Acme"]).as_deref(), Some("Acme"));
        assert_eq!(named(&["acme\0.other"], &[]).as_deref(), Some("acme\0.other"));
        assert_eq!(named(&["x"], &["URN:countersign:partner:acme"]).as_deref(), Some("x"));
    }

    #[test]
    fn what_is_no_certificate_is_none() {
        assert!(Certificate::read(b"").is_err());
        assert!(Certificate::read(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]).is_err());
        let certificate = CertificateParams::default().self_signed(&KeyPair::generate().unwrap()).unwrap();
        let longer = [certificate.der().as_ref(), b"x"].concat();
        assert!(Certificate::read(&longer).is_err());
    }
}
