//! HTTP/2 to whom the sidecar and `curl` send: exchanges go beside each other, told apart by the protocol.

use std::io;
use std::time::Duration;

use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, Response, Uri, Version, header};
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::time::{Instant, timeout_at};

use super::{Unanswered, failed, framed_once, timed_out, with_causes};
use crate::connection::Stream;
use crate::course::Course;
use crate::sent::Sent;

/// A connection, or rather a share of one.
#[derive(Clone)]
pub(super) struct Http2 {
    sender: http2::SendRequest<Sent>,
    scheme: Scheme,
}

impl Http2 {
    /// Begins to speak on a new connection.
    ///
    /// # Errors
    /// Where the other side does not answer in this protocol.
    pub(super) async fn begin(stream: Box<dyn Stream>, https: bool) -> io::Result<Self> {
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .max_header_list_size(HEAD)
            .keep_alive_interval(PING_EVERY)
            .keep_alive_timeout(PING);
        let (sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        // The connection ends when its senders are dropped; its errors are told to the exchanges at hand.
        tokio::spawn(async move { drop(connection.await) });
        Ok(Self { sender, scheme: if https { Scheme::HTTPS } else { Scheme::HTTP } })
    }

    /// Sends a request, whose URI is path and query and whose host is in `Host`, and waits for its answer: `limit` from the end
    /// of the request on, and while its body is on its way, that long for each part.
    pub(super) async fn exchange(
        &mut self,
        request: Request<Sent>,
        limit: Duration,
    ) -> Result<Response<Incoming>, Unanswered> {
        let course = request.body().course().cloned();
        let mut answer = std::pin::pin!(self.sender.try_send_request(for_http2(request, &self.scheme)));
        let started = Instant::now();
        let since = || course.as_ref().map_or(started, Course::last_moved);
        let answer = loop {
            let moved = since();
            match timeout_at(moved + limit, &mut answer).await {
                Err(_) if since() > moved => {}
                answered => break answered,
            }
        };
        match answer {
            Ok(Ok(response)) => match framed_once(&response) {
                Ok(()) => Ok(response),
                Err(fault) => Err(Unanswered { sent: true, heard: true, fault }),
            },
            Ok(Err(mut error)) => {
                let unsent = error.take_message().is_some();
                // Beside each other, what was heard says nothing of one exchange: an error before its answer is all there is.
                Err(Unanswered { sent: !unsent, heard: false, fault: failed(&with_causes(error.error())) })
            }
            Err(_) => Err(Unanswered { sent: true, heard: false, fault: timed_out("no answer in time") }),
        }
    }

    /// Whether another exchange may begin.
    pub(super) fn is_ready(&self) -> bool {
        self.sender.is_ready()
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

/// The largest head of an answer, in bytes.
const HEAD: u32 = 64 << 10;
/// Where an answer is waited for, and nothing was heard for so long, the other side is asked whether it is still there.
const PING_EVERY: Duration = Duration::from_secs(10);
const PING: Duration = Duration::from_secs(10);
