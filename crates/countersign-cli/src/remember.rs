//! A replay memory in a file, for those who verify from a script.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use countersign::{BoxFuture, ReplayStore, Seen, Timestamp, Unavailable, Use, UseMark};

/// One line per mark: its bytes in hex, and until when it counts, in milliseconds. Every call locks the file, reads it and
/// appends, so that several processes may share it.
pub(crate) struct Remembered(PathBuf);

impl Remembered {
    pub(crate) fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    fn judge(&self, once: &Use, now: Timestamp) -> std::io::Result<Seen> {
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(&self.0)?;
        File::lock(&file)?;
        let mut known = String::new();
        file.read_to_string(&mut known)?;
        let live = |line: &&str| {
            line.rsplit_once(' ')
                .and_then(|(_, until)| until.parse().ok())
                .is_none_or(|until: i64| now.as_millis() <= until)
        };
        let again = |mark: &UseMark| known.lines().filter(live).any(|line| line.starts_with(&hex(mark)));
        if once.marks().any(again) {
            return Ok(Seen::Again);
        }
        let lines: String = once.marks().map(|mark| format!("{} {}\n", hex(mark), once.until().as_millis())).collect();
        file.write_all(lines.as_bytes())?;
        file.sync_data()?;
        Ok(Seen::First)
    }
}

impl ReplayStore for Remembered {
    fn first_use<'a>(&'a self, once: &'a Use, now: Timestamp) -> BoxFuture<'a, Result<Seen, Unavailable>> {
        let seen = self.judge(once, now).map_err(|fault| Unavailable::new("replay memory", fault));
        Box::pin(std::future::ready(seen))
    }
}

/// The memory of one call: nothing was seen before.
pub(crate) struct Nothing;

impl ReplayStore for Nothing {
    fn first_use<'a>(&'a self, _: &'a Use, _: Timestamp) -> BoxFuture<'a, Result<Seen, Unavailable>> {
        Box::pin(std::future::ready(Ok(Seen::First)))
    }
}

fn hex(mark: &UseMark) -> String {
    mark.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}
