//! The head of an answer, and how the end of its body is told.

use http::response::Parts;
use http::{HeaderName, StatusCode, header};
use hyper::ext::ReasonPhrase;

use super::date;
use super::request::Wants;
use crate::upstream::Lines;

/// What an answer says before its body.
pub(super) struct Head {
    pub(super) parts: Parts,
    /// Fields of the upstream that go on as they are.
    pub(super) lines: Option<Box<Lines>>,
}

/// How the end of the body is told (RFC 9112 §6.3).
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// There is no body, whatever the fields say.
    None,
    Sized(u64),
    /// With the trailers of these names.
    Chunked(Vec<HeaderName>),
    /// By the end of the connection.
    UntilClose,
}

impl Head {
    fn fields(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let ours = self.parts.headers.iter().map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes()));
        self.lines.iter().flat_map(|lines| lines.iter()).chain(ours)
    }

    fn values(&self, name: &HeaderName) -> impl Iterator<Item = &[u8]> {
        self.fields().filter(|(it, _)| it.eq_ignore_ascii_case(name.as_str().as_bytes())).map(|(_, value)| value)
    }

    /// How the body is framed. `exact` is its length, where it is known.
    pub(super) fn frame(&self, exact: Option<u64>, wants: Wants) -> Frame {
        let status = self.parts.status;
        let bodiless = status.is_informational()
            || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
            || wants.head_alone;
        if bodiless {
            return Frame::None;
        }
        let announced = || std::str::from_utf8(self.values(&header::CONTENT_LENGTH).next()?).ok()?.parse().ok();
        match exact.or_else(announced) {
            Some(length) => Frame::Sized(length),
            None if wants.minor == 0 => Frame::UntilClose,
            None if wants.trailers => Frame::Chunked(self.announced_trailers()),
            None => Frame::Chunked(Vec::new()),
        }
    }

    /// RFC 9110 §6.6.2. Who does not announce a trailer does not send it.
    fn announced_trailers(&self) -> Vec<HeaderName> {
        let names = self.values(&header::TRAILER).flat_map(|value| value.split(|byte| *byte == b','));
        names.filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok()).collect()
    }

    /// Of an upstream that chose its own words those: few look at them, and who does has seen the upstream's so far (nginx passes
    /// them on, too). They hold no byte that could end the line.
    fn reason(&self) -> &[u8] {
        let theirs = self.lines.as_deref().map(Lines::reason).filter(|reason| !reason.is_empty());
        let theirs = theirs.or_else(|| self.parts.extensions.get().map(ReasonPhrase::as_bytes));
        theirs.unwrap_or_else(|| self.parts.status.canonical_reason().unwrap_or_default().as_bytes())
    }

    /// Writes it. `last` says that the connection ends with it.
    pub(super) fn write(&self, out: &mut Vec<u8>, frame: &Frame, wants: Wants, last: bool) {
        let status = self.parts.status;
        out.extend_from_slice(b"HTTP/1.1 ");
        out.extend_from_slice(status.as_str().as_bytes());
        out.push(b' ');
        out.extend_from_slice(self.reason());
        out.extend_from_slice(b"\r\n");
        let (mut dated, mut connection) = (false, false);
        for (name, value) in self.fields() {
            let is = |field: &HeaderName| name.eq_ignore_ascii_case(field.as_str().as_bytes());
            // RFC 9110 §8.6: of the answer to HEAD and of a 304 a length is what another answer would have.
            let bodiless = *frame == Frame::None && !status.is_informational() && status != StatusCode::NO_CONTENT;
            let ours_to_say = is(&header::CONTENT_LENGTH) && !bodiless
                || is(&header::TRANSFER_ENCODING)
                || is(&header::TRAILER) && !matches!(frame, Frame::Chunked(_));
            if !ours_to_say {
                connection |= is(&header::CONNECTION);
                dated |= is(&header::DATE);
                line(out, name, value);
            }
        }
        match frame {
            Frame::None | Frame::UntilClose => {}
            Frame::Sized(length) => {
                out.extend_from_slice(b"content-length: ");
                push_number(out, *length, 10);
                out.extend_from_slice(b"\r\n");
            }
            Frame::Chunked(_) => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
        }
        match (connection, last) {
            (false, true) => out.extend_from_slice(b"connection: close\r\n"),
            (false, false) if wants.minor == 0 => out.extend_from_slice(b"connection: keep-alive\r\n"),
            _ => {}
        }
        if !dated {
            out.extend_from_slice(b"date: ");
            out.extend_from_slice(&date::now());
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b"\r\n");
    }
}

pub(super) fn line(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Writes what stands before the data of a chunk.
pub(super) fn begin_chunk(out: &mut Vec<u8>, length: usize) {
    push_number(out, length as u64, 16);
    out.extend_from_slice(b"\r\n");
}

fn push_number(out: &mut Vec<u8>, number: u64, base: u64) {
    let (mut digits, mut at, mut rest) = ([b'0'; 20], 20, number);
    while rest > 0 || at == 20 {
        at -= 1;
        digits[at] = b"0123456789abcdef"[usize::try_from(rest % base).unwrap_or(0)];
        rest /= base;
    }
    out.extend_from_slice(&digits[at..]);
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn what_an_upstream_says_of_its_status_is_passed_on() {
        let line = |response: http::Response<()>| {
            let (parts, ()) = response.into_parts();
            let wants = Wants { head_alone: false, minor: 1, persists: true, trailers: false };
            let mut out = Vec::new();
            Head { parts, lines: None }.write(&mut out, &Frame::None, wants, false);
            String::from_utf8(out).unwrap().split("\r\n").next().unwrap().to_owned()
        };
        let of = |status: u16| http::Response::builder().status(status);
        assert_eq!(line(of(200).body(()).unwrap()), "HTTP/1.1 200 OK");
        assert_eq!(line(of(299).body(()).unwrap()), "HTTP/1.1 299 ");
        let chosen = of(409).extension(ReasonPhrase::from_static(b"Sold Out")).body(()).unwrap();
        assert_eq!(line(chosen), "HTTP/1.1 409 Sold Out");
        let (parts, ()) = of(409).body(()).unwrap().into_parts();
        let lines = Lines::new(Bytes::from_static(b"HTTP/1.1 409 Sold Out\r\n"), 13..21, Vec::new());
        assert_eq!(Head { parts, lines: Some(Box::new(lines)) }.reason(), b"Sold Out");
    }

    #[test]
    fn numbers_are_written_in_full() {
        for (number, base, text) in
            [(0, 10, "0"), (7, 16, "7"), (255, 16, "ff"), (4096, 16, "1000"), (1_048_576, 10, "1048576")]
        {
            let mut out = Vec::new();
            push_number(&mut out, number, base);
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
        let mut out = Vec::new();
        push_number(&mut out, u64::MAX, 10);
        assert_eq!(String::from_utf8(out).unwrap(), u64::MAX.to_string());
    }
}
