//! What this gateway itself publishes, before any route.

use bytes::Bytes;
use countersign::{Head, Openers, SealingKey};
use http::{HeaderValue, Method, Response, header};

use crate::reply::Reply;

/// The keys that others seal for, as a JWK set (RFC 7517 §5), the current one first; `None` where there is none.
pub(crate) fn jwks(openers: &Openers) -> Option<Bytes> {
    let keys: Vec<String> = openers.public().map(SealingKey::jwk).collect();
    (!keys.is_empty()).then(|| format!("{{\"keys\":[{}]}}", keys.join(",")).into())
}

/// The answer to a request for it.
pub(crate) fn answer(head: &Head, jwks: Option<&Bytes>) -> Option<Response<Reply>> {
    let asked = matches!(head.method(), Some(&Method::GET | &Method::HEAD)) && head.target() == Some(JWKS);
    let jwks = jwks.filter(|_| asked)?;
    let mut response = Response::new(Reply::own(jwks.clone()));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/jwk-set+json"));
    // A key that is new is used by others from the next time on that they ask.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    Some(response)
}

const JWKS: &str = "/.well-known/jwks.json";
