use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::document::{Node, Table};
use super::issue::{Issue, Place};
use super::nearest::did_you_mean;
use super::not_yet::{self, Weight};
use super::overlay::Overlay;
use super::section::Section;

/// Reads a document section by section and key by key.
///
/// What reads a key thereby makes it known: there is no second list of keys. Whatever is left of a section when it has been
/// read is unknown, and so is whatever is left of the environment at the end. For that, a section that is absent is read
/// all the same, from nothing, and what comes out is dropped.
pub(super) struct Reader {
    pub(super) base: PathBuf,
    pub(super) overlay: Overlay,
    /// Everything that could stand in a file.
    pub(super) known: Vec<Known>,
    pub(super) places: Places,
    /// Faults of form: where there are any, nothing more is concluded from what was read.
    pub(super) issues: Vec<Issue>,
    /// Settings that are fine, but that nothing stands behind yet.
    pub(super) not_yet: Vec<Issue>,
    pub(super) warnings: Vec<Issue>,
    pub(super) unknown: Vec<Unknown>,
}

/// A key that can stand in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Known {
    /// Its section, without the index of a route.
    pub(super) section: String,
    pub(super) key: &'static str,
    /// Whether it is a section itself.
    pub(super) is_section: bool,
}

/// A key that nothing read.
pub(super) struct Unknown {
    pub(super) place: Place,
    /// Its section, without the index of a route.
    pub(super) section: String,
    pub(super) key: String,
}

/// Where each setting stands, by its path: `gateway.listen`, `route[0].upstream`.
#[derive(Clone, Debug)]
pub(super) struct Places {
    file: Place,
    pub(super) all: BTreeMap<String, Place>,
}

impl Places {
    pub(super) fn new(file: &Path) -> Self {
        Self { file: Place::whole(file), all: BTreeMap::new() }
    }

    /// The place of a setting, of its section if it stands nowhere, at last of the file.
    pub(super) fn of(&self, path: &str) -> &Place {
        let mut path = path;
        loop {
            if let Some(place) = self.all.get(path) {
                return place;
            }
            match path.rfind('.') {
                Some(dot) => path = &path[..dot],
                None => return &self.file,
            }
        }
    }

    /// Whether it stands in the file or the environment, rather than being a default.
    pub(super) fn has(&self, path: &str) -> bool {
        self.all.contains_key(path)
    }
}

impl Reader {
    pub(super) fn new(file: &Path, environment: impl Iterator<Item = (String, String)>) -> Self {
        Self {
            base: file.parent().unwrap_or(Path::new("")).to_owned(),
            overlay: Overlay::new(environment),
            known: Vec::new(),
            places: Places::new(file),
            issues: Vec::new(),
            not_yet: Vec::new(),
            warnings: Vec::new(),
            unknown: Vec::new(),
        }
    }

    /// Reads the whole document.
    pub(super) fn read<T>(&mut self, table: Table, read: impl FnOnce(&mut Section<'_>) -> T) -> T {
        let place = self.places.file.clone();
        let value = Section::document(self, table, place).read(read);
        self.tell_unknown();
        value
    }

    fn tell_unknown(&mut self) {
        for Unknown { place, section, key } in std::mem::take(&mut self.unknown) {
            let here: Vec<&str> = self.known.iter().filter(|it| it.section == section).map(|it| it.key).collect();
            let meant = did_you_mean(&key, here.iter().copied()).map(|meant| format!(": {meant}"));
            let mut issue = Issue::new(
                place,
                format!("unknown key \"{}\"{}", key.escape_debug(), meant.as_deref().unwrap_or_default()),
            );
            if meant.is_none() {
                let elsewhere = self.known.iter().find(|it| it.key == key);
                issue = issue.hint(match elsewhere {
                    Some(it) => format!("\"{key}\" belongs {}", inside(&it.section)),
                    None if here.is_empty() => format!("there are no keys {} yet", inside(&section)),
                    None => format!("known {}: {}", inside(&section), here.join(", ")),
                });
            }
            self.issues.push(issue);
        }
        let settable = self.known.iter().filter(|it| !it.is_section && !it.section.starts_with("route"));
        let settable: Vec<String> = settable.map(|it| join(&it.section, it.key)).collect();
        let overlay = std::mem::replace(&mut self.overlay, Overlay::new(std::iter::empty()));
        self.issues.extend(overlay.left(&settable));
    }

    /// Says of a setting what of it nothing stands behind yet, and whether there was anything to say.
    pub(super) fn note(&mut self, path: &str, node: &Node) -> bool {
        let mut said = false;
        for entry in not_yet::find(&without_indices(path), node) {
            let issues = match entry.weight() {
                Weight::Error => &mut self.not_yet,
                Weight::Warning => &mut self.warnings,
            };
            issues.push(entry.issue(node));
            said = true;
        }
        said
    }
}

pub(super) fn join(section: &str, key: &str) -> String {
    if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") }
}

/// `route[0].pki` is `route.pki`.
pub(super) fn without_indices(path: &str) -> String {
    path.split('.').map(|part| part.split('[').next().unwrap_or_default()).collect::<Vec<_>>().join(".")
}

/// A section as it is written: `[gateway.tls]`, `[[route]]`.
pub(super) fn header(path: &str) -> String {
    match without_indices(path).as_str() {
        "" => "the file".to_owned(),
        "route" => "[[route]]".to_owned(),
        path => format!("[{path}]"),
    }
}

pub(super) fn inside(section: &str) -> String {
    if section.is_empty() {
        "at the top, before the first section".to_owned()
    } else {
        format!("in {}", header(section))
    }
}
