use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::pool::Lease;
use super::relay::http1;
use crate::course::Course;

/// An exchange whose answer has begun while its request is still on its way, carried on by a task of its own until all of that is
/// sent: the request has to go on also while the caller takes nothing of the answer, since it may read only once it has written.
/// One part of the answer waits for it here, and the rest with the upstream.
pub(super) struct BothWays {
    parts: mpsc::Receiver<Part>,
    task: JoinHandle<()>,
    /// What is still to come of the answer, where that is known.
    left: Option<u64>,
    course: Course,
}

/// What it comes to.
pub(super) enum Part {
    Frame(io::Result<Frame<Bytes>>),
    /// All of the request is sent: from here on the connection is the caller's task's again.
    Sent(Box<Lease>),
    /// All of the answer is here, and its connection may be free again. Without this it is not whole.
    End(Box<Lease>),
}

impl BothWays {
    /// Of a connection that still passes on a request; of any other it is given back.
    pub(super) fn begin(mut lease: Box<Lease>) -> Result<Self, Box<Lease>> {
        let Some(course) = http1(&mut lease).and_then(|it| it.passing().cloned()) else { return Err(lease) };
        let left = http1(&mut lease).and_then(|it| it.size_hint().exact());
        let (sender, parts) = mpsc::channel(1);
        Ok(Self { parts, task: tokio::spawn(carry(lease, sender)), left, course })
    }

    /// With these parts.
    #[cfg(test)]
    pub(super) fn of(parts: mpsc::Receiver<Part>) -> Self {
        Self { parts, task: tokio::spawn(async {}), left: None, course: Course::default() }
    }

    /// The next part; `None` where whoever carried it on is gone.
    pub(super) fn poll_part(&mut self, cx: &mut Context<'_>) -> Poll<Option<Part>> {
        let part = ready!(self.parts.poll_recv(cx));
        if let (Some(Part::Frame(Ok(frame))), Some(left)) = (&part, &mut self.left) {
            *left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len) as u64);
        }
        Poll::Ready(part)
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }

    /// When the request last moved: as long as it does, an upstream that says nothing listens.
    pub(super) fn last_moved(&self) -> Instant {
        self.course.last_moved()
    }
}

/// With the answer the request ends, too.
impl Drop for BothWays {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carry(mut lease: Box<Lease>, parts: mpsc::Sender<Part>) {
    loop {
        let Some(connection) = http1(&mut lease) else { return };
        let room = {
            let mut room = pin!(parts.reserve());
            poll_fn(|cx| match connection.send_on(cx) {
                Ok(()) => room.as_mut().poll(cx).map(|room| room.map_err(|_| None)),
                Err(fault) => Poll::Ready(Err(Some(fault))),
            })
            .await
        };
        let room = match room {
            Ok(room) => room,
            Err(fault) => {
                if let Some(fault) = fault {
                    let _ = parts.send(Part::Frame(Err(fault))).await;
                }
                return;
            }
        };
        let part = poll_fn(|cx| match connection.poll_content(cx) {
            Poll::Ready(frame) => Poll::Ready(frame.map(Some)),
            Poll::Pending if connection.passing().is_none() => Poll::Ready(Some(None)),
            Poll::Pending => Poll::Pending,
        });
        match part.await {
            Some(Some(frame)) => {
                let last = frame.is_err();
                room.send(Part::Frame(frame));
                if last {
                    return;
                }
            }
            Some(None) => return room.send(Part::Sent(lease)),
            None => return room.send(Part::End(lease)),
        }
    }
}
