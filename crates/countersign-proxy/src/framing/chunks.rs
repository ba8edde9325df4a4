//! A chunked body (RFC 9112 §7.1). Extensions are refused: nobody signs them, and readers differ on where they end.

use super::fields::{Field, Fields};
use super::scanner::Step;
use super::{Fault, Limits};

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

    /// Takes as many bytes of one kind as it can; `true` once the body has ended.
    pub(super) fn take(&mut self, bytes: &[u8], limits: &Limits) -> Result<(Step, bool), (usize, Fault)> {
        let mut at = 0;
        while at < bytes.len() {
            match self {
                Self::Data(_) | Self::Trailers { .. } if at > 0 => break,
                Self::Data(left) => {
                    let here = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                    *left -= here as u64;
                    if *left == 0 {
                        *self = Self::DataCarriageReturn;
                    }
                    return Ok((Step::Data(here), false));
                }
                Self::Trailers { fields, bytes: seen } => {
                    let read = fields.take(bytes, limits);
                    let (Ok((taken, _)) | Err((taken, _))) = &read;
                    // Whatever comes behind the limit, and however much of it in one read.
                    let room = limits.bytes - *seen;
                    if *taken > room {
                        return Err((room, Fault::Bad("a trailer section that is too long")));
                    }
                    let (taken, ended) = read?;
                    *seen += taken;
                    if ended.is_some() {
                        *self = Self::FirstDigit;
                    }
                    return Ok((Step::Trailers(taken), ended.is_some()));
                }
                _ => {
                    self.byte(bytes[at]).map_err(|fault| (at, fault))?;
                    at += 1;
                }
            }
        }
        Ok((Step::Frame(at), false))
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

/// The fields of a trailer section that was found to be one.
pub(super) fn trailers(section: &[u8], limits: &Limits) -> Vec<Field> {
    let mut fields = Fields::of_trailers();
    // It was read before, if in other parts.
    let _ = fields.take(section, limits);
    fields.take_fields()
}
