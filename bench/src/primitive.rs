//! The bare primitive, in the same run: what is left when everything of ours is taken away.

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA512, RSA_PSS_SHA512, RsaKeyPair, VerificationAlgorithm,
};
use countersign::Algorithm;

use crate::message::Pair;

/// A verifying key of the provider, parsed once.
pub enum Primitive {
    /// A public key.
    Public(ParsedPublicKey),
    /// A shared secret.
    Mac(hmac::Key),
}

impl Primitive {
    /// The one of this pair.
    #[must_use]
    pub fn new(pair: &Pair) -> Self {
        let with: &'static dyn VerificationAlgorithm = match pair.algorithm {
            Algorithm::HmacSha256 => return Self::Mac(hmac::Key::new(hmac::HMAC_SHA256, pair.private.as_bytes())),
            Algorithm::Ed25519 => &ED25519,
            Algorithm::EcdsaP256Sha256 => &ECDSA_P256_SHA256_FIXED,
            Algorithm::RsaPssSha512 => &RSA_PSS_2048_8192_SHA512,
            Algorithm::RsaPssSha256 => &RSA_PSS_2048_8192_SHA256,
            Algorithm::RsaV15Sha256 => &RSA_PKCS1_2048_8192_SHA256,
            other => panic!("{other} is not measured"),
        };
        let der = pem::parse(&pair.public).expect("a PEM file");
        Self::Public(ParsedPublicKey::new(with, der.contents()).expect("a public key"))
    }

    /// Checks a signature.
    pub fn check(&self, signed: &[u8], signature: &[u8]) {
        match self {
            Self::Public(key) => key.verify_sig(signed, signature).expect("the signature holds"),
            Self::Mac(key) => hmac::verify(key, signed, signature).expect("the MAC holds"),
        }
    }
}

/// An RSA key of the provider that signs with PSS and SHA-512.
pub struct RsaSigner(RsaKeyPair);

impl RsaSigner {
    /// The one of this pair.
    #[must_use]
    pub fn new(pair: &Pair) -> Self {
        let der = pem::parse(&pair.private).expect("a PEM file");
        Self(RsaKeyPair::from_pkcs8(der.contents()).expect("an RSA key"))
    }

    /// Signs.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let mut signature = vec![0; self.0.public_modulus_len()];
        self.0.sign(&RSA_PSS_SHA512, &SystemRandom::new(), message, &mut signature).expect("a signature");
        signature
    }
}
