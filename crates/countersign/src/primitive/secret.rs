use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    Ed25519KeyPair, KeyPair, ML_DSA_44_SIGNING, ML_DSA_65_SIGNING, ML_DSA_87_SIGNING, PqdsaKeyPair,
    PqdsaSigningAlgorithm, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RSA_PSS_SHA512, RsaKeyPair,
};
use zeroize::Zeroizing;

use crate::algorithm::Algorithm;
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
    /// From PKCS#8 (RFC 5958) in DER; the kind of key is what its material says.
    pub(crate) fn from_pkcs8(der: &[u8]) -> Result<Self, InvalidKey> {
        if let Ok(key) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der) {
            return Ok(Self::Ed25519(key));
        }
        if let Ok(key) = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der) {
            return Ok(Self::P256(key));
        }
        if let Ok(key) = EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, der) {
            return Ok(Self::P384(key));
        }
        if let Ok(key) = RsaKeyPair::from_pkcs8(der) {
            return Ok(Self::Rsa(key));
        }
        for algorithm in [Algorithm::MlDsa44, Algorithm::MlDsa65, Algorithm::MlDsa87] {
            if let Some(with) = ml_dsa(algorithm)
                && let Ok(key) = PqdsaKeyPair::from_pkcs8(with, der)
            {
                return Ok(Self::MlDsa(algorithm, key));
            }
        }
        Err(InvalidKey("the private key is none of Ed25519, P-256, P-384, RSA of 2048 to 8192 bits, ML-DSA"))
    }

    /// From an RSAPrivateKey (RFC 8017 §A.1.2) in DER, as `openssl genrsa -traditional` writes it.
    pub(crate) fn from_pkcs1(der: &[u8]) -> Result<Self, InvalidKey> {
        RsaKeyPair::from_der(der).map(Self::Rsa).map_err(|_| InvalidKey("the RSA key is not one of 2048 to 8192 bits"))
    }

    /// From an ECPrivateKey (RFC 5915) in DER, as `openssl ecparam -genkey` writes it.
    pub(crate) fn from_sec1(der: &[u8]) -> Result<Self, InvalidKey> {
        let with = |curve: &'static EcdsaSigningAlgorithm| EcdsaKeyPair::from_private_key_der(curve, der);
        if let Ok(key) = with(&ECDSA_P256_SHA256_FIXED_SIGNING) {
            return Ok(Self::P256(key));
        }
        with(&ECDSA_P384_SHA384_FIXED_SIGNING)
            .map(Self::P384)
            .map_err(|_| InvalidKey("the EC key is not on P-256 or P-384"))
    }

    /// From the bytes of a shared secret.
    pub(crate) fn from_secret(secret: &[u8]) -> Result<Self, InvalidKey> {
        if secret.len() < 16 {
            return Err(InvalidKey("a shared secret has at least 16 bytes"));
        }
        Ok(Self::Mac(hmac::Key::new(hmac::HMAC_SHA256, secret)))
    }

    /// A new key and its PKCS#8 form in DER. `rsa_bits` is 2048, 3072, 4096 or 8192.
    pub(crate) fn generate(algorithm: Algorithm, rsa_bits: u32) -> Result<Zeroizing<Vec<u8>>, InvalidKey> {
        const FAILED: InvalidKey = InvalidKey("the key could not be generated");
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
                    _ => return Err(InvalidKey("an RSA key has 2048, 3072, 4096 or 8192 bits")),
                };
                let key = RsaKeyPair::generate(size).map_err(|_| FAILED)?;
                AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&key).map_err(|_| FAILED)?.as_ref().to_vec()
            }
            Algorithm::MlDsa44 | Algorithm::MlDsa65 | Algorithm::MlDsa87 => {
                let with = ml_dsa(algorithm).ok_or(FAILED)?;
                PqdsaKeyPair::generate(with).and_then(|key| key.to_pkcs8v1()).map_err(|_| FAILED)?.as_ref().to_vec()
            }
            Algorithm::HmacSha256 => return Err(InvalidKey("a shared secret has no PKCS#8 form")),
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
