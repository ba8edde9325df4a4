use std::sync::{Arc, LazyLock};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign::{Algorithm, Form, Keys, Policy, Scheme};
use http::HeaderMap;
use serde_json::Value;

use super::chain::{Party, delivered, judge, lenient, sign};
use super::raw::Raw;

static SITE: LazyLock<Party> = LazyLock::new(|| Party::new(Scheme::TrustedSite, Algorithm::RsaV15Sha256, "site-1"));
static KEYS: LazyLock<Keys> = LazyLock::new(|| SITE.keys());
static POLICY: LazyLock<Arc<Policy>> = LazyLock::new(|| lenient(Scheme::TrustedSite, |_| {}));

/// The body of a `trusted-site` message, in which `$SIG` stands for a true signature; and the same text as a payload that we
/// sign.
///
/// # Panics
/// Where another payload goes on than another reader sees and than was signed, or where we can't verify what we signed.
pub fn trusted_site(input: &[u8]) {
    foreign(input);
    own(input);
}

fn foreign(body: &[u8]) {
    let Ok(text) = std::str::from_utf8(body) else { return };
    let Ok(document) = serde_json::from_str::<Value>(text) else {
        let verdict = judge(message(body).head(), body, &HeaderMap::new(), &KEYS, &POLICY);
        assert!(verdict.is_err(), "a stranger's signature holds");
        return;
    };
    let (Some(payload), Some(stamp)) = (document["payload"].as_str(), document["timestamp"].as_u64()) else { return };
    if !text.contains("$SIG") {
        return;
    }
    let signature = STANDARD.encode(SITE.signature(format!("{payload}|{stamp}").as_bytes()));
    let body = text.replacen("$SIG", &signature, 1).into_bytes();
    if let Ok(ready) = judge(message(&body).head(), &body, &HeaderMap::new(), &KEYS, &POLICY) {
        assert_eq!(document.as_object().map(serde_json::Map::len), Some(4), "{document}");
        assert_eq!(document["site_id"], "site-1");
        assert_eq!(document["signature"], "$SIG");
        assert_eq!(ready.signed_bytes(), Some(format!("{payload}|{stamp}").as_bytes()));
        assert_eq!(delivered(ready.into_parts().1), payload.as_bytes());
    }
}

fn own(payload: &[u8]) {
    let Ok(head) = message(payload).head() else { return };
    let form = Form::new(Scheme::TrustedSite, "site-1");
    let Ok(signed) = sign(head, payload, &HeaderMap::new(), form, &SITE.signer) else { return };
    let body = signed.body().expect("this scheme wraps the payload");
    let ready = judge(message(body).head(), body, &HeaderMap::new(), &KEYS, &POLICY)
        .unwrap_or_else(|code| panic!("what we signed is {code:?}"));
    assert_eq!(delivered(ready.into_parts().1), payload);
}

fn message(body: &[u8]) -> Raw {
    let mut raw = Raw::request(b"POST /orders HTTP/1.1\nContent-Type: application/json").expect("a request");
    raw.body = body.to_vec();
    raw
}
