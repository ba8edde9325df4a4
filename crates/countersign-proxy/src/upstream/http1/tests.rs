mod answers;
mod requests;

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::*;

const LIMIT: Duration = Duration::from_secs(5);
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

fn request(method: Method, body: &'static str) -> Request<Sent> {
    let mut request = Request::new(Sent::Kept(Bytes::from_static(body.as_bytes()), HeaderMap::new()));
    *request.method_mut() = method;
    *request.uri_mut() = "/a?b".parse().unwrap();
    if !body.is_empty() {
        request.headers_mut().insert("content-length", HeaderValue::from(body.len()));
    }
    request
}

fn message(method: Method, body: &'static str) -> Message {
    Message::of(request(method, body)).unwrap()
}

/// A connection, and its other end.
fn connection() -> (Http1, DuplexStream) {
    let (near, far) = duplex(64 << 10);
    (Http1::new(Box::new(near)), far)
}

/// All of an answer: its body, and its trailers as text.
async fn rest(connection: &mut Http1) -> io::Result<(String, String)> {
    let (mut body, mut trailers) = (Vec::new(), String::new());
    while let Some(frame) = poll_fn(|cx| connection.poll_content(cx)).await {
        match frame?.into_data() {
            Ok(data) => body.extend_from_slice(&data),
            Err(frame) => trailers = format!("{:?}", frame.into_trailers().unwrap()),
        }
    }
    Ok((String::from_utf8(body).unwrap(), trailers))
}

/// What comes of a whole answer that arrives in parts of this size, after which the other side says no more, or leaves.
async fn answered(
    method: Method,
    answer: &str,
    size: usize,
    leaves: bool,
) -> Result<(Response<()>, io::Result<(String, String)>, bool), Unanswered> {
    let (mut connection, mut far) = connection();
    let answer = answer.to_owned();
    let upstream = tokio::spawn(async move {
        for part in answer.as_bytes().chunks(size) {
            let _ = far.write_all(part).await;
            tokio::task::yield_now().await;
        }
        if leaves { None } else { Some(far) }
    });
    let head = connection.exchange(&mut message(method, ""), Duration::from_millis(200)).await?;
    let (parts, lines) = head.into_parts();
    let mut head = Response::from_parts(parts, ());
    lines.put_into(head.headers_mut());
    let body = tokio::time::timeout(Duration::from_millis(200), rest(&mut connection)).await;
    let body = body.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    let _far = upstream.await.unwrap();
    let reusable = body.is_ok() && connection.is_reusable() && connection.is_silent();
    Ok((head, body, reusable))
}

#[test]
fn what_the_fuzzer_kept_is_heard_in_one_way() {
    crate::replay::replay("answer", fuzz::answer);
}
