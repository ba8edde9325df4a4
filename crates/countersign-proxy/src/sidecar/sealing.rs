//! Fields that are sealed before the message is signed.

use bytes::Bytes;
use countersign::{AbsentField, Code, FieldSealer, Rejection, SealError, Timestamp, Unavailable};
use http::HeaderMap;

use super::SidecarSeal;
use crate::fault::Fault;

/// The body with its fields sealed; no body is fine. One that is no JSON is refused, since nobody knows what of it was to be kept
/// from whom, and so is one that lacks a field that has to be there: under another name it would go out in the clear.
pub(super) async fn sealed(seal: &SidecarSeal, body: Bytes, now: Timestamp) -> Result<Bytes, Fault> {
    if body.is_empty() {
        return Ok(body);
    }
    let (seal, to) = (seal.clone(), (seal.to)()?);
    let sealed = tokio::task::spawn_blocking(move || {
        let expires = seal.lifetime.map(|lifetime| now.after(lifetime));
        let fields = [&seal.fields[..], &seal.if_present].concat();
        let sealer = FieldSealer { fields: &fields, to: &to, partner: &seal.partner, expires };
        let sealed = sealer.seal(&body, &mut random)?;
        let lacking = sealed.absent.into_iter().find(|absent| seal.fields.contains(&absent.field));
        Ok((sealed.document, lacking))
    });
    match sealed.await.map_err(|fault| Unavailable::new("sidecar", fault))? {
        Ok((document, None)) => Ok(document.into()),
        Ok((_, Some(AbsentField { place, .. }))) => {
            let told = format!("the body has no {place}, which is to be sealed: nothing was sent");
            Err(Rejection::new(Code::Malformed, told).into())
        }
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
