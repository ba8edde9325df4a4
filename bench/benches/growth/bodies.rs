//! Bodies that a stranger makes up, under the schemes that sign them. `app-hmac` has to know the key to read a body.

use countersign::{
    Algorithm, AppHmacForm, KeyRecord, KeyState, Keys, Layout, Material, NonceForm, Scheme, SharedSecret,
    TimestampUnit, VerifyingKey,
};

use super::heads::list;
use super::{Case, Message};

const BODY: usize = 128 << 10;

pub const CASES: &[Case] = &[
    case("pki: arrays in arrays", |size| json(&"[".repeat(size))),
    case("pki: arrays side by side", |size| json(&format!("[{}]", list(size / 4, ",", |_| "[]".to_owned())))),
    case("pki: arrays of 100 levels side by side", |size| {
        let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
        json(&format!("[{}]", list(size / 201, ",", |_| deep.clone())))
    }),
    case("pki: members", |size| json(&format!("{{{}}}", list(size / 12, ",", |at| format!("\"m{at}\":1"))))),
    case("pki: members in falling order", |size| {
        json(&format!("{{{}}}", list(size / 20, ",", |at| format!("\"m{:012}\":1", usize::MAX / 2 - at))))
    }),
    case("pki: members with a long beginning in common", |size| {
        let same = "x".repeat(1000);
        json(&format!("{{{}}}", list(size / 1012, ",", |at| format!("\"{same}{}\":1", 100_000 - at))))
    }),
    case("pki: the same in escapes", |size| {
        let same = "\\u0041".repeat(200);
        json(&format!("{{{}}}", list(size / 1212, ",", |at| format!("\"{same}{}\":1", 100_000 - at))))
    }),
    case("pki: a long string", |size| json(&format!("{{\"a\":\"{}\"}}", "x".repeat(size)))),
    case("pki: a string of quotes", |size| json(&format!("{{\"a\":\"{}\"}}", "\\\"".repeat(size / 2)))),
    case("pki: a string of escapes", |size| json(&format!("{{\"a\":\"{}\"}}", "\\u00e9".repeat(size / 6)))),
    case("pki: a string beyond ASCII", |size| json(&format!("{{\"a\":\"{}\"}}", "\u{e9}".repeat(size / 2)))),
    case("pki: a string of surrogate pairs", |size| {
        json(&format!("{{\"a\":\"{}\"}}", "\\ud834\\udd1e".repeat(size / 12)))
    }),
    case("pki: a long integer", |size| json(&format!("{{\"a\":{}}}", "7".repeat(size)))),
    case("pki: a long fraction", |size| json(&format!("{{\"a\":0.{}}}", "7".repeat(size)))),
    case("pki: a long exponent", |size| json(&format!("{{\"a\":1e{}1}}", "0".repeat(size)))),
    case("pki: a number of zeros", |size| json(&format!("{{\"a\":0.{}1}}", "0".repeat(size)))),
    case("pki: long floats", |size| {
        json(&format!("{{\"a\":[{}]}}", list(size / 24, ",", |at| format!("0.{:019}", at * 7_654_321_987))))
    }),
    case("pki: white space", |size| json(&format!("{{\"a\":{}1}}", " \n".repeat(size / 2)))),
    case("pki: an integer as timestamp", |size| {
        json(&format!("{{\"timestamp\":{},\"message_id\":\"m\"}}", "7".repeat(size)))
    }),
    case("pki form: parts", |size| {
        let part = |at: usize| format!("--b\r\nContent-Disposition: form-data; name=\"n{at}\"\r\n\r\nx\r\n");
        form(&list(size / 64, "", part))
    }),
    case("pki form: beginnings of boundaries", |size| form(&format!("{FILE}{}\r\n", "\r\n--".repeat(size / 4)))),
    case("pki form: a part of line ends", |size| form(&format!("{FILE}{}\r\n", "\r\n".repeat(size / 2)))),
    case("pki form: a part with a long header", |size| {
        form(&format!("--b\r\nContent-Disposition: form-data; name=\"{}\"\r\n\r\nx\r\n", "n".repeat(size)))
    }),
    case("pki form: a header of parameters", |size| {
        let parameters = list(size / 8, "", |at| format!("; p{at}=1"));
        form(&format!("--b\r\nContent-Disposition: form-data{parameters}\r\n\r\nx\r\n"))
    }),
    case("trusted-site: a payload of escapes", |size| site(&"\\u00e9".repeat(size / 6))),
    case("trusted-site: a payload of bars", |size| site(&"|".repeat(size))),
    case("app-hmac: a body of digits", |size| hmac(&"1".repeat(size))),
    case("app-hmac: a body of stamps", |size| hmac(&"1795000000".repeat(size / 10))),
    case("app-hmac: a body of stamps and nonces", |size| hmac(&"1795000000a1b2c3d4".repeat(size / 18))),
    case("app-hmac: a body of slashes", |size| hmac(&"/".repeat(size))),
    case("app-hmac: a body of paths and stamps", |size| hmac(&"/a?b1795000000a1b2c3d4".repeat(size / 22))),
    case("app-hmac: a body of nines", |size| hmac(&"9".repeat(size))),
];

const FILE: &str = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\n";

const fn case(name: &'static str, message: fn(usize) -> Message) -> Case {
    Case { name, size: BODY, message }
}

fn json(body: &str) -> Message {
    let fields = [("authorization", "PKI k:AAAA"), ("content-type", "application/json")];
    Message::new("/orders", &fields, body.to_owned())
}

fn form(parts: &str) -> Message {
    let fields = [("authorization", "PKI k:AAAA"), ("content-type", "multipart/form-data; boundary=b")];
    Message::new("/orders", &fields, format!("{parts}--b--\r\n"))
}

fn site(payload: &str) -> Message {
    let body =
        format!("{{\"payload\":\"{payload}\",\"timestamp\":1795000000,\"signature\":\"AAAA\",\"site_id\":\"k\"}}");
    Message::new("/orders", &[("content-type", "application/json")], body)
}

fn hmac(body: &str) -> Message {
    let signature = "0".repeat(64);
    let fields = [
        ("appid", "app"),
        ("timestamp", "1795000000"),
        ("nonce", "a1b2c3d4"),
        ("signature", signature.as_str()),
        ("content-type", "text/plain"),
    ];
    Message::new("/orders", &fields, body.to_owned())
}

/// One `app-hmac` key.
pub fn keys() -> Keys {
    let record = KeyRecord {
        partner: "acme".to_owned(),
        partner_active: true,
        id: "app".to_owned(),
        version: 1,
        scheme: Scheme::AppHmac,
        algorithm: Algorithm::HmacSha256,
        state: KeyState::Active,
        not_before: None,
        not_after: None,
        form: Some(AppHmacForm { layout: Layout::MethodFirst, unit: TimestampUnit::Seconds, nonce: NonceForm::Hex8 }),
        material: Material::Shared(SharedSecret::new(b"a secret of more than sixteen bytes".to_vec())),
    };
    Keys::new([VerifyingKey::new(record).expect("the key is sound")])
}
