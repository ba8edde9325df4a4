use std::fmt;
use std::str::FromStr;

use crate::json::{Document, Kind, Value};

/// A JSON pointer (RFC 6901), in which `*` stands for every element of an array.
///
/// ```
/// use countersign::Pointer;
///
/// assert!("/cards/*/number".parse::<Pointer>().is_ok());
/// assert!("card/number".parse::<Pointer>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pointer {
    text: String,
    /// What stands between the slashes, `~0` and `~1` undone.
    steps: Vec<String>,
}

/// Why a text is no [`Pointer`]: one clause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidPointer(&'static str);

impl Pointer {
    /// The pointer as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether all that it points to lies inside what `other` points to, where `*` stands for elements.
    ///
    /// ```
    /// use countersign::Pointer;
    ///
    /// let [card, number] = ["/card", "/card/number"].map(|text| text.parse::<Pointer>().expect("a pointer"));
    /// assert!(number.lies_in(&card) && !card.lies_in(&number) && !card.lies_in(&card));
    /// ```
    #[must_use]
    pub fn lies_in(&self, other: &Self) -> bool {
        let is_in = |(one, other): (&String, &String)| one == other || (other == "*" && is_index(one));
        self.steps.len() > other.steps.len() && self.steps.iter().zip(&other.steps).all(is_in)
    }

    /// Calls `each` for every value of the document that it points to, with the pointer to that one alone, in the order of
    /// the document's elements, until it gives an error.
    ///
    /// # Errors
    /// That of `each`.
    pub(super) fn each<'d, 'a, E>(
        &self,
        document: &'d Document<'a>,
        each: &mut impl FnMut(&str, Value<'d, 'a>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut end = |at: &str, end| match end {
            End::Value(value) => each(at, value),
            End::Nowhere(_) => Ok(()),
        };
        walk(&mut String::new(), document.root(), &self.steps, &mut end)
    }

    /// The first place at which the document lacks what it points to: `/cards/1/number` for `/cards/*/number` where the second
    /// card has none, `/cards/*/number` where there are no cards. An array without elements lacks nothing.
    pub(super) fn lacking(&self, document: &Document<'_>) -> Option<String> {
        let mut end = |at: &str, end: End<'_, '_, '_>| match end {
            End::Value(_) => Ok(()),
            End::Nowhere(rest) => Err(rest.iter().fold(at.to_owned(), |place, step| place + "/" + &escaped(step))),
        };
        walk(&mut String::new(), document.root(), &self.steps, &mut end).err()
    }
}

/// Where a walk ends.
enum End<'s, 'd, 'a> {
    Value(Value<'d, 'a>),
    /// With these steps left, the first of which leads nowhere.
    Nowhere(&'s [String]),
}

/// As deep as a pointer has steps.
fn walk<'s, 'd, 'a, E>(
    at: &mut String,
    value: Value<'d, 'a>,
    steps: &'s [String],
    each: &mut impl FnMut(&str, End<'s, 'd, 'a>) -> Result<(), E>,
) -> Result<(), E> {
    let Some((step, rest)) = steps.split_first() else { return each(at, End::Value(value)) };
    let here = at.len();
    let mut into = |name: &str, value| {
        at.push('/');
        at.push_str(name);
        let walked = walk(at, value, rest, each);
        at.truncate(here);
        walked
    };
    match value.kind() {
        Kind::Array if step == "*" => {
            value.elements().enumerate().try_for_each(|(index, element)| into(&index.to_string(), element))
        }
        Kind::Array if is_index(step) => match step.parse().ok().and_then(|index| value.elements().nth(index)) {
            Some(element) => into(step, element),
            None => each(at, End::Nowhere(steps)),
        },
        Kind::Object => match value.member(step) {
            Some(member) => into(&escaped(step), member),
            None => each(at, End::Nowhere(steps)),
        },
        _ => each(at, End::Nowhere(steps)),
    }
}

/// §3: a step as it is written in a pointer.
fn escaped(step: &str) -> String {
    step.replace('~', "~0").replace('/', "~1")
}

/// §4: no sign, no leading zero.
fn is_index(step: &str) -> bool {
    step == "0" || (!step.starts_with('0') && !step.is_empty() && step.bytes().all(|byte| byte.is_ascii_digit()))
}

impl FromStr for Pointer {
    type Err = InvalidPointer;

