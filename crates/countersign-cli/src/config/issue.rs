use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// Where a setting stands. Sorts in the order in which a person would look: the file from top to bottom, then the
/// environment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The file as a whole: what is said of a setting that stands nowhere.
    File(Arc<str>),
    /// A place in the file. Both count from 1, the column in characters.
    Line {
        /// The file as the user named it.
        file: Arc<str>,
        /// The line.
        line: usize,
        /// The column.
        column: usize,
    },
    /// An environment variable that overrides the file.
    Variable(String),
}

impl Place {
    pub(super) fn whole(file: &Path) -> Self {
        Place::File(file.display().to_string().into())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::File(file) => f.write_str(file),
            Place::Line { file, line, column } => write!(f, "{file}:{line}:{column}"),
            Place::Variable(name) => f.write_str(name),
        }
    }
}

/// One thing to say about the configuration: what, where, and what to do about it. It never holds a password of a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    place: Place,
    text: String,
    hints: Vec<String>,
}

/// An issue that does not keep anything from starting.
pub type Warning = Issue;

impl Issue {
    pub(super) fn new(place: Place, text: impl Into<String>) -> Self {
        Self { place, text: text.into(), hints: Vec::new() }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Where it is.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Place and text, as they stand behind `countersign: error: `.
    #[must_use]
    pub fn message(&self) -> String {
        format!("{}: {}", self.place, self.text)
    }

    /// What to do next, as it stands behind `hint: `.
    #[must_use]
    pub fn hints(&self) -> &[String] {
        &self.hints
    }
}

/// [`Issue::message`], then each hint on a line of its own.
impl fmt::Display for Issue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message())?;
        self.hints.iter().try_for_each(|hint| write!(f, "\nhint: {hint}"))
    }
}

/// Why a configuration is refused: every fault that was found, at least one, in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    issues: Vec<Issue>,
}

impl ConfigError {
    pub(super) fn new(mut issues: Vec<Issue>) -> Self {
        issues.sort_by(|one, other| one.place.cmp(&other.place));
        issues.dedup();
        Self { issues }
    }

    /// Each fault with its own hints, for callers that print them one below the other.
    #[must_use]
    pub fn issues(&self) -> &[Issue] {
        &self.issues
    }

    /// All messages, a line each.
    #[must_use]
    pub fn message(&self) -> String {
        self.issues.iter().map(Issue::message).collect::<Vec<_>>().join("\n")
    }

    /// All hints, each once.
    #[must_use]
    pub fn hints(&self) -> Vec<&str> {
        let mut all: Vec<&str> = Vec::new();
        for hint in self.issues.iter().flat_map(|issue| &issue.hints) {
            if !all.contains(&hint.as_str()) {
                all.push(hint);
            }
        }
        all
    }
}

/// The faults with their hints, one below the other.
impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, issue) in self.issues.iter().enumerate() {
            write!(f, "{}{issue}", if index == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_told_in_the_order_of_the_file_and_hints_once() {
        let at = |line| Place::Line { file: "c.toml".into(), line, column: 1 };
        let error = ConfigError::new(vec![
            Issue::new(Place::Variable("COUNTERSIGN_DATA".into()), "third"),
            Issue::new(at(9), "second").hint("the same"),
            Issue::new(at(2), "first").hint("the same"),
        ]);
        assert_eq!(error.message(), "c.toml:2:1: first\nc.toml:9:1: second\nCOUNTERSIGN_DATA: third");
        assert_eq!(error.hints(), ["the same"]);
        assert_eq!(error.to_string().lines().nth(1), Some("hint: the same"));
    }
}
