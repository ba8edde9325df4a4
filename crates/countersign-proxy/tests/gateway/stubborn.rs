//! Mistakes 28 to 30: peers that stop, wait, dribble or break off.

use std::time::{Duration, Instant};

use countersign_proxy::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::{ask, next, read_all, send};
use crate::stage::{Setting, Stage};
use crate::upstream::Upstream;

fn hasty() -> Setting {
    let limits = Limits {
        head_time: Duration::from_millis(200),
        body_time: Duration::from_millis(300),
        idle_time: Duration::from_millis(300),
        response_time: Duration::from_millis(500),
        shutdown_grace: Duration::from_secs(2),
        ..Limits::default()
    };
    Setting { limits, workers: 1, ..Setting::default() }
}

#[tokio::test]
async fn a_body_is_asked_for_only_after_the_head_was_verified() {
    let stage = Stage::start().await;
    let request = stage.partner.post("/orders", "abc").sign().await.with("Expect", "100-continue");
    let mut stream = TcpStream::connect(stage.address).await.unwrap();
    stream.write_all(request.head().as_bytes()).await.unwrap();
    assert_eq!(next(&mut stream).await.status, 100);
    stream.write_all(b"abc").await.unwrap();
    let answer = next(&mut stream).await;
    assert_eq!((answer.status, answer.json()["body"].as_str()), (200, Some("abc")));
    assert!(!answer.body.contains("expect"));

    let mut stream = TcpStream::connect(stage.address).await.unwrap();
    stream
        .write_all(b"POST /orders HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        .await
        .unwrap();
    let all = String::from_utf8(read_all(&mut stream).await).unwrap();
    assert!(all.starts_with("HTTP/1.1 401 "), "no 100 for what is not signed, and the connection ends: {all}");
    assert!(all.contains("connection: close"));
}

#[tokio::test]
async fn a_body_that_ends_early_is_never_forwarded() {
    let stage = Stage::start().await;
    let request = stage.partner.post("/orders", "abcdef").sign().await;
    let sized = request.head() + "abc";
    let chunked = request.clone().chunked(6);
    let cut = &chunked[..chunked.len() - 5];
    for bytes in [sized.as_bytes(), cut] {
        let mut stream = TcpStream::connect(stage.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream.shutdown().await.unwrap();
        let all = String::from_utf8(read_all(&mut stream).await).unwrap();
        assert!(all.starts_with("HTTP/1.1 400 "), "{all}");
    }
    assert_eq!(stage.upstream.requests(), 0);
    assert_eq!(ask(stage.address, &request.bytes()).await.status, 200, "and its nonce was not spent");
}

#[tokio::test]
async fn a_caller_that_closes_its_side_after_the_request_is_answered() {
    let stage = Stage::start().await;
    let mut stream = TcpStream::connect(stage.address).await.unwrap();
    stream.write_all(&stage.partner.post("/orders", "abc").sign().await.keep_alive().bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let all = String::from_utf8(read_all(&mut stream).await).unwrap();
    assert!(all.starts_with("HTTP/1.1 200 "), "{all}");
}

#[tokio::test]
async fn a_slow_head_is_answered_408_and_a_slow_body_is_too_slow() {
    let stage = Stage::with(hasty()).await;
    let started = Instant::now();
    let all = String::from_utf8(send(stage.address, b"GET /orders HTTP/1.1\r\nHost: a\r\n").await).unwrap();
    assert!(all.starts_with("HTTP/1.1 408 ") && all.ends_with("\r\n\r\n"), "{all}");
    assert!(started.elapsed() < Duration::from_secs(3));
    let head = stage.partner.post("/orders", "abc").sign().await.head();
    let answer = ask(stage.address, format!("{head}a").as_bytes()).await;
    assert_eq!((answer.code().as_str(), answer.status), ("too_slow", 408));
    assert_eq!(stage.upstream.requests(), 0);
}

#[tokio::test]
async fn idle_connections_end_without_a_word() {
    let stage = Stage::with(hasty()).await;
    assert!(send(stage.address, b"").await.is_empty());
    let mut stream = TcpStream::connect(stage.address).await.unwrap();
    stream.write_all(&stage.partner.get("/orders").sign().await.keep_alive().bytes()).await.unwrap();
    assert_eq!(next(&mut stream).await.status, 200);
    assert!(read_all(&mut stream).await.is_empty());
}

#[tokio::test]
async fn a_large_body_of_a_refused_request_does_not_hide_the_refusal() {
    let stage = Stage::start().await;
    let mut bytes = b"POST /orders HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\n".to_vec();
    bytes.resize(bytes.len() + 900_000, b'x');
    for _ in 0..5 {
        assert_eq!(ask(stage.address, &bytes).await.code(), "unsigned");
    }
}

#[tokio::test]
async fn a_small_body_of_a_refused_request_does_not_cost_the_connection() {
    let stage = Stage::start().await;
    let mut stream = TcpStream::connect(stage.address).await.unwrap();
    for _ in 0..3 {
        stream.write_all(b"POST /orders HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n").await.unwrap();
        assert_eq!(next(&mut stream).await.code(), "unsigned");
        stream.write_all(b"abc").await.unwrap();
    }
    stream.write_all(&stage.partner.get("/orders").sign().await.keep_alive().bytes()).await.unwrap();
    assert_eq!(next(&mut stream).await.status, 200);
}

#[tokio::test]
async fn an_upstream_that_breaks_off_breaks_the_answer_off() {
    let script = &["HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this (close)"];
    let stage = Stage::before(Upstream::scripted(script).await, Setting::default());
    let mut stream = TcpStream::connect(stage.address).await.unwrap();
    stream.write_all(&stage.partner.get("/orders").sign().await.keep_alive().bytes()).await.unwrap();
    let all = String::from_utf8(read_all(&mut stream).await).unwrap();
    assert!(all.starts_with("HTTP/1.1 200 ") && all.ends_with("only this (close)"), "{all}");

    let script = &["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n(close)"];
    let stage = Stage::before(Upstream::scripted(script).await, Setting::default());
    let all = send(stage.address, &stage.partner.get("/orders").bytes().await).await;
    assert!(!all.ends_with(b"0\r\n\r\n"), "{}", String::from_utf8_lossy(&all));
}

#[tokio::test]
async fn an_answer_that_is_framed_in_two_ways_is_the_upstreams_failure() {
    for framing in [
        "Content-Length: 3\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 100",
        "Content-Length: 3\r\nContent-Length: 4",
    ] {
        let script: &'static str = format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n5\r\nabcde\r\n0\r\n\r\n").leak();
        let stage = Stage::before(Upstream::scripted(vec![script].leak()).await, Setting::default());
        let answer = ask(stage.address, &stage.partner.get("/orders").bytes().await).await;
        assert_eq!((answer.status, answer.code()), (502, "upstream_failed".to_owned()), "{framing}");
    }
}

#[tokio::test]
async fn a_connection_is_not_used_again_after_an_error() {
    // The first answer is followed by bytes that nobody asked for: they must not become the answer to the next request.
    let script = &[
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nb",
    ];
    let stage = Stage::before(Upstream::scripted(script).await, Setting { workers: 1, ..Setting::default() });
    for expected in ["a", "b", "b"] {
        let answer = ask(stage.address, &stage.partner.get("/orders").bytes().await).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, expected));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(stage.upstream.connections(), 2);
}

#[tokio::test]
async fn the_answer_to_an_aborted_exchange_reaches_nobody_else() {
    let stage = Stage::with(Setting { workers: 1, ..Setting::default() }).await;
    for _ in 0..3 {
        let mut stream = TcpStream::connect(stage.address).await.unwrap();
        stream.write_all(&stage.partner.get("/orders/slow").bytes().await).await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        drop(stream);
    }
    for number in 0..5 {
        let target = format!("/orders/{number}");
        let answer = ask(stage.address, &stage.partner.get(&target).bytes().await).await;
        assert_eq!(answer.json()["target"], target);
    }
}

#[tokio::test]
async fn a_stale_connection_is_replaced_but_no_order_is_placed_twice() {
    const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    // The second request of each is taken, and the connection closed without a word.
    let stage = Stage::before(Upstream::scripted(&[OK, "", OK]).await, Setting { workers: 1, ..Setting::default() });
    for _ in 0..2 {
        assert_eq!(ask(stage.address, &stage.partner.get("/orders").bytes().await).await.status, 200);
    }
    assert_eq!(stage.upstream.requests(), 3, "a GET goes out again");

    let stage = Stage::before(Upstream::scripted(&[OK, "", OK]).await, Setting { workers: 1, ..Setting::default() });
    assert_eq!(ask(stage.address, &stage.partner.post("/orders", "x").bytes().await).await.status, 200);
    let answer = ask(stage.address, &stage.partner.post("/orders", "x").bytes().await).await;
    assert_eq!((answer.code().as_str(), answer.status), ("upstream_failed", 502));
    assert_eq!(stage.upstream.requests(), 2, "a POST does not");

    let partial = &[OK, "HTTP/1.1 200 O(close)", OK];
    let stage = Stage::before(Upstream::scripted(partial).await, Setting { workers: 1, ..Setting::default() });
    assert_eq!(ask(stage.address, &stage.partner.get("/orders").bytes().await).await.status, 200);
    assert_eq!(ask(stage.address, &stage.partner.get("/orders").bytes().await).await.code(), "upstream_failed");
    assert_eq!(stage.upstream.requests(), 2, "nor what was answered in part");
}

#[tokio::test]
async fn a_connection_that_the_upstream_closed_in_silence_costs_nobody_an_answer() {
    const CLOSED: &str = "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n(close)";
    let stage = Stage::before(Upstream::scripted(&[CLOSED]).await, Setting { workers: 1, ..Setting::default() });
    for _ in 0..20 {
        let answer = ask(stage.address, &stage.partner.post("/orders", "x").bytes().await).await;
        assert_eq!(answer.status, 200);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn an_upstream_that_is_not_there_or_too_slow() {
    let gone = Upstream::scripted(&[""]).await;
    let stage = Stage::before(gone, hasty());
    let answer = ask(stage.address, &stage.partner.post("/orders", "x").bytes().await).await;
    assert_eq!((answer.code().as_str(), answer.status), ("upstream_failed", 502));
    let stage = Stage::with(hasty()).await;
    let answer = ask(stage.address, &stage.partner.get("/orders/slow").bytes().await).await;
    assert_eq!((answer.code().as_str(), answer.status), ("upstream_timeout", 504));
}

#[tokio::test]
async fn an_upstream_that_switches_protocols_is_not_followed() {
    let script = &["HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"];
    let stage = Stage::before(Upstream::scripted(script).await, Setting::default());
    // The field without its option asks for nothing.
    let request = stage.partner.get("/orders").sign().await.with("Upgrade", "x");
    assert_eq!(ask(stage.address, &request.bytes()).await.code(), "upstream_failed");
}

#[tokio::test]
async fn bodies_together_take_no_more_room_than_there_is() {
    let in_memory = Limits { body_in_memory: 200_000, max_held: 350_000, ..Limits::default() };
    // What is not yet on its way to the disk is not yet counted there.
    let in_files = Limits { max_spooled: 320_000, ..Limits::default() };
    for limits in [in_memory, in_files] {
        let stage = Stage::with(Setting { limits, workers: 1, ..Setting::default() }).await;
        let body = "x".repeat(200_000);
        let waiting = stage.partner.post("/orders", &body).sign().await;
        let mut stream = TcpStream::connect(stage.address).await.unwrap();
        stream.write_all(&waiting.bytes()[..waiting.bytes().len() - 1]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
        for length in [200_000, 300_000] {
            let body = "x".repeat(length);
            let answer = ask(stage.address, &stage.partner.post("/orders", &body).bytes().await).await;
            assert_eq!((answer.code().as_str(), answer.status), ("unavailable", 503));
            assert!(answer.header("retry-after").is_some());
        }
        // Who needs none of it is not harmed.
        let small = stage.partner.post("/orders", "abc").bytes().await;
        assert_eq!(ask(stage.address, &small).await.status, 200);
        stream.write_all(b"x").await.unwrap();
        assert_eq!(next(&mut stream).await.status, 200);
        let answer = ask(stage.address, &stage.partner.post("/orders", &body).bytes().await).await;
        assert_eq!(answer.status, 200, "room comes back");
    }
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_for_their_turn() {
    let limits = Limits { max_connections: 2, head_time: Duration::from_millis(400), ..Limits::default() };
    let stage = Stage::with(Setting { limits, ..Setting::default() }).await;
    let _first = TcpStream::connect(stage.address).await.unwrap();
    let _second = TcpStream::connect(stage.address).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut third = TcpStream::connect(stage.address).await.unwrap();
    third.write_all(&stage.partner.get("/orders").bytes().await).await.unwrap();
    let early = tokio::time::timeout(Duration::from_millis(150), third.read(&mut [0; 1])).await;
    assert!(early.is_err(), "served beyond the limit");
    assert_eq!(next(&mut third).await.status, 200);
}
