//! A caller who says nothing: for how long, and whether it is still there.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::Instant;

use super::{Heard, Shared, Side, Wire, lock};
use crate::connection::FIRST_WORDS;
use crate::connection::http1::spare;
use crate::framing::{Fault, Phase};
use crate::turn;

impl Wire {
    /// The caller has nothing for us. Whether that has lasted too long.
    pub(super) fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<Heard> {
        let in_head = self.scanner.phase() == Phase::Head;
        let now = turn::now();
        let since = match self.waiting {
            Some((since, of_head)) if of_head == in_head => since,
            _ => now,
        };
        self.waiting = Some((since, in_head));
        let limit = if in_head || !self.heard { self.limits.head_time } else { self.limits.idle_time };
        ready!(self.reading.poll_at(cx, now, since + limit));
        if !in_head {
            return Poll::Ready(Heard::End);
        }
        self.fault = Some(Fault::TooSlow);
        Poll::Ready(Heard::Fault(Fault::TooSlow))
    }

    /// The same once nobody is to be heard any more: the end, at once where no request was begun. One whose head has begun is on
    /// its way, or it dribbles and would keep another process from its turn: it has as long as a caller who has just connected.
    /// RFC 9110 §15.5.9 lets who is told that it took too long "repeat that request on a new connection".
    pub(in crate::connection::http1) fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<Heard> {
        if self.is_idle() {
            return Poll::Ready(Heard::End);
        }
        let now = Instant::now();
        let until = *self.over.get_or_insert(now + FIRST_WORDS);
        if now < until {
            ready!(self.reading.poll(cx, until));
        }
        self.fault = Some(Fault::TooSlow);
        Poll::Ready(Heard::Fault(Fault::TooSlow))
    }

    /// Ready once the caller has left, asked while it has nothing more to say but for what it sends ahead: of that a few bytes are
    /// read, and then nothing more, not even that it left. Costs no system call where nothing came.
    ///
    /// A caller that closes only its own side, and would still hear the answer, looks like one that left: TCP tells the two apart
    /// by what becomes of the next byte to it. Those who leave are the many, so it is taken for one of them, as nginx
    /// (`proxy_ignore_client_abort off`) and HAProxy (`abortonclose`) do; but not before an answer that is about to come had its
    /// time. What is on record by then stays there, and its nonce is spent.
    pub(in crate::connection::http1) fn poll_left(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.fault.is_some() || !self.is_idle() {
            return Poll::Pending;
        }
        if self.theirs == Side::Open {
            let Some(stream) = &mut self.stream else { return Poll::Pending };
            let mut ahead = [0; AHEAD];
            let mut ahead = ReadBuf::new(&mut ahead);
            if ready!(Pin::new(stream).poll_read(cx, &mut ahead)).is_err() {
                return Poll::Ready(());
            }
            if !ahead.filled().is_empty() {
                if self.came.capacity() == 0 {
                    self.came = spare::buffer();
                }
                self.came.extend_from_slice(ahead.filled());
                return Poll::Pending;
            }
            self.theirs = Side::Closed(Instant::now());
        }
        match self.theirs {
            Side::Closed(since) => self.reading.poll(cx, since + MOMENT),
            // Whoever has left lets the next write fail.
            Side::Open | Side::Answered => Poll::Pending,
        }
    }
}

/// What `poll` comes to, unless the caller leaves before that, where it `may`.
pub(in crate::connection::http1) async fn unless_left<T>(
    wire: &Shared,
    may: impl Fn() -> bool,
    mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
) -> Option<T> {
    poll_fn(|cx| match poll(cx) {
        Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
        Poll::Pending if !may() => Poll::Pending,
        Poll::Pending => lock(wire).poll_left(cx).map(|()| None),
    })
    .await
}

/// So much is read of what a caller sends ahead while its answer is awaited.
const AHEAD: usize = 64;
/// How long who has closed its side may still be there for an answer.
const MOMENT: Duration = Duration::from_secs(2);
