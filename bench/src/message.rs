//! The message: `POST` with 1 KiB of JSON, covered by five components.

use std::sync::Arc;

use bytes::Bytes;
use countersign::{Algorithm, Demands, Form, Head, KeyState, Origin, Policy, Scheme, SigningKey, Timestamp};
use countersign::{Draft, KeyRecord, Keys, Material, SharedSecret, VerifyingKey};
use http::{HeaderMap, Method};

use crate::ready;

/// What every contender covers; what a route demands that says nothing else.
pub const COVERED: [&str; 5] = ["@method", "@authority", "@path", "@query", "content-digest"];
/// The key's id on the wire.
pub const KEY_ID: &str = "key-1";
/// When the message is signed and verified.
pub const NOW: Timestamp = Timestamp::from_secs(1_795_000_000);
/// The target in origin form.
pub const TARGET: &str = "/orders/2026?currency=EUR&notify=true";
/// Whom it is sent to.
pub const AUTHORITY: &str = "api.example.com";
const NONCE: &str = "0123456789abcdef0123456789abcdef";

/// A key of either half, in the forms that both sides take.
pub struct Pair {
    /// Its one algorithm.
    pub algorithm: Algorithm,
    /// The private key in PEM, or the secret.
    pub private: String,
    /// The public key in PEM; empty for a secret.
    pub public: String,
}

impl Pair {
    /// A new one; RSA has 2048 bits.
    #[must_use]
    pub fn generate(algorithm: Algorithm) -> Self {
        if algorithm == Algorithm::HmacSha256 {
            let private = "a secret of 43 characters, as made for a key".to_owned();
            return Self { algorithm, private, public: String::new() };
        }
        let pair = SigningKey::generate(algorithm, 2048).expect("a key can be generated");
        Self { algorithm, private: pair.private.to_string(), public: pair.public }
    }

    /// What the registry would know of it.
    #[must_use]
    pub fn keys(&self, scheme: Scheme) -> Keys {
        let material = if self.algorithm == Algorithm::HmacSha256 {
            Material::Shared(SharedSecret::new(self.private.clone().into_bytes()))
        } else {
            Material::from_public_pem(self.public.as_bytes()).expect("a public key")
        };
        let record = KeyRecord {
            partner: "acme".to_owned(),
            partner_active: true,
            id: KEY_ID.to_owned(),
            version: 1,
            scheme,
            algorithm: self.algorithm,
            state: KeyState::Active,
            not_before: None,
            not_after: None,
            form: None,
            material,
        };
        Keys::new([VerifyingKey::new(record).expect("the key is sound")])
    }

    /// The signing half.
    #[must_use]
    pub fn signer(&self, scheme: Scheme) -> SigningKey {
        SigningKey::from_file(self.private.as_bytes(), scheme, Some(self.algorithm)).expect("a private key")
    }
}

/// 1 KiB of JSON.
#[must_use]
pub fn body() -> Bytes {
    let mut text = String::from("{\"order\": 4711, \"lines\": [");
    while text.len() < 1000 {
        text.push_str("{\"sku\": \"A-100\", \"quantity\": 2}, ");
    }
    text.truncate(1022);
    text.push_str("]}");
    text.into()
}

/// The header fields of an ordinary client, unsigned.
#[must_use]
pub fn headers() -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("host", AUTHORITY),
        ("user-agent", "orders/1.4"),
        ("accept", "application/json"),
        ("content-type", "application/json"),
        ("content-length", "1024"),
    ] {
        headers.insert(name, value.parse().expect("a header value"));
    }
    headers
}

/// The head that the gateway makes of such fields.
#[must_use]
pub fn head(headers: HeaderMap) -> Head {
    let origin = Origin::new(true, AUTHORITY).expect("an authority");
    Head::request(Method::POST, TARGET, origin, headers, true).expect("a clear request")
}

/// How the message is signed.
#[must_use]
pub fn form() -> Form {
    let cover = Some(COVERED.map(str::to_owned).to_vec());
    Form { cover, ..Form::new(Scheme::HttpMessageSignatures, KEY_ID) }
}

/// The header fields with the signature, and the signature base.
#[must_use]
pub fn signed(pair: &Pair) -> (HeaderMap, Vec<u8>) {
    let signer = pair.signer(Scheme::HttpMessageSignatures);
    let mut headers = headers();
    let mut draft = Draft::new(head(headers.clone()), form());
    draft.push(&body());
    let signed = ready(draft.finish(NONCE, NOW).expect("a draft").sign(&signer)).expect("a signature");
    signed.apply(&mut headers);
    (headers, signed.signed_bytes().to_vec())
}

/// The policy of a route that says nothing else.
#[must_use]
pub fn policy() -> Arc<Policy> {
    Arc::new(Policy::new(Demands { path: "/orders".to_owned(), ..Demands::default() }).expect("a policy"))
}
