//! The little of HTTP that the demo's own servers and its player need.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};

/// A request, its body read.
#[derive(Clone, Debug)]
pub(super) struct Letter {
    pub(super) method: Method,
    pub(super) target: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// Whether its sender stops before the last byte of the body, and leaves the connection open.
    pub(super) stalls: bool,
}

impl Letter {
    pub(super) fn get(target: &str) -> Self {
        let method = Method::GET;
        Self { method, target: target.to_owned(), headers: HeaderMap::new(), body: Bytes::new(), stalls: false }
    }

    pub(super) fn post_json(target: &str, body: impl Into<Bytes>) -> Self {
        let headers =
            HeaderMap::from_iter([(header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"))]);
        Self { method: Method::POST, target: target.to_owned(), headers, body: body.into(), stalls: false }
    }
}

/// What came back.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) content_type: String,
    pub(super) body: Bytes,
}

impl Answer {
    pub(super) fn json(status: StatusCode, value: &Value) -> Self {
        Self { status, content_type: "application/json".to_owned(), body: value.to_string().into() }
    }

    /// A member of a problem, where it is one: `code`, `advice`, `detail`.
    pub(super) fn told(&self, member: &str) -> Option<String> {
        let problem: Value = serde_json::from_slice(&self.body).ok()?;
        problem.get(member)?.as_str().map(str::to_owned)
    }
}

/// Serves for as long as the runtime lives.
pub(super) fn serve<S, F>(
    listener: std::net::TcpListener,
    state: Arc<S>,
    handler: fn(Arc<S>, Letter) -> F,
) -> std::io::Result<()>
where
    S: Send + Sync + 'static,
    F: Future<Output = Answer> + Send + 'static,
{
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let state = Arc::clone(&state);
            let service = service_fn(move |request| answer(Arc::clone(&state), request, handler));
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    Ok(())
}

async fn answer<S, F>(
    state: Arc<S>,
    request: Request<Incoming>,
    handler: fn(Arc<S>, Letter) -> F,
) -> Result<Response<Full<Bytes>>, Infallible>
where
    F: Future<Output = Answer>,
{
    let (parts, body) = request.into_parts();
    let answer = match Limited::new(body, MAX_BODY).collect().await {
        Ok(body) => {
            let target = parts.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
            let (method, headers, body) = (parts.method, parts.headers, body.to_bytes());
            handler(state, Letter { method, target, headers, body, stalls: false }).await
        }
        Err(_) => {
            Answer::json(StatusCode::PAYLOAD_TOO_LARGE, &serde_json::json!({ "detail": "the body is too large" }))
        }
    };
    let mut response = Response::new(Full::new(answer.body));
    *response.status_mut() = answer.status;
    if let Ok(content_type) = answer.content_type.parse() {
        response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    }
    Ok(response)
}

/// Sends one request on a connection of its own.
pub(super) async fn send(to: SocketAddr, letter: Letter) -> Result<Answer, String> {
    let sent = async {
        let stream = TcpStream::connect(to).await.map_err(|fault| format!("{to}: {fault}"))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|fault| format!("{to}: {fault}"))?;
        tokio::spawn(connection);
        let mut request = Request::new(Sent::of(&letter));
        *request.method_mut() = letter.method;
        *request.uri_mut() = letter.target.parse().map_err(|_| "not a target".to_owned())?;
        *request.headers_mut() = letter.headers;
        if !request.headers().contains_key(header::HOST)
            && let Ok(host) = to.to_string().parse()
        {
            request.headers_mut().insert(header::HOST, host);
        }
        let response = sender.send_request(request).await.map_err(|fault| format!("{to}: {fault}"))?;
        let (parts, body) = response.into_parts();
        let content_type = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let content_type = content_type.unwrap_or_default().to_owned();
        let body = Limited::new(body, MAX_BODY).collect().await.map_err(|fault| format!("{to}: {fault}"))?;
        Ok(Answer { status: parts.status, content_type, body: body.to_bytes() })
    };
    match tokio::time::timeout(Duration::from_secs(10), sent).await {
        Ok(answer) => answer,
        Err(_) => Err(format!("{to}: no answer within 10 s")),
    }
}

/// A body that is sent to its end, or to the byte before.
struct Sent {
    left: Option<Bytes>,
    length: u64,
    stalls: bool,
}

impl Sent {
    fn of(letter: &Letter) -> Self {
        let end = letter.body.len().saturating_sub(usize::from(letter.stalls));
        let left = Some(letter.body.slice(..end)).filter(|left| !left.is_empty());
        Self { left, length: letter.body.len() as u64, stalls: letter.stalls }
    }
}

impl Body for Sent {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.left.take() {
            Some(left) => Poll::Ready(Some(Ok(Frame::data(left)))),
            None if self.stalls => Poll::Pending,
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_none() && !self.stalls
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length)
    }
}

const MAX_BODY: usize = 10 << 20;
