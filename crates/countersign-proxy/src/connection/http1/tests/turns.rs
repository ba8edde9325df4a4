//! Callers of one worker, who take turns.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf, join, sink};
use tokio::task::coop::poll_proceed;

use super::*;

/// A caller of whose body there is always more, as from a network that is quicker than we are.
struct Endless {
    head: &'static [u8],
    sent: Arc<AtomicUsize>,
}

impl AsyncRead for Endless {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, room: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        // As the runtime's sockets do it.
        ready!(poll_proceed(cx)).made_progress();
        if self.head.is_empty() {
            let count = room.initialize_unfilled().len();
            room.advance(count);
            self.sent.fetch_add(count, Ordering::Relaxed);
        } else {
            let (now, later) = self.head.split_at(self.head.len().min(room.remaining()));
            room.put_slice(now);
            self.head = later;
        }
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn who_sends_a_large_body_without_a_pause_leaves_the_others_their_turns() {
    let sent = Arc::new(AtomicUsize::new(0));
    let head = b"POST / HTTP/1.1\r\nContent-Length: 100000000\r\n\r\n";
    let caller = join(Endless { head, sent: Arc::clone(&sent) }, sink());
    let (_stop, stopping) = watch::channel(false);
    let turn = async move {
        let mut serving = pin!(connection::serve(caller, None, Echo, stopping));
        poll_fn(|cx| Poll::Ready(serving.as_mut().poll(cx).is_pending())).await
    };
    assert!(tokio::spawn(turn).await.unwrap(), "all of it was read in one turn");
    let sent = sent.load(Ordering::Relaxed);
    assert!((1..1 << 20).contains(&sent), "{sent} bytes in one turn");
}
