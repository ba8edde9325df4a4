use std::sync::{Arc, LazyLock};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign::{Algorithm, Form, Keys, Policy, Scheme};
use http::HeaderMap;
use serde_json::Value;

use super::chain::{Party, Stamp, delivered, judge, lenient, sign};
use super::raw::Raw;

static ACME: LazyLock<Party> = LazyLock::new(|| Party::new(Scheme::Pki, Algorithm::RsaPssSha256, "acme-1"));
static KEYS: LazyLock<Keys> = LazyLock::new(|| ACME.keys());
static POLICY: LazyLock<Arc<Policy>> = LazyLock::new(|| lenient(Scheme::Pki, |_| {}));

/// A JSON document as the body of a `pki` message, and as a member of one that has time stamp and id.
///
/// # Panics
/// Where printing is no fixed point, where signer and verifier print differently, where something else than the printing
/// goes on, or where the printing says something else than the document.
pub fn pki_json(input: &[u8]) {
    document(input);
    document(&[br#"{"timestamp": 1795000000, "message_id": "m-1", "x": "#, input, b"}"].concat());
}

fn document(text: &[u8]) {
    let Some(printed) = print(text) else { return };
    assert!(printed.iter().all(|byte| (0x20..0x7f).contains(byte)), "not printable");
    assert_eq!(print(&printed).as_deref(), Some(&*printed), "printing what was printed gives something else");
    if let (Ok(one), Ok(other)) = (serde_json::from_slice(text), serde_json::from_slice(&printed)) {
        assert!(same(&one, &other), "{one} is printed as {other}");
    }

    let mut raw = message(text);
    let credentials = format!("PKI acme-1:{}", STANDARD.encode(ACME.signature(&printed)));
    raw.headers.insert("authorization", credentials.parse().expect("base64"));
    let ready = judge(raw.head(), &raw.body, &HeaderMap::new(), &KEYS, &POLICY)
        .unwrap_or_else(|code| panic!("what we signed is {code:?}"));
    assert_eq!(ready.signed_bytes(), Some(&printed[..]));
    assert_eq!(delivered(ready.into_parts().1), printed);
}

/// What is signed for this document.
fn print(text: &[u8]) -> Option<Vec<u8>> {
    let raw = message(text);
    let form = Form::new(Scheme::Pki, "acme-1");
    let head = raw.head().expect("a head");
    let signed = sign(head, &raw.body, &HeaderMap::new(), form, &Stamp(Algorithm::RsaPssSha256)).ok()?;
    Some(signed.signed_bytes().to_vec())
}

fn message(body: &[u8]) -> Raw {
    let mut raw = Raw::request(b"POST /orders HTTP/1.1\nContent-Type: application/json").expect("a request");
    raw.body = body.to_vec();
    raw
}

/// serde_json rounds long numbers by its own lights, so numbers have to be near each other only.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => match (one.as_f64(), other.as_f64()) {
            (Some(one), Some(other)) => {
                (one - other).abs() <= one.abs() * 1e-14 || (one - other).abs() < f64::MIN_POSITIVE
            }
            _ => false,
        },
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, value)| other.get(name).is_some_and(|other| same(value, other)))
        }
        (one, other) => one == other,
    }
}
