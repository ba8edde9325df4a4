//! The first bytes of a connection: which HTTP it speaks.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::time::{Instant, timeout_at};

use super::Stream;

/// RFC 9113 §3.4. No request of HTTP/1.1 begins so: `PRI` was reserved for it.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A connection whose first bytes were heard.
pub(super) enum Hello<S> {
    Http1(Begun<S>),
    Http2(Begun<S>),
}

/// Hears as much as it takes to tell, within `limit`.
///
/// # Errors
/// Where the caller says nothing, or leaves.
pub(super) async fn hear<S: Stream>(mut stream: S, limit: Duration) -> io::Result<Hello<S>> {
    let deadline = Instant::now() + limit;
    let (mut heard, mut count) = ([0; PREFACE.len()], 0);
    while heard[..count] == PREFACE[..count] && count < PREFACE.len() {
        match timeout_at(deadline, stream.read(&mut heard[count..])).await {
            Ok(Ok(more)) if more > 0 => count += more,
            Ok(Err(error)) => return Err(error),
            _ if count == 0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            // Too little for a preface, and no request either: who reads requests says so.
            _ => break,
        }
    }
    let begun = Begun { heard, at: 0, count, stream };
    Ok(if heard[..count] == PREFACE[..] { Hello::Http2(begun) } else { Hello::Http1(begun) })
}

/// A connection of which some bytes were read already: they are read once more.
pub(super) struct Begun<S> {
    heard: [u8; PREFACE.len()],
    at: usize,
    count: usize,
    stream: S,
}

impl<S> Begun<S> {
    /// The connection, and what was heard of it.
    pub(super) fn into_parts(self) -> (S, Vec<u8>) {
        (self.stream, self.heard[self.at..self.count].to_vec())
    }
}

impl<S: Stream> Stream for Begun<S> {
    fn end_by_reset(&self, resets: bool) {
        self.stream.end_by_reset(resets);
    }
}

impl<S: Stream> AsyncRead for Begun<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.at == this.count {
            return Pin::new(&mut this.stream).poll_read(cx, buf);
        }
        let taken = buf.remaining().min(this.count - this.at);
        buf.put_slice(&this.heard[this.at..this.at + taken]);
        this.at += taken;
        Poll::Ready(Ok(()))
    }
}

impl<S: Stream> AsyncWrite for Begun<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
