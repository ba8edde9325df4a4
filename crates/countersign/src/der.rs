//! The forms in which keys are kept in DER: which one a file is, of what kind the key is, and the bytes that stand before a
//! bare key. Only as much is read as it takes to say so; the primitives parse the key itself.

use crate::algorithm::Algorithm;

/// What a file in DER is. None of them has a byte behind its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form<'a> {
    /// SubjectPublicKeyInfo, RFC 5280 §4.1.2.7, and the bytes of its key.
    Spki(Kind, &'a [u8]),
    /// RSAPublicKey, RFC 8017 §A.1.1.
    RsaPublic,
    /// OneAsymmetricKey, RFC 5958 §2, and the bytes of its key.
    Pkcs8(Kind, &'a [u8]),
    /// RSAPrivateKey, RFC 8017 §A.1.2.
    RsaPrivate,
    /// ECPrivateKey, RFC 5915 §3.
    EcPrivate,
    /// EncryptedPrivateKeyInfo, RFC 5958 §3.
    Encrypted,
    /// Certificate, RFC 5280 §4.1.
    Certificate,
}

impl<'a> Form<'a> {
    /// `None` where `der` is none of these as a whole. That a secret of random bytes reads as one is out of the question.
    pub(crate) fn of(der: &'a [u8]) -> Option<Self> {
        let mut file = Reader(der);
        let outer = Reader(file.take(SEQUENCE)?);
        file.end()?;
        match outer.peek()? {
            SEQUENCE => Self::beginning_with_sequence(outer),
            INTEGER => Self::beginning_with_integer(outer),
            _ => None,
        }
    }

    fn beginning_with_sequence(mut outer: Reader<'a>) -> Option<Self> {
        let inner = outer.take(SEQUENCE)?;
        match outer.peek()? {
            BIT_STRING => {
                let kind = Kind::of(inner)?;
                let (unused, key) = outer.take(BIT_STRING)?.split_first()?;
                outer.end()?;
                (*unused == 0).then_some(Self::Spki(kind, key))
            }
            OCTET_STRING => {
                outer.take(OCTET_STRING)?;
                outer.end()?;
                Some(Self::Encrypted)
            }
            SEQUENCE => {
                outer.take(SEQUENCE)?;
                outer.take(BIT_STRING)?;
                outer.end()?;
                Some(Self::Certificate)
            }
            _ => None,
        }
    }

    fn beginning_with_integer(mut outer: Reader<'a>) -> Option<Self> {
        let first = outer.take(INTEGER)?;
        match (outer.peek()?, first) {
            (SEQUENCE, [0 | 1]) => {
                let kind = Kind::of(outer.take(SEQUENCE)?)?;
                Some(Self::Pkcs8(kind, outer.take(OCTET_STRING)?))
            }
            (OCTET_STRING, [1]) => Some(Self::EcPrivate),
            (INTEGER, _) => {
                outer.take(INTEGER)?;
                if outer.end().is_some() {
                    return Some(Self::RsaPublic);
                }
                // Version, n, e, d, p, q, dp, dq, qi.
                (0..7).try_for_each(|_| outer.take(INTEGER).map(drop))?;
                outer.end().map(|()| Self::RsaPrivate)
            }
            _ => None,
        }
    }

    /// In words, behind "found".
    pub(crate) fn name(self) -> String {
        match self {
            Self::Spki(kind, _) => format!("{} public key", kind.name()),
            Self::RsaPublic => "an RSA public key".to_owned(),
            Self::Pkcs8(kind, _) => format!("{} private key", kind.name()),
            Self::RsaPrivate => "an RSA private key".to_owned(),
            Self::EcPrivate => "an EC private key".to_owned(),
            Self::Encrypted => "an encrypted private key".to_owned(),
            Self::Certificate => "a certificate".to_owned(),
        }
    }
}

/// Of what kind a key is, by its AlgorithmIdentifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Rsa,
    /// `id-RSASSA-PSS` (RFC 8017 §A.2.3) without parameters: RSA, but never for PKCS#1 v1.5.
    RsaPss,
    P256,
    P384,
    Ed25519,
    MlDsa44,
    MlDsa65,
    MlDsa87,
    /// A key that we know by name only.
    Other(&'static str),
}

impl Kind {
    /// Reads the content of an AlgorithmIdentifier, RFC 5280 §4.1.1.2.
    fn of(identifier: &[u8]) -> Option<Self> {
        let mut identifier = Reader(identifier);
        let oid = identifier.take(OID)?;
        let parameters = identifier.0;
        Some(match oid {
            RSA => Self::Rsa,
            RSASSA_PSS if parameters.is_empty() => Self::RsaPss,
            RSASSA_PSS => Self::Other("an RSASSA-PSS (with parameters)"),
            EC => match Reader(parameters).take(OID) {
                Some(P256) => Self::P256,
                Some(P384) => Self::P384,
                Some(P521) => Self::Other("a P-521"),
                Some(SECP256K1) => Self::Other("a secp256k1"),
                _ => Self::Other("an EC (on another curve)"),
            },
            ED25519 => Self::Ed25519,
            X25519 => Self::Other("an X25519"),
            X448 => Self::Other("an X448"),
            ED448 => Self::Other("an Ed448"),
            DSA => Self::Other("a DSA"),
            _ => match oid.split_last() {
                Some((0x11, ML_DSA)) => Self::MlDsa44,
                Some((0x12, ML_DSA)) => Self::MlDsa65,
                Some((0x13, ML_DSA)) => Self::MlDsa87,
                _ => Self::Other("an unknown"),
            },
        })
    }

    /// The kind of key that an algorithm takes; `None` for a shared secret.
    pub(crate) const fn for_algorithm(algorithm: Algorithm) -> Option<Self> {
        Some(match algorithm {
            Algorithm::Ed25519 => Self::Ed25519,
            Algorithm::EcdsaP256Sha256 => Self::P256,
            Algorithm::EcdsaP384Sha384 => Self::P384,
            Algorithm::RsaPssSha512 | Algorithm::RsaV15Sha256 | Algorithm::RsaPssSha256 => Self::Rsa,
            Algorithm::MlDsa44 => Self::MlDsa44,
            Algorithm::MlDsa65 => Self::MlDsa65,
            Algorithm::MlDsa87 => Self::MlDsa87,
            Algorithm::HmacSha256 => return None,
        })
    }

    /// In words, with the article that stands before "public key".
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Rsa => "an RSA",
            Self::RsaPss => "an RSASSA-PSS",
            Self::P256 => "a P-256",
            Self::P384 => "a P-384",
            Self::Ed25519 => "an Ed25519",
            Self::MlDsa44 => "an ML-DSA-44",
            Self::MlDsa65 => "an ML-DSA-65",
            Self::MlDsa87 => "an ML-DSA-87",
            Self::Other(name) => name,
        }
    }

    /// A SubjectPublicKeyInfo around the bytes of a key that has one fixed length; `None` for every other.
    pub(crate) fn spki(self, key: &[u8]) -> Option<Vec<u8>> {
        let (before, length): (&[u8], usize) = match self {
            Self::Ed25519 => (&SPKI_ED25519, 32),
            Self::P256 => (&SPKI_P256, 65),
            Self::P384 => (&SPKI_P384, 97),
            Self::MlDsa44 => (&spki_ml_dsa([0x05, 0x32], 0x11, [0x05, 0x21]), 1312),
            Self::MlDsa65 => (&spki_ml_dsa([0x07, 0xb2], 0x12, [0x07, 0xa1]), 1952),
            Self::MlDsa87 => (&spki_ml_dsa([0x0a, 0x32], 0x13, [0x0a, 0x21]), 2592),
            Self::Rsa | Self::RsaPss | Self::Other(_) => return None,
        };
        (key.len() == length).then(|| [before, key].concat())
    }
}

