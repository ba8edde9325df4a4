use std::time::Duration;

use bytes::Bytes;

use super::chunks::{Chunks, Place};
use super::scanner::Step;
use super::{Fault, Limits};

/// A chunked body without its chunks, read as strictly as a client's; only extensions, which RFC 9112 §7.1.1 has a recipient
/// ignore, are left out rather than refused: they end here.
#[derive(Debug, Default)]
pub(crate) struct Unchunked {
    chunks: Chunks,
    in_extension: bool,
    /// Bytes of all extensions.
    extensions: usize,
    trailers: Vec<u8>,
}

/// A part of what was sent in chunks.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Of the body.
    Data(Bytes),
    /// The whole trailer section, well-formed, to the empty line that ends it, and with it the body.
    Trailers(Bytes),
}

impl Unchunked {
    /// Takes the next piece out of `bytes`; `None` where more has to come.
    pub(crate) fn take(&mut self, bytes: &mut Bytes) -> Result<Option<Piece>, Fault> {
        while let Some(first) = bytes.first() {
            match self.chunks.place() {
                Place::Data(left) => {
                    let here = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
                    let data = bytes.split_to(here);
                    self.follow(&data)?;
                    return Ok(Some(Piece::Data(data)));
                }
                Place::Size if self.in_extension || matches!(first, b';' | b' ' | b'\t') => {
                    self.in_extension = *first != b'\r';
                    if self.in_extension {
                        self.extension(*first)?;
                        drop(bytes.split_to(1));
                    }
                }
                Place::Trailers => {
                    let (taken, ended) = self.follow(bytes)?;
                    self.trailers.extend_from_slice(&bytes.split_to(taken));
                    if ended {
                        return Ok(Some(Piece::Trailers(std::mem::take(&mut self.trailers).into())));
                    }
                }
                Place::Size | Place::Between => {
                    self.follow(&bytes.split_to(1))?;
                }
            }
        }
        Ok(None)
    }

    fn follow(&mut self, bytes: &[u8]) -> Result<(usize, bool), Fault> {
        let (Step::Data(taken) | Step::Frame(taken) | Step::Trailers(taken), ended) =
            self.chunks.take(bytes, &LIMITS).map_err(|(_, fault)| fault)?;
        Ok((taken, ended))
    }

    fn extension(&mut self, byte: u8) -> Result<(), Fault> {
        self.extensions += 1;
        if self.extensions > MOST_EXTENSIONS || !super::fields::is_field_byte(byte) {
            return Err(Fault::Bad("a chunk extension that is too long, or none"));
        }
        Ok(())
    }
}

const MOST_EXTENSIONS: usize = 16 << 10;

/// Of a trailer section.
const LIMITS: Limits = Limits {
    bytes: 16 << 10,
    fields: 100,
    head_time: Duration::ZERO,
    idle_time: Duration::ZERO,
    write_time: Duration::ZERO,
};

#[cfg(test)]
mod tests {
    use super::*;

    /// Data and trailers, of bytes that come in parts of this size.
    fn taken(text: &str, size: usize) -> Result<(String, Option<String>, String), Fault> {
        let (mut body, mut data, mut trailers, mut rest) = (Unchunked::default(), String::new(), None, String::new());
        for part in text.as_bytes().chunks(size) {
            let mut part = Bytes::copy_from_slice(part);
            while trailers.is_none() {
                match body.take(&mut part)? {
                    Some(Piece::Data(piece)) => data.push_str(std::str::from_utf8(&piece).unwrap()),
                    Some(Piece::Trailers(piece)) => trailers = Some(String::from_utf8(piece.to_vec()).unwrap()),
                    None => break,
                }
            }
            rest.push_str(std::str::from_utf8(&part).unwrap());
        }
        Ok((data, trailers, rest))
    }

    #[test]
    fn data_trailers_and_what_comes_behind_are_told_apart_in_reads_of_any_size() {
        for (text, data, trailers) in [
            ("0\r\n\r\n", "", "\r\n"),
            ("3\r\nabc\r\n0\r\n\r\n", "abc", "\r\n"),
            ("3\r\nabc\r\n0A\r\n0123456789\r\n0\r\nX: 1\r\nY:\r\n\r\n", "abc0123456789", "X: 1\r\nY:\r\n\r\n"),
            ("3;a=\"b;c\"\r\nabc\r\n1 ; x\r\nd\r\n0 \r\n\r\n", "abcd", "\r\n"),
        ] {
            for size in [1, 2, 3, 7, 1000] {
                let text = format!("{text}behind");
                let expected = (data.to_owned(), Some(trailers.to_owned()), "behind".to_owned());
                assert_eq!(taken(&text, size), Ok(expected), "{text:?} in reads of {size}");
            }
        }
    }

    #[test]
    fn what_two_readers_could_frame_differently_is_refused() {
        for text in [
            "x\r\n",
            "\r\nabc",
            ";a\r\nabc",
            "3\nabc\r\n",
            "3\rabc",
            "3;a\nabc\r\n",
            "3;a\0\r\nabc",
            "3\r\nabcd\r\n",
            "3\r\nabc\n0\r\n\r\n",
            "+3\r\nabc\r\n",
            "0x3\r\nabc\r\n",
            "1000000000000\r\n",
            "0\r\nX : 1\r\n\r\n",
            "0\r\nX: 1\n\r\n",
            "0\r\nX: 1\r\n folded\r\n\r\n",
        ] {
            for size in [1, 1000] {
                assert!(taken(text, size).is_err(), "{text:?} in reads of {size}");
            }
        }
        assert!(taken(&format!("3;{}\r\n", "a".repeat(20_000)), 1000).is_err());
        assert!(taken(&format!("0\r\nX: {}\r\n\r\n", "a".repeat(20_000)), 1000).is_err());
    }
}
