use bytes::Bytes;
use countersign::Rejection;
use http::HeaderName;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};

use super::{Field, field, malformed};

/// How the end of a body is told (RFC 9112 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// Neither `Content-Length` nor `Transfer-Encoding`: the rest is the body.
    Rest,
    Length(usize),
    Chunked,
}

impl Framing {
    /// What the fields say; two that could disagree are an error.
    pub(super) fn of(fields: &[Field]) -> Result<Self, Rejection> {
        let of = |name: HeaderName| fields.iter().filter(move |field| field.name == name).map(|field| &field.value);
        let mut lengths = of(CONTENT_LENGTH);
        let mut codings = of(TRANSFER_ENCODING);
        match (lengths.next(), lengths.next(), codings.next(), codings.next()) {
            (None, _, None, _) => Ok(Framing::Rest),
            (Some(length), None, None, _) => {
                let length = length.to_str().ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
                let length = length.and_then(|text| text.parse().ok());
                length.map(Framing::Length).ok_or_else(|| malformed("Content-Length is not a number"))
            }
            (None, _, Some(coding), None) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => Ok(Framing::Chunked),
            (Some(_), _, Some(_), _) => Err(malformed("Content-Length and Transfer-Encoding can't both stand")),
            (Some(_), Some(_), ..) => Err(malformed("Content-Length stands twice")),
            _ => Err(malformed("Transfer-Encoding is not chunked alone")),
        }
    }
}

/// RFC 9112 §7.1: body and trailers. Nobody writes this by hand, so the line ends are those of the wire.
pub(super) fn unchunk(raw: &[u8]) -> Result<(Bytes, Vec<Field>), Rejection> {
    let bad = || malformed("the chunked body is broken");
    let mut body = Vec::new();
    let mut rest = raw;
    loop {
        let end = rest.windows(2).position(|pair| pair == b"\r\n").ok_or_else(bad)?;
        let size = std::str::from_utf8(&rest[..end]).map_err(|_| bad())?;
        let size = size.split(';').next().filter(|size| size.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let size = usize::from_str_radix(size.ok_or_else(bad)?, 16).map_err(|_| bad())?;
        rest = &rest[end + 2..];
        if size > rest.len() {
            return Err(bad());
        }
        if size == 0 {
            return Ok((body.into(), trailers(rest)?));
        }
        body.extend_from_slice(&rest[..size]);
        rest = rest[size..].strip_prefix(b"\r\n").ok_or_else(bad)?;
    }
}

fn trailers(mut rest: &[u8]) -> Result<Vec<Field>, Rejection> {
    let bad = || malformed("the trailers behind the chunked body are broken");
    let mut trailers = Vec::new();
    loop {
        let end = rest.windows(2).position(|pair| pair == b"\r\n").ok_or_else(bad)?;
        let (line, behind) = (&rest[..end], &rest[end + 2..]);
        if line.is_empty() {
            return if behind.is_empty() { Ok(trailers) } else { Err(bad()) };
        }
        trailers.push(field(line)?);
        rest = behind;
    }
}
