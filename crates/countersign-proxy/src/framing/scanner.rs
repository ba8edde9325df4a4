//! Where one message ends and the next begins, seen strictly: what two readers could frame differently stops here.

use super::chunks::Chunks;
use super::fields::Fields;
use super::line::RequestLine;
use super::{Fault, Limits};

/// Follows a client's bytes through its messages, in linear time and constant space, whatever the split of the reads.
#[derive(Debug)]
pub(super) struct Scanner {
    limits: Limits,
    part: Part,
    /// Bytes of the head at hand so far.
    head: usize,
}

#[derive(Debug)]
enum Part {
    Line(RequestLine),
    Fields(Fields, u8),
    Sized(u64),
    Chunked(Chunks),
}

/// Where the client stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Between two messages.
    Idle,
    /// Inside a head.
    Head,
    /// Inside a body.
    Body,
}

impl Scanner {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, part: Part::Line(RequestLine::default()), head: 0 }
    }

    pub(super) fn phase(&self) -> Phase {
        match &self.part {
            Part::Line(line) if line.is_untouched() => Phase::Idle,
            Part::Line(_) | Part::Fields(..) => Phase::Head,
            Part::Sized(_) | Part::Chunked(_) => Phase::Body,
        }
    }

    /// Whether it is inside a body in chunks.
    #[cfg(any(test, feature = "fuzz"))]
    pub(super) fn is_chunked(&self) -> bool {
        matches!(self.part, Part::Chunked(_))
    }

    /// Follows `bytes`, the next that came. On a fault only the bytes before the given place may go on.
    pub(super) fn scan(&mut self, bytes: &mut [u8]) -> Result<(), (usize, Fault)> {
        let mut at = 0;
        while at < bytes.len() {
            let from = at;
            match &mut self.part {
                Part::Line(line) => {
                    let read = line.take(&mut bytes[at..]);
                    let (taken, ended) = self.count(from, read)?;
                    at += taken;
                    if let Some(minor) = ended {
                        self.part = Part::Fields(Fields::default(), minor);
                    }
                }
                Part::Fields(fields, minor) => {
                    let minor = *minor;
                    let read = fields.take(&bytes[at..], &self.limits);
                    let (taken, ended) = self.count(from, read)?;
                    at += taken;
                    if let Some(announced) = ended {
                        // RFC 9112 §6.1: a Transfer-Encoding in HTTP/1.0 is to be treated "as if the framing is faulty".
                        if announced.chunked && minor == 0 {
                            return Err((at - 1, Fault::Bad("HTTP/1.0 with Transfer-Encoding")));
                        }
                        self.head = 0;
                        self.part = match announced.length {
                            _ if announced.chunked => Part::Chunked(Chunks::default()),
                            Some(length) if length > 0 => Part::Sized(length),
                            _ => Part::Line(RequestLine::default()),
                        };
                    }
                }
                Part::Sized(left) => {
                    let here = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len() - at);
                    *left -= here as u64;
                    at += here;
                    if *left == 0 {
                        self.part = Part::Line(RequestLine::default());
                    }
                }
                Part::Chunked(chunks) => {
                    let read = chunks.take(&bytes[at..], &self.limits);
                    let (taken, ended) = read.map_err(|(taken, fault)| (from + taken, fault))?;
                    at += taken;
                    if ended {
                        self.part = Part::Line(RequestLine::default());
                    }
                }
            }
        }
        Ok(())
    }

    /// Counts the bytes of the head that were read at `from`. What is too large is so before whatever comes behind the limit,
    /// and only what fits goes on: that can't complete the head.
    fn count<T>(&mut self, from: usize, read: Read<T>) -> Read<T> {
        let (Ok((taken, _)) | Err((taken, _))) = &read;
        let room = self.limits.bytes.saturating_sub(self.head);
        if *taken > room {
            return Err((from + room, Fault::TooLarge));
        }
        self.head += taken;
        read.map_err(|(taken, fault)| (from + taken, fault))
    }
}

/// How many bytes were taken and what came of it, or how many were before the fault.
type Read<T> = Result<(usize, T), (usize, Fault)>;

#[cfg(test)]
mod tests;
