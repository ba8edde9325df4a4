use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::issue::{Issue, Place};

/// A value and where it stands, in the file or in the environment.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) value: Value,
}

/// A TOML value, as far as a configuration of ours can hold one.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(String),
    Integer(i64),
    Flag(bool),
    List(Vec<Node>),
    Table(Table),
    /// What no setting takes: a float, a date, an integer beyond 64 bits. Kept as it is shown.
    Other(String),
}

/// The members of a table: the place of the key, and the value.
pub(super) type Table = BTreeMap<String, (Place, Node)>;

/// Reads a whole file. All mistakes of syntax are told, one per line.
pub(super) fn parse(text: &str, file: &Arc<str>) -> Result<Table, Vec<Issue>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    let places = Lines::new(file, text);
    let mut issues: Vec<Issue> = errors
        .iter()
        .map(|error| Issue::new(places.at(error.span().map_or(text.len(), |span| span.start)), error.message()))
        .collect();
    issues.sort_by(|one, other| one.place().cmp(other.place()));
    issues.dedup_by_key(|issue| match issue.place() {
        Place::Line { line, .. } => *line,
        _ => 0,
    });
    if issues.is_empty() { Ok(places.table(table.into_inner())) } else { Err(issues) }
}

/// Reads one value, as it may stand in an environment variable.
pub(super) fn parse_value(text: &str, place: &Place) -> Option<Node> {
    let value = DeValue::parse(text).ok()?.into_inner();
    Some(Fixed(place).node(value))
}

impl Node {
    pub(super) fn text(place: Place, text: &str) -> Self {
        Self { place, value: Value::Text(text.to_owned()) }
    }

    pub(super) fn as_text(&self) -> Option<&str> {
        if let Value::Text(text) = &self.value { Some(text) } else { None }
    }
}

/// The value as an error may quote it: on one line, short, and without the credentials of a URL.
impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Value::Text(text) => write!(f, "{:?}", without_credentials(text)),
            Value::Integer(number) => write!(f, "{number}"),
            Value::Flag(flag) => write!(f, "{flag}"),
            Value::List(_) => f.write_str("a list"),
            Value::Table(_) => f.write_str("a table"),
            Value::Other(text) => f.write_str(text),
        }
    }
}

fn without_credentials(text: &str) -> String {
    let (plain, query) = match text.split_once('?') {
        Some((plain, _)) if plain.contains(':') => (plain, "?…"),
        _ => (text, ""),
    };
    let mut shown = match (plain.find(':'), plain.rfind('@')) {
        (Some(colon), Some(at)) if colon < at => format!("{}…{}{query}", &plain[..=colon], &plain[at..]),
        _ => format!("{plain}{query}"),
    };
    if let Some((end, _)) = shown.char_indices().nth(80) {
        shown.replace_range(end.., "…");
    }
    shown
}

/// Turns what the parser found into nodes. Implemented where spans mean something, and where they don't.
trait Convert {
    fn place(&self, start: usize) -> Place;

    fn table(&self, table: DeTable<'_>) -> Table {
        let entries = table.into_iter().map(|(key, value)| {
            let place = self.place(key.span().start);
            (key.into_inner().into_owned(), (place, self.spanned(value)))
        });
        entries.collect()
    }

    fn spanned(&self, value: Spanned<DeValue<'_>>) -> Node {
        let place = self.place(value.span().start);
        Node { place, ..self.node(value.into_inner()) }
    }

    fn node(&self, value: DeValue<'_>) -> Node {
        let value = match value {
            DeValue::String(text) => Value::Text(text.into_owned()),
            DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => Value::Integer(number),
                Err(_) => Value::Other(number.to_string()),
            },
            DeValue::Float(number) => Value::Other(number.to_string()),
            DeValue::Boolean(flag) => Value::Flag(flag),
            DeValue::Datetime(time) => Value::Other(time.to_string()),
            DeValue::Array(items) => Value::List(items.into_iter().map(|item| self.spanned(item)).collect()),
            DeValue::Table(table) => Value::Table(self.table(table)),
        };
        Node { place: self.place(0), value }
    }
}

struct Lines<'a> {
    file: &'a Arc<str>,
    text: &'a str,
    /// Where each line starts.
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn new(file: &'a Arc<str>, text: &'a str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { file, text, starts }
    }

    fn at(&self, offset: usize) -> Place {
        let offset = self.text.floor_char_boundary(offset);
        let line = self.starts.partition_point(|start| *start <= offset);
        let column = 1 + self.text[self.starts[line - 1]..offset].chars().count();
        Place::Line { file: self.file.clone(), line, column }
    }
}

impl Convert for Lines<'_> {
    fn place(&self, start: usize) -> Place {
        self.at(start)
    }
}

struct Fixed<'a>(&'a Place);

impl Convert for Fixed<'_> {
    fn place(&self, _: usize) -> Place {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Table, Vec<String>> {
        parse(text, &"c.toml".into()).map_err(|issues| issues.iter().map(Issue::message).collect())
    }

    #[test]
    fn places_count_from_one_and_in_characters() {
        let table = read("# é\n[gateway]\n\"ключ\" = 'ü' # x\n[[route]]\npath = 1\n[[route]]\n").unwrap();
        let Value::Table(gateway) = &table["gateway"].1.value else { panic!() };
        assert_eq!(table["gateway"].0.to_string(), "c.toml:2:2");
        assert_eq!(gateway["ключ"].0.to_string(), "c.toml:3:1");
        assert_eq!(gateway["ключ"].1.place.to_string(), "c.toml:3:10");
        let Value::List(routes) = &table["route"].1.value else { panic!() };
        assert_eq!(routes[1].place.to_string(), "c.toml:6:1");
    }

    #[test]
    fn every_line_with_a_mistake_of_syntax_is_told() {
        let told = read("a = \nb = 1\n[c\n").unwrap_err();
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].starts_with("c.toml:1:") && told[1].starts_with("c.toml:3:"), "{told:?}");
    }

    #[test]
    fn a_key_that_stands_twice_is_a_mistake() {
        let told = read("a = 1\na = 2\n").unwrap_err();
        assert!(told[0].starts_with("c.toml:2:1: duplicate key"), "{told:?}");
    }

    #[test]
    fn credentials_in_urls_are_never_quoted() {
        for (text, shown) in [
            ("postgres://u:geheim@h/db", "postgres:…@h/db"),
            ("postgres://u:a@b:c@h/db?password=geheim", "postgres:…@h/db?…"),
            ("redis:x:geheim@h", "redis:…@h"),
            ("postgres://h/db?password=a@geheim", "postgres://h/db?…"),
            ("http://h/?token=geheim", "http://h/?…"),
            ("@method", "@method"),
            ("127.0.0.1:80", "127.0.0.1:80"),
        ] {
            assert_eq!(without_credentials(text), shown);
        }
        assert!(without_credentials(&"ä".repeat(1000)).chars().count() < 100);
    }
}
