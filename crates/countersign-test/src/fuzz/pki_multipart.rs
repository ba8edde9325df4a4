use std::sync::{Arc, LazyLock};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign::{Algorithm, Form, Keys, Policy, Scheme};
use http::{HeaderMap, HeaderValue};

use super::chain::{Party, Stamp, delivered, judge, lenient, sign};
use super::raw::Raw;

static ACME: LazyLock<Party> = LazyLock::new(|| Party::new(Scheme::Pki, Algorithm::RsaPssSha256, "acme-1"));
static KEYS: LazyLock<Keys> = LazyLock::new(|| ACME.keys());
static POLICY: LazyLock<Arc<Policy>> = LazyLock::new(|| lenient(Scheme::Pki, |_| {}));

/// A form as the body of a `pki` message: the first line is its content type, the rest the body. As it came, and behind two
/// parts with time stamp and id.
///
/// # Panics
/// Where the body that goes on reads as something else than what was signed, or is not the same when it is built again.
pub fn pki_multipart(input: &[u8]) {
    let end = input.iter().position(|&byte| byte == b'\n').unwrap_or(input.len());
    let (content_type, body) = (&input[..end], input.get(end + 1..).unwrap_or_default());
    let Ok(content_type) = HeaderValue::from_bytes(content_type.trim_ascii()) else { return };
    form(&content_type, body);
    let boundary = content_type.to_str().ok().and_then(|text| text.strip_prefix("multipart/form-data; boundary="));
    if let Some(boundary) = boundary {
        let part = |name: &str, text: &str| {
            format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n")
        };
        let before = [part("timestamp", "1795000000"), part("message_id", "m-1")].concat();
        form(&content_type, &[before.as_bytes(), body].concat());
    }
}

fn form(content_type: &HeaderValue, body: &[u8]) {
    let Some(printed) = print(content_type, body) else { return };
    let (content_type, built) = pass(content_type, body, &printed);
    assert_eq!(print(&content_type, &built).as_deref(), Some(&*printed), "what goes on says something else");
    assert_eq!(pass(&content_type, &built, &printed), (content_type, built), "built again it is another one");
}

/// What is signed for this form.
fn print(content_type: &HeaderValue, body: &[u8]) -> Option<Vec<u8>> {
    let raw = message(content_type, body);
    let form = Form::new(Scheme::Pki, "acme-1");
    let head = raw.head().expect("a head");
    let signed = sign(head, &raw.body, &HeaderMap::new(), form, &Stamp(Algorithm::RsaPssSha256)).ok()?;
    let multipart = content_type.as_bytes().starts_with(b"multipart/form-data");
    multipart.then(|| signed.signed_bytes().to_vec())
}

/// Signs this printing, and gives what goes on, with its type.
fn pass(content_type: &HeaderValue, body: &[u8], printed: &[u8]) -> (HeaderValue, Vec<u8>) {
    let mut raw = message(content_type, body);
    let credentials = format!("PKI acme-1:{}", STANDARD.encode(ACME.signature(printed)));
    raw.headers.insert("authorization", credentials.parse().expect("base64"));
    let ready = judge(raw.head(), &raw.body, &HeaderMap::new(), &KEYS, &POLICY)
        .unwrap_or_else(|code| panic!("what we signed is {code:?}"));
    assert_eq!(ready.signed_bytes(), Some(printed));
    let (head, delivery, _) = ready.into_parts();
    (head.headers()["content-type"].clone(), delivered(delivery).to_vec())
}

fn message(content_type: &HeaderValue, body: &[u8]) -> Raw {
    let mut raw = Raw::request(b"POST /orders HTTP/1.1").expect("a request");
    raw.headers.insert("content-type", content_type.clone());
    raw.body = body.to_vec();
    raw
}
