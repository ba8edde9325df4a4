use std::io;
use std::time::Duration;

use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Request, Response, Uri, Version, header};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::task::AbortHandle;

use super::wire::Wire;
use crate::sent::Sent;

/// What sends requests on one connection.
pub(super) enum Sender {
    /// One exchange at a time.
    Http1 { sender: http1::SendRequest<Sent>, _connection: Connection },
    /// Exchanges beside each other.
    Http2(http2::SendRequest<Sent>, Scheme),
}

impl Sender {
    /// Begins to speak on a new connection.
    ///
    /// # Errors
    /// Where the other side does not answer in this protocol.
    pub(super) async fn begin(wire: Wire, version: Version, https: bool) -> io::Result<Self> {
        let wire = TokioIo::new(wire);
        // The connection ends when its senders are dropped; its errors are told to the exchanges at hand.
        if version == Version::HTTP_2 {
            let mut builder = http2::Builder::new(TokioExecutor::new());
            builder
                .timer(TokioTimer::new())
                .max_header_list_size(HEAD)
                .keep_alive_interval(PING_EVERY)
                .keep_alive_timeout(PING);
            let (sender, connection) = builder.handshake(wire).await.map_err(io::Error::other)?;
            tokio::spawn(async move { drop(connection.await) });
            return Ok(Self::Http2(sender, if https { Scheme::HTTPS } else { Scheme::HTTP }));
        }
        let mut builder = http1::Builder::new();
        builder.max_buf_size(BUFFER);
        let (sender, connection) = builder.handshake(wire).await.map_err(io::Error::other)?;
        let connection = tokio::spawn(async move { drop(connection.with_upgrades().await) });
        Ok(Self::Http1 { sender, _connection: Connection(connection.abort_handle()) })
    }

    /// Sends a request, whose URI is path and query and whose host is in `Host`.
    ///
    /// # Errors
    /// With the request itself where nothing of it was sent.
    pub(super) async fn try_send(
        &mut self,
        request: Request<Sent>,
    ) -> Result<Response<Incoming>, (Option<Box<Request<Sent>>>, hyper::Error)> {
        let told = |mut error: TrySendError<Request<Sent>>| {
            let unsent = error.take_message().map(|request| Box::new(for_http1(request)));
            (unsent, error.into_error())
        };
        match self {
            Self::Http1 { sender, .. } => sender.try_send_request(request).await.map_err(told),
            Self::Http2(sender, scheme) => sender.try_send_request(for_http2(request, scheme)).await.map_err(told),
        }
    }

    /// Whether another exchange may begin.
    pub(super) fn is_ready(&self) -> bool {
        match self {
            Self::Http1 { sender, .. } => sender.is_ready(),
            Self::Http2(sender, _) => sender.is_ready(),
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        match self {
            Self::Http1 { sender, .. } => sender.is_closed(),
            Self::Http2(sender, _) => sender.is_closed(),
        }
    }

    /// Whether exchanges go beside each other.
    pub(super) fn is_shared(&self) -> bool {
        matches!(self, Self::Http2(..))
    }

    /// The same connection for another exchange, where they go beside each other.
    pub(super) fn shared(&self) -> Option<Self> {
        match self {
            Self::Http1 { .. } => None,
            Self::Http2(sender, scheme) => Some(Self::Http2(sender.clone(), scheme.clone())),
        }
    }
}

/// A connection of one exchange at a time, which ends with whoever sends on it. Without that hyper would go on sending a body
/// that nobody answers for any more, as long as the other side takes it.
pub(super) struct Connection(AbortHandle);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// RFC 9113 §8.3.1: `:authority` says what `Host` says in HTTP/1.1, and stands in its place.
fn for_http2(mut request: Request<Sent>, scheme: &Scheme) -> Request<Sent> {
    let host = request.headers_mut().remove(header::HOST);
    let authority = host.as_ref().and_then(|host| Authority::try_from(host.as_bytes()).ok());
    let mut parts = request.uri().clone().into_parts();
    parts.scheme = Some(scheme.clone());
    parts.authority = authority;
    parts.path_and_query.get_or_insert(PathAndQuery::from_static("/"));
    match Uri::from_parts(parts) {
        Ok(uri) => *request.uri_mut() = uri,
        // A host that is none stays where it is; the other side refuses it.
        Err(_) => request.headers_mut().extend(host.map(|host| (header::HOST, host))),
    }
    *request.version_mut() = Version::HTTP_2;
    request
}

/// As it was before.
fn for_http1(mut request: Request<Sent>) -> Request<Sent> {
    let mut parts = request.uri().clone().into_parts();
    let Some(host) = parts.authority.take().and_then(|host| HeaderValue::from_str(host.as_str()).ok()) else {
        return request;
    };
    request.headers_mut().insert(header::HOST, host);
    *request.uri_mut() = parts.path_and_query.map_or_else(Uri::default, Uri::from);
    *request.version_mut() = Version::HTTP_11;
    request
}

/// So much of a body, and of an answer, is kept in memory in HTTP/1.1 before the other side is waited for, in bytes.
const BUFFER: usize = 128 << 10;
/// The largest head of an answer, in bytes.
const HEAD: u32 = 64 << 10;
/// Where an answer is waited for, and nothing was heard for so long, the other side is asked whether it is still there.
const PING_EVERY: Duration = Duration::from_secs(10);
const PING: Duration = Duration::from_secs(10);
