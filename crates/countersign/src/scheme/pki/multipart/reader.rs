use std::collections::BTreeMap;

use super::super::part::PartHeader;
use super::{FILE, File, Form, find};
use crate::json::Malformed;
use crate::primitive::Sha256;

/// Reads a form as it passes: parts between boundaries, and nothing around them but a last line end. What it keeps is the text
/// of the fields and a little beside it, whatever the length of the file.
pub(in super::super) struct Reader {
    /// With the line end before it.
    delimiter: Vec<u8>,
    /// What came and is not yet decided: less than a header, or than a delimiter.
    held: Vec<u8>,
    /// Where `held` begins in the body.
    at: u64,
    state: State,
    /// How much of `held` is known to hold no end of a header: looked at once, however small the parts are that it comes in.
    looked: usize,
    parts: usize,
    text_left: usize,
    fields: BTreeMap<String, String>,
    file: Option<File>,
}

enum State {
    /// Before the first boundary, which has no line end before it.
    Beginning,
    /// Behind a boundary.
    Boundary,
    /// In the header of a part.
    Header,
    /// In the content of a field.
    Text { name: String, text: Vec<u8>, length: Option<String> },
    /// In the content of the file.
    File { file: File, hash: Sha256, length: Option<String> },
    /// Behind the last boundary.
    End,
}

impl Reader {
    pub(in super::super) fn new(boundary: &str) -> Self {
        Self {
            delimiter: format!("\r\n--{boundary}").into_bytes(),
            held: Vec::new(),
            at: 0,
            state: State::Beginning,
            looked: 0,
            parts: 0,
            text_left: MAX_TEXT,
            fields: BTreeMap::new(),
            file: None,
        }
    }

    /// How many bytes of memory a byte that comes now may take: of a file none.
    pub(in super::super) fn weight(&self) -> usize {
        match self.state {
            // Nothing came, so nothing can be said of what will.
            State::Beginning | State::File { .. } => 0,
            // The text, and the printing of it.
            State::Boundary | State::Header | State::Text { .. } => 8,
            State::End if MAX_TEXT - self.text_left > 64 << 10 => 8,
            State::End => 0,
        }
    }

    /// Takes the next part of the body.
    pub(in super::super) fn push(&mut self, chunk: &[u8]) -> Result<(), Malformed> {
        let mut held = std::mem::take(&mut self.held);
        held.extend_from_slice(chunk);
        let mut rest = &held[..];
        while let Some(taken) = self.step(rest)? {
            rest = &rest[taken..];
            self.at += taken as u64;
        }
        let undecided = rest.len();
        held.drain(..held.len() - undecided);
        self.held = held;
        Ok(())
    }

    /// The body has ended.
    pub(in super::super) fn finish(self) -> Result<Form, Malformed> {
        match (self.state, &self.held[..]) {
            (State::End, b"" | b"\r\n") => {}
            (State::End, _) => return Err(BEHIND),
            (State::Beginning, _) => return Err(NO_BEGINNING),
            (State::Boundary, _) => return Err(NO_LINE),
            (State::Header, held) if find(held, &self.delimiter).is_some() => return Err(NO_END),
            (State::Header | State::Text { .. } | State::File { .. }, _) => {
                return Err(Malformed("the last boundary is missing"));
            }
        }
        let file = self.file.ok_or(Malformed("the form has no part named file"))?;
        Ok(Form { fields: self.fields, file })
    }

    /// How much of this was read; `None` where more has to come first.
    fn step(&mut self, bytes: &[u8]) -> Result<Option<usize>, Malformed> {
        match &mut self.state {
            State::Beginning => {
                let first = &self.delimiter[2..];
                if !bytes.starts_with(&first[..first.len().min(bytes.len())]) {
                    return Err(NO_BEGINNING);
                }
                if bytes.len() < first.len() {
                    return Ok(None);
                }
                let taken = first.len();
                self.state = State::Boundary;
                Ok(Some(taken))
            }
            State::Boundary => match bytes {
                [] | [b'\r' | b'-'] => Ok(None),
                [b'\r', b'\n', ..] => {
                    self.parts += 1;
                    if self.parts > MAX_PARTS {
                        return Err(Malformed("the form has more than 128 parts"));
                    }
                    self.state = State::Header;
                    Ok(Some(2))
                }
                [b'-', b'-', ..] => {
                    self.state = State::End;
                    Ok(Some(2))
                }
                // RFC 2046 compares the beginning of a line only, so to some receivers this is a boundary.
                _ => Err(NO_LINE),
            },
            State::Header => self.header(bytes),
            State::Text { .. } | State::File { .. } => self.content(bytes),
            State::End => match bytes {
                b"" | b"\r" | b"\r\n" => Ok(None),
                _ => Err(BEHIND),
            },
        }
    }

    fn header(&mut self, bytes: &[u8]) -> Result<Option<usize>, Malformed> {
        let seen = &bytes[..bytes.len().min(MAX_HEADER)];
        let Some(end) = seen[self.looked..].windows(4).position(|four| four == b"\r\n\r\n") else {
            self.looked = seen.len().saturating_sub(3);
            let more = seen.len() < MAX_HEADER;
            return if more { Ok(None) } else { Err(NO_END) };
        };
        let end = std::mem::take(&mut self.looked) + end;
        if find(&bytes[..end], &self.delimiter).is_some() {
            return Err(NO_END);
        }
        // The line end of a boundary may not be that of the header: to some receivers the part would be empty, to others
        // the boundary its content.
        let (behind, bare) = (&bytes[end + 4..], &self.delimiter[2..]);
        if behind.len() < bare.len() && bare.starts_with(behind) {
            self.looked = end;
            return Ok(None);
        }
        if behind.starts_with(bare) {
            return Err(Malformed("a boundary stands directly behind the header of a part"));
        }
        let header = PartHeader::read(&bytes[..end])?;
        let length = header.length().map(str::to_owned);
        let again = if header.name == FILE {
            let (name, content_type) = (header.file_name.map(str::to_owned), header.file_type()?.map(str::to_owned));
            let begin = self.at + end as u64 + 4;
            let file = File { name, content_type, place: begin..begin, sha256: [0; 32] };
            self.state = State::File { file, hash: Sha256::new(), length };
            self.file.is_some()
        } else {
            header.is_text()?;
            self.state = State::Text { name: header.name.to_owned(), text: Vec::new(), length };
            self.fields.contains_key(header.name)
        };
        if again { Err(Malformed("a part name stands twice")) } else { Ok(Some(end + 4)) }
    }

