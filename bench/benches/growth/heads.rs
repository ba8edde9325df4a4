//! Heads that a stranger makes up. The signature is never good, so what is measured is what it takes to say so.

use super::{Case, Message};

const KIB: usize = 1 << 10;
/// The largest head that the gateway takes is 64 KiB.
const HEAD: usize = 15 * KIB;

pub const CASES: &[Case] = &[
    case("labels", |size| {
        let each = |value: &str| list(size / 24, ", ", |at| format!("s{at}={value}"));
        signed(&each("(\"@method\")"), &each(":AA==:"), &[])
    }),
    case("components", |size| one(&format!("({})", list(size / 8, " ", |at| format!("\"h{at}\""))))),
    case("signature parameters", |size| one(&format!("(\"@method\"){}", list(size / 8, "", |at| format!(";p{at}"))))),
    case("component parameters", |size| one(&format!("(\"@method\"{})", list(size / 8, "", |at| format!(";p{at}"))))),
    case("brackets in brackets", |size| one(&"(".repeat(size))),
    case("a long keyid", |size| one(&format!("(\"@method\");keyid=\"{}\"", "k".repeat(size)))),
    case("a keyid of escapes", |size| one(&format!("(\"@method\");keyid=\"{}\"", "\\\"".repeat(size / 2)))),
    case("a created of digits", |size| one(&format!("(\"@method\");created={}", "1".repeat(size)))),
    case("a parameter with a long decimal", |size| one(&format!("(\"@method\");x=1.{}", "1".repeat(size)))),
    case("blanks between components", |size| one(&format!("(\"@method\"{})", " ".repeat(size)))),
    case("lines of a covered field", |size| covering("(\"x\")", &vec![("x", "a"); size / 4])),
    case("a long covered field", |size| covering("(\"x\")", &[("x", &"a".repeat(size))])),
    case("64 covered fields", |size| {
        let names: Vec<String> = (0..58).map(|at| format!("x{at}")).collect();
        let value = "a".repeat(size / 58);
        let fields: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), value.as_str())).collect();
        covering(&format!("({})", list(58, " ", |at| format!("\"x{at}\""))), &fields)
    }),
    case("lines of a field covered by bs", |size| covering("(\"x\";bs)", &vec![("x", "a"); size / 4])),
    case("members of a field covered by sf", |size| {
        covering("(\"cache-control\";sf)", &[("cache-control", &list(size / 8, ", ", |at| format!("m{at}")))])
    }),
    case("60 members of a long field, covered one by one", |size| {
        let field = format!("{}, filler={}", list(60, ", ", |at| format!("m{at}")), inner_list(size));
        covering(&format!("({})", list(60, " ", |at| format!("\"x\";key=\"m{at}\""))), &[("x", &field)])
    }),
    case("60 members of a field of many, covered one by one", |size| {
        let field = list((size / 8).min(1000), ", ", |at| format!("m{at}=1"));
        covering(&format!("({})", list(60, " ", |at| format!("\"x\";key=\"m{at}\""))), &[("x", &field)])
    }),
    case("60 members of Content-Digest, covered one by one", |size| {
        let field = format!("sha-256=:{}:, {}", "A".repeat(size), list(12, ", ", |at| format!("m{at}=:AA==:")));
        let cover = list(12, " ", |at| format!("\"content-digest\";key=\"m{at}\""));
        covering(&format!("({cover})"), &[("content-digest", &field)])
    }),
    case("members of Content-Digest", |size| {
        covering("(\"content-digest\")", &[("content-digest", &list(size / 12, ", ", |at| format!("m{at}=:AA==:")))])
    }),
    case("60 query parameters of a long query", |size| {
        let query = list(size / 6, "&", |at| format!("p{at}=1"));
        let cover = list(60, " ", |at| format!("\"@query-param\";name=\"p{at}\""));
        Message { target: format!("/orders?{query}"), ..one(&format!("({cover})")) }
    }),
    case("60 query parameters, one of them long", |size| {
        let query = format!("{}&filler={}", list(60, "&", |at| format!("p{at}=1")), "%41".repeat(size / 3));
        let cover = list(60, " ", |at| format!("\"@query-param\";name=\"p{at}\""));
        Message { target: format!("/orders?{query}"), ..one(&format!("({cover})")) }
    }),
    case("a path of segments", |size| Message { target: "/a".repeat(size / 2), ..one("(\"@path\")") }),
    case("a path of escapes", |size| Message { target: format!("/{}", "%41".repeat(size / 3)), ..one("(\"@path\")") }),
    case("a long signature", |size| {
        signed("s=(\"@method\");keyid=\"k\"", &format!("s=:{}:", "AAAA".repeat(size / 4)), &[])
    }),
];

const fn case(name: &'static str, message: fn(usize) -> Message) -> Case {
    Case { name, size: HEAD, message }
}

/// One signature with this member of `Signature-Input`.
fn one(input: &str) -> Message {
    covering(input, &[])
}

/// The same, with more fields. Where the member names no key, one that is unknown.
fn covering(input: &str, fields: &[(&str, &str)]) -> Message {
    let parameters =
        if input.contains("keyid") || !input.ends_with(')') { "" } else { ";created=1795000000;keyid=\"k\"" };
    signed(&format!("s={input}{parameters}"), "s=:AAAA:", fields)
}

fn signed(input: &str, signature: &str, fields: &[(&str, &str)]) -> Message {
    let fields = [&[("signature-input", input), ("signature", signature)], fields].concat();
    Message::new("/orders", &fields, "")
}

fn inner_list(size: usize) -> String {
    format!("({})", list(size / 4, " ", |_| "abc".to_owned()))
}

/// So many texts, with something between them.
pub fn list(count: usize, between: &str, each: impl Fn(usize) -> String) -> String {
    (0..count).map(each).collect::<Vec<_>>().join(between)
}
