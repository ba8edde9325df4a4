use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use countersign::Unavailable;

use crate::settings::Limits;

/// Room for all bodies that wait for their verdict or their upstream, together: in memory, and in files.
#[derive(Debug, Default)]
pub(crate) struct Room {
    /// Where the files are; without it everything is kept in memory.
    dir: Option<PathBuf>,
    memory: AtomicU64,
    files: AtomicU64,
    failures: AtomicU64,
}

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    Memory,
    Files,
}

/// How much one body may find there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Bytes of this body in memory.
    pub(super) own: u64,
    /// Bytes of all bodies in memory.
    pub(super) memory: u64,
    /// Bytes of all bodies in files.
    pub(super) files: u64,
}

impl Room {
    /// With files in this directory, which is made where it is missing.
    ///
    /// # Errors
    /// Where no file can be made there, for another reason than that the disk is full just now: only who needs a file is
    /// harmed by that.
    pub(crate) fn in_files(dir: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        match tempfile::tempfile_in(dir) {
            Err(fault) if fault.kind() != io::ErrorKind::StorageFull => return Err(fault),
            _ => {}
        }
        Ok(Self { dir: Some(dir.to_owned()), ..Self::default() })
    }

    /// Bytes of bodies in memory.
    pub(crate) fn held(&self) -> u64 {
        self.memory.load(Relaxed)
    }

    /// Bytes of bodies in files.
    pub(crate) fn spooled(&self) -> u64 {
        self.files.load(Relaxed)
    }

    /// How often a file could not be written or read.
    pub(crate) fn failures(&self) -> u64 {
        self.failures.load(Relaxed)
    }

    /// Strangers get at half of the room only: the other half is left to those whose head was verified.
    pub(super) fn bounds(&self, limits: &Limits, verified: bool) -> Bounds {
        let part = |all: u64| if verified { all } else { all / 2 };
        let own = if self.dir.is_some() { limits.body_in_memory } else { u64::MAX };
        Bounds { own, memory: part(limits.max_held), files: part(limits.max_spooled) }
    }

    pub(super) fn dir(&self) -> Option<&Path> {
        self.dir.as_deref()
    }

    /// Counts a file that failed, and says so.
    pub(super) fn failed(&self, fault: impl std::fmt::Display) -> Unavailable {
        self.failures.fetch_add(1, Relaxed);
        Unavailable::new("spool", fault)
    }

    fn counter(&self, of: Of) -> &AtomicU64 {
        match of {
            Of::Memory => &self.memory,
            Of::Files => &self.files,
        }
    }
}

/// A share of the room, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    room: Arc<Room>,
    of: Of,
    bytes: AtomicU64,
}

impl Share {
    pub(super) fn none(room: &Arc<Room>, of: Of) -> Self {
        Self { room: Arc::clone(room), of, bytes: AtomicU64::new(0) }
    }

    pub(super) fn room(&self) -> &Arc<Room> {
        &self.room
    }

    /// Takes more of it.
    ///
    /// # Errors
    /// [`Unavailable`] where all bodies together would then take more than `most`; nothing more is taken.
    pub(super) fn take(&self, bytes: u64, most: u64) -> Result<(), Unavailable> {
        let counter = self.room.counter(self.of);
        let held = counter.fetch_add(bytes, Relaxed).saturating_add(bytes);
        if held > most {
            counter.fetch_sub(bytes, Relaxed);
            return Err(full(self.of, held, most));
        }
        self.bytes.fetch_add(bytes, Relaxed);
        Ok(())
    }

    /// Whether so much more could be had now.
    ///
    /// # Errors
    /// As [`Share::take`].
    pub(super) fn could_take(&self, bytes: u64, most: u64) -> Result<(), Unavailable> {
        let held = self.room.counter(self.of).load(Relaxed).saturating_add(bytes);
        if held > most { Err(full(self.of, held, most)) } else { Ok(()) }
    }

    /// Gives a part of it back.
    pub(super) fn give(&self, bytes: u64) {
        self.bytes.fetch_sub(bytes, Relaxed);
        self.room.counter(self.of).fetch_sub(bytes, Relaxed);
    }
}

impl Share {
    /// Gives back what is more than so much.
    pub(super) fn give_all_but(&self, bytes: u64) {
        self.give(self.bytes.load(Relaxed).saturating_sub(bytes));
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.room.counter(self.of).fetch_sub(*self.bytes.get_mut(), Relaxed);
    }
}

fn full(of: Of, held: u64, most: u64) -> Unavailable {
    let place = match of {
        Of::Memory => "in memory",
        Of::Files => "in files",
    };
    Unavailable::new("spool", format!("no room: bodies would take {held} bytes {place}, and may take {most}"))
}
