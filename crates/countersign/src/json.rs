//! JSON as the scheme `pki` signs it: read strictly, printed as CPython prints it.
//!
//! The signed bytes of a JSON body are what `json.dumps(json.loads(body), sort_keys=True)` gives on the sender's side.
//! So this is not a JSON library but one half of that line of Python, and every comment that says "CPython" names a
//! behaviour which the signature depends on; `tests_python` holds all of it against the real one.
//!
//! A body flows down this list: [`read`] makes a [`Document`] of the text (with [`string`] and [`float`] for what is
//! inside the tokens, and [`names`] for the order of members), [`print`] makes the signed bytes of it. Nothing recurses,
//! and nothing takes more than linear time and memory, but for the sorting of names.

mod float;
mod names;
mod print;
mod read;
mod string;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_python;

use std::borrow::Cow;
use std::iter;
use std::ops::Range;

pub(crate) use print::print_python_str;
pub(crate) use string::plain_run;

/// Why a text is no JSON that we sign or verify: one short clause for the public, never a part of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) &'static str);

/// A JSON text that was read to its end, and of which both sides are sure to understand the same. Not `Debug`: it is a
/// body.
pub(crate) struct Document<'a> {
    text: &'a str,
    /// All values and member names in the order of the text. A container is followed by what it holds, a name by its
    /// value.
    nodes: Vec<Node>,
    /// For each object, one after the other, the nodes of its names by code point.
    by_name: Vec<u32>,
}

/// A value, or the name of a member: where it stands in the text, and what it is.
///
/// Positions are `u32` because a body of small values is kept in about twelve times its size as it is; [`read`] refuses
/// a text that they cannot count.
#[derive(Debug, Clone, Copy)]
struct Node {
    start: u32,
    end: u32,
    shape: Shape,
}

#[derive(Debug, Clone, Copy)]
enum Shape {
    Null,
    Bool(bool),
    Integer,
    /// A float that is spelled as CPython prints it.
    Decimal,
    Float(f64),
    String(Spelling),
    /// `next` is the node after the last one inside.
    Array {
        len: u32,
        next: u32,
    },
    /// `names` is where this object's names begin in [`Document::by_name`].
    Object {
        len: u32,
        next: u32,
        names: u32,
    },
}

/// How a string stands in the text, in the order of the work it makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Spelling {
    /// Printable ASCII without escapes: CPython prints what stands there.
    Plain,
    /// Without escapes, so what it says is what stands there, but CPython prints escapes for some of it.
    Literal,
    /// With escapes.
    Escaped,
}

impl<'a> Document<'a> {
    /// Reads one JSON value with nothing but white space around it.
    ///
    /// # Errors
    ///
    /// All that RFC 8259 or CPython's `json.loads` refuses; and of what CPython accepts: a member name twice in one
    /// object, `NaN` and the infinities, a number beyond a double's range, lone surrogates, a text that is not UTF-8 or
    /// begins with a byte order mark, and more than 128 levels.
    pub(crate) fn parse(input: &'a [u8]) -> Result<Self, Malformed> {
        read::read(input)
    }

    /// The value that the text is.
    pub(crate) fn root(&self) -> Value<'_, 'a> {
        Value { document: self, at: 0 }
    }

    /// Appends what CPython's `json.dumps(json.loads(text), sort_keys=True)` prints, always ASCII.
    pub(crate) fn print_python(&self, out: &mut Vec<u8>) {
        print::print(self, out);
    }

    fn node(&self, at: u32) -> Node {
        self.nodes[at as usize]
    }

    fn text_of(&self, node: Node) -> &'a str {
        &self.text[node.start as usize..node.end as usize]
    }

    /// The node that stands after the value at `at` and all that is inside it.
    fn after(&self, at: u32) -> u32 {
        match self.node(at).shape {
            Shape::Array { next, .. } | Shape::Object { next, .. } => next,
            _ => at + 1,
        }
    }

    fn names(&self, first: u32, len: u32) -> &[u32] {
        &self.by_name[first as usize..][..len as usize]
    }

    /// What the string (or name) `node` says; between its quotes when there is no escape to undo.
    fn decoded(&self, node: Node, spelling: Spelling) -> Cow<'a, str> {
        let text = self.text_of(node);
        string::decoded(&text[1..text.len() - 1], spelling)
    }
}

