use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPairComponents, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    Ed25519KeyPair, KeyPair, ML_DSA_44_SIGNING, ML_DSA_65_SIGNING, ML_DSA_87_SIGNING, PqdsaKeyPair,
    PqdsaSigningAlgorithm, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RSA_PSS_SHA512, RsaKeyPair, RsaPublicKeyComponents,
};
use zeroize::Zeroizing;

use crate::algorithm::Algorithm;
use crate::der::Kind;
use crate::key::InvalidKey;

/// The signing half of a key. What it can be used for is decided by its material.
pub(crate) enum Secret {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
    Rsa(RsaKeyPair),
    MlDsa(Algorithm, PqdsaKeyPair),
    Mac(hmac::Key),
}

impl Secret {
    /// From PKCS#8 (RFC 5958) in DER, for a key that says it is of this kind.
    pub(crate) fn from_pkcs8(kind: Kind, der: &[u8]) -> Result<Self, InvalidKey> {
        let secret = match kind {
            Kind::Ed25519 => Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map(Self::Ed25519).ok(),
            Kind::P256 => EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der).map(Self::P256).ok(),
            Kind::P384 => EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, der).map(Self::P384).ok(),
            Kind::Rsa => return RsaKeyPair::from_pkcs8(der).map(Self::Rsa).map_err(|_| BAD_RSA),
            Kind::MlDsa44 | Kind::MlDsa65 | Kind::MlDsa87 => ml_dsa_of(kind).and_then(|(algorithm, with)| {
                PqdsaKeyPair::from_pkcs8(with, der).map(|key| Self::MlDsa(algorithm, key)).ok()
            }),
            Kind::RsaPss | Kind::Other(_) => None,
        };
        secret.ok_or_else(|| broken(kind))
    }

    /// From an RSAPrivateKey (RFC 8017 §A.1.2) in DER, as `openssl genrsa -traditional` writes it.
    pub(crate) fn from_pkcs1(der: &[u8]) -> Result<Self, InvalidKey> {
        RsaKeyPair::from_der(der).map(Self::Rsa).map_err(|_| BAD_RSA)
    }

    /// From an ECPrivateKey (RFC 5915) in DER, as `openssl ecparam -genkey` writes it.
    pub(crate) fn from_sec1(der: &[u8]) -> Result<Self, InvalidKey> {
        let with = |curve: &'static EcdsaSigningAlgorithm| EcdsaKeyPair::from_private_key_der(curve, der);
        if let Ok(key) = with(&ECDSA_P256_SHA256_FIXED_SIGNING) {
            return Ok(Self::P256(key));
        }
        with(&ECDSA_P384_SHA384_FIXED_SIGNING)
            .map(Self::P384)
            .map_err(|_| InvalidKey::new("the EC key is not on P-256 or P-384"))
    }

    /// From the numbers of an RSA key, big-endian. They have to fit each other.
    pub(crate) fn from_rsa_parts(parts: &RsaParts<'_>) -> Result<Self, InvalidKey> {
        RsaKeyPair::from_components(&KeyPairComponents {
            public_key: RsaPublicKeyComponents { n: parts.n, e: parts.e },
            d: parts.d,
            p: parts.p,
            q: parts.q,
            dP: parts.dp,
            dQ: parts.dq,
            qInv: parts.qi,
        })
        .map(Self::Rsa)
        .map_err(|_| BAD_RSA)
    }

    /// From the scalar of an EC key and its uncompressed point, which has to be that of the scalar.
    pub(crate) fn from_ec_scalar(kind: Kind, scalar: &[u8], point: &[u8]) -> Result<Self, InvalidKey> {
        let (with, secret): (_, fn(EcdsaKeyPair) -> Self) = match kind {
            Kind::P256 if scalar.len() == 32 => (&ECDSA_P256_SHA256_FIXED_SIGNING, Self::P256),
            Kind::P384 if scalar.len() == 48 => (&ECDSA_P384_SHA384_FIXED_SIGNING, Self::P384),
            _ => return Err(broken(kind)),
        };
        EcdsaKeyPair::from_private_key_and_public_key(with, scalar, point).map(secret).map_err(|_| broken(kind))
    }

    /// From an Ed25519 private key as RFC 8032 §5.1.5 has it, and the public key that has to be its.
    pub(crate) fn from_ed25519_seed(seed: &[u8], public: &[u8]) -> Result<Self, InvalidKey> {
        if seed.len() != 32 {
            return Err(broken(Kind::Ed25519));
        }
        Ed25519KeyPair::from_seed_and_public_key(seed, public).map(Self::Ed25519).map_err(|_| broken(Kind::Ed25519))
    }

    /// From the 32 bytes that FIPS 204 §6.1 makes an ML-DSA key of.
    pub(crate) fn from_ml_dsa_seed(kind: Kind, seed: &[u8]) -> Result<Self, InvalidKey> {
        ml_dsa_of(kind)
            .and_then(|(algorithm, with)| Some(Self::MlDsa(algorithm, PqdsaKeyPair::from_seed(with, seed).ok()?)))
            .ok_or_else(|| broken(kind))
    }

    /// From the bytes of a shared secret.
    pub(crate) fn from_secret(secret: &[u8]) -> Result<Self, InvalidKey> {
        if secret.len() < 16 {
            return Err(InvalidKey::new("a shared secret has at least 16 bytes"));
        }
        Ok(Self::Mac(hmac::Key::new(hmac::HMAC_SHA256, secret)))
    }

    /// A new key and its PKCS#8 form in DER. `rsa_bits` is 2048, 3072, 4096 or 8192.
    pub(crate) fn generate(algorithm: Algorithm, rsa_bits: u32) -> Result<Zeroizing<Vec<u8>>, InvalidKey> {
        const FAILED: InvalidKey = InvalidKey::new("the key could not be generated");
        let der = match algorithm {
            Algorithm::Ed25519 => {
                Ed25519KeyPair::generate().and_then(|key| key.to_pkcs8v1()).map_err(|_| FAILED)?.as_ref().to_vec()
            }
            Algorithm::EcdsaP256Sha256 => generate_ec(&ECDSA_P256_SHA256_FIXED_SIGNING).ok_or(FAILED)?,
            Algorithm::EcdsaP384Sha384 => generate_ec(&ECDSA_P384_SHA384_FIXED_SIGNING).ok_or(FAILED)?,
            Algorithm::RsaPssSha512 | Algorithm::RsaV15Sha256 | Algorithm::RsaPssSha256 => {
                let size = match rsa_bits {
                    2048 => KeySize::Rsa2048,
                    3072 => KeySize::Rsa3072,
                    4096 => KeySize::Rsa4096,
                    8192 => KeySize::Rsa8192,
                    _ => return Err(InvalidKey::new("an RSA key has 2048, 3072, 4096 or 8192 bits")),
                };
                let key = RsaKeyPair::generate(size).map_err(|_| FAILED)?;
                AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&key).map_err(|_| FAILED)?.as_ref().to_vec()
            }
            Algorithm::MlDsa44 | Algorithm::MlDsa65 | Algorithm::MlDsa87 => {
                let with = ml_dsa(algorithm).ok_or(FAILED)?;
                PqdsaKeyPair::generate(with).and_then(|key| key.to_pkcs8v1()).map_err(|_| FAILED)?.as_ref().to_vec()
            }
            Algorithm::HmacSha256 => return Err(InvalidKey::new("a shared secret has no PKCS#8 form")),
        };
        Ok(Zeroizing::new(der))
    }

    /// Whether this material can sign with `algorithm`.
    pub(crate) fn can(&self, algorithm: Algorithm) -> bool {
        match self {
            Self::Ed25519(_) => algorithm == Algorithm::Ed25519,
            Self::P256(_) => algorithm == Algorithm::EcdsaP256Sha256,
            Self::P384(_) => algorithm == Algorithm::EcdsaP384Sha384,
            Self::Rsa(_) => {
                matches!(algorithm, Algorithm::RsaPssSha512 | Algorithm::RsaV15Sha256 | Algorithm::RsaPssSha256)
            }
            Self::MlDsa(set, _) => algorithm == *set,
            Self::Mac(_) => algorithm == Algorithm::HmacSha256,
        }
    }

    /// What it is, in words.
    pub(crate) fn name(&self) -> String {
        let kind = match self {
            Self::Ed25519(_) => Kind::Ed25519,
            Self::P256(_) => Kind::P256,
            Self::P384(_) => Kind::P384,
            Self::Rsa(_) => Kind::Rsa,
            Self::MlDsa(algorithm, _) => Kind::for_algorithm(*algorithm).unwrap_or(Kind::Other("an ML-DSA")),
            Self::Mac(_) => return "a shared secret".to_owned(),
        };
        format!("{} private key", kind.name())
    }

    /// The SubjectPublicKeyInfo in DER, or `None` for a shared secret.
    pub(crate) fn spki(&self) -> Option<Vec<u8>> {
        type Spki<'a> = aws_lc_rs::encoding::PublicKeyX509Der<'a>;
        let der: Spki<'_> = match self {
            Self::Ed25519(key) => key.public_key().as_der(),
            Self::P256(key) | Self::P384(key) => AsDer::<Spki<'_>>::as_der(key.public_key()),
            Self::Rsa(key) => AsDer::<Spki<'_>>::as_der(key.public_key()),
            Self::MlDsa(_, key) => AsDer::<Spki<'_>>::as_der(key.public_key()),
            Self::Mac(_) => return None,
        }
        .ok()?;
        Some(der.as_ref().to_vec())
    }

    /// Signs `message` with `algorithm`; `None` where the material can't or the library fails. Deterministic for Ed25519,
    /// PKCS#1 v1.5 and HMAC; ECDSA, PSS and ML-DSA draw their own randomness from the provider.
    pub(crate) fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Option<Vec<u8>> {
        if !self.can(algorithm) {
            return None;
        }
        let random = SystemRandom::new();
        match self {
            Self::Ed25519(key) => key.try_sign(message).ok().map(|signature| signature.as_ref().to_vec()),
            Self::P256(key) | Self::P384(key) => {
                key.sign(&random, message).ok().map(|signature| signature.as_ref().to_vec())
            }
            Self::Rsa(key) => {
                let encoding: &'static dyn aws_lc_rs::signature::RsaEncoding = match algorithm {
                    Algorithm::RsaPssSha512 => &RSA_PSS_SHA512,
                    Algorithm::RsaPssSha256 => &RSA_PSS_SHA256,
                    _ => &RSA_PKCS1_SHA256,
                };
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(encoding, &random, message, &mut signature).ok()?;
                Some(signature)
            }
            Self::MlDsa(_, key) => {
                let mut signature = vec![0; key.algorithm().signature_len()];
                let length = key.sign(message, &mut signature).ok()?;
                signature.truncate(length);
                Some(signature)
            }
            Self::Mac(key) => Some(hmac::sign(key, message).as_ref().to_vec()),
        }
    }
}

