use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use hyper::body::{Body, Frame, SizeHint};

use crate::course::{Broken, Course};
use crate::passing::Passing;
use crate::spool::Readback;

/// The body of a request on its way to the upstream.
pub(crate) enum Sent {
    /// In memory, with the trailers behind it.
    Kept(Bytes, HeaderMap),
    /// In a file, with the trailers behind it.
    Spooled(Box<Readback>, HeaderMap),
    /// Of a request that nobody verified.
    Passing(Box<Passing>),
}

impl Sent {
    /// The same once more, where it can be had again.
    pub(crate) fn again(&self) -> Option<Self> {
        match self {
            Self::Kept(body, trailers) => Some(Self::Kept(body.clone(), trailers.clone())),
            Self::Spooled(body, trailers) => Some(Self::Spooled(Box::new(body.again()), trailers.clone())),
            Self::Passing(_) => None,
        }
    }

    /// How it fares on its way, where it takes a while.
    pub(crate) fn course(&self) -> Option<&Course> {
        match self {
            Self::Kept(..) => None,
            Self::Spooled(body, _) => Some(body.course()),
            Self::Passing(body) => Some(body.course()),
        }
    }
}

impl Body for Sent {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match self.get_mut() {
            Self::Kept(body, _) if !body.is_empty() => Poll::Ready(Some(Ok(Frame::data(std::mem::take(body))))),
            Self::Spooled(body, _) if body.left() > 0 => body.poll_part(cx).map(|part| Some(part?.map(Frame::data))),
            Self::Kept(_, trailers) | Self::Spooled(_, trailers) if !trailers.is_empty() => {
                Poll::Ready(Some(Ok(Frame::trailers(std::mem::take(trailers)))))
            }
            Self::Kept(..) | Self::Spooled(..) => Poll::Ready(None),
            Self::Passing(passing) => Pin::new(&mut **passing).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Kept(body, trailers) => body.is_empty() && trailers.is_empty(),
            Self::Spooled(body, trailers) => body.left() == 0 && trailers.is_empty(),
            Self::Passing(passing) => passing.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Kept(body, _) => SizeHint::with_exact(body.len() as u64),
            Self::Spooled(body, _) => SizeHint::with_exact(body.left()),
            Self::Passing(passing) => passing.size_hint(),
        }
    }
}
