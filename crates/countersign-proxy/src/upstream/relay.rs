use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep};

use super::pool::Lease;
use crate::headers;

/// The body of an upstream's response on its way to the caller. Where it breaks off, the caller's connection breaks off too:
/// a part is never made to look like the whole.
pub(crate) struct Relay {
    body: Incoming,
    lease: Option<Lease>,
    silence: Option<Pin<Box<Sleep>>>,
    limit: Duration,
}

impl Relay {
    pub(super) fn new(body: Incoming, lease: Lease, limit: Duration) -> Self {
        let mut relay = Self { body, lease: Some(lease), silence: None, limit };
        relay.give_back_at_end();
        relay
    }

    /// Of an answer after which its connection is something else.
    pub(super) fn without_lease(body: Incoming, limit: Duration) -> Self {
        Self { body, lease: None, silence: None, limit }
    }

    fn give_back_at_end(&mut self) {
        if self.body.is_end_stream()
            && let Some(lease) = self.lease.take()
        {
            lease.give_back();
        }
    }
}

impl Body for Relay {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = self.get_mut();
        loop {
            let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) else {
                let limit = this.limit;
                let silence = this.silence.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
                ready!(silence.as_mut().poll(cx));
                this.lease = None;
                return Poll::Ready(Some(Err("the upstream fell silent".into())));
            };
            if let Some(silence) = &mut this.silence {
                silence.as_mut().reset(Instant::now() + this.limit);
            }
            return Poll::Ready(match frame {
                Some(Ok(frame)) if frame.is_data() => {
                    this.give_back_at_end();
                    Some(Ok(frame))
                }
                Some(Ok(frame)) => {
                    this.give_back_at_end();
                    match frame.into_trailers().map(headers::trailers_of_response) {
                        Ok(trailers) if !trailers.is_empty() => Some(Ok(Frame::trailers(trailers))),
                        _ => continue,
                    }
                }
                Some(Err(error)) => {
                    this.lease = None;
                    Some(Err(error.into()))
                }
                None => {
                    this.give_back_at_end();
                    if let Some(lease) = this.lease.take() {
                        lease.give_back();
                    }
                    None
                }
            });
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
