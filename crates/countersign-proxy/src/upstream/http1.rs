//! HTTP/1.1 to an upstream, spoken by whoever has the connection on loan: no task of its own, no channel between, and nothing
//! kept for it while it is unused.

mod answer;
mod content;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) mod fuzz;
mod message;
mod outbound;
mod scratch;
#[cfg(test)]
mod tests;

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use hyper::body::{Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};
use tokio::task::coop::unconstrained;

use super::lines::Lines;
use super::{Unanswered, failed, timed_out};
use crate::alarm::Alarm;
use crate::connection::Stream;
use crate::course::Course;
use crate::fault::Fault;
use crate::sent::Sent;
use crate::turn;
use answer::Begun;
use content::Content;
use outbound::Outbound;

pub(crate) use message::{Draft, Message, Unwritable};

/// A connection. Dropped, it is closed.
pub(super) struct Http1 {
    stream: Box<dyn Stream>,
    outbound: Outbound,
    /// What is still to be sent of the request whose answer has begun.
    unsent: Option<Message>,
    /// The beginning of a head.
    begun: Begun,
    /// What came behind the head and was not handed out yet.
    rest: Bytes,
    content: Content,
    /// Whether the other side goes on with this connection behind the answer.
    stays: bool,
    alarm: Alarm,
}

impl Http1 {
    pub(super) fn new(stream: Box<dyn Stream>) -> Self {
        Self {
            stream,
            outbound: Outbound::default(),
            unsent: None,
            begun: Begun::default(),
            rest: Bytes::new(),
            content: Content::Ended,
            stays: true,
            alarm: Alarm::default(),
        }
    }

    /// Sends a message, and hears the head of its answer. That has to come within `limit` of the last part of a body that takes a
    /// while, and of the beginning where there is none. What is still unsent then is sent while the answer's body is heard.
    pub(super) async fn exchange(
        &mut self,
        message: &mut Message,
        limit: Duration,
    ) -> Result<Response<Lines>, Unanswered> {
        let started = turn::now();
        self.begun = Begun::default();
        self.outbound.begin(message);
        let heard = poll_fn(|cx| {
            if let Poll::Ready(head) = self.poll_answer(cx, message) {
                return Poll::Ready(head.map_err(|error| failed(&error.to_string())));
            }
            let since = message.body().course().map_or(started, Course::last_moved);
            ready!(self.alarm.poll(cx, since + limit));
            Poll::Ready(Err(timed_out("no answer in time")))
        });
        let head = heard.await.map_err(|fault| self.unanswered(fault))?;
        let answer::Head { status, lines, content, stays, rest } = head;
        (self.content, self.rest, self.stays) = (content.after(&message.method, status), rest, stays);
        if !self.outbound.has_ended() {
            self.unsent = Some(message.take());
        }
        let mut response = Response::new(lines);
        *response.status_mut() = status;
        Ok(response)
    }

    fn poll_answer(&mut self, cx: &mut Context<'_>, message: &mut Message) -> Poll<io::Result<answer::Head>> {
        // An upstream may have answered before it stopped reading.
        let failed = match self.outbound.poll(cx, &mut self.stream, message) {
            Poll::Ready(Err(error)) => Some(error),
            _ => None,
        };
        loop {
            let hear = |came: &[u8]| {
                if came.is_empty() {
                    return Err(if self.begun.is_empty() { CLOSED } else { BROKEN_OFF });
                }
                self.begun.hear(came)
            };
            match poll_read(&mut self.stream, cx, hear) {
                Poll::Ready(Ok(Ok(None))) => {}
                Poll::Ready(Ok(Ok(Some(head)))) => return Poll::Ready(Ok(head)),
                Poll::Ready(Ok(Err(why))) => {
                    return Poll::Ready(Err(failed.unwrap_or_else(|| io::Error::other(why))));
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(failed.unwrap_or(error))),
                Poll::Pending => return failed.map_or(Poll::Pending, |error| Poll::Ready(Err(error))),
            }
        }
    }

