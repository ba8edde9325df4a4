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
        walk(&mut String::new(), document.root(), &self.steps, each)
    }
}

/// As deep as a pointer has steps.
fn walk<'d, 'a, E>(
    at: &mut String,
    value: Value<'d, 'a>,
    steps: &[String],
    each: &mut impl FnMut(&str, Value<'d, 'a>) -> Result<(), E>,
) -> Result<(), E> {
    let Some((step, rest)) = steps.split_first() else { return each(at, value) };
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
            for (index, element) in value.elements().enumerate() {
                into(&index.to_string(), element)?;
            }
        }
        Kind::Array if is_index(step) => {
            if let Some(element) = step.parse().ok().and_then(|index| value.elements().nth(index)) {
                into(step, element)?;
            }
        }
        Kind::Object => {
            if let Some(member) = value.member(step) {
                into(&step.replace('~', "~0").replace('/', "~1"), member)?;
            }
        }
        _ => {}
    }
    Ok(())
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
        let escaped = |step: &str| step.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
        if !rest.split('/').all(escaped) {
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
    fn what_is_no_pointer_is_said() {
        for text in ["", "card", "#/card", "/a~", "/a~2", &format!("/{}", "x".repeat(1024)), &"/x".repeat(33)] {
            assert!(text.parse::<Pointer>().is_err(), "{text}");
        }
    }
}
