//! HTTP/1.1 with a caller: one request at a time, each head read once, straight from what the strict scanner says of it.
//!
//! Nothing is repaired (`framing`). A body is read when it is asked for, which is also when `100 Continue` goes out. Between
//! two requests a connection holds no buffer, and no timer is set that was set before.

mod body;
mod date;
mod names;
mod request;
mod response;
mod spare;
#[cfg(test)]
mod tests;
mod wire;

use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Response, Version, header};
use hyper::body::{Body as _, Frame as Part};
use tokio::sync::watch;
use tokio::task::coop::has_budget_remaining;

use super::Stream;
use crate::arrival::Opening;
use crate::awaited::Awaited;
use crate::content::Content;
use crate::framing::Limits;
use crate::front::Front;
use crate::inbound::Inbound;
use crate::reply::Reply;
use crate::upgrade::Tunnel;

pub(crate) use body::Body;
use request::{Request, Wants};
use response::{Frame, Head};
use spare::Out;
pub(crate) use wire::SHORT;
use wire::{Heard, Shared, Wire, lock, unless_left};

/// Serves a connection of which `heard` was read before, until it ends or, once `stop` says so, to the end of the request at
/// hand. What it is asked to become instead is given back, with the stream.
pub(super) async fn serve(
    stream: Box<dyn Stream>,
    heard: &[u8],
    peer: Option<IpAddr>,
    front: &impl Front,
    limits: Limits,
    stop: watch::Receiver<bool>,
) -> Option<(Tunnel, Box<dyn Stream>)> {
    let wire = Arc::new(Mutex::new(Wire::new(stream, heard, limits)));
    let (mut told, awaited) = (stop.clone(), Awaited::default());
    let mut stop = stop;
    let mut stopping = pin!(async move {
        // An error means that nobody is left to stop us any other way.
        let _ = stop.wait_for(|stop| *stop).await;
    });
    let (mut waits, mut over, mut first) = (false, false, true);
    loop {
        let mut listening = front.listening();
        // Behind an answer that did not say so: the next request is another process's to decide.
        if !std::mem::take(&mut first) && listening.as_ref().is_some_and(|it| it.check().is_err()) {
            break;
        }
        let heard = poll_fn(|cx| {
            let heard = lock(&wire).poll_head(cx);
            if heard.is_ready() {
                return heard;
            }
            // Once it is waited for, it wakes this task, and is asked again only where something was said since, also where that was
            // taken back. A task that has used up its turn is put off before anything is waited for.
            if !over && (!waits || told.has_changed().unwrap_or(true)) {
                // Before it is looked at: what is said from here on wakes this task, and is not to be taken for seen then.
                told.mark_unchanged();
                over = stopping.as_mut().poll(cx).is_ready();
                waits = has_budget_remaining();
            }
            // It was looked at first: a request may have been there.
            if over { lock(&wire).poll_over(cx) } else { Poll::Pending }
        });
        let read = match heard.await {
            Heard::Head(scanned, head) => {
                let chunked = scanned.announced.chunked;
                Request::read(&scanned, &head).map(|request| (request, chunked))
            }
            Heard::Fault(fault) => Err(fault),
            Heard::End => break,
        };
        let (request, chunked) = match read {
            Ok(read) => read,
            Err(fault) => {
                // Nothing is to be decided about it, and what the caller still says is not heard.
                drop(listening);
                wire::close(&wire, front.refuse(fault).as_bytes()).await;
                return None;
            }
        };
        let wants = request.wants;
        let mut answering = pin!(front.clone().answer(peer, opening(&wire, request, chunked, awaited.next())));
        let answered = unless_left(
            &wire,
            || awaited.has_begun(),
            |cx| {
                let answered = answering.as_mut().poll(cx);
                // It counts by itself now.
                listening = None;
                answered
            },
        );
        // Where nobody waits for it, what was begun for it ends here, with its request to an upstream; but not before a verdict.
        let mut response = answered.await?;
        let tunnel = response.extensions_mut().remove::<Tunnel>();
        let closes = !wants.persists || over || is_told(&told) || says_close(&response);
        let sent = send(&wire, response, wants, closes && tunnel.is_none()).await;
        if let Some(tunnel) = tunnel {
            // What came before the answer was not said in the other protocol: RFC 9110 §7.8 lets nobody speak it earlier.
            let stream = lock(&wire).take_stream()?;
            return sent.is_ok().then_some((tunnel, stream));
        }
        // Where an answer broke off, nothing of ours may look like its rest, nor like its end in order.
        let Ok(sent) = sent else { return None };
        if matches!(sent, Sent::Open) {
            break;
        }
        if closes || !is_read(&wire).await {
            break;
        }
    }
    wire::close(&wire, b"").await;
    None
}

fn is_told(stop: &watch::Receiver<bool>) -> bool {
    *stop.borrow() || stop.has_changed().is_err()
}

fn opening(wire: &Shared, request: Request, chunked: bool, awaited: Awaited) -> Opening {
    let Request { method, target, headers, length, has_body, expects, wants } = request;
    let version = if wants.minor == 0 { Version::HTTP_10 } else { Version::HTTP_11 };
    let number = lock(wire).begin(expects);
    let body = Inbound::new(Content::Http1(Body::new(wire, number, chunked, length)), length, expects);
    Opening::http1(method, target, version, headers, has_body, body, awaited)
}

