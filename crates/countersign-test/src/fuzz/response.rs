use std::sync::{Arc, LazyLock};

use countersign::{Algorithm, Code, Form, Head, Keys, Policy, Scheme};
use http::{HeaderMap, Method, StatusCode};

use super::chain::{Party, judge, lenient, sign};
use super::raw::{Raw, fields, sections, split};

const RFC: Scheme = Scheme::HttpMessageSignatures;

static GATEWAY: LazyLock<Party> = LazyLock::new(|| Party::new(RFC, Algorithm::HmacSha256, "gateway-1"));
static KEYS: LazyLock<Keys> = LazyLock::new(|| GATEWAY.keys());
static POLICY: LazyLock<Arc<Policy>> = LazyLock::new(|| lenient(RFC, |_| {}));

/// An RFC 9421 response with the request that it answers: the request, the response (`STATUS`, fields, body), a line with
/// what is to be covered (nothing: what our signers cover), and trailers. First as it came, then signed.
///
/// # Panics
/// Where what we signed is not what we verify, or where the answer to one request is taken as that to another.
pub fn response(input: &[u8]) {
    let [request, response, cover, trailers] = sections(input);
    let (Some(request), Some((status, headers, body))) = (Raw::request(request), split(response)) else { return };
    let Some(status) = status.split(' ').next().and_then(|status| status.parse::<StatusCode>().ok()) else { return };
    let (Ok(answered), Ok(cover)) = (request.head(), std::str::from_utf8(cover)) else { return };
    let head = |headers: &HeaderMap, answered: Option<Head>| {
        Head::response(status, headers.clone(), !body.is_empty(), answered)
    };
    let trailers = fields(trailers);
    let asked = Some(answered.clone());
    let verdict = judge(Ok(head(&headers, asked.clone())), &body, &trailers, &KEYS, &POLICY);
    assert!(verdict.is_err(), "a stranger's signature holds");

    let cover = cover.trim();
    let form = Form { cover: (!cover.is_empty()).then(|| vec![cover.to_owned()]), ..Form::new(RFC, "gateway-1") };
    let Ok(signature) = sign(head(&headers, asked.clone()), &body, &trailers, form, &GATEWAY.signer) else { return };
    let mut signed = headers.clone();
    signature.apply(&mut signed);
    let verdict = judge(Ok(head(&signed, asked)), &body, &trailers, &KEYS, &POLICY);
    // Of the request it may cover the signature, of itself not.
    let of_itself =
        cover.split(' ').any(|component| component.starts_with("\"signature") && !component.contains(";req"));
    if of_itself || ["signature", "signature-input"].iter().any(|name| headers.contains_key(*name)) {
        return;
    }
    match verdict {
        Ok(ready) => assert_eq!(ready.signed_bytes(), Some(signature.signed_bytes())),
        Err(Code::DigestMismatch | Code::Ambiguous | Code::BodyTooLarge) => return,
        // Without a body the digest is the sender's own, and may be none.
        Err(Code::Malformed) if body.is_empty() || trailers.contains_key("content-digest") => return,
        Err(code) => panic!("what we signed is {code:?}"),
    }
    if cover.is_empty() || cover.split(' ').any(|component| component == "\"@method\";req") {
        let mut other = request.clone();
        other.method = Method::from_bytes(b"CHANGED").expect("a method");
        let Ok(other) = other.head() else { return };
        let verdict = judge(Ok(head(&signed, Some(other))), &body, &trailers, &KEYS, &POLICY);
        assert_eq!(verdict.err(), Some(Code::BadSignature), "the answer to another request");
        let verdict = judge(Ok(head(&signed, None)), &body, &trailers, &KEYS, &POLICY);
        assert_eq!(verdict.err(), Some(Code::Malformed), "the answer to no request");
    }
}
