use crate::algorithm::{Algorithm, Scheme};
use crate::der::Kind;
use crate::key::InvalidKey;
use crate::primitive::Secret;
use crate::rejection::Unavailable;
use crate::replay::BoxFuture;
use crate::{key_file, pem};

/// Whoever holds a private key. Asynchronous, since it may live in an HSM, a KMS or a vault.
///
/// The contract: on `Ok` the bytes are a signature of `algorithm()` over exactly `message`, in the form that RFC 9421 §3.3
/// gives it (`r‖s` for ECDSA). It may be called from many tasks at once. A wrong signature costs one refused request.
pub trait Signer: Send + Sync {
    /// The one algorithm that it signs with.
    fn algorithm(&self) -> Algorithm;

    /// Signs `message`.
    fn sign<'a>(&'a self, message: &'a [u8]) -> BoxFuture<'a, Result<Vec<u8>, Unavailable>>;
}

/// A private key or shared secret in this process.
pub struct SigningKey {
    algorithm: Algorithm,
    secret: Secret,
}

impl SigningKey {
    /// From a key file: PKCS#8, PKCS#1 or SEC 1 in PEM or DER, or a private JWK; any other file is a shared secret, its bytes as
    /// they stand less one final LF. For `hmac-sha256` every file is that but PEM and JWK.
    ///
    /// Without `algorithm` it is the scheme's own, and for `http-message-signatures` the one that a JWK names or else the one
    /// of the key's kind, for RSA `rsa-pss-sha512`.
    ///
    /// # Errors
    /// [`InvalidKey`] where the file is no key, or not one for this scheme or algorithm.
    ///
    /// ```
    /// use countersign::{Algorithm, Scheme, SigningKey};
    ///
    /// let pem = SigningKey::generate(Algorithm::Ed25519, 0)?;
    /// let key = SigningKey::from_file(pem.private.as_bytes(), Scheme::HttpMessageSignatures, None)?;
    /// assert!(key.public_pem().is_some());
    /// # Ok::<(), countersign::InvalidKey>(())
    /// ```
    pub fn from_file(file: &[u8], scheme: Scheme, algorithm: Option<Algorithm>) -> Result<Self, InvalidKey> {
        let algorithms = scheme.algorithms();
        if algorithm.is_some_and(|algorithm| !algorithms.contains(&algorithm)) {
            return Err(InvalidKey::new("this scheme has no such algorithm"));
        }
        let only = if let [only] = algorithms { Some(*only) } else { algorithm };
        let (secret, purpose) = key_file::private(file, only)?;
        let algorithm = match algorithm {
            Some(algorithm) if secret.can(algorithm) => algorithm,
            Some(algorithm) => return Err(InvalidKey::found(secret.name(), format_args!("a key for {algorithm}"))),
            None => {
                let mut able = algorithms.iter().copied().filter(|algorithm| secret.can(*algorithm)).peekable();
                let first = able.peek().copied();
                // Of several that the key could do, the one that the file names.
                let named = able.find(|algorithm| purpose.check(*algorithm).is_ok());
                named
                    .or(first)
                    .ok_or_else(|| InvalidKey::found(secret.name(), format_args!("a key that {scheme} signs with")))?
            }
        };
        purpose.check(algorithm)?;
        Ok(Self { algorithm, secret })
    }

    /// A new key pair in PEM; `rsa_bits` is 2048, 3072, 4096 or 8192, and is ignored by every other kind.
    ///
    /// # Errors
    /// [`InvalidKey`] for `hmac-sha256`, which has no pair, or another number of bits.
    pub fn generate(algorithm: Algorithm, rsa_bits: u32) -> Result<KeyPair, InvalidKey> {
        let der = Secret::generate(algorithm, rsa_bits)?;
        let kind = Kind::for_algorithm(algorithm).ok_or(InvalidKey::new("a shared secret has no key pair"))?;
        let spki = Secret::from_pkcs8(kind, &der)?.spki().ok_or(InvalidKey::new("the key could not be generated"))?;
        Ok(KeyPair {
            private: zeroize::Zeroizing::new(pem::armour("PRIVATE KEY", &der)),
            public: pem::armour("PUBLIC KEY", &spki),
        })
    }

    /// The public half in PEM; `None` for a shared secret.
    #[must_use]
    pub fn public_pem(&self) -> Option<String> {
        self.secret.spki().map(|der| pem::armour("PUBLIC KEY", &der))
    }
}

/// A key pair in PEM, RFC 7468.
pub struct KeyPair {
    /// PKCS#8. Wiped when dropped.
    pub private: zeroize::Zeroizing<String>,
    /// SubjectPublicKeyInfo.
    pub public: String,
}

impl Signer for SigningKey {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    fn sign<'a>(&'a self, message: &'a [u8]) -> BoxFuture<'a, Result<Vec<u8>, Unavailable>> {
        let signature = self
            .secret
            .sign(self.algorithm, message)
            .ok_or_else(|| Unavailable::new("signing key", "the provider failed"));
        Box::pin(std::future::ready(signature))
    }
}
