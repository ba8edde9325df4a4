//! The `pki` scheme: what Python printed is what is verified and forwarded.

mod support;

use countersign::*;
use support::{Memory, NOW, Pair, Request, policy};

const BODY: &str =
    r#"{"timestamp": 1795000000, "message_id": "m-1", "sender": "a", "content": "é", "priority": "low", "n": 1e5}"#;

fn pair() -> Pair {
    Pair::new(Scheme::Pki, Algorithm::RsaPssSha256, "site", "acme")
}

fn pass(pair: &Pair, request: &Request, change: impl FnOnce(&mut Demands)) -> Result<Ready<bytes::Bytes>, Code> {
    let policy = policy(|demands| {
        demands.schemes = vec![Scheme::Pki];
        change(demands);
    });
    request.pass(&pair.keys(), &policy, &Memory::default(), NOW)
}

#[test]
fn the_upstream_gets_the_signed_bytes() {
    let pair = pair();
    let request = Request::post("/orders", "application/json", BODY.as_bytes()).sign(&pair, "", NOW);
    let (head, delivery, identity) = pass(&pair, &request, |_| {}).unwrap().into_parts();
    let Delivery::Derived { payload: body, sha256, .. } = delivery else { panic!("the body as it came") };
    let printed = r#"{"content": "\u00e9", "message_id": "m-1", "n": 100000.0, "priority": "low", "sender": "a", "timestamp": 1795000000}"#;
    assert_eq!(std::str::from_utf8(&body), Ok(printed));
    assert_eq!(sha256, aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &body).as_ref());
    assert!(!head.headers().contains_key("authorization"));
    assert_eq!(&*identity.partner, "acme");
}

#[test]
fn an_unsigned_charset_makes_no_other_document_of_the_signed_bytes() {
    let pair = pair();
    for content_type in ["application/json; charset=utf-7", "application/json;charset=utf-16", "Application/JSON"] {
        let mut request = Request::post("/orders", "application/json", BODY.as_bytes()).sign(&pair, "", NOW);
        request.headers.insert("content-type", content_type.parse().unwrap());
        let (head, _, _) = pass(&pair, &request, |_| {}).unwrap().into_parts();
        assert_eq!(head.headers()["content-type"], "application/json", "{content_type}");
    }
}

#[test]
fn another_spelling_of_the_same_document_verifies_and_another_document_does_not() {
    let pair = pair();
    let mut request = Request::post("/orders", "application/json", BODY.as_bytes()).sign(&pair, "", NOW);
    request.body = BODY.replace("\"n\": 1e5", "\"n\":100000.0 ").into_bytes();
    assert!(pass(&pair, &request, |_| {}).is_ok());
    request.body = BODY.replace("1e5", "100000").into_bytes();
    assert_eq!(pass(&pair, &request, |_| {}).err(), Some(Code::BadSignature));
    request.body = BODY.replace("\"low\"", "\"low\", \"priority\": \"low\"").into_bytes();
    assert_eq!(pass(&pair, &request, |_| {}).err(), Some(Code::Malformed));
}

#[test]
fn a_body_only_signature_is_bound_to_its_route() {
    let pair = pair();
    let signed = Request::post("/orders", "application/json", BODY.as_bytes()).sign(&pair, "", NOW);
    let moved = |change: &dyn Fn(&mut Request)| {
        let mut request = signed.clone();
        change(&mut request);
        (pass(&pair, &request, |_| {}).err(), pass(&pair, &request, |d| d.unsigned_target = true).err())
    };
    let small = Some(Code::CoverageTooSmall);
    assert_eq!(moved(&|_| {}), (None, None));
    assert_eq!(moved(&|r| r.target = "/orders/1".into()), (small, None));
    assert_eq!(moved(&|r| r.target = "/orders?a".into()), (small, None));
    assert_eq!(moved(&|r| r.target = "/orders?".into()), (small, None));
    assert_eq!(moved(&|r| r.method = http::Method::PUT), (small, None));
    let malformed = Some(Code::Malformed);
    assert_eq!(
        moved(&|r| drop(r.headers.insert("content-type", "text/plain".parse().unwrap()))),
        (malformed, malformed)
    );
    assert_eq!(moved(&|r| r.body.clear()), (Some(Code::Unsigned), Some(Code::Unsigned)));
}

