//! Every refusal that can be reached.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use countersign::{Demands, KeyState, Keys, Policy};
use countersign_proxy::Disclosure;

use crate::client::ask;
use crate::signer::Partner;
use crate::stage::{Setting, Stage};

#[tokio::test]
async fn each_fault_has_its_code_and_nothing_is_forwarded() {
    let stage = Stage::start().await;
    let partner = &stage.partner;
    let stranger = Partner::new("stranger", "stranger-1");
    let get = || partner.get("/orders");
    let host = |line: &str, host: &str| format!("{line} HTTP/1.1\r\n{host}Connection: close\r\n\r\n").into_bytes();
    let mut digest_swapped = partner.post("/orders", "abc").sign().await;
    digest_swapped.body = Some("abd".to_owned());
    let mut forged = get().sign().await;
    forged
        .fields
        .iter_mut()
        .filter(|(name, _)| name == "signature")
        .for_each(|(_, value)| *value = format!("sig1=:{}==:", "A".repeat(86)));
    let cases: Vec<(&str, u16, Vec<u8>)> = vec![
        ("unsigned", 401, host("GET /orders", "Host: api.test\r\n")),
        ("no_route", 404, host("GET /orders-admin", "Host: api.test\r\n")),
        ("no_route", 404, host("GET /", "Host: api.test\r\n")),
        ("no_route", 404, host("OPTIONS *", "Host: api.test\r\n")),
        ("malformed", 400, host("GET /orders", "")),
        ("malformed", 400, host("GET /orders", "Host: api.test\r\nHost: api.test\r\n")),
        ("malformed", 400, host("GET /orders", "Host: api.test, evil\r\n")),
        ("malformed", 400, host("GET /orders", "Host: api.test.\r\n")),
        ("malformed", 400, host("GET /orders", "Host:\r\n")),
        ("malformed", 400, host("GET http://evil.test/orders", "Host: api.test\r\n")),
        ("malformed", 400, host("GET /orders//1", "Host: api.test\r\n")),
        ("malformed", 400, host("GET /orders/../admin", "Host: api.test\r\n")),
        ("malformed", 400, host("GET /orders/%2e%2e/admin", "Host: api.test\r\n")),
        ("malformed", 400, host("GET /orders%2fadmin", "Host: api.test\r\n")),
        ("malformed", 400, host("GET /orders\\admin", "Host: api.test\r\n")),
        ("malformed", 400, host("GET /orders#fragment", "Host: api.test\r\n")),
        ("malformed", 400, host("GET /orders?a#41", "Host: api.test\r\n")),
        ("malformed", 400, host("GET /orders/\u{e9}", "Host: api.test\r\n")),
        ("malformed", 400, host("TRACE /orders", "Host: api.test\r\n")),
        ("malformed", 400, host("CONNECT api.test:443", "Host: api.test:443\r\n")),
        ("malformed", 400, host("GET /orders", "Host: api.test\r\nExpect: 200-ok\r\n")),
        (
            "malformed",
            400,
            host("GET /orders", "Host: api.test\r\nSignature-Input: sig1=(\r\nSignature: sig1=:AA==:\r\n"),
        ),
        ("ambiguous", 400, get().sign().await.with("AppId", "x").bytes()),
        // Form comes before scheme.
        ("malformed", 400, host("GET /orders", "Host: api.test\r\nAppId: x\r\n")),
        (
            "scheme_not_allowed",
            401,
            host(
                "GET /orders",
                &format!(
                    "Host: api.test\r\nAppId: x\r\nTimestamp: 1795000000\r\nNonce: a1b2c3d4\r\nSignature: {}\r\n",
                    "a".repeat(64)
                ),
            ),
        ),
        ("unknown_signer", 401, stranger.get("/orders").bytes().await),
        ("too_old", 401, get().ago(Duration::from_secs(400)).bytes().await),
        ("not_yet_valid", 401, {
            let mut m = get();
            m.signed_at = m.signed_at.after(Duration::from_secs(90));
            m.bytes().await
        }),
        ("coverage_too_small", 401, get().cover(&["@method"]).bytes().await),
        (
            "coverage_too_small",
            401,
            partner.post("/orders", "x").cover(&["@method", "@authority", "@path", "@query"]).bytes().await,
        ),
        ("bad_signature", 401, forged.bytes()),
        ("bad_signature", 401, get().sign().await.bytes().replace(b"GET /orders ", b"GET /orders/2 ")),
        ("digest_mismatch", 401, digest_swapped.bytes()),
        ("body_too_large", 413, partner.post("/orders", "x").sign().await.body(&"x".repeat((1 << 20) + 1)).bytes()),
    ];
    for (number, (code, status, bytes)) in cases.into_iter().enumerate() {
        let answer = ask(stage.address, &bytes).await;
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(300)]).into_owned();
        assert_eq!((answer.code().as_str(), answer.status), (code, status), "case {number}: {shown}\n{answer:?}");
        assert!(answer.header("countersign-trace").is_some());
        assert_eq!(answer.header("www-authenticate").is_some(), status == 401);
        assert_eq!(answer.header("accept-signature").is_some(), status == 401);
    }
    assert_eq!(stage.upstream.requests(), 0);
}

