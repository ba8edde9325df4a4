use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Frame, SizeHint};

use super::wire::{SHORT, Shared, lock};
use crate::course::Broken;

/// The body of a request of HTTP/1.1, read off its connection when somebody asks for it.
pub(crate) struct Body {
    /// `None` once it has ended.
    wire: Option<Shared>,
    /// Of which request it is.
    request: u64,
    /// What is still to come, where that was announced.
    left: Option<u64>,
}

impl Body {
    /// The body of the request at hand.
    pub(super) fn new(wire: &Shared, request: u64, chunked: bool, length: Option<u64>) -> Self {
        let left = if chunked { None } else { Some(length.unwrap_or_default()) };
        Self { wire: (left != Some(0)).then(|| wire.clone()), request, left }
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let Some(shared) = self.wire.take() else { return Poll::Ready(None) };
        let (frame, goes_on) = {
            let mut wire = lock(&shared);
            if wire.request != self.request {
                // It was answered before it was read, and the rest is no longer ours.
                return Poll::Ready(Some(Err(Broken)));
            }
            (wire.poll_body(cx), wire.is_in_body())
        };
        if goes_on {
            self.wire = Some(shared);
        }
        let frame = ready!(frame);
        if let Some(Ok(frame)) = &frame
            && let (Some(data), Some(left)) = (frame.data_ref(), &mut self.left)
        {
            *left = left.saturating_sub(data.len() as u64);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.wire.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match self.left {
            _ if self.wire.is_none() => SizeHint::with_exact(0),
            Some(left) => SizeHint::with_exact(left),
            None => SizeHint::default(),
        }
    }
}

impl Body {
    /// Whether what is left of it can be thrown away behind the answer.
    pub(crate) fn is_nearly_over(&self) -> bool {
        self.wire.is_none() || self.left.is_some_and(|left| left <= SHORT)
    }
}
