//! `Expect: 100-continue`: a body is asked for once all that its head can prove holds, whichever the scheme, and never before.

use std::time::Duration;

use bytes::Bytes;
use countersign::{Demands, Scheme};
use countersign_proxy::Limits;
use http::{HeaderValue, Version};
use http_body_util::BodyExt;
use http_body_util::channel::Channel;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::{Answer, next, read_all};
use crate::schemes::{Post, Sender, senders};
use crate::stage::{Setting, Stage};

/// Sends a head that waits for its body, and waits for what comes.
async fn expect(stage: &Stage, head: &[u8]) -> (TcpStream, Answer) {
    let mut stream = TcpStream::connect(stage.address).await.unwrap();
    stream.write_all(head).await.unwrap();
    let answer = next(&mut stream).await;
    (stream, answer)
}

fn head(post: &Post) -> Vec<u8> {
    let mut bytes =
        post.bent(|post| drop(post.headers.insert("expect", HeaderValue::from_static("100-continue")))).bytes();
    bytes.truncate(bytes.len() - post.body.len());
    bytes
}

/// The head is refused as it is: with a final answer at once, behind which the connection ends.
async fn is_refused_unread(sender: &Sender, post: &Post, code: &str) {
    let (mut stream, answer) = expect(&sender.stage, &head(post)).await;
    assert_eq!(answer.code(), code, "{}", sender.form.scheme);
    assert_eq!(answer.header("connection"), Some("close"));
    assert!(read_all(&mut stream).await.is_empty());
    assert_eq!(sender.stage.upstream.requests(), 0);
}

#[tokio::test]
async fn in_every_scheme_a_body_is_asked_for_and_then_judged() {
    for sender in senders().await {
        let scheme = sender.form.scheme;
        let post = sender.any().await;
        let (mut stream, answer) = expect(&sender.stage, &head(&post)).await;
        assert_eq!(answer.status, 100, "{scheme}: {}", answer.body);
        assert_eq!(sender.stage.upstream.connections(), 0, "{scheme}: before there is a body");
        let mut spoilt = post.body.clone();
        *spoilt.last_mut().unwrap() = b' ';
        stream.write_all(&spoilt).await.unwrap();
        assert!(next(&mut stream).await.status >= 400, "{scheme}");
        assert_eq!(sender.stage.upstream.requests(), 0, "{scheme}");

        let (mut stream, answer) = expect(&sender.stage, &head(&post)).await;
        assert_eq!(answer.status, 100, "{scheme}");
        stream.write_all(&post.body).await.unwrap();
        let answer = next(&mut stream).await;
        assert_eq!(answer.status, 200, "{scheme}: {}", answer.body);
        assert!(!answer.body.contains("expect"));
    }
}

#[tokio::test]
async fn what_the_head_shows_to_be_no_good_costs_no_body() {
    for sender in senders().await {
        let post = sender.any().await;
        let without =
            |names: &'static [&str]| post.bent(|post| names.iter().for_each(|name| drop(post.headers.remove(*name))));
        let with =
            |name: &'static str, value: &str| post.bent(|post| drop(post.headers.insert(name, value.parse().unwrap())));
        match sender.form.scheme {
            Scheme::HttpMessageSignatures => {
                is_refused_unread(&sender, &without(&["signature", "signature-input"]), "unsigned").await;
                let other = post.at("POST /orders?amount=1 HTTP/1.1");
                is_refused_unread(&sender, &other, "bad_signature").await;
                let label = post.headers["signature-input"].to_str().unwrap().replace("acme_v2", "nobody");
                is_refused_unread(&sender, &with("signature-input", &label), "unknown_signer").await;
            }
            Scheme::Pki => {
                is_refused_unread(&sender, &without(&["authorization"]), "unsigned").await;
                is_refused_unread(&sender, &with("authorization", "PKI !"), "malformed").await;
            }
            Scheme::TrustedSite => {
                is_refused_unread(&sender, &with("content-type", "text/plain"), "unsigned").await;
            }
            Scheme::AppHmac => {
                is_refused_unread(&sender, &without(&["appid"]), "unsigned").await;
                is_refused_unread(&sender, &with("nonce", "A"), "malformed").await;
                is_refused_unread(&sender, &with("timestamp", "1790000000000"), "too_old").await;
            }
        }
        let elsewhere = post.at("POST /others HTTP/1.1");
        is_refused_unread(&sender, &elsewhere, "no_route").await;
    }
}

