//! The turns that a task is given: what time it is in one, and how much it may read.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::task::coop::poll_proceed;
use tokio::time::Instant;

/// Work in whose turns [`now`] reads the clock once.
pub(crate) struct Turns<F>(pub(crate) F);

impl<F: Future + Unpin> Future for Turns<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let _turn = Turn::begin();
        Pin::new(&mut self.0).poll(cx)
    }
}

/// The moment of this turn, for waits and for what is told of them. A request asks ten times what time it is, and most of that in
/// one turn, which is shorter than any of these counts. Outside of [`Turns`] the clock is read each time.
pub(crate) fn now() -> Instant {
    match MOMENT.get() {
        Moment::Read(moment) => moment,
        Moment::Unread => look(),
        Moment::Free => Instant::now(),
    }
}

/// The moment of now, which is that of the rest of this turn, too: asked for where one begins with something new.
pub(crate) fn look() -> Instant {
    let now = Instant::now();
    if !matches!(MOMENT.get(), Moment::Free) {
        MOMENT.set(Moment::Read(now));
    }
    now
}

#[derive(Clone, Copy)]
enum Moment {
    /// There is no turn.
    Free,
    Unread,
    Read(Instant),
}

thread_local! {
    static MOMENT: Cell<Moment> = const { Cell::new(Moment::Free) };
}

struct Turn;

impl Turn {
    fn begin() -> Self {
        MOMENT.set(Moment::Unread);
        Self
    }
}

/// However it ends, what comes after it has its own time.
impl Drop for Turn {
    fn drop(&mut self) {
        MOMENT.set(Moment::Free);
    }
}

/// Counts bytes that were read towards the turn of the task that read them. The runtime counts reads, whatever came of them: a
/// caller who sends a large body without a pause would be served 8 MiB of it, and all others of its worker would wait for as long
/// as that takes to hash. So a turn ends behind half a MiB.
pub(crate) fn took(cx: &mut Context<'_>, bytes: usize) {
    for _ in 0..bytes / READ {
        if let Poll::Ready(counted) = poll_proceed(cx) {
            counted.made_progress();
        } else {
            // What was read is handed on. Whatever is asked for next waits for the next turn.
            return;
        }
    }
}

/// So much counts as one read, of which a turn has 128.
const READ: usize = 4 << 10;

#[cfg(test)]
pub(crate) mod tests {
    use std::future::{Future, poll_fn};
    use std::io;
    use std::pin::pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    use std::task::ready;

    use tokio::io::{AsyncRead, ReadBuf};

    use super::*;

    /// A sender of a head, and of more behind it whenever it is asked, as from a network that is quicker than we are.
    pub(crate) struct Endless {
        head: &'static [u8],
        sent: Arc<AtomicUsize>,
    }

    impl Endless {
        /// Counts in `sent` what is read behind the head.
        pub(crate) fn new(head: &'static [u8], sent: &Arc<AtomicUsize>) -> Self {
            Self { head, sent: Arc::clone(sent) }
        }
    }

    impl AsyncRead for Endless {
        fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, room: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            // As the runtime's sockets do it.
            ready!(poll_proceed(cx)).made_progress();
            let (now, later) = self.head.split_at(self.head.len().min(room.remaining()));
            if now.is_empty() {
                let count = room.initialize_unfilled().len();
                room.advance(count);
                self.sent.fetch_add(count, Relaxed);
            } else {
                room.put_slice(now);
                self.head = later;
            }
            Poll::Ready(Ok(()))
        }
    }

    /// A sender who always has more, as a socket is that fills as fast as it is read.
    async fn read_without_end(part: usize) {
        poll_fn(|cx| {
            while let Poll::Ready(counted) = poll_proceed(cx) {
                counted.made_progress();
                READ_SO_FAR.with(|read| read.set(read.get() + part));
                took(cx, part);
            }
            Poll::<()>::Pending
        })
        .await;
    }

    thread_local! {
        static READ_SO_FAR: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
    }

    #[tokio::test]
    async fn the_clock_is_read_once_a_turn_and_never_for_longer() {
        let pause = || std::thread::sleep(std::time::Duration::from_millis(2));
        let work = pin!(async {
            let first = now();
            pause();
            assert_eq!(now(), first);
            let second = look();
            assert!(second > first);
            pause();
            assert_eq!(now(), second);
            tokio::task::yield_now().await;
            assert!(now() > second);
            now()
        });
        let last = Turns(work).await;
        pause();
        let outside = now();
        assert!(outside > last);
        pause();
        assert!(now() > outside);
    }

    #[tokio::test]
    async fn a_turn_ends_behind_half_a_mebibyte_of_large_reads_and_behind_128_small_ones() {
        for (part, turn) in [(64 << 10, 512 << 10), (1000, 128 * 1000), (8 << 20, 8 << 20)] {
            READ_SO_FAR.set(0);
            let once = async move {
                let mut endless = pin!(read_without_end(part));
                poll_fn(|cx| {
                    assert!(endless.as_mut().poll(cx).is_pending());
                    Poll::Ready(())
                })
                .await;
                READ_SO_FAR.get()
            };
            let read = tokio::spawn(once).await.unwrap();
            assert!(read <= turn && read * 2 > turn, "{part}: {read}");
        }
    }
}
