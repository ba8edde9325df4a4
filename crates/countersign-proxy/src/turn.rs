use std::task::{Context, Poll};

use tokio::task::coop::poll_proceed;

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
mod tests {
    use std::future::{Future, poll_fn};
    use std::pin::pin;

    use super::*;

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
