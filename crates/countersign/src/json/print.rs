//! From [`Document`] to what `json.dumps(…, sort_keys=True)` prints: members by name, `", "` and `": "` between things,
//! nothing but printable ASCII.

use std::slice;

use super::{Document, Node, Shape, Spelling, float, string};
use string::Piece;

pub(super) fn print(document: &Document<'_>, out: &mut Vec<u8>) {
    // A name or value brings at most one blank that a body without any lacks, so only escapes can make it grow more.
    out.reserve(document.text.len() + document.nodes.len() + 16);
    let mut open: Vec<Open<'_>> = Vec::with_capacity(8);
    let mut at = 0;
    loop {
        let node = document.node(at);
        match node.shape {
            Shape::Array { len: 1.., .. } => {
                out.push(b'[');
                open.push(Open::Array { element: at + 1, end: document.after(at) });
                at += 1;
                continue;
            }
            Shape::Object { len: len @ 1.., names, .. } => {
                let mut names = document.names(names, len).iter();
                let whole = names.next().is_none_or(|name| {
                    at = name + 1;
                    print_member(document, b"{", *name, out)
                });
                open.push(Open::Object { names });
                if !whole {
                    continue;
                }
            }
            _ => print_leaf(document, node, out),
        }
        // A value has been printed, and with it perhaps the containers around it.
        loop {
            match open.last_mut() {
                None => return,
                Some(Open::Array { element, end }) => {
                    *element = document.after(*element);
                    if element < end {
                        out.extend_from_slice(b", ");
                        at = *element;
                        break;
                    }
                    out.push(b']');
                }
                Some(Open::Object { names }) => {
                    if let Some(name) = names.next() {
                        if print_member(document, b", ", *name, out) {
                            continue;
                        }
                        at = name + 1;
                        break;
                    }
                    out.push(b'}');
                }
            }
            open.pop();
        }
    }
}

/// A container of which at least the first bracket was printed.
enum Open<'d> {
    /// The element that is being printed, and the node behind the last one.
    Array { element: u32, end: u32 },
    /// The names that are still to be printed.
    Object { names: slice::Iter<'d, u32> },
}

/// Prints a whole member (true), or all of it that stands before its value (false).
fn print_member(document: &Document<'_>, before: &[u8], name: u32, out: &mut Vec<u8>) -> bool {
    let (name, value) = (document.node(name), document.node(name + 1));
    let text = document.text.as_bytes();
    out.extend_from_slice(before);
    // Most senders have it as CPython prints it, and it is copied at once: a seventh less to do.
    let between = &text[name.end as usize..value.start as usize];
    if *between == *b": " && prints_as_it_stands(text, name) && prints_as_it_stands(text, value) {
        out.extend_from_slice(&text[name.start as usize..value.end as usize]);
        return true;
    }
    print_leaf(document, name, out);
    out.extend_from_slice(b": ");
    false
}

/// Whether something without anything inside is printed as it is spelled.
fn prints_as_it_stands(text: &[u8], node: Node) -> bool {
    match node.shape {
        Shape::String(spelling) => spelling == Spelling::Plain,
        Shape::Integer => !is_negative_zero(text, node),
        Shape::Null | Shape::Bool(_) | Shape::Decimal => true,
        Shape::Float(_) | Shape::Array { .. } | Shape::Object { .. } => false,
    }
}

/// Prints what has nothing inside: a name, a scalar, an empty container.
fn print_leaf(document: &Document<'_>, node: Node, out: &mut Vec<u8>) {
    let Node { start, end, shape } = node;
    let (start, end) = (start as usize, end as usize);
    match shape {
        Shape::String(Spelling::Escaped) => {
            out.push(b'"');
            for piece in string::pieces(&document.text[start + 1..end - 1]) {
                match piece {
                    Piece::Literal(run) => print_inside(run, out),
                    Piece::Escape(character) => print_inside(character.encode_utf8(&mut [0; 4]), out),
                }
            }
            out.push(b'"');
        }
        Shape::String(Spelling::Literal) => print_python_str(&document.text[start + 1..end - 1], out),
        Shape::Float(value) => float::print_repr(value, out),
        Shape::Integer if is_negative_zero(document.text.as_bytes(), node) => out.push(b'0'),
        Shape::Null | Shape::Bool(_) | Shape::Integer | Shape::Decimal | Shape::String(Spelling::Plain) => {
            out.extend_from_slice(&document.text.as_bytes()[start..end]);
        }
        // Only empty ones come here, and those may have white space inside.
        Shape::Array { .. } => out.extend_from_slice(b"[]"),
        Shape::Object { .. } => out.extend_from_slice(b"{}"),
    }
}

/// An `int` of CPython has no negative zero. All else of the grammar is what `str(int(…))` prints.
fn is_negative_zero(text: &[u8], node: Node) -> bool {
    text[node.start as usize..node.end as usize] == *b"-0"
}

/// Appends the string that says `s` as CPython's `json.dumps` prints it (`ensure_ascii`), with its quotes.
pub(crate) fn print_python_str(s: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    print_inside(s, out);
    out.push(b'"');
}

fn print_inside(s: &str, out: &mut Vec<u8>) {
    let mut rest = s;
    loop {
        let (plain, special) = rest.split_at(string::plain_run(rest.as_bytes()));
        out.extend_from_slice(plain.as_bytes());
        let mut characters = special.chars();
        let Some(character) = characters.next() else { return };
        print_special(character, out);
        rest = characters.as_str();
    }
}

/// CPython escapes DEL as well, and leaves `/` alone.
fn print_special(character: char, out: &mut Vec<u8>) {
    let short = match character {
        '"' => b'"',
        '\\' => b'\\',
        '\u{8}' => b'b',
        '\u{c}' => b'f',
        '\n' => b'n',
        '\r' => b'r',
        '\t' => b't',
        _ => {
            for unit in character.encode_utf16(&mut [0; 2]) {
                let digit = |shift: u32| b"0123456789abcdef"[usize::from(*unit >> shift & 0xf)];
                out.extend_from_slice(&[b'\\', b'u', digit(12), digit(8), digit(4), digit(0)]);
            }
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}
