//! What we need of structured fields (RFC 9651) beyond what the parser gives: the bytes that a dictionary member came as.

use std::convert::Infallible;

use sfv::visitor::{DictionaryVisitor, EntryVisitor, Ignored};
use sfv::{KeyRef, Parser};

use crate::rejection::{Code, Rejection};

/// One member of a dictionary: its name and its value as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Member<'a> {
    pub(crate) name: &'a str,
    /// What stands behind `=`, parameters included; for a member without `=` what stands behind its name.
    pub(crate) raw: &'a str,
}

/// The members of a dictionary in the order in which they came.
///
/// # Errors
/// `malformed` where `text` is no dictionary, where a name stands twice (RFC 9651 would take the last, another reader the
/// first), or where there are more than `limit` members.
pub(crate) fn dictionary<'a>(text: &'a str, field: &'static str, limit: usize) -> Result<Vec<Member<'a>>, Rejection> {
    let mut spans = Spans { text, limit, members: Vec::new(), begins: 0 };
    Parser::new(text)
        .parse_dictionary_with_visitor(&mut spans)
        .map_err(|_| Rejection::new(Code::Malformed, format!("{field} is not a structured dictionary (RFC 9651)")))?;
    spans.close(text.len());
    if spans.members.len() > limit {
        return Err(Rejection::new(Code::Malformed, format!("{field} has more than {limit} members")));
    }
    let members = spans.members;
    for (at, member) in members.iter().enumerate() {
        // At most `limit` members: comparing all pairs is bounded.
        if members[..at].iter().any(|other| other.name == member.name) {
            return Err(Rejection::new(Code::Malformed, format!("{field} names a member twice")));
        }
    }
    Ok(members)
}

/// The bytes of a member that is a byte sequence (RFC 9651 §3.3.5) in the one strict spelling of base64: padded, no
/// blanks, unused bits zero. Its parameters are ignored.
pub(crate) fn byte_sequence(raw: &str) -> Option<Vec<u8>> {
    use base64::Engine;
    let rest = raw.strip_prefix(':')?;
    let (text, after) = rest.split_once(':')?;
    if !after.is_empty() && !after.starts_with(';') {
        return None;
    }
    base64::engine::general_purpose::STANDARD.decode(text).ok()
}

struct Spans<'a> {
    text: &'a str,
    limit: usize,
    members: Vec<Member<'a>>,
    begins: usize,
}

impl<'a> Spans<'a> {
    /// The last member ends at or before `end`, where the next one's name begins.
    fn close(&mut self, end: usize) {
        if let Some(last) = self.members.last_mut() {
            let raw = self.text.get(self.begins..end).unwrap_or_default();
            let raw = raw.trim_end_matches([' ', '\t']);
            let raw = if end < self.text.len() { raw.strip_suffix(',').unwrap_or(raw) } else { raw };
            last.raw = raw.trim_end_matches([' ', '\t']);
        }
    }
}

impl<'a> DictionaryVisitor<'a> for &mut Spans<'a> {
    type Out = ();
    type Error = Infallible;

    fn entry(&mut self, key: &'a KeyRef) -> Result<impl EntryVisitor<'a>, Infallible> {
        let name = key.as_str();
        // The parser hands out slices of `text`: the distance of the two is the place of this name.
        let at = (name.as_ptr() as usize).wrapping_sub(self.text.as_ptr() as usize);
        self.close(at);
        let after = at + name.len();
        let assigned = self.text.as_bytes().get(after) == Some(&b'=');
        self.begins = after + usize::from(assigned);
        if self.members.len() <= self.limit {
            self.members.push(Member { name, raw: "" });
        }
        Ok(Ignored)
    }

    fn finish(self) -> Result<(), Infallible> {
        Ok(())
    }
}

#[cfg(test)]
mod tests_published;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_keep_the_bytes_they_came_as() {
        let text = "  sig1=(\"@method\"  \"@path\");created=1;x=\"a, b=c\" ,\t sig2=:AAA=:;p, flag;q=1 , last=( )";
        let members = dictionary(text, "Signature-Input", 8).unwrap();
        let pairs: Vec<_> = members.iter().map(|member| (member.name, member.raw)).collect();
        assert_eq!(
            pairs,
            [
                ("sig1", "(\"@method\"  \"@path\");created=1;x=\"a, b=c\""),
                ("sig2", ":AAA=:;p"),
                ("flag", ";q=1"),
                ("last", "( )")
            ]
        );
    }

    #[test]
    fn what_is_no_dictionary_or_too_much_is_refused() {
        for bad in ["a=1,", "a=(", "A=1", "a=1 b=2", "a=\u{e9}", ",", "a=1, a=2", "a, b, c, d"] {
            assert!(dictionary(bad, "Signature", 3).is_err(), "{bad}");
        }
        assert_eq!(dictionary("", "Signature", 3), Ok(vec![]));
    }

    #[test]
    fn base64_has_one_spelling() {
        assert_eq!(byte_sequence(":AAA=:"), Some(vec![0, 0]));
        for bad in [":AAA:", ":AAB=:", ":AA A=:", ":AAA=", "AAA=", ":AAA=:x", ":AA-_:"] {
            assert_eq!(byte_sequence(bad), None, "{bad}");
        }
    }
}
