use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::file::{self, FileError};

/// Proof that this process is the one gateway of its data directory. Held for as long as it decides; the kernel lets go
/// of it when the process ends, however it ends.
///
/// Only gateways take it: commands that change the registry work beside a running one.
#[derive(Debug)]
pub struct DataLock {
    dir: PathBuf,
    file: File,
}

/// For [`DataLock::take_over`] in another process.
impl AsFd for DataLock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl DataLock {
    /// Locks `<dir>/gateway.lock` without waiting; makes directory (0700) and file (0600) where they are missing.
    ///
    /// # Errors
    /// [`LockError::Held`] while another process has it, [`LockError::File`] when the file can't be made or locked.
    pub fn acquire(dir: &Path) -> Result<Self, LockError> {
        file::make_private_dir(dir)?;
        let path = dir.join(NAME);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(FileError::of("open", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LockError::Held { dir: dir.to_owned(), pid: pid_in(file) }),
            Err(TryLockError::Error(error)) => return Err(FileError::of("lock", &path)(error).into()),
        }
        let lock = Self { dir: dir.to_owned(), file };
        lock.name_me()?;
        Ok(lock)
    }

    /// Takes the lock over from the process that has it: `handed` is a duplicate of its descriptor, so the directory is locked
    /// by both until one of them ends, and never by a third. The file names this process once [`DataLock::name_me`] is called.
    ///
    /// # Errors
    /// [`LockError::Held`] where the descriptor is of another file, or holds no lock: then somebody else may.
    pub fn take_over(dir: &Path, handed: OwnedFd) -> Result<Self, LockError> {
        Ok(Self { dir: dir.to_owned(), file: held_by(handed, dir, NAME)? })
    }

    /// Writes down that this process has it.
    ///
    /// # Errors
    /// [`FileError`] where that can't be written; the lock holds all the same.
    pub fn name_me(&self) -> Result<(), FileError> {
        let note = || {
            let mut file = &self.file;
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "{}", std::process::id())
        };
        note().map_err(FileError::of("write", &self.dir.join(NAME)))
    }

    /// The directory that is locked.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

/// Proof that whoever admits by the registry in a directory remembers together: one gateway with a memory of its own, or
/// any number that share one.
#[derive(Debug)]
pub struct RegistryLock {
    file: File,
}

/// For [`RegistryLock::take_over`] in another process.
impl AsFd for RegistryLock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl RegistryLock {
    /// For a gateway that remembers alone, and so has to be alone. Locks `<dir>/registry.lock` without waiting.
    ///
    /// # Errors
    /// [`LockError::Held`] while another gateway serves from there, [`LockError::File`] when the file can't be made or locked.
    pub fn alone(dir: &Path) -> Result<Self, LockError> {
        Self::take(dir, File::try_lock)
    }

    /// For a gateway that shares its memory with all others that take this.
    ///
    /// # Errors
    /// As of [`RegistryLock::alone`].
    pub fn beside_others(dir: &Path) -> Result<Self, LockError> {
        Self::take(dir, File::try_lock_shared)
    }

    /// Takes the lock of [`RegistryLock::alone`] over from the process that has it, as [`DataLock::take_over`].
    ///
    /// # Errors
    /// As of [`DataLock::take_over`].
    pub fn take_over(dir: &Path, handed: OwnedFd) -> Result<Self, LockError> {
        Ok(Self { file: held_by(handed, dir, REGISTRY)? })
    }

    fn take(dir: &Path, lock: impl Fn(&File) -> Result<(), TryLockError>) -> Result<Self, LockError> {
        file::make_private_dir(dir)?;
        let path = dir.join(REGISTRY);
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
        let file = file.map_err(FileError::of("open", &path))?;
        match lock(&file) {
            Ok(()) => Ok(Self { file }),
            Err(TryLockError::WouldBlock) => Err(LockError::Held { dir: dir.to_owned(), pid: None }),
            Err(TryLockError::Error(error)) => Err(FileError::of("lock", &path)(error).into()),
        }
    }
}

/// Why a data directory could not be locked.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another gateway runs on this directory.
    #[error("the data directory {} is in use by another gateway{}", dir.display(), by(*pid))]
    Held {
        /// The directory.
        dir: PathBuf,
        /// The process that has it, as it wrote itself down.
        pid: Option<u32>,
    },
    /// The file could not be made or locked.
    #[error(transparent)]
    File(#[from] FileError),
}

impl LockError {
    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Held { pid: Some(pid), .. } => {
                Some(format!("stop it first (kill {pid}), or give this gateway another `data` directory"))
            }
            Self::Held { pid: None, .. } => {
                Some("stop it first, or give this gateway another `data` directory".to_owned())
            }
            Self::File(_) => None,
        }
    }
}

