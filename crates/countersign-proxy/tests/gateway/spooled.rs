//! Bodies that wait in files: what arrives of them, when they give their space back, and what a disk that fails does to others.

use std::convert::Infallible;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use countersign::{Demands, Scheme};
use countersign_proxy::Limits;
use http_body_util::BodyExt;
use http_body_util::channel::Channel;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::admitted::arrived;
use crate::client::{ask, next, read_all};
use crate::http2;
use crate::schemes::senders;
use crate::stage::{Setting, Stage};
use crate::upstream::Upstream;

/// Far beyond what is kept in memory, and what lies in sockets and buffers between.
const LARGE: usize = 6 << 20;

fn large() -> Setting {
    let demands = Demands { path: "/orders".to_owned(), max_body: 16 << 20, ..Demands::default() };
    Setting { demands, workers: 1, ..Setting::default() }
}

fn body(length: usize) -> String {
    (0..length).map(|at| char::from(b'a' + u8::try_from(at % 23).unwrap())).collect()
}

/// The files of a stage that are open, none of which has a name.
fn files(stage: &Stage) -> usize {
    assert_eq!(std::fs::read_dir(stage.spool.path()).map_or(0, Iterator::count), 0, "a file has a name");
    let of_stage = |link: &Path| link.starts_with(stage.spool.path());
    let open = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
    open.filter_map(|fd| std::fs::read_link(fd.path()).ok()).filter(|link| of_stage(link)).count()
}

