use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use hyper::body::{Frame, SizeHint};

use super::answer;
use crate::framing::{Piece, Unchunked};

/// What is still to come of an answer's body.
#[derive(Debug)]
pub(super) enum Content {
    /// Nothing: it is over.
    Ended,
    /// So many bytes.
    Sized(u64),
    Chunked(Box<Unchunked>),
    /// All until the connection is closed.
    UntilClose,
}

impl Content {
    pub(super) fn chunked() -> Self {
        Self::Chunked(Box::default())
    }

    /// What comes behind a head with these fields. RFC 9112 §6.3: to `HEAD`, and with these statuses, nothing "regardless of
    /// the header fields present in the message".
    pub(super) fn after(self, method: &Method, status: StatusCode) -> Self {
        if status == StatusCode::SWITCHING_PROTOCOLS {
            // What comes behind it is in the other protocol, and no answer comes on this connection any more.
            return Self::UntilClose;
        }
        let none = status.is_informational() || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        if none || *method == Method::HEAD || matches!(self, Self::Sized(0)) { Self::Ended } else { self }
    }

    /// Takes the next part of it from the bytes that came; `None` where more has to come, or nothing.
    pub(super) fn take(&mut self, bytes: &mut Bytes) -> Result<Option<Frame<Bytes>>, &'static str> {
        if bytes.is_empty() {
            return Ok(None);
        }
        match self {
            Self::Ended => Ok(None),
            Self::UntilClose => Ok(Some(Frame::data(std::mem::take(bytes)))),
            Self::Sized(left) => {
                let here = usize::try_from(*left).map_or(bytes.len(), |left| left.min(bytes.len()));
                *left -= here as u64;
                if *left == 0 {
                    *self = Self::Ended;
                }
                let part = if here == bytes.len() { std::mem::take(bytes) } else { bytes.split_to(here) };
                Ok(Some(Frame::data(part)))
            }
            Self::Chunked(chunks) => match chunks.take(bytes).map_err(|fault| fault.told().1)? {
                None => Ok(None),
                Some(Piece::Data(data)) => Ok(Some(Frame::data(data))),
                Some(Piece::Trailers(section)) => {
                    *self = Self::Ended;
                    let mut trailers = HeaderMap::new();
                    answer::fields(&section, 0, &mut trailers)?;
                    Ok(if trailers.is_empty() { None } else { Some(Frame::trailers(trailers)) })
                }
            },
        }
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        match self {
            Self::Ended => SizeHint::with_exact(0),
            Self::Sized(left) => SizeHint::with_exact(*left),
            Self::Chunked(_) | Self::UntilClose => SizeHint::default(),
        }
    }
}
