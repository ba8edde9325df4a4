//! The same by httpsig-hyper: signature, then digest of the body, as its documentation has it.

use bytes::Bytes;
use countersign::Algorithm;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
use httpsig_hyper::prelude::message_component::HttpMessageComponentId;
use httpsig_hyper::prelude::{AlgorithmName, HttpSignatureParams, PublicKey, SecretKey, SharedKey};
use httpsig_hyper::prelude::{SigningKey, VerifyingKey};
use httpsig_hyper::{ContentDigestType, MessageSignatureReq, RequestContentDigest};

use crate::message::{AUTHORITY, COVERED, KEY_ID, NOW, Pair, TARGET};
use crate::ready;

/// Its name of an algorithm.
#[must_use]
pub fn algorithm(algorithm: Algorithm) -> AlgorithmName {
    match algorithm {
        Algorithm::Ed25519 => AlgorithmName::Ed25519,
        Algorithm::EcdsaP256Sha256 => AlgorithmName::EcdsaP256Sha256,
        Algorithm::RsaPssSha512 => AlgorithmName::RsaPssSha512,
        Algorithm::RsaV15Sha256 => AlgorithmName::RsaV1_5Sha256,
        Algorithm::HmacSha256 => AlgorithmName::HmacSha256,
        other => panic!("{other} is not measured"),
    }
}

/// The verifying half, parsed once.
#[must_use]
pub fn public(pair: &Pair) -> PublicKey {
    PublicKey::from_pem(&algorithm(pair.algorithm), &pair.public).expect("a public key")
}

/// The signing half, parsed once.
#[must_use]
pub fn secret(pair: &Pair) -> SecretKey {
    SecretKey::from_pem(&algorithm(pair.algorithm), &pair.private).expect("a private key")
}

/// The shared secret.
#[must_use]
pub fn shared(pair: &Pair) -> SharedKey {
    SharedKey::HmacSha256(pair.private.clone().into_bytes())
}

/// The request with an absolute URI, which is where it takes `@authority` from.
#[must_use]
pub fn request(headers: &HeaderMap, body: &Bytes) -> Request<Full<Bytes>> {
    let uri = format!("https://{AUTHORITY}{TARGET}");
    let mut request = Request::post(uri).body(Full::new(body.clone())).expect("a request");
    *request.headers_mut() = headers.clone();
    request
}

/// Verifies signature and digest, and hands on the body.
pub fn verify<K: VerifyingKey + Sync>(request: Request<Full<Bytes>>, key: &K) -> impl Sized + use<K> {
    ready(request.verify_message_signature(key, Some(KEY_ID))).expect("the signature holds");
    ready(request.verify_content_digest()).expect("the digest holds")
}

/// Makes digest and signature.
pub fn sign<K: SigningKey + Sync>(request: Request<Full<Bytes>>, nonce: &str, key: &K) -> impl Sized + use<K> {
    let covered: Vec<_> = COVERED.iter().map(|name| HttpMessageComponentId::try_from(*name).expect("a name")).collect();
    let mut parameters = HttpSignatureParams::try_new(&covered).expect("parameters");
    parameters.set_created(NOW.as_secs().unsigned_abs()).set_nonce(nonce).set_alg(&key.alg()).set_keyid(KEY_ID);
    let request = ready(request.set_content_digest(&ContentDigestType::Sha256)).expect("a digest");
    let mut request = request.map(BodyExt::boxed);
    ready(request.set_message_signature(&parameters, key, Some("sig1"))).expect("a signature");
    request
}
