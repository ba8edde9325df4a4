//! Health, metrics, log, reload.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use countersign::{Demands, Policy};
use countersign_proxy::{Gateway, GatewayError, Handles};

use crate::client::{Answer, ask};
use crate::stage::Stage;

pub(crate) async fn admin(stage: &Stage, path: &str) -> Answer {
    ask(stage.admin, format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n").as_bytes()).await
}

#[tokio::test]
async fn readyz_names_what_is_missing() {
    let stage = Stage::start().await;
    assert_eq!(admin(&stage, "/livez").await.status, 200);
    let ready = admin(&stage, "/readyz").await;
    assert_eq!((ready.status, &ready.json()["ready"]), (200, &true.into()));
    stage.switches.keys_down.store(true, Ordering::SeqCst);
    let ready = admin(&stage, "/readyz").await;
    assert_eq!((ready.status, ready.json()["missing"][0]["what"].as_str()), (503, Some("registry")));
    stage.switches.keys_down.store(false, Ordering::SeqCst);
    stage.switches.replay_down.store(true, Ordering::SeqCst);
    ask(stage.address, &stage.partner.get("/orders").bytes().await).await;
    let ready = admin(&stage, "/readyz").await;
    assert_eq!((ready.status, ready.json()["missing"][0]["what"].as_str()), (503, Some("replay store")));
    stage.switches.replay_down.store(false, Ordering::SeqCst);
    ask(stage.address, &stage.partner.get("/orders").bytes().await).await;
    assert_eq!(admin(&stage, "/readyz").await.status, 200);
    let rebound = b"GET /readyz HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n";
    assert_eq!(ask(stage.admin, rebound).await.status, 403);
}

#[tokio::test]
async fn metrics_count_by_route_and_code_and_by_nothing_a_stranger_chose() {
    let stage = Stage::start().await;
    ask(stage.address, &stage.partner.get("/orders").bytes().await).await;
    ask(stage.address, b"GET /orders/unsigned HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    ask(stage.address, b"GET /strange HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    let metrics = admin(&stage, "/metrics").await.body;
    for line in [
        "countersign_requests_total{route=\"orders\",code=\"accepted\"} 1\n",
        "countersign_requests_total{route=\"orders\",code=\"unsigned\"} 1\n",
        "countersign_requests_total{route=\"\",code=\"no_route\"} 1\n",
        "countersign_upstream_seconds_count{route=\"orders\"} 1\n",
        "countersign_held_bytes 0\n",
    ] {
        assert!(metrics.contains(line), "{line} is missing in\n{metrics}");
    }
    assert!(!metrics.contains("strange") && !metrics.contains("/orders/"));
}

#[tokio::test]
async fn each_decision_is_one_line() {
    let stage = Stage::start().await;
    let accepted = ask(stage.address, &stage.partner.post("/orders", "secret body").bytes().await).await;
    let mut hostile = stage.partner.get("/orders");
    hostile.key_id = "a\\\"b} {\"code\": \"accepted".to_owned();
    let hostile = hostile.sign().await.with("Authorization", "Bearer secret-token").with("Cookie", "secret-cookie");
    let refused = ask(stage.address, &hostile.bytes()).await;
    let lines = stage.log.lines(2).await;
    let line = &lines[0];
    assert_eq!(line["trace"].as_str(), accepted.header("countersign-trace"));
    for (name, value) in [
        ("partner", "acme"),
        ("key", "acme-2026"),
        ("scheme", "http-message-signatures"),
        ("route", "orders"),
        ("code", "accepted"),
    ] {
        assert_eq!(line[name], value);
    }
    assert_eq!(line["status"], 200);
    assert!(line["ms"].is_f64() && line["time"].as_str().unwrap().ends_with('Z') && line.get("reason").is_none());
    let line = &lines[1];
    assert_eq!(line["trace"].as_str(), refused.header("countersign-trace"));
    assert_eq!(
        (line["code"].as_str(), line["partner"].as_str(), line["status"].as_i64()),
        (Some("unknown_signer"), None, Some(401))
    );
    // What a refused message claims is told, and nobody is named for it.
    assert_eq!(line["key"], "a\\\"b} {\"code\": \"accepted");
    assert_eq!(line["scheme"], "http-message-signatures");
    assert!(line["reason"].is_string());
    assert!(!stage.log.text().contains("secret"), "{}", stage.log.text());
    assert_eq!(lines.len(), 2);
}

#[tokio::test]
async fn a_reload_is_taken_as_a_whole_or_not_at_all() {
    let stage = Stage::start().await;
    let mut settings = stage.settings.clone();
    settings.routes.push(settings.routes[0].clone());
    assert!(stage.control.reload(&settings).is_err());
    assert_eq!(ask(stage.address, &stage.partner.get("/orders").bytes().await).await.status, 200);
    let ready = admin(&stage, "/readyz").await;
    assert_eq!(ready.status, 200);
    assert!(ready.json()["reload"]["failed"].as_str().unwrap().contains("twice"));
    assert!(admin(&stage, "/metrics").await.body.contains("countersign_reloads_failed_total 1\n"));

    let mut settings = stage.settings.clone();
    let demands = Demands { path: "/invoices".to_owned(), ..Demands::default() };
    settings.routes[0].path = "/invoices".to_owned();
    settings.routes[0].policy = Arc::new(Policy::new(demands).unwrap());
    stage.control.reload(&settings).unwrap();
    assert_eq!(ask(stage.address, &stage.partner.get("/orders").bytes().await).await.code(), "no_route");
    assert_eq!(ask(stage.address, &stage.partner.get("/invoices").bytes().await).await.status, 200);
    assert!(admin(&stage, "/readyz").await.json().get("reload").is_none());
    assert!(admin(&stage, "/metrics").await.body.contains("countersign_reloads_total 1\n"));
    let text = stage.log.text();
    assert!(text.contains("\"event\":\"reload failed\"") && text.contains("\"event\":\"reloaded\""));
}

#[tokio::test]
async fn settings_that_are_not_safe_make_no_gateway() {
    let stage = Stage::start().await;
    let handles = || {
        let keys = Arc::new(|_| Ok(Arc::default()));
        Handles::new(keys, Arc::new(Never))
    };
    let mut elsewhere = stage.settings.clone();
    elsewhere.routes[0].path = "/elsewhere".to_owned();
    let mut nowhere = stage.settings.clone();
    nowhere.listen.clear();
    for settings in [elsewhere, nowhere] {
        assert!(matches!(Gateway::bind(settings, handles()), Err(GatewayError::Settings(_))));
    }
    let mut taken = stage.settings.clone();
    taken.listen = vec![stage.address];
    assert!(matches!(Gateway::bind(taken, handles()), Err(GatewayError::Listen(..))));
}

struct Never;
impl countersign::ReplayStore for Never {
    fn first_use<'a>(
        &'a self,
        _: &'a countersign::Use,
        _: countersign::Timestamp,
    ) -> countersign::BoxFuture<'a, Result<countersign::Seen, countersign::Unavailable>> {
        Box::pin(async { Ok(countersign::Seen::Again) })
    }
}
