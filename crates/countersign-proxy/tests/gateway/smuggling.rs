//! Mistakes 26 and 27: what two servers could frame or read differently.

use crate::client::{answers, ask, send};
use crate::stage::Stage;

/// Sends one signed request with this framing, and then one that only a smuggler's upstream would see.
async fn smuggle(stage: &Stage, framing: &str, body: &str) -> Vec<(u16, String)> {
    let mut request = stage.partner.post("/orders", "abc").sign().await.keep_alive();
    request.length = false;
    request.body = None;
    let head = request.head();
    let head = head.strip_suffix("\r\n").unwrap();
    let smuggled = "GET /orders/smuggled HTTP/1.1\r\nHost: api.test\r\nConnection: close\r\n\r\n";
    let all = send(stage.address, format!("{head}{framing}\r\n{body}{smuggled}").as_bytes()).await;
    answers(&all).into_iter().map(|answer| (answer.status, answer.body)).collect()
}

#[tokio::test]
async fn framing_that_can_be_read_in_two_ways_is_answered_400_empty_and_closed() {
    let stage = Stage::start().await;
    for framing in [
        "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n",
        "Content-Length: 3\r\nContent-Length: 3\r\n",
        "Content-Length: 3\r\nContent-Length: 5\r\n",
        "Content-Length: 3, 3\r\n",
        "Content-Length: +3\r\n",
        "Transfer-Encoding: chunked, chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Content-Length : 3\r\n",
        "Transfer-Encoding:\r\n chunked\r\n",
        "X: a\r\n b\r\nContent-Length: 3\r\n",
        "Content-Length: 3\nX: y\r\n",
        "X: a\rContent-Length: 3\r\n",
        "X: \0\r\nContent-Length: 3\r\n",
    ] {
        let answers = smuggle(&stage, framing, "3\r\nabc\r\n0\r\n\r\n").await;
        assert_eq!(answers, [(400, String::new())], "{framing:?}");
    }
    assert_eq!(stage.upstream.requests(), 0);
    let lines = stage.log.lines(17).await;
    assert!(lines.iter().all(|line| line["code"] == "malformed" && line["status"] == 400));
}

#[tokio::test]
async fn chunks_that_can_be_read_in_two_ways_are_refused_and_nothing_is_forwarded() {
    let stage = Stage::start().await;
    for body in [
        "3;ext=1\r\nabc\r\n0\r\n\r\n",
        "3;ext=\"\n\"\r\nabc\r\n0\r\n\r\n",
        "0x3\r\nabc\r\n0\r\n\r\n",
        "3\nabc\n0\n\n",
        "3\r\nabcXX0\r\n\r\n",
        "+3\r\nabc\r\n0\r\n\r\n",
        "00000000000000003\r\nabc\r\n0\r\n\r\n",
        "3\r\nabc\r\n0\r\nX : y\r\n\r\n",
        "3\r\nabc\r\n0\n\r\n",
    ] {
        let answers = smuggle(&stage, "Transfer-Encoding: chunked\r\n", body).await;
        assert_eq!(answers.len(), 1, "{body:?}: {answers:?}");
        assert_eq!(answers[0].0, 400, "{body:?}: {answers:?}");
    }
    assert_eq!(stage.upstream.requests(), 0);
}

#[tokio::test]
async fn what_came_in_order_is_answered_before_the_fault_behind_it() {
    let stage = Stage::start().await;
    let mut bytes = stage.partner.post("/orders", "abc").sign().await.keep_alive().bytes();
    bytes.extend_from_slice(b"GET /orders HTTP/1.1\r\nHost : x\r\n\r\n");
    let all = send(stage.address, &bytes).await;
    let statuses: Vec<_> = answers(&all).iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [200, 400]);
}

#[tokio::test]
async fn http_1_0_is_served_but_not_with_chunks() {
    let stage = Stage::start().await;
    let mut request = stage.partner.post("/orders", "abc").sign().await;
    request.line = request.line.replace("1.1", "1.0");
    assert_eq!(ask(stage.address, &request.bytes()).await.status, 200);
    let mut request = stage.partner.post("/orders", "abc").sign().await;
    request.line = request.line.replace("1.1", "1.0");
    let all = send(stage.address, &request.chunked(3)).await;
    assert!(all.starts_with(b"HTTP/1.1 400 "));
    assert_eq!(stage.upstream.requests(), 1);
}

#[tokio::test]
async fn a_body_under_a_framing_header_with_an_underscore_is_no_second_request() {
    let stage = Stage::start().await;
    let request = stage
        .partner
        .post("/orders", "abc")
        .sign()
        .await
        .with("Transfer_Encoding", "chunked")
        .with("Content_Length", "0");
    let answer = ask(stage.address, &request.bytes()).await;
    let echo = answer.json();
    assert_eq!(echo["body"], "abc");
    assert!(!answer.body.contains("transfer_encoding") && !answer.body.contains("content_length"));
}

#[tokio::test]
async fn a_head_that_is_too_large_is_answered_431_and_closed() {
    let stage = Stage::start().await;
    for head in [
        format!("GET /orders HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(40_000)),
        format!("GET /orders HTTP/1.1\r\nHost: a\r\n{}\r\n", "x: y\r\n".repeat(200)),
        format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(40_000)),
    ] {
        let answers = answers(&send(stage.address, head.as_bytes()).await);
        assert_eq!(answers.len(), 1);
        assert_eq!((answers[0].status, answers[0].body.as_str()), (431, ""));
    }
}

#[tokio::test]
async fn an_upgrade_is_a_request_like_any_other() {
    let stage = Stage::start().await;
    let request = stage
        .partner
        .post("/orders", "abc")
        .sign()
        .await
        .with("Upgrade", "h2c")
        .with("Connection", "Upgrade, HTTP2-Settings")
        .with("HTTP2-Settings", "x");
    let answer = ask(stage.address, &request.bytes()).await;
    assert_eq!(answer.status, 200);
    assert!(!answer.body.contains("\"upgrade\"") && !answer.body.contains("http2-settings"), "{}", answer.body);
}
