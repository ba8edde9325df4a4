use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use countersign::{Code, Rejection};
use hyper::body::{Body, Frame, SizeHint};

use crate::alarm::Alarm;
use crate::content::Content;
use crate::course::{Broken, Course};
use crate::pace::Pace;

/// The body of a request that nobody verifies, on its way through: passed on as it comes, never kept.
pub(crate) struct Passing {
    body: Content,
    length: Option<u64>,
    left: u64,
    most: u64,
    pace: Pace,
    alarm: Alarm,
    course: Course,
}

impl Passing {
    pub(crate) fn new(body: Content, length: Option<u64>, most: u64, pace: Pace) -> Self {
        Self { body, length, left: most, most, pace, alarm: Alarm::default(), course: Course::default() }
    }

    /// The length that was announced.
    pub(crate) fn length(&self) -> Option<u64> {
        self.length
    }

    /// Tells how far it came, and what broke it off.
    pub(crate) fn course(&self) -> &Course {
        &self.course
    }

    fn break_off(&self, code: Code, reason: String) -> Broken {
        self.course.break_off(Rejection::new(code, reason).into())
    }
}

impl Body for Passing {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        loop {
            let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) else {
                let deadline = self.pace.deadline(self.course.begun(), self.most - self.left);
                if self.alarm.poll(cx, deadline).is_ready() {
                    let broken = self.break_off(Code::TooSlow, "the body did not come in time".to_owned());
                    return Poll::Ready(Some(Err(broken)));
                }
                return Poll::Pending;
            };
            return Poll::Ready(match frame.map(|frame| frame.map(Frame::into_data)) {
                Some(Ok(Ok(data))) => match self.left.checked_sub(data.len() as u64) {
                    Some(left) => {
                        self.left = left;
                        self.course.moved();
                        if self.body.is_end_stream() {
                            self.course.end();
                        }
                        Some(Ok(Frame::data(data)))
                    }
                    None => {
                        let reason = format!("the body is longer than {} bytes", self.most);
                        Some(Err(self.break_off(Code::BodyTooLarge, reason)))
                    }
                },
                // Trailers: nothing signs them.
                Some(Ok(Err(_))) => continue,
                Some(Err(_)) => {
                    let reason = "the body ended early, or its framing is broken".to_owned();
                    Some(Err(self.break_off(Code::Malformed, reason)))
                }
                None => {
                    self.course.end();
                    None
                }
            });
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(|| self.body.size_hint(), SizeHint::with_exact)
    }
}
