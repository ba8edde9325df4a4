//! How often a partner and a source may ask.

use std::time::Duration;

use countersign::Demands;
use countersign_proxy::{Limits, Quota};

use crate::client::ask;
use crate::signer::Partner;
use crate::stage::{Setting, Stage};

const THREE_A_MINUTE: Quota = Quota { requests: 3, per: Duration::from_mins(1) };

fn limited_sources(requests: u64) -> Limits {
    let quota = Quota { requests, per: Duration::from_mins(1) };
    Limits { source_rate: Some(quota), limit_loopback: true, ..Setting::default().limits }
}

#[tokio::test]
async fn a_partner_beyond_its_rate_is_told_when_to_come_back() {
    let stage = Stage::with(Setting { rate: Some(THREE_A_MINUTE), ..Setting::default() }).await;
    for left in ["2", "1", "0"] {
        let answer = ask(stage.address, &stage.partner.get("/orders").bytes().await).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("ratelimit-policy"), Some("\"partner\";q=3;w=60"));
        assert!(answer.header("ratelimit").unwrap().starts_with(&format!("\"partner\";r={left};t=")), "{answer:?}");
    }
    let over = ask(stage.address, &stage.partner.get("/orders").bytes().await).await;
    assert_eq!((over.status, over.code().as_str()), (429, "rate_limited"));
    let wait: u64 = over.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=21).contains(&wait), "{over:?}");
    assert!(over.header("ratelimit").unwrap().starts_with("\"partner\";r=0;t="), "{over:?}");
    assert_eq!(stage.upstream.requests(), 3);
}

/// One partner's flood leaves the others what is theirs.
#[tokio::test]
async fn a_flood_of_one_partner_starves_no_other() {
    let stage = Stage::with(Setting { rate: Some(THREE_A_MINUTE), ..Setting::default() }).await;
    let other = Partner::new("globex", "globex-2026");
    let both = [&stage.partner, &other].map(|partner| partner.key(countersign::KeyState::Active));
    stage.keys.store(countersign::Keys::new(both).into());
    for _ in 0..10 {
        ask(stage.address, &stage.partner.get("/orders").bytes().await).await;
    }
    assert_eq!(ask(stage.address, &other.get("/orders").bytes().await).await.status, 200);
}

/// Strangers who use a partner's key id, and captured requests, spend nothing of what the partner may ask for.
#[tokio::test]
async fn strangers_and_replays_spend_no_partners_rate() {
    let stage = Stage::with(Setting { rate: Some(THREE_A_MINUTE), ..Setting::default() }).await;
    let stranger = Partner::new("acme", "acme-2026");
    let captured = stage.partner.get("/orders").bytes().await;
    assert_eq!(ask(stage.address, &captured).await.status, 200);
    for _ in 0..5 {
        assert_eq!(ask(stage.address, &stranger.get("/orders").bytes().await).await.code(), "bad_signature");
        assert_eq!(ask(stage.address, &captured).await.code(), "replayed");
    }
    assert_eq!(ask(stage.address, &stage.partner.get("/orders").bytes().await).await.status, 200);
}

/// Else whoever can have the configuration read again has a burst for each time.
#[tokio::test]
async fn a_reload_gives_no_new_burst() {
    let stage = Stage::with(Setting { rate: Some(THREE_A_MINUTE), ..Setting::default() }).await;
    for _ in 0..3 {
        assert_eq!(ask(stage.address, &stage.partner.get("/orders").bytes().await).await.status, 200);
        stage.control.reload(&stage.settings).unwrap();
    }
    assert_eq!(ask(stage.address, &stage.partner.get("/orders").bytes().await).await.status, 429);
}

#[tokio::test]
async fn a_source_beyond_its_rate_is_refused_before_its_signature_is_looked_at() {
    let stage = Stage::with(Setting { limits: limited_sources(2), ..Setting::default() }).await;
    for _ in 0..2 {
        assert_eq!(ask(stage.address, &stage.partner.get("/orders").bytes().await).await.status, 200);
    }
    let kept = stage.partner.get("/orders").bytes().await;
    let over = ask(stage.address, &kept).await;
    assert_eq!((over.status, over.code().as_str()), (429, "rate_limited"));
    assert!(over.header("ratelimit").unwrap().starts_with("\"source\";r=0;t="), "{over:?}");
    let lines = stage.log.lines(3).await;
    assert!(lines[2]["key"].is_null() && lines[2]["reason"].as_str().unwrap().contains("this source"), "{}", lines[2]);
    // Its nonce was not spent either.
    let mut settings = stage.settings.clone();
    settings.limits.source_rate = None;
    stage.control.reload(&settings).unwrap();
    assert_eq!(ask(stage.address, &kept).await.status, 200);
}

#[tokio::test]
async fn what_is_refused_costs_a_source_ten_times_as_much() {
    let stage = Stage::with(Setting { limits: limited_sources(20), ..Setting::default() }).await;
    let unsigned = b"GET /orders HTTP/1.1\r\nHost: api.test\r\nConnection: close\r\n\r\n";
    let mut codes = Vec::new();
    for _ in 0..3 {
        codes.push(ask(stage.address, unsigned).await.code());
    }
    assert_eq!(codes, ["unsigned", "unsigned", "rate_limited"]);
}

/// Behind a proxy on the same machine everybody comes from loopback: to count it, it has to be asked for.
#[tokio::test]
async fn loopback_is_no_source_unless_it_is_said() {
    let limits = Limits { limit_loopback: false, ..limited_sources(1) };
    let stage = Stage::with(Setting { limits, ..Setting::default() }).await;
    for _ in 0..5 {
        assert_eq!(ask(stage.address, &stage.partner.get("/orders").bytes().await).await.status, 200);
    }
}

#[tokio::test]
async fn a_route_that_observes_limits_nobody() {
    let demands = Demands { path: "/orders".to_owned(), max_body: 1 << 20, observe: true, ..Demands::default() };
    let limits = limited_sources(1);
    let stage = Stage::with(Setting { demands, limits, rate: Some(THREE_A_MINUTE), ..Setting::default() }).await;
    for _ in 0..5 {
        assert_eq!(ask(stage.address, &stage.partner.get("/orders").bytes().await).await.status, 200);
    }
    let elsewhere = b"GET /other HTTP/1.1\r\nHost: api.test\r\nConnection: close\r\n\r\n";
    assert_eq!(ask(stage.address, elsewhere).await.status, 404);
    assert_eq!(ask(stage.address, elsewhere).await.status, 429);
}
