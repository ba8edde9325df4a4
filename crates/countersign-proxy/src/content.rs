use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};

use crate::connection;
use crate::course::Broken;

/// The body of a request as it comes off its connection, in either version of HTTP.
pub(crate) enum Content {
    Http1(connection::Body),
    Http2(Incoming),
}

impl Content {
    /// Whether what is left of it is little enough to be thrown away, and on its way.
    pub(crate) fn is_nearly_over(&self) -> bool {
        match self {
            Self::Http1(body) => body.is_nearly_over(),
            Self::Http2(body) => body.size_hint().upper().is_some_and(|rest| rest <= connection::SHORT),
        }
    }
}

impl Body for Content {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match self.get_mut() {
            Self::Http1(body) => Pin::new(body).poll_frame(cx),
            Self::Http2(body) => {
                Pin::new(body).poll_frame(cx).map(|frame| frame.map(|frame| frame.map_err(|_| Broken)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Http1(body) => body.is_end_stream(),
            Self::Http2(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Http1(body) => body.size_hint(),
            Self::Http2(body) => body.size_hint(),
        }
    }
}
