use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::document::{Node, Table, Value};
use super::forms::{self, Form, Wrong};
use super::issue::{Issue, Place};
use super::overlay::{self, Override};
use super::reader::{Known, Reader, Unknown, header, join, without_indices};
use super::units::{show_duration, show_size};

/// One table of the document, while it is read.
pub(super) struct Section<'r> {
    reader: &'r mut Reader,
    /// `""`, `gateway.tls`, `route[0].pki`.
    path: String,
    table: Table,
    place: Place,
    /// Not there: read only so that its keys are known.
    absent: bool,
    /// Nothing stands behind the whole section yet, and that was said.
    said: bool,
}

impl<'r> Section<'r> {
    /// The top of the document.
    pub(super) fn document(reader: &'r mut Reader, table: Table, place: Place) -> Self {
        Self { reader, path: String::new(), table, place, absent: false, said: false }
    }
}

impl Section<'_> {
    /// The value of a key. `None` where it is absent or wrong; what is wrong was told.
    pub(super) fn value<T>(&mut self, key: &'static str, form: Form<T>) -> Option<T> {
        let node = match self.take(key)? {
            Given::Stands(node) => node,
            Given::Overridden(variable) => variable.value(|node| form(node).is_ok()),
        };
        self.note(key, &node);
        form(&node).map_err(|wrong| self.wrong(key, "is", &node, wrong)).ok()
    }

    /// The value of a key that the section can't do without.
    pub(super) fn required<T>(&mut self, key: &'static str, form: Form<T>) -> Option<T> {
        let given = self.table.contains_key(key) || self.is_overridden(key);
        if !given {
            self.lack(key, None);
        }
        self.value(key, form)
    }

    /// Says that the section can't do without a key, and what to write.
    pub(super) fn lacks(&mut self, key: &str, hint: &str) {
        self.lack(key, Some(hint));
    }

    fn lack(&mut self, key: &str, hint: Option<&str>) {
        if self.absent {
            return;
        }
        let issue = Issue::new(self.place.clone(), format!("{} lacks \"{key}\"", header(&self.path)));
        self.reader.issues.push(match hint {
            Some(hint) => issue.hint(hint),
            None => issue,
        });
    }

    /// Whether something stands under a key that is no section: for a key that may be a list or a section with that list under
    /// `inside`. A variable can't make a list of what the file has as a section: all else in there would be gone.
    pub(super) fn is_list(&mut self, key: &str, inside: &str) -> bool {
        let is_section = self.table.get(key).map(|(_, node)| matches!(node.value, Value::Table(_)));
        if is_section != Some(true) {
            return is_section.is_some() || self.is_overridden(key);
        }
        let path = join(&self.path, key);
        if let Some(variable) = self.reader.overlay.take(&path) {
            let text = format!("the file has a section [{path}], which a list would take the place of");
            let hint = format!("{} overrides the {inside} in it", overlay::variable(&join(&path, inside)));
            self.reader.issues.push(Issue::new(variable.place, text).hint(hint));
        }
        false
    }

    /// A list. Every item that is wrong is told, and every item that stands twice.
    pub(super) fn list<T: PartialEq>(&mut self, key: &'static str, form: Form<T>) -> Option<Vec<T>> {
        let node = match self.take(key)? {
            Given::Stands(node) => node,
            Given::Overridden(variable) => variable.list(),
        };
        self.note(key, &node);
        let Value::List(items) = &node.value else {
            let hint = node.as_text().map(|_| format!("write {key} = [{node}]"));
            self.wrong(key, "is", &node, Wrong { expected: "expected a list".to_owned(), hint });
            return None;
        };
        let mut list = Vec::new();
        for item in items {
            match form(item) {
                Ok(value) if list.contains(&value) => {
                    self.issue(item, format!("{key} has {item} twice"));
                }
                Ok(value) => list.push(value),
                Err(wrong) => self.wrong(key, "has", item, wrong),
            }
        }
        Some(list)
    }

    /// A list that the section can't do without; one value alone is a list of one.
    pub(super) fn required_list<T: PartialEq>(&mut self, key: &'static str, form: Form<T>) -> Option<Vec<T>> {
        match self.table.get(key) {
            Some((_, Node { value: Value::List(items), .. })) if !items.is_empty() => self.list(key, form),
            Some((_, node @ Node { value: Value::List(_), .. })) => {
                let node = node.clone();
                self.take(key);
                self.wrong(key, "is", &node, Wrong::new("expected one at least"));
                None
            }
            _ => self.required(key, form).map(|only| vec![only]),
        }
    }

    /// A path, taken from the directory of the file if it is relative.
    pub(super) fn path(&mut self, key: &'static str) -> Option<PathBuf> {
        self.value(key, forms::path).map(|path| self.resolve(&path))
    }

    /// As [`Self::path`], where the section can't do without.
    pub(super) fn required_path(&mut self, key: &'static str) -> Option<PathBuf> {
        self.required(key, forms::path).map(|path| self.resolve(&path))
    }

    pub(super) fn paths(&mut self, key: &'static str) -> Option<Vec<PathBuf>> {
        let paths = self.list(key, forms::path)?;
        Some(paths.iter().map(|path| self.resolve(path)).collect())
    }

    /// `path` as seen from the directory of the file.
    pub(super) fn resolve(&self, path: &Path) -> PathBuf {
        self.reader.base.join(path)
    }

    pub(super) fn duration(&mut self, key: &'static str, range: RangeInclusive<Duration>) -> Option<Duration> {
        self.within(key, forms::duration, range, |duration| show_duration(*duration))
    }

    pub(super) fn size(&mut self, key: &'static str, range: RangeInclusive<u64>) -> Option<u64> {
        self.within(key, forms::size, range, |bytes| show_size(*bytes))
    }

    pub(super) fn number(&mut self, key: &'static str, range: RangeInclusive<usize>) -> Option<usize> {
        self.within(key, forms::number, range, usize::to_string)
    }

    fn within<T: PartialOrd>(
        &mut self,
        key: &'static str,
        form: Form<T>,
        range: RangeInclusive<T>,
        show: fn(&T) -> String,
    ) -> Option<T> {
        let value = self.value(key, form)?;
        if range.contains(&value) {
            return Some(value);
        }
        let place = self.reader.places.of(&join(&self.path, key)).clone();
        let (value, least, most) = (show(&value), show(range.start()), show(range.end()));
        let mut issue = Issue::new(place, format!("{key} is {value}: expected {least} to {most}"));
        if value.starts_with('0') {
            issue = issue.hint("zero switches no limit off: it would admit nothing");
        }
        self.reader.issues.push(issue);
        None
    }

    /// A section that has defaults for everything, there or not.
    pub(super) fn section<T>(&mut self, key: &'static str, read: impl FnOnce(&mut Section<'_>) -> T) -> T {
        self.open(key, read).1
    }

    /// A section that means something by being there.
    pub(super) fn optional<T>(&mut self, key: &'static str, read: impl FnOnce(&mut Section<'_>) -> T) -> Option<T> {
        let (there, value) = self.open(key, read);
        there.then_some(value)
    }

    fn open<T>(&mut self, key: &'static str, read: impl FnOnce(&mut Section<'_>) -> T) -> (bool, T) {
        self.know(key, true);
        let path = join(&self.path, key);
        let found = match self.table.remove(key) {
            Some((_, Node { place, value: Value::Table(table) })) => Some((place, table)),
            Some((place, node)) => {
                let hint = format!("write [{}] above the keys of the section", without_indices(&path));
                self.reader.issues.push(Issue::new(place, format!("{key} is {node}: expected a section")).hint(hint));
                None
            }
            None if self.reader.overlay.has_section(&path) => Some((self.place.clone(), Table::new())),
            None => None,
        };
        let there = found.is_some();
        (there, self.enter(path, found, read))
    }

    /// A list of sections, `[[key]]`.
    pub(super) fn each<T>(&mut self, key: &'static str, read: impl Fn(&mut Section<'_>) -> T) -> Vec<T> {
        self.know(key, true);
        let path = join(&self.path, key);
        self.enter(format!("{path}[]"), None, &read);
        let items = match self.table.remove(key) {
            Some((_, Node { value: Value::List(items), .. })) => items,
            Some((place, node)) => {
                let issue = Issue::new(place, format!("{key} is {node}: expected a list of sections"));
                self.reader.issues.push(issue.hint(format!("write [[{path}]], with two brackets")));
                return Vec::new();
            }
            None => return Vec::new(),
        };
        let mut all = Vec::new();
        for (index, item) in items.into_iter().enumerate() {
            if let Node { place, value: Value::Table(table) } = item {
                all.push(self.enter(format!("{path}[{index}]"), Some((place, table)), &read));
            } else {
                self.issue(&item, format!("{key} has {item}: expected a section"));
            }
        }
        all
    }

    fn enter<T>(&mut self, path: String, found: Option<(Place, Table)>, read: impl FnOnce(&mut Section<'_>) -> T) -> T {
        let absent = found.is_none();
        let (place, table) = found.unwrap_or_else(|| (self.place.clone(), Table::new()));
        let mut said = self.said;
        if !absent {
            self.reader.places.all.insert(path.clone(), place.clone());
            let node = Node { place: place.clone(), value: Value::Table(Table::new()) };
            said = said || self.reader.note(&path, &node);
        }
        Section { reader: &mut *self.reader, path, table, place, absent, said }.read(read)
    }

    /// Reads the section, and keeps what nothing asked for.
    pub(super) fn read<T>(mut self, read: impl FnOnce(&mut Section<'_>) -> T) -> T {
        let value = read(&mut self);
        let section = without_indices(&self.path);
        for (key, (place, _)) in std::mem::take(&mut self.table) {
            self.reader.unknown.push(Unknown { place, section: section.clone(), key });
        }
        value
    }

    fn know(&mut self, key: &'static str, is_section: bool) {
        let known = Known { section: without_indices(&self.path), key, is_section };
        if !self.reader.known.contains(&known) {
            self.reader.known.push(known);
        }
    }

    fn take(&mut self, key: &'static str) -> Option<Given> {
        self.know(key, false);
        let stands = self.table.remove(key).map(|(_, node)| node);
        let path = join(&self.path, key);
        let given = if self.is_overridden(key) {
            Given::Overridden(self.reader.overlay.take(&path)?)
        } else {
            Given::Stands(stands?)
        };
        let place = match &given {
            Given::Stands(node) => &node.place,
            Given::Overridden(variable) => &variable.place,
        };
        self.reader.places.all.insert(path, place.clone());
        Some(given)
    }

    fn is_overridden(&self, key: &str) -> bool {
        // A variable can't say which of the routes it means.
        !self.path.contains('[') && self.reader.overlay.has(&join(&self.path, key))
    }

    fn note(&mut self, key: &str, node: &Node) {
        if !self.said {
            self.reader.note(&join(&self.path, key), node);
        }
    }

    fn wrong(&mut self, key: &str, verb: &str, node: &Node, wrong: Wrong) {
        let mut issue = Issue::new(node.place.clone(), format!("{key} {verb} {node}: {}", wrong.expected));
        if let Some(hint) = wrong.hint {
            issue = issue.hint(hint.replacen(" KEY ", &format!(" {key} "), 1));
        }
        self.reader.issues.push(issue);
    }

    fn issue(&mut self, node: &Node, text: String) {
        self.reader.issues.push(Issue::new(node.place.clone(), text));
    }
}

enum Given {
    Stands(Node),
    Overridden(Override),
}
