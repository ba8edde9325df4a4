//! A caller's bytes in both directions: read strictly and in time, and written in time.

mod farewell;
mod waiting;
mod writing;

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use http::HeaderMap;
use hyper::body::Frame;
use tokio::io::AsyncReadExt;
use tokio::time::Instant;

use super::request;
use super::spare;
use crate::alarm::Alarm;
use crate::connection::Stream;
use crate::course::Broken;
use crate::framing::{Fault, Limits, Phase, Scanned, Scanner, Step};
use crate::turn;

pub(super) use farewell::{close, discard};
pub(super) use waiting::unless_left;

/// One connection of HTTP/1.1. Whoever reads a body and whoever writes the answer share it.
pub(super) struct Wire {
    /// `None` once it is closed, or speaks another protocol.
    stream: Option<Box<dyn Stream>>,
    scanner: Scanner,
    limits: Limits,
    /// What came and is not taken yet. It has no room of its own while nothing is there.
    came: BytesMut,
    /// Whether the last read took all the room that it had.
    filled: bool,
    /// Bytes of that which were looked at, of a head or a trailer section that has not ended.
    seen: usize,
    fault: Option<Fault>,
    /// Since when we wait for what is awaited now, and whether that is the rest of a head.
    waiting: Option<(Instant, bool)>,
    heard: bool,
    /// Until when what was begun is heard, once nobody is to be heard any more.
    over: Option<Instant>,
    theirs: Side,
    reading: Alarm,
    stalled: Option<Instant>,
    writing: Alarm,
    /// The number of the request at hand: the bodies of others are over.
    pub(super) request: u64,
    expects: Expects,
}

/// How far it is with a caller who waits for `100 Continue`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expects {
    /// Not, or not any more.
    Nothing,
    /// Nobody has asked for the body yet.
    Asking,
    /// Nobody had when the answer began, in which it can't be asked for any more.
    Unasked,
    /// So much of it is still to be written.
    Rest(&'static [u8]),
}

/// The caller's side of the connection, as far as that was seen while an answer was awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Open,
    /// Since then.
    Closed(Instant),
    /// And something was written to it since.
    Answered,
}

/// What comes of waiting for a request.
pub(super) enum Heard {
    /// A head, and the bytes that it is made of.
    Head(Scanned, Bytes),
    /// What can't be heard any further.
    Fault(Fault),
    /// The end: the caller has left, or was silent for too long.
    End,
}

/// A wire that is shared.
pub(super) type Shared = Arc<Mutex<Wire>>;

