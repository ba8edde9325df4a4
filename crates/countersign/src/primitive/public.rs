use std::sync::atomic::{AtomicU8, Ordering};

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ML_DSA_44, ML_DSA_65, ML_DSA_87, ParsedPublicKey,
    RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA512, RsaParameters, RsaPssSaltLength,
    RsaPublicKeyComponents, VerificationAlgorithm,
};
use aws_lc_rs::{hmac, rsa};

use super::{HashedOnce, RunningMac};
use crate::algorithm::Algorithm;
use crate::der::{Form, Kind};
use crate::key::InvalidKey;

/// The verifying half of a key, parsed once and bound to one algorithm.
pub(crate) enum Public {
    Plain(ParsedPublicKey),
    /// One whose signatures are over a SHA-256 of what is signed.
    OverSha256(ParsedPublicKey),
    /// RSASSA-PSS with SHA-256 as senders produce it: four salt lengths, the one that held last tried first.
    AnySalt(Box<[ParsedPublicKey; 4]>, AtomicU8),
    Mac(hmac::Key),
}

impl Public {
    /// From a SubjectPublicKeyInfo (RFC 5280 §4.1.2.7) in DER.
    pub(crate) fn from_spki(algorithm: Algorithm, der: &[u8]) -> Result<Self, InvalidKey> {
        if let Some(wanted) = Kind::for_algorithm(algorithm) {
            let form = Form::of(der);
            if !matches!(form, Some(Form::Spki(kind, _)) if kind == wanted) {
                let found = form.map_or_else(|| "no SubjectPublicKeyInfo in DER".to_owned(), Form::name);
                return Err(InvalidKey::found(found, format_args!("{} public key for {algorithm}", wanted.name())));
            }
        }
        let parse = |with: &'static dyn VerificationAlgorithm| {
            ParsedPublicKey::new(with, der).map_err(|_| InvalidKey::new("the public key is not one for this algorithm"))
        };
        Ok(match algorithm {
            Algorithm::Ed25519 => {
                refuse_weak_ed25519(der)?;
                Self::Plain(parse(&ED25519)?)
            }
            Algorithm::EcdsaP256Sha256 => Self::OverSha256(parse(&ECDSA_P256_SHA256_FIXED)?),
            Algorithm::EcdsaP384Sha384 => Self::Plain(parse(&ECDSA_P384_SHA384_FIXED)?),
            Algorithm::RsaPssSha512 => {
                refuse_weak_rsa(der)?;
                Self::Plain(parse(&RSA_PSS_2048_8192_SHA512)?)
            }
            Algorithm::RsaV15Sha256 => {
                refuse_weak_rsa(der)?;
                Self::OverSha256(parse(&RSA_PKCS1_2048_8192_SHA256)?)
            }
            Algorithm::RsaPssSha256 => {
                refuse_weak_rsa(der)?;
                let [salt_32, salt_max, salt_20, salt_0] = &SALTS;
                let keys = [parse(salt_32)?, parse(salt_max)?, parse(salt_20)?, parse(salt_0)?];
                Self::AnySalt(Box::new(keys), AtomicU8::new(0))
            }
            Algorithm::MlDsa44 => Self::Plain(parse(&ML_DSA_44)?),
            Algorithm::MlDsa65 => Self::Plain(parse(&ML_DSA_65)?),
            Algorithm::MlDsa87 => Self::Plain(parse(&ML_DSA_87)?),
            Algorithm::HmacSha256 => {
                return Err(InvalidKey::new("hmac-sha256 takes a shared secret, never a public key"));
            }
        })
    }

    /// From the bytes of a shared secret, for HMAC-SHA-256 only.
    pub(crate) fn from_secret(secret: &[u8]) -> Result<Self, InvalidKey> {
        if secret.len() < 16 {
            return Err(InvalidKey::new("a shared secret has at least 16 bytes"));
        }
        Ok(Self::Mac(hmac::Key::new(hmac::HMAC_SHA256, secret)))
    }

    /// The one DER form of the SubjectPublicKeyInfo; `None` for a shared secret. Of several encodings that name one key
    /// only this is taken, since replay memory goes by the bytes.
    pub(crate) fn spki(&self) -> Option<Vec<u8>> {
        let key = match self {
            Self::Plain(key) | Self::OverSha256(key) => key,
            Self::AnySalt(keys, _) => &keys[0],
            Self::Mac(_) => return None,
        };
        let der: PublicKeyX509Der<'_> = key.as_der().ok()?;
        Some(der.as_ref().to_vec())
    }

    /// Whether `signature` is this key's over `signed`. Takes no algorithm: the key decides it. Constant time for a MAC.
    pub(crate) fn check(&self, signed: &HashedOnce, signature: &[u8]) -> bool {
        match self {
            Self::Plain(key) => key.verify_sig(signed.bytes(), signature).is_ok(),
            Self::OverSha256(key) => key.verify_digest_sig(signed.digest(), signature).is_ok(),
            Self::Mac(key) => hmac::verify(key, signed.bytes(), signature).is_ok(),
            Self::AnySalt(keys, last) => {
                let first = usize::from(last.load(Ordering::Relaxed)) % keys.len();
                let order = std::iter::once(first).chain((0..keys.len()).filter(|&at| at != first));
                for at in order {
                    if keys[at].verify_digest_sig(signed.digest(), signature).is_ok() {
                        // A hint, not a verdict: a lost update costs one more attempt.
                        last.store(u8::try_from(at).unwrap_or(0), Ordering::Relaxed);
                        return true;
                    }
                }
                false
            }
        }
    }
}

