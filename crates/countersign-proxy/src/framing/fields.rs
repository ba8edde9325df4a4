//! Field lines, of a head or of a trailer section: `name ":" OWS value OWS CRLF`, until an empty line.

use std::ops::Range;

use super::short::Short;
use super::{Fault, Limits, is_token};

/// What the fields say of the body that follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Announced {
    pub(crate) length: Option<u64>,
    pub(crate) chunked: bool,
}

/// Where a field line stands, counted from the first byte of its section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    name: usize,
    colon: usize,
    end: usize,
}

impl Field {
    pub(crate) fn name(self) -> Range<usize> {
        self.name..self.colon
    }

    /// The value, without the blanks around it. `section` is what it stands in.
    pub(crate) fn value(self, section: &[u8]) -> Range<usize> {
        let value = section.get(self.colon + 1..self.end).unwrap_or_default();
        let blank = |byte: &&u8| matches!(byte, b' ' | b'\t');
        let before = value.iter().take_while(blank).count();
        let behind = value[before..].iter().rev().take_while(blank).count();
        self.colon + 1 + before..self.end - behind
    }
}

/// Reads field lines byte by byte, and keeps of them where they stand and what frames the body.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    state: State,
    /// Where the next bytes stand.
    at: usize,
    stand: Vec<Field>,
    name: Short<17>,
    value: Short<KEPT>,
    kind: Kind,
    announced: Announced,
    /// Trailers frame nothing: `Content-Length` there is a field like any other.
    trailers: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Start,
    Name,
    Value,
    LineFeed,
    LastLineFeed,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    Plain,
    Length,
    Coding,
}

impl Fields {
    /// Of a head whose fields begin there.
    pub(crate) fn from(at: usize) -> Self {
        Self { at, stand: Vec::with_capacity(USUAL), ..Self::default() }
    }

    pub(super) fn of_trailers() -> Self {
        Self { trailers: true, ..Self::default() }
    }

    /// Where they stand.
    pub(crate) fn take_fields(&mut self) -> Vec<Field> {
        std::mem::take(&mut self.stand)
    }

    /// Takes as many bytes as it can; `Some` once the empty line has ended.
    ///
    /// # Errors
    /// How many bytes were before the fault, and the fault.
    pub(crate) fn take(&mut self, bytes: &[u8], limits: &Limits) -> Result<(usize, Option<Announced>), (usize, Fault)> {
        let read = self.read(bytes, limits);
        let (Ok((taken, _)) | Err((taken, _))) = &read;
        self.at += taken;
        read
    }

    fn read(&mut self, bytes: &[u8], limits: &Limits) -> Result<(usize, Option<Announced>), (usize, Fault)> {
        let mut at = 0;
        while at < bytes.len() {
            if self.state == State::Start
                && self.stand.len() < limits.fields
                && let Some((Field { colon, end, .. }, announced)) = self.plain_line(&bytes[at..])
            {
                let name = self.at + at;
                self.stand.push(Field { name, colon: name + colon, end: name + end });
                self.announced = announced;
                at += end + 2;
                continue;
            }
            if self.state == State::Value && self.kind == Kind::Plain {
                // The bulk of every head: run through it without asking for the state again.
                at += run_of_field_bytes(&bytes[at..]);
                if at == bytes.len() {
                    break;
                }
            } else if self.state == State::Name {
                // RFC 9112 §5.1: "No whitespace is allowed between the field name and colon."
                let name = &bytes[at..];
                let name = &name[..name.iter().take_while(|&&byte| is_token(byte)).count()];
                if self.kind != Kind::Plain {
                    self.name.extend(name);
                }
                at += name.len();
                if at == bytes.len() {
                    break;
                }
            }
            match self.byte(bytes[at], self.at + at, limits) {
                Ok(false) => at += 1,
                Ok(true) => return Ok((at + 1, Some(self.announced))),
                Err(fault) => return Err((at, fault)),
            }
        }
        Ok((at, None))
    }

    /// The line at the beginning, and what is announced with it, where all of it is there and nothing is wrong with it, as with
    /// nearly all of them: taken at once, and not by asking for each byte what it may be. Others are for those who ask.
    fn plain_line(&self, bytes: &[u8]) -> Option<(Field, Announced)> {
        let colon = bytes.iter().take_while(|&&byte| is_token(byte)).count();
        let value = bytes[colon..].strip_prefix(b":").filter(|_| colon > 0)?;
        let end = colon + 1 + run_of_field_bytes(value);
        let field = Field { name: 0, colon, end };
        if !bytes[end..].starts_with(b"\r\n") {
            return None;
        }
        let kind = match colon {
            _ if self.trailers => Kind::Plain,
            14 if bytes[..colon].eq_ignore_ascii_case(b"content-length") => Kind::Length,
            17 if bytes[..colon].eq_ignore_ascii_case(b"transfer-encoding") => Kind::Coding,
            _ => Kind::Plain,
        };
        let announced = match (kind, field.value(bytes)) {
            (Kind::Plain, _) => self.announced,
            // Byte by byte no more than that is kept, of blanks at the end, too.
            (_, value) if end - value.start > KEPT => return None,
            (kind, value) => self.announced.with(kind, Some(&bytes[value])).ok()?,
        };
        Some((field, announced))
    }

