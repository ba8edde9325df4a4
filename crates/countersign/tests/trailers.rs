//! Signed trailers (`;tr`, RFC 9421 section 2.1.4): judged behind the body, forwarded only where they are covered.

mod support;

use bytes::Bytes;
use countersign::*;
use http::{HeaderMap, Method};
use support::{Memory, NOW, Pair, policy, run};

const RFC: Scheme = Scheme::HttpMessageSignatures;
const BODY: &[u8] = b"{\"amount\": 12}";
const OF_BODY: &str = "sha-256=:rCn5jU+6Rc/A9NciVbN04ZsEhp79DdojzWFvbSEC8pU=:";

fn head() -> Head {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", "application/json".parse().unwrap());
    headers.insert("trailer", "checksum".parse().unwrap());
    let origin = Origin::parse("https://api.example.com").unwrap();
    Head::request(Method::POST, "/orders", origin, headers, true).unwrap()
}

fn trailers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
}

/// Signs the head above, body and trailers; the components that every route demands, and `more`.
fn signed(pair: &Pair, more: &[&str], sent: &HeaderMap) -> Head {
    let usual = ["@method", "@authority", "@path", "@query", "content-type", "content-digest"];
    let cover = usual.iter().chain(more).map(|&name| name.to_owned()).collect();
    let mut draft = Draft::new(head(), Form { cover: Some(cover), ..Form::new(RFC, "key-1") });
    draft.push(BODY);
    draft.trailers(sent.clone());
    let signed = run(draft.finish("nonce", NOW).unwrap().sign(&pair.signer)).unwrap();
    let mut headers = head().into_headers();
    signed.apply(&mut headers);
    Head::request(Method::POST, "/orders", Origin::parse("https://api.example.com").unwrap(), headers, true).unwrap()
}

fn pass(pair: &Pair, head: Head, body: &[u8], came: HeaderMap) -> Result<Ready<Bytes>, Code> {
    let code = |rejection: Rejection| rejection.code();
    let mut open = Claim::read(head, &policy(|_| {})).map_err(code)?.check(&pair.keys(), NOW).map_err(code)?;
    let kept = open.push(Bytes::copy_from_slice(body)).map_err(code)?;
    open.trailers(came);
    let authentic = open.finish(&pair.keys(), NOW).map_err(code)?;
    let fresh = run(authentic.first_use(&pair.keys(), &Memory::default(), NOW)).map_err(|_| Code::Replayed)?;
    fresh.unpack(&Openers::default(), kept).map_err(code)
}

fn names(ready: &Ready<Bytes>) -> Vec<String> {
    ready.head().trailers().keys().map(ToString::to_string).collect()
}

#[test]
fn a_signed_trailer_is_verified_and_goes_on_alone() {
    let pair = Pair::new(RFC, Algorithm::Ed25519, "key-1", "acme");
    let sent = trailers(&[("checksum", "a1b2"), ("note", "not signed")]);
    let ready = pass(&pair, signed(&pair, &["\"checksum\";tr"], &sent), BODY, sent.clone()).unwrap();
    assert_eq!(names(&ready), ["checksum"]);
    assert_eq!(ready.head().trailers()["checksum"], "a1b2");
    // Without a signature over one, none goes on.
    let ready = pass(&pair, signed(&pair, &[], &sent), BODY, sent).unwrap();
    assert_eq!(names(&ready), [""; 0]);
}

#[test]
fn a_trailer_that_was_changed_dropped_or_moved_into_the_head_is_refused() {
    let pair = Pair::new(RFC, Algorithm::Ed25519, "key-1", "acme");
    let sent = trailers(&[("checksum", "a1b2")]);
    let head = || signed(&pair, &["\"checksum\";tr"], &sent);
    assert_eq!(pass(&pair, head(), BODY, trailers(&[("checksum", "a1b3")])).err(), Some(Code::BadSignature));
    assert_eq!(pass(&pair, head(), BODY, HeaderMap::new()).err(), Some(Code::Malformed));
    let twice = trailers(&[("checksum", "a1b2"), ("checksum", "a1b2")]);
    assert_eq!(pass(&pair, head(), BODY, twice).err(), Some(Code::BadSignature));
    let mut moved = head().into_headers();
    moved.insert("checksum", "a1b2".parse().unwrap());
    let origin = Origin::parse("https://api.example.com").unwrap();
    let moved = Head::request(Method::POST, "/orders", origin, moved, true).unwrap();
    assert_eq!(pass(&pair, moved, BODY, HeaderMap::new()).err(), Some(Code::Malformed));
    assert_eq!(pass(&pair, head(), b"{\"amount\": 13}", sent.clone()).err(), Some(Code::DigestMismatch));
}

#[test]
fn one_member_of_a_trailer_does_not_let_the_rest_of_it_on() {
    let pair = Pair::new(RFC, Algorithm::Ed25519, "key-1", "acme");
    let sent = trailers(&[("sums", "a=1, b=2")]);
    let ready = pass(&pair, signed(&pair, &["\"sums\";key=\"a\";tr"], &sent), BODY, sent.clone()).unwrap();
    assert_eq!(names(&ready), [""; 0]);
    let ready = pass(&pair, signed(&pair, &["\"sums\";bs;tr"], &sent), BODY, sent.clone()).unwrap();
    assert_eq!(names(&ready), ["sums"]);
}

#[test]
fn a_digest_in_a_trailer_has_to_match_too() {
    let pair = Pair::new(RFC, Algorithm::Ed25519, "key-1", "acme");
    let other = "sha-256=:XjUKn53YI7cBbcspr8bDyvVJydbDeXDYS2PlP4xTsu4=:";
    let long = "sha-512=:VcLPiONhtNTh36jdPFfweCQoaMO6wdiRkQyUblhs64KPcXiQa8lVur5c2gxVVLIJ9Dfzhs/YuvtWyg8Lv2b06g==:";
    let mismatch = Some(Code::DigestMismatch);
    for (digest, expected) in [(OF_BODY, None), (other, mismatch), (long, None)] {
        let sent = trailers(&[("content-digest", digest)]);
        let head = signed(&pair, &["\"content-digest\";tr"], &sent);
        assert_eq!(pass(&pair, head, BODY, sent).err(), expected, "{digest}");
    }
}
