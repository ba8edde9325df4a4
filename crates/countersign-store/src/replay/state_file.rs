use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use countersign::{Raised, Scheme, Timestamp};

use super::per_scheme::{Floors, Millis};
use super::shard::{Mark, Slot};
use crate::file::{self, FileError};

/// `<data>/replay.state`: how the last gateway ended, and, where it ended orderly, what it remembered.
///
/// ```text
/// "countersign replay 3\n"  "open" | "done"  4 × max_skew ms  max_age ms  4 × floor ms  horizon ms  raises  count
///     raises × (before ms, max_age ms)  count × (mark, slot)  SHA-256
/// ```
/// Integers have 8 bytes, little-endian; the least of all stands for none. What is there four times is there for each scheme. The
/// SHA-256 is of all that stands before it. Version 2 had one `max_skew` and one `floor`, which are read as those of all schemes.
pub(super) struct StateFile {
    path: PathBuf,
}

/// What a gateway before this one left.
pub(super) enum Left {
    /// There is no file.
    Nothing,
    /// It did not end orderly.
    Open(Terms),
    /// The file makes no sense.
    Damaged,
    /// It ended orderly, and this is what it remembered.
    Done(Done),
}

/// What a later floor has to know of this gateway, however it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Terms {
    /// The longest skew that it admits under.
    pub(super) max_skew: Millis,
    /// The longest age that it admits under, in milliseconds.
    pub(super) max_age: i64,
    /// Shorter ages that gave way, as far as they still matter.
    pub(super) raised: Vec<Raised>,
    /// Its own floors: what was signed before was forgotten once, and an orderly end does not bring it back.
    pub(super) floors: Floors,
}

/// The content of an orderly end.
pub(super) struct Done {
    pub(super) terms: Terms,
    pub(super) horizon: Timestamp,
    pub(super) entries: Vec<(Mark, Slot)>,
}

impl StateFile {
    pub(super) fn new(data_dir: &Path) -> Self {
        Self { path: data_dir.join("replay.state") }
    }

    pub(super) fn exists(&self) -> bool {
        self.path.exists()
    }

    /// What it says is no longer all that was admitted: a start with it would have to begin anew.
    pub(super) fn remove(&self) -> Result<(), FileError> {
        match std::fs::remove_file(&self.path) {
            Ok(()) => file::sync_dir_of(&self.path).map_err(FileError::of("remove", &self.path)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(FileError::of("remove", &self.path)(error)),
        }
    }

    pub(super) fn read(&self) -> Result<Left, FileError> {
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Left::Nothing),
            Err(error) => return Err(FileError::of("open", &self.path)(error)),
        };
        let length = file.metadata().map_err(FileError::of("read", &self.path))?.len();
        match parse(BufReader::new(file), length) {
            Ok(left) => Ok(left),
            Err(error) if matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) => {
                Ok(Left::Damaged)
            }
            Err(error) => Err(FileError::of("read", &self.path)(error)),
        }
    }

    /// Durable when it returns: from here on an end without [`StateFile::write_done`] is an unclean one.
    pub(super) fn write_open(&self, terms: &Terms) -> Result<(), FileError> {
        file::replace(&self.path, |out| {
            let mut out = Hashed::new(out);
            out.header(OPEN, terms, 0, 0)?;
            out.finish()
        })
    }

    pub(super) fn write_done<'a>(
        &self,
        terms: &Terms,
        horizon: Timestamp,
        count: usize,
        entries: impl Iterator<Item = (&'a Mark, Slot)>,
    ) -> Result<(), FileError> {
        file::replace(&self.path, |out| {
            let mut out = Hashed::new(out);
            out.header(DONE, terms, horizon.as_millis(), count as u64)?;
            for (mark, slot) in entries {
                out.put(&mark.to_be_bytes())?;
                out.put(&slot.to_le_bytes())?;
            }
            out.finish()
        })
    }
}

const MAGIC: &[u8; 21] = b"countersign replay 3\n";
const MAGIC_BEFORE: &[u8; 21] = b"countersign replay 2\n";
const OPEN: &[u8; 4] = b"open";
const DONE: &[u8; 4] = b"done";
const NONE: i64 = i64::MIN;
const HEADER: u64 = 21 + 4 + 12 * 8;
const HEADER_BEFORE: u64 = 21 + 4 + 6 * 8;
const RAISE: u64 = 16;
const ENTRY: u64 = 16 + 8;
const CHECKSUM: u64 = 32;