/// One value of a [`Document`]. Cheap to copy.
#[derive(Clone, Copy)]
pub(crate) struct Value<'d, 'a> {
    document: &'d Document<'a>,
    at: u32,
}

/// What a [`Value`] is. CPython tells integers and floats apart by their spelling (`1` prints `1`, `1.0` and `1e0`
/// print `1.0`), so they are two kinds here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    Bool(bool),
    Integer,
    Float,
    String,
    Array,
    Object,
}

#[allow(dead_code, reason = "the tests read by members and lengths")]
impl<'d, 'a> Value<'d, 'a> {
    pub(crate) fn kind(self) -> Kind {
        match self.shape() {
            Shape::Null => Kind::Null,
            Shape::Bool(is) => Kind::Bool(is),
            Shape::Integer => Kind::Integer,
            Shape::Decimal | Shape::Float(_) => Kind::Float,
            Shape::String(_) => Kind::String,
            Shape::Array { .. } => Kind::Array,
            Shape::Object { .. } => Kind::Object,
        }
    }

    /// Where the value stands in the input, in bytes, a string with its quotes.
    pub(crate) fn span(self) -> Range<usize> {
        let node = self.document.node(self.at);
        node.start as usize..node.end as usize
    }

    /// The value as the input spells it.
    pub(crate) fn text(self) -> &'a str {
        self.document.text_of(self.document.node(self.at))
    }

    /// What a string says; `None` for every other kind.
    pub(crate) fn as_str(self) -> Option<Cow<'a, str>> {
        match self.shape() {
            Shape::String(spelling) => Some(self.document.decoded(self.document.node(self.at), spelling)),
            _ => None,
        }
    }

    /// The spelling of an integer of any size, `-?(0|[1-9][0-9]*)`; `None` for every other kind, floats like `1.0`
    /// included.
    pub(crate) fn as_integer(self) -> Option<&'a str> {
        matches!(self.shape(), Shape::Integer).then(|| self.text())
    }

    /// How many members an object or elements an array has; 0 for every other kind.
    pub(crate) fn len(self) -> usize {
        match self.shape() {
            Shape::Array { len, .. } | Shape::Object { len, .. } => len as usize,
            _ => 0,
        }
    }

    /// The elements of an array in their order; none for every other kind.
    pub(crate) fn elements(self) -> impl Iterator<Item = Value<'d, 'a>> {
        let document = self.document;
        let len = if self.kind() == Kind::Array { self.len() } else { 0 };
        iter::successors(Some(self.at + 1), move |at| Some(document.after(*at)))
            .take(len)
            .map(move |at| Value { document, at })
    }

    /// The members of an object by code point of their names; none for every other kind.
    pub(crate) fn members(self) -> impl Iterator<Item = (Cow<'a, str>, Value<'d, 'a>)> {
        self.names().iter().map(move |name| (self.name(*name), Value { at: name + 1, ..self }))
    }

    /// The member of an object whose name, its escapes undone, is `name`.
    pub(crate) fn member(self, name: &str) -> Option<Value<'d, 'a>> {
        let names = self.names();
        let found = names.binary_search_by(|at| self.name(*at).as_ref().cmp(name)).ok()?;
        Some(Value { at: names[found] + 1, ..self })
    }

    fn shape(self) -> Shape {
        self.document.node(self.at).shape
    }

    fn names(self) -> &'d [u32] {
        match self.shape() {
            Shape::Object { len, names, .. } => self.document.names(names, len),
            _ => &[],
        }
    }

    /// The name at the node `at`, which is one of [`Self::names`].
    fn name(self, at: u32) -> Cow<'a, str> {
        Value { at, ..self }.as_str().unwrap_or_default()
    }
}
