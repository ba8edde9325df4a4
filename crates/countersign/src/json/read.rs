//! From text to [`Document`], in one pass from left to right over the bytes, with a stack of its own.

use super::names::Names;
use super::{Document, Malformed, Node, Shape, Spelling, float, string};

/// Containers around a value, itself included when it is one. CPython's own bound is its recursion limit, which differs
/// from one installation to the next.
const LEVELS: usize = 128;

pub(super) fn read(input: &[u8]) -> Result<Document<'_>, Malformed> {
    // Nodes and positions are counted in `u32`, and every node takes at least one byte.
    if u32::try_from(input.len()).is_err() {
        return Err(Malformed("the text is longer than 4 GiB"));
    }
    // CPython also takes UTF-16 and UTF-32, a byte order mark, and surrogates that were encoded as if they were
    // characters.
    let text = std::str::from_utf8(input).map_err(|_| Malformed("the text is not UTF-8"))?;
    if text.starts_with('\u{feff}') {
        return Err(Malformed("the text begins with a byte order mark"));
    }
    let mut reader = Reader {
        text,
        bytes: input,
        at: 0,
        nodes: Vec::with_capacity(input.len() / 8 + 8),
        by_name: Vec::with_capacity(input.len() / 64 + 8),
        open: Vec::with_capacity(8),
        names: Names::default(),
    };
    reader.document()?;
    Ok(Document { text, nodes: reader.nodes, by_name: reader.by_name })
}

struct Reader<'a> {
    text: &'a str,
    bytes: &'a [u8],
    /// The byte that is read next.
    at: usize,
    nodes: Vec<Node>,
    by_name: Vec<u32>,
    /// The containers around `at`, from the outermost.
    open: Vec<Open>,
    /// The names of the object that is being closed; empty but then.
    names: Names,
}

struct Open {
    /// The container's node.
    node: usize,
    is_object: bool,
    /// Elements or members so far.
    len: u32,
}

impl<'a> Reader<'a> {
    fn document(&mut self) -> Result<(), Malformed> {
        loop {
            if !self.value()? {
                continue; // a container was opened, and what is next is a value inside
            }
            // A value has ended, and with it perhaps the containers around it.
            loop {
                let next = self.token();
                let Some(around) = self.open.last_mut() else {
                    return next.map_or(Ok(()), |_| Err(Malformed("something stands behind the value")));
                };
                around.len += 1;
                let is_object = around.is_object;
                match next {
                    Some(b',') if is_object => {
                        self.at += 1;
                        self.name()?;
                        break;
                    }
                    Some(b',') => {
                        self.at += 1;
                        break;
                    }
                    Some(b'}') if is_object => self.close()?,
                    Some(b']') if !is_object => self.close()?,
                    Some(_) if is_object => {
                        return Err(Malformed("a member is followed by neither a comma nor a brace"));
                    }
                    Some(_) => return Err(Malformed("an element is followed by neither a comma nor a bracket")),
                    None => return Err(ENDS_EARLY),
                }
            }
        }
    }

