//! The names of one object, in the order in which they print.

use std::cmp::Ordering;

use super::{Malformed, Node, Shape, Spelling, string};

/// Puts names in order, one object after the other.
///
/// CPython takes the last of two members of one name, others take the first, so that what is verified and what is acted
/// upon would differ: refused. Names are equal when they say the same, whatever their escapes. UTF-8 sorts as code points
/// do, and CPython sorts by code point.
#[derive(Default)]
pub(super) struct Names {
    names: Vec<Name>,
    /// What those of them say that have escapes.
    decoded: Vec<String>,
}

#[derive(Clone, Copy)]
struct Name {
    /// The first eight bytes of what it says. Most names differ there, so that comparing them needs no call, and most objects
    /// with names in order need no sorting: a fifth of the time of an ordinary body.
    first: u64,
    /// Its node in the document.
    node: u32,
    /// Where it stands in [`Names::decoded`].
    decoded: Option<u32>,
}

impl Names {
    /// Adds the name that is node number `at` of the document.
    pub(super) fn push(&mut self, text: &str, at: u32, node: Node) {
        let (start, end) = inside(node);
        let (first, decoded) = if let Shape::String(spelling @ Spelling::Escaped) = node.shape {
            let says = string::decoded(&text[start..end], spelling).into_owned();
            let first = string::first_eight(says.as_bytes(), says.len());
            self.decoded.push(says);
            (first, u32::try_from(self.decoded.len() - 1).ok())
        } else {
            (string::first_eight(&text.as_bytes()[start..], end - start), None)
        };
        self.names.push(Name { first, node: at, decoded });
    }

    /// The nodes of the names that were added, in order.
    ///
    /// # Errors
    /// When two say the same.
    pub(super) fn drain(&mut self, text: &str, nodes: &[Node]) -> Result<impl Iterator<Item = u32>, Malformed> {
        if !self.names.is_sorted_by(|one, other| one.first < other.first) {
            self.sort(text, nodes)?;
        }
        self.decoded.clear();
        Ok(self.names.drain(..).map(|name| name.node))
    }

    fn sort(&mut self, text: &str, nodes: &[Node]) -> Result<(), Malformed> {
        let says = |name: &Name| match name.decoded {
            Some(at) => self.decoded[at as usize].as_bytes(),
            None => {
                let (start, end) = inside(nodes[name.node as usize]);
                &text.as_bytes()[start..end]
            }
        };
        let order = |one: &Name, other: &Name| one.first.cmp(&other.first).then_with(|| says(one).cmp(says(other)));
        self.names.sort_unstable_by(order);
        if self.names.windows(2).any(|names| order(&names[0], &names[1]) == Ordering::Equal) {
            return Err(Malformed("an object has a member twice"));
        }
        Ok(())
    }
}

/// What stands between the quotes of a name.
fn inside(node: Node) -> (usize, usize) {
    (node.start as usize + 1, node.end as usize - 1)
}