trait Replace {
    fn replace(self, from: &[u8], to: &[u8]) -> Vec<u8>;
}

impl Replace for Vec<u8> {
    fn replace(self, from: &[u8], to: &[u8]) -> Vec<u8> {
        let at = self.windows(from.len()).position(|part| part == from).unwrap();
        [&self[..at], to, &self[at + from.len()..]].concat()
    }
}

#[tokio::test]
async fn keys_that_are_not_usable_and_partners_that_are_not_admitted() {
    let stage = Stage::start().await;
    for state in [KeyState::Pending, KeyState::Retired, KeyState::Revoked] {
        stage.keys.store(Arc::new(Keys::new([stage.partner.key(state)])));
        let answer = ask(stage.address, &stage.partner.get("/orders").bytes().await).await;
        assert_eq!((answer.code().as_str(), answer.status), ("key_not_usable", 401), "{state}");
    }
    let demands = Demands { path: "/orders".to_owned(), partners: vec!["other".to_owned()], ..Demands::default() };
    let stage = Stage::with(Setting { demands, ..Setting::default() }).await;
    let answer = ask(stage.address, &stage.partner.get("/orders").bytes().await).await;
    assert_eq!((answer.code().as_str(), answer.status), ("partner_not_allowed", 403));
    assert_eq!(stage.upstream.requests(), 0);
}

#[tokio::test]
async fn at_level_code_an_unknown_key_looks_like_a_bad_signature() {
    let stage = Stage::with(Setting { refusals: Disclosure::Code, ..Setting::default() }).await;
    let stranger = Partner::new("acme", "unknown-key");
    let impostor = Partner::new("acme", "acme-2026");
    let mut told = Vec::new();
    for partner in [&stranger, &impostor] {
        let answer = ask(stage.address, &partner.get("/orders").bytes().await).await;
        assert_eq!((answer.code().as_str(), answer.status), ("signature_invalid", 401));
        let mut problem = answer.json();
        assert!(problem.get("detail").is_none());
        problem["trace"] = "".into();
        problem["server_time"] = 0.into();
        let mut names: Vec<_> =
            answer.head.lines().skip(1).map(|line| line.split(':').next().unwrap().to_owned()).collect();
        names.sort();
        told.push((problem, names, answer.header("content-length").map(str::to_owned)));
    }
    assert_eq!(told[0], told[1]);
}

#[tokio::test]
async fn each_level_tells_more() {
    for (level, detail, route) in
        [(Disclosure::Code, false, false), (Disclosure::Components, true, false), (Disclosure::Full, true, true)]
    {
        let stage = Stage::with(Setting { refusals: level, ..Setting::default() }).await;
        let answer = ask(stage.address, &stage.partner.get("/orders").cover(&["@method"]).bytes().await).await;
        assert_eq!(answer.code(), "coverage_too_small");
        let problem = answer.json();
        assert_eq!((problem.get("detail").is_some(), problem.get("route").is_some()), (detail, route));
    }
}

#[tokio::test]
async fn accept_signature_names_what_the_route_demands() {
    let demands = Demands { path: "/orders".to_owned(), ..Demands::default() };
    let policy = Policy::new(demands.clone()).unwrap();
    let stage = Stage::with(Setting { demands, ..Setting::default() }).await;
    let answer =
        ask(stage.address, b"POST /orders HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx")
            .await;
    let accept = answer.header("accept-signature").unwrap();
    assert!(policy.demands().require.iter().all(|name| accept.contains(&format!("\"{name}\""))), "{accept}");
    assert!(accept.starts_with("sig1=(") && accept.contains(");created;nonce=\""), "{accept}");
    let answer = ask(stage.address, b"GET /orders HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    assert!(!answer.header("accept-signature").unwrap().contains("content-digest"), "there is nothing to digest");
}

#[tokio::test]
async fn whatever_we_need_is_down_and_nothing_passes() {
    let stage = Stage::start().await;
    let switches = &stage.switches;
    for switch in [&switches.keys_down, &switches.replay_down, &switches.keys_panic, &switches.replay_panic] {
        switch.store(true, Ordering::SeqCst);
        let answer = ask(stage.address, &stage.partner.post("/orders", "x").bytes().await).await;
        assert_eq!((answer.code().as_str(), answer.status), ("unavailable", 503));
        assert_eq!(answer.header("retry-after"), Some("1"));
        assert!(!answer.body.contains("on purpose"), "{}", answer.body);
        switch.store(false, Ordering::SeqCst);
    }
    assert_eq!(stage.upstream.requests(), 0);
    let answer = ask(stage.address, &stage.partner.post("/orders", "x").bytes().await).await;
    assert_eq!(answer.status, 200, "a fault does not outlive its cause");
}

#[tokio::test]
async fn a_refusal_of_head_has_no_body() {
    let stage = Stage::start().await;
    let all =
        crate::client::send(stage.address, b"HEAD /orders HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    let all = String::from_utf8(all).unwrap();
    assert!(all.starts_with("HTTP/1.1 401") && all.ends_with("\r\n\r\n"), "{all}");
}
