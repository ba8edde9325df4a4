//! The bare primitive, in the same run: what is left when everything of ours is taken away.

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA512, VerificationAlgorithm,
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
    ///
    /// # Panics
    /// Where it is no key, or of an algorithm that is not measured.
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
    ///
    /// # Panics
    /// Where it does not hold.
    pub fn check(&self, signed: &[u8], signature: &[u8]) {
        match self {
            Self::Public(key) => key.verify_sig(signed, signature).expect("the signature holds"),
            Self::Mac(key) => hmac::verify(key, signed, signature).expect("the MAC holds"),
        }
    }
}
