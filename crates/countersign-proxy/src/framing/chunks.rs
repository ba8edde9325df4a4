//! A chunked body (RFC 9112 §7.1). Extensions are refused: nobody signs them, and readers differ on where they end.

use super::Fault;
use super::Limits;
use super::fields::Fields;

#[derive(Debug, Default)]
pub(super) enum Chunks {
    #[default]
    FirstDigit,
    Size {
        digits: u8,
        size: u64,
    },
    SizeLineFeed(u64),
    Data(u64),
    DataCarriageReturn,
    DataLineFeed,
    Trailers {
        fields: Box<Fields>,
        bytes: usize,
    },
}

/// Where in a body its sender stands.
pub(super) enum Place {
    /// Behind the first digit of a size.
    Size,
    /// Inside a chunk, of which so many bytes are to come.
    Data(u64),
    Trailers,
    Between,
}

/// A chunk of more than 2^48 bytes is nobody's.
const MAX_DIGITS: u8 = 12;

impl Chunks {
    pub(super) fn place(&self) -> Place {
        match self {
            Self::Size { .. } => Place::Size,
            Self::Data(left) => Place::Data(*left),
            Self::Trailers { .. } => Place::Trailers,
            Self::FirstDigit | Self::SizeLineFeed(_) | Self::DataCarriageReturn | Self::DataLineFeed => Place::Between,
        }
    }

    /// Takes as many bytes as it can; `true` once the body has ended.
    pub(super) fn take(&mut self, bytes: &[u8], limits: &Limits) -> Result<(usize, bool), (usize, Fault)> {
        let mut at = 0;
        while at < bytes.len() {
            match self {
                Self::Data(left) => {
                    let here = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len() - at);
                    *left -= here as u64;
                    at += here;
                    if *left == 0 {
                        *self = Self::DataCarriageReturn;
                    }
                }
                Self::Trailers { fields, bytes: seen } => {
                    let read = fields.take(&bytes[at..], limits);
                    let (Ok((taken, _)) | Err((taken, _))) = &read;
                    // Whatever comes behind the limit, and however much of it in one read.
                    let room = limits.bytes - *seen;
                    if *taken > room {
                        return Err((at + room, Fault::Bad("a trailer section that is too long")));
                    }
                    let (taken, ended) = read.map_err(|(taken, fault)| (at + taken, fault))?;
                    at += taken;
                    *seen += taken;
                    if ended.is_some() {
                        *self = Self::FirstDigit;
                        return Ok((at, true));
                    }
                }
                _ => {
                    self.byte(bytes[at]).map_err(|fault| (at, fault))?;
                    at += 1;
                }
            }
        }
        Ok((at, false))
    }

    fn byte(&mut self, byte: u8) -> Result<(), Fault> {
        let digit = char::from(byte).to_digit(16).map(u64::from);
        *self = match (&*self, byte, digit) {
            (Self::FirstDigit, _, Some(size)) => Self::Size { digits: 1, size },
            (Self::Size { digits, size }, _, Some(digit)) if *digits < MAX_DIGITS => {
                Self::Size { digits: digits + 1, size: size * 16 + digit }
            }
            (Self::Size { size, .. }, b'\r', _) => Self::SizeLineFeed(*size),
            (Self::SizeLineFeed(0), b'\n', _) => Self::Trailers { fields: Box::new(Fields::of_trailers()), bytes: 0 },
            (Self::SizeLineFeed(size), b'\n', _) => Self::Data(*size),
            (Self::DataCarriageReturn, b'\r', _) => Self::DataLineFeed,
            (Self::DataLineFeed, b'\n', _) => Self::FirstDigit,
            _ => return Err(Fault::Bad("a chunk that is not size, CRLF, data, CRLF")),
        };
        Ok(())
    }
}
