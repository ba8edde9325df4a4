use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{DecodingKey, EncodingKey, Header, Validation};

use super::{Claims, Revocations, invalid};
use crate::algorithm::{Algorithm, UnknownName};
use crate::der::{Form, Kind};
use crate::json::{Document, Value};
use crate::key::{InvalidKey, Material};
use crate::primitive::{self, Secret};
use crate::rejection::{Rejection, Unavailable};
use crate::sign::{KeyPair, SigningKey};
use crate::time::Timestamp;
use crate::{key_file, pem};

/// What tokens are signed with (RFC 7518 §3.1, RFC 8037 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenAlgorithm {
    /// Ed25519.
    EdDsa,
    /// RSASSA-PKCS1-v1_5 with SHA-256, for old clients.
    Rs256,
}

impl TokenAlgorithm {
    /// As `alg` has it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Rs256 => "RS256",
        }
    }

    /// A new key for it; of RSA with 2048 bits, since every login signs.
    ///
    /// # Errors
    /// [`InvalidKey`] where the provider fails.
    pub fn generate(self) -> Result<KeyPair, InvalidKey> {
        match self {
            Self::EdDsa => SigningKey::generate(Algorithm::Ed25519, 0),
            Self::Rs256 => SigningKey::generate(Algorithm::RsaV15Sha256, 2048),
        }
    }

    const fn of_jwt(self) -> jsonwebtoken::Algorithm {
        match self {
            Self::EdDsa => jsonwebtoken::Algorithm::EdDSA,
            Self::Rs256 => jsonwebtoken::Algorithm::RS256,
        }
    }
}

impl fmt::Display for TokenAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for TokenAlgorithm {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        let found = [Self::EdDsa, Self::Rs256].into_iter().find(|known| known.as_str() == name);
        found.ok_or(UnknownName("token algorithm"))
    }
}

/// A key of ours that tokens are signed with: what signs, what verifies, and when.
pub struct TokenKey {
    id: String,
    algorithm: TokenAlgorithm,
    jwk: String,
    signer: EncodingKey,
    verifier: DecodingKey,
    not_before: Timestamp,
    superseded: Option<Timestamp>,
    not_after: Option<Timestamp>,
}

impl TokenKey {
    /// From a private key (PKCS#8 in PEM). It signs from `not_before` until it is `superseded`, and verifies until `not_after`; it is
    /// published all the while, and before.
    ///
    /// # Errors
    /// [`InvalidKey`] where it is no private key for this algorithm.
    pub fn new(
        algorithm: TokenAlgorithm,
        private: &[u8],
        not_before: Timestamp,
        superseded: Option<Timestamp>,
        not_after: Option<Timestamp>,
    ) -> Result<Self, InvalidKey> {
        let broken = || InvalidKey::found("another key", format_args!("a private key for tokens with {algorithm}"));
        let der = pem::first_key(private)?;
        let (secret, _) = key_file::private(private, None)?;
        let spki = secret.spki().ok_or_else(broken)?;
        let id = Material::Public(spki.clone()).thumbprint().ok_or_else(broken)?;
        let base64 = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let (material, verifier, encoding) = match (algorithm, &secret, Form::of(&der), Form::of(&spki)) {
            (TokenAlgorithm::EdDsa, Secret::Ed25519(_), Some(_), Some(Form::Spki(Kind::Ed25519, key))) => {
                let material = format!(r#""kty":"OKP","crv":"Ed25519","x":"{}""#, base64(key));
                (material, DecodingKey::from_ed_der(key), EncodingKey::from_ed_der(&der))
            }
            (TokenAlgorithm::Rs256, Secret::Rsa(_), Some(Form::Pkcs8(Kind::Rsa, inner)), Some(_)) => {
                primitive::refuse_weak_rsa(&spki)?;
                let (n, e) = primitive::rsa_numbers(&spki).ok_or_else(broken)?;
                let material = format!(r#""kty":"RSA","n":"{}","e":"{}""#, base64(&n), base64(&e));
                (material, DecodingKey::from_rsa_raw_components(&n, &e), EncodingKey::from_rsa_der(inner))
            }
            _ => return Err(broken()),
        };
        let jwk = format!(r#"{{{material},"kid":"{id}","alg":"{algorithm}","use":"sig"}}"#);
        Ok(Self { id, algorithm, jwk, signer: encoding, verifier, not_before, superseded, not_after })
    }

    /// Its `kid`: the RFC 7638 thumbprint.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    fn verifies(&self, now: Timestamp) -> bool {
        self.not_after.is_none_or(|end| now < end)
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TokenKey").field(&self.id).finish()
    }
}

/// What signs tokens at one moment.
#[derive(Debug)]
pub struct TokenSigner<'a> {
    key: &'a TokenKey,
    generation: i64,
}

impl TokenSigner<'_> {
    /// The last change of the registry that was known when it signs.
    pub(super) fn generation(&self) -> i64 {
        self.generation
    }