/// Waits until so many files are open, and the metrics say so, too.
async fn until_files(stage: &Stage, count: usize) {
    let metrics = b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
    for _ in 0..500 {
        let told = ask(stage.admin, metrics).await.body;
        let value = told.lines().find_map(|line| line.strip_prefix("countersign_spooled_bytes ")).unwrap();
        let held = told.lines().find_map(|line| line.strip_prefix("countersign_held_bytes ")).unwrap();
        if files(stage) == count && (count > 0 || (value, held) == ("0", "0")) && (count == 0 || value != "0") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{} files are open", files(stage));
}

#[tokio::test]
async fn a_large_body_arrives_as_it_came_with_its_length_and_leaves_nothing_behind() {
    let stage = Stage::with(large()).await;
    for length in [(64 << 10) + 1, 300_000, LARGE] {
        let body = body(length);
        let request = stage.partner.post("/orders", &body).sign().await;
        for bytes in [request.bytes(), stage.partner.post("/orders", &body).sign().await.chunked(10_000)] {
            let echo = ask(stage.address, &bytes).await.json();
            assert!(echo["body"] == *body, "{length} bytes arrived as {}", echo["body"].as_str().unwrap().len());
            assert_eq!(arrived(&echo, "content-length"), [length.to_string()]);
            assert_eq!(arrived(&echo, "countersign-partner"), ["acme"]);
        }
    }
    until_files(&stage, 0).await;
}

#[tokio::test]
async fn a_large_app_hmac_message_goes_through_a_file_in_either_layout() {
    let mut found = 0;
    for sender in senders().await.into_iter().filter(|sender| sender.form.scheme == Scheme::AppHmac) {
        let body = body(1_000_000) + "{";
        let post = sender.sign("/orders", "text/plain", body.as_bytes()).await;
        let bytes = post.bytes();
        let mut stream = TcpStream::connect(sender.stage.address).await.unwrap();
        stream.write_all(&bytes[..bytes.len() - 1]).await.unwrap();
        until_files(&sender.stage, 1).await;
        stream.write_all(b"}").await.unwrap();
        assert_eq!(next(&mut stream).await.code(), "bad_signature");
        assert_eq!(sender.stage.upstream.requests(), 0);
        let echo = ask(sender.stage.address, &bytes).await.json();
        assert!(echo["body"] == *body);
        assert_eq!(ask(sender.stage.address, &bytes).await.code(), "replayed");
        until_files(&sender.stage, 0).await;
        found += 1;
    }
    assert_eq!(found, 2);
}

#[tokio::test]
async fn on_a_route_that_observes_a_large_body_goes_on_whatever_it_is() {
    let demands = Demands { observe: true, ..large().demands };
    let stage = Stage::with(Setting { demands, ..large() }).await;
    let body = body(1_000_000);
    let good = stage.partner.post("/orders", &body).sign().await;
    let mut bad = good.bytes();
    *bad.last_mut().unwrap() = b'!';
    for (bytes, partner) in [(good.bytes(), vec!["acme"]), (good.bytes(), vec![]), (bad, vec![])] {
        let mut stream = TcpStream::connect(stage.address).await.unwrap();
        stream.write_all(&bytes[..bytes.len() - 1]).await.unwrap();
        until_files(&stage, 1).await;
        stream.write_all(&bytes[bytes.len() - 1..]).await.unwrap();
        let echo = next(&mut stream).await.json();
        assert_eq!(arrived(&echo, "countersign-partner"), partner);
        assert!(bytes.ends_with(echo["body"].as_str().unwrap().as_bytes()));
        assert_eq!(echo["body"].as_str().unwrap().len(), body.len());
        until_files(&stage, 0).await;
    }
}

#[tokio::test]
async fn over_http_2_a_large_body_arrives_and_one_that_is_taken_back_gives_its_space_back() {
    let stage = Stage::with(large()).await;
    let mut sender = http2::connect(&stage).await;
    let body = body(LARGE);
    let response = sender.send_request(http2::request(&stage.partner.post("/orders", &body)).await).await.unwrap();
    assert_eq!(response.status(), 200);
    let echo: serde_json::Value =
        serde_json::from_slice(&response.into_body().collect().await.unwrap().to_bytes()).unwrap();
    assert!(echo["body"] == *body);
    assert_eq!(arrived(&echo, "content-length"), [LARGE.to_string()]);
    until_files(&stage, 0).await;

    let (mut data, incoming) = Channel::<Bytes, Infallible>::new(1);
    let request = http2::request(&stage.partner.post("/orders", &body)).await.map(|_| incoming.boxed());
    let mut sending = sender.clone();
    let answer = tokio::spawn(async move { sending.send_request(request).await });
    data.send_data(body.into_bytes().split_off(1).into()).await.unwrap();
    until_files(&stage, 1).await;
    // Nobody waits for the answer any more: the stream is reset.
    answer.abort();
    until_files(&stage, 0).await;
    drop(data);
    assert_eq!(stage.upstream.requests(), 1);
}

#[tokio::test]
async fn strangers_leave_half_of_the_space_to_those_whose_head_was_verified() {
    let limits = Limits { max_spooled: 2_000_000, ..Limits::default() };
    let demands = |schemes| Demands { schemes, path: "/orders".to_owned(), max_body: 16 << 20, ..Demands::default() };
    let schemes = vec![Scheme::HttpMessageSignatures, Scheme::AppHmac];
    let stage = Stage::with(Setting { demands: demands(schemes), limits, workers: 1, ..Setting::default() }).await;
    // Anybody can write this head; that nobody has this key is not told before the body.
    let head = format!(
        "POST /orders HTTP/1.1\r\nHost: api.test\r\nAppId: nobody\r\nTimestamp: {}\r\nNonce: a1b2c3d4\r\nSignature: {}\r\n\
         Transfer-Encoding: chunked\r\n\r\n",
        crate::signer::now().as_secs(),
        "0".repeat(64)
    );
    let mut strangers = Vec::new();
    for _ in 0..4 {
        let mut stream = TcpStream::connect(stage.address).await.unwrap();
        let chunk = format!("{:x}\r\n{}\r\n", 500_000, body(500_000));
        let _ = stream.write_all((head.clone() + &chunk).as_bytes()).await;
        strangers.push(stream);
    }
    until_files(&stage, 2).await;
    let large = stage.partner.post("/orders", &body(900_000)).bytes().await;
    assert_eq!(ask(stage.address, &large).await.status, 200);
    drop(strangers);
    until_files(&stage, 0).await;
}

#[tokio::test]
async fn a_signed_trailer_arrives_behind_a_large_body() {
    let stage = Stage::before(Upstream::raw().await, large());
    let cover = ["@method", "@authority", "@path", "@query", "content-digest", "\"x-total\";tr"];
    let body = body(300_000);
    let request = stage.partner.post("/orders", &body).cover(&cover).trailer("x-total", "3").sign().await;
    let mut bytes = request.chunked(10_000);
    bytes.truncate(bytes.len() - 2);
    bytes.extend_from_slice(b"x-total: 3\r\n\r\n");
    let answer = ask(stage.address, &bytes).await;
    assert_eq!(answer.status, 200, "{}", answer.head);
    assert!(answer.body.to_lowercase().ends_with("\r\n0\r\nx-total: 3\r\n\r\n"));
    until_files(&stage, 0).await;
}

#[tokio::test]
async fn a_large_body_that_was_changed_is_never_forwarded() {
    let stage = Stage::with(large()).await;
    let mut bytes = stage.partner.post("/orders", &body(LARGE)).bytes().await;
    *bytes.last_mut().unwrap() ^= 1;
    assert_eq!(ask(stage.address, &bytes).await.code(), "digest_mismatch");
    assert_eq!((stage.upstream.requests(), stage.upstream.connections()), (0, 0));
    until_files(&stage, 0).await;
}

#[tokio::test]
async fn the_space_of_a_caller_who_leaves_is_given_back() {
    let stage = Stage::with(large()).await;
    let bytes = stage.partner.post("/orders", &body(LARGE)).bytes().await;
    for abrupt in [false, true] {
        let mut stream = TcpStream::connect(stage.address).await.unwrap();
        stream.write_all(&bytes[..bytes.len() - 1]).await.unwrap();
        until_files(&stage, 1).await;
        if !abrupt {
            stream.shutdown().await.unwrap();
            assert!(read_all(&mut stream).await.starts_with(b"HTTP/1.1 400 "));
        }
        drop(stream);
        until_files(&stage, 0).await;
    }
    assert_eq!(stage.upstream.requests(), 0);
    assert_eq!(ask(stage.address, &bytes).await.status, 200, "and the nonce was not spent");
}

#[tokio::test]
async fn the_space_of_a_body_that_the_upstream_does_not_want_is_given_back() {
    const EARLY: &str = "HTTP/1.1 413 Too Much\r\nContent-Length: 2\r\n\r\nno";
    for (upstream, status) in
        [(Upstream::impatient(1000, EARLY).await, 413), (Upstream::impatient(1000, "(close)").await, 502)]
    {
        let stage = Stage::before(upstream, large());
        for _ in 0..3 {
            let answer = ask(stage.address, &stage.partner.post("/orders", &body(LARGE)).bytes().await).await;
            assert_eq!(answer.status, status);
            until_files(&stage, 0).await;
        }
        assert_eq!(stage.upstream.connections(), 3, "a connection with half a body on it was used again");
    }
}

#[tokio::test]
async fn the_space_is_given_back_when_the_gateway_ends_in_the_middle() {
    for upstream in [Upstream::impatient(1000, "").await, Upstream::echo().await] {
        let limits = Limits { shutdown_grace: Duration::from_millis(200), ..Limits::default() };
        let mut stage = Stage::before(upstream, Setting { limits, ..large() });
        let bytes = stage.partner.post("/orders", &body(LARGE)).bytes().await;
        let mut stream = TcpStream::connect(stage.address).await.unwrap();
        // The first waits for its upstream, the second for its caller.
        let sent = if stage.upstream.connections() == 0 { bytes.len() } else { bytes.len() - 1 };
        stream.write_all(&bytes[..sent]).await.unwrap();
        until_files(&stage, 1).await;
        stage.stop().await;
        for _ in 0..200 {
            if files(&stage) == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(files(&stage), 0);
    }
}

#[tokio::test]
async fn an_upstream_may_read_slowly_but_not_stop() {
    // What lies in the kernel's buffers counts as sent, so it is little beside the body, and read within the limit.
    let limits = Limits { response_time: Duration::from_millis(1500), ..Limits::default() };
    let upstream = Upstream::lazy(128 << 10, Duration::from_millis(20)).await;
    let stage = Stage::before(upstream, Setting { limits, ..large() });
    let started = std::time::Instant::now();
    let length = 15 << 20;
    let answer = ask(stage.address, &stage.partner.post("/orders", &body(length)).bytes().await).await;
    assert_eq!((answer.status, answer.body), (200, length.to_string()));
    assert!(started.elapsed() > Duration::from_millis(1600), "it read too fast to show anything");

    let stage =
        Stage::before(Upstream::impatient(1000, "").await, Setting { limits: stage.settings.limits, ..large() });
    let answer = ask(stage.address, &stage.partner.post("/orders", &body(LARGE)).bytes().await).await;
    assert_eq!((answer.status, answer.code().as_str()), (504, "upstream_timeout"));
    until_files(&stage, 0).await;
}

#[tokio::test]
async fn an_idempotent_request_goes_out_again_with_its_whole_body() {
    const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let stage = Stage::before(Upstream::scripted(&[OK, "", OK]).await, large());
    for _ in 0..2 {
        let request = stage.partner.post("/orders", &body(LARGE)).method("PUT").bytes().await;
        assert_eq!(ask(stage.address, &request).await.status, 200);
    }
    assert_eq!(stage.upstream.requests(), 3);
    until_files(&stage, 0).await;
}

#[tokio::test]
async fn a_disk_that_fails_harms_nobody_who_does_not_need_it() {
    let stage = Stage::with(large()).await;
    let gone = stage.spool.path().with_extension("gone");
    std::fs::rename(stage.spool.path(), &gone).unwrap();
    let large = stage.partner.post("/orders", &body(300_000)).bytes().await;
    let answer = ask(stage.address, &large).await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "unavailable"));
    assert!(answer.header("retry-after").is_some());
    for length in [0, 1, 64 << 10] {
        let small = stage.partner.post("/orders", &body(length)).bytes().await;
        assert_eq!(ask(stage.address, &small).await.status, 200, "{length}");
    }
    let metrics = b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
    assert!(ask(stage.admin, metrics).await.body.contains("countersign_spool_failures_total 1\n"));
    std::fs::rename(gone, stage.spool.path()).unwrap();
    assert_eq!(ask(stage.address, &large).await.status, 200, "the nonce was not spent");
}

