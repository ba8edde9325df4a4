//! HTTP/2 by prior knowledge. Its frames are read in one way only, so hyper reads them, as it does not for HTTP/1.1. The one
//! thing that is repaired below us: of a `:path` with a fragment the fragment is cut off. What is verified and what goes on
//! are then both without it.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::sync::watch;
use tokio::time::{Instant, interval_at, sleep_until};

use super::Stream;
use super::hello::Begun;
use super::waits::{Wait, Waits};
use crate::arrival::Opening;
use crate::awaited::{Awaited, Judged};
use crate::front::Front;
use crate::reply::Reply;
use crate::settings::Limits;

/// How long a caller may take for what it was told to end.
const FAREWELL: Duration = Duration::from_secs(5);
/// How long after it was told to end its requests may be on their way to us.
const LAST_WORDS: Duration = Duration::from_millis(100);
/// Bytes of an answer that wait for a caller who does not take them.
const SEND_BUFFER: usize = 64 << 10;
/// How long the answer to our ping may take.
const PING: Duration = Duration::from_secs(20);

/// Serves a connection until it ends, has been idle for too long, or is to stop.
pub(super) async fn serve<S: Stream>(
    stream: Begun<S>,
    peer: Option<IpAddr>,
    front: &impl Front,
    limits: &Limits,
    mut stop: watch::Receiver<bool>,
) {
    let busy = Arc::new(AtomicUsize::new(0));
    let waits = Arc::new(Waits::default());
    let counted = {
        let (busy, waits) = (Arc::clone(&busy), Arc::clone(&waits));
        let front = front.clone();
        service_fn(move |request: Request<Incoming>| {
            let awaited = Awaited::default();
            let answer = front.clone().answer(peer, Opening::http2(request, awaited.clone()));
            let (one, wait) = (Busy::with(&busy), waits.one());
            // Also one whose caller has taken it back is under way until it is judged.
            let answer = Judged::new(async move { (answer.await, one) }, awaited);
            async move {
                let (mut response, one) = answer.await;
                if let Some(lines) = response.body_mut().take_lines() {
                    lines.put_into(response.headers_mut());
                }
                Ok::<_, Infallible>(response.map(|reply| Counted { reply, wait, _one: one }))
            }
        })
    };
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.max_streams)
        .max_header_list_size(u32::try_from(limits.head_bytes).unwrap_or(u32::MAX))
        // CVE-2023-44487, "rapid reset": taken back by the caller. CVE-2025-8671, "MadeYouReset": by us, for its faults.
        .max_pending_accept_reset_streams(limits.max_resets)
        .max_local_error_reset_streams(limits.max_resets)
        .max_send_buf_size(SEND_BUFFER)
        .keep_alive_interval(limits.idle_time)
        .keep_alive_timeout(PING);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), counted));
    let mut stopping = pin!(async move {
        // An error means that nobody is left to stop us any other way.
        let _ = stop.wait_for(|stop| *stop).await;
    });
    let mut deadline = pin!(sleep_until(Instant::now() + limits.idle_time));
    let most = 2 * usize::try_from(limits.max_streams).unwrap_or(usize::MAX / 2);
    let patience = limits.write_time.max(Duration::from_millis(1));
    let mut round = interval_at(Instant::now() + patience, patience);
    let (mut told, mut listening) = (false, front.listening());
    let mut lull = pin!(sleep_until(Instant::now()));
    poll_fn(|cx| {
        if connection.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        while round.poll_tick(cx).is_ready() {
            // It holds a connection to an upstream, and whatever is read of it: HTTP/2 has no way to end one answer of ours
            // that hyper would let us go.
            if waits.longest() > patience {
                return Poll::Ready(());
            }
        }
        let under_way = busy.load(Relaxed);
        if under_way > most {
            // Taken back faster than they are judged, see CVE-2023-44487.
            return Poll::Ready(());
        }
        let idle = under_way == 0;
        if !idle && !told {
            deadline.as_mut().reset(Instant::now() + limits.idle_time);
        }
        let stop = !told && (front.is_over() || stopping.as_mut().poll(cx).is_ready());
        let late = deadline.as_mut().poll(cx).is_ready();
        if stop || (late && !told) {
            // RFC 9113 §6.8: what is under way may end, nothing new begins.
            connection.as_mut().graceful_shutdown();
            told = true;
            deadline.as_mut().reset(Instant::now() + FAREWELL);
            lull.as_mut().reset(Instant::now() + LAST_WORDS);
            cx.waker().wake_by_ref();
        } else if late && idle {
            return Poll::Ready(());
        }
        if told && lull.as_mut().poll(cx).is_ready() {
            listening = None;
        }
        Poll::Pending
    })
    .await;
    drop(listening);
}

/// An answer that counts as under way until its body has ended.
struct Counted {
    reply: Reply,
    wait: Wait,
    _one: Busy,
}

impl Body for Counted {
    type Data = Bytes;
    type Error = <Reply as Body>::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = self.get_mut();
        this.wait.over();
        let frame = Pin::new(&mut this.reply).poll_frame(cx);
        if matches!(frame, Poll::Ready(Some(_))) {
            this.wait.begin();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.reply.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.reply.size_hint()
    }
}

/// One request under way.
struct Busy(Arc<AtomicUsize>);

impl Busy {
    fn with(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}
