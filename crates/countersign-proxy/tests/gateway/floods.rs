//! Mistake 30: slow, idle and many.

use std::time::{Duration, Instant};

use countersign_proxy::Limits;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::client::{ask, next, read_all};
use crate::stage::{Setting, Stage};

#[tokio::test]
async fn a_thousand_slow_heads_leave_good_requests_unharmed() {
    let stage = Stage::start().await;
    let mut slow = Vec::new();
    for number in 0..1000 {
        let mut stream = TcpStream::connect(stage.address).await.unwrap();
        let begun: &[u8] = if number % 2 == 0 { b"GET /orders HTTP/1.1\r\nHost: a\r\nX: " } else { b"" };
        stream.write_all(begun).await.unwrap();
        slow.push(stream);
    }
    let started = Instant::now();
    for _ in 0..50 {
        for stream in slow.iter_mut().step_by(20) {
            stream.write_all(b"x").await.unwrap();
        }
        assert_eq!(ask(stage.address, &stage.partner.post("/orders", "abc").bytes().await).await.status, 200);
    }
    assert!(started.elapsed() < Duration::from_secs(15), "they were not served in passing: {:?}", started.elapsed());
}

#[tokio::test]
async fn a_body_that_keeps_its_pace_is_not_cut_off_and_one_that_falls_behind_is_too_slow() {
    let limits = Limits { body_time: Duration::from_secs(1), min_body_rate: 1000, ..Limits::default() };
    let stage = Stage::with(Setting { limits, ..Setting::default() }).await;
    let body = "x".repeat(2400);
    // 100 bytes each 60 ms are more than 1000 a second, and take longer than body_time.
    for (pause, status) in [(60, 200), (400, 408)] {
        let request = stage.partner.post("/orders", &body).sign().await.keep_alive();
        let mut stream = TcpStream::connect(stage.address).await.unwrap();
        stream.write_all(request.head().as_bytes()).await.unwrap();
        for part in body.as_bytes().chunks(100) {
            tokio::time::sleep(Duration::from_millis(pause)).await;
            // The gateway may have closed it by now.
            if stream.write_all(part).await.is_err() {
                break;
            }
        }
        let answer = next(&mut stream).await;
        assert_eq!(answer.status, status, "{answer:?}");
        if status == 408 {
            assert_eq!((answer.code().as_str(), answer.header("connection")), ("too_slow", Some("close")));
        }
    }
    let lines = stage.log.lines(2).await;
    assert_eq!((&lines[1]["code"], &lines[1]["key"]), (&"too_slow".into(), &"acme-2026".into()));
}

#[tokio::test]
async fn slow_bodies_on_hundreds_of_connections_leave_good_requests_unharmed() {
    let stage = Stage::start().await;
    let mut slow = Vec::new();
    for _ in 0..300 {
        let mut stream = TcpStream::connect(stage.address).await.unwrap();
        let request = stage.partner.post("/orders", &"x".repeat(10_000)).sign().await;
        stream.write_all((request.head() + "x").as_bytes()).await.unwrap();
        slow.push(stream);
    }
    for _ in 0..20 {
        for stream in slow.iter_mut().step_by(10) {
            stream.write_all(b"x").await.unwrap();
        }
        assert_eq!(ask(stage.address, &stage.partner.post("/orders", "abc").bytes().await).await.status, 200);
    }
    assert_eq!(stage.upstream.requests(), 20);
}

#[tokio::test]
async fn one_source_has_no_more_than_its_share_of_connections() {
    let limits = Limits { max_connections_per_source: 3, limit_loopback: true, ..Limits::default() };
    let stage = Stage::with(Setting { limits, ..Setting::default() }).await;
    let mut open = Vec::new();
    for _ in 0..3 {
        open.push(TcpStream::connect(stage.address).await.unwrap());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut fourth = TcpStream::connect(stage.address).await.unwrap();
    assert!(read_all(&mut fourth).await.is_empty(), "closed without a word");
    open[0].write_all(&stage.partner.get("/orders").bytes().await).await.unwrap();
    assert_eq!(next(&mut open[0]).await.status, 200, "those that are open are served");
    drop(open);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(
        ask(stage.address, &stage.partner.get("/orders").bytes().await).await.status,
        200,
        "and places come back"
    );
    let metrics = ask(stage.admin, b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n").await;
    assert!(metrics.body.contains("countersign_connections_refused_total 1\n"));
}

#[tokio::test]
async fn a_proxy_that_speaks_for_many_is_not_counted_as_one() {
    let limits = Limits { max_connections_per_source: 1, limit_loopback: true, ..Limits::default() };
    let stage = Stage::with(Setting { limits, trusted: vec!["127.0.0.0/8"], ..Setting::default() }).await;
    let _held = [TcpStream::connect(stage.address).await.unwrap(), TcpStream::connect(stage.address).await.unwrap()];
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(ask(stage.address, &stage.partner.get("/orders").bytes().await).await.status, 200);
}