    fn from_str(text: &str) -> Result<Self, InvalidPointer> {
        let Some(rest) = text.strip_prefix('/') else {
            return Err(InvalidPointer("a JSON pointer begins with a slash, such as /card/number"));
        };
        if text.len() > LONGEST || rest.split('/').count() > DEEPEST {
            return Err(InvalidPointer("a JSON pointer has at most 1024 bytes and 32 steps"));
        }
        let well_escaped = |step: &str| step.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
        if !rest.split('/').all(well_escaped) {
            return Err(InvalidPointer("in a JSON pointer ~ is written ~0, and / inside a name ~1 (RFC 6901)"));
        }
        let steps = rest.split('/').map(|step| step.replace("~1", "/").replace("~0", "~")).collect();
        Ok(Self { text: text.to_owned(), steps })
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Bytes of a pointer.
const LONGEST: usize = 1024;

/// Steps of a pointer.
const DEEPEST: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_in_another_is_below_it_step_by_step() {
        let lies_in = |one: &str, other: &str| {
            let [one, other] = [one, other].map(|text| text.parse::<Pointer>().unwrap());
            one.lies_in(&other)
        };
        for (one, other) in
            [("/a/b", "/a"), ("/a/*/b/c", "/a/*/b"), ("/a/0/b/c", "/a/*/b"), ("/a~1b/c", "/a~1b"), ("/*/b", "/*")]
        {
            assert!(lies_in(one, other) && !lies_in(other, one), "{one} {other}");
        }
        // The last but one: there may be more elements than the first.
        for (one, other) in
            [("/ab", "/a"), ("/a/x/b", "/a/*"), ("/a/1/b", "/a/0"), ("/a", "/a"), ("/a/*/b", "/a/0"), ("/a~1b", "/a")]
        {
            assert!(!lies_in(one, other), "{one} {other}");
        }
    }

    fn found(pointer: &str, document: &str) -> Vec<(String, String)> {
        let document = Document::parse(document.as_bytes()).unwrap();
        let mut found = Vec::new();
        let mut each = |at: &str, value: Value<'_, '_>| {
            found.push((at.to_owned(), value.text().to_owned()));
            Ok::<(), ()>(())
        };
        pointer.parse::<Pointer>().unwrap().each(&document, &mut each).unwrap();
        found
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected.iter().map(|&(at, value)| (at.to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn each_place_has_a_pointer_of_its_own() {
        let document = r#"{"cards": [{"number": 1}, {"other": 2}, {"number": 3}], "a/b~": {"": 4, "*": 5, "0": 6}}"#;
        assert_eq!(found("/cards/*/number", document), pairs(&[("/cards/0/number", "1"), ("/cards/2/number", "3")]));
        assert_eq!(found("/cards/2/number", document), pairs(&[("/cards/2/number", "3")]));
        assert_eq!(found("/a~1b~0/", document), pairs(&[("/a~1b~0/", "4")]));
        assert_eq!(found("/a~1b~0/*", document), pairs(&[("/a~1b~0/*", "5")]));
        assert_eq!(found("/a~1b~0/0", document), pairs(&[("/a~1b~0/0", "6")]));
        for nowhere in [
            "/cards/3",
            "/cards/02",
            "/cards/+1",
            "/cards/-",
            "/cards/",
            "/cards/number",
            "/none/x",
            "/cards/0/number/x",
        ] {
            assert_eq!(found(nowhere, document), [], "{nowhere}");
        }
        assert_eq!(found("/99999999999999999999999", "[1]"), []);
    }

    #[test]
    fn the_first_place_that_lacks_something_is_told() {
        let lacking = |pointer: &str, document: &str| {
            pointer.parse::<Pointer>().unwrap().lacking(&Document::parse(document.as_bytes()).unwrap())
        };
        let cards = r#"{"cards": [{"number": 1}, {"nummer": 2}, {}], "none": [], "card": null, "a/b~": {}, "n": null}"#;
        for there in ["/cards/0/number", "/cards/*", "/none/*/number", "/none/*", "/none/*/*", "/n", "/a~1b~0"] {
            assert_eq!(lacking(there, cards), None, "{there}");
        }
        for (pointer, place) in [
            ("/cards/*/number", "/cards/1/number"),
            ("/cards/3/number", "/cards/3/number"),
            ("/cards/number", "/cards/number"),
            ("/none/0", "/none/0"),
            ("/card/number", "/card/number"),
            // One that is no array, where an array is meant.
            ("/card/*/number", "/card/*/number"),
            ("/a~1b~0/*", "/a~1b~0/*"),
            ("/a~1b~0/c~1/~0", "/a~1b~0/c~1/~0"),
            ("/absent/*/x", "/absent/*/x"),
        ] {
            assert_eq!(lacking(pointer, cards).as_deref(), Some(place), "{pointer}");
        }
        assert_eq!(lacking("/x", "[]").as_deref(), Some("/x"));
        assert_eq!(lacking("/x", "7").as_deref(), Some("/x"));
    }

    #[test]
    fn what_is_no_pointer_is_said() {
        for text in ["", "card", "#/card", "/a~", "/a~2", &format!("/{}", "x".repeat(1024)), &"/x".repeat(33)] {
            assert!(text.parse::<Pointer>().is_err(), "{text}");
        }
    }
}