impl Public {
    /// A MAC that is computed while its message passes; `None` for what checks signatures.
    pub(crate) fn running_mac(&self) -> Option<RunningMac> {
        match self {
            Self::Mac(key) => Some(RunningMac(hmac::Context::with_key(key))),
            Self::Plain(_) | Self::OverSha256(_) | Self::AnySalt(..) => None,
        }
    }
}

/// A SubjectPublicKeyInfo of the one usual form for an RSA key that came as RSAPublicKey (RFC 8017 §A.1.1) or in another form.
pub(crate) fn rsa_spki(der: &[u8]) -> Option<Vec<u8>> {
    let key = rsa::PublicKey::from_der(der).ok()?;
    let der: PublicKeyX509Der<'_> = key.as_der().ok()?;
    Some(der.as_ref().to_vec())
}

/// The same for its modulus and exponent, big-endian without leading zeros.
pub(crate) fn rsa_spki_of(n: &[u8], e: &[u8]) -> Option<Vec<u8>> {
    let key = RsaPublicKeyComponents { n, e }.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256).ok()?;
    let der: PublicKeyX509Der<'_> = key.as_der().ok()?;
    Some(der.as_ref().to_vec())
}

/// Modulus and exponent, big-endian without leading zeros.
pub(crate) fn rsa_numbers(spki: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let key = rsa::PublicKey::from_der(spki).ok()?;
    let [n, e] = [key.modulus(), key.exponent()].map(|number| number.big_endian_without_leading_zero().to_vec());
    Some((n, e))
}

/// Salt lengths of `pki`: what is produced now, OpenSSL's old maximum, SHA-1's length by habit, and none.
static SALTS: [RsaParameters; 4] = [
    RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA256.with_pss_salt_length(RsaPssSaltLength::Max),
    RSA_PSS_2048_8192_SHA256.with_pss_salt_length(RsaPssSaltLength::Custom(20)),
    RSA_PSS_2048_8192_SHA256.with_pss_salt_length(RsaPssSaltLength::Custom(0)),
];

/// 2048 to 8192 bits, and an odd public exponent above 1: with an exponent of 1 anybody can sign.
pub(crate) fn refuse_weak_rsa(der: &[u8]) -> Result<(), InvalidKey> {
    let key = rsa::PublicKey::from_der(der).map_err(|_| InvalidKey::new("the public key is not an RSA key"))?;
    let modulus = key.modulus();
    let modulus = modulus.big_endian_without_leading_zero();
    let bits = modulus.len() * 8 - modulus.first().map_or(8, |byte| byte.leading_zeros() as usize);
    if !(2048..=8192).contains(&bits) {
        return Err(InvalidKey::new("an RSA key has 2048 to 8192 bits"));
    }
    let exponent = key.exponent();
    let exponent = exponent.big_endian_without_leading_zero();
    if exponent == [1] || exponent.last().is_none_or(|byte| byte % 2 == 0) {
        return Err(InvalidKey::new("the RSA public exponent is odd and above 1"));
    }
    Ok(())
}

/// The points of small order on edwards25519, in every encoding, the sign bit cleared: under such a key a signature can
/// be made that holds for any message.
const SMALL_ORDER: [[u8; 32]; 7] = {
    const fn filled(first: u8, middle: u8, last: u8) -> [u8; 32] {
        let mut point = [middle; 32];
        point[0] = first;
        point[31] = last;
        point
    }
    [
        filled(0x00, 0x00, 0x00),
        filled(0x01, 0x00, 0x00),
        filled(0xec, 0xff, 0x7f),
        filled(0xed, 0xff, 0x7f),
        filled(0xee, 0xff, 0x7f),
        [
            0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf,
            0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
        ],
        [
            0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20,
            0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
        ],
    ]
};

fn refuse_weak_ed25519(spki: &[u8]) -> Result<(), InvalidKey> {
    // RFC 8410: the key is the last 32 bytes of its SubjectPublicKeyInfo.
    let mut point = *spki.last_chunk::<32>().ok_or(InvalidKey::new("the public key is not an Ed25519 key"))?;
    point[31] &= 0x7f;
    if SMALL_ORDER.contains(&point) {
        return Err(InvalidKey::new("the Ed25519 key is a point of small order"));
    }
    // RFC 8032 §5.1.3: "If the resulting value is >= p, decoding fails." p is 2^255 - 19; each of these is a second spelling
    // of a smaller y, and keys are told apart by their bytes.
    if let [0xed..=0xff, middle @ .., 0x7f] = &point
        && middle.iter().all(|byte| *byte == 0xff)
    {
        return Err(InvalidKey::new("the Ed25519 key is not in its one form: its y is not below p"));
    }
    Ok(())
}
