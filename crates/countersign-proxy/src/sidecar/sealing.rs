//! Fields that are sealed before the message is signed.

use bytes::Bytes;
use countersign::{Code, FieldSealer, Rejection, SealError, Timestamp, Unavailable};
use http::HeaderMap;

use super::SidecarSeal;
use crate::fault::Fault;

/// The body with its fields sealed. A body that is no JSON is refused: nobody knows what of it was to be kept from whom.
pub(super) async fn sealed(seal: &SidecarSeal, body: Bytes, now: Timestamp) -> Result<Bytes, Fault> {
    if body.is_empty() {
        return Ok(body);
    }
    let (seal, to) = (seal.clone(), (seal.to)()?);
    let sealed = tokio::task::spawn_blocking(move || {
        let expires = seal.lifetime.map(|lifetime| now.after(lifetime));
        let sealer = FieldSealer { fields: &seal.fields, to: &to, partner: &seal.partner, expires };
        sealer.seal(&body, &mut random)
    });
    match sealed.await.map_err(|fault| Unavailable::new("sidecar", fault))? {
        Ok(sealed) => Ok(sealed.document.into()),
        Err(SealError::Unavailable(unavailable)) => Err(unavailable.into()),
        Err(fault) => Err(Rejection::new(Code::Malformed, fault.to_string()).into()),
    }
}

/// What the sender said of the body that it wrote.
pub(super) fn remove_digests(fields: &mut HeaderMap) {
    for name in ["content-digest", "repr-digest", "digest", "content-md5"] {
        fields.remove(name);
    }
}

fn random(bytes: &mut [u8]) -> Result<(), Unavailable> {
    aws_lc_rs::rand::fill(bytes).map_err(|_| Unavailable::new("sidecar", "no randomness"))
}
