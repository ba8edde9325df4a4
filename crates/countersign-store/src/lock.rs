use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::file::{self, FileError};

/// Proof that this process is the one gateway of its data directory. Held for as long as it decides; the kernel lets go
/// of it when the process ends, however it ends.
///
/// Only gateways take it: commands that change the registry work beside a running one.
#[derive(Debug)]
pub struct DataLock {
    dir: PathBuf,
    _file: File,
}

impl DataLock {
    /// Locks `<dir>/gateway.lock` without waiting; makes directory (0700) and file (0600) where they are missing.
    ///
    /// # Errors
    /// [`LockError::Held`] while another process has it, [`LockError::File`] when the file can't be made or locked.
    pub fn acquire(dir: &Path) -> Result<Self, LockError> {
        file::make_private_dir(dir)?;
        let path = dir.join(NAME);
        let mut file = OpenOptions::new()
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
        let note = |file: &mut File| {
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "{}", std::process::id())
        };
        note(&mut file).map_err(FileError::of("write", &path))?;
        Ok(Self { dir: dir.to_owned(), _file: file })
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
    _file: File,
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

    fn take(dir: &Path, lock: impl Fn(&File) -> Result<(), TryLockError>) -> Result<Self, LockError> {
        file::make_private_dir(dir)?;
        let path = dir.join("registry.lock");
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
        let file = file.map_err(FileError::of("open", &path))?;
        match lock(&file) {
            Ok(()) => Ok(Self { _file: file }),
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
}
