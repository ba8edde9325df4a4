//! Field lines, of a head or of a trailer section: `name ":" OWS value OWS CRLF`, until an empty line.

use super::{Fault, Limits, is_token};

/// What the fields say of the body that follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Announced {
    pub(super) length: Option<u64>,
    pub(super) chunked: bool,
}

/// Reads field lines byte by byte, and keeps of them only what frames the body.
#[derive(Debug, Default)]
pub(super) struct Fields {
    state: State,
    name: Short<17>,
    value: Short<20>,
    kind: Kind,
    count: usize,
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
    pub(super) fn of_trailers() -> Self {
        Self { trailers: true, ..Self::default() }
    }

    /// Takes as many bytes as it can; `Some` once the empty line has ended.
    pub(super) fn take(&mut self, bytes: &[u8], limits: &Limits) -> Result<(usize, Option<Announced>), (usize, Fault)> {
        let mut at = 0;
        while at < bytes.len() {
            if self.state == State::Value && self.kind == Kind::Plain {
                // The bulk of every head: run through it without asking for the state again.
                at += bytes[at..].iter().take_while(|&&byte| is_field_byte(byte)).count();
                if at == bytes.len() {
                    break;
                }
            } else if self.state == State::Name {
                // RFC 9112 §5.1: "No whitespace is allowed between the field name and colon."
                let name = &bytes[at..];
                let name = &name[..name.iter().take_while(|&&byte| is_token(byte)).count()];
                self.name.extend(name);
                at += name.len();
                if at == bytes.len() {
                    break;
                }
            }
            match self.byte(bytes[at], limits) {
                Ok(false) => at += 1,
                Ok(true) => return Ok((at + 1, Some(self.announced))),
                Err(fault) => return Err((at, fault)),
            }
        }
        Ok((at, None))
    }

    fn byte(&mut self, byte: u8, limits: &Limits) -> Result<bool, Fault> {
        match (self.state, byte) {
            (State::Start, b'\r') => self.state = State::LastLineFeed,
            // RFC 9112 §5.2: "A server that receives an obs-fold in a request message … MUST either reject the message".
            (State::Start, b' ' | b'\t') => return Err(Fault::Bad("a folded field line")),
            (State::Start, byte) if is_token(byte) => {
                self.count += 1;
                if self.count > limits.fields {
                    return Err(Fault::TooLarge);
                }
                self.name.clear();
                self.name.push(byte.to_ascii_lowercase());
                self.state = State::Name;
            }
            (State::Name, b':') => {
                self.kind = match self.name.as_slice() {
                    _ if self.trailers => Kind::Plain,
                    Some(b"content-length") => Kind::Length,
                    Some(b"transfer-encoding") => Kind::Coding,
                    _ => Kind::Plain,
                };
                self.value.clear();
                self.state = State::Value;
            }
            (State::Value, b'\r') => {
                self.judge()?;
                self.state = State::LineFeed;
            }
            (State::Value, byte) if is_field_byte(byte) => {
                let leading_blank = matches!(byte, b' ' | b'\t') && self.value.is_empty();
                if self.kind != Kind::Plain && !leading_blank {
                    self.value.push(byte.to_ascii_lowercase());
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

    /// Judges a field that frames the body, at the end of its line.
    fn judge(&mut self) -> Result<(), Fault> {
        let announced = &mut self.announced;
        let value = self.value.as_slice().map(<[u8]>::trim_ascii_end);
        match self.kind {
            Kind::Plain => return Ok(()),
            Kind::Length => {
                if announced.length.is_some() {
                    return Err(Fault::Bad("two Content-Length fields"));
                }
                announced.length =
                    Some(value.and_then(length).ok_or(Fault::Bad("a Content-Length that is no number"))?);
            }
            Kind::Coding => {
                if announced.chunked || value != Some(b"chunked") {
                    return Err(Fault::Bad("a Transfer-Encoding other than one chunked"));
                }
                announced.chunked = true;
            }
        }
        if announced.chunked && announced.length.is_some() {
            return Err(Fault::Bad("both Content-Length and Transfer-Encoding"));
        }
        Ok(())
    }
}

/// RFC 9110 §8.6: `Content-Length = 1*DIGIT`. No list, even of equal numbers.
fn length(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 18 {
        return None;
    }
    digits.iter().try_fold(0, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + u64::from(byte - b'0')))
}

pub(super) fn is_field_byte(byte: u8) -> bool {
    matches!(byte, b'\t' | b' '..=b'~' | 0x80..)
}

/// The first bytes of something that matters only while it is short.
#[derive(Debug)]
struct Short<const N: usize> {
    bytes: [u8; N],
    length: usize,
}

impl<const N: usize> Default for Short<N> {
    fn default() -> Self {
        Self { bytes: [0; N], length: 0 }
    }
}

impl<const N: usize> Short<N> {
    fn clear(&mut self) {
        self.length = 0;
    }

    fn is_empty(&self) -> bool {
        self.length == 0
    }

    fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.length) {
            *place = byte;
        }
        self.length = self.length.saturating_add(1);
    }

    /// Adds bytes in lower case.
    fn extend(&mut self, bytes: &[u8]) {
        for (place, byte) in self.bytes.iter_mut().skip(self.length).zip(bytes) {
            *place = byte.to_ascii_lowercase();
        }
        self.length = self.length.saturating_add(bytes.len());
    }

    /// The bytes; `None` where there were too many.
    fn as_slice(&self) -> Option<&[u8]> {
        self.bytes.get(..self.length)
    }
}
