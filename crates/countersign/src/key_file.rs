//! From a key file to a key: PEM (RFC 7468), DER, JWK (RFC 7517), or a bare secret.

use crate::algorithm::Algorithm;
use crate::der::{Form, Kind};
use crate::jwk;
use crate::key::{InvalidKey, SharedSecret};
use crate::pem;
use crate::primitive::{self, Secret};

/// What a file says its key is for, beyond what the kind of the key says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Nothing.
    Any,
    /// A JWK with `alg`.
    Only(Algorithm),
    /// `id-RSASSA-PSS`.
    Pss,
    /// A JWK to seal with: for no signature.
    Seal,
}

impl Purpose {
    /// # Errors
    /// Where the file contradicts the algorithm.
    pub(crate) fn check(self, algorithm: Algorithm) -> Result<(), InvalidKey> {
        match self {
            Self::Only(only) if only != algorithm => Err(InvalidKey::found(
                format_args!("a JWK whose alg is for {only}"),
                format_args!("one for {algorithm}"),
            )),
            Self::Seal => Err(InvalidKey::found("a key to seal with", "one for signatures")),
            Self::Pss if algorithm == Algorithm::RsaV15Sha256 => {
                Err(InvalidKey::found("a key for RSASSA-PSS only", "an RSA key for rsa-v1_5-sha256"))
            }
            _ => Ok(()),
        }
    }
}

/// The SubjectPublicKeyInfo of the public key in `file`.
pub(crate) fn public(file: &[u8]) -> Result<(Vec<u8>, Purpose), InvalidKey> {
    if pem::is_armoured(file) {
        return public_der(&pem::first_key(file)?);
    }
    if jwk::looks_like_one(file) {
        return jwk::public(file);
    }
    if ["ssh-", "ecdsa-sha2-"].iter().any(|name| file.starts_with(name.as_bytes())) {
        return Err(InvalidKey::found("a public key in OpenSSH's own form", "PEM (ssh-keygen -e -m PKCS8 -f FILE)"));
    }
    public_der(file)
}

fn public_der(der: &[u8]) -> Result<(Vec<u8>, Purpose), InvalidKey> {
    let form = Form::of(der).ok_or(InvalidKey::found("something else", PUBLIC))?;
    match form {
        Form::Spki(Kind::Other(_), _) => Err(InvalidKey::found(form.name(), KINDS)),
        // The key inside is the same whatever its name, and it is known by one name only.
        Form::Spki(Kind::RsaPss, key) => {
            let spki = primitive::rsa_spki(key).ok_or(BAD_RSA)?;
            Ok((spki, Purpose::Pss))
        }
        Form::Spki(..) => Ok((der.to_vec(), Purpose::Any)),
        Form::RsaPublic => Ok((primitive::rsa_spki(der).ok_or(BAD_RSA)?, Purpose::Any)),
        Form::Pkcs8(..) | Form::RsaPrivate | Form::EcPrivate | Form::Encrypted => {
            Err(InvalidKey::found(form.name(), "the public half (of a key of ours, the file that ends in .pub)"))
        }
        Form::Certificate => {
            Err(InvalidKey::found("a certificate", "the public key in it (openssl x509 -pubkey -noout)"))
        }
    }
}

/// The private key or shared secret in `file`. Where it is for `hmac-sha256`, a file without armour is a secret whatever
/// its bytes look like; a JWK alone is still a JWK.
pub(crate) fn private(file: &[u8], algorithm: Option<Algorithm>) -> Result<(Secret, Purpose), InvalidKey> {
    if pem::is_armoured(file) {
        return private_der(&pem::first_key(file)?);
    }
    if jwk::looks_like_one(file) {
        return jwk::private(file);
    }
    let symmetric = algorithm.is_some_and(Algorithm::is_symmetric);
    if !symmetric && Form::of(file).is_some() {
        return private_der(file);
    }
    if let Some(kind) = algorithm.and_then(Kind::for_algorithm) {
        return Err(InvalidKey::found(
            "no PEM, DER or JWK, which makes the file a shared secret",
            format_args!("{} private key", kind.name()),
        ));
    }
    let secret = Secret::from_secret(file.strip_suffix(b"\n").unwrap_or(file))?;
    Ok((secret, Purpose::Any))
}

fn private_der(der: &[u8]) -> Result<(Secret, Purpose), InvalidKey> {
    let form = Form::of(der).ok_or(InvalidKey::found("something else", PRIVATE))?;
    match form {
        Form::Pkcs8(Kind::Other(_), _) => Err(InvalidKey::found(form.name(), KINDS)),
        Form::Pkcs8(Kind::RsaPss, key) => Ok((Secret::from_pkcs1(key)?, Purpose::Pss)),
        Form::Pkcs8(kind, _) => Ok((Secret::from_pkcs8(kind, der)?, Purpose::Any)),
        Form::RsaPrivate => Ok((Secret::from_pkcs1(der)?, Purpose::Any)),
        Form::EcPrivate => Ok((Secret::from_sec1(der)?, Purpose::Any)),
        Form::Encrypted => {
            Err(InvalidKey::found("an encrypted private key", "a decrypted one (openssl pkcs8 -topk8 -nocrypt)"))
        }
        Form::Spki(..) | Form::RsaPublic | Form::Certificate => {
            Err(InvalidKey::found(form.name(), "the private half: only that signs"))
        }
    }
}

/// The shared secret in `file`: its bytes as they stand less one final LF, or the `k` of a JWK.
pub(crate) fn shared(file: &[u8]) -> Result<SharedSecret, InvalidKey> {
    if pem::is_armoured(file) {
        return Err(InvalidKey::found("a PEM file", "a shared secret"));
    }
    if jwk::looks_like_one(file) {
        return jwk::shared(file).map(SharedSecret::new);
    }
    Ok(SharedSecret::from_file(file.to_vec()))
}

const BAD_RSA: InvalidKey = InvalidKey::new("the RSA public key is broken");
const KINDS: &str = "one of Ed25519, P-256, P-384, RSA, ML-DSA";
const PUBLIC: &str = "a public key: PEM (PUBLIC KEY, RSA PUBLIC KEY), the same in DER, or JWK";
const PRIVATE: &str = "a private key: PEM (PRIVATE KEY, RSA PRIVATE KEY, EC PRIVATE KEY), the same in DER, or JWK";
