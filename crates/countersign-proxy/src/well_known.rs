//! What this gateway itself publishes, before any route.

use countersign::{Head, Openers, SealingKey, Unavailable};
use http::{HeaderValue, Method, Response, header};

use crate::gate::Gate;
use crate::reply::Reply;
use crate::table::Table;

/// Whether the keys of this gateway are asked for.
pub(crate) fn is_jwks(head: &Head) -> bool {
    matches!(head.method(), Some(&Method::GET | &Method::HEAD)) && head.target() == Some(JWKS)
}

/// The keys that others seal for, the current one first, and those that user tokens are verified with, as a JWK set (RFC 7517
/// §5).
///
/// # Errors
/// [`Unavailable`] where the registry can't be read: half a set would make others refuse good tokens.
pub(crate) fn jwks(gate: &Gate, table: &Table, openers: &Openers) -> Result<Response<Reply>, Unavailable> {
    let now = gate.clock.now();
    let tokens = table.tokens.is_some().then(|| gate.tokens(now)).transpose()?;
    let sealing: Vec<String> = openers.public().map(SealingKey::jwk).collect();
    let signing = tokens.iter().flat_map(|tokens| tokens.jwks(now));
    let keys: Vec<&str> = sealing.iter().map(String::as_str).chain(signing).collect();
    let mut response = Response::new(Reply::own(format!("{{\"keys\":[{}]}}", keys.join(","))));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/jwk-set+json"));
    // A key that is new is used by others from the next time on that they ask; our own wait so long before they sign.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    Ok(response)
}

const JWKS: &str = "/.well-known/jwks.json";
