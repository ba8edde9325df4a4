//! Routes that open sealed fields: the API reads them, the network and the log don't.

use std::sync::Arc;

use countersign::{Algorithm, Demands, FieldSealer, Openers, OpeningKey, Pointer, SigningKey};

use crate::admitted::arrived;
use crate::client::ask;
use crate::stage::{Setting, Stage};

const ORDER: &str = r#"{ "card": {"number": "4111 1111"}, "amount": 12.50 }"#;

fn number() -> Vec<Pointer> {
    vec!["/card/number".parse().unwrap()]
}

fn key() -> OpeningKey {
    OpeningKey::from_file(SigningKey::generate(Algorithm::EcdsaP256Sha256, 0).unwrap().private.as_bytes()).unwrap()
}

fn opening(key: OpeningKey) -> Setting {
    let demands = Demands { path: "/orders".to_owned(), max_body: 1 << 20, open: number(), ..Demands::default() };
    Setting { demands, openers: Arc::new(Openers::new([key])), ..Setting::default() }
}

fn sealed(for_key: &OpeningKey, partner: &str) -> String {
    let fields = number();
    let sealer = FieldSealer { fields: &fields, to: for_key.public(), partner, expires: None };
    let mut calls = 0;
    let mut random = |bytes: &mut [u8]| {
        calls += 1;
        bytes.fill(calls);
        Ok(())
    };
    String::from_utf8(sealer.seal(ORDER.as_bytes(), &mut random).unwrap().document).unwrap()
}

#[tokio::test]
async fn the_api_reads_what_the_network_and_the_log_do_not() {
    let key = key();
    let body = sealed(&key, "acme");
    assert!(!body.contains("4111 1"));
    let stage = Stage::with(opening(key)).await;
    let answer = ask(stage.address, &stage.partner.post("/orders", &body).bytes().await).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let echo = answer.json();
    assert_eq!(echo["body"], ORDER);
    assert_eq!(arrived(&echo, "content-length"), [ORDER.len().to_string()]);
    assert_eq!(arrived(&echo, "content-digest").len(), 1);
    assert_eq!((arrived(&echo, "signature"), arrived(&echo, "signature-input")), (vec![], vec![]));
    assert!(!stage.log.text().contains("4111 1"));
}

#[tokio::test]
async fn a_message_with_nothing_to_open_goes_on_as_it_came() {
    let stage = Stage::with(opening(key())).await;
    let signed = stage.partner.post("/orders", r#"{ "amount": 12.50 }"#).sign().await;
    let echo = ask(stage.address, &signed.bytes()).await.json();
    assert_eq!(echo["body"], r#"{ "amount": 12.50 }"#);
    assert_eq!(arrived(&echo, "signature").len(), 1);
    assert_eq!(ask(stage.address, &stage.partner.get("/orders").bytes().await).await.status, 200);
}

#[tokio::test]
async fn what_can_not_be_opened_is_malformed_and_named() {
    let key = key();
    let (stolen, foreign) = (sealed(&key, "globex"), sealed(&self::key(), "acme"));
    let stage = Stage::with(opening(key)).await;
    for body in [&stolen, &foreign, ORDER, r#"{"card": {"number": 7}}"#] {
        let answer = ask(stage.address, &stage.partner.post("/orders", body).bytes().await).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "malformed"), "{body}");
        assert_eq!(answer.json()["detail"], "/card/number can't be opened");
    }
    let twice = ask(stage.address, &stage.partner.post("/orders", r#"{"a": 1, "a": 2}"#).bytes().await).await;
    assert_eq!(twice.code(), "malformed");
    assert_eq!(stage.upstream.requests(), 0);
}

/// Decrypted before it is verified, the gateway would be an oracle for strangers.
#[tokio::test]
async fn mistake_39_nothing_is_opened_for_a_signature_that_does_not_hold() {
    let key = key();
    let body = sealed(&key, "acme");
    let stage = Stage::with(opening(key)).await;
    let changed = stage.partner.post("/orders", &body).sign().await.body(&body.replace("12.50", "12.51"));
    assert_eq!(ask(stage.address, &changed.bytes()).await.code(), "digest_mismatch");
}

#[tokio::test]
async fn a_route_that_observes_opens_nothing() {
    let key = key();
    let body = sealed(&key, "acme");
    let mut setting = opening(key);
    setting.demands.observe = true;
    let stage = Stage::with(setting).await;
    let echo = ask(stage.address, &stage.partner.post("/orders", &body).bytes().await).await.json();
    assert_eq!(echo["body"], body);
}

#[tokio::test]
async fn what_seals_is_published() {
    let key = key();
    let id = key.public().id().to_owned();
    let stage = Stage::with(opening(key)).await;
    let get = |method: &str| {
        format!("{method} /.well-known/jwks.json HTTP/1.1\r\nHost: api.test\r\nConnection: close\r\n\r\n").into_bytes()
    };
    let answer = ask(stage.address, &get("GET")).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/jwk-set+json")));
    let published = &answer.json()["keys"][0];
    assert_eq!((&published["kid"], &published["use"]), (&id.as_str().into(), &"enc".into()));
    assert!(published.get("d").is_none());
    assert_eq!(ask(stage.address, &get("POST")).await.status, 404);
    let none = Stage::start().await;
    assert_eq!(ask(none.address, &get("GET")).await.status, 404);
}
