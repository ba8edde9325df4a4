use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use hyper::body::{Body, Frame};
use tokio::io::AsyncWrite;

use super::message::{COPIED, Framed, Message, fields};
use crate::connection::Stream;
use crate::sent::Sent;

/// How far a message is on its way out.
#[derive(Default)]
pub(super) struct Outbound {
    state: State,
    /// What is still to come of the body.
    framed: Framed,
    /// Goes first, from `at` on; the head before that.
    lead: Vec<u8>,
    at: usize,
    /// Goes behind it.
    part: Bytes,
    sent: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    Head,
    /// More of the body may come.
    Body,
    /// All was handed to the stream, which may hold it back.
    Flush,
    #[default]
    Ended,
}

impl Outbound {
    pub(super) fn begin(&mut self, message: &Message) {
        *self = Self { state: State::Head, framed: message.framed, ..Self::default() };
        // What is all there stays with the message, too, and is there to be sent again.
        if let (Sent::Kept(body, _), Framed::Sized(_)) = (&message.body, message.framed) {
            (self.part, self.framed) = (body.clone(), Framed::None);
        }
    }

    /// Whether a byte was handed to the stream. Before that the message was not touched.
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
        message: &mut Message,
    ) -> Poll<io::Result<()>> {
        if self.state == State::Head && !self.sent && matches!(message.body, Sent::Passing(_)) {
            self.absorb(cx, message)?;
        }
        loop {
            ready!(self.poll_write(cx, stream, &message.head))?;
            match self.state {
                State::Head => {
                    self.at = 0;
                    self.state = if self.framed == Framed::None { State::Flush } else { State::Body };
                }
                State::Body => {
                    let Poll::Ready(frame) = Pin::new(&mut message.body).poll_frame(cx) else {
                        // What is written so far is not to wait for the rest.
                        let _ = Pin::new(&mut *stream).poll_flush(cx)?;
                        return Poll::Pending;
                    };
                    match frame.transpose().map_err(io::Error::other)?.map(Frame::into_data) {
                        Some(Ok(data)) => self.data(data)?,
                        Some(Err(frame)) => self.end(frame.into_trailers().ok().as_ref())?,
                        None => self.end(None)?,
                    }
                }
                State::Flush => {
                    ready!(Pin::new(&mut *stream).poll_flush(cx))?;
                    self.state = State::Ended;
                }
                State::Ended => return Poll::Ready(Ok(())),
            }
        }
    }

    /// Takes what is there of a body that passes into the message, so that it leaves with the head in one piece. Should that not
    /// leave at all, it is still there.
    fn absorb(&mut self, cx: &mut Context<'_>, message: &mut Message) -> io::Result<()> {
        // What leads is the head for as long, so that all is written behind it at once.
        std::mem::swap(&mut self.lead, &mut message.head);
        let absorbed = self.absorb_behind(cx, &mut message.body);
        std::mem::swap(&mut self.lead, &mut message.head);
        message.framed = self.framed;
        absorbed
    }

    fn absorb_behind(&mut self, cx: &mut Context<'_>, body: &mut Sent) -> io::Result<()> {
        while self.framed != Framed::None && self.lead.len() < COPIED {
            let Poll::Ready(frame) = Pin::new(&mut *body).poll_frame(cx) else { break };
            match frame.transpose().map_err(io::Error::other)?.map(Frame::into_data) {
                Some(Ok(data)) => self.data(data)?,
                Some(Err(frame)) => self.end(frame.into_trailers().ok().as_ref())?,
                None => self.end(None)?,
            }
            if !self.part.is_empty() {
                self.lead.extend_from_slice(&std::mem::take(&mut self.part));
                self.lead.extend_from_slice(if self.framed == Framed::Chunked { b"\r\n" } else { b"" });
            }
            if self.state == State::Flush || self.framed == Framed::Sized(0) {
                (self.state, self.framed) = (State::Head, Framed::None);
            }
        }
        Ok(())
    }

    fn data(&mut self, data: Bytes) -> io::Result<()> {
        match &mut self.framed {
            Framed::Chunked if data.is_empty() => return Ok(()),
            Framed::Chunked => {
                self.lead.extend_from_slice(format!("{:x}\r\n", data.len()).as_bytes());
                self.push(data);
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
        match self.framed {
            Framed::Chunked => {
                self.lead.extend_from_slice(b"0\r\n");
                if let Some(trailers) = trailers {
                    fields(&mut self.lead, trailers);
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

    fn poll_write(&mut self, cx: &mut Context<'_>, stream: &mut Box<dyn Stream>, head: &[u8]) -> Poll<io::Result<()>> {
        loop {
            let lead = if self.state == State::Head { head } else { &self.lead };
            let lead = &lead[self.at..];
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
            if self.state != State::Head && self.at == self.lead.len() {
                self.lead.clear();
                self.at = 0;
            }
            let of_part = count - of_lead;
            if of_part > 0 && of_part == self.part.len() && self.framed == Framed::Chunked {
                // The end of a chunk goes with what follows it.
                self.lead.extend_from_slice(b"\r\n");
            }
            drop(self.part.split_to(of_part));
        }
    }
}

const LENGTH: &str = "the body is not as long as was announced";
