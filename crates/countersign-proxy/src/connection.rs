//! One caller's connection: HTTP/1.1, or HTTP/2 where the caller begins with its preface (RFC 9113 §3.3).

mod hello;
mod http1;
mod http2;
mod stream;
mod waits;

use std::net::IpAddr;
use std::pin::pin;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use crate::framing;
use crate::front::{Front, Spoken};
use crate::settings::Limits;
use crate::turn::Turns;

use hello::{Begun, Hello};
pub(crate) use http1::{Body, SHORT};
pub(crate) use stream::Stream;

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
    match (front.spoken(), hello) {
        // RFC 9113 §3.3: over TLS the handshake decides, and HTTP/2 is spoken after no other agreement.
        (Spoken::Http2, Hello::Http1(_)) => {}
        (Spoken::Http1, Hello::Http2(stream)) => http1(stream, peer, &front, &limits, stop).await,
        // On the heap for as long as it takes, not in every connection.
        (_, Hello::Http2(stream)) => Box::pin(http2::serve(stream, peer, &front, &limits, stop)).await,
        (_, Hello::Http1(stream)) => http1(stream, peer, &front, &limits, stop).await,
    }
}

/// Ready some time after `stop` says so: who has just connected was told that we are there, and is about to ask.
pub(crate) async fn silence(stop: &mut watch::Receiver<bool>) {
    // An error means that nobody is left to stop us any other way.
    let _ = stop.wait_for(|stop| *stop).await;
    sleep(FIRST_WORDS).await;
}

/// How long a connection may be silent from its beginning, or from the beginning of a head, once no more are taken.
const FIRST_WORDS: Duration = Duration::from_millis(500);

async fn http1<S: Stream>(
    stream: Begun<S>,
    peer: Option<IpAddr>,
    front: &impl Front,
    limits: &Limits,
    stop: watch::Receiver<bool>,
) {
    let (stream, heard) = stream.into_parts();
    let served = pin!(http1::serve(Box::new(stream), &heard, peer, front, framing_limits(limits), stop));
    if let Some((tunnel, stream)) = Turns(served).await {
        Box::pin(tunnel.carry(stream, limits.tunnel_idle)).await;
    }
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
