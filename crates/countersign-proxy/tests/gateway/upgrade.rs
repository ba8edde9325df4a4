//! Another protocol on the same connection: given to signed requests only, and looked at no further.

use std::time::{Duration, Instant};

use countersign::{Demands, KeyState, Keys};
use countersign_proxy::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::admitted::arrived;
use crate::client::{Answer, ask, next, read_all};
use crate::signer::{Partner, Request};
use crate::stage::{Setting, Stage};
use crate::upstream::Upstream;

fn hasty() -> Setting {
    let limits = Limits {
        tunnel_idle: Duration::from_millis(1500),
        shutdown_grace: Duration::from_millis(600),
        ..Setting::default().limits
    };
    Setting { limits, workers: 1, ..Setting::default() }
}

async fn asking(stage: &Stage, protocol: &str) -> Request {
    let request = stage.partner.get("/orders/live?a=b").sign().await.keep_alive();
    let request = request.with("Connection", "keep-alive, Upgrade, X-Hop").with("Upgrade", protocol);
    request.with("X-Hop", "1").with("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
}

/// Asks for it and reads the head of the answer, and not a byte more.
async fn ask_to_switch(stage: &Stage, request: &Request) -> (TcpStream, Answer) {
    let mut stream = TcpStream::connect(stage.address).await.unwrap();
    stream.write_all(&request.bytes()).await.unwrap();
    let head = next_head(&mut stream).await;
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (stream, Answer { status, head, body: String::new() })
}

pub(crate) async fn next_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let byte = tokio::time::timeout(Duration::from_secs(30), stream.read_u8()).await.expect("no answer");
        head.push(byte.unwrap_or_else(|e| panic!("{e} after {}", String::from_utf8_lossy(&head))));
    }
    String::from_utf8(head).unwrap()
}

pub(crate) async fn hears(stream: &mut TcpStream, expected: &[u8]) {
    let mut heard = vec![0; expected.len()];
    tokio::time::timeout(Duration::from_secs(30), stream.read_exact(&mut heard)).await.expect("silence").unwrap();
    assert_eq!(heard, expected);
}

#[tokio::test]
async fn a_signed_request_for_an_upgrade_ends_in_a_tunnel() {
    let stage = Stage::before(Upstream::switching("websocket").await, Setting::default());
    for protocol in ["websocket", "WebSocket"] {
        let (mut stream, answer) = ask_to_switch(&stage, &asking(&stage, protocol).await).await;
        assert_eq!((answer.status, answer.header("upgrade")), (101, Some(protocol)), "{answer:?}");
        assert_eq!(answer.header("connection"), Some("upgrade"));
        assert_eq!(answer.header("sec-websocket-accept"), Some("yes"));
        assert!(answer.header("countersign-trace").is_some() && answer.header("content-length").is_none());
        let head = next_head(&mut stream).await.to_ascii_lowercase();
        assert!(head.starts_with("get /orders/live?a=b http/1.1\r\n"), "{head}");
        assert!(head.contains(&format!("\r\nupgrade: {}\r\n", protocol.to_lowercase())), "{head}");
        assert!(head.contains("\r\nconnection: upgrade\r\n") && head.contains("\r\nsec-websocket-key: "), "{head}");
        assert!(head.contains("\r\ncountersign-partner: acme\r\n") && !head.contains("x-hop"), "{head}");
        // From here on nothing is HTTP: what would be a smuggled request is echoed like anything else.
        let much = vec![0; 100_000];
        for said in [&b"\x81\x05hello"[..], b"GET /smuggled HTTP/1.1\r\n\r\n", &much] {
            let (mut reading, mut writing) = stream.split();
            let mut heard = vec![0; said.len()];
            let (written, read) = tokio::join!(writing.write_all(said), reading.read_exact(&mut heard));
            assert!(written.is_ok() && read.is_ok() && heard == said);
        }
        stream.shutdown().await.unwrap();
        assert!(read_all(&mut stream).await.is_empty(), "and ends with it");
    }
    assert_eq!((stage.upstream.requests(), stage.upstream.connections()), (2, 2), "no connection is used again");
    let lines = stage.log.lines(2).await;
    assert_eq!(
        (&lines[0]["status"], &lines[0]["code"], &lines[0]["partner"]),
        (&101.into(), &"accepted".into(), &"acme".into())
    );
}

