use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::sync::Mutex;

use countersign::Timestamp;

use crate::file::FileError;
use crate::lock::DataLock;

/// The latest moment that this gateway's verdicts went by, in `<data>/clock`, so that its clock does not go back across
/// a restart (a battery that died, a step of NTP while it was down).
#[derive(Debug)]
pub struct ClockMark {
    file: File,
    path: std::path::PathBuf,
    last: Option<Timestamp>,
    existed: bool,
    latest: Mutex<i64>,
}

impl ClockMark {
    /// Opens the mark, and makes an empty one where there is none.
    ///
    /// # Errors
    /// [`FileError`] when the file can't be opened or read. A mark that makes no sense counts as none.
    pub fn open(lock: &DataLock) -> Result<Self, FileError> {
        let path = lock.dir().join("clock");
        let existed = path.exists();
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(FileError::of("open", &path))?;
        let mut text = Vec::new();
        Read::by_ref(&mut file).take(64).read_to_end(&mut text).map_err(FileError::of("read", &path))?;
        let last = parse(&text);
        Ok(Self { file, path, last, existed, latest: Mutex::new(last.map_or(i64::MIN, Timestamp::as_millis)) })
    }

    /// The latest moment that the gateway of a data directory went by, also while it runs; `None` where none ever ran.
    #[must_use]
    pub fn noted_in(data: &std::path::Path) -> Option<Timestamp> {
        let mut text = Vec::new();
        File::open(data.join("clock")).ok()?.take(64).read_to_end(&mut text).ok()?;
        parse(&text)
    }

    /// What the gateway before this one left: verdicts of this one start no earlier. `None` at the first start.
    #[must_use]
    pub fn last(&self) -> Option<Timestamp> {
        self.last
    }

    /// Whether a gateway ran on this directory before.
    pub(crate) fn existed(&self) -> bool {
        self.existed
    }

    /// Notes `now`; an earlier moment than one noted before changes nothing. One small write and an `fdatasync`: call
    /// it every second or so, off the data path and not from an async worker.
    ///
    /// # Errors
    /// [`FileError`] when it could not be written. The mark before stands then.
    pub fn mark(&self, now: Timestamp) -> Result<(), FileError> {
        let mut latest = self.latest.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if now.as_millis() <= *latest {
            return Ok(());
        }
        // The same 21 bytes in place, within one sector: a crash leaves the old mark or the new one.
        let text = format!("{:020}\n", now.as_millis().max(0));
        let write = || -> io::Result<()> {
            self.file.write_all_at(text.as_bytes(), 0)?;
            self.file.sync_data()
        };
        write().map_err(FileError::of("write", &self.path))?;
        *latest = now.as_millis();
        Ok(())
    }
}

fn parse(text: &[u8]) -> Option<Timestamp> {
    let digits =
        text.strip_suffix(b"\n").filter(|digits| digits.len() == 20 && digits.iter().all(u8::is_ascii_digit))?;
    let millis: i64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    (millis > 0).then(|| Timestamp::from_millis(millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_does_not_go_back_across_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let lock = DataLock::acquire(dir.path()).unwrap();
        let first = ClockMark::open(&lock).unwrap();
        assert_eq!((first.last(), first.existed()), (None, false));
        first.mark(Timestamp::from_secs(1_800_000_100)).unwrap();
        first.mark(Timestamp::from_secs(1_800_000_000)).unwrap();
        drop(first);
        assert_eq!(ClockMark::noted_in(dir.path()), Some(Timestamp::from_secs(1_800_000_100)));

        let second = ClockMark::open(&lock).unwrap();
        assert_eq!((second.last(), second.existed()), (Some(Timestamp::from_secs(1_800_000_100)), true));
        second.mark(Timestamp::from_secs(1_700_000_000)).unwrap();
        drop(second);
        assert_eq!(ClockMark::open(&lock).unwrap().last(), Some(Timestamp::from_secs(1_800_000_100)));

        std::fs::write(dir.path().join("clock"), "half a mar").unwrap();
        let damaged = ClockMark::open(&lock).unwrap();
        assert_eq!((damaged.last(), damaged.existed()), (None, true));
    }
}
