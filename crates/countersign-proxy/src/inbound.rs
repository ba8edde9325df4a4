use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use countersign::{Code, Rejection};
use http::HeaderMap;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame};
use tokio::time::Instant;

use crate::alarm::Alarm;
use crate::content::Content;
use crate::pace::Pace;
use crate::passing::Passing;

/// The body of a request while it comes. Nothing is read of it, and no `100 Continue` goes out, before the first
/// [`Inbound::next`].
pub(crate) struct Inbound {
    /// None once it was taken to be passed on as it comes.
    body: Option<Content>,
    length: Option<u64>,
    /// The caller waits for `100 Continue`, and nobody has asked for the body.
    waits: bool,
    /// When it was first waited for.
    began: Option<Instant>,
    alarm: Alarm,
    came: u64,
    trailers: Option<Box<HeaderMap>>,
    ended: bool,
    failed: bool,
}

impl Inbound {
    pub(crate) fn new(body: Content, length: Option<u64>, waits: bool) -> Self {
        Self {
            body: Some(body),
            length,
            waits,
            began: None,
            alarm: Alarm::default(),
            came: 0,
            trailers: None,
            ended: false,
            failed: false,
        }
    }

    /// The length that was announced.
    pub(crate) fn length(&self) -> Option<u64> {
        self.length
    }

    /// The next part; `None` only where the body has ended as its framing says. Its trailers are kept aside.
    ///
    /// # Errors
    /// `too_slow` where it falls behind `pace`; `malformed` where the sender stops early or breaks the
    /// framing.
    pub(crate) async fn next(&mut self, pace: Pace) -> Result<Option<Bytes>, Rejection> {
        self.waits = false;
        poll_fn(|cx| self.poll_next(cx, pace)).await
    }

    fn poll_next(&mut self, cx: &mut Context<'_>, pace: Pace) -> Poll<Result<Option<Bytes>, Rejection>> {
        let Some(body) = &mut self.body else { return Poll::Ready(Ok(None)) };
        loop {
            let Poll::Ready(frame) = Pin::new(&mut *body).poll_frame(cx) else {
                // Its time runs from when it is first waited for. Most are there when they are asked for: no clock is read.
                let began = *self.began.get_or_insert_with(Instant::now);
                ready!(self.alarm.poll(cx, pace.deadline(began, self.came)));
                self.failed = true;
                return Poll::Ready(Err(Rejection::new(Code::TooSlow, "the body did not come in time")));
            };
            match frame.map(|frame| frame.map(Frame::into_data)) {
                Some(Ok(Ok(data))) => {
                    self.came += data.len() as u64;
                    return Poll::Ready(Ok(Some(data)));
                }
                Some(Ok(Err(frame))) => self.trailers = frame.into_trailers().ok().map(Box::new),
                Some(Err(_)) => {
                    self.failed = true;
                    let reason = "the body ended early, or its framing is broken";
                    return Poll::Ready(Err(Rejection::new(Code::Malformed, reason)));
                }
                None => {
                    self.ended = true;
                    return Poll::Ready(Ok(None));
                }
            }
        }
    }

    /// The trailers, once the body has ended.
    pub(crate) fn take_trailers(&mut self) -> HeaderMap {
        self.trailers.take().map_or_else(HeaderMap::new, |trailers| *trailers)
    }

    /// Takes the body, of which nothing was read, to be passed on as it comes: at most `most` bytes, and no slower than `pace`.
    pub(crate) fn pass_on(&mut self, most: u64, pace: Pace) -> Option<Passing> {
        self.body.take().map(|body| Passing::new(body, self.length, most, pace))
    }

    /// Leaves a body that nobody wants. Whether the connection may carry another request: a short rest is thrown away
    /// behind the answer; with a long one, or a caller who still waits for our `100 Continue`, it is closed.
    pub(crate) fn leave(self) -> bool {
        // Of one that was passed on the connection itself knows whether it was read to its end.
        let Some(body) = self.body.filter(|body| !self.ended && !body.is_end_stream()) else { return true };
        if self.failed || self.waits || !body.is_nearly_over() {
            return false;
        }
        if let Content::Http2(mut body) = body {
            tokio::spawn(async move {
                let rest = async { while let Some(Ok(_)) = body.frame().await {} };
                let _ = tokio::time::timeout(SHORTLY, rest).await;
            });
        }
        true
    }
}

const SHORTLY: Duration = Duration::from_secs(5);
