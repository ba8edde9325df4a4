//! One message passes once.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use countersign::{KeyState, Keys};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::client::{ask, next};
use crate::stage::Stage;

#[tokio::test]
async fn the_same_request_again_is_a_replay() {
    let stage = Stage::start().await;
    let bytes = stage.partner.post("/orders", "pay").bytes().await;
    assert_eq!(ask(stage.address, &bytes).await.status, 200);
    let answer = ask(stage.address, &bytes).await;
    assert_eq!((answer.code().as_str(), answer.status), ("replayed", 401));
    assert_eq!(stage.upstream.requests(), 1);
}

#[tokio::test]
async fn of_a_thousand_identical_requests_at_once_one_passes() {
    let stage = Stage::start().await;
    let bytes = stage.partner.post("/orders", "pay").bytes().await;
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..1000 {
        let (address, bytes) = (stage.address, bytes.clone());
        asking.spawn(async move { ask(address, &bytes).await.status });
    }
    let statuses = asking.join_all().await;
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1);
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 999);
    assert_eq!(stage.upstream.requests(), 1);
}

#[tokio::test]
async fn a_stranger_can_not_spend_a_nonce() {
    let stage = Stage::start().await;
    let good = stage.partner.post("/orders", "pay").sign().await;
    let spoilt = good.clone().body("pxy");
    assert_eq!(ask(stage.address, &spoilt.bytes()).await.code(), "digest_mismatch");
    assert_eq!(ask(stage.address, &good.bytes()).await.status, 200);
}

/// Sends a head, lets `meanwhile` happen, and then the body.
async fn dribble(stage: &Stage, meanwhile: impl FnOnce()) -> String {
    let request = stage.partner.post("/orders", "abc").sign().await;
    let mut stream = TcpStream::connect(stage.address).await.unwrap();
    stream.write_all(request.with("Expect", "100-continue").head().as_bytes()).await.unwrap();
    assert_eq!(next(&mut stream).await.status, 100);
    meanwhile();
    stream.write_all(b"abc").await.unwrap();
    next(&mut stream).await.code()
}

#[tokio::test]
async fn a_body_that_ends_after_the_age_does_is_too_old() {
    let stage = Stage::start().await;
    let code = dribble(&stage, || stage.ahead.store(301_000, Ordering::SeqCst)).await;
    assert_eq!(code, "too_old");
    assert_eq!(stage.upstream.requests(), 0);
}

#[tokio::test]
async fn a_key_that_is_revoked_while_the_body_comes_does_not_pass() {
    let stage = Stage::start().await;
    let revoked = Keys::new([stage.partner.key(KeyState::Revoked)]);
    let code = dribble(&stage, || stage.keys.store(Arc::new(revoked))).await;
    assert_eq!(code, "key_not_usable");
    assert_eq!(stage.upstream.requests(), 0);
}

#[tokio::test]
async fn a_clock_that_steps_back_makes_nothing_fresh_again() {
    let stage = Stage::start().await;
    stage.ahead.store(301_000, Ordering::SeqCst);
    let old = stage.partner.post("/orders", "abc").bytes().await;
    assert_eq!(ask(stage.address, &old).await.code(), "too_old");
    stage.ahead.store(0, Ordering::SeqCst);
    assert_eq!(ask(stage.address, &old).await.code(), "too_old");
}
