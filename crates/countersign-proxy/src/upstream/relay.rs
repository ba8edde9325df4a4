use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep};

use super::both_ways::{BothWays, Part};
use super::http1::Http1;
use super::lines::Lines;
use super::pool::{Connection, Lease};
use crate::connection::Stream;
use crate::headers;

/// The body of an upstream's response on its way to the caller. Where it breaks off, the caller's connection breaks off too:
/// a part is never made to look like the whole.
pub(crate) struct Relay {
    source: Source,
    /// What the upstream said in its head, where that is not in a map. In a box: an answer is handed on twenty times.
    lines: Option<Box<Lines>>,
    silence: Option<Pin<Box<Sleep>>>,
    limit: Duration,
    /// A part was handed out, and is perhaps not written yet.
    fresh: bool,
    /// What comes once it is.
    broken: Option<Error>,
}

/// Where it comes from.
enum Source {
    /// All of it is here, or nothing is left.
    Whole(Bytes),
    /// A connection of HTTP/1.1, which is given back behind it.
    Http1(Box<Lease>),
    /// One on which the request still goes out.
    BothWays(BothWays),
    Http2(Incoming),
}

impl Relay {
    /// What comes next on the connection. It may be all here already: then the connection is free again.
    pub(super) fn of_http1(mut lease: Lease, lines: Lines, limit: Duration) -> Self {
        let whole = http1(&mut lease).and_then(Http1::take_whole);
        let source = match whole {
            Some(whole) => {
                lease.give_back();
                Source::Whole(whole)
            }
            None => BothWays::begin(Box::new(lease)).map_or_else(Source::Http1, Source::BothWays),
        };
        Self::of(source, Some(Box::new(lines)), limit)
    }

    pub(super) fn of_http2(body: Incoming, limit: Duration) -> Self {
        Self::of(Source::Http2(body), None, limit)
    }

    fn of(source: Source, lines: Option<Box<Lines>>, limit: Duration) -> Self {
        Self { source, lines, silence: None, limit, fresh: false, broken: None }
    }

    /// The fields of the answer that are not in its map.
    pub(crate) fn lines(&mut self) -> &mut Option<Box<Lines>> {
        &mut self.lines
    }

    /// The connection, which is something else from here on.
    pub(super) fn take_stream(&mut self) -> Option<Box<dyn Stream>> {
        match std::mem::replace(&mut self.source, Source::Whole(Bytes::new())) {
            Source::Http1(lease) => match lease.connection {
                Connection::Http1(connection) => Some(connection.into_stream()),
                Connection::Http2(_) => None,
            },
            Source::Whole(_) | Source::BothWays(_) | Source::Http2(_) => None,
        }
    }

    fn poll_source(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match &mut self.source {
            Source::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Source::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Source::Http1(lease) => {
                let Some(connection) = http1(lease) else { return Poll::Ready(None) };
                let frame = ready!(connection.poll_content(cx)).transpose();
                let ended = connection.has_ended();
                if frame.is_err() || ended {
                    let source = std::mem::replace(&mut self.source, Source::Whole(Bytes::new()));
                    if let (Source::Http1(lease), true) = (source, ended) {
                        lease.give_back();
                    }
                }
                Poll::Ready(frame.map_err(Error::from).transpose())
            }
            Source::BothWays(both) => match ready!(both.poll_part(cx)) {
                Some(Part::Sent(lease)) => {
                    self.source = Source::Http1(lease);
                    self.poll_source(cx)
                }
                Some(Part::Frame(frame)) => Poll::Ready(Some(frame.map_err(Error::from))),
                Some(Part::End(lease)) => {
                    self.source = Source::Whole(Bytes::new());
                    lease.give_back();
                    Poll::Ready(None)
                }
                None => Poll::Ready(Some(Err("nobody carries the answer on".into()))),
            },
            Source::Http2(body) => Pin::new(body).poll_frame(cx).map_err(Error::from),
        }
    }
}

impl Body for Relay {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = self.get_mut();
        if let Some(broken) = this.broken.take() {
            return Poll::Ready(Some(Err(broken)));
        }
        loop {
            let Poll::Ready(frame) = this.poll_source(cx) else {
                this.fresh = false;
                let limit = this.limit;
                let silence = this.silence.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
                ready!(silence.as_mut().poll(cx));
                if let Source::BothWays(both) = &this.source
                    && let end = both.last_moved() + limit
                    && end > Instant::now()
                {
                    silence.as_mut().reset(end);
                    continue;
                }
                this.source = Source::Whole(Bytes::new());
                return Poll::Ready(Some(Err("the upstream fell silent".into())));
            };
            if let Some(silence) = &mut this.silence {
                silence.as_mut().reset(Instant::now() + this.limit);
            }
            return Poll::Ready(match frame {
                Some(Ok(frame)) if frame.is_data() => {
                    this.fresh = true;
                    Some(Ok(frame))
                }
                Some(Ok(frame)) => match frame.into_trailers().map(headers::trailers_of_response) {
                    Ok(trailers) if !trailers.is_empty() => Some(Ok(Frame::trailers(trailers))),
                    _ => continue,
                },
                // Whoever writes it drops what is not written yet at an error: what came before is to arrive.
                Some(Err(error)) if this.fresh => {
                    this.broken = Some(error);
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Some(Err(error)) => Some(Err(error)),
                None => None,
            });
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Whole(bytes) => bytes.is_empty(),
            Source::Http1(_) | Source::BothWays(_) => false,
            Source::Http2(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Source::Http1(lease) => match &lease.connection {
                Connection::Http1(connection) => connection.size_hint(),
                Connection::Http2(_) => SizeHint::default(),
            },
            Source::BothWays(both) => both.size_hint(),
            Source::Http2(body) => body.size_hint(),
        }
    }
}

type Error = Box<dyn std::error::Error + Send + Sync>;

pub(super) fn http1(lease: &mut Lease) -> Option<&mut Http1> {
    match &mut lease.connection {
        Connection::Http1(connection) => Some(connection),
        Connection::Http2(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use countersign::Origin;
    use http_body_util::BodyExt;
    use tokio::net::TcpListener;
    use tokio::sync::mpsc;

    use super::super::destination::Destination;
    use super::super::pool::Pool;
    use super::*;
    use crate::settings::Limits;

    #[tokio::test]
    async fn an_answer_that_nobody_carries_on_is_not_whole() {
        let (sender, parts) = mpsc::channel(1);
        let mut relay = Relay::of(Source::BothWays(BothWays::of(parts)), None, Duration::from_secs(60));
        sender.send(Part::Frame(Ok(Frame::data(Bytes::from_static(b"half"))))).await.unwrap();
        drop(sender);
        assert_eq!(relay.frame().await.unwrap().unwrap().into_data().unwrap(), "half");
        assert!(relay.frame().await.unwrap().is_err());
    }

    #[tokio::test]
    async fn a_connection_whose_request_and_answer_end_together_is_given_back() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = Origin::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let to = Destination::new(&origin, || Err("not asked for".to_owned())).unwrap();
        let (pool, limits) = (Pool::default(), Limits::default());
        let lease = pool.connect(&to, &limits).await.unwrap();
        let (sender, parts) = mpsc::channel(1);
        let mut relay = Relay::of(Source::BothWays(BothWays::of(parts)), None, Duration::from_secs(60));
        assert!(sender.send(Part::End(Box::new(lease))).await.is_ok() && relay.frame().await.is_none());
        assert!(pool.take(&to, limits.idle_upstream).is_some());
    }
}
