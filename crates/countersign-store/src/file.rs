use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// A file or directory that could not be read or written: ours to report, the operator's to mend.
#[derive(Debug, thiserror::Error)]
#[error("can't {doing} {}: {source}", path.display())]
pub struct FileError {
    doing: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl FileError {
    /// Where it happened.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// For `map_err`: what was tried, and on what.
    pub(crate) fn of(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self { doing, path: path.to_owned(), source }
    }
}

/// Makes a directory and its parents, 0700, where they are missing. What is there keeps its mode: `doctor` speaks of
/// it.
pub(crate) fn make_private_dir(dir: &Path) -> Result<(), FileError> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(FileError::of("make the directory", dir))
}

/// A new file that nobody else can read at any moment: mode 0600 at creation, an error when it exists.
pub(crate) fn create_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Puts a whole new content in the place of `path`: after a crash there is the old file or the new one. Not for files
/// that two processes write: the caller holds the [`DataLock`](crate::DataLock).
pub(crate) fn replace(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), FileError> {
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(".new");
    let fresh = PathBuf::from(fresh);
    let attempt = || -> io::Result<()> {
        match std::fs::remove_file(&fresh) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = io::BufWriter::new(create_private(&fresh)?);
        write(&mut file)?;
        file.into_inner()?.sync_all()?;
        std::fs::rename(&fresh, path)?;
        sync_dir_of(path)
    };
    attempt().map_err(FileError::of("write", path))
}

/// Makes a rename or a new name in the directory of `path` survive a power cut.
pub(crate) fn sync_dir_of(path: &Path) -> io::Result<()> {
    let dir = match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    };
    File::open(dir)?.sync_all()
}
