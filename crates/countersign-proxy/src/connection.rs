//! One caller's connection: HTTP/1.1, or HTTP/2 where the caller begins with its preface (RFC 9113 §3.3).

mod hello;
mod http2;
mod waits;

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::sleep;

use crate::framing::{self, Framing};
use crate::front::{Answering, Front, Spoken};
use crate::reply::Reply;
use crate::settings::Limits;
use crate::upgrade::Switch;

use hello::{Begun, Hello};

/// A stream of bytes to and from a caller.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Stream for S {}

/// Serves a connection to its end, or, once `stop` says so, to the end of the request at hand.
pub(crate) async fn serve<S: Stream>(
    stream: S,
    peer: Option<IpAddr>,
    front: impl Front,
    mut stop: watch::Receiver<bool>,
) {
    let limits = front.limits();
    let _open = Open::count(front.clone());
    let hello = tokio::select! {
        hello = hello::hear(stream, limits.head_time) => hello,
        () = silence(&mut stop) => return,
    };
    let Ok(hello) = hello else { return };
    let service = {
        let front = front.clone();
        service_fn(move |request: Request<Incoming>| front.answer(peer, request))
    };
    match (front.spoken(), hello) {
        // RFC 9113 §3.3: over TLS the handshake decides, and HTTP/2 is spoken after no other agreement.
        (Spoken::Http2, Hello::Http1(_)) => {}
        (Spoken::Http1, Hello::Http2(stream)) => http1(stream, service, &front, &limits, stop).await,
        (_, Hello::Http2(stream)) => http2::serve(stream, service, &front, &limits, stop).await,
        (_, Hello::Http1(stream)) => http1(stream, service, &front, &limits, stop).await,
    }
}

/// Ready some time after `stop` says so: who has just connected was told that we are there, and is about to ask.
pub(crate) async fn silence(stop: &mut watch::Receiver<bool>) {
    // An error means that nobody is left to stop us any other way.
    let _ = stop.wait_for(|stop| *stop).await;
    sleep(FIRST_WORDS).await;
}

/// How long a connection may be silent from its beginning once no more are taken.
const FIRST_WORDS: Duration = Duration::from_millis(500);

async fn http1<S: Stream>(
    stream: Begun<S>,
    service: impl Service<Request<Incoming>, Response = Response<Reply>, Error = Infallible, Future = Answering> + Unpin,
    front: &impl Front,
    limits: &Limits,
    mut stop: watch::Receiver<bool>,
) {
    let framing = Framing::new(stream, framing_limits(limits));
    let mut builder = http1::Builder::new();
    builder.half_close(true).header_read_timeout(None).max_buf_size(limits.head_bytes + BUFFER);
    if limits.head_fields > 100 {
        builder.max_headers(limits.head_fields);
    }
    let switch = Switch::default();
    let service = {
        let switch = switch.clone();
        service_fn(move |request| switch.noting(service.call(request)))
    };
    let mut connection = builder.serve_connection(TokioIo::new(framing), service);
    let mut stopping = pin!(async move {
        // An error means that nobody is left to stop us any other way.
        let _ = stop.wait_for(|stop| *stop).await;
    });
    let (mut told, mut closing) = (false, false);
    let ended = poll_fn(|cx| {
        told = told || stopping.as_mut().poll(cx).is_ready();
        let ended = connection.poll_without_shutdown(cx);
        // Told before it has read anything, hyper closes without having looked for the request that is there.
        if ended.is_ready() || closing || !told {
            return ended;
        }
        closing = true;
        Pin::new(&mut connection).graceful_shutdown();
        connection.poll_without_shutdown(cx)
    })
    .await;
    let parts = connection.into_parts();
    let framing = parts.io.into_inner();
    if let Some(tunnel) = switch.take() {
        // What came before the answer was not said in the other protocol: RFC 9110 §7.8 lets nobody speak it earlier.
        let silent = ended.is_ok() && parts.read_buf.is_empty();
        if let Some(stream) = framing.into_stream().filter(|_| silent) {
            tunnel.carry(stream, limits.tunnel_idle).await;
        }
        return;
    }
    // Where hyper broke off in the middle of an answer, nothing of ours may look like its rest.
    let between_answers = ended.as_ref().map_or_else(hyper::Error::is_incomplete_message, |()| true);
    let last = match framing.fault_in_head() {
        Some(fault) if between_answers => front.refuse(fault),
        _ => String::new(),
    };
    framing.close(last.as_bytes()).await;
}

fn framing_limits(limits: &Limits) -> framing::Limits {
    framing::Limits {
        bytes: limits.head_bytes,
        fields: limits.head_fields,
        head_time: limits.head_time,
        idle_time: limits.idle_time,
        write_time: limits.write_time,
    }
}

/// What hyper reads ahead beyond a head.
const BUFFER: usize = 64 << 10;

/// Counts an open connection for as long as it lives.
struct Open<F: Front>(F);

impl<F: Front> Open<F> {
    fn count(front: F) -> Self {
        front.connections(1);
        Self(front)
    }
}

impl<F: Front> Drop for Open<F> {
    fn drop(&mut self) {
        self.0.connections(-1);
    }
}