/// The numbers of an RSA private key, RFC 8017 §3.2.
pub(crate) struct RsaParts<'a> {
    pub(crate) n: &'a [u8],
    pub(crate) e: &'a [u8],
    pub(crate) d: &'a [u8],
    pub(crate) p: &'a [u8],
    pub(crate) q: &'a [u8],
    pub(crate) dp: &'a [u8],
    pub(crate) dq: &'a [u8],
    pub(crate) qi: &'a [u8],
}

const BAD_RSA: InvalidKey = InvalidKey::new(
    "found an RSA private key that is broken or of another size; wanted a whole one of 2048 to 8192 bits",
);

fn broken(kind: Kind) -> InvalidKey {
    InvalidKey::found(
        format_args!("{} private key that is broken", kind.name()),
        "one whose parts are whole, and fit each other",
    )
}

fn ml_dsa_of(kind: Kind) -> Option<(Algorithm, &'static PqdsaSigningAlgorithm)> {
    let algorithms = [Algorithm::MlDsa44, Algorithm::MlDsa65, Algorithm::MlDsa87];
    let algorithm = algorithms.into_iter().find(|algorithm| Kind::for_algorithm(*algorithm) == Some(kind))?;
    Some((algorithm, ml_dsa(algorithm)?))
}

fn ml_dsa(algorithm: Algorithm) -> Option<&'static PqdsaSigningAlgorithm> {
    match algorithm {
        Algorithm::MlDsa44 => Some(&ML_DSA_44_SIGNING),
        Algorithm::MlDsa65 => Some(&ML_DSA_65_SIGNING),
        Algorithm::MlDsa87 => Some(&ML_DSA_87_SIGNING),
        _ => None,
    }
}

fn generate_ec(curve: &'static EcdsaSigningAlgorithm) -> Option<Vec<u8>> {
    let key = EcdsaKeyPair::generate(curve).ok()?;
    Some(key.to_pkcs8v1().ok()?.as_ref().to_vec())
}
