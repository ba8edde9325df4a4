//! The head of an answer, read strictly: what two readers could take differently is nobody's answer.

use std::ops::Range;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::content::Content;
use crate::framing::{self, Announced, Fields, Limits};
use crate::upstream::lines::Lines;

/// What has come of a head so far.
#[derive(Default)]
pub(super) struct Begun {
    bytes: BytesMut,
    /// Bytes of that which were looked at.
    seen: usize,
    /// Once the status line has ended.
    status: Option<Status>,
    fields: Fields,
    /// Bytes of answers on the way (1xx), which are not the answer.
    interim: usize,
    heard: bool,
}

/// A whole head, and what came behind it.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) status: StatusCode,
    pub(super) lines: Lines,
    /// As its fields frame it, see [`Content::after`].
    pub(super) content: Content,
    /// Whether the other side goes on with the connection.
    pub(super) stays: bool,
    pub(super) rest: Bytes,
}

/// A status line.
#[derive(Clone)]
struct Status {
    /// Of `HTTP/1.`
    minor: u8,
    code: StatusCode,
    /// Where the reason stands.
    reason: Range<usize>,
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
        while let Some((status, announced)) = self.end()? {
            let end = std::mem::take(&mut self.seen);
            let fields = std::mem::take(&mut self.fields).take_fields();
            let content = framed(announced, &status)?;
            // Switching protocols is an answer to whoever asked for it.
            if status.code.is_informational() && status.code != StatusCode::SWITCHING_PROTOCOLS {
                self.interim += end;
                drop(self.bytes.split_to(end));
                if self.interim > MOST_BYTES {
                    return Err("too much before the answer");
                }
                continue;
            }
            let mut head = std::mem::take(&mut self.bytes).freeze();
            let rest = head.split_off(end);
            let mut lines = Lines::new(head, status.reason, fields);
            if status.code == StatusCode::NO_CONTENT {
                // RFC 9110 §8.6: "A server MUST NOT send a Content-Length header field in any response with a status code of 1xx … or
                // 204".
                lines.retain(|name| !name.eq_ignore_ascii_case(b"content-length"));
            }
            let stays = status.minor == 1 && !lines.has_option("connection", "close");
            return Ok(Some(Head { status: status.code, lines, content, stays, rest }));
        }
        Ok(None)
    }

    /// Reads on to where the head ends. RFC 9112 §2.2 lets a recipient take a bare LF for the end of a line; not all do.
    fn end(&mut self) -> Result<Option<(Status, Announced)>, Fault> {
        let bytes = &self.bytes[..];
        let status = match self.status.take() {
            Some(status) => status,
            None => {
                let begins = bytes.len().min(PROTOCOL.len());
                if bytes[..begins] != PROTOCOL[..begins] {
                    return Err("it is not an answer of HTTP/1.1");
                }
                let Some(at) = line_feed(&bytes[self.seen..]) else {
                    self.seen = bytes.len();
                    return if self.seen > MOST_BYTES { Err(TOO_LARGE) } else { Ok(None) };
                };
                let end = self.seen + at;
                let status = status_line(bytes[..end].strip_suffix(b"\r").ok_or("a bare LF")?)?;
                (self.seen, self.fields) = (end + 1, Fields::from(end + 1));
                status
            }
        };
        let (taken, ended) = self.fields.take(&bytes[self.seen..], &LIMITS).map_err(|(_, fault)| match fault {
            framing::Fault::Bad(why) => why,
            framing::Fault::TooLarge | framing::Fault::TooSlow => TOO_LARGE,
        })?;
        self.seen += taken;
        if self.seen > MOST_BYTES {
            return Err(TOO_LARGE);
        }
        let Some(announced) = ended else {
            self.status = Some(status);
            return Ok(None);
        };
        Ok(Some((status, announced)))
    }
}

/// RFC 9112 §4: `HTTP-version SP status-code SP [ reason-phrase ]`. Some leave out the last blank.
fn status_line(line: &[u8]) -> Result<Status, Fault> {
    let rest = line.strip_prefix(PROTOCOL).ok_or("it is not an answer of HTTP/1.1")?;
    let ([minor @ (b'0' | b'1'), b' ', code @ ..], reason) = rest.split_at_checked(5).ok_or("no status")? else {
        return Err("no status");
    };
    let code = StatusCode::from_bytes(code).map_err(|_| "no status")?;
    let reason = if reason.is_empty() { reason } else { reason.strip_prefix(b" ").ok_or("no status")? };
    if !reason.iter().all(|&byte| framing::is_field_byte(byte)) {
        return Err("a byte that no reason has");
    }
    Ok(Status { minor: minor - b'0', code, reason: line.len() - reason.len()..line.len() })
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

/// How the body is framed. What two readers could frame differently is nobody's:
/// RFC 9112 §6.3, "Such a message might indicate an attempt to perform response splitting".
fn framed(announced: Announced, status: &Status) -> Result<Content, Fault> {
    let content = match (announced.length, announced.chunked) {
        (_, true) if status.minor == 0 => return Err("HTTP/1.0 with Transfer-Encoding"),
        (_, true) => Content::chunked(),
        (Some(length), false) => Content::Sized(length),
        (None, false) => Content::UntilClose,
    };
    let none = !announced.chunked && announced.length.is_none_or(|length| length == 0);
    if (status.code.is_informational() || status.code == StatusCode::NO_CONTENT) && !none {
        return Err("a body where there can be none");
    }
    Ok(content)
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
const TOO_LARGE: &str = "the head of the answer is too large";
/// How many fields; what they take is counted here, and how long by whoever waits.
const LIMITS: Limits = Limits {
    bytes: MOST_BYTES,
    fields: 100,
    head_time: Duration::ZERO,
    idle_time: Duration::ZERO,
    write_time: Duration::ZERO,
};