    fn byte(&mut self, byte: u8, at: usize, limits: &Limits) -> Result<bool, Fault> {
        match (self.state, byte) {
            (State::Start, b'\r') => self.state = State::LastLineFeed,
            // RFC 9112 §5.2: "A server that receives an obs-fold in a request message … MUST either reject the message".
            (State::Start, b' ' | b'\t') => return Err(Fault::Bad("a folded field line")),
            (State::Start, byte) if is_token(byte) => {
                if self.stand.len() == limits.fields {
                    return Err(Fault::TooLarge);
                }
                self.stand.push(Field { name: at, colon: at, end: at });
                self.name.clear();
                self.name.push(byte.to_ascii_lowercase());
                // By its first letter it may be one that frames the body; of others the name is not looked at.
                self.kind = match byte {
                    _ if self.trailers => Kind::Plain,
                    b'C' | b'c' => Kind::Length,
                    b'T' | b't' => Kind::Coding,
                    _ => Kind::Plain,
                };
                self.state = State::Name;
            }
            (State::Name, b':') => {
                if let Some(field) = self.stand.last_mut() {
                    field.colon = at;
                }
                self.kind = match (self.kind, self.name.as_slice()) {
                    (Kind::Length, Some(b"content-length")) => Kind::Length,
                    (Kind::Coding, Some(b"transfer-encoding")) => Kind::Coding,
                    _ => Kind::Plain,
                };
                self.value.clear();
                self.state = State::Value;
            }
            (State::Value, b'\r') => {
                let value = self.value.as_slice().map(<[u8]>::trim_ascii_end);
                self.announced = self.announced.with(self.kind, value)?;
                if let Some(field) = self.stand.last_mut() {
                    field.end = at;
                }
                self.state = State::LineFeed;
            }
            (State::Value, byte) if is_field_byte(byte) => {
                let leading_blank = matches!(byte, b' ' | b'\t') && self.value.is_empty();
                if self.kind != Kind::Plain && !leading_blank {
                    self.value.push(byte);
                }
            }
            (State::LineFeed, b'\n') => self.state = State::Start,
            (State::LastLineFeed, b'\n') => return Ok(true),
            (State::LineFeed | State::LastLineFeed, _) => return Err(Fault::Bad("a bare CR")),
            (_, b'\n') => return Err(Fault::Bad("a bare LF")),
            _ => return Err(Fault::Bad("a byte that no field line has")),
        }
        Ok(false)
    }
}

impl Announced {
    /// With a field that frames the body, at the end of its line. `value` is `None` where it is longer than any such.
    fn with(mut self, kind: Kind, value: Option<&[u8]>) -> Result<Self, Fault> {
        match kind {
            Kind::Plain => return Ok(self),
            Kind::Length => {
                if self.length.is_some() {
                    return Err(Fault::Bad("two Content-Length fields"));
                }
                self.length = Some(value.and_then(length).ok_or(Fault::Bad("a Content-Length that is no number"))?);
            }
            Kind::Coding => {
                if self.chunked || !value.is_some_and(|value| value.eq_ignore_ascii_case(b"chunked")) {
                    return Err(Fault::Bad("a Transfer-Encoding other than one chunked"));
                }
                self.chunked = true;
            }
        }
        if self.chunked && self.length.is_some() {
            return Err(Fault::Bad("both Content-Length and Transfer-Encoding"));
        }
        Ok(self)
    }
}

/// Bytes of a value that frames a body.
const KEPT: usize = 20;

/// Fields of a usual head.
const USUAL: usize = 16;

/// RFC 9110 §8.6: `Content-Length = 1*DIGIT`. No list, even of equal numbers.
fn length(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 18 {
        return None;
    }
    digits.iter().try_fold(0, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + u64::from(byte - b'0')))
}

/// How many bytes from the beginning may stand in a value. Several at a time, without a branch for each.
fn run_of_field_bytes(bytes: &[u8]) -> usize {
    let whole = bytes.chunks_exact(STRIDE);
    let whole = whole.take_while(|stride| stride.iter().fold(true, |all, &byte| all & is_field_byte(byte))).count();
    let at = whole * STRIDE;
    at + bytes[at..].iter().take_while(|&&byte| is_field_byte(byte)).count()
}

const STRIDE: usize = 16;

pub(crate) fn is_field_byte(byte: u8) -> bool {
    matches!(byte, b'\t' | b' '..=b'~' | 0x80..)
}