#[tokio::test]
async fn mistake_18_a_body_dribbled_beyond_the_age_is_too_old() {
    let stage = Stage::with(large()).await;
    let bytes = stage.partner.post("/orders", &body(300_000)).bytes().await;
    let mut stream = TcpStream::connect(stage.address).await.unwrap();
    stream.write_all(&bytes[..bytes.len() - 1]).await.unwrap();
    until_files(&stage, 1).await;
    stage.ahead.store(301_000, Ordering::SeqCst);
    stream.write_all(&bytes[bytes.len() - 1..]).await.unwrap();
    assert_eq!(next(&mut stream).await.code(), "too_old");
    assert_eq!(stage.upstream.requests(), 0);
    until_files(&stage, 0).await;
}

#[tokio::test]
async fn mistake_18_of_many_copies_dribbled_at_once_one_passes() {
    let stage = Stage::with(Setting { workers: 2, ..large() }).await;
    let bytes = stage.partner.post("/orders", &body(300_000)).bytes().await;
    let mut streams = Vec::new();
    for _ in 0..10 {
        let mut stream = TcpStream::connect(stage.address).await.unwrap();
        stream.write_all(&bytes[..bytes.len() - 1]).await.unwrap();
        streams.push(stream);
    }
    until_files(&stage, 10).await;
    let mut passed = 0;
    for stream in &mut streams {
        stream.write_all(&bytes[bytes.len() - 1..]).await.unwrap();
    }
    for mut stream in streams {
        passed += usize::from(next(&mut stream).await.status == 200);
    }
    assert_eq!((passed, stage.upstream.requests()), (1, 1));
    until_files(&stage, 0).await;
}
