//! A message that carries a `Content-Digest` before it is signed: kept where it is right, refused where it is not.

use countersign::{Algorithm, Draft, Form, Head, Origin, Scheme, SigningKey, Timestamp};
use http::{HeaderMap, Method};

const BODY: &[u8] = b"{\"hello\": \"world\"}";
const SHA256: &str = "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:";
const SHA512: &str =
    "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:";

/// The digest that the signed message carries, or why it is not signed.
fn signed(scheme: Scheme, digests: &[&str], body: &[u8]) -> Result<Vec<String>, String> {
    let mut headers = HeaderMap::new();
    for digest in digests {
        headers.append("content-digest", digest.parse().unwrap());
    }
    let origin = Origin::parse("https://api.example.com").unwrap();
    let head = Head::request(Method::POST, "/a", origin, headers.clone(), !body.is_empty()).unwrap();
    let mut draft = Draft::new(head, Form::new(scheme, "k"));
    for part in body.chunks(7) {
        draft.push(part);
    }
    let told = |error: countersign::SignError| {
        assert_eq!(error.hint(), Some("leave Content-Digest out: the right one is made"));
        error.to_string()
    };
    let unsigned = draft.finish("0123456789abcdef", Timestamp::from_secs(1_795_000_000)).map_err(told)?;
    let pair = SigningKey::generate(Algorithm::Ed25519, 0).unwrap();
    let key = SigningKey::from_file(pair.private.as_bytes(), Scheme::HttpMessageSignatures, None).unwrap();
    let waker = std::task::Waker::noop();
    let signing = std::pin::pin!(unsigned.sign(&key)).poll(&mut std::task::Context::from_waker(waker));
    let std::task::Poll::Ready(Ok(signed)) = signing else { panic!("not signed") };
    assert!(String::from_utf8_lossy(signed.signed_bytes()).contains("\n\"content-digest\": ") || body.is_empty());
    signed.apply(&mut headers);
    Ok(headers.get_all("content-digest").iter().map(|it| it.to_str().unwrap().to_owned()).collect())
}

#[test]
fn a_right_digest_stays_as_it_is() {
    let usual = |digests: &[&str]| signed(Scheme::HttpMessageSignatures, digests, BODY).unwrap();
    assert_eq!(usual(&[]), [SHA256]);
    assert_eq!(usual(&[SHA256]), [SHA256]);
    assert_eq!(usual(&[SHA512]), [SHA512]);
    assert_eq!(usual(&[SHA512, SHA256]), [SHA512, SHA256], "both hold");
    assert_eq!(usual(&[&format!("md5=:AAAA:, {SHA512}")]).len(), 1);
}

#[test]
fn a_wrong_digest_is_refused_and_not_repaired() {
    let wrong_256 = SHA256.replace("X48", "Y48");
    let wrong_512 = SHA512.replace("WZD", "XZD");
    for digests in [&[wrong_256.as_str()][..], &[wrong_512.as_str()], &[SHA256, &wrong_512], &[&wrong_256, SHA512]] {
        let refused = signed(Scheme::HttpMessageSignatures, digests, BODY).unwrap_err();
        assert!(refused.contains("not the digest of its body"), "{digests:?}: {refused}");
    }
    assert!(signed(Scheme::HttpMessageSignatures, &[SHA256], b"").is_err(), "of a body that is not there");
    for digest in ["md5=:AAAA:", "nonsense", "sha-256=:AAAA:"] {
        let refused = signed(Scheme::HttpMessageSignatures, &[digest], BODY).unwrap_err();
        assert!(refused.contains("that can be read"), "{digest}: {refused}");
    }
    assert!(signed(Scheme::TrustedSite, &[SHA256], BODY).unwrap_err().contains("payload of another"));
}
