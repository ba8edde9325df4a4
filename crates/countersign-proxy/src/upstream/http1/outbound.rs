use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, Request, header};
use hyper::body::Body;
use tokio::io::AsyncWrite;

use super::{answer, scratch};
use crate::connection::Stream;
use crate::fault::Fault;
use crate::sent::Sent;
use crate::upstream::failed;

/// A request on its way out.
#[derive(Default)]
pub(super) struct Outbound {
    /// Goes first, from `at` on.
    lead: Vec<u8>,
    at: usize,
    /// Goes behind it.
    part: Bytes,
    body: Framed,
    state: State,
    sent: bool,
}

/// How the end of the body is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Framed {
    #[default]
    None,
    /// So many bytes are still to come.
    Sized(u64),
    Chunked,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// More of the body may come.
    Body,
    /// All was handed to the stream, which may hold it back.
    Flush,
    #[default]
    Ended,
}

impl Outbound {
    /// Begins with the head. A body that is all there goes with it and stays with the request, too.
    ///
    /// # Errors
    /// `upstream_failed` where the head frames the body in two ways.
    pub(super) fn begin(&mut self, request: &Request<Sent>) -> Result<(), Fault> {
        *self = Self { lead: scratch::write(), state: State::Body, ..Self::default() };
        self.body = encode(request, &mut self.lead)?;
        if let (Sent::Kept(body, trailers), Framed::Sized(length)) = (request.body(), self.body) {
            if !trailers.is_empty() || body.len() as u64 != length {
                return Err(failed("a body of another length than was announced"));
            }
            self.push(body.clone());
            self.body = Framed::None;
        }
        if self.body == Framed::None {
            self.state = State::Flush;
        }
        Ok(())
    }

    /// Whether a byte was handed to the stream. Before that the body was not touched.
    pub(super) fn has_sent(&self) -> bool {
        self.sent
    }

    /// Whether all was sent.
    pub(super) fn has_ended(&self) -> bool {
        self.state == State::Ended
    }

    /// Sends what the stream takes.
    ///
    /// # Errors
    /// Of the stream; also where the body breaks off, or is not as long as was announced.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut Box<dyn Stream>,
        body: &mut Sent,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_write(cx, stream))?;
            match self.state {
                State::Body => {
                    let Poll::Ready(frame) = Pin::new(&mut *body).poll_frame(cx) else {
                        // What is written so far is not to wait for the rest.
                        let _ = Pin::new(&mut *stream).poll_flush(cx)?;
                        return Poll::Pending;
                    };
                    match frame.transpose().map_err(io::Error::other)?.map(hyper::body::Frame::into_data) {
                        Some(Ok(data)) => self.data(data)?,
                        Some(Err(frame)) => self.end(frame.into_trailers().ok().as_ref())?,
                        None => self.end(None)?,
                    }
                }
                State::Flush => {
                    ready!(Pin::new(&mut *stream).poll_flush(cx))?;
                    self.state = State::Ended;
                    scratch::written(std::mem::take(&mut self.lead));
                }
                State::Ended => return Poll::Ready(Ok(())),
            }
        }
    }

    fn data(&mut self, data: Bytes) -> io::Result<()> {
        match &mut self.body {
            Framed::Chunked if data.is_empty() => return Ok(()),
            Framed::Chunked => {
                self.lead.extend_from_slice(format!("{:x}\r\n", data.len()).as_bytes());
                self.push(data);
                // The end of a chunk goes with what follows it.
                if self.part.is_empty() {
                    self.lead.extend_from_slice(b"\r\n");
                }
            }
            Framed::Sized(left) => {
                *left = left.checked_sub(data.len() as u64).ok_or_else(|| io::Error::other(LENGTH))?;
                self.push(data);
            }
            Framed::None => return Err(io::Error::other(LENGTH)),
        }
        Ok(())
    }

    fn end(&mut self, trailers: Option<&HeaderMap>) -> io::Result<()> {
        match self.body {
            Framed::Chunked => {
                self.lead.extend_from_slice(b"0\r\n");
                if let Some(trailers) = trailers {
                    fields(trailers, &mut self.lead);
                }
                self.lead.extend_from_slice(b"\r\n");
            }
            Framed::Sized(0) | Framed::None => {}
            Framed::Sized(_) => return Err(io::Error::other(LENGTH)),
        }
        self.state = State::Flush;
        Ok(())
    }

    /// A short part is copied, so that it leaves with what goes before it in one piece.
    fn push(&mut self, part: Bytes) {
        if part.len() <= COPIED {
            self.lead.extend_from_slice(&part);
        } else {
            self.part = part;
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, stream: &mut Box<dyn Stream>) -> Poll<io::Result<()>> {
        loop {
            let lead = &self.lead[self.at..];
            let stream = Pin::new(&mut *stream);
            let count = match (lead.is_empty(), self.part.is_empty()) {
                (true, true) => return Poll::Ready(Ok(())),
                (false, false) if stream.is_write_vectored() => {
                    ready!(stream.poll_write_vectored(cx, &[io::IoSlice::new(lead), io::IoSlice::new(&self.part)]))?
                }
                (false, _) => ready!(stream.poll_write(cx, lead))?,
                (true, false) => ready!(stream.poll_write(cx, &self.part))?,
            };
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent = true;
            let of_lead = count.min(lead.len());
            self.at += of_lead;
            if self.at == self.lead.len() {
                self.lead.clear();
                self.at = 0;
            }
            let of_part = count - of_lead;
            if of_part > 0 && of_part == self.part.len() && self.body == Framed::Chunked {
                self.lead.extend_from_slice(b"\r\n");
            }
            drop(self.part.split_to(of_part));
        }
    }
}

/// Writes the head, and says how the end of the body will be told: as a field says, or else in chunks.
fn encode(request: &Request<Sent>, head: &mut Vec<u8>) -> Result<Framed, Fault> {
    let (headers, body) = (request.headers(), request.body());
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    for part in [request.method().as_str(), " ", target, " HTTP/1.1\r\n"] {
        head.extend_from_slice(part.as_bytes());
    }
    fields(headers, head);
    let length = headers.get(header::CONTENT_LENGTH);
    let framed = match (length, headers.contains_key(header::TRANSFER_ENCODING)) {
        (Some(_), true) => return Err(failed("a request that is framed in two ways")),
        (Some(length), false) => {
            Framed::Sized(answer::length(length.as_bytes()).ok_or_else(|| failed("a length that is no number"))?)
        }
        (None, true) => Framed::Chunked,
        (None, false) if body.is_end_stream() => Framed::None,
        (None, false) => {
            head.extend_from_slice(b"transfer-encoding: chunked\r\n");
            Framed::Chunked
        }
    };
    head.extend_from_slice(b"\r\n");
    Ok(framed)
}

fn fields(fields: &HeaderMap, head: &mut Vec<u8>) {
    for (name, value) in fields {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            head.extend_from_slice(part);
        }
    }
}

/// Copying so much takes less than handing two pieces to the kernel.
const COPIED: usize = 8 << 10;
const LENGTH: &str = "the body is not as long as was announced";
