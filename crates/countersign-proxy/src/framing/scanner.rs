//! Where one message ends and the next begins, seen strictly: what two readers could frame differently stops here.

use super::chunks::{self, Chunks};
use super::fields::{Announced, Field, Fields};
use super::line::{Line, RequestLine};
use super::{Fault, Limits};

/// Follows a client's bytes through its messages, in linear time and constant space but for where the fields stand, whatever
/// the split of the reads.
#[derive(Debug)]
pub(crate) struct Scanner {
    limits: Limits,
    part: Part,
    /// Bytes of the head at hand so far.
    head: usize,
}

#[derive(Debug)]
enum Part {
    Line(RequestLine),
    Fields(Fields, Line),
    Sized(u64),
    Chunked(Chunks),
}

/// Where the client stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Between two messages.
    Idle,
    /// Inside a head.
    Head,
    /// Inside a body.
    Body,
}

/// A head that has ended: where its parts stand, counted from its first byte.
#[derive(Debug)]
pub(crate) struct Scanned {
    pub(crate) line: Line,
    pub(crate) fields: Vec<Field>,
    pub(crate) announced: Announced,
}

/// The next bytes of a body, as many as were taken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Content.
    Data(usize),
    /// What frames it.
    Frame(usize),
    /// A part of the trailer section.
    Trailers(usize),
}

impl Scanner {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, part: Part::Line(RequestLine::default()), head: 0 }
    }

    pub(crate) fn phase(&self) -> Phase {
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

    /// How much of a body is still to come, where that was announced.
    pub(crate) fn left(&self) -> Option<u64> {
        match &self.part {
            Part::Sized(left) => Some(*left),
            Part::Chunked(_) => None,
            Part::Line(_) | Part::Fields(..) => Some(0),
        }
    }

    /// Follows the next bytes of a head, no further than to its end: how many were taken, and what it is once it has ended. On a
    /// fault only the bytes before the given place may go on.
    pub(crate) fn head(&mut self, bytes: &mut [u8]) -> Result<(usize, Option<Scanned>), (usize, Fault)> {
        let mut at = 0;
        while at < bytes.len() {
            match &mut self.part {
                Part::Line(line) => {
                    let read = line.take(&mut bytes[at..]);
                    let (taken, ended) = self.count(at, read)?;
                    at += taken;
                    if let Some(line) = ended {
                        self.part = Part::Fields(Fields::from(self.head), line);
                    }
                }
                Part::Fields(fields, _) => {
                    let read = fields.take(&bytes[at..], &self.limits);
                    let (taken, ended) = self.count(at, read)?;
                    at += taken;
                    if let Some(announced) = ended {
                        let scanned = self.ended(announced).map_err(|fault| (at - 1, fault))?;
                        return Ok((at, scanned));
                    }
                }
                Part::Sized(_) | Part::Chunked(_) => break,
            }
        }
        Ok((at, None))
    }

    fn ended(&mut self, announced: Announced) -> Result<Option<Scanned>, Fault> {
        let Part::Fields(fields, line) = &mut self.part else { return Ok(None) };
        // RFC 9112 §6.1: a Transfer-Encoding in HTTP/1.0 is to be treated "as if the framing is faulty".
        if announced.chunked && line.minor == 0 {
            return Err(Fault::Bad("HTTP/1.0 with Transfer-Encoding"));
        }
        let scanned = Scanned { line: line.clone(), fields: fields.take_fields(), announced };
        self.head = 0;
        self.part = match announced.length {
            _ if announced.chunked => Part::Chunked(Chunks::default()),
            Some(length) if length > 0 => Part::Sized(length),
            _ => Part::Line(RequestLine::default()),
        };
        Ok(Some(scanned))
    }

    /// Follows the next bytes of a body, as far as they are of one kind. On a fault only the bytes before the given place are
    /// its.
    pub(crate) fn body(&mut self, bytes: &[u8]) -> Result<Step, (usize, Fault)> {
        let (piece, ended) = match &mut self.part {
            Part::Sized(left) => {
                let here = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                *left -= here as u64;
                (Step::Data(here), *left == 0)
            }
            Part::Chunked(chunks) => {
                let (piece, ended) = chunks.take(bytes, &self.limits)?;
                (piece, ended)
            }
            Part::Line(_) | Part::Fields(..) => (Step::Frame(0), false),
        };
        if ended {
            self.part = Part::Line(RequestLine::default());
        }
        Ok(piece)
    }

    /// The fields of the trailer section that has just ended, counted from its first byte.
    pub(crate) fn trailers(section: &[u8], limits: &Limits) -> Vec<Field> {
        chunks::trailers(section, limits)
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

#[cfg(any(test, feature = "fuzz"))]
impl Scanner {
    /// Follows `bytes`, the next that came, through as many messages as there are in them.
    pub(super) fn scan(&mut self, bytes: &mut [u8]) -> Result<(), (usize, Fault)> {
        let mut at = 0;
        while at < bytes.len() {
            let faulty = |(before, fault)| (at + before, fault);
            at += match self.phase() {
                Phase::Idle | Phase::Head => self.head(&mut bytes[at..]).map_err(faulty)?.0,
                Phase::Body => match self.body(&bytes[at..]).map_err(faulty)? {
                    Step::Data(taken) | Step::Frame(taken) | Step::Trailers(taken) => taken,
                },
            };
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
