//! Callers of one worker, who take turns.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf, join, sink};
use tokio::task::coop::poll_proceed;

use super::*;
use crate::turn::tests::Endless;

#[tokio::test]
async fn who_sends_a_large_body_without_a_pause_leaves_the_others_their_turns() {
    let sent = Arc::new(AtomicUsize::new(0));
    let head = b"POST / HTTP/1.1\r\nContent-Length: 100000000\r\n\r\n";
    let caller = join(Endless::new(head, &sent), sink());
    let (_stop, stopping) = watch::channel(false);
    let turn = async move {
        let mut serving = pin!(connection::serve(caller, None, Echo, stopping));
        poll_fn(|cx| Poll::Ready(serving.as_mut().poll(cx).is_pending())).await
    };
    assert!(tokio::spawn(turn).await.unwrap(), "all of it was read in one turn");
    let sent = sent.load(Ordering::Relaxed);
    assert!((1..1 << 20).contains(&sent), "{sent} bytes in one turn");
}

/// A caller whose head fills what room there is for it, and who sends a byte of its body at a time.
struct Stingy {
    reads: usize,
    rooms: Arc<std::sync::Mutex<Vec<usize>>>,
}

impl AsyncRead for Stingy {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, room: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        ready!(poll_proceed(cx)).made_progress();
        let first = b"POST / HTTP/1.1\r\nContent-";
        let (begin, end) = (b"Length: 100000\r\nX: ", b"\r\n\r\n");
        match self.reads {
            0 => room.put_slice(&first[..room.remaining().min(first.len())]),
            1 => {
                let rest = &first[24..];
                let filling = room.remaining() - rest.len() - begin.len() - end.len();
                for part in [rest, begin, &vec![b'y'; filling], end] {
                    room.put_slice(part);
                }
            }
            2 => {
                self.rooms.lock().unwrap().push(room.remaining());
                room.put_slice(b"x");
            }
            _ => return Poll::Pending,
        }
        self.reads += 1;
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn mistake_30_a_head_that_fills_its_room_gets_none_for_a_large_body_that_does_not_come() {
    let rooms = Arc::default();
    let caller = join(Stingy { reads: 0, rooms: Arc::clone(&rooms) }, sink());
    let (_stop, stopping) = watch::channel(false);
    let serving = connection::serve(caller, None, Roomy, stopping);
    assert!(timeout(Duration::from_millis(30), serving).await.is_err(), "it ended");
    let rooms = rooms.lock().unwrap();
    assert!(matches!(rooms[..], [1..=8192]), "{rooms:?}");
}

/// As [`Echo`], with room for a head of 8 KiB.
#[derive(Clone)]
struct Roomy;

impl Front for Roomy {
    fn limits(&self) -> Limits {
        Limits { head_bytes: 16 << 10, ..limits() }
    }

    fn connections(&self, _: i64) {}

    async fn answer(self, peer: Option<IpAddr>, opening: Opening) -> Response<Reply> {
        Echo.answer(peer, opening).await
    }

    fn refuse(&self, fault: Fault) -> String {
        fault.answer("")
    }
}
