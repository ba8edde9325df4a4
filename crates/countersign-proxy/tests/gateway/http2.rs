//! HTTP/2 into the gateway, by prior knowledge.

use std::time::Duration;

use bytes::Bytes;
use countersign_proxy::Limits;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, Version};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::admitted::arrived;
use crate::signer::Message;
use crate::stage::{Setting, Stage};

pub(crate) type Body = http_body_util::combinators::BoxBody<Bytes, std::convert::Infallible>;
pub(crate) type Sender = http2::SendRequest<Body>;

pub(crate) async fn connect(stage: &Stage) -> Sender {
    let stream = TcpStream::connect(stage.address).await.unwrap();
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

/// A connection, and a signed message to send on it.
pub(crate) async fn signed(stage: &Stage, message: &Message) -> (Sender, Request<Body>) {
    (connect(stage).await, request(message).await)
}

/// The message as a request of HTTP/2, its fields signed as those of the message were.
pub(crate) async fn request(message: &Message) -> Request<Body> {
    let signed = message.sign().await;
    let mut request = Request::new(Full::new(Bytes::from(signed.body.clone().unwrap_or_default())).boxed());
    *request.method_mut() = message.method.parse().unwrap();
    *request.uri_mut() = format!("http://{}{}", message.host, message.target).parse().unwrap();
    *request.version_mut() = Version::HTTP_2;
    for (name, value) in &signed.fields {
        let name: HeaderName = name.parse().unwrap();
        if name != "host" {
            request.headers_mut().append(name, HeaderValue::from_str(value).unwrap());
        }
    }
    request
}

async fn read(response: Response<hyper::body::Incoming>) -> (u16, Value) {
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

async fn send(sender: &mut Sender, request: Request<Body>) -> (u16, Value) {
    read(sender.send_request(request).await.unwrap()).await
}

#[tokio::test]
async fn a_signed_request_passes_once_and_many_share_a_connection() {
    let stage = Stage::start().await;
    let mut sender = connect(&stage).await;
    let first = request(&stage.partner.post("/orders?a=b", "abc")).await;
    let mut again = Request::new(Full::new(Bytes::from_static(b"abc")).boxed());
    *again.uri_mut() = first.uri().clone();
    *again.method_mut() = first.method().clone();
    *again.headers_mut() = first.headers().clone();
    let (status, echo) = send(&mut sender, first).await;
    assert_eq!((status, &echo["body"], &echo["target"]), (200, &"abc".into(), &"/orders?a=b".into()), "{echo}");
    assert_eq!((arrived(&echo, "countersign-partner"), arrived(&echo, "host")), (vec!["acme"], vec!["api.test"]));
    let (status, refusal) = send(&mut sender, again).await;
    assert_eq!((status, &refusal["code"]), (401, &"replayed".into()));
    let mut all = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let request = request(&stage.partner.get("/orders")).await;
        let mut sender = sender.clone();
        all.spawn(async move { send(&mut sender, request).await.0 });
    }
    assert!(all.join_all().await.into_iter().all(|status| status == 200));
}

#[tokio::test]
async fn the_authority_is_what_was_signed_and_a_host_beside_it_repeats_it() {
    let stage = Stage::start().await;
    let mut sender = connect(&stage).await;
    let mut moved = request(&stage.partner.get("/orders")).await;
    *moved.uri_mut() = "http://other.test/orders".parse().unwrap();
    assert_eq!(send(&mut sender, moved).await.1["code"], "bad_signature");
    for (host, status) in [("api.test", 200), ("other.test", 400)] {
        let mut request = request(&stage.partner.get("/orders")).await;
        request.headers_mut().insert("host", HeaderValue::from_static(host));
        assert_eq!(send(&mut sender, request).await.0, status, "{host}");
    }
}

#[tokio::test]
async fn cookie_crumbs_are_one_cookie() {
    let stage = Stage::start().await;
    let mut sender = connect(&stage).await;
    let cover = ["@method", "@authority", "@path", "@query", "cookie"];
    let mut request = request(&stage.partner.get("/orders").field("cookie", "a=1; b=2").cover(&cover)).await;
    request.headers_mut().insert("cookie", HeaderValue::from_static("a=1"));
    request.headers_mut().append("cookie", HeaderValue::from_static("b=2"));
    let (status, echo) = send(&mut sender, request).await;
    assert_eq!((status, arrived(&echo, "cookie")), (200, vec!["a=1; b=2"]), "{echo}");
}

#[tokio::test]
async fn trailers_are_judged_as_in_http_1() {
    let stage = Stage::start().await;
    let mut sender = connect(&stage).await;
    for (total, status) in [("3", 200), ("4", 401)] {
        let cover = ["@method", "@authority", "@path", "@query", "content-digest", "\"x-total\";tr"];
        let message = stage.partner.post("/orders", "abc").cover(&cover).trailer("x-total", "3");
        let request = request(&message).await;
        let trailers = HeaderMap::from_iter([(HeaderName::from_static("x-total"), HeaderValue::from_static(total))]);
        let request = request.map(|body| body.with_trailers(async { Some(Ok(trailers)) }).boxed());
        assert_eq!(send(&mut sender, request).await.0, status);
    }
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00";

fn hasty() -> Setting {
    let limits = Limits {
        head_time: Duration::from_millis(300),
        idle_time: Duration::from_millis(300),
        ..Setting::default().limits
    };
    Setting { limits, ..Setting::default() }
}

/// Sends bytes and waits for the end of the connection.
async fn ends(stage: &Stage, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(stage.address).await.unwrap();
    let _ = stream.write_all(bytes).await;
    let mut all = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut all));
    let _ = read.await.expect("the connection stays open");
    all
}