    fn unanswered(&self, fault: Fault) -> Unanswered {
        Unanswered { sent: self.outbound.has_sent(), heard: self.begun.has_heard(), fault }
    }

    /// The next part of the answer's body, or its trailers; `None` only where it has ended as its framing says.
    pub(super) fn poll_content(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if let Err(error) = self.send_on(cx) {
            return Poll::Ready(Some(Err(error)));
        }
        loop {
            match self.content.take(&mut self.rest) {
                Ok(None) => {}
                Ok(frame) => return Poll::Ready(frame.map(Ok)),
                Err(fault) => return Poll::Ready(Some(Err(io::Error::other(fault)))),
            }
            if matches!(self.content, Content::Ended) {
                return Poll::Ready(None);
            }
            self.rest = ready!(poll_read(&mut self.stream, cx, Bytes::copy_from_slice))?;
            if self.rest.is_empty() {
                if !matches!(self.content, Content::UntilClose) {
                    return Poll::Ready(Some(Err(io::Error::other(BROKEN_OFF))));
                }
                self.content = Content::Ended;
            }
        }
    }

    /// Goes on sending a request whose answer has begun. That the other side takes no more of it is its right.
    pub(super) fn send_on(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let Some(message) = &mut self.unsent else { return Ok(()) };
        let course = message.body().course().cloned();
        if let Poll::Ready(ended) = self.outbound.poll(cx, &mut self.stream, message) {
            self.unsent = None;
            if course.is_some_and(|course| course.is_broken()) {
                return ended;
            }
        }
        Ok(())
    }

    /// How a request fares that is passed on as it comes, while some of it is still to be sent.
    pub(super) fn passing(&self) -> Option<&Course> {
        let body = self.unsent.as_ref().map(Message::body);
        body.filter(|body| matches!(body, Sent::Passing(_))).and_then(Sent::course)
    }

    /// All of the answer's body, where it is here and there are no trailers behind it.
    pub(super) fn take_whole(&mut self) -> Option<Bytes> {
        match self.content {
            Content::Ended => Some(Bytes::new()),
            Content::Sized(length) if length == self.rest.len() as u64 => {
                self.content = Content::Ended;
                Some(std::mem::take(&mut self.rest))
            }
            _ => None,
        }
    }

    /// Whether all of the answer was handed out.
    pub(super) fn has_ended(&self) -> bool {
        matches!(self.content, Content::Ended)
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        self.content.size_hint()
    }

    /// Whether another request may go out behind an answer that has ended: all of this one was sent, nothing came behind the
    /// answer, and the other side stays.
    pub(super) fn is_reusable(&self) -> bool {
        self.has_ended() && self.stays && self.rest.is_empty() && self.outbound.has_ended()
    }

    /// Whether nothing was heard since, as it has to be while nothing is asked for. Costs no system call where nothing was.
    pub(super) fn is_silent(&mut self) -> bool {
        // Whoever has used up a task's turn would be told that nothing is there without a look.
        let heard = unconstrained(poll_fn(|cx| poll_read(&mut self.stream, cx, |_| ())));
        pin!(heard).poll(&mut Context::from_waker(Waker::noop())).is_pending()
    }

    /// What the connection has become behind a 101.
    pub(super) fn into_stream(self) -> Box<dyn Stream> {
        if self.rest.is_empty() {
            return self.stream;
        }
        let (reading, writing) = tokio::io::split(self.stream);
        Box::new(tokio::io::join(io::Cursor::new(self.rest).chain(reading), writing))
    }
}

/// Hands over what has come; nothing at the end.
fn poll_read<T>(
    stream: &mut Box<dyn Stream>,
    cx: &mut Context<'_>,
    with: impl FnOnce(&[u8]) -> T,
) -> Poll<io::Result<T>> {
    scratch::read(|room| {
        let mut room = ReadBuf::new(room);
        ready!(Pin::new(stream).poll_read(cx, &mut room))?;
        turn::took(cx, room.filled().len());
        Poll::Ready(Ok(with(room.filled())))
    })
}

const CLOSED: &str = "the connection was closed without an answer";
const BROKEN_OFF: &str = "the answer broke off";
