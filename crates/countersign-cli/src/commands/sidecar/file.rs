use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often a file is looked at.
const EVERY: Duration = Duration::from_secs(1);

/// By what a file is known to be another one.
type Stamp = Option<(u64, u64, i64, i64)>;

/// A file that may be replaced while we run.
pub(super) struct Followed {
    path: PathBuf,
    seen: Stamp,
}

impl Followed {
    /// To be called before the file is read, so that nothing is missed in between.
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), seen: stamp(path) }
    }

    /// Calls `replaced` whenever there is another file, for ever.
    pub(super) async fn watch(mut self, mut replaced: impl FnMut(&Path)) {
        let mut ticks = tokio::time::interval(EVERY);
        loop {
            ticks.tick().await;
            let now = stamp(&self.path);
            if now != self.seen && now.is_some() {
                self.seen = now;
                replaced(&self.path);
            }
        }
    }
}

fn stamp(path: &Path) -> Stamp {
    let found = std::fs::metadata(path).ok()?;
    Some((found.ino(), found.len(), found.mtime(), found.mtime_nsec()))
}
