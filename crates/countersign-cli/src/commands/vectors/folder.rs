use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use countersign::Refusal;
use countersign_store::MemoryReplay;

use super::Judged;
use super::case::Case;
use super::keys::{self, Keyring};
use crate::exit::{Failure, io};

/// A folder of vectors: its keys and its cases.
pub(super) struct Folder {
    path: PathBuf,
    keys: Keyring,
    cases: BTreeMap<String, Case>,
}

/// Folders in folders are followed no deeper than this.
const MAX_DEPTH: usize = 8;

impl Folder {
    /// The folder itself where it has a `keys.json`, and every folder in it that has one.
    pub(super) fn find(dir: &Path) -> Result<Vec<Self>, Failure> {
        let mut found = Vec::new();
        Self::find_in(dir, MAX_DEPTH, &mut found)?;
        Ok(found)
    }

    fn find_in(dir: &Path, depth: usize, found: &mut Vec<Self>) -> Result<(), Failure> {
        let entries = std::fs::read_dir(dir)
            .map_err(|fault| io("can't read", dir, &fault).hint("countersign vectors run vectors, in the project"))?;
        let mut paths = Vec::new();
        for entry in entries {
            paths.push(entry.map_err(|fault| io("can't read", dir, &fault))?.path());
        }
        paths.sort();
        if paths.iter().any(|path| path.file_name().is_some_and(|name| name == "keys.json")) {
            found.push(Self::read(dir, &paths)?);
        }
        for path in paths.iter().filter(|path| path.is_dir()) {
            if depth > 0 {
                Self::find_in(path, depth - 1, found)?;
            }
        }
        Ok(())
    }

    fn read(dir: &Path, paths: &[PathBuf]) -> Result<Self, Failure> {
        let text = |path: &Path| std::fs::read(path).map_err(|fault| io("can't read", path, &fault));
        let file = dir.join("keys.json");
        let keys = keys::read(&file, &String::from_utf8_lossy(&text(&file)?))?;
        let mut cases = BTreeMap::new();
        for path in paths.iter().filter(|path| path.is_file() && is_case(path)) {
            let name = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            cases.insert(name.clone(), Case::parse(path, &name, &text(path)?)?);
        }
        Ok(Self { path: dir.to_owned(), keys, cases })
    }

    /// Runs every case, each with a memory of its own that holds only the case it comes after.
    pub(super) async fn judge(&self) -> Result<Vec<Judged>, Failure> {
        let mut judged = Vec::with_capacity(self.cases.len());
        for case in self.cases.values() {
            let memory = MemoryReplay::ephemeral(1000);
            if let Some(before) = &case.after {
                // Whatever comes of it: it has a verdict of its own.
                drop(self.other(case, before)?.pass(None, &self.keys, &memory).await);
            }
            let answered = case.answers.as_ref().map(|request| self.other(case, request)).transpose()?;
            let (actual, reason) = match case.pass(answered, &self.keys, &memory).await {
                Ok(identity) => ("accepted".to_owned(), format!("signed by {}", identity.partner)),
                Err(Refusal::Rejected(rejection)) => {
                    (rejection.code().as_str().to_owned(), rejection.reason().to_owned())
                }
                Err(Refusal::Unavailable(unavailable)) => ("unavailable".to_owned(), unavailable.to_string()),
            };
            let name = self.path.join(&case.name).display().to_string();
            judged.push(Judged { name, expected: case.expect.clone(), actual, reason });
        }
        Ok(judged)
    }

    /// The case that another one names.
    fn other(&self, case: &Case, name: &str) -> Result<&Case, Failure> {
        self.cases.get(name).ok_or_else(|| {
            Failure::usage(format!("{}: {} names {name}, which is not there", self.path.display(), case.name))
        })
    }
}

/// Every file is a case but the keys, texts about the folder, and what editors leave behind.
fn is_case(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let hidden = name.starts_with('.') || name.ends_with('~');
    let about = ["json", "md"].iter().any(|end| path.extension().is_some_and(|extension| extension == *end))
        || name.starts_with("LICEN");
    !hidden && !about
}
