//! What the callers send: the same `POST` with 1 KiB of JSON for everybody, and what each contender wants beside it.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::{
    Algorithm, AppHmacForm, Draft, Form, Head, Layout, NonceForm, Origin, Scheme, Signer, SigningKey, Timestamp,
    TimestampUnit,
};
use countersign_bench::message::{AUTHORITY, Pair};
use countersign_bench::ready;
use http::{HeaderMap, HeaderValue, Method, header};

/// The path and the query that everybody gets whose scheme can carry them.
const QUERY: &str = "?currency=EUR&notify=true";
/// One process never makes the same nonce twice, and another one begins elsewhere.
static NONCE: AtomicU64 = AtomicU64::new(0);

/// Somebody who signs for a route of ours.
pub struct Author {
    pub scheme: Scheme,
    pub pair: Pair,
    pub key_id: String,
    /// The route's path.
    pub path: String,
    signer: SigningKey,
}

impl Author {
    /// With a new key.
    pub fn new(name: &str, scheme: Scheme, algorithm: Algorithm) -> Self {
        let mut pair = Pair::generate(algorithm);
        if algorithm == Algorithm::HmacSha256 {
            // No two keys may be of the same material.
            pair.private.push_str(name);
        }
        let signer = SigningKey::from_file(pair.private.as_bytes(), scheme, Some(algorithm)).expect("a key");
        Self { scheme, pair, key_id: name.to_owned(), path: format!("/{name}"), signer }
    }

    /// A request that was never sent before, for `path`.
    pub fn write(&self, path: &str) -> Vec<u8> {
        self.signed(path).0
    }

    /// What was signed of a request, and its signature: for the bare primitive.
    pub fn bare(&self) -> (Vec<u8>, Vec<u8>) {
        let signed = self.signed(&self.path).1;
        let signature = ready(self.signer.sign(&signed)).expect("a signature");
        (signed, signature)
    }

    fn signed(&self, path: &str) -> (Vec<u8>, Vec<u8>) {
        let number = NONCE.fetch_add(1, Relaxed);
        let (now, nonce) = (now(), format!("{:016x}{number:016x}", now().as_millis()));
        let body = self.body(number, now);
        let target = self.target(path);
        let origin = Origin::new(false, AUTHORITY).expect("an authority");
        let json = HeaderValue::from_static("application/json");
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, json)]);
        let head = Head::request(Method::POST, &target, origin, headers, true).expect("a clear request");
        let mut draft = Draft::new(head, Form { app_hmac: Some(APP_HMAC), ..Form::new(self.scheme, &self.key_id) });
        draft.push(body.as_bytes());
        let signed = ready(draft.finish(&nonce, now).expect("a draft").sign(&self.signer)).expect("a signature");
        let fields: Vec<(&str, &str)> = signed
            .headers()
            .filter(|(name, _)| **name != header::CONTENT_TYPE)
            .map(|(name, value)| (name.as_str(), value.to_str().expect("text")))
            .collect();
        let body = signed.body().map_or(body.as_bytes(), |body| &body[..]);
        (request(&target, &fields, body), signed.signed_bytes().to_vec())
    }

    fn target(&self, path: &str) -> String {
        match self.scheme {
            Scheme::Pki | Scheme::TrustedSite => path.to_owned(),
            Scheme::HttpMessageSignatures | Scheme::AppHmac => format!("{path}{QUERY}"),
        }
    }

    /// Of the schemes that sign nothing else, no two bodies are alike.
    fn body(&self, number: u64, now: Timestamp) -> String {
        match self.scheme {
            Scheme::Pki => json(&format!("\"message_id\": \"m-{number}\", \"timestamp\": {}", now.as_secs())),
            Scheme::TrustedSite => json(&format!("\"email\": \"m-{number}@example.com\"")),
            Scheme::HttpMessageSignatures | Scheme::AppHmac => json(ORDER),
        }
    }
}

/// 1 KiB of JSON that begins with these members.
fn json(members: &str) -> String {
    let mut text = format!("{{{members}, \"lines\": [");
    while text.len() < 940 {
        text.push_str("{\"sku\": \"A-100\", \"quantity\": 2}, ");
    }
    text.truncate(text.len() - 2);
    text.push_str("], \"note\": \"");
    while text.len() < 1022 {
        text.push('.');
    }
    text + "\"}"
}

const ORDER: &str = "\"order\": 4711";

/// As `app-hmac` keys of this comparison have it.
pub const APP_HMAC: AppHmacForm =
    AppHmacForm { layout: Layout::MethodFirst, unit: TimestampUnit::Seconds, nonce: NonceForm::Hex32 };

/// The request of a caller who signs nothing; `fields` beside the usual ones.
pub fn plain(path: &str, fields: &[(&str, &str)]) -> Vec<u8> {
    request(&format!("{path}{QUERY}"), fields, json(ORDER).as_bytes())
}

fn request(target: &str, fields: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut text = format!(
        "POST {target} HTTP/1.1\r\nHost: {AUTHORITY}\r\nUser-Agent: orders/1.4\r\nAccept: application/json\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n",
        body.len()
    );
    for (name, value) in fields {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    let mut bytes = text.into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// A token as HAProxy and Envoy check it, by a key that is also given as a JWK.
pub struct Token {
    pub jwks: String,
    pub public: String,
    pub bearer: String,
}

impl Token {
    pub fn new() -> Self {
        let author = Author::new("token", Scheme::TrustedSite, Algorithm::RsaV15Sha256);
        let public = author.pair.public.clone();
        let der = pem::parse(&public).expect("a PEM file");
        // SubjectPublicKeyInfo of 2048 bits: 33 bytes, the modulus, 5 bytes of exponent.
        let modulus = URL_SAFE_NO_PAD.encode(&der.contents()[33..33 + 256]);
        let jwks = format!(
            "{{\"keys\": [{{\"kty\": \"RSA\", \"alg\": \"RS256\", \"use\": \"sig\", \"kid\": \"k1\", \"e\": \"AQAB\", \
             \"n\": \"{modulus}\"}}]}}"
        );
        let head = URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","typ":"JWT","kid":"k1"}"#);
        let claims = format!(
            r#"{{"iss":"issuer","sub":"acme","aud":"api","iat":{},"exp":4102444800,"jti":"4711"}}"#,
            now().as_secs()
        );
        let signed = format!("{head}.{}", URL_SAFE_NO_PAD.encode(claims));
        let signature = ready(author.signer.sign(signed.as_bytes())).expect("a signature");
        let bearer = format!("Bearer {signed}.{}", URL_SAFE_NO_PAD.encode(signature));
        Self { jwks, public, bearer }
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(0))
}
