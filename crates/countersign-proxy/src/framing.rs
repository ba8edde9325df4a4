//! What a client sends, framed strictly: one reading of where each message ends, or none.
//!
//! Of `Content-Length` beside `Transfer-Encoding` some servers drop one, of two equal lengths they make one, and a fragment they
//! cut off. Two that repair differently are how requests are smuggled. So here nothing is repaired: what could be read in two
//! ways is a [`Fault`], and behind it nothing is heard.

mod chunks;
mod fields;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) mod fuzz;
mod line;
mod scanner;
mod short;
mod unchunked;

use std::time::Duration;

use countersign::Code;

pub(crate) use fields::{Announced, Field, Fields, is_field_byte};
pub(crate) use scanner::{Phase, Scanned, Scanner, Step};
pub(crate) use unchunked::{Piece, Unchunked};

/// How much and how slowly a client may send before it is heard.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Bytes of a head.
    pub(crate) bytes: usize,
    /// Fields of a head.
    pub(crate) fields: usize,
    /// From the first byte of a head to its end, and from the opening of the connection to that first byte.
    pub(crate) head_time: Duration,
    /// Between two messages.
    pub(crate) idle_time: Duration,
    /// Without the client taking a byte of what we write.
    pub(crate) write_time: Duration,
}

/// Why a client is not heard any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Not one well-framed message: 400.
    Bad(&'static str),
    /// A head that did not come to its end in time: 408.
    TooSlow,
    /// A head that is too large: 431.
    TooLarge,
}

impl Fault {
    /// The code that it is counted under, and why, for the log.
    pub(crate) fn told(self) -> (Code, &'static str) {
        match self {
            Self::Bad(reason) => (Code::Malformed, reason),
            Self::TooSlow => (Code::TooSlow, "the head did not come in time"),
            Self::TooLarge => (Code::HeadTooLarge, "the head is too large"),
        }
    }

    /// The answer to what is not HTTP: empty, and the connection is closed. `fields` stand in it, each with its line end.
    pub(crate) fn answer(self, fields: &str) -> String {
        let status = match self {
            Self::Bad(_) => "400 Bad Request",
            Self::TooSlow => "408 Request Timeout",
            Self::TooLarge => "431 Request Header Fields Too Large",
        };
        format!("HTTP/1.1 {status}\r\n{fields}connection: close\r\ncontent-length: 0\r\n\r\n")
    }
}

/// RFC 9110 §5.6.2, `tchar`.
pub(crate) fn is_token(byte: u8) -> bool {
    TOKEN[usize::from(byte)]
}

/// Asked for every byte of every name.
const TOKEN: [bool; 256] = {
    let mut token = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        token[byte as usize] = byte.is_ascii_alphanumeric();
        byte += 1;
    }
    let others = b"!#$%&'*+-.^_`|~";
    let mut at = 0;
    while at < others.len() {
        token[others[at] as usize] = true;
        at += 1;
    }
    token
};

#[cfg(test)]
mod tests;
