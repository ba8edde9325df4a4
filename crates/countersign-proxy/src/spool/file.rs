use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use tokio::runtime::Handle;

use super::room::Share;

/// What of a body lies in a file: one without a name, so that nobody else opens it and nothing of it outlives us. All that it
/// does blocks, and runs on threads that may.
#[derive(Debug)]
pub(crate) struct SpoolFile {
    /// Gone only while it is dropped.
    open: Option<Open>,
}

/// In this order: room is given back once the space is.
#[derive(Debug)]
struct Open {
    file: File,
    share: Share,
}

impl SpoolFile {
    /// A new one, empty, under whose share of the room its bytes are.
    pub(super) fn create(dir: &Path, share: Share) -> io::Result<Self> {
        // `O_TMPFILE` where there is such a thing; else created for us alone, and unlinked at once.
        let file = tempfile::tempfile_in(dir)?;
        Ok(Self { open: Some(Open { file, share }) })
    }

    pub(super) fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        self.open()?.file.write_all_at(bytes, at)
    }

    pub(super) fn read_at(&self, bytes: &mut [u8], at: u64) -> io::Result<()> {
        self.open()?.file.read_exact_at(bytes, at)
    }

    pub(super) fn share(&self) -> io::Result<&Share> {
        Ok(&self.open()?.share)
    }

    fn open(&self) -> io::Result<&Open> {
        self.open.as_ref().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Drop for SpoolFile {
    fn drop(&mut self) {
        let open = self.open.take();
        // To close the last handle of a large file is to free its blocks, which takes its time.
        if let Ok(runtime) = Handle::try_current() {
            drop(runtime.spawn_blocking(move || drop(open)));
        }
    }
}
