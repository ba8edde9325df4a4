//! The head of an answer, and how the end of its body is told.

use http::response::Parts;
use http::{HeaderName, StatusCode, header};
use hyper::ext::ReasonPhrase;

use super::date;
use super::request::Wants;

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

/// How the body of this answer is framed. `exact` is its length, where it is known.
pub(super) fn frame(parts: &Parts, exact: Option<u64>, wants: Wants) -> Frame {
    let bodiless = parts.status.is_informational()
        || matches!(parts.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
        || wants.head_alone;
    if bodiless {
        return Frame::None;
    }
    let announced = || parts.headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok();
    match exact.or_else(announced) {
        Some(length) => Frame::Sized(length),
        None if wants.minor == 0 => Frame::UntilClose,
        None if wants.trailers => Frame::Chunked(announced_trailers(parts)),
        None => Frame::Chunked(Vec::new()),
    }
}

/// RFC 9110 §6.6.2. Who does not announce a trailer does not send it.
fn announced_trailers(parts: &Parts) -> Vec<HeaderName> {
    let values = parts.headers.get_all(header::TRAILER).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).filter_map(|name| name.trim().parse().ok()).collect()
}

/// Writes the head of an answer. `last` says that the connection ends with it.
pub(super) fn write_head(out: &mut Vec<u8>, parts: &Parts, frame: &Frame, wants: Wants, last: bool) {
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(parts.status.as_str().as_bytes());
    out.push(b' ');
    // Of an upstream that chose its own words: few look at them, and who does has seen the upstream's so far (nginx passes them
    // on, too). They hold no byte that could end the line.
    let reason = parts.extensions.get().map(ReasonPhrase::as_bytes);
    out.extend_from_slice(reason.unwrap_or_else(|| parts.status.canonical_reason().unwrap_or_default().as_bytes()));
    out.extend_from_slice(b"\r\n");
    let (mut dated, mut connection) = (false, false);
    for (name, value) in &parts.headers {
        match *name {
            header::CONTENT_LENGTH => {
                // RFC 9110 §8.6: of the answer to HEAD and of a 304 it is what another answer would have.
                let kept =
                    *frame == Frame::None && !parts.status.is_informational() && parts.status != StatusCode::NO_CONTENT;
                if !kept {
                    continue;
                }
            }
            // Ours to say.
            header::TRANSFER_ENCODING => continue,
            header::TRAILER if !matches!(frame, Frame::Chunked(_)) => continue,
            header::CONNECTION => connection = true,
            header::DATE => dated = true,
            _ => {}
        }
        line(out, name.as_str(), value.as_bytes());
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

pub(super) fn line(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
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
    use super::*;

    #[test]
    fn what_an_upstream_says_of_its_status_is_passed_on() {
        let line = |response: http::Response<()>| {
            let (parts, ()) = response.into_parts();
            let wants = Wants { head_alone: false, minor: 1, persists: true, trailers: false };
            let mut out = Vec::new();
            write_head(&mut out, &parts, &Frame::None, wants, false);
            String::from_utf8(out).unwrap().split("\r\n").next().unwrap().to_owned()
        };
        let of = |status: u16| http::Response::builder().status(status);
        assert_eq!(line(of(200).body(()).unwrap()), "HTTP/1.1 200 OK");
        assert_eq!(line(of(299).body(()).unwrap()), "HTTP/1.1 299 ");
        let chosen = of(409).extension(ReasonPhrase::from_static(b"Sold Out")).body(()).unwrap();
        assert_eq!(line(chosen), "HTTP/1.1 409 Sold Out");
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