/// Nobody holds it while it waits.
pub(super) fn lock(wire: &Mutex<Wire>) -> MutexGuard<'_, Wire> {
    wire.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Wire {
    /// `heard` is what was read of it before.
    pub(super) fn new(stream: Box<dyn Stream>, heard: &[u8], limits: Limits) -> Self {
        let mut came = spare::buffer();
        came.extend_from_slice(heard);
        Self {
            stream: Some(stream),
            scanner: Scanner::new(limits),
            limits,
            heard: !came.is_empty(),
            came,
            filled: false,
            seen: 0,
            fault: None,
            waiting: None,
            over: None,
            theirs: Side::Open,
            reading: Alarm::default(),
            stalled: None,
            writing: Alarm::default(),
            request: 0,
            expects: Expects::Nothing,
        }
    }

    /// Whether nothing of a next request is there.
    pub(super) fn is_idle(&self) -> bool {
        self.came.is_empty() && self.scanner.phase() == Phase::Idle
    }

    /// Whether a body is not read to its end.
    pub(super) fn is_in_body(&self) -> bool {
        self.scanner.phase() == Phase::Body
    }

    /// The next request has begun. `expects` says that the caller waits until its body is asked for.
    pub(super) fn begin(&mut self, expects: bool) -> u64 {
        self.request += 1;
        // That a head filled its room says nothing of a body: whoever sends a byte of one gets no room for a large part.
        self.filled = false;
        self.expects = if expects && self.is_in_body() { Expects::Asking } else { Expects::Nothing };
        self.request
    }

    /// The answer begins: what is left of a `100 Continue`, to stand before it. None is written from here on.
    pub(super) fn rest_of_continue(&mut self) -> &'static [u8] {
        let (expects, rest): (_, &[u8]) = match self.expects {
            Expects::Rest(rest) => (Expects::Nothing, rest),
            Expects::Asking => (Expects::Unasked, &[]),
            other => (other, &[]),
        };
        self.expects = expects;
        rest
    }

    /// Whether what is left of the body can be thrown away behind the answer: that it is short, and on its way.
    pub(super) fn has_short_rest(&self) -> bool {
        let asked = !matches!(self.expects, Expects::Asking | Expects::Unasked);
        self.fault.is_none() && asked && self.scanner.left().is_some_and(|left| left <= SHORT)
    }

    /// The next request.
    pub(super) fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Heard> {
        loop {
            if self.seen < self.came.len() {
                match self.scanner.head(&mut self.came[self.seen..]) {
                    Ok((taken, None)) => self.seen += taken,
                    Ok((taken, Some(scanned))) => {
                        let head = self.came.split_to(self.seen + taken).freeze();
                        (self.seen, self.waiting) = (0, None);
                        return Poll::Ready(Heard::Head(scanned, head));
                    }
                    Err((_, fault)) => {
                        self.fault = Some(fault);
                        return Poll::Ready(Heard::Fault(fault));
                    }
                }
            }
            match self.poll_fill(cx, spare::BUFFER) {
                Poll::Ready(Ok(count)) if count > 0 => self.heard = true,
                // Whoever breaks off in the middle of a head hears nothing of it.
                Poll::Ready(_) => return Poll::Ready(Heard::End),
                Poll::Pending => return self.poll_silence(cx),
            }
        }
    }

    /// The next part of the body: `None` at its end.
    pub(super) fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        while self.is_in_body() {
            if self.seen == self.came.len() {
                match ready!(self.poll_more_of_body(cx)) {
                    Ok(count) if count > 0 => {}
                    _ => return Poll::Ready(Some(Err(Broken))),
                }
            }
            match self.scanner.body(&self.came[self.seen..]) {
                Ok(Step::Data(taken)) => {
                    return Poll::Ready(Some(Ok(Frame::data(self.came.split_to(taken).freeze()))));
                }
                Ok(Step::Frame(taken)) => self.came.advance(taken),
                Ok(Step::Trailers(taken)) => {
                    self.seen += taken;
                    if !self.is_in_body() {
                        let section = self.came.split_to(std::mem::take(&mut self.seen)).freeze();
                        let trailers = self.trailers(&section);
                        return Poll::Ready(trailers.map(|trailers| trailers.map(Frame::trailers)));
                    }
                }
                Err((_, fault)) => {
                    self.fault = Some(fault);
                    return Poll::Ready(Some(Err(Broken)));
                }
            }
        }
        Poll::Ready(None)
    }

    fn trailers(&mut self, section: &Bytes) -> Option<Result<HeaderMap, Broken>> {
        let fields = Scanner::trailers(section, &self.limits);
        if fields.is_empty() {
            return None;
        }
        Some(request::fields(section, &fields).map_err(|fault| {
            self.fault = Some(fault);
            Broken
        }))
    }

    fn poll_more_of_body(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.fault.is_some() {
            return Poll::Ready(Ok(0));
        }
        if self.expects == Expects::Asking {
            self.expects = Expects::Rest(CONTINUE);
        }
        while let Expects::Rest(rest) = self.expects {
            let written = ready!(self.poll_write(cx, &[IoSlice::new(rest)]))?;
            self.expects = match &rest[written..] {
                [] => Expects::Nothing,
                rest => Expects::Rest(rest),
            };
            if self.expects == Expects::Nothing {
                // Of TLS a part may wait; whoever reads on drives it.
                let _ = self.poll_flush(cx);
            }
        }
        let left = self.scanner.left().unwrap_or(spare::BUFFER as u64);
        let want = usize::try_from(left).unwrap_or(PART).clamp(spare::BUFFER, PART);
        self.poll_fill(cx, want)
    }

    /// Reads what is there, and makes room for `want` bytes where there is hardly any and as much seems to be there: who keeps
    /// what comes keeps the room that it came in.
    fn poll_fill(&mut self, cx: &mut Context<'_>, want: usize) -> Poll<io::Result<usize>> {
        let Some(stream) = &mut self.stream else { return Poll::Ready(Ok(0)) };
        if self.came.capacity() == 0 && !(self.filled && want > spare::BUFFER) {
            self.came = spare::buffer();
        }
        if self.came.capacity() - self.came.len() < LITTLE {
            self.came.reserve(want);
        }
        let room = self.came.capacity() - self.came.len();
        let read = pin!(stream.read_buf(&mut self.came)).poll(cx);
        if let Poll::Ready(Ok(count)) = read {
            self.filled = count == room;
            turn::took(cx, count);
        }
        if let (Some(since), Poll::Ready(Ok(1..))) = (&mut self.stalled, &read) {
            // Whoever reads only once it has written is not gone while it writes.
            *since = Instant::now();
        }
        if self.came.is_empty() {
            spare::give_back(std::mem::take(&mut self.came));
        } else {
            self.expects = match self.expects {
                // It did not wait.
                Expects::Asking => Expects::Nothing,
                other => other,
            };
        }
        read
    }
}

/// RFC 9110 §10.1.1.
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
/// Less room than this is not read into.
const LITTLE: usize = 1 << 10;
/// What is read of a large body at once.
const PART: usize = 64 << 10;
/// So much of a body that nobody wants is thrown away.
pub(crate) const SHORT: u64 = 64 << 10;
