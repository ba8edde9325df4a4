use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use aws_lc_rs::digest;
use bytes::Bytes;
use countersign::Unavailable;
use tokio::task::{JoinHandle, spawn_blocking};

use super::file::SpoolFile;
use crate::course::{Broken, Course};

/// So much is read at a time.
const PART: u64 = 128 << 10;

/// A body on its way out of its file, or a part of it between bytes in memory. One part is read ahead, and no more than that
/// before it is asked for.
pub(crate) struct Readback {
    file: Arc<SpoolFile>,
    /// Which bytes of the file.
    place: Range<u64>,
    /// What stands before and behind them.
    frame: [Bytes; 2],
    /// The same as far as it is still to be given out.
    framing: [Option<Bytes>; 2],
    /// Where the next part begins that is not yet asked for.
    at: u64,
    /// What is still to be given out.
    left: u64,
    reading: Option<JoinHandle<io::Result<Bytes>>>,
    course: Course,
}

impl Readback {
    pub(super) fn new(file: Arc<SpoolFile>, length: u64) -> Self {
        Self::framed(file, 0..length, [Bytes::new(), Bytes::new()], Course::default())
    }

    fn framed(file: Arc<SpoolFile>, place: Range<u64>, frame: [Bytes; 2], course: Course) -> Self {
        let (at, around) = (place.start, frame.iter().map(|bytes| bytes.len() as u64).sum::<u64>());
        let left = place.end - place.start + around;
        let framing = frame.clone().map(|bytes| Some(bytes).filter(|bytes| !bytes.is_empty()));
        Self { file, place, frame, framing, at, left, reading: None, course }
    }

    /// The same from its beginning.
    pub(crate) fn again(&self) -> Self {
        let Self { file, place, frame, course, .. } = self;
        Self::framed(Arc::clone(file), place.clone(), frame.clone(), course.clone())
    }

    /// A part of it, between these.
    ///
    /// # Errors
    /// [`Unavailable`] where there is no such part.
    pub(crate) fn reframed(self, before: Bytes, part: Range<u64>, after: Bytes) -> Result<Self, Unavailable> {
        if part.start > part.end || part.end > self.place.end {
            return Err(Unavailable::new("spool", "a part of a body is not where it was"));
        }
        Ok(Self::framed(self.file, part, [before, after], self.course))
    }

    /// The SHA-256 of all of it: it is read once more than it is sent.
    ///
    /// # Errors
    /// [`Unavailable`] where the disk fails.
    pub(crate) async fn sha256(&self) -> Result<[u8; 32], Unavailable> {
        let (file, place, [before, after]) = (Arc::clone(&self.file), self.place.clone(), self.frame.clone());
        let hashed = spawn_blocking(move || {
            let mut hash = digest::Context::new(&digest::SHA256);
            hash.update(&before);
            let (mut at, mut part) = (place.start, vec![0; usize::try_from(PART).unwrap_or(0)]);
            while at < place.end {
                let length = (place.end - at).min(PART);
                let part = &mut part[..usize::try_from(length).unwrap_or(0)];
                file.read_at(part, at)?;
                hash.update(part);
                at += length;
            }
            hash.update(&after);
            let mut sha256 = [0; 32];
            sha256.copy_from_slice(hash.finish().as_ref());
            Ok::<_, io::Error>(sha256)
        });
        hashed.await.map_err(io::Error::from).flatten().map_err(|fault| self.failed(fault))
    }

    fn failed(&self, fault: io::Error) -> Unavailable {
        match self.file.share() {
            Ok(share) => share.room().failed(fault),
            Err(fault) => Unavailable::new("spool", fault),
        }
    }

    /// Bytes that are still to come.
    pub(crate) fn left(&self) -> u64 {
        self.left
    }

    /// Tells how far it came, and what broke it off.
    pub(crate) fn course(&self) -> &Course {
        &self.course
    }

    /// Is gone when this and all that are the same are.
    #[cfg(test)]
    pub(super) fn file(&self) -> std::sync::Weak<SpoolFile> {
        Arc::downgrade(&self.file)
    }

    /// The next part.
    pub(crate) fn poll_part(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        if self.reading.is_none() {
            self.read_on();
        }
        if let Some(before) = self.framing[0].take() {
            self.left -= before.len() as u64;
            return Poll::Ready(Some(Ok(before)));
        }
        let Some(reading) = &mut self.reading else {
            let after = self.framing[1].take();
            self.left -= after.as_ref().map_or(0, |after| after.len() as u64);
            self.course.end();
            return Poll::Ready(after.map(Ok));
        };
        let part = ready!(Pin::new(reading).poll(cx)).map_err(io::Error::from).flatten();
        self.reading = None;
        Poll::Ready(Some(match part {
            Ok(bytes) => {
                self.left -= bytes.len() as u64;
                self.course.moved();
                self.read_on();
                // Whoever counts bytes asks for no more.
                if self.left == 0 {
                    self.course.end();
                }
                Ok(bytes)
            }
            Err(fault) => Err(self.course.break_off(self.failed(fault).into())),
        }))
    }

    fn read_on(&mut self) {
        let length = (self.place.end - self.at).min(PART);
        if length == 0 {
            return;
        }
        let (file, at) = (Arc::clone(&self.file), self.at);
        self.at += length;
        self.reading = Some(spawn_blocking(move || {
            let mut part = vec![0; usize::try_from(length).unwrap_or(0)];
            file.read_at(&mut part, at)?;
            Ok(part.into())
        }));
    }
}
