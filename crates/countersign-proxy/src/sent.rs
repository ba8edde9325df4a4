use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use hyper::body::{Body, Frame, SizeHint};

/// The body of a request on its way to the upstream: verified bytes in memory, and verified trailers behind them.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    body: Bytes,
    trailers: HeaderMap,
}

impl Sent {
    pub(crate) fn new(body: Bytes, trailers: HeaderMap) -> Self {
        Self { body, trailers }
    }
}

impl Body for Sent {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(if !self.body.is_empty() {
            Some(Ok(Frame::data(std::mem::take(&mut self.body))))
        } else if !self.trailers.is_empty() {
            Some(Ok(Frame::trailers(std::mem::take(&mut self.trailers))))
        } else {
            None
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_empty() && self.trailers.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.body.len() as u64)
    }
}
