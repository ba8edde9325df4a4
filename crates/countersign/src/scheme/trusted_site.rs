//! `{"payload", "timestamp", "signature", "site_id"}` as body: RSASSA-PKCS1-v1_5 over `payload|timestamp`.
//!
//! A `|` in the payload does no harm: the stamp has exactly 10 digits, so what was signed splits at its last `|` only.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::HeaderValue;

use super::{Payload, Reading, Signed, Whole, check_target_of_body_only, media_type, pki};
use crate::algorithm::{Algorithm, Scheme};
use crate::json::{Document, print_python_str};
use crate::judge::{Claimed, Facts};
use crate::message::Head;
use crate::policy::Policy;
use crate::rejection::{Code, Rejection};

const JSON: &str = "application/json";

/// Reads the head of a message without a mark: a JSON body may be signed in itself.
pub(crate) fn read(head: &Head) -> Result<Reading, Rejection> {
    if head.has_body() && media_type(head).as_deref() == Some(JSON) {
        return Ok(Reading::Whole(Box::new(JsonBody)));
    }
    Err(unsigned())
}

fn unsigned() -> Rejection {
    Rejection::new(Code::Unsigned, "neither a header nor a JSON body carries a signature that this route admits")
}

fn malformed(reason: &'static str) -> Rejection {
    Rejection::new(Code::Malformed, reason)
}

struct JsonBody;

impl Whole for JsonBody {
    fn finish(self: Box<Self>, head: &Head, body: &Bytes, policy: &Policy) -> Result<Box<Signed>, Rejection> {
        if body.is_empty() {
            return Err(unsigned());
        }
        let document = Document::parse(body).map_err(|fault| malformed(fault.0))?;
        let root = document.root();
        if root.member("signature").is_none() && root.member("site_id").is_none() {
            return Err(unsigned());
        }
        let member = |name| root.member(name).filter(|_| root.len() == 4);
        let form = || malformed("the body does not hold exactly payload, timestamp, signature and site_id");
        let payload = member("payload").ok_or_else(form)?;
        let payload = payload.as_str().ok_or_else(|| malformed("payload is not a string"))?;
        let stamp = member("timestamp").ok_or_else(form)?;
        let stamp = stamp.as_integer().ok_or_else(|| malformed("timestamp is not an integer"))?;
        let created = pki::seconds(stamp)?;
        let signature = member("signature").ok_or_else(form)?;
        let signature = signature
            .as_str()
            .and_then(|text| STANDARD.decode(text.as_bytes()).ok())
            .filter(|bytes| !bytes.is_empty())
            .ok_or_else(|| malformed("signature is not strict base64"))?;
        let signer = member("site_id").ok_or_else(form)?;
        let signer = signer
            .as_str()
            .filter(|id| pki::is_id(id))
            .ok_or_else(|| malformed("site_id is not 1 to 64 letters, digits, dots, dashes and underscores"))?;
        let missing = check_target_of_body_only(head, policy).is_err().then(|| {
            "the target, so this scheme is taken with POST to exactly the route's path, without query".to_owned()
        });
        let facts = Facts {
            scheme: Scheme::TrustedSite,
            signer: signer.into_owned(),
            algorithm: Claimed::Known(Algorithm::RsaV15Sha256),
            created: Some(created),
            expires: None,
            nonce: None,
            missing,
            timed: true,
        };
        let bytes = signed_bytes(&payload, stamp);
        // The content type was not signed; what the payload is, the scheme says.
        let payload =
            Payload::Derived(Bytes::copy_from_slice(payload.as_bytes()), Some(HeaderValue::from_static(JSON)));
        Ok(Signed::body(facts, bytes, signature, payload))
    }
}

/// `payload|timestamp`.
pub(crate) fn signed_bytes(payload: &str, stamp: &str) -> Vec<u8> {
    [payload, "|", stamp].concat().into_bytes()
}

/// The body that carries `payload` and its signature.
pub(crate) fn body(payload: &str, stamp: &str, signature: &[u8], site_id: &str) -> Vec<u8> {
    let mut out = b"{\"payload\": ".to_vec();
    print_python_str(payload, &mut out);
    out.extend_from_slice(b", \"timestamp\": ");
    out.extend_from_slice(stamp.as_bytes());
    for (name, value) in [("signature", STANDARD.encode(signature).as_str()), ("site_id", site_id)] {
        out.extend_from_slice(format!(", \"{name}\": ").as_bytes());
        print_python_str(value, &mut out);
    }
    out.push(b'}');
    out
}
