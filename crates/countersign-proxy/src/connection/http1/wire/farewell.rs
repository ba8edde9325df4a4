//! How a connection ends, or what it goes on as.

use std::io;
use std::sync::Mutex;
use std::task::{Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::{Wire, lock};
use crate::connection::Stream;

impl Wire {
    /// Whether the end of the connection, should it come now, is that of something that broke off.
    pub(in crate::connection::http1) fn end_by_reset(&self, resets: bool) {
        if let Some(stream) = &self.stream {
            stream.end_by_reset(resets);
        }
    }

    /// The stream, for another protocol: `None` where the caller said more than it was to say before.
    pub(in crate::connection::http1) fn take_stream(&mut self) -> Option<Box<dyn Stream>> {
        self.stream.take().filter(|_| self.fault.is_none() && self.is_idle())
    }
}

/// Throws away what is left of a body. Whether it came to its end in time.
pub(in crate::connection::http1) async fn discard(wire: &Mutex<Wire>) -> bool {
    // Whoever still reads it is not to.
    let request = lock(wire).begin(false);
    let rest = std::future::poll_fn(|cx| {
        let mut wire = lock(wire);
        debug_assert_eq!(wire.request, request, "one request at a time");
        while let Some(part) = ready!(wire.poll_body(cx)) {
            if part.is_err() {
                return Poll::Ready(false);
            }
        }
        Poll::Ready(true)
    });
    timeout(SHORTLY, rest).await.unwrap_or(false)
}

/// Ends the connection so that the caller sees the last answer: `last` is written, our side closed, and what the caller
/// still sends is thrown away for a while, since the kernel would otherwise reset the connection over the answer.
pub(in crate::connection::http1) async fn close(wire: &Mutex<Wire>, last: &[u8]) {
    let (stream, silent) = {
        let mut wire = lock(wire);
        (wire.stream.take(), wire.fault.is_none() && wire.is_idle())
    };
    let Some(mut stream) = stream else { return };
    let farewell = async {
        stream.write_all(last).await?;
        stream.shutdown().await?;
        if silent {
            return Ok(());
        }
        let mut waste = vec![0; 16 << 10];
        let mut left = LINGER_BYTES;
        while left > 0 {
            match stream.read(&mut waste).await? {
                0 => break,
                count => left = left.saturating_sub(count),
            }
        }
        io::Result::Ok(())
    };
    // Whether the caller is still there to hear it is the caller's affair.
    let _ = timeout(LINGER_TIME, farewell).await;
}

/// For so long.
const SHORTLY: Duration = Duration::from_secs(5);
const LINGER_BYTES: usize = 1 << 20;
const LINGER_TIME: Duration = Duration::from_secs(2);
