//! The request line: `method SP request-target SP HTTP-version CRLF`.

use std::ops::Range;

use super::{Fault, is_token};

/// Reads a request line byte by byte.
#[derive(Debug, Default)]
pub(super) struct RequestLine {
    state: State,
    /// At most one empty line before the request line is skipped.
    blank: bool,
    query: bool,
    minor: u8,
    /// Bytes of the method and of the target so far.
    method: usize,
    target: usize,
}

/// Where the parts of a request line stand, counted from the first byte that came.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) method: Range<usize>,
    pub(crate) target: Range<usize>,
    /// Of `HTTP/1.`
    pub(crate) minor: u8,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Start,
    BlankLineFeed,
    Method,
    FirstOfTarget,
    Target,
    /// Behind a byte that no target has: all that follows is made unreadable, so that the caller is told by the layer above.
    Broken,
    Version(usize),
    CarriageReturn,
    LineFeed,
}

const VERSION: &[u8] = b"HTTP/1.";

impl RequestLine {
    /// Whether nothing of a message has come yet.
    pub(super) fn is_untouched(&self) -> bool {
        self.state == State::Start && !self.blank
    }

    /// Takes as many bytes as it can; `Some` once the line has ended. Bytes that no target has become `%`: a target with a
    /// broken escape, which is refused as `malformed`.
    pub(super) fn take(&mut self, bytes: &mut [u8]) -> Result<(usize, Option<Line>), (usize, Fault)> {
        if self.is_untouched()
            && let Some((line, taken)) = plain_line(bytes)
        {
            // Begun, also where it turns out to be too long.
            self.state = State::LineFeed;
            return Ok((taken, Some(line)));
        }
        let mut at = 0;
        while at < bytes.len() {
            if self.state == State::Target {
                // The bulk of the line: run through it without asking for the state again.
                let room = MAX_TARGET - self.target.min(MAX_TARGET);
                let plain = run_of_plain(&bytes[at..bytes.len().min(at + room)]);
                self.target += plain;
                at += plain;
                if at == bytes.len() {
                    break;
                }
            }
            match self.byte(&mut bytes[at]) {
                Ok(false) => at += 1,
                Ok(true) => return Ok((at + 1, Some(self.line()))),
                Err(fault) => return Err((at, fault)),
            }
        }
        Ok((bytes.len(), None))
    }

    fn line(&self) -> Line {
        let method = if self.blank { 2 } else { 0 };
        let target = method + self.method + 1;
        Line { method: method..target - 1, target: target..target + self.target, minor: self.minor }
    }

    fn byte(&mut self, byte: &mut u8) -> Result<bool, Fault> {
        self.state = match (self.state, *byte) {
            // RFC 9112 §2.2: a server "SHOULD ignore at least one empty line (CRLF) received prior to the request-line".
            (State::Start, b'\r') if !self.blank => State::BlankLineFeed,
            (State::BlankLineFeed, b'\n') => {
                self.blank = true;
                State::Start
            }
            (State::Start | State::Method, byte) if is_token(byte) => State::Method,
            (State::Method, b' ') => State::FirstOfTarget,
            // RFC 9112 §3.2: the origin form starts with a slash, the asterisk form is one, the others start with a name.
            (State::FirstOfTarget, b'/' | b'*' | b'[' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z') => State::Target,
            (State::Target | State::Broken, b'!'..) if self.target == MAX_TARGET => return Err(Fault::TooLarge),
            (State::Target | State::Broken, b' ') => State::Version(0),
            (State::Broken, b'!'..=b'~' | 0x80..) => {
                *byte = b'%';
                State::Broken
            }
            (State::Target, b'?') => {
                self.query = true;
                State::Target
            }
            (State::Target, b'"' | b'#' | b'<' | b'>' | 0x80..) => {
                *byte = b'%';
                State::Broken
            }
            (State::Target, b'\\' | b'^' | b'`' | b'{' | b'|' | b'}') if !self.query => {
                *byte = b'%';
                State::Broken
            }
            (State::Target, b'!'..=b'~') => State::Target,
            (State::Version(at), byte) if VERSION.get(at) == Some(&byte) => State::Version(at + 1),
            (State::Version(at), b'0' | b'1') if at == VERSION.len() => {
                self.minor = *byte - b'0';
                State::CarriageReturn
            }
            (State::CarriageReturn, b'\r') => State::LineFeed,
            (State::LineFeed, b'\n') => return Ok(true),
            _ => return Err(Fault::Bad("not a request line of HTTP/1.0 or HTTP/1.1")),
        };
        match self.state {
            State::Target | State::Broken => self.target += 1,
            State::Method => self.method += 1,
            _ => {}
        }
        Ok(false)
    }
}

/// The request line at the beginning, and how long it is, where all of it is there and nothing is wrong with it, as nearly
/// always: taken at once, and not by asking for each byte what it may be. Others are for those who ask.
fn plain_line(bytes: &[u8]) -> Option<(Line, usize)> {
    let method = bytes.iter().take_while(|&&byte| is_token(byte)).count();
    let target = bytes[method..].strip_prefix(b" ").filter(|target| method > 0 && target.starts_with(b"/"))?;
    let path = run_of_plain(target);
    let query = target[path..].strip_prefix(b"?").map_or(0, |query| 1 + run_of_plain(query));
    let length = path + query;
    let rest = target[length..].strip_prefix(b" HTTP/1.").filter(|_| length <= MAX_TARGET)?;
    let [minor @ (b'0' | b'1'), b'\r', b'\n', ..] = rest else { return None };
    let target = method + 1..method + 1 + length;
    let taken = target.end + " HTTP/1.x\r\n".len();
    Some((Line { method: 0..method, target, minor: minor - b'0' }, taken))
}

/// How many bytes from the beginning change nothing of how the rest of a target is read.
fn run_of_plain(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|&&byte| PLAIN[usize::from(byte)]).count()
}

const PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        plain[byte as usize] =
            byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'.' | b'_' | b'~' | b'=' | b'&' | b'%');
        byte += 1;
    }
    plain
};

/// What a path and query in the vocabulary of `http` can hold are 65 534 bytes.
const MAX_TARGET: usize = 60 << 10;
