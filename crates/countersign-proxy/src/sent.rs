use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use hyper::body::{Body, Frame, SizeHint};

use crate::passing::{Broken, Passing};

/// The body of a request on its way to the upstream.
pub(crate) enum Sent {
    /// In memory, with the trailers behind it.
    Kept(Bytes, HeaderMap),
    /// Of a request that nobody verified.
    Passing(Box<Passing>),
}

impl Sent {
    /// The same once more, where it can be had again.
    pub(crate) fn again(&self) -> Option<Self> {
        match self {
            Self::Kept(body, trailers) => Some(Self::Kept(body.clone(), trailers.clone())),
            Self::Passing(_) => None,
        }
    }
}

impl Body for Sent {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match self.get_mut() {
            Self::Kept(body, _) if !body.is_empty() => Poll::Ready(Some(Ok(Frame::data(std::mem::take(body))))),
            Self::Kept(_, trailers) if !trailers.is_empty() => {
                Poll::Ready(Some(Ok(Frame::trailers(std::mem::take(trailers)))))
            }
            Self::Kept(..) => Poll::Ready(None),
            Self::Passing(passing) => Pin::new(&mut **passing).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Kept(body, trailers) => body.is_empty() && trailers.is_empty(),
            Self::Passing(passing) => passing.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Kept(body, _) => SizeHint::with_exact(body.len() as u64),
            Self::Passing(passing) => passing.size_hint(),
        }
    }
}