    /// Content to the next boundary, or so much of it as can't be the beginning of one.
    fn content(&mut self, bytes: &[u8]) -> Result<Option<usize>, Malformed> {
        let end = find(bytes, &self.delimiter);
        let sure = end.unwrap_or_else(|| bytes.len().saturating_sub(self.delimiter.len() - 1));
        match &mut self.state {
            State::Text { text, .. } => {
                self.text_left =
                    self.text_left.checked_sub(sure).ok_or(Malformed("the text parts are longer than 1 MiB"))?;
                text.extend_from_slice(&bytes[..sure]);
            }
            State::File { file, hash, .. } => {
                hash.update(&bytes[..sure]);
                file.place.end += sure as u64;
            }
            _ => {}
        }
        if end.is_none() {
            return Ok(Some(sure).filter(|sure| *sure > 0));
        }
        match std::mem::replace(&mut self.state, State::Boundary) {
            State::Text { name, text, length } => {
                check_length(length.as_deref(), text.len() as u64)?;
                let text = String::from_utf8(text).map_err(|_| Malformed("a text part is not UTF-8"))?;
                self.fields.insert(name, text);
            }
            State::File { mut file, hash, length } => {
                check_length(length.as_deref(), file.place.end - file.place.start)?;
                file.sha256 = hash.finish();
                self.file = Some(file);
            }
            _ => {}
        }
        Ok(Some(sure + self.delimiter.len()))
    }
}

fn check_length(said: Option<&str>, is: u64) -> Result<(), Malformed> {
    match said {
        Some(said) if said != is.to_string() => Err(Malformed("the Content-Length of a part is not true")),
        _ => Ok(()),
    }
}

const MAX_PARTS: usize = 128;
/// Of all fields together, in bytes.
const MAX_TEXT: usize = 1 << 20;
/// The longest header of a part, with the empty line that ends it.
const MAX_HEADER: usize = 8 << 10;

const NO_BEGINNING: Malformed = Malformed("the body does not begin with its boundary");
const NO_LINE: Malformed = Malformed("a boundary does not end where its line does");
const NO_END: Malformed = Malformed("the header of a part has no end within 8 KiB");
const BEHIND: Malformed = Malformed("something stands after the last boundary");

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: &[u8] = b"--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\r\n--\r\n--b\r\n\
        Content-Disposition: form-data; name=\"file\"; filename=\"f\"\r\nContent-Length: 12\r\n\r\n\r\n--\r\n--\r\n--\
        \r\n--b--\r\n";

    fn read(body: &[u8], step: usize) -> Result<String, &'static str> {
        let mut reader = Reader::new("b");
        for chunk in body.chunks(step.max(1)) {
            reader.push(chunk).map_err(|fault| fault.0)?;
            assert!(reader.held.len() <= MAX_HEADER + 8, "{} bytes are held", reader.held.len());
        }
        reader.finish().map(|form| format!("{form:?}")).map_err(|fault| fault.0)
    }

    #[test]
    fn no_split_is_read_differently() {
        let bodies: Vec<Vec<u8>> = (0..=FORM.len())
            .flat_map(|at| {
                let cut = FORM[..at].to_vec();
                let mut spoilt = FORM.to_vec();
                if let Some(byte) = spoilt.get_mut(at) {
                    *byte ^= 7;
                }
                [cut, spoilt]
            })
            .chain([FORM.to_vec()])
            .collect();
        for body in &bodies {
            let whole = read(body, body.len());
            for step in [1, 2, 3, 5, 8, 13] {
                assert_eq!(read(body, step), whole, "{}", body.escape_ascii());
            }
        }
        assert!(read(FORM, 1).is_ok());
    }

    #[test]
    fn of_a_file_nothing_is_held() {
        let begin = b"--b\r\nContent-Disposition: form-data; name=\"file\"\r\nContent-Length: 1048576\r\n\r\n";
        let mut reader = Reader::new("b");
        reader.push(begin).unwrap();
        for _ in 0..1024 {
            reader.push(&[b'\r'; 1024]).unwrap();
            assert!(reader.held.len() < 8 && reader.weight() == 0);
        }
        reader.push(b"\r\n--b--").unwrap();
        assert_eq!(reader.finish().map(|form| form.file.place.end - form.file.place.start).ok(), Some(1 << 20));
    }

    #[test]
    fn a_boundary_directly_behind_a_header_is_no_content() {
        let form = b"--b\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n--b--\r\n";
        for step in [1, 4, 100] {
            assert_eq!(read(form, step), Err("a boundary stands directly behind the header of a part"));
        }
    }

    #[test]
    fn text_is_bounded_before_it_has_ended() {
        let mut reader = Reader::new("b");
        reader.push(b"--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n").unwrap();
        let fault = (0..2000).find_map(|_| reader.push(&[b'x'; 1024]).err()).map(|fault| fault.0);
        assert_eq!(fault, Some("the text parts are longer than 1 MiB"));
    }
}
