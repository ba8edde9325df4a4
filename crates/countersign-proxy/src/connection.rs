//! One caller's connection: HTTP/1.1, or HTTP/2 where the caller begins with its preface (RFC 9113 §3.3).

mod hello;
mod http2;

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use countersign::Code;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::answer::answer;
use crate::framing::{self, Fault, Framing};
use crate::gate::Gate;
use crate::log::Entry;
use crate::reply::Reply;
use crate::settings::Limits;
use crate::trace::TraceId;
use crate::upstream::Upstreams;

use hello::{Begun, Hello};

/// Serves a connection to its end, or, once `stop` says so, to the end of the request at hand.
pub(crate) async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    gate: Arc<Gate>,
    upstreams: Arc<Upstreams>,
    mut stop: watch::Receiver<bool>,
) {
    let limits = gate.table.load().limits.clone();
    let _open = Open::count(&gate);
    // Answers are written whole; waiting to fill a packet would only delay them.
    let _ = stream.set_nodelay(true);
    let hello = tokio::select! {
        hello = hello::hear(stream, limits.head_time) => hello,
        _ = stop.wait_for(|stop| *stop) => return,
    };
    let Ok(hello) = hello else { return };
    let service = {
        let gate = Arc::clone(&gate);
        service_fn(move |request: Request<Incoming>| {
            let (gate, upstreams) = (Arc::clone(&gate), Arc::clone(&upstreams));
            let answer: Answering = Box::pin(async move { Ok(answer(&gate, &upstreams, peer.ip(), request).await) });
            answer
        })
    };
    match hello {
        Hello::Http2(stream) => http2::serve(stream, service, &limits, stop).await,
        Hello::Http1(stream) => http1(stream, service, &gate, &limits, stop).await,
    }
}

/// An answer on its way.
type Answering = Pin<Box<dyn Future<Output = Result<Response<Reply>, Infallible>> + Send>>;

async fn http1(
    stream: Begun,
    service: impl Service<Request<Incoming>, Response = Response<Reply>, Error = Infallible, Future = Answering> + Unpin,
    gate: &Arc<Gate>,
    limits: &Limits,
    mut stop: watch::Receiver<bool>,
) {
    let framing = Framing::new(stream, framing_limits(limits));
    let mut builder = http1::Builder::new();
    builder.half_close(true).header_read_timeout(None).max_buf_size(limits.head_bytes + BUFFER);
    if limits.head_fields > 100 {
        builder.max_headers(limits.head_fields);
    }
    let mut connection = builder.serve_connection(TokioIo::new(framing), service);
    let mut stopping = pin!(async move {
        // An error means that nobody is left to stop us any other way.
        let _ = stop.wait_for(|stop| *stop).await;
    });
    let mut stopped = false;
    let ended = poll_fn(|cx| {
        if !stopped && stopping.as_mut().poll(cx).is_ready() {
            stopped = true;
            Pin::new(&mut connection).graceful_shutdown();
        }
        connection.poll_without_shutdown(cx)
    })
    .await;
    let framing = connection.into_parts().io.into_inner();
    // Where hyper broke off in the middle of an answer, nothing of ours may look like its rest.
    let between_answers = ended.as_ref().map_or_else(hyper::Error::is_incomplete_message, |()| true);
    let last = match framing.fault_in_head() {
        Some(fault) if between_answers => refuse(gate, fault),
        _ => String::new(),
    };
    framing.close(last.as_bytes()).await;
}

/// The answer to what is not HTTP: empty, and the connection is closed.
fn refuse(gate: &Gate, fault: Fault) -> String {
    let now = gate.clock.now();
    let trace = TraceId::new(now);
    let (code, phrase, reason) = match fault {
        Fault::Bad(reason) => (Code::Malformed, "400 Bad Request", reason),
        Fault::TooSlow => (Code::TooSlow, "408 Request Timeout", "the head did not come in time"),
        Fault::TooLarge => (Code::HeadTooLarge, "431 Request Header Fields Too Large", "the head is too large"),
    };
    gate.metrics.unrouted.count(Some(code));
    Entry::new(&gate.log, trace, now).answered(Some(code.status()), Some(code), Some(reason));
    format!("HTTP/1.1 {phrase}\r\ncountersign-trace: {trace}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
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
struct Open(Arc<Gate>);

impl Open {
    fn count(gate: &Arc<Gate>) -> Self {
        gate.metrics.connections.fetch_add(1, Relaxed);
        Self(Arc::clone(gate))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.metrics.connections.fetch_sub(1, Relaxed);
    }
}