#[tokio::test]
async fn an_unsigned_a_forged_or_a_replayed_request_opens_no_tunnel() {
    let stage = Stage::before(Upstream::switching("websocket").await, Setting::default());
    let upgrade = "Connection: Upgrade, close\r\nUpgrade: websocket\r\n";
    let unsigned = format!("GET /orders/live HTTP/1.1\r\nHost: api.test\r\n{upgrade}\r\n");
    assert_eq!(ask(stage.address, unsigned.as_bytes()).await.code(), "unsigned");
    let mut forged = asking(&stage, "websocket").await;
    forged.line = forged.line.replace("a=b", "a=c");
    let (_, answer) = ask_to_switch(&stage, &forged).await;
    assert_eq!(answer.status, 401);
    assert_eq!(stage.upstream.requests(), 0);
    let request = asking(&stage, "websocket").await;
    assert_eq!(ask_to_switch(&stage, &request).await.1.status, 101);
    assert_eq!(ask_to_switch(&stage, &request).await.1.status, 401);
    assert_eq!(stage.upstream.requests(), 1);
}

#[tokio::test]
async fn a_request_for_an_upgrade_with_a_body_is_refused() {
    let stage = Stage::before(Upstream::switching("websocket").await, Setting::default());
    let upgrade = |request: Request| request.with("Upgrade", "websocket").with("Connection", "Upgrade");
    let request = || async { upgrade(stage.partner.post("/orders", "abc").sign().await) };
    assert_eq!(ask(stage.address, &request().await.bytes()).await.code(), "malformed");
    assert_eq!(ask(stage.address, &request().await.chunked(2)).await.code(), "malformed");
    assert_eq!(stage.upstream.requests(), 0);
}

#[tokio::test]
async fn what_would_take_the_requests_behind_it_away_from_us_ends_here() {
    let stage = Stage::start().await;
    for protocol in ["h2c", "H2C", "HTTP/2.0", "TLS/1.0", "websocket, h2c", "h2c, websocket"] {
        let request = stage.partner.get("/orders").sign().await.with("HTTP2-Settings", "AAMAAABkAAQAAP__");
        let request = request.with("Upgrade", protocol).with("Connection", "Upgrade, HTTP2-Settings");
        let answer = ask(stage.address, &request.bytes()).await;
        assert_eq!(answer.status, 200, "{protocol}");
        let echo = answer.json();
        for name in ["upgrade", "connection", "http2-settings"] {
            assert!(arrived(&echo, name).is_empty(), "{protocol}: {echo}");
        }
    }
    // Nor is it asked for by a request that names it in no Connection, or in HTTP/1.0.
    let request = stage.partner.get("/orders").sign().await.with("Upgrade", "websocket");
    assert!(arrived(&ask(stage.address, &request.bytes()).await.json(), "upgrade").is_empty());
    let mut old = stage.partner.get("/orders").sign().await.with("Upgrade", "websocket").with("Connection", "Upgrade");
    old.line = old.line.replace("1.1", "1.0");
    assert!(arrived(&ask(stage.address, &old.bytes()).await.json(), "upgrade").is_empty());
}

#[tokio::test]
async fn without_the_upstreams_101_it_is_an_answer_like_any_other() {
    let stage = Stage::start().await;
    let mut stream = TcpStream::connect(stage.address).await.unwrap();
    for _ in 0..2 {
        stream.write_all(&asking(&stage, "websocket").await.bytes()).await.unwrap();
        let answer = next(&mut stream).await;
        assert_eq!((answer.status, answer.header("upgrade"), answer.header("connection")), (200, None, None));
        assert_eq!(arrived(&answer.json(), "upgrade"), ["websocket"]);
    }
}

#[tokio::test]
async fn an_upstream_that_switches_to_what_nobody_asked_for_is_not_followed() {
    let stage = Stage::before(Upstream::switching("h2c").await, Setting::default());
    let (_, answer) = ask_to_switch(&stage, &asking(&stage, "websocket").await).await;
    assert_eq!(answer.status, 502);
    let answer = ask(stage.address, &stage.partner.get("/orders").bytes().await).await;
    assert_eq!(answer.code(), "upstream_failed");
}

