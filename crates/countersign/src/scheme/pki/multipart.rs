//! Multipart bodies: read so strictly that every receiver would read the same, signed by what they say, and built anew
//! for the upstream, so that nothing that was not signed goes on.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::HeaderValue;

use super::parameters;
use super::part::Part;
use crate::json::{Malformed, print_python_str};
use crate::primitive::sha256;

/// The name of the part that is the file.
const FILE: &str = "file";
const MAX_PARTS: usize = 128;
/// Of all fields together, in bytes.
const MAX_TEXT: usize = 1 << 20;

/// A form with one file.
pub(super) struct Form<'a> {
    /// By code point, as Python sorts them.
    fields: BTreeMap<&'a str, &'a str>,
    file_name: Option<&'a str>,
    content_type: Option<&'a str>,
    content: &'a [u8],
}

/// The boundary that a `Content-Type` of `multipart/form-data` announces (RFC 2046 §5.1.1): 1 to 70 of its characters, a
/// blank not the last.
pub(super) fn boundary(content_type: &str) -> Result<&str, Malformed> {
    let (_, parameters) = parameters::read(content_type)?;
    let [(name, boundary)] = parameters[..] else {
        // A charset would change what fields say, and nobody agrees on what else there could be.
        return Err(Malformed("multipart/form-data takes the parameter boundary and no other"));
    };
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&byte);
    let fits = (1..=70).contains(&boundary.len()) && boundary.bytes().all(legal) && !boundary.ends_with(' ');
    if !name.eq_ignore_ascii_case("boundary") || !fits {
        return Err(Malformed("the boundary is missing, or not 1 to 70 characters of RFC 2046"));
    }
    Ok(boundary)
}

impl<'a> Form<'a> {
    /// Reads a body: parts between boundaries, and nothing around them but a last line end.
    pub(super) fn read(body: &'a [u8], boundary: &str) -> Result<Self, Malformed> {
        let delimiter = format!("\r\n--{boundary}");
        let mut rest = body
            .strip_prefix(&delimiter.as_bytes()[2..])
            .ok_or(Malformed("the body does not begin with its boundary"))?;
        let mut fields = BTreeMap::new();
        let mut file = None;
        let (mut parts, mut text_left) = (0, MAX_TEXT);
        while let Some(after) = rest.strip_prefix(b"\r\n") {
            let end = find(after, delimiter.as_bytes()).ok_or(Malformed("the last boundary is missing"))?;
            parts += 1;
            if parts > MAX_PARTS {
                return Err(Malformed("the form has more than 128 parts"));
            }
            let part = Part::read(&after[..end])?;
            let again = if part.name == FILE {
                file.replace((part.file_name, part.file_type()?, part.content)).is_some()
            } else {
                let text = part.text()?;
                text_left =
                    text_left.checked_sub(text.len()).ok_or(Malformed("the text parts are longer than 1 MiB"))?;
                fields.insert(part.name, text).is_some()
            };
            if again {
                return Err(Malformed("a part name stands twice"));
            }
            rest = &after[end + delimiter.len()..];
        }
        match rest {
            b"--" | b"--\r\n" => {}
            [b'-', b'-', ..] => return Err(Malformed("something stands after the last boundary")),
            // RFC 2046 compares the beginning of a line only, so to some receivers this is a boundary.
            _ => return Err(Malformed("a boundary does not end where its line does")),
        }
        let (file_name, content_type, content) = file.ok_or(Malformed("the form has no part named file"))?;
        Ok(Self { fields, file_name, content_type, content })
    }

