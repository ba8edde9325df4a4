use std::io;
use std::sync::Arc;

use countersign::Unavailable;
use tokio::task::{JoinHandle, spawn_blocking};

use super::file::SpoolFile;
use super::room::{Bounds, Of, Room, Share};

/// So much goes to the disk at a time.
const PART: usize = 128 << 10;

/// Writes a body into a file: one part is on its way to the disk while the next is filled, and more is not taken.
pub(super) struct Writer {
    bounds: Bounds,
    /// The file, or, as long as there is none, the share of the room that it will have.
    file: Place,
    filling: Vec<u8>,
    /// What is filled and what is on its way, in memory.
    memory: Share,
    /// Bytes handed to the disk.
    sent: u64,
    writing: Option<Writing>,
}

enum Place {
    None(Share),
    File(Arc<SpoolFile>),
    /// With the part that is on its way.
    Away,
}

struct Writing {
    bytes: u64,
    done: JoinHandle<io::Result<Arc<SpoolFile>>>,
}

impl Writer {
    pub(super) fn new(room: &Arc<Room>, bounds: Bounds) -> Self {
        Self {
            bounds,
            file: Place::None(Share::none(room, Of::Files)),
            filling: Vec::new(),
            memory: Share::none(room, Of::Memory),
            sent: 0,
            writing: None,
        }
    }

    /// Takes the next bytes. Waits where the disk does.
    ///
    /// # Errors
    /// [`Unavailable`] where there is no room for them, or the disk does not take them.
    pub(super) async fn write(&mut self, mut bytes: &[u8]) -> Result<(), Unavailable> {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(PART - self.filling.len()));
            self.memory.take(now.len() as u64, self.bounds.memory)?;
            self.filling.extend_from_slice(now);
            if self.filling.len() == PART {
                self.send().await?;
            }
            bytes = later;
        }
        Ok(())
    }

    /// The file and its length, once all of it is written.
    ///
    /// # Errors
    /// As [`Writer::write`].
    pub(super) async fn end(mut self) -> Result<(Arc<SpoolFile>, u64), Unavailable> {
        if !self.filling.is_empty() {
            self.send().await?;
        }
        self.written().await?;
        match self.file {
            Place::File(file) => Ok((file, self.sent)),
            Place::None(_) | Place::Away => Err(Unavailable::new("spool", "an empty file")),
        }
    }

    /// Sends what is filled, behind what is on its way.
    async fn send(&mut self) -> Result<(), Unavailable> {
        self.written().await?;
        let room = Arc::clone(self.memory.room());
        let (bytes, at) = (std::mem::take(&mut self.filling), self.sent);
        let length = bytes.len() as u64;
        let done = match std::mem::replace(&mut self.file, Place::Away) {
            Place::None(share) => {
                share.take(length, self.bounds.files)?;
                spawn_blocking(move || {
                    let dir = room.dir().ok_or(io::ErrorKind::NotFound)?;
                    let file = SpoolFile::create(dir, share)?;
                    file.write_at(&bytes, at).map(|()| Arc::new(file))
                })
            }
            Place::File(file) => {
                file.share().map_err(|fault| room.failed(fault))?.take(length, self.bounds.files)?;
                spawn_blocking(move || file.write_at(&bytes, at).map(|()| file))
            }
            Place::Away => return Err(Unavailable::new("spool", "a part was lost")),
        };
        self.sent += length;
        self.writing = Some(Writing { bytes: length, done });
        Ok(())
    }

    /// Waits for the part that is on its way.
    async fn written(&mut self) -> Result<(), Unavailable> {
        let Some(Writing { bytes, done }) = &mut self.writing else { return Ok(()) };
        let file = done.await.map_err(io::Error::from).flatten();
        self.memory.give(*bytes);
        self.writing = None;
        self.file = Place::File(file.map_err(|fault| self.memory.room().failed(fault))?);
        Ok(())
    }
}