#[tokio::test]
async fn who_speaks_the_other_protocol_before_the_answer_is_not_heard() {
    let stage = Stage::before(Upstream::switching("websocket").await, Setting::default());
    for early in [&b"\x81\x05hello"[..], b"GET /orders/smuggled HTTP/1.1\r\nHost: api.test\r\n\r\n"] {
        let mut stream = TcpStream::connect(stage.address).await.unwrap();
        let request = asking(&stage, "websocket").await;
        stream.write_all(&[&request.bytes(), early].concat()).await.unwrap();
        let all = String::from_utf8_lossy(&read_all(&mut stream).await).into_owned();
        assert!(!all.contains("hello") && !all.contains("smuggled"), "{all}");
        assert_eq!(all.matches("HTTP/1.1 ").count(), 1, "the 101 and the end: {all}");
    }
}

#[tokio::test]
async fn a_route_that_observes_opens_no_tunnel() {
    let demands = Demands { path: "/orders".to_owned(), observe: true, ..Demands::default() };
    let stage = Stage::with(Setting { demands, ..Setting::default() }).await;
    let answer = ask(stage.address, &asking(&stage, "websocket").await.with("Connection", "close").bytes()).await;
    assert_eq!((answer.status, arrived(&answer.json(), "upgrade").len()), (200, 0));
    let unsigned = "GET /orders HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade, close\r\n\r\n";
    let answer = ask(stage.address, unsigned.as_bytes()).await;
    assert_eq!((answer.status, arrived(&answer.json(), "upgrade").len()), (200, 0));
}

#[tokio::test]
async fn a_tunnel_in_which_nothing_moves_ends() {
    let stage = Stage::before(Upstream::switching("websocket").await, hasty());
    let (mut stream, _) = ask_to_switch(&stage, &asking(&stage, "websocket").await).await;
    next_head(&mut stream).await;
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_millis(400)).await;
        stream.write_all(b"x").await.unwrap();
        hears(&mut stream, b"x").await;
    }
    let started = Instant::now();
    assert!(read_all(&mut stream).await.is_empty());
    assert!(started.elapsed() > Duration::from_millis(500));
}

#[tokio::test]
async fn a_tunnel_holds_the_end_up_no_longer_than_a_request_may() {
    let mut stage = Stage::before(Upstream::switching("websocket").await, Setting { workers: 1, ..hasty() });
    let (mut stream, _) = ask_to_switch(&stage, &asking(&stage, "websocket").await).await;
    next_head(&mut stream).await;
    let started = Instant::now();
    let chatter = tokio::spawn(async move {
        while stream.write_all(b"x").await.is_ok() && started.elapsed() < Duration::from_secs(20) {
            if stream.read_u8().await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        started.elapsed()
    });
    stage.stop().await;
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    let lived = chatter.await.unwrap();
    assert!(lived > Duration::from_millis(400) && lived < Duration::from_secs(10), "{lived:?}");
}

#[tokio::test]
async fn a_tunnel_ends_within_a_second_of_its_key_being_revoked() {
    let stage = Stage::before(Upstream::switching("websocket").await, Setting::default());
    let other = Partner::new("globex", "globex-2026");
    let keys = |state| Keys::new([stage.partner.key(state), other.key(KeyState::Active)]);
    stage.keys.store(keys(KeyState::Active).into());
    let (mut revoked, _) = ask_to_switch(&stage, &asking(&stage, "websocket").await).await;
    let theirs = other.get("/orders/live?a=b").sign().await.keep_alive();
    let theirs = theirs.with("Connection", "Upgrade").with("Upgrade", "websocket");
    let (mut kept, answer) = ask_to_switch(&stage, &theirs).await;
    assert_eq!(answer.status, 101);
    for stream in [&mut revoked, &mut kept] {
        next_head(stream).await;
        stream.write_all(b"x").await.unwrap();
        hears(stream, b"x").await;
    }
    // A key that is only to end one day is still good.
    stage.keys.store(keys(KeyState::Retiring).into());
    tokio::time::sleep(Duration::from_millis(600)).await;
    revoked.write_all(b"y").await.unwrap();
    hears(&mut revoked, b"y").await;
    let started = Instant::now();
    stage.keys.store(keys(KeyState::Revoked).into());
    assert!(read_all(&mut revoked).await.is_empty());
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    kept.write_all(b"z").await.unwrap();
    hears(&mut kept, b"z").await;
}
