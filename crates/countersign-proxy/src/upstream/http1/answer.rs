//! The head of an answer, read strictly: what two readers could take differently is nobody's answer.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use hyper::ext::ReasonPhrase;

use super::content::Content;

/// What has come of a head so far.
#[derive(Default)]
pub(super) struct Begun {
    bytes: BytesMut,
    /// Where the line begins that has not ended, and how far it was looked through.
    line: usize,
    seen: usize,
    lines: usize,
    /// Bytes of answers on the way (1xx), which are not the answer.
    interim: usize,
    heard: bool,
}

/// A whole head, and what came behind it.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) response: Response<()>,
    /// As its fields frame it, see [`Content::after`].
    pub(super) content: Content,
    /// Whether the other side goes on with the connection.
    pub(super) stays: bool,
    pub(super) rest: Bytes,
}

/// What is wrong with it, in words.
type Fault = &'static str;

impl Begun {
    /// Whether nothing came of the head at hand.
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Whether anything came, if only a 1xx.
    pub(super) fn has_heard(&self) -> bool {
        self.heard
    }

    /// Hears the next bytes. `Some` with the head of the answer, once it has ended.
    pub(super) fn hear(&mut self, came: &[u8]) -> Result<Option<Head>, Fault> {
        self.heard = true;
        self.bytes.extend_from_slice(came);
        while let Some(end) = self.end()? {
            let lines = self.lines;
            (self.line, self.seen, self.lines) = (0, 0, 0);
            // Switching protocols is an answer to whoever asked for it.
            if self.bytes.get(9) == Some(&b'1') && self.bytes.get(9..12) != Some(b"101") {
                self.interim += end;
                head(&self.bytes.split_to(end).freeze(), lines)?;
                if self.interim > MOST_BYTES {
                    return Err("too much before the answer");
                }
                continue;
            }
            let mut all = std::mem::take(&mut self.bytes).freeze();
            let rest = all.split_off(end);
            return head(&all, lines).map(|head| Some(Head { rest, ..head }));
        }
        Ok(None)
    }

    /// Where the head ends. RFC 9112 §2.2 lets a recipient take a bare LF for the end of a line; not all do.
    fn end(&mut self) -> Result<Option<usize>, Fault> {
        let bytes = &self.bytes[..];
        let begins = bytes.len().min(PROTOCOL.len());
        if bytes[..begins] != PROTOCOL[..begins] {
            return Err("it is not an answer of HTTP/1.1");
        }
        while let Some(at) = line_feed(&bytes[self.seen..]) {
            let at = self.seen + at;
            if !bytes[..at].ends_with(b"\r") {
                return Err("a bare LF in the head of the answer");
            }
            let empty = at - self.line == 1;
            self.lines += 1;
            (self.line, self.seen) = (at + 1, at + 1);
            if at >= MOST_BYTES || self.lines > MOST_FIELDS + 2 {
                return Err("the head of the answer is too large");
            }
            if empty {
                return Ok(Some(at + 1));
            }
        }
        self.seen = bytes.len();
        if bytes.len() > MOST_BYTES { Err("the head of the answer is too large") } else { Ok(None) }
    }
}

/// Reads a head of so many lines, the empty one included.
fn head(head: &Bytes, lines: usize) -> Result<Head, Fault> {
    let end = line_feed(head).ok_or("no status line")?;
    let (minor, status, reason) = status_line(&head[..end - 1])?;
    let mut response = Response::new(());
    *response.status_mut() = status;
    if status.canonical_reason().is_none_or(|usual| usual.as_bytes() != reason) && !reason.is_empty() {
        // Somebody chose it, so it goes on.
        response.extensions_mut().insert(ReasonPhrase::try_from(reason).map_err(|_| "a byte that no reason has")?);
    }
    let mut headers = HeaderMap::with_capacity(lines);
    fields(head, end + 1, &mut headers)?;
    let (content, stays) = framed(&headers, minor, status)?;
    if status == StatusCode::NO_CONTENT {
        // RFC 9110 §8.6: "A server MUST NOT send a Content-Length header field in any response with a status code of 1xx … or 204".
        headers.remove(header::CONTENT_LENGTH);
    }
    *response.headers_mut() = headers;
    Ok(Head { response, content, stays, rest: Bytes::new() })
}

