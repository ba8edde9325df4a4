//! An upstream's bytes, in reads of any size.

use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt;

use super::answer::{Begun, Head};
use super::content::Content;

/// The first byte says how large the reads are and whether a body is asked for, the rest is what they read; then the other side
/// closes.
///
/// # Panics
/// Where the size of the reads changes what is heard; where hyper makes another answer of the same bytes.
pub(crate) fn answer(input: &[u8]) {
    let Some((&first, bytes)) = input.split_first() else { return };
    let method = if first & 1 == 0 { Method::GET } else { Method::HEAD };
    let whole = hear(&method, bytes, usize::MAX);
    for size in [1, usize::from(first >> 1).max(2)] {
        assert_eq!(hear(&method, bytes, size), whole, "in reads of {size}");
    }
    // What hyper does not take is no answer to it; what it takes has to be the same.
    let (Some(heard), Some((status, body))) = (whole, hyper_hears(method, bytes)) else { return };
    assert_eq!(heard.status, status);
    // Behind a 101 there is no body, but another protocol.
    let whole = heard.ended && heard.status != 101;
    assert!(!whole || body.is_none_or(|body| body == heard.body), "{heard:?}");
}

#[derive(Debug, PartialEq, Eq)]
struct Heard {
    status: u16,
    fields: String,
    body: Vec<u8>,
    trailers: String,
    /// Whether the body ended as its framing says, and what came behind it then.
    ended: bool,
    behind: usize,
}

/// What is made of the bytes; `None` where there is no head.
fn hear(method: &Method, bytes: &[u8], size: usize) -> Option<Heard> {
    let (mut begun, mut answer) = (Begun::default(), None::<(Heard, Content)>);
    let mut broken = false;
    for part in bytes.chunks(size) {
        let mut rest = match &answer {
            Some(_) => Bytes::copy_from_slice(part),
            None => {
                let Some(Head { status, lines, content, rest, .. }) = begun.hear(part).ok()? else { continue };
                let content = content.after(method, status);
                let mut fields = HeaderMap::new();
                lines.put_into(&mut fields);
                let (status, fields) = (status.as_u16(), format!("{fields:?}"));
                let (body, trailers) = (Vec::new(), String::new());
                answer = Some((Heard { status, fields, body, trailers, ended: false, behind: 0 }, content));
                rest
            }
        };
        let Some((heard, content)) = &mut answer else { continue };
        while !broken {
            match content.take(&mut rest) {
                Ok(Some(frame)) => match frame.into_data() {
                    Ok(data) => heard.body.extend_from_slice(&data),
                    Err(frame) => heard.trailers = format!("{:?}", frame.into_trailers()),
                },
                Ok(None) => break,
                Err(_) => broken = true,
            }
        }
        heard.behind += if broken { 0 } else { rest.len() };
    }
    let (mut heard, content) = answer?;
    heard.ended = !broken && matches!(content, Content::Ended | Content::UntilClose);
    Some(heard)
}

/// The status that hyper hears, and the body where it has ended.
fn hyper_hears(method: Method, bytes: &[u8]) -> Option<(u16, Option<Vec<u8>>)> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime without drivers");
    runtime.block_on(async {
        let (near, mut far) = tokio::io::duplex(1 << 20);
        let (mut sender, connection) = http1::handshake(TokioIo::new(near)).await.ok()?;
        tokio::spawn(async move { drop(connection.await) });
        let mut request = Request::new(Empty::<Bytes>::new());
        *request.method_mut() = method;
        let answer = sender.send_request(request);
        // Before a request was sent hyper takes what comes for a fault.
        let speak = async {
            let _ = tokio::io::AsyncReadExt::read(&mut far, &mut [0; 100]).await;
            let _ = far.write_all(bytes).await;
            let _ = far.shutdown().await;
        };
        let (answer, ()) = tokio::join!(answer, speak);
        let answer = answer.ok()?;
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.ok();
        Some((status, body.map(|body| body.to_bytes().to_vec())))
    })
}
