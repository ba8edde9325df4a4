use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame, SizeHint};

use crate::upstream::{Lines, Relay};

/// The body of an answer: our own words, or the upstream's.
pub(crate) enum Reply {
    Own(Full<Bytes>),
    Upstream(Relay),
}

impl Reply {
    pub(crate) fn own(text: impl Into<Bytes>) -> Self {
        Self::Own(Full::new(text.into()))
    }

    /// The fields of the upstream's answer that are not in a map, but stand as it wrote them.
    pub(crate) fn lines(&mut self) -> Option<&mut Lines> {
        match self {
            Self::Own(_) => None,
            Self::Upstream(relay) => relay.lines().as_deref_mut(),
        }
    }

    /// Takes them, to be written.
    pub(crate) fn take_lines(&mut self) -> Option<Box<Lines>> {
        match self {
            Self::Own(_) => None,
            Self::Upstream(relay) => relay.lines().take(),
        }
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match self.get_mut() {
            Self::Own(body) => {
                Pin::new(body).poll_frame(cx).map(|frame| frame.map(|frame| frame.map_err(|never| match never {})))
            }
            Self::Upstream(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Own(body) => body.is_end_stream(),
            Self::Upstream(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own(body) => body.size_hint(),
            Self::Upstream(body) => body.size_hint(),
        }
    }
}
