//! Multipart bodies: read so strictly that every receiver would read the same, signed by what they say, and built anew
//! for the upstream, so that nothing that was not signed goes on. They are read as they pass, by `reader`: of the file a hash is
//! left, and where it stands.

use std::collections::BTreeMap;
use std::ops::Range;

use bytes::Bytes;
use http::HeaderValue;

use super::parameters;
use crate::json::{Malformed, print_python_str};
use crate::primitive::sha256;
use crate::scheme::Reframed;

mod reader;

pub(super) use reader::Reader;

/// The name of the part that is the file.
const FILE: &str = "file";

/// A form with one file.
#[derive(Debug)]
pub(super) struct Form {
    /// By code point, as Python sorts them.
    fields: BTreeMap<String, String>,
    file: File,
}

/// The part that is the file.
#[derive(Debug)]
struct File {
    name: Option<String>,
    content_type: Option<String>,
    /// Where its content stands in the body.
    place: Range<u64>,
    sha256: [u8; 32],
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

impl Form {
    /// Reads a body that is at hand.
    pub(super) fn read(body: &[u8], boundary: &str) -> Result<Self, Malformed> {
        let mut reader = Reader::new(boundary);
        reader.push(body)?;
        reader.finish()
    }

    /// A field by its name.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }

    /// Appends what is signed: the printing of an object with five members, of which no JSON body can have the same.
    pub(super) fn print_python(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"content_type\": ");
        print_optional(self.file.content_type.as_deref(), out);
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
        print_optional(self.file.name.as_deref(), out);
        let (hash, size) = (hex(&self.file.sha256), self.file.place.end - self.file.place.start);
        out.extend_from_slice(format!(", \"sha256\": \"{hash}\", \"size\": {size}}}").as_bytes());
    }

    /// The same form anew: fields by name, then the file, and no header that was not signed. `signed` is its printing.
    pub(super) fn rebuild(&self, signed: &[u8]) -> Result<Reframed, Malformed> {
        let boundary = self.free_boundary(signed);
        let File { name: file_name, content_type, place, .. } = &self.file;
        let mut before = Vec::with_capacity(signed.len() + 1024);
        for (name, text) in &self.fields {
            let header = format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n");
            before.extend_from_slice(header.as_bytes());
            before.extend_from_slice(text.as_bytes());
            before.extend_from_slice(b"\r\n");
        }
        let mut header = format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{FILE}\"");
        if let Some(file_name) = file_name {
            header.push_str(&format!("; filename=\"{file_name}\""));
        }
        if let Some(content_type) = content_type {
            header.push_str(&format!("\r\nContent-Type: {content_type}"));
        }
        header.push_str("\r\n\r\n");
        before.extend_from_slice(header.as_bytes());
        let after = Bytes::from(format!("\r\n--{boundary}--\r\n"));
        let content_type = HeaderValue::from_str(&format!("multipart/form-data; boundary={boundary}"))
            .map_err(|_| Malformed("the form can't be built anew"))?;
        Ok(Reframed { before: before.into(), kept: place.clone(), after, content_type })
    }

    /// A boundary that occurs nowhere in the form, at the beginning of a line or not; the same for the same form. It is
    /// made of a hash over what was signed, the hash of the file among it: a file that holds it would have to be made for
    /// its own hash, so the file, which has passed, need not be looked through.
    fn free_boundary(&self, signed: &[u8]) -> String {
        let mut seed = sha256(signed);
        loop {
            let boundary = format!("Z{}", hex(&seed[..24]));
            let names = [&self.file.name, &self.file.content_type].into_iter().flatten();
            let mut texts = self.fields.iter().flat_map(|(name, text)| [name, text]).chain(names);
            if !texts.any(|text| text.contains(&boundary)) {
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
        let file = || File { name: None, content_type: None, place: 0..0, sha256: [7; 32] };
        let form = |fields| Form { fields, file: file() };
        let taken = form(BTreeMap::new()).free_boundary(b"signed");
        let content = format!("x{taken}");
        let other = form(BTreeMap::from([("name".to_owned(), content.clone())])).free_boundary(b"signed");
        assert_ne!(taken, other);
        assert!((1..=70).contains(&other.len()));
        let named = Form { fields: BTreeMap::new(), file: File { name: Some(content), ..file() } };
        assert_eq!(named.free_boundary(b"signed"), other);
        // Another file has another one, since its hash is signed.
        let signed = |sha256| {
            let mut out = Vec::new();
            Form { fields: BTreeMap::new(), file: File { sha256, ..file() } }.print_python(&mut out);
            out
        };
        let of = |signed: &[u8]| form(BTreeMap::new()).free_boundary(signed);
        assert_ne!(of(&signed([7; 32])), of(&signed([8; 32])));
    }
}
