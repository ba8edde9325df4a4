//! The end: `/readyz` says so, nobody is taken any more, what is at hand ends, and all of it in bounded time.

use std::time::{Duration, Instant};

use countersign_proxy::Limits;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::client::{ask, next, read_all};
use crate::http2;
use crate::operation::admin;
use crate::stage::{Setting, Stage};

#[tokio::test]
async fn the_end_is_orderly() {
    let limits = Limits {
        shutdown_delay: Duration::from_millis(300),
        shutdown_grace: Duration::from_secs(5),
        ..Limits::default()
    };
    let mut stage = Stage::with(Setting { limits, ..Setting::default() }).await;
    let mut idle = TcpStream::connect(stage.address).await.unwrap();
    idle.write_all(&stage.partner.get("/orders").sign().await.keep_alive().bytes()).await.unwrap();
    assert_eq!(next(&mut idle).await.status, 200);
    let mut slow = TcpStream::connect(stage.address).await.unwrap();
    slow.write_all(&stage.partner.get("/orders/slow").sign().await.keep_alive().bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    stage.begin_stop();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let ready = admin(&stage, "/readyz").await;
    assert_eq!((ready.status, ready.json()["missing"][0]["why"].as_str()), (503, Some("stopping")));
    assert_eq!(
        ask(stage.address, &stage.partner.get("/orders").bytes().await).await.status,
        200,
        "taken until the delay is over"
    );
    let answer = next(&mut slow).await;
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")), "what was at hand is finished");
    assert!(crate::client::read_all(&mut idle).await.is_empty());
    stage.stop().await;
    assert!(TcpStream::connect(stage.address).await.is_err());
    let accepted = stage.log.text().lines().filter(|line| line.contains("\"code\":\"accepted\"")).count();
    assert_eq!(accepted, 3, "no line is lost at the end: {}", stage.log.text());
}

#[tokio::test]
async fn the_end_comes_although_somebody_holds_on() {
    let limits = Limits { shutdown_grace: Duration::from_millis(300), ..Limits::default() };
    let mut stage = Stage::with(Setting { limits, ..Setting::default() }).await;
    let mut stream = TcpStream::connect(stage.address).await.unwrap();
    let head = stage.partner.post("/orders", "abc").sign().await.head();
    stream.write_all(head.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let started = Instant::now();
    stage.stop().await;
    assert!(started.elapsed() < Duration::from_secs(2));
    assert_eq!(stage.upstream.requests(), 0);
}

#[tokio::test]
async fn who_was_taken_just_before_the_end_is_answered() {
    let mut stage = Stage::start().await;
    let (mut silent, mut half) =
        (TcpStream::connect(stage.address).await.unwrap(), TcpStream::connect(stage.address).await.unwrap());
    let request = stage.partner.get("/orders").sign().await.keep_alive().bytes();
    half.write_all(&request[..20]).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    stage.begin_stop();
    tokio::time::sleep(Duration::from_millis(100)).await;
    half.write_all(&request[20..]).await.unwrap();
    silent.write_all(&stage.partner.get("/orders").sign().await.keep_alive().bytes()).await.unwrap();
    for stream in [&mut silent, &mut half] {
        let answer = next(stream).await;
        assert_eq!((answer.status, answer.header("connection")), (200, Some("close")), "{answer:?}");
        assert!(read_all(stream).await.is_empty());
    }
    stage.stop().await;
}

#[tokio::test]
async fn who_waits_in_the_queue_at_the_end_is_answered_and_not_reset() {
    let limits = Limits { max_connections: 1, shutdown_grace: Duration::from_secs(5), ..Limits::default() };
    let mut stage = Stage::with(Setting { limits, workers: 1, ..Setting::default() }).await;
    let mut first = TcpStream::connect(stage.address).await.unwrap();
    first.write_all(&stage.partner.get("/orders/slow").sign().await.keep_alive().bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let mut waiting = Vec::new();
    for _ in 0..3 {
        let mut stream = TcpStream::connect(stage.address).await.unwrap();
        stream.write_all(&stage.partner.get("/orders").sign().await.keep_alive().bytes()).await.unwrap();
        waiting.push(stream);
    }
    // The first of them was accepted and has no place, the others are in the kernel's queue. There they may wait for half a
    // second from the end on, which begins when the slow answer is nearly there.
    tokio::time::sleep(Duration::from_millis(2700)).await;
    stage.begin_stop();
    assert_eq!(next(&mut first).await.status, 200);
    for stream in &mut waiting {
        assert_eq!(next(stream).await.status, 200);
    }
    stage.stop().await;
}

#[tokio::test]
async fn the_end_comes_at_once_where_it_is_asked_for() {
    let limits = Limits { shutdown_grace: Duration::from_secs(60), ..Limits::default() };
    let mut stage = Stage::with(Setting { limits, ..Setting::default() }).await;
    let mut slow = TcpStream::connect(stage.address).await.unwrap();
    slow.write_all(&stage.partner.get("/orders/slow").sign().await.keep_alive().bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let started = Instant::now();
    stage.begin_stop();
    tokio::time::sleep(Duration::from_millis(100)).await;
    stage.control.end_now();
    stage.stop().await;
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
}

#[tokio::test]
async fn over_http2_what_was_sent_before_the_end_is_answered() {
    let limits = Limits { shutdown_grace: Duration::from_secs(10), ..Limits::default() };
    let mut stage = Stage::with(Setting { limits, ..Setting::default() }).await;
    let mut sender = http2::connect(&stage).await;
    let slow = http2::request(&stage.partner.get("/orders/slow")).await;
    let slow = tokio::spawn(sender.send_request(slow));
    tokio::time::sleep(Duration::from_millis(100)).await;
    stage.begin_stop();
    assert_eq!(slow.await.unwrap().unwrap().status(), 200);
    // RFC 9113 §6.8: it was told to begin nothing new.
    let later = http2::request(&stage.partner.get("/orders")).await;
    assert!(sender.send_request(later).await.is_err());
    stage.stop().await;
}