/// Reads one element after the other. Lengths are definite, and in their shortest form (X.690 §10.1).
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.0.first().copied()
    }

    fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (&[found, first], rest) = self.0.split_first_chunk()?;
        if found != tag {
            return None;
        }
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81 => {
                let (&[a], rest) = rest.split_first_chunk()?;
                (usize::from(a).checked_sub(0x80)? + 0x80, rest)
            }
            0x82 => {
                let (&[a, b], rest) = rest.split_first_chunk()?;
                (usize::from(u16::from_be_bytes([a, b])).checked_sub(0x100)? + 0x100, rest)
            }
            _ => return None,
        };
        let content = rest.get(..length)?;
        self.0 = &rest[length..];
        Some(content)
    }

    fn end(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OID: u8 = 0x06;
const SEQUENCE: u8 = 0x30;

// RFC 8017 §A, RFC 5480 §2.1.1, RFC 8410 §3, RFC 3279 §2.3.2.
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const RSASSA_PSS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a];
const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const P384: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
const P521: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x23];
const SECP256K1: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x0a];
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
const X25519: &[u8] = &[0x2b, 0x65, 0x6e];
const X448: &[u8] = &[0x2b, 0x65, 0x6f];
const ED448: &[u8] = &[0x2b, 0x65, 0x71];
const DSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x38, 0x04, 0x01];
/// RFC 9881 §2, up to the parameter set.
const ML_DSA: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03];

/// RFC 8410 §4.
const SPKI_ED25519: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// RFC 5480 §2, to the point.
const SPKI_P256: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
const SPKI_P384: [u8; 23] = [
    0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00,
    0x22, 0x03, 0x62, 0x00,
];

/// RFC 9881 §4: lengths of the whole and of the key, and the last byte of the OID.
const fn spki_ml_dsa(whole: [u8; 2], set: u8, key: [u8; 2]) -> [u8; 22] {
    [
        0x30, 0x82, whole[0], whole[1], 0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, set,
        0x03, 0x82, key[0], key[1], 0x00,
    ]
}
