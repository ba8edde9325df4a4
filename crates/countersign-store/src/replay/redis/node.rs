use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::mark::{beside, read_beside};
use super::settle::Known;
use crate::file::{self, FileError};
use crate::replay::per_scheme::Millis;

/// `<data>/replay.mark`: by which shared memory this node admitted last, so that it notices a store that forgot while it
/// was away.
pub(in crate::replay) struct NodeFile {
    path: PathBuf,
    /// Whether something was admitted that no line tells of.
    other: bool,
    /// Line and longest skews, per part of the store.
    lines: Lines,
}

type Lines = BTreeMap<String, (String, Millis)>;

impl NodeFile {
    /// Reads the file, or makes it. `ran_before` says that a gateway admitted by this directory before.
    ///
    /// # Errors
    /// [`FileError`] when it can't be read or written. One that makes no sense counts as having admitted by another memory.
    pub(super) fn open(dir: &Path, ran_before: bool) -> Result<Self, FileError> {
        let path = path_in(dir);
        match std::fs::read_to_string(&path) {
            Ok(text) => {
                let read = parse(&text);
                let (other, lines) = read.unwrap_or((true, Lines::new()));
                Ok(Self { path, other, lines })
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidData) => {
                let other = ran_before || error.kind() == io::ErrorKind::InvalidData;
                let node = Self { path, other, lines: Lines::new() };
                node.write()?;
                Ok(node)
            }
            Err(error) => Err(FileError::of("read", &path)(error)),
        }
    }

    /// A gateway with a memory of its own admits from here on, and a shared one knows nothing of that.
    pub(in crate::replay) fn remove(dir: &Path) -> Result<(), FileError> {
        let path = path_in(dir);
        match std::fs::remove_file(&path) {
            Ok(()) => file::sync_dir_of(&path).map_err(FileError::of("remove", &path)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(FileError::of("remove", &path)(error)),
        }
    }

    pub(super) fn known(&self, part: &str) -> Known {
        match self.lines.get(part) {
            Some((line, skew)) => Known::Line(line.clone(), *skew),
            None if self.other => Known::Other,
            None => Known::Nothing,
        }
    }

    /// Remembers a part's line and skew, durably: before anything is admitted by it. Writes only what is new.
    ///
    /// # Errors
    /// [`FileError`] when it could not be written.
    pub(super) fn note(&mut self, part: &str, line: &str, skew: Millis) -> Result<(), FileError> {
        if self.lines.get(part).is_some_and(|(known, its)| known == line && its.covers(&skew)) {
            return Ok(());
        }
        let before = self.lines.insert(part.to_owned(), (line.to_owned(), skew));
        self.write().inspect_err(|_| {
            match before {
                Some(before) => self.lines.insert(part.to_owned(), before),
                None => self.lines.remove(part),
            };
        })
    }

    fn write(&self) -> Result<(), FileError> {
        let pair = |line: &str, skew: Millis| match beside(Some(skew.longest()), skew) {
            None => json!([line, skew.longest()]),
            Some(each) => json!([line, skew.longest(), each]),
        };
        let lines: serde_json::Map<String, Value> =
            self.lines.iter().map(|(part, (line, skew))| (part.clone(), pair(line, *skew))).collect();
        let text = json!({"countersign_node": 1, "other": self.other, "lines": lines}).to_string();
        file::replace(&self.path, |out| out.write_all(text.as_bytes()))
    }
}

fn path_in(dir: &Path) -> PathBuf {
    dir.join("replay.mark")
}

fn parse(text: &str) -> Option<(bool, Lines)> {
    let value: Value = serde_json::from_str(text).ok()?;
    if value["countersign_node"] != 1 {
        return None;
    }
    let lines = value["lines"].as_object()?.iter().map(|(part, pair)| {
        let skew = read_beside(Some(pair[1].as_i64()?), pair.get(2))
            .filter(|all| all.iter().all(|(_, skew)| skew.is_none_or(|skew| skew >= 0)))?;
        Some((part.clone(), (pair[0].as_str()?.to_owned(), skew)))
    });
    Some((value["other"].as_bool()?, lines.collect::<Option<_>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skew(millis: i64) -> Millis {
        Millis::all(Some(millis))
    }

    #[test]
    fn what_was_admitted_by_is_known_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let mut node = NodeFile::open(dir.path(), false).unwrap();
        assert_eq!(node.known("0"), Known::Nothing);
        // A gateway that never reached its store is still one that admitted nothing.
        assert_eq!(NodeFile::open(dir.path(), true).unwrap().known("0"), Known::Nothing);
        node.note("0", "a", skew(30)).unwrap();
        node.note("0", "a", skew(20)).unwrap();
        let node = NodeFile::open(dir.path(), false).unwrap();
        assert_eq!((node.known("0"), node.known("1")), (Known::Line("a".to_owned(), skew(30)), Known::Nothing));
    }

    #[test]
    fn what_the_version_before_wrote_is_of_all_schemes_and_it_reads_what_is_written_now() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("replay.mark");
        std::fs::write(&path, r#"{"countersign_node":1,"lines":{"0":["a",300]},"other":false}"#).unwrap();
        let mut node = NodeFile::open(dir.path(), true).unwrap();
        assert_eq!(node.known("0"), Known::Line("a".to_owned(), skew(300)));
        let each = Millis::each(|scheme| (scheme != countersign::Scheme::Pki).then_some(30));
        node.note("1", "b", each).unwrap();
        let text: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        assert_eq!(text["countersign_node"], 1);
        assert_eq!(text["lines"]["0"], json!(["a", 300]));
        assert_eq!((&text["lines"]["1"][0], &text["lines"]["1"][1]), (&json!("b"), &json!(30)));
        let node = NodeFile::open(dir.path(), true).unwrap();
        assert_eq!(node.known("1"), Known::Line("b".to_owned(), each));
        assert_eq!(node.known("0"), Known::Line("a".to_owned(), skew(300)));
    }

    #[test]
    fn a_node_that_ran_without_it_or_whose_file_is_damaged_knows_another_memory() {
        let dir = tempfile::tempdir().unwrap();
        NodeFile::open(dir.path(), false).unwrap().note("0", "a", skew(30)).unwrap();
        let path = dir.path().join("replay.mark");
        let good = std::fs::read_to_string(&path).unwrap();
        for damaged in [&good[..good.len() - 1], "", "{}", &good.replace("30", "-30")] {
            std::fs::write(&path, damaged).unwrap();
            assert_eq!(NodeFile::open(dir.path(), false).unwrap().known("0"), Known::Other, "{damaged}");
        }
        NodeFile::remove(dir.path()).unwrap();
        NodeFile::remove(dir.path()).unwrap();
        assert_eq!(NodeFile::open(dir.path(), true).unwrap().known("0"), Known::Other);
    }
}