    /// A field by its name.
    pub(super) fn field(&self, name: &str) -> Option<&'a str> {
        self.fields.get(name).copied()
    }

    /// Appends what is signed: the printing of an object with five members, of which no JSON body can have the same.
    pub(super) fn print_python(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"content_type\": ");
        print_optional(self.content_type, out);
        out.extend_from_slice(b", \"fields\": {");
        for (nth, (name, text)) in self.fields.iter().enumerate() {
            if nth > 0 {
                out.extend_from_slice(b", ");
            }
            print_python_str(name, out);
            out.extend_from_slice(b": ");
            print_python_str(text, out);
        }
        out.extend_from_slice(b"}, \"filename\": ");
        print_optional(self.file_name, out);
        let hash = hex(&sha256(self.content));
        out.extend_from_slice(format!(", \"sha256\": \"{hash}\", \"size\": {}}}", self.content.len()).as_bytes());
    }

    /// The same form anew: fields by name, then the file, and no header that was not signed. `signed` is its printing.
    pub(super) fn rebuild(&self, signed: &[u8]) -> Result<(Bytes, HeaderValue), Malformed> {
        let boundary = self.free_boundary(signed);
        let mut out = Vec::with_capacity(self.content.len() + signed.len() + 1024);
        for (name, text) in &self.fields {
            let header = format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n");
            out.extend_from_slice(header.as_bytes());
            out.extend_from_slice(text.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        let mut header = format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{FILE}\"");
        if let Some(file_name) = self.file_name {
            header.push_str(&format!("; filename=\"{file_name}\""));
        }
        if let Some(content_type) = self.content_type {
            header.push_str(&format!("\r\nContent-Type: {content_type}"));
        }
        header.push_str("\r\n\r\n");
        out.extend_from_slice(header.as_bytes());
        out.extend_from_slice(self.content);
        out.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        let content_type = HeaderValue::from_str(&format!("multipart/form-data; boundary={boundary}"))
            .map_err(|_| Malformed("the form can't be built anew"))?;
        Ok((out.into(), content_type))
    }

    /// A boundary that occurs nowhere in the form, at the beginning of a line or not; the same for the same form. It is
    /// made of a hash over all of the form, so the first one is as good as certain to be free.
    fn free_boundary(&self, signed: &[u8]) -> String {
        let mut seed = sha256(signed);
        loop {
            // `Z` is no hex digit, as `find` needs it.
            let boundary = format!("Z{}", hex(&seed[..24]));
            let within = |text: &[u8]| find(text, boundary.as_bytes()).is_some();
            let names = [self.file_name, self.content_type].into_iter().flatten();
            let texts = self.fields.iter().flat_map(|(name, text)| [*name, *text]).chain(names);
            if !within(self.content) && !texts.into_iter().any(|text| within(text.as_bytes())) {
                return boundary;
            }
            seed = sha256(&seed);
        }
    }
}

/// Where `needle` begins in `hay`. Its first byte occurs nowhere else in it, so no other match can have begun inside a
/// failed one: each byte is looked at twice at most, whatever a sender makes up.
fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
    let (first, others) = needle.split_first()?;
    let mut at = 0;
    loop {
        at += hay[at..].iter().position(|byte| byte == first)? + 1;
        let same = hay[at..].iter().zip(others).take_while(|(one, other)| one == other).count();
        if same == others.len() {
            return Some(at - 1);
        }
        at += same;
    }
}

fn print_optional(text: Option<&str>, out: &mut Vec<u8>) {
    match text {
        Some(text) => print_python_str(text, out),
        None => out.extend_from_slice(b"null"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boundary_is_found_where_it_first_stands() {
        let needle = b"\r\n--ab";
        let at = |hay: &[u8]| find(hay, needle);
        assert_eq!(at(b""), None);
        assert_eq!(at(b"\r\n--a"), None);
        assert_eq!(at(b"\r\n--ab"), Some(0));
        assert_eq!(at(b"\r\r\n\r\n--\r\n--a\r\n--abab"), Some(12));
        assert_eq!(at(&b"\r\n--a".repeat(1000)), None);
        assert_eq!(at(&[&b"\r\n--a".repeat(1000)[..], needle].concat()), Some(5000));
    }

    #[test]
    fn a_boundary_that_the_form_holds_is_not_taken() {
        let form = |content| Form { fields: BTreeMap::new(), file_name: None, content_type: None, content };
        let taken = form(b"").free_boundary(b"signed");
        let content = format!("x{taken}");
        let other = form(content.as_bytes()).free_boundary(b"signed");
        assert_ne!(taken, other);
        assert!((1..=70).contains(&other.len()));
        let fields = BTreeMap::from([("name", content.as_str())]);
        assert_eq!(Form { fields, ..form(b"") }.free_boundary(b"signed"), other);
    }
}
