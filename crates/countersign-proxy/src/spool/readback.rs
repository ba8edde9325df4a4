use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::task::{JoinHandle, spawn_blocking};

use super::file::SpoolFile;
use crate::course::{Broken, Course};

/// So much is read at a time.
const PART: u64 = 128 << 10;

/// A body on its way out of its file. One part is read ahead, and no more than that before it is asked for.
pub(crate) struct Readback {
    file: Arc<SpoolFile>,
    length: u64,
    /// Where the next part begins that is not yet asked for.
    at: u64,
    /// What is still to be given out.
    left: u64,
    reading: Option<JoinHandle<io::Result<Bytes>>>,
    course: Course,
}

impl Readback {
    pub(super) fn new(file: Arc<SpoolFile>, length: u64) -> Self {
        Self { file, length, at: 0, left: length, reading: None, course: Course::default() }
    }

    /// The same from its beginning.
    pub(crate) fn again(&self) -> Self {
        let Self { file, length, .. } = self;
        Self { course: self.course.clone(), ..Self::new(Arc::clone(file), *length) }
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
        let Some(reading) = &mut self.reading else { return Poll::Ready(None) };
        let part = ready!(Pin::new(reading).poll(cx)).map_err(io::Error::from).flatten();
        self.reading = None;
        Poll::Ready(Some(match part {
            Ok(bytes) => {
                self.left -= bytes.len() as u64;
                self.course.moved();
                self.read_on();
                Ok(bytes)
            }
            Err(fault) => {
                let unavailable = match self.file.share() {
                    Ok(share) => share.room().failed(fault),
                    Err(fault) => countersign::Unavailable::new("spool", fault),
                };
                Err(self.course.break_off(unavailable.into()))
            }
        }))
    }

    fn read_on(&mut self) {
        let length = (self.length - self.at).min(PART);
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