    /// Reads a whole value (true), or the beginning of a container up to the first value inside it (false).
    fn value(&mut self) -> Result<bool, Malformed> {
        let first = self.token();
        let start = self.at;
        match first {
            Some(b'"') => self.string()?,
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b'{') => {
                self.open(true)?;
                match self.token() {
                    Some(b'}') => self.close()?,
                    _ => {
                        self.name()?;
                        return Ok(false);
                    }
                }
            }
            Some(b'[') => {
                self.open(false)?;
                match self.token() {
                    Some(b']') => self.close()?,
                    _ => return Ok(false),
                }
            }
            Some(b't') => self.word("true", Shape::Bool(true))?,
            Some(b'f') => self.word("false", Shape::Bool(false))?,
            Some(b'n') => self.word("null", Shape::Null)?,
            Some(_) if ["NaN", "Infinity"].iter().any(|word| self.text[start..].starts_with(word)) => {
                return Err(NOT_FINITE);
            }
            Some(_) => return Err(Malformed("something stands where a value should")),
            None => return Err(ENDS_EARLY),
        }
        Ok(true)
    }

    /// The next byte that is not white space, which is the same four bytes to RFC 8259 and to CPython.
    fn token(&mut self) -> Option<u8> {
        loop {
            let byte = *self.bytes.get(self.at)?;
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Some(byte);
            }
            self.at += 1;
        }
    }

    /// A member's name and the colon behind it.
    fn name(&mut self) -> Result<(), Malformed> {
        match self.token() {
            Some(b'"') => self.string()?,
            Some(_) => return Err(Malformed("something stands where a member's name should")),
            None => return Err(ENDS_EARLY),
        }
        match self.token() {
            Some(b':') => self.at += 1,
            Some(_) => return Err(Malformed("a member's name is not followed by a colon")),
            None => return Err(ENDS_EARLY),
        }
        Ok(())
    }

    fn string(&mut self) -> Result<(), Malformed> {
        let start = self.at;
        let mut spelling = Spelling::Plain;
        self.at += 1;
        loop {
            self.at += string::plain_run(&self.bytes[self.at..]);
            match self.bytes.get(self.at) {
                Some(b'"') => break,
                Some(b'\\') => {
                    spelling = Spelling::Escaped;
                    self.at += match self.bytes.get(self.at + 1) {
                        // The usual ones without a call.
                        Some(b'"' | b'\\' | b'/' | b'n' | b't') => 2,
                        _ => string::escape(&self.bytes[self.at..])?.1,
                    };
                }
                Some(..=0x1f) => return Err(Malformed("a string has a control character that is not escaped")),
                Some(_) => {
                    spelling = spelling.max(Spelling::Literal);
                    self.at += self.bytes[self.at..].iter().take_while(|byte| **byte >= 0x7f).count();
                }
                None => return Err(ENDS_EARLY),
            }
        }
        self.at += 1;
        self.push(start, Shape::String(spelling));
        Ok(())
    }

    fn number(&mut self) -> Result<(), Malformed> {
        let start = self.at;
        self.at += usize::from(self.bytes[start] == b'-');
        let unsigned = self.at;
        match self.bytes.get(self.at) {
            // What else stands behind a zero is found by whoever reads on: `01` is a `0` with something behind it.
            Some(b'0') => self.at += 1,
            Some(b'I') if self.text[self.at..].starts_with("Infinity") => return Err(NOT_FINITE),
            _ => self.digits()?,
        }
        let whole = self.at;
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        let fraction = self.at;
        if let Some(b'e' | b'E') = self.bytes.get(self.at) {
            self.at += 1;
            self.at += usize::from(matches!(self.bytes.get(self.at), Some(b'+' | b'-')));
            self.digits()?;
        }
        let shape = if self.at == whole {
            Shape::Integer
        } else if self.at == fraction && float::is_repr(&self.bytes[unsigned..whole], &self.bytes[whole + 1..fraction])
        {
            Shape::Decimal
        } else {
            Shape::Float(float::nearest(&self.text[start..self.at])?)
        };
        self.push(start, shape);
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Malformed> {
        match self.bytes[self.at..].iter().take_while(|byte| byte.is_ascii_digit()).count() {
            0 => Err(Malformed("a number lacks a digit")),
            digits => {
                self.at += digits;
                Ok(())
            }
        }
    }

    fn word(&mut self, word: &str, shape: Shape) -> Result<(), Malformed> {
        if !self.text[self.at..].starts_with(word) {
            return Err(Malformed("something stands where a value should"));
        }
        let start = self.at;
        self.at += word.len();
        self.push(start, shape);
        Ok(())
    }

    /// Adds the node of what stands between `start` and `at`.
    fn push(&mut self, start: usize, shape: Shape) {
        self.nodes.push(Node { start: count(start), end: count(self.at), shape });
    }

    /// Takes the brace or bracket that opens a container. Its node is finished by [`Self::close`].
    fn open(&mut self, is_object: bool) -> Result<(), Malformed> {
        if self.open.len() == LEVELS {
            return Err(Malformed("more than 128 levels are nested"));
        }
        self.open.push(Open { node: self.nodes.len(), is_object, len: 0 });
        self.at += 1;
        self.push(self.at - 1, Shape::Null);
        Ok(())
    }

    /// Takes the brace or bracket that closes the innermost container.
    fn close(&mut self) -> Result<(), Malformed> {
        self.at += 1;
        let Some(Open { node, is_object, len }) = self.open.pop() else { return Ok(()) };
        let next = count(self.nodes.len());
        let shape = if is_object {
            Shape::Object { len, next, names: self.sort_names(node, len)? }
        } else {
            Shape::Array { len, next }
        };
        self.nodes[node] = Node { end: count(self.at), shape, ..self.nodes[node] };
        Ok(())
    }

    /// Puts the names of the object that ends here in order, and says where in `by_name` they begin.
    fn sort_names(&mut self, object: usize, len: u32) -> Result<u32, Malformed> {
        let begin = count(self.by_name.len());
        let mut at = object + 1;
        for _ in 0..len {
            self.names.push(self.text, count(at), self.nodes[at]);
            at = match self.nodes[at + 1].shape {
                Shape::Array { next, .. } | Shape::Object { next, .. } => next as usize,
                _ => at + 2,
            };
        }
        self.by_name.extend(self.names.drain(self.text, &self.nodes)?);
        Ok(begin)
    }
}

const ENDS_EARLY: Malformed = Malformed("the text ends early");
const NOT_FINITE: Malformed = Malformed("a number is not finite");

/// A position or a number of nodes, which [`read`] has made sure of.
fn count(size: usize) -> u32 {
    #[expect(clippy::cast_possible_truncation, reason = "`read` refuses texts of 4 GiB and more")]
    let size = size as u32;
    size
}