fn says_close(response: &Response<Reply>) -> bool {
    request::has_option(response.headers(), &header::CONNECTION, "close")
}

/// Whether the connection may carry another request: the body of the last is over, or what is left of it is thrown away.
async fn is_read(wire: &Shared) -> bool {
    let (in_body, short) = {
        let wire = lock(wire);
        (wire.is_in_body(), wire.has_short_rest())
    };
    !in_body || (short && wire::discard(wire).await)
}

/// How an answer went out.
enum Sent {
    Whole,
    /// Its end is the end of the connection.
    Open,
}

/// Writes an answer as it comes. Head and a small body are one write.
async fn send(wire: &Shared, response: Response<Reply>, wants: Wants, last: bool) -> io::Result<Sent> {
    let (parts, mut body) = response.into_parts();
    let head = Head { parts, lines: body.take_lines() };
    let frame = head.frame(body.size_hint().exact(), wants);
    let until_close = frame == Frame::UntilClose;
    let last = last || until_close;
    if until_close {
        // Nothing but the manner of the end tells a part of it from the whole, whatever ends it: a fault, a panic, a signal.
        lock(wire).end_by_reset(true);
    }
    let mut out = Out::new();
    out.extend_from_slice(lock(wire).rest_of_continue());
    head.write(&mut out, &frame, wants, last);
    drop(head);
    let mut left = match frame {
        Frame::None => Some(0),
        Frame::Sized(length) => Some(length),
        Frame::Chunked(_) | Frame::UntilClose => None,
    };
    while left != Some(0) {
        let part = match poll_fn(|cx| Poll::Ready(Pin::new(&mut body).poll_frame(cx))).await {
            Poll::Ready(part) => part,
            Poll::Pending => {
                write(wire, &mut out, &mut Bytes::new()).await?;
                let part = unless_left(wire, || true, |cx| Pin::new(&mut body).poll_frame(cx)).await;
                part.ok_or(io::ErrorKind::ConnectionAborted)?
            }
        };
        let part = match part.transpose() {
            Ok(part) => part.map(Part::into_data),
            Err(_) => {
                // What came goes on, and nothing that would make it look whole.
                write(wire, &mut out, &mut Bytes::new()).await?;
                return Err(io::ErrorKind::BrokenPipe.into());
            }
        };
        match part {
            Some(Ok(mut data)) => {
                if let Some(left) = &mut left {
                    data.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
                    *left -= data.len() as u64;
                }
                if !data.is_empty() {
                    push(wire, &mut out, data, &frame).await?;
                }
            }
            Some(Err(part)) => {
                if let (Frame::Chunked(names), Ok(trailers)) = (&frame, part.into_trailers()) {
                    end_chunks(&mut out, &trailers, names);
                    left = Some(0);
                }
            }
            None => {
                if left.is_some() {
                    // It is shorter than was said.
                    write(wire, &mut out, &mut Bytes::new()).await?;
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                if matches!(frame, Frame::Chunked(_)) {
                    end_chunks(&mut out, &HeaderMap::new(), &[]);
                }
                break;
            }
        }
    }
    write(wire, &mut out, &mut Bytes::new()).await?;
    if until_close {
        lock(wire).end_by_reset(false);
        return Ok(Sent::Open);
    }
    Ok(Sent::Whole)
}

/// Puts a part of a body behind what waits. A large one is written without being copied.
async fn push(wire: &Shared, out: &mut Vec<u8>, mut data: Bytes, frame: &Frame) -> io::Result<()> {
    let chunked = matches!(frame, Frame::Chunked(_));
    if chunked {
        response::begin_chunk(out, data.len());
    }
    if out.len() + data.len() <= spare::BUFFER {
        out.extend_from_slice(&data);
    } else {
        write(wire, out, &mut data).await?;
    }
    if chunked {
        out.extend_from_slice(b"\r\n");
    }
    Ok(())
}

fn end_chunks(out: &mut Vec<u8>, trailers: &HeaderMap, names: &[HeaderName]) {
    out.extend_from_slice(b"0\r\n");
    for (name, value) in trailers.iter().filter(|(name, _)| names.contains(name)) {
        response::line(out, name.as_str().as_bytes(), value.as_bytes());
    }
    out.extend_from_slice(b"\r\n");
}

/// Writes all of both, and leaves both empty.
async fn write(wire: &Shared, out: &mut Vec<u8>, data: &mut Bytes) -> io::Result<()> {
    let mut at = 0;
    poll_fn(|cx| {
        let mut wire = lock(wire);
        while at < out.len() || !data.is_empty() {
            let both = [IoSlice::new(&out[at..]), IoSlice::new(data)];
            let parts = match (at < out.len(), data.is_empty()) {
                (true, true) => &both[..1],
                (true, false) => &both,
                (false, _) => &both[1..],
            };
            let written = ready!(wire.poll_write(cx, parts))?;
            let of_out = written.min(out.len() - at);
            at += of_out;
            bytes::Buf::advance(data, written - of_out);
        }
        wire.poll_flush(cx)
    })
    .await?;
    out.clear();
    Ok(())
}
