//! The body that `pki` signs: Message2 of 2 KiB, read and printed as Python prints it.

use countersign::{Draft, Form, Head, Origin, Scheme, Unsigned};
use http::{HeaderMap, HeaderValue, Method};

use crate::message::{AUTHORITY, KEY_ID, NOW};

/// Message2 as a client of another language writes it: compact, members in an order of its own, 2 KiB. `rich` has text
/// beyond ASCII and escapes in every item.
#[must_use]
pub fn message2(rich: bool) -> String {
    let name = if rich { "W\u{fc}rfel \\\"rot\\\"" } else { "cube, red, 5 cm" };
    let mut items = Vec::new();
    loop {
        let number = items.len();
        items.push(format!(
            "{{\"sku\":\"A-{number:04}\",\"quantity\":{},\"price\":{}.{:02},\"name\":\"{name}\",\"taxed\":true,\"note\":null}}",
            number % 7 + 1,
            number * 3 + 9,
            number * 7 % 100,
        ));
        let text = format!(
            "{{\"message_id\":\"msg-0001\",\"sender\":\"acme\",\"timestamp\":\"2026-11-18T11:06:40Z\",\
             \"metadata\":{{\"version\":\"1.4.0\",\"source\":\"shop\",\"attempt\":1,\"trace\":\"4bf92f3577b34da6a3ce929d0e0e4736\"}},\
             \"payload\":{{\"order\":4711,\"currency\":\"EUR\",\"customer\":\"Jos\u{e9} Mart\u{ed}nez\",\"items\":[{}]}},\
             \"attachments\":[{{\"name\":\"invoice.pdf\",\"size\":48213,\"sha256\":\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"}}],\
             \"tags\":[\"orders\",\"eu\",\"priority\"]}}",
            items.join(","),
        );
        if text.len() >= 2048 {
            return text;
        }
    }
}

/// The head of its request.
#[must_use]
pub fn head() -> Head {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    head_of(headers)
}

/// The head with these fields.
#[must_use]
pub fn head_of(headers: HeaderMap) -> Head {
    let origin = Origin::new(true, AUTHORITY).expect("an authority");
    Head::request(Method::POST, "/orders", origin, headers, true).expect("a clear request")
}

/// Reads a body that has no time stamp: nothing of it is printed.
#[must_use]
pub fn read(head: Head, body: &str) -> bool {
    let mut draft = Draft::new(head, Form::new(Scheme::Pki, KEY_ID));
    draft.push(body.as_bytes());
    draft.finish("", NOW).is_err()
}

/// Reads the body and prints it: all that signing takes but the signature.
pub fn print(head: Head, body: &str) -> Unsigned {
    let mut draft = Draft::new(head, Form::new(Scheme::Pki, KEY_ID));
    draft.push(body.as_bytes());
    draft.finish("", NOW).expect("a body that the scheme signs")
}
