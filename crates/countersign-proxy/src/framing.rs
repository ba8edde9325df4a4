//! What a client sends, framed strictly, below hyper.
//!
//! hyper repairs: of `Content-Length` beside `Transfer-Encoding` it drops one, of two equal lengths it makes one, and a
//! fragment it cuts off, all before anything above could refuse. So every byte passes a scanner first. What it takes for
//! faulty never reaches hyper, which sees the connection end there and finishes what came before; the answer to the fault
//! is then written by [`Framing::close`].

mod chunks;
mod fields;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) mod fuzz;
mod line;
mod scanner;
mod unchunked;

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use countersign::Code;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::{Instant, Sleep};

use scanner::{Phase, Scanner};

pub(crate) use unchunked::{Piece, Unchunked};

/// How much and how slowly a client may send before it is heard.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Bytes of a head.
    pub(crate) bytes: usize,
    /// Fields of a head.
    pub(crate) fields: usize,
    /// From the first byte of a head to its end, and from the opening of the connection to that first byte.
    pub(crate) head_time: Duration,
    /// Between two messages.
    pub(crate) idle_time: Duration,
    /// Without the client taking a byte of what we write.
    pub(crate) write_time: Duration,
}

/// Why a client is not heard any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Not one well-framed message: 400.
    Bad(&'static str),
    /// A head that did not come to its end in time: 408.
    TooSlow,
    /// A head that is too large: 431.
    TooLarge,
}

impl Fault {
    /// The code that it is counted under, and why, for the log.
    pub(crate) fn told(self) -> (Code, &'static str) {
        match self {
            Self::Bad(reason) => (Code::Malformed, reason),
            Self::TooSlow => (Code::TooSlow, "the head did not come in time"),
            Self::TooLarge => (Code::HeadTooLarge, "the head is too large"),
        }
    }

    /// The answer to what is not HTTP: empty, and the connection is closed. `fields` stand in it, each with its line end.
    pub(crate) fn answer(self, fields: &str) -> String {
        let status = match self {
            Self::Bad(_) => "400 Bad Request",
            Self::TooSlow => "408 Request Timeout",
            Self::TooLarge => "431 Request Header Fields Too Large",
        };
        format!("HTTP/1.1 {status}\r\n{fields}connection: close\r\ncontent-length: 0\r\n\r\n")
    }
}

/// A connection whose incoming bytes are framed strictly and timed.
pub(crate) struct Framing<S> {
    stream: S,
    scanner: Scanner,
    limits: Limits,
    fault: Option<Fault>,
    /// Since when we wait for what is awaited now, and whether that is the rest of a head.
    waiting: Option<(Instant, bool)>,
    heard: bool,
    reading: Alarm,
    stalled: Option<Instant>,
    writing: Alarm,
}

impl<S> Framing<S> {
    pub(crate) fn new(stream: S, limits: Limits) -> Self {
        Self {
            stream,
            scanner: Scanner::new(limits),
            limits,
            fault: None,
            waiting: None,
            heard: false,
            reading: Alarm::default(),
            stalled: None,
            writing: Alarm::default(),
        }
    }

    /// What ended the hearing, if it was a fault in a head: nothing above has seen that, so it is for us to answer.
    pub(crate) fn fault_in_head(&self) -> Option<Fault> {
        self.fault.filter(|_| self.scanner.phase() != Phase::Body)
    }

    /// The connection, for another protocol: `None` where the client said more than it was to say before.
    pub(crate) fn into_stream(self) -> Option<S> {
        (self.fault.is_none() && self.scanner.phase() == Phase::Idle).then_some(self.stream)
    }

    fn faulty(&mut self, fault: Fault) {
        self.fault.get_or_insert(fault);
    }

    /// The client has nothing for us. Whether that has lasted too long.
    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let phase = self.scanner.phase();
        if phase == Phase::Body {
            // Whoever reads the body minds its time.
            return Poll::Pending;
        }
        let in_head = phase == Phase::Head;
        let since = match self.waiting {
            Some((since, of_head)) if of_head == in_head => since,
            _ => Instant::now(),
        };
        self.waiting = Some((since, in_head));
        let limit = if in_head || !self.heard { self.limits.head_time } else { self.limits.idle_time };
        ready!(self.reading.poll(cx, since + limit));
        if in_head {
            self.faulty(Fault::TooSlow);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Framing<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.fault.is_some() {
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        let Poll::Ready(read) = Pin::new(&mut this.stream).poll_read(cx, buf) else { return this.poll_silence(cx) };
        read?;
        let came = &mut buf.filled_mut()[before..];
        if came.is_empty() {
            return Poll::Ready(Ok(()));
        }
        this.heard = true;
        if let Err((at, fault)) = this.scanner.scan(came) {
            buf.set_filled(before + at);
            this.faulty(fault);
        }
        match this.scanner.phase() {
            Phase::Head if matches!(this.waiting, Some((_, true))) => {}
            Phase::Head => this.waiting = Some((Instant::now(), true)),
            Phase::Idle | Phase::Body => this.waiting = None,
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> Framing<S> {
    fn watch<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let since = *self.stalled.get_or_insert_with(Instant::now);
        ready!(self.writing.poll(cx, since + self.limits.write_time));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Framing<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(cx, bytes);
        this.watch(cx, written)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.stream).poll_flush(cx);
        this.watch(cx, flushed)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let closed = Pin::new(&mut this.stream).poll_shutdown(cx);
        this.watch(cx, closed)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(cx, bytes);
        this.watch(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Framing<S> {
    /// Ends the connection so that the client sees the last answer: `last` is written, our side closed, and what the client
    /// still sends is thrown away for a while, since the kernel would otherwise reset the connection over the answer.
    pub(crate) async fn close(mut self, last: &[u8]) {
        let farewell = async {
            self.stream.write_all(last).await?;
            self.stream.shutdown().await?;
            if self.fault.is_none() && self.scanner.phase() == Phase::Idle {
                return Ok(());
            }
            let mut waste = vec![0; 16 << 10];
            let mut left = LINGER_BYTES;
            while left > 0 {
                match self.stream.read(&mut waste).await? {
                    0 => break,
                    count => left = left.saturating_sub(count),
                }
            }
            io::Result::Ok(())
        };
        // Whether the client is still there to hear it is the client's affair.
        let _ = tokio::time::timeout(LINGER_TIME, farewell).await;
    }
}

const LINGER_BYTES: usize = 1 << 20;
const LINGER_TIME: Duration = Duration::from_secs(2);

/// A timer that is armed late and re-armed seldom: most deadlines are met, and are never handed to the runtime.
#[derive(Default)]
pub(crate) struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    /// Ready once `deadline`, which may be another each time, has passed.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        let sleep = self.0.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        loop {
            if sleep.deadline() > deadline || (sleep.is_elapsed() && sleep.deadline() < deadline) {
                sleep.as_mut().reset(deadline);
            }
            ready!(sleep.as_mut().poll(cx));
            if sleep.deadline() >= deadline {
                return Poll::Ready(());
            }
        }
    }
}

/// RFC 9110 §5.6.2, `tchar`.
pub(crate) fn is_token(byte: u8) -> bool {
    TOKEN[usize::from(byte)]
}

/// Asked for every byte of every name.
const TOKEN: [bool; 256] = {
    let mut token = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        token[byte as usize] = byte.is_ascii_alphanumeric();
        byte += 1;
    }
    let others = b"!#$%&'*+-.^_`|~";
    let mut at = 0;
    while at < others.len() {
        token[others[at] as usize] = true;
        at += 1;
    }
    token
};

#[cfg(test)]
mod tests;