#[tokio::test]
async fn a_connection_that_says_nothing_half_a_preface_or_nothing_more_ends() {
    let stage = Stage::with(hasty()).await;
    assert_eq!(ends(&stage, b"").await, b"");
    assert!(ends(&stage, &PREFACE[..10]).await.starts_with(b"HTTP/1.1 408 "));
    assert!(ends(&stage, b"PRI * HTTP/2.0\r\n\r\nXX").await.starts_with(b"HTTP/1.1 400 "));
    // GOAWAY (type 7) is the last that an idle one hears.
    let all = ends(&stage, PREFACE).await;
    assert!(all.windows(4).any(|four| four == [8, 7, 0, 0]), "{all:?}");
    // An unfinished head: HEADERS without END_HEADERS, and then nothing.
    ends(&stage, &[PREFACE, b"\x00\x00\x01\x01\x00\x00\x00\x00\x01\x82"].concat()).await;
}

#[tokio::test]
async fn rapid_reset_ends_the_connection_and_harms_nobody_else() {
    let stage = Stage::start().await;
    let mut flood = PREFACE.to_vec();
    for number in 0..2000_u32 {
        let id = (2 * number + 1).to_be_bytes();
        // :method GET, :scheme http, :path /, :authority a.
        flood.extend_from_slice(&[0, 0, 6, 1, 5]);
        flood.extend_from_slice(&id);
        flood.extend_from_slice(&[0x82, 0x86, 0x84, 0x41, 1, b'a']);
        flood.extend_from_slice(&[0, 0, 4, 3, 0]);
        flood.extend_from_slice(&id);
        flood.extend_from_slice(&[0, 0, 0, 8]);
    }
    ends(&stage, &flood).await;
    let mut sender = connect(&stage).await;
    assert_eq!(send(&mut sender, request(&stage.partner.get("/orders")).await).await.0, 200);
    assert_eq!(stage.upstream.requests(), 1);
}

#[tokio::test]
async fn a_body_of_another_length_than_announced_never_passes() {
    let stage = Stage::start().await;
    for length in ["2", "4"] {
        let mut sender = connect(&stage).await;
        let mut request = request(&stage.partner.post("/orders", "abc")).await;
        request.headers_mut().insert("content-length", HeaderValue::from_static(length));
        let request = request.map(|body| body.with_trailers(async { None }).boxed());
        if let Ok(response) = sender.send_request(request).await {
            assert_ne!(response.status(), 200, "{length}");
        }
    }
    assert_eq!(stage.upstream.requests(), 0);
}

#[tokio::test]
async fn an_answer_that_comes_slowly_is_not_cut_off_as_idle() {
    let stage = Stage::before(crate::upstream::Upstream::dribble(65, Duration::from_millis(100)).await, hasty());
    let mut sender = connect(&stage).await;
    let response = sender.send_request(request(&stage.partner.get("/orders")).await).await.unwrap();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes().len(), 65);
}

#[tokio::test]
async fn as_many_fields_as_in_http_1_and_no_more() {
    let stage = Stage::start().await;
    let mut sender = connect(&stage).await;
    let mut request = request(&stage.partner.get("/orders")).await;
    for number in 0..100 {
        request.headers_mut().append(HeaderName::from_static("x-many"), HeaderValue::from(number));
    }
    let (status, refusal) = send(&mut sender, request).await;
    assert_eq!((status, &refusal["code"]), (431, &"head_too_large".into()));
}
