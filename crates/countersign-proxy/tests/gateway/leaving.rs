//! Callers that leave before they are judged: what they asked is judged all the same, and costs them what it costs those who stay.

use std::sync::atomic::Ordering;
use std::time::Duration;

use countersign_proxy::{Limits, Quota};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::client::ask;
use crate::http2;
use crate::stage::{Setting, Stage};

/// A stage that has heard one request, of which it is to hear again.
async fn heard() -> (Stage, Vec<u8>, http::Request<http2::Body>) {
    let quota = Quota { requests: 22, per: Duration::from_mins(1) };
    let limits = Limits { source_rate: Some(quota), limit_loopback: true, ..Setting::default().limits };
    let stage = Stage::with(Setting { limits, ..Setting::default() }).await;
    let first = stage.partner.get("/orders").bytes().await;
    assert_eq!(ask(stage.address, &first).await.status, 200);
    let (mut sender, second) = http2::signed(&stage, &stage.partner.get("/orders")).await;
    assert_eq!(sender.send_request(copy(&second)).await.unwrap().status(), 200);
    (stage, first, second)
}

fn copy(request: &http::Request<http2::Body>) -> http::Request<http2::Body> {
    let mut copy = http::Request::new(http2::Body::default());
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    copy
}

async fn until_asked(stage: &Stage, count: usize) {
    for _ in 0..1000 {
        if stage.switches.replay_asked.load(Ordering::SeqCst) == count {
            // Time in which the gateway sees that its caller has left, once it has.
            return tokio::time::sleep(Duration::from_millis(20)).await;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("it was not asked {count} times");
}

/// Sends it, and is gone while it is judged.
async fn leave(stage: &Stage, request: &[u8], count: usize) {
    let mut stream = TcpStream::connect(stage.address).await.unwrap();
    stream.write_all(request).await.unwrap();
    until_asked(stage, count).await;
    socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    drop(stream);
    tokio::time::sleep(Duration::from_millis(100)).await;
}

/// The same in HTTP/2: the request is taken back, or the connection ends.
async fn leave2(stage: &Stage, request: http::Request<http2::Body>, closes: bool, count: usize) {
    let mut sender = http2::connect(stage).await;
    let stays = sender.clone();
    let asking = tokio::spawn(async move { sender.send_request(request).await });
    until_asked(stage, count).await;
    asking.abort();
    let kept = (!closes).then_some(stays);
    tokio::time::sleep(Duration::from_millis(100)).await;
    drop(kept);
}

#[tokio::test]
async fn who_leaves_before_a_refusal_is_logged_counted_and_charged_for_it_as_who_stays() {
    for way in ["http/1.1", "reset", "closed"] {
        let (stage, first, second) = heard().await;
        stage.switches.replay_held.store(true, Ordering::SeqCst);
        for count in [1, 2] {
            match way {
                "http/1.1" => leave(&stage, &first, count).await,
                _ => leave2(&stage, copy(&second), way == "closed", count).await,
            }
        }
        stage.switches.replay_held.store(false, Ordering::SeqCst);
        let lines = stage.log.lines(4).await;
        assert!(lines[2..].iter().all(|line| line["code"] == "replayed" && line["status"] == 401), "{way}: {lines:?}");
        let metrics = b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
        let told = ask(stage.admin, metrics).await.body;
        assert!(told.contains("countersign_requests_total{route=\"orders\",code=\"replayed\"} 2\n"), "{way}: {told}");
        let after = ask(stage.address, &stage.partner.get("/orders").bytes().await).await;
        assert_eq!(after.code(), "rate_limited", "{way}");
    }
}

/// Its nonce is spent, so it has a line.
#[tokio::test]
async fn who_leaves_before_it_is_admitted_has_a_line() {
    let (stage, ..) = heard().await;
    stage.switches.replay_held.store(true, Ordering::SeqCst);
    leave(&stage, &stage.partner.get("/orders").bytes().await, 1).await;
    let request = http2::request(&stage.partner.get("/orders")).await;
    leave2(&stage, request, false, 2).await;
    stage.switches.replay_held.store(false, Ordering::SeqCst);
    let lines = stage.log.lines(4).await;
    assert!(lines[2..].iter().all(|line| line["code"] == "accepted" && line["partner"] == "acme"), "{lines:?}");
}

/// CVE-2023-44487: what is taken back makes room for more, while what it began goes on.
#[tokio::test]
async fn rapid_reset_of_requests_that_are_being_judged_ends_the_connection() {
    let limits = Limits { max_streams: 4, ..Setting::default().limits };
    let stage = Stage::with(Setting { limits, ..Setting::default() }).await;
    let (sender, request) = http2::signed(&stage, &stage.partner.get("/orders")).await;
    stage.switches.replay_held.store(true, Ordering::SeqCst);
    let mut asked = 0;
    while asked < 30 && !sender.is_closed() {
        let (mut sender, request) = (sender.clone(), copy(&request));
        let asking = tokio::spawn(async move { sender.send_request(request).await });
        for _ in 0..100 {
            if stage.switches.replay_asked.load(Ordering::SeqCst) > asked || asking.is_finished() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        asking.abort();
        tokio::time::sleep(Duration::from_millis(20)).await;
        asked = stage.switches.replay_asked.load(Ordering::SeqCst);
    }
    assert!((8..12).contains(&asked), "{asked} are judged at once for one connection");
    stage.switches.replay_held.store(false, Ordering::SeqCst);
    assert_eq!(ask(stage.address, &stage.partner.get("/orders").bytes().await).await.status, 200);
}