#[test]
fn a_document_that_reads_as_the_printing_of_a_form_is_refused_and_one_nearly_so_is_not() {
    let pair = pair();
    // Our signer refuses to make such a message, so the signature is another's.
    let signed = Request::post("/orders", "application/json", BODY.as_bytes()).sign(&pair, "", NOW);
    let with = |members: &str| {
        let request = Request { body: format!("{{{members}}}").into_bytes(), ..signed.clone() };
        pass(&pair, &request, |d| d.pki.replay_unprotected = true).err()
    };
    let printing = "\"content_type\": null, \"fields\": {}, \"filename\": null, \"sha256\": \"\", \"size\": 0";
    assert_eq!(with(printing), Some(Code::Malformed));
    assert_eq!(with(&printing.replace("null", "[1]")), Some(Code::Malformed));
    assert_eq!(with(&format!("{printing}, \"x\": 0")), Some(Code::BadSignature));
    assert_eq!(with(&printing.replace("size", "length")), Some(Code::BadSignature));
    assert_eq!(with(&printing.replace("\"filename\": null, ", "")), Some(Code::BadSignature));
}

#[test]
fn both_forms_of_the_header() {
    let pair = pair();
    let mut request = Request::post("/orders", "application/json", BODY.as_bytes()).sign(&pair, "", NOW);
    let value = request.headers["authorization"].to_str().unwrap().to_owned();
    let signature = value.strip_prefix("PKI site:").unwrap();
    let mut with = |value: &str, signer: Option<&str>| {
        request.headers.insert("authorization", value.parse().unwrap());
        pass(&pair, &request, |d| d.pki.signer = signer.map(str::to_owned)).err()
    };
    assert_eq!(with(&format!("PKI {signature}"), Some("site")), None);
    assert_eq!(with(&format!("PKI {signature}"), Some("other")), Some(Code::UnknownSigner));
    assert_eq!(with(&format!("PKI {signature}"), None), Some(Code::UnknownSigner));
    assert_eq!(with(&format!("PKI site:{signature}"), Some("other")), None);
    for bad in
        ["PKI", "PKI ", "PKI x", "PKI a b", "PKI :AAAA", "PKI a/b:AAAA", "pki AAAA", "PKI site:AAA", "PKI  site:AAAA"]
    {
        assert_eq!(with(bad, Some("site")), Some(Code::Malformed), "{bad}");
    }
    assert_eq!(with("Basic AAAA", Some("site")), Some(Code::Unsigned));
}

#[test]
fn a_message_passes_once_by_its_bytes_and_once_by_its_id() {
    let pair = pair();
    let policy = policy(|d| d.schemes = vec![Scheme::Pki]);
    let memory = Memory::default();
    let keys = pair.keys();
    let send = |body: &str| {
        let request = Request::post("/orders", "application/json", body.as_bytes()).sign(&pair, "", NOW);
        request.pass(&keys, &policy, &memory, NOW).err()
    };
    assert_eq!(send(BODY), None);
    assert_eq!(send(BODY), Some(Code::Replayed));
    // PSS signs with a fresh salt each time: another signature, the same message.
    assert_eq!(send(&BODY.replace("\"low\"", "\"high\"")), Some(Code::Replayed));
    assert_eq!(send(&BODY.replace("m-1", "m-2")), None);
}

#[test]
fn time_stamp_and_message_id_are_demanded() {
    let pair = pair();
    let with = |body: String| {
        // Signed by hand, since our signer refuses to make such a message.
        let mut request = Request::post("/orders", "application/json", BODY.as_bytes()).sign(&pair, "", NOW);
        request.body = body.into_bytes();
        (pass(&pair, &request, |_| {}).err(), pass(&pair, &request, |d| d.pki.replay_unprotected = true).err())
    };
    let (small, malformed, bad) = (Some(Code::CoverageTooSmall), Some(Code::Malformed), Some(Code::BadSignature));
    assert_eq!(with(BODY.replace("timestamp", "time")), (small, bad));
    assert_eq!(with(BODY.replace("message_id", "id")), (small, bad));
    assert_eq!(with(BODY.replace("1795000000", "\"yesterday\"")), (malformed, bad));
    assert_eq!(with(BODY.replace("1795000000", "1795000000000")), (malformed, bad));
    assert_eq!(with(BODY.replace("1795000000", "1.795e9")), (malformed, bad));
    assert_eq!(with(BODY.replace("1795000000", "1794999000")), (Some(Code::TooOld), bad));
    assert_eq!(with(BODY.replace("1795000000", "1795000031")), (Some(Code::NotYetValid), bad));
    assert_eq!(with(BODY.replace("\"m-1\"", "\"\"")), (malformed, bad));
    assert_eq!(with(BODY.replace("\"m-1\"", "1")), (malformed, bad));
}
