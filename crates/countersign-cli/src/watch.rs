//! Files that ask for a reload when they change: looked at once a second, which also sees what replaces a file by a rename, by
//! a symbolic link, or on a file system that tells nobody.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::Config;

/// The files of a configuration, and how each was just before it was read last.
pub(crate) struct Watch(Vec<(PathBuf, Option<Stamp>)>);

/// What tells one state of a file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    inode: (u64, u64),
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Watch {
    /// Watches a configuration: made before it is read, so that a change in between is seen.
    pub(crate) fn new(file: &Path) -> Self {
        Self(vec![(file.to_owned(), stamp(file))])
    }

    /// Watches the files that the configuration names, too: called before they are read.
    pub(crate) fn follow(&mut self, config: &Config) {
        let tls = config.gateway.tls.iter();
        let named = tls.flat_map(|tls| {
            [Some(&tls.certificate), Some(&tls.key), tls.client_ca.as_ref(), tls.crl.as_ref()].into_iter().flatten()
        });
        let before = self.0.split_off(1);
        for file in named.chain(&config.seal.keys) {
            let known = before.iter().find(|(other, _)| other == file);
            self.0.push(known.cloned().unwrap_or_else(|| (file.clone(), stamp(file))));
        }
    }

    /// Takes them as they are as read: called before they are.
    pub(crate) fn reading(&mut self) {
        for (file, read) in &mut self.0 {
            *read = stamp(file);
        }
    }

    /// Ready when a file is another than the one that was read, and all of them have been left alone for a moment: a pair of
    /// files is written one after the other.
    pub(crate) async fn changed(&self) {
        let mut before = None;
        loop {
            tokio::time::sleep(PAUSE).await;
            let mut now = self.0.clone();
            let look = move || {
                for (file, state) in &mut now {
                    *state = stamp(file);
                }
                now
            };
            let Ok(now) = tokio::task::spawn_blocking(look).await else { continue };
            if now != self.0 && before.as_ref() == Some(&now) {
                return;
            }
            before = Some(now);
        }
    }
}

fn stamp(file: &Path) -> Option<Stamp> {
    let of = |it: Metadata| Stamp {
        inode: (it.dev(), it.ino()),
        size: it.size(),
        modified: (it.mtime(), it.mtime_nsec()),
        changed: (it.ctime(), it.ctime_nsec()),
    };
    std::fs::metadata(file).ok().map(of)
}

const PAUSE: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_that_is_replaced_changed_or_gone_is_noticed_and_one_that_is_read_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("countersign.toml");
        std::fs::write(&file, "").unwrap();
        let mut watch = Watch::new(&file);
        let other = dir.path().join("other");
        let changes: [&dyn Fn(); 4] = [
            &|| std::fs::write(&file, "#").unwrap(),
            &|| {
                std::fs::write(&other, "#").unwrap();
                std::fs::rename(&other, &file).unwrap();
            },
            &|| {
                std::fs::rename(&file, &other).unwrap();
                std::os::unix::fs::symlink(&other, &file).unwrap();
            },
            &|| std::fs::remove_file(&other).unwrap(),
        ];
        for change in changes {
            let quiet = tokio::time::timeout(Duration::from_millis(1300), watch.changed()).await;
            assert!(quiet.is_err(), "nothing has changed");
            change();
            tokio::time::timeout(Duration::from_secs(5), watch.changed()).await.expect("it is not noticed");
            watch.reading();
        }
    }
}
