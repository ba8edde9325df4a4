//! The `trusted-site` scheme: a signed string in a JSON body, and every way to bend it.

mod support;

use countersign::*;
use http::Method;
use support::{Memory, NOW, Pair, Request, policy};

const PAYLOAD: &str = r#"{"email": "a@example.com", "note": "é|\"\\ \u0001 😀"}"#;

fn pair() -> Pair {
    Pair::new(Scheme::TrustedSite, Algorithm::RsaV15Sha256, "drupal_v2", "drupal")
}

fn signed(pair: &Pair) -> Request {
    Request::post("/orders", "application/json", PAYLOAD.as_bytes()).sign(pair, "", NOW)
}

fn pass(pair: &Pair, request: &Request, change: impl FnOnce(&mut Demands)) -> Result<Ready<bytes::Bytes>, Code> {
    let policy = policy(|demands| {
        demands.schemes = vec![Scheme::TrustedSite];
        change(demands);
    });
    request.pass(&pair.keys(), &policy, &Memory::default(), NOW)
}

fn text(request: &Request) -> String {
    String::from_utf8(request.body.clone()).unwrap()
}

#[test]
fn what_we_sign_we_verify_and_the_upstream_gets_the_payload() {
    let pair = pair();
    let ready = pass(&pair, &signed(&pair), |_| {}).unwrap();
    assert_eq!(ready.signed_bytes(), Some(format!("{PAYLOAD}|1795000000").as_bytes()));
    let (head, delivery, identity) = ready.into_parts();
    let Delivery::Derived { payload: body, sha256, .. } = delivery else { panic!("the body as it came") };
    assert_eq!(std::str::from_utf8(&body), Ok(PAYLOAD));
    assert_eq!(sha256, aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &body).as_ref());
    assert_eq!(head.headers()["content-type"], "application/json");
    assert_eq!((&*identity.partner, &*identity.key), ("drupal", "drupal_v2"));
}

#[test]
fn another_spelling_of_the_same_body_is_the_same_message() {
    let pair = pair();
    let mut request = signed(&pair);
    request.body =
        text(&request).replace("\\u00e9", "é").replace(", \"timestamp\": ", " ,\n\"timestamp\" :").into_bytes();
    assert!(pass(&pair, &request, |_| {}).is_ok());
}

#[test]
fn every_changed_part_is_refused() {
    let pair = pair();
    let changed = |from: &str, to: &str| {
        let mut request = signed(&pair);
        let body = text(&request).replacen(from, to, 1);
        assert_ne!(body.as_bytes(), request.body);
        request.body = body.into_bytes();
        pass(&pair, &request, |_| {}).err()
    };
    let bad = Some(Code::BadSignature);
    assert_eq!(changed("a@example.com", "b@example.com"), bad);
    assert_eq!(changed("1795000000", "1795000001"), bad);
    assert_eq!(changed("\"signature\": \"", "\"signature\": \"AAAA"), bad);
    assert_eq!(changed("drupal_v2", "drupal_v1"), Some(Code::UnknownSigner));
    assert_eq!(changed("1795000000", "1794999699"), Some(Code::TooOld));
    assert_eq!(changed("1795000000", "1795000301"), Some(Code::NotYetValid));
}

#[test]
fn mistake_17_a_stamp_is_an_integer_of_ten_digits() {
    let pair = pair();
    for stamp in [
        "1795000000000",
        "179500000",
        "01795000000",
        "-1795000000",
        "1.795e9",
        "1795000000.0",
        "\"1795000000\"",
        "null",
    ] {
        let mut request = signed(&pair);
        request.body = text(&request).replacen("1795000000", stamp, 1).into_bytes();
        assert_eq!(pass(&pair, &request, |_| {}).err(), Some(Code::Malformed), "{stamp}");
    }
}

#[test]
fn mistake_23_a_bar_in_the_payload_does_not_move_the_stamp() {
    let pair = pair();
    // Signed: `x|1794999999|1795000000`. Offered as payload `x` with the other stamp, or with both.
    let request = Request::post("/orders", "application/json", b"x|1794999999").sign(&pair, "", NOW);
    assert!(pass(&pair, &request, |_| {}).is_ok());
    let with = |payload: &str, stamp: &str| {
        let mut request = request.clone();
        let body = text(&request).replacen("x|1794999999", payload, 1).replacen("1795000000", stamp, 1);
        request.body = body.into_bytes();
        pass(&pair, &request, |_| {}).err()
    };
    assert_eq!(with("x", "1795000000"), Some(Code::BadSignature));
    assert_eq!(with("x", "1794999999"), Some(Code::BadSignature));
    assert_eq!(with("x", "\"1794999999|1795000000\""), Some(Code::Malformed));
    assert_eq!(with("x|1794999999|1795000000", "1795000000"), Some(Code::BadSignature));
}

#[test]
fn mistake_23_a_site_id_is_no_path() {
    let pair = pair();
    let long = "a".repeat(65);
    for id in ["../drupal_v2", "a/b", "a%2fb", "", "a b", "é", "a\\u0000b", long.as_str()] {
        let mut request = signed(&pair);
        request.body = text(&request).replacen("drupal_v2", id, 1).into_bytes();
        assert_eq!(pass(&pair, &request, |_| {}).err(), Some(Code::Malformed), "{id}");
    }
}

