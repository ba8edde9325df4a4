use std::sync::{Arc, LazyLock};

use aws_lc_rs::digest::{SHA256, SHA512, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign::{Algorithm, Code, Form, Keys, Policy, Scheme};
use http::{HeaderMap, HeaderValue};

use super::chain::{Party, judge, lenient, sign};
use super::raw::Raw;

const RFC: Scheme = Scheme::HttpMessageSignatures;

static ACME: LazyLock<Party> = LazyLock::new(|| Party::new(RFC, Algorithm::HmacSha256, "acme-1"));
static KEYS: LazyLock<Keys> = LazyLock::new(|| ACME.keys());
static POLICY: LazyLock<Arc<Policy>> = LazyLock::new(|| lenient(RFC, |_| {}));

/// A signed `Content-Digest` (RFC 9530): the first line is the field, the rest the body. `$256` and `$512` in the field stand
/// for the body's true digests.
///
/// # Panics
/// Where a field is taken that does not hold the body's digest, or a wrong one beside it.
pub fn content_digest(input: &[u8]) {
    let end = input.iter().position(|&byte| byte == b'\n').unwrap_or(input.len());
    let (field, body) = (&input[..end], input.get(end + 1..).unwrap_or_default());
    let Ok(field) = std::str::from_utf8(field) else { return };
    let sha256 = STANDARD.encode(digest(&SHA256, body));
    let sha512 = STANDARD.encode(digest(&SHA512, body));
    let field = field.replace("$256", &sha256).replace("$512", &sha512);
    let Ok(value) = HeaderValue::from_str(&field) else { return };
    // Signed as if there were no body, so that the field stays as it is.
    let mut raw = Raw::request(b"POST /orders HTTP/1.1").expect("a request");
    raw.headers.insert("content-digest", value);
    let head = raw.head().expect("a head");
    let form = Form { cover: Some(vec!["content-digest".to_owned()]), ..Form::new(RFC, "acme-1") };
    let Ok(signature) = sign(head, b"", &HeaderMap::new(), form, &ACME.signer) else { return };
    signature.apply(&mut raw.headers);
    raw.body = body.to_vec();
    match judge(raw.head(), body, &HeaderMap::new(), &KEYS, &POLICY) {
        Ok(_) => {
            let holds = |name: &str, digest: &str| field.contains(&format!("{name}=:{digest}:"));
            assert!(holds("sha-256", &sha256) || holds("sha-512", &sha512), "{field} says nothing of the body");
            // A name could also stand inside another one, or in a parameter; that leaves room for no other digest of ours.
            for (name, digest) in [("sha-256", &sha256), ("sha-512", &sha512)] {
                let told = field.split(',').any(|member| member.trim_start().starts_with(&format!("{name}=")));
                assert!(!told || holds(name, digest), "{field} says something else of the body");
            }
        }
        Err(code) => assert!(matches!(code, Code::Malformed | Code::DigestMismatch | Code::BodyTooLarge), "{code:?}"),
    }
}