/// RFC 9112 §4: `HTTP-version SP status-code SP [ reason-phrase ]`. Some leave out the last blank.
fn status_line(line: &[u8]) -> Result<(u8, StatusCode, &[u8]), Fault> {
    let rest = line.strip_prefix(PROTOCOL).ok_or("it is not an answer of HTTP/1.1")?;
    let ([minor @ (b'0' | b'1'), b' ', code @ ..], reason) = rest.split_at_checked(5).ok_or("no status")? else {
        return Err("no status");
    };
    let status = StatusCode::from_bytes(code).map_err(|_| "no status")?;
    let reason = if reason.is_empty() { reason } else { reason.strip_prefix(b" ").ok_or("no status")? };
    Ok((minor - b'0', status, reason))
}

/// Reads field lines from `at` to the empty one. A folded line begins with a blank, which no name does.
pub(super) fn fields(bytes: &Bytes, mut at: usize, into: &mut HeaderMap) -> Result<(), Fault> {
    while let Some(length) = line_feed(&bytes[at..]) {
        let line = bytes[at..at + length].strip_suffix(b"\r").ok_or("a bare LF")?;
        if line.is_empty() {
            return Ok(());
        }
        // RFC 9112 §5.1: "No whitespace is allowed between the field name and colon."
        let colon = line.iter().position(|byte| *byte == b':').ok_or("a field line without a colon")?;
        let name = HeaderName::from_bytes(&line[..colon]).map_err(|_| "a byte that no field name has")?;
        let value = bytes.slice_ref(without_blanks(&line[colon + 1..]));
        into.append(name, HeaderValue::from_maybe_shared(value).map_err(|_| "a byte that no field value has")?);
        at += length + 1;
    }
    Err("no empty line")
}

/// How the body is framed, and whether the connection is used again behind it. What two readers could frame differently is
/// nobody's: RFC 9112 §6.3, "Such a message might indicate an attempt to perform response splitting".
fn framed(headers: &HeaderMap, minor: u8, status: StatusCode) -> Result<(Content, bool), Fault> {
    let (mut content, mut stays) = (None, minor == 1);
    for (name, value) in headers {
        let value = value.as_bytes();
        let framed = if name == header::CONTENT_LENGTH {
            Content::Sized(length(value).ok_or("a Content-Length that is no number")?)
        } else if name == header::TRANSFER_ENCODING {
            if minor == 0 || !value.eq_ignore_ascii_case(b"chunked") {
                return Err("a Transfer-Encoding other than chunked");
            }
            Content::chunked()
        } else {
            if name == header::CONNECTION {
                stays &= !value.split(|byte| *byte == b',').any(|it| without_blanks(it).eq_ignore_ascii_case(b"close"));
            }
            continue;
        };
        if content.replace(framed).is_some() {
            return Err("the answer is framed in two ways");
        }
    }
    let none = matches!(content, None | Some(Content::Sized(0)));
    if (status.is_informational() || status == StatusCode::NO_CONTENT) && !none {
        return Err("a body where there can be none");
    }
    Ok((content.unwrap_or(Content::UntilClose), stays))
}

/// RFC 9110 §8.6: `Content-Length = 1*DIGIT`. No list, even of equal numbers.
pub(super) fn length(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 18 {
        return None;
    }
    digits.iter().try_fold(0, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + u64::from(byte - b'0')))
}

/// RFC 9110 §5.6.3, `OWS`: of what is around a value, these two only.
fn without_blanks(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

fn line_feed(bytes: &[u8]) -> Option<usize> {
    memchr::memchr(b'\n', bytes)
}

const PROTOCOL: &[u8] = b"HTTP/1.";
/// Of the head of an answer, and of all that comes before it.
const MOST_BYTES: usize = 64 << 10;
const MOST_FIELDS: usize = 100;