#[tokio::test]
async fn a_body_that_is_announced_too_large_or_finds_no_room_is_not_asked_for() {
    let demands = Demands { path: "/orders".to_owned(), max_body: 300_000, ..Demands::default() };
    let limits = Limits { max_spooled: 200_000, ..Limits::default() };
    let stage = Stage::with(Setting { demands, limits, ..Setting::default() }).await;
    for (length, status, code) in [(300_001, 413, "body_too_large"), (200_001, 503, "unavailable")] {
        let body = "x".repeat(length);
        let request = stage.partner.post("/orders", &body).sign().await.with("Expect", "100-continue").keep_alive();
        let (mut stream, answer) = expect(&stage, request.head().as_bytes()).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code));
        assert!(read_all(&mut stream).await.is_empty());
    }
}

#[tokio::test]
async fn nothing_goes_to_the_upstream_and_nothing_is_spooled_while_a_caller_waits() {
    let stage = Stage::start().await;
    let body = "x".repeat(300_000);
    let request = stage.partner.post("/orders", &body).sign().await.with("Expect", "100-continue").keep_alive();
    let (mut stream, answer) = expect(&stage, request.head().as_bytes()).await;
    assert_eq!(answer.status, 100);
    let more = tokio::time::timeout(Duration::from_millis(200), stream.read(&mut [0; 1])).await;
    assert!(more.is_err(), "100 twice, or an answer without a body");
    stream.write_all(body.as_bytes()).await.unwrap();
    assert_eq!(next(&mut stream).await.status, 200);
}

/// HTTP/2 has no `100 Continue` of ours yet: a caller who waits for one sends on by itself (RFC 9110 §10.1.1 has it wait for a
/// limited time only). What a head can't prove is answered at once all the same, with the stream closed behind it.
#[tokio::test]
async fn over_http_2_a_bad_head_is_answered_before_its_body_and_a_good_one_after() {
    let stage = Stage::start().await;
    for good in [true, false] {
        let stream = TcpStream::connect(stage.address).await.unwrap();
        let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let signed = stage.partner.post("/orders", "abc").sign().await;
        let (mut body, incoming) = Channel::<Bytes>::new(1);
        let mut request = http::Request::new(incoming);
        *request.method_mut() = http::Method::POST;
        *request.version_mut() = Version::HTTP_2;
        *request.uri_mut() = if good { "http://api.test/orders" } else { "http://api.test/orders/9" }.parse().unwrap();
        for (name, value) in signed.fields.iter().filter(|(name, _)| name != "Host") {
            let name: http::HeaderName = name.parse().unwrap();
            request.headers_mut().append(name, HeaderValue::from_str(value).unwrap());
        }
        request.headers_mut().insert("expect", HeaderValue::from_static("100-continue"));
        let mut answer = std::pin::pin!(sender.send_request(request));
        let early = tokio::time::timeout(Duration::from_millis(300), &mut answer).await;
        let response = match early {
            Ok(response) => {
                assert!(!good, "answered without a body");
                response.unwrap()
            }
            Err(_) => {
                assert!(good, "waits for the body of a bad head");
                assert_eq!(stage.upstream.connections(), 0);
                body.send_data(Bytes::from_static(b"abc")).await.unwrap();
                drop(body);
                answer.await.unwrap()
            }
        };
        assert_eq!(response.status(), if good { 200 } else { 401 });
        let told = response.into_body().collect().await.unwrap().to_bytes();
        assert!(good || String::from_utf8_lossy(&told).contains("bad_signature"));
    }
}
