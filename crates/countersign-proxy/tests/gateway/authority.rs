//! Authorities, certificates and revocation lists, made for one test.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SanType, SerialNumber,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// A certificate authority.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    der: CertificateDer<'static>,
}

/// A certificate with its key.
pub(crate) struct Issued {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    key: Vec<u8>,
}

/// What a certificate is to say.
pub(crate) struct Wanted {
    /// Common name.
    pub(crate) name: &'static str,
    pub(crate) serial: u8,
    pub(crate) purpose: ExtendedKeyUsagePurpose,
    /// From and until, in seconds from now.
    pub(crate) validity: (i64, i64),
}

impl Default for Wanted {
    fn default() -> Self {
        Self { name: "acme", serial: 7, purpose: ExtendedKeyUsagePurpose::ClientAuth, validity: (-3600, 3600) }
    }
}

fn from_now(seconds: i64) -> SystemTime {
    let moved = Duration::from_secs(seconds.unsigned_abs());
    let now = SystemTime::now();
    if seconds < 0 { now - moved } else { now + moved }
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().unwrap();
        let der = params.self_signed(&key).unwrap().der().clone();
        Self { issuer: Issuer::new(params, key), der }
    }

    /// A certificate for a caller.
    pub(crate) fn client(&self, wanted: Wanted) -> Issued {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, wanted.name);
        self.issue(params, wanted)
    }

    /// The certificate of a gateway at `api.test`.
    pub(crate) fn server(&self) -> Issued {
        let mut params = CertificateParams::default();
        params.subject_alt_names =
            vec![SanType::DnsName("api.test".try_into().unwrap()), SanType::IpAddress([127, 0, 0, 1].into())];
        self.issue(params, Wanted { purpose: ExtendedKeyUsagePurpose::ServerAuth, ..Wanted::default() })
    }

    fn issue(&self, mut params: CertificateParams, wanted: Wanted) -> Issued {
        params.serial_number = Some(SerialNumber::from(vec![wanted.serial]));
        params.extended_key_usages = vec![wanted.purpose];
        params.not_before = from_now(wanted.validity.0).into();
        params.not_after = from_now(wanted.validity.1).into();
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Issued { chain: vec![certificate.der().clone()], key: key.serialize_der() }
    }

    /// A revocation list of these serials, of `issued` seconds from now, that ends `ends` seconds from now.
    pub(crate) fn crl(&self, revoked: &[u8], issued: i64, ends: i64) -> Vec<u8> {
        self.crl_numbered(7, revoked, issued, ends)
    }

    /// The same under a number of one's own.
    pub(crate) fn crl_numbered(&self, number: u8, revoked: &[u8], issued: i64, ends: i64) -> Vec<u8> {
        let revoked = revoked.iter().map(|serial| RevokedCertParams {
            serial_number: SerialNumber::from(vec![*serial]),
            revocation_time: from_now(issued).into(),
            reason_code: None,
            invalidity_date: None,
        });
        let params = CertificateRevocationListParams {
            this_update: from_now(issued).into(),
            next_update: from_now(ends).into(),
            crl_number: SerialNumber::from(vec![number]),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.issuer).unwrap().der().to_vec()
    }

    pub(crate) fn pem(&self) -> String {
        pem("CERTIFICATE", &self.der)
    }

    pub(crate) fn der(&self) -> CertificateDer<'static> {
        self.der.clone()
    }
}

impl Issued {
    pub(crate) fn key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.clone()).into()
    }

    pub(crate) fn certificate_pem(&self) -> String {
        self.chain.iter().map(|certificate| pem("CERTIFICATE", certificate)).collect()
    }

    pub(crate) fn key_pem(&self) -> String {
        pem("PRIVATE KEY", &self.key)
    }

    /// Writes `NAME.pem` and `NAME.key`.
    pub(crate) fn write(&self, dir: &Path, name: &str) -> (PathBuf, PathBuf) {
        let (certificate, key) = (dir.join(format!("{name}.pem")), dir.join(format!("{name}.key")));
        std::fs::write(&certificate, self.certificate_pem()).unwrap();
        std::fs::write(&key, self.key_pem()).unwrap();
        (certificate, key)
    }
}

pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}
