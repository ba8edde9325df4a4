use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::AsyncWrite;
use tokio::time::Instant;

use super::{Side, Wire};

impl Wire {
    /// Writes what is taken of it.
    pub(in crate::connection::http1) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let Some(stream) = &mut self.stream else { return Poll::Ready(Err(io::ErrorKind::NotConnected.into())) };
        let stream = Pin::new(stream);
        let written = match bytes {
            [one] => stream.poll_write(cx, one),
            _ => stream.poll_write_vectored(cx, bytes),
        };
        match ready!(self.watch(cx, written))? {
            0 => Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            count => {
                if let Side::Closed(_) = self.theirs {
                    self.theirs = Side::Answered;
                }
                Poll::Ready(Ok(count))
            }
        }
    }

    pub(in crate::connection::http1) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(stream) = &mut self.stream else { return Poll::Ready(Ok(())) };
        let flushed = Pin::new(stream).poll_flush(cx);
        self.watch(cx, flushed)
    }

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