    pub(super) fn sign(&self, claims: &Claims) -> Result<String, Unavailable> {
        let TokenKey { id, algorithm, signer, .. } = self.key;
        let header = Header { kid: Some(id.clone()), ..Header::new(algorithm.of_jwt()) };
        jsonwebtoken::encode(&header, claims, signer).map_err(|error| Unavailable::new("token key", error))
    }
}

/// The keys that tokens are signed with, the same in every gateway of a deployment, and what was revoked. An immutable snapshot.
#[derive(Debug, Default)]
pub struct TokenKeys {
    keys: Vec<TokenKey>,
    revoked: Revocations,
}

impl TokenKeys {
    /// The newest key first.
    #[must_use]
    pub fn new(mut keys: Vec<TokenKey>, revoked: Revocations) -> Self {
        keys.sort_by_key(|key| std::cmp::Reverse(key.not_before));
        Self { keys, revoked }
    }

    /// What signs at `now`.
    ///
    /// # Errors
    /// [`Unavailable`] where nothing does.
    pub fn signer(&self, now: Timestamp) -> Result<TokenSigner<'_>, Unavailable> {
        let signs = |key: &&TokenKey| key.not_before <= now && key.superseded.is_none_or(|end| now < end);
        let found = self.keys.iter().find(signs);
        found
            .map(|key| TokenSigner { key, generation: self.revoked.generation() })
            .ok_or_else(|| Unavailable::new("token key", "there is no key that signs tokens now"))
    }

    /// The public keys as JWKs (RFC 7517), one that will sign next included, each with `"use":"sig"`.
    pub fn jwks(&self, now: Timestamp) -> impl Iterator<Item = &str> {
        self.keys.iter().filter(move |key| key.verifies(now)).map(|key| key.jwk.as_str())
    }

    pub(super) fn revoked(&self) -> &Revocations {
        &self.revoked
    }

    /// Whether a token that is signed with this key is taken.
    pub(super) fn verifies(&self, kid: &str, now: Timestamp) -> bool {
        self.of_id(kid, now).is_some()
    }

    fn of_id(&self, kid: &str, now: Timestamp) -> Option<&TokenKey> {
        self.keys.iter().find(|key| key.id == kid && key.verifies(now))
    }

    /// What a token of ours says, and the key that signed it. Its head names exactly what ours do: `kid` picks the key, never a trial,
    /// and whatever `alg` it names, only the key's is taken.
    pub(super) fn open(&self, token: &str, now: Timestamp) -> Result<(Claims, String), Rejection> {
        let head = token.split_once('.').map_or("", |(head, _)| head);
        let head = URL_SAFE_NO_PAD.decode(head).map_err(|_| invalid("the token is no JWT"))?;
        let head = Document::parse(&head).map_err(|_| invalid("the token is no JWT"))?;
        let member = |name| head.root().member(name).and_then(Value::as_str).unwrap_or_default();
        let key = self.of_id(&member("kid"), now);
        let key = key.ok_or_else(|| invalid("the token is signed with no key of ours, or an old one"))?;
        if member("alg") != key.algorithm.as_str() || member("typ") != "JWT" || head.root().len() != 3 {
            return Err(invalid("the token's head is not as ours are"));
        }
        let mut validation = Validation::new(key.algorithm.of_jwt());
        // All of these are judged by whoever knows the time and what is expected.
        validation.required_spec_claims.clear();
        (validation.validate_exp, validation.validate_nbf, validation.validate_aud) = (false, false, false);
        let opened = jsonwebtoken::decode(token, &key.verifier, &validation);
        opened
            .map(|opened| (opened.claims, key.id.clone()))
            .map_err(|_| invalid("the token's signature does not hold, or a claim is missing"))
    }
}
