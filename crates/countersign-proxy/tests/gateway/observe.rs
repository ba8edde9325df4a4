//! A route that only observes: what would not pass goes on without a name, and what can't be one request does not.

use std::sync::atomic::Ordering;
use std::time::Duration;

use countersign::Demands;
use countersign_proxy::Limits;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::admitted::arrived;
use crate::client::{Answer, ask, next};
use crate::stage::{Setting, Stage};
use crate::upstream::Upstream;

fn observing() -> Setting {
    let demands = Demands { path: "/orders".to_owned(), max_body: 1 << 20, observe: true, ..Demands::default() };
    Setting { demands, ..Setting::default() }
}

fn anonymous(answer: &Answer) {
    assert_eq!(answer.status, 200, "{answer:?}");
    let echo = answer.json();
    for name in ["countersign-partner", "countersign-key", "countersign-scheme"] {
        assert_eq!(arrived(&echo, name), [""; 0], "{echo}");
    }
    assert_eq!(arrived(&echo, "countersign-trace").len(), 1);
}

#[tokio::test]
async fn what_would_pass_has_a_name_and_what_would_not_has_none() {
    let stage = Stage::with(observing()).await;
    let signed = stage.partner.post("/orders", "abc").sign().await;
    let first = ask(stage.address, &signed.bytes()).await;
    assert_eq!((first.status, arrived(&first.json(), "countersign-partner")), (200, vec!["acme"]));
    let again = ask(stage.address, &signed.bytes()).await;
    anonymous(&again);
    let changed = stage.partner.post("/orders", "abc").sign().await.body("abd");
    let changed = ask(stage.address, &changed.bytes()).await;
    anonymous(&changed);
    assert_eq!(changed.json()["body"], "abd");
    let unsigned = b"POST /orders HTTP/1.1\r\nHost: api.test\r\nCountersign-Partner: mallory\r\nX-HTTP-Method-Override: DELETE\r\nX_Original_URL: /admin\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi";
    let unsigned = ask(stage.address, unsigned).await;
    anonymous(&unsigned);
    assert_eq!(unsigned.json()["body"], "hi");
    assert!(!unsigned.body.contains("override") && !unsigned.body.contains("admin"));
    let lines = stage.log.lines(4).await;
    let codes: Vec<_> = lines.iter().map(|line| (line["code"].as_str().unwrap(), line["observed"].as_bool())).collect();
    let observed = Some(true);
    assert_eq!(
        codes,
        [("accepted", None), ("replayed", observed), ("digest_mismatch", observed), ("unsigned", observed)]
    );
    assert_eq!((&lines[2]["key"], &lines[2]["partner"]), (&"acme-2026".into(), &serde_json::Value::Null));
}

#[tokio::test]
async fn what_passes_leaves_in_one_piece_with_as_much_of_its_body_as_is_there() {
    let large = "x".repeat(5000);
    for (framing, body, arrives) in [
        ("Content-Length: 3", "abc".to_owned(), "content-length: 3\r\n\r\nabc".to_owned()),
        ("Content-Length: 0", String::new(), "content-length: 0\r\n\r\n".to_owned()),
        ("Content-Length: 5000", large.clone(), format!("content-length: 5000\r\n\r\n{large}")),
        (
            "Transfer-Encoding: chunked",
            "3\r\nabc\r\n0\r\n\r\n".to_owned(),
            "transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n".to_owned(),
        ),
        (
            "Transfer-Encoding: chunked",
            format!("3\r\nabc\r\n1388\r\n{large}\r\n0\r\nX: y\r\n\r\n"),
            format!("transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n1388\r\n{large}\r\n0\r\n\r\n"),
        ),
    ] {
        let stage = Stage::before(Upstream::hurried().await, observing());
        let request =
            format!("POST /orders HTTP/1.1\r\nHost: api.test\r\n{framing}\r\nConnection: close\r\n\r\n{body}");
        let answer = ask(stage.address, request.as_bytes()).await;
        assert!(answer.status == 200 && answer.body.ends_with(&arrives), "{framing}: {answer:?}");
    }
}

#[tokio::test]
async fn what_we_need_is_down_and_traffic_goes_on() {
    let stage = Stage::with(observing()).await;
    stage.switches.replay_down.store(true, Ordering::SeqCst);
    anonymous(&ask(stage.address, &stage.partner.post("/orders", "abc").bytes().await).await);
    stage.switches.replay_down.store(false, Ordering::SeqCst);
    stage.switches.keys_down.store(true, Ordering::SeqCst);
    anonymous(&ask(stage.address, &stage.partner.post("/orders", "abc").bytes().await).await);
    let lines = stage.log.lines(2).await;
    assert!(lines.iter().all(|line| line["code"] == "unavailable" && line["status"] == 200));
}

#[tokio::test]
async fn what_is_not_one_request_or_too_large_is_refused_all_the_same() {
    let stage = Stage::with(observing()).await;
    let head = |line: &str, more: &str| format!("{line} HTTP/1.1\r\nHost: api.test\r\nConnection: close\r\n{more}\r\n");
    let large = "x".repeat((1 << 20) + 1);
    for (request, status, code) in [
        (head("GET /orders//x", ""), 400, "malformed"),
        (head("GET /orders", "Host: other\r\n"), 400, "malformed"),
        (head("GET /other", ""), 404, "no_route"),
        (head("POST /orders", "Content-Length: 2000000\r\n"), 413, "body_too_large"),
        (
            head("POST /orders", "Transfer-Encoding: chunked\r\n")
                + &format!("{:x}\r\n{large}\r\n0\r\n\r\n", large.len()),
            413,
            "body_too_large",
        ),
    ] {
        let answer = ask(stage.address, request.as_bytes()).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{}", &request[..60]);
        // Of the one whose length shows on the way the upstream saw a beginning that broke off.
        assert!(stage.upstream.requests() == 0 || request.contains("chunked"));
    }
}

#[tokio::test]
async fn a_body_without_signature_is_passed_on_as_it_comes() {
    // There is room for nothing: what passes is not kept.
    let limits = Limits { max_held: 0, max_spooled: 0, body_time: Duration::from_secs(5), ..observing().limits };
    let stage = Stage::with(Setting { limits, ..observing() }).await;
    let mut stream = TcpStream::connect(stage.address).await.unwrap();
    let head = "POST /orders HTTP/1.1\r\nHost: api.test\r\nTransfer-Encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    for _ in 0..64 {
        stream.write_all(format!("1000\r\n{}\r\n", "y".repeat(4096)).as_bytes()).await.unwrap();
    }
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    let answer = next(&mut stream).await;
    anonymous(&answer);
    assert_eq!(answer.json()["body"].as_str().unwrap().len(), 64 * 4096);
    // The connection goes on.
    stream.write_all(b"GET /orders HTTP/1.1\r\nHost: api.test\r\n\r\n").await.unwrap();
    anonymous(&next(&mut stream).await);
}

#[tokio::test]
async fn a_body_that_stops_early_or_never_ends_is_no_request() {
    let limits = Limits { body_time: Duration::from_millis(300), ..observing().limits };
    let stage = Stage::with(Setting { limits, ..observing() }).await;
    let mut stream = TcpStream::connect(stage.address).await.unwrap();
    stream.write_all(b"POST /orders HTTP/1.1\r\nHost: api.test\r\nContent-Length: 10\r\n\r\nabc").await.unwrap();
    let answer = next(&mut stream).await;
    assert_eq!((answer.status, answer.code().as_str()), (408, "too_slow"));
}