#[test]
fn exactly_these_members_in_strict_json() {
    let pair = pair();
    let good = text(&signed(&pair));
    let with = |body: String| {
        let request = Request::post("/orders", "application/json", body.as_bytes());
        pass(&pair, &request, |_| {}).err()
    };
    let malformed = Some(Code::Malformed);
    assert_eq!(with(good.clone()), None);
    assert_eq!(with(good.replacen('{', "{\"extra\": 1, ", 1)), malformed);
    assert_eq!(with(good.replacen('{', "{\"site_id\": \"x\", ", 1)), malformed);
    assert_eq!(with(good.replacen("\"payload\"", "\"pay\"", 1)), malformed);
    for half in ["\"signature\"", "\"site_id\""] {
        assert_eq!(with(good.replacen(half, "\"other\"", 1)), malformed, "{half}");
    }
    assert_eq!(with(format!("{good}{good}")), malformed);
    assert_eq!(with(good.replacen("\"signature\": \"", "\"signature\": \" ", 1)), malformed);
    assert_eq!(with(good.replacen("==", "=", 1)), malformed);
    assert_eq!(with(good.replacen("==", "", 1)), malformed);
    assert_eq!(
        with(r#"{"payload": {}, "timestamp": 1795000000, "signature": "AAAA", "site_id": "a"}"#.into()),
        malformed
    );
    assert_eq!(with(r#"{"payload": "", "timestamp": 1795000000, "signature": "", "site_id": "a"}"#.into()), malformed);
    for unsigned in ["{}", "[]", "null", r#"{"payload": "x", "timestamp": 1795000000}"#] {
        assert_eq!(with(unsigned.into()), Some(Code::Unsigned), "{unsigned}");
    }
}

#[test]
fn mistake_22_a_body_only_signature_is_bound_to_its_route() {
    let pair = pair();
    let moved = |change: &dyn Fn(&mut Request)| {
        let mut request = signed(&pair);
        change(&mut request);
        (pass(&pair, &request, |_| {}).err(), pass(&pair, &request, |d| d.unsigned_target = true).err())
    };
    let small = Some(Code::CoverageTooSmall);
    let unsigned = Some(Code::Unsigned);
    assert_eq!(moved(&|_| {}), (None, None));
    assert_eq!(moved(&|r| r.target = "/orders/1".into()), (small, None));
    assert_eq!(moved(&|r| r.target = "/orders?".into()), (small, None));
    assert_eq!(moved(&|r| r.method = Method::PUT), (small, None));
    assert_eq!(moved(&|r| drop(r.headers.insert("content-type", "text/plain".parse().unwrap()))), (unsigned, unsigned));
    assert_eq!(moved(&|r| drop(r.headers.remove("content-type"))), (unsigned, unsigned));
    assert_eq!(moved(&|r| r.body.clear()), (unsigned, unsigned));
    let ambiguous = Some(Code::Ambiguous);
    assert_eq!(
        moved(&|r| {
            r.headers.insert("appid", "a".parse().unwrap());
            r.headers.insert("authorization", "PKI AAAA".parse().unwrap());
        }),
        (ambiguous, ambiguous)
    );
}

#[test]
fn mistake_22_a_key_of_this_scheme_signs_no_other() {
    let pair = pair();
    let request = signed(&pair);
    let here = |schemes: Vec<Scheme>| {
        request.pass(&pair.keys(), &policy(|d| d.schemes = schemes), &Memory::default(), NOW).err()
    };
    assert_eq!(here(vec![Scheme::HttpMessageSignatures, Scheme::TrustedSite]), None);
    assert_eq!(here(vec![Scheme::HttpMessageSignatures, Scheme::Pki]), Some(Code::Unsigned));
    let other = Pair::new(Scheme::HttpMessageSignatures, Algorithm::RsaV15Sha256, "drupal_v2", "drupal");
    assert_eq!(pass(&other, &request, |_| {}).err(), Some(Code::UnknownSigner));
}

#[test]
fn each_payload_and_stamp_passes_once() {
    let pair = pair();
    let (keys, memory, policy) = (pair.keys(), Memory::default(), policy(|d| d.schemes = vec![Scheme::TrustedSite]));
    let mut request = signed(&pair);
    assert_eq!(request.pass(&keys, &policy, &memory, NOW).err(), None);
    assert_eq!(request.pass(&keys, &policy, &memory, NOW).err(), Some(Code::Replayed));
    request.body = text(&request).replace(", \"timestamp\": ", ",\"timestamp\":").into_bytes();
    assert_eq!(request.pass(&keys, &policy, &memory, NOW).err(), Some(Code::Replayed));
    let later = Timestamp::from_secs(NOW.as_secs() + 1);
    let next = Request::post("/orders", "application/json", PAYLOAD.as_bytes()).sign(&pair, "", later);
    assert_eq!(next.pass(&keys, &policy, &memory, later).err(), None);
}

#[test]
fn what_can_not_be_carried_is_not_signed() {
    let refused = |body: &[u8], id: &str, now| {
        let head = Request::post("/orders", "application/json", body).head().unwrap();
        let mut draft = Draft::new(head, Form::new(Scheme::TrustedSite, id));
        draft.push(body);
        draft.finish("nonce", now).is_err()
    };
    assert!(!refused(b"{}", "site", NOW));
    assert!(refused(b"", "site", NOW));
    assert!(refused(b"\xff", "site", NOW));
    assert!(refused(b"{}", "a/b", NOW));
    assert!(refused(b"{}", "site", Timestamp::from_secs(99)));
}