const NAME: &str = "gateway.lock";
const REGISTRY: &str = "registry.lock";

/// A descriptor that holds the lock of this file, and of no other.
fn held_by(handed: OwnedFd, dir: &Path, name: &str) -> Result<File, LockError> {
    let file = File::from(handed);
    let held = |pid| LockError::Held { dir: dir.to_owned(), pid };
    let (own, there) = (file.metadata(), std::fs::metadata(dir.join(name)));
    let same = |own: &Metadata, there: &Metadata| own.dev() == there.dev() && own.ino() == there.ino();
    match (own, there) {
        (Ok(own), Ok(there)) if same(&own, &there) => {}
        _ => return Err(held(None)),
    }
    // The lock belongs to what both descriptors share: what has it gets it again.
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(_) => Err(held(pid_in(file))),
    }
}

fn by(pid: Option<u32>) -> String {
    pid.map_or_else(String::new, |pid| format!(" (process {pid})"))
}

fn pid_in(file: File) -> Option<u32> {
    let mut text = String::new();
    file.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_gateway_per_data_directory() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        let held = DataLock::acquire(&data).unwrap();
        let refused = DataLock::acquire(&data).unwrap_err();
        let me = std::process::id();
        assert!(matches!(&refused, LockError::Held { pid: Some(pid), .. } if *pid == me), "{refused}");
        assert!(refused.to_string().ends_with(&format!("in use by another gateway (process {me})")), "{refused}");
        assert!(refused.hint().unwrap().contains(&format!("kill {me}")));
        drop(held);
        DataLock::acquire(&data).unwrap();
    }

    #[test]
    fn gateways_share_a_registry_only_where_they_share_their_memory() {
        let dir = tempfile::tempdir().unwrap();
        let alone = RegistryLock::alone(dir.path()).unwrap();
        assert!(matches!(RegistryLock::alone(dir.path()), Err(LockError::Held { .. })));
        assert!(matches!(RegistryLock::beside_others(dir.path()), Err(LockError::Held { .. })));
        drop(alone);
        let _shared =
            [RegistryLock::beside_others(dir.path()).unwrap(), RegistryLock::beside_others(dir.path()).unwrap()];
        assert!(matches!(RegistryLock::alone(dir.path()), Err(LockError::Held { .. })));
    }

    #[test]
    fn a_lock_that_is_handed_over_is_never_free() {
        let dir = tempfile::tempdir().unwrap();
        let old = DataLock::acquire(dir.path()).unwrap();
        let new = DataLock::take_over(dir.path(), old.as_fd().try_clone_to_owned().unwrap()).unwrap();
        assert!(DataLock::acquire(dir.path()).is_err());
        drop(old);
        assert!(DataLock::acquire(dir.path()).is_err(), "the new one has it");
        // One that dies before it has taken over leaves the lock where it was.
        let dying = DataLock::take_over(dir.path(), new.as_fd().try_clone_to_owned().unwrap()).unwrap();
        drop(dying);
        assert!(DataLock::acquire(dir.path()).is_err());
        new.name_me().unwrap();
        drop(new);
        DataLock::acquire(dir.path()).unwrap();
    }

    #[test]
    fn a_registry_that_is_handed_over_is_never_free() {
        let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let old = RegistryLock::alone(dir.path()).unwrap();
        let new = RegistryLock::take_over(dir.path(), old.as_fd().try_clone_to_owned().unwrap()).unwrap();
        drop(old);
        assert!(RegistryLock::alone(dir.path()).is_err() && RegistryLock::beside_others(dir.path()).is_err());
        let elsewhere = RegistryLock::alone(other.path()).unwrap();
        assert!(RegistryLock::take_over(dir.path(), elsewhere.as_fd().try_clone_to_owned().unwrap()).is_err());
        drop(new);
        RegistryLock::alone(dir.path()).unwrap();
    }

    #[test]
    fn a_descriptor_of_another_file_or_without_the_lock_is_none() {
        let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let held = DataLock::acquire(dir.path()).unwrap();
        let elsewhere = DataLock::acquire(other.path()).unwrap();
        let handed = elsewhere.as_fd().try_clone_to_owned().unwrap();
        assert!(DataLock::take_over(dir.path(), handed).is_err());
        let opened = OwnedFd::from(File::open(dir.path().join(NAME)).unwrap());
        assert!(DataLock::take_over(dir.path(), opened).is_err(), "the same file, and not the lock");
        drop(held);
    }
}
