use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::{SealingKey, SecretsError};
use crate::file::{self, FileError};

impl SealingKey {
    /// The key in `<data>/secrets.key`, made there (directory 0700, file 0600) at first need. Of processes that start
    /// at once one makes it and all get the same.
    ///
    /// # Errors
    /// [`SecretsError::Readable`] when group or others may read the file, [`SecretsError::Damaged`] when it is not a
    /// key, [`SecretsError::File`] when it can't be read or made. An existing file is never written.
    pub fn open_or_create(data_dir: &Path) -> Result<Self, SecretsError> {
        if let Some(key) = Self::open_existing(data_dir)? {
            return Ok(key);
        }
        file::make_private_dir(data_dir)?;
        let path = path_in(data_dir);
        make(&path).map_err(FileError::of("make", &path))?;
        Self::open_existing(data_dir)?.ok_or(SecretsError::Missing { path })
    }

    /// The key in `<data>/secrets.key`, or `None` where there is no such file.
    ///
    /// # Errors
    /// As [`SealingKey::open_or_create`].
    pub fn open_existing(data_dir: &Path) -> Result<Option<Self>, SecretsError> {
        let path = path_in(data_dir);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(FileError::of("open", &path)(error).into()),
        };
        // Of the file that was opened, not of whatever stands under its name by now.
        let mode = file.metadata().map_err(FileError::of("read", &path))?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(SecretsError::Readable { path, mode });
        }
        let mut text = Zeroizing::new(Vec::with_capacity(MAX_TEXT));
        file.take(MAX_TEXT as u64).read_to_end(&mut text).map_err(FileError::of("read", &path))?;
        let text = text.strip_suffix(b"\n").unwrap_or(&text);
        let mut bytes = Zeroizing::new([0; 32]);
        match URL_SAFE_NO_PAD.decode_slice(text, &mut *bytes) {
            Ok(32) => Self::from_bytes(&bytes).map(Some),
            _ => Err(SecretsError::Damaged { path }),
        }
    }

    /// Where the key of a data directory lies.
    #[must_use]
    pub fn path_in(data_dir: &Path) -> PathBuf {
        path_in(data_dir)
    }
}

/// Writes a new key under a name of its own and links it to `path`, which fails where something stands already: the key
/// appears whole, private from its first byte, and exactly once.
fn make(path: &Path) -> io::Result<()> {
    let mut bytes = Zeroizing::new([0; 32]);
    aws_lc_rs::rand::fill(&mut *bytes).map_err(|_| io::Error::other("no randomness"))?;
    let mut text = Zeroizing::new([b'\n'; 44]);
    URL_SAFE_NO_PAD.encode_slice(*bytes, &mut text[..43]).map_err(io::Error::other)?;

    let mut own = [0; 8];
    aws_lc_rs::rand::fill(&mut own).map_err(|_| io::Error::other("no randomness"))?;
    let fresh = path.with_extension(format!("{:016x}.new", u64::from_be_bytes(own)));
    let write = || -> io::Result<()> {
        let mut file = file::create_private(&fresh)?;
        file.write_all(&*text)?;
        file.sync_all()?;
        match std::fs::hard_link(&fresh, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            other => other,
        }
    };
    let written = write();
    let removed = std::fs::remove_file(&fresh);
    written?;
    removed?;
    file::sync_dir_of(path)
}

fn path_in(data_dir: &Path) -> PathBuf {
    data_dir.join("secrets.key")
}

/// 43 characters and an LF, and some to notice that there is more.
const MAX_TEXT: usize = 64;
