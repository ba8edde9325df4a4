//! Where a body waits: small ones in memory, others in a file without a name, from which they are read back once they are
//! verified. Nothing waits between the socket and the disk but two parts: whoever sends faster than the disk writes is read
//! more slowly.

mod file;
mod readback;
mod room;
mod writer;

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use countersign::Unavailable;

use crate::passing::Passing;
use crate::settings::Limits;

pub(crate) use readback::Readback;
pub(crate) use room::{Room, Share};

use room::{Bounds, Of};
use writer::Writer;

/// A body while it comes.
pub(crate) struct Spool {
    kept: Kept,
    /// What is kept in memory, here and by the scheme that reads it.
    memory: Share,
    bounds: Bounds,
}

enum Kept {
    /// Nothing, or all that came, as it came.
    One(Bytes),
    /// Copied together, since a small part can hold a large buffer alive.
    Many(BytesMut),
    /// In a file, from its first byte on.
    File(Box<Writer>),
}

/// A body that waits for its upstream.
pub(crate) enum Held {
    /// All of it in memory, and its share of the room, to be kept until the bytes are gone.
    Memory(Bytes, Share),
    /// All of it in a file. Rarer, and larger: behind a pointer.
    File(Box<Readback>),
    /// Nothing of it, since nobody verifies it: passed on as it comes.
    Passing(Box<Passing>),
}

impl Spool {
    /// A body of which nothing came yet. `verified` says whether the head's signature holds: strangers find less room.
    pub(crate) fn new(room: &Arc<Room>, limits: &Limits, verified: bool) -> Self {
        let bounds = room.bounds(limits, verified);
        Self { kept: Kept::One(Bytes::new()), memory: Share::none(room, Of::Memory), bounds }
    }

    /// Whether there is room for a body that is announced to be so long, before a byte of it is asked for. Nothing is taken:
    /// whoever announces much and sends nothing keeps nobody else out. `weight` as for [`Spool::make_room`].
    ///
    /// # Errors
    /// [`Unavailable`] where all bodies together would be too much.
    pub(crate) fn expect(&self, length: u64, weight: usize) -> Result<(), Unavailable> {
        if length > self.bounds.own {
            Share::none(self.memory.room(), Of::Files).could_take(length, self.bounds.files)?;
        }
        self.memory.could_take(length.saturating_mul(weight as u64), self.bounds.memory)
    }

    /// Makes room for what the scheme keeps in memory of so many bytes: `weight` bytes for each.
    ///
    /// # Errors
    /// [`Unavailable`] where all bodies together would be too much.
    pub(crate) fn make_room(&self, bytes: usize, weight: usize) -> Result<(), Unavailable> {
        if weight == 0 { Ok(()) } else { self.memory.take((bytes * weight) as u64, self.bounds.memory) }
    }

    /// Keeps what [`countersign::Open::push`] has seen.
    ///
    /// # Errors
    /// [`Unavailable`] where there is no room for it, or the disk fails.
    pub(crate) async fn write(&mut self, chunk: Bytes) -> Result<(), Unavailable> {
        let before = match &mut self.kept {
            Kept::File(writer) => return writer.write(&chunk).await,
            Kept::One(bytes) => &bytes[..],
            Kept::Many(bytes) => &bytes[..],
        };
        if before.len() as u64 + chunk.len() as u64 > self.bounds.own {
            let mut writer = Writer::new(self.memory.room(), self.bounds);
            self.memory.give(before.len() as u64);
            writer.write(before).await?;
            writer.write(&chunk).await?;
            self.kept = Kept::File(Box::new(writer));
            return Ok(());
        }
        self.memory.take(chunk.len() as u64, self.bounds.memory)?;
        match &mut self.kept {
            Kept::One(first) if first.is_empty() => self.kept = Kept::One(chunk),
            Kept::One(_) if chunk.is_empty() => {}
            Kept::One(first) => {
                let mut all = BytesMut::with_capacity(2 * (first.len() + chunk.len()));
                all.extend_from_slice(first);
                all.extend_from_slice(&chunk);
                self.kept = Kept::Many(all);
            }
            Kept::Many(all) => all.extend_from_slice(&chunk),
            Kept::File(_) => {}
        }
        Ok(())
    }

    /// All of it came.
    ///
    /// # Errors
    /// As [`Spool::write`].
    pub(crate) async fn end(self) -> Result<Held, Unavailable> {
        Ok(match self.kept {
            Kept::One(bytes) => Held::Memory(bytes, self.memory),
            Kept::Many(bytes) => Held::Memory(bytes.freeze(), self.memory),
            Kept::File(writer) => {
                let (file, length) = writer.end().await?;
                Held::File(Box::new(Readback::new(file, length)))
            }
        })
    }
}

impl Held {
    /// What came goes, and in its place there are so many bytes in memory. They have its share of the room, which was for the
    /// document that they were made from, too.
    pub(crate) fn replaced_by(self, length: usize) -> Option<Share> {
        match self {
            Self::Memory(_, share) => {
                share.give_all_but(length as u64);
                Some(share)
            }
            Self::File(_) | Self::Passing(_) => None,
        }
    }

    /// No body at all.
    pub(crate) fn nothing(room: &Arc<Room>) -> Self {
        Self::Memory(Bytes::new(), Share::none(room, Of::Memory))
    }
}

#[cfg(test)]
mod tests;