fn parse(input: impl Read, length: u64) -> io::Result<Left> {
    let damaged = || io::Error::from(io::ErrorKind::InvalidData);
    let mut input = Hashing { inner: input, hash: Context::new(&SHA256) };
    let (header, of_each): (_, fn(&mut Hashing<_>) -> io::Result<Millis>) = match &input.array::<21>()? {
        MAGIC => (HEADER, Hashing::of_each),
        MAGIC_BEFORE => (HEADER_BEFORE, |input| input.number().map(Millis::all)),
        _ => return Err(damaged()),
    };
    let state = input.array::<4>()?;
    let max_skew = of_each(&mut input)?;
    let max_age = i64::from_le_bytes(input.array()?);
    let floors = of_each(&mut input)?.map(|floor| floor.map(Timestamp::from_millis));
    let horizon = Timestamp::from_millis(i64::from_le_bytes(input.array()?));
    let raises = u64::from_le_bytes(input.array()?);
    let count = u64::from_le_bytes(input.array()?);
    // Before anything is allocated by it.
    let bytes = |count: u64, each: u64| count.checked_mul(each);
    let whole = bytes(raises, RAISE).zip(bytes(count, ENTRY)).and_then(|(a, b)| a.checked_add(b));
    if whole.and_then(|whole| whole.checked_add(header + CHECKSUM)) != Some(length) || max_age < 0 {
        return Err(damaged());
    }
    if max_skew.iter().any(|(_, skew)| skew.is_some_and(|skew| skew < 0)) {
        return Err(damaged());
    }
    let mut raised = Vec::new();
    for _ in 0..raises {
        let before = Timestamp::from_millis(i64::from_le_bytes(input.array()?));
        let max_age = Duration::from_millis(u64::from_le_bytes(input.array()?));
        raised.push(Raised { before, max_age });
    }
    let mut entries = Vec::with_capacity(usize::try_from(count).map_err(|_| damaged())?);
    for _ in 0..count {
        entries.push((Mark::from_be_bytes(input.array()?), Slot::from_le_bytes(input.array()?)));
    }
    let sum = input.hash.clone().finish();
    if sum.as_ref() != input.array::<32>()? {
        return Err(damaged());
    }
    let terms = Terms { max_skew, max_age, raised, floors };
    match &state {
        OPEN => Ok(Left::Open(terms)),
        DONE => Ok(Left::Done(Done { terms, horizon, entries })),
        _ => Err(damaged()),
    }
}

struct Hashing<R> {
    inner: R,
    hash: Context,
}

impl<R: Read> Hashing<R> {
    fn array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.inner.read_exact(&mut bytes)?;
        self.hash.update(&bytes);
        Ok(bytes)
    }

    fn number(&mut self) -> io::Result<Option<i64>> {
        Ok(Some(i64::from_le_bytes(self.array()?)).filter(|number| *number != NONE))
    }

    fn of_each(&mut self) -> io::Result<Millis> {
        let mut all = Millis::default();
        for scheme in Scheme::ALL {
            let number = self.number()?;
            all = Millis::each(|it| if it == scheme { number } else { all.of(it) });
        }
        Ok(all)
    }
}

struct Hashed<'a> {
    inner: &'a mut dyn Write,
    hash: Context,
}

impl<'a> Hashed<'a> {
    fn new(inner: &'a mut dyn Write) -> Self {
        Self { inner, hash: Context::new(&SHA256) }
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hash.update(bytes);
        self.inner.write_all(bytes)
    }

    fn header(&mut self, state: &[u8; 4], terms: &Terms, horizon: i64, count: u64) -> io::Result<()> {
        self.put(MAGIC)?;
        self.put(state)?;
        self.put_each(terms.max_skew)?;
        self.put(&terms.max_age.to_le_bytes())?;
        self.put_each(terms.floors.map(|floor| floor.map(Timestamp::as_millis)))?;
        self.put(&horizon.to_le_bytes())?;
        self.put(&(terms.raised.len() as u64).to_le_bytes())?;
        self.put(&count.to_le_bytes())?;
        for raised in &terms.raised {
            self.put(&raised.before.as_millis().to_le_bytes())?;
            self.put(&u64::try_from(raised.max_age.as_millis()).unwrap_or(u64::MAX).to_le_bytes())?;
        }
        Ok(())
    }

    fn put_each(&mut self, numbers: Millis) -> io::Result<()> {
        numbers.iter().try_for_each(|(_, number)| self.put(&number.unwrap_or(NONE).to_le_bytes()))
    }

    fn finish(self) -> io::Result<()> {
        self.inner.write_all(self.hash.finish().as_ref())
    }
}
