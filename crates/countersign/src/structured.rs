//! What we need of structured fields (RFC 9651) beyond what the parser gives: the bytes that a dictionary member came as.

use std::convert::Infallible;

use sfv::visitor::{DictionaryVisitor, EntryVisitor, Ignored};
use sfv::{KeyRef, Parser};

use crate::few::Few;
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
pub(crate) fn dictionary<'a>(text: &'a str, field: &'static str, limit: usize) -> Result<Few<Member<'a>>, Rejection> {
    if let Some(member) = lone_byte_sequence(text) {
        return Ok(member.into());
    }
    let mut spans = Spans { text, limit, members: Few::default(), begins: 0 };
    Parser::new(text)
        .parse_dictionary_with_visitor(&mut spans)
        .map_err(|_| Rejection::new(Code::Malformed, format!("{field} is not a structured dictionary (RFC 9651)")))?;
    spans.close(text.len());
    if spans.members.len() > limit {
        return Err(Rejection::new(Code::Malformed, format!("{field} has more than {limit} members")));
    }
    if has_a_name_twice(&spans.members) {
        return Err(Rejection::new(Code::Malformed, format!("{field} names a member twice")));
    }
    Ok(spans.members)
}

fn has_a_name_twice(members: &Few<Member<'_>>) -> bool {
    if members.len() < 2 {
        return false;
    }
    let mut names: Vec<&str> = members.iter().map(|member| member.name).collect();
    names.sort_unstable();
    names.windows(2).any(|names| names[0] == names[1])
}

/// The member of `name=:base64:` where there is nothing else, as `Signature` and `Content-Digest` nearly always are. The
/// parser would decode the bytes and throw them away; here they are decoded once, by whoever wants them.
fn lone_byte_sequence(text: &str) -> Option<Member<'_>> {
    let (name, raw) = split_at_byte(text, b'=')?;
    let inside = raw.strip_prefix(':')?.strip_suffix(':')?;
    let digits = inside.trim_end_matches('=');
    let padded = inside.len() % 4 == 0 && inside.len() - digits.len() <= 2;
    let base64 = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    // Looks at all of them, also behind one that is none: so many are looked at at once.
    let all_base64 = digits.bytes().fold(true, |so_far, byte| so_far & base64(byte));
    (padded && is_key(name) && all_base64).then_some(Member { name, raw })
}

/// What stands before and behind the first `byte`, which is ASCII. `str::split_once` does the same with a search made for
/// long texts: here things are short, and there are a dozen of them in a message (0.1 µs of 3).
pub(crate) fn split_at_byte(text: &str, byte: u8) -> Option<(&str, &str)> {
    let at = text.bytes().position(|other| other == byte)?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

/// Whether a text is a key (RFC 9651 §3.1.2).
pub(crate) fn is_key(text: &str) -> bool {
    let key = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'.' | b'*');
    text.starts_with(|first: char| first.is_ascii_lowercase() || first == '*') && text.bytes().all(key)
}

/// Where `slice` begins in `text`, of which the parser handed it out: the distance of the two in memory.
pub(crate) fn place_in(text: &str, slice: &str) -> usize {
    (slice.as_ptr() as usize).wrapping_sub(text.as_ptr() as usize)
}

/// The bytes of a member that is a byte sequence (RFC 9651 §3.3.5) in the one strict spelling of base64: padded, no
/// blanks, unused bits zero. Its parameters are ignored.
pub(crate) fn byte_sequence(raw: &str) -> Option<Vec<u8>> {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.decode(base64_of(raw)?).ok()
}

/// As [`byte_sequence`], of exactly `N` bytes; `None` also where there are more or fewer.
pub(crate) fn byte_array<const N: usize>(raw: &str) -> Option<[u8; N]> {
    array_of(base64_of(raw)?)
}

/// As [`byte_array`], where nothing stands behind: no parameter, and no other member.
pub(crate) fn lone_byte_array<const N: usize>(raw: &str) -> Option<[u8; N]> {
    // A colon inside is no base64.
    array_of(raw.strip_prefix(':')?.strip_suffix(':')?)
}

fn array_of<const N: usize>(text: &str) -> Option<[u8; N]> {
    use base64::Engine;
    // The decoder wants room for what padding stands for.
    let mut bytes = [0; 66];
    if text.len() != N.div_ceil(3) * 4 {
        return None;
    }
    let length = base64::engine::general_purpose::STANDARD.decode_slice(text, &mut bytes).ok()?;
    bytes[..length].try_into().ok()
}

/// What stands between the colons.
fn base64_of(raw: &str) -> Option<&str> {
    let (text, after) = split_at_byte(raw.strip_prefix(':')?, b':')?;
    (after.is_empty() || after.starts_with(';')).then_some(text)
}

struct Spans<'a> {
    text: &'a str,
    limit: usize,
    members: Few<Member<'a>>,
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
        let at = place_in(self.text, name);
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
        for bad in ["a=1,", "a=(", "A=1", "a=1 b=2", "a=\u{e9}", ",", "a=1, a=2", "a, b, a", "a, b, c, d"] {
            assert!(dictionary(bad, "Signature", 3).is_err(), "{bad}");
        }
        assert_eq!(dictionary("a, b, c", "Signature", 3).map(|members| members.len()), Ok(3));
        assert_eq!(dictionary("", "Signature", 3), Ok(Few::default()));
    }

    #[test]
    fn a_lone_byte_sequence_is_what_the_parser_would_make_of_it() {
        let lone = |text| lone_byte_sequence(text).map(|member| (member.name, member.raw));
        assert_eq!(lone("sig1=:AAA=:"), Some(("sig1", ":AAA=:")));
        assert_eq!(lone("*a-b_c.d=::"), Some(("*a-b_c.d", "::")));
        for other in [
            "",
            "=:AA==:",
            "Sig=:AA==:",
            "1=:AA==:",
            "s =:AA==:",
            "s=:AA==",
            "s=:",
            "s=:AA==:;p",
            "s=:AA==:, t=:AA==:",
            "s=:A=A=:",
            "s=:A===:",
            "s=:AAA:",
            "s=:AA A:",
            "s=:AA-_:",
        ] {
            assert_eq!(lone(other), None, "{other}");
        }
    }

    #[test]
    fn base64_has_one_spelling() {
        assert_eq!(byte_sequence(":AAA=:"), Some(vec![0, 0]));
        assert_eq!((byte_array(":AAA=:"), byte_array(":AAAA:")), (Some([0; 2]), Some([0; 3])));
        assert_eq!((byte_array::<3>(":AAA=:"), byte_array::<1>(":AAA=:")), (None, None));
        assert_eq!((lone_byte_array(":AAA=:"), lone_byte_array::<2>(":AAA=:;p=:")), (Some([0; 2]), None));
        for bad in [":AAA:", ":AAB=:", ":AA A=:", ":AAA=", "AAA=", ":AAA=:x", ":AA-_:"] {
            assert_eq!(byte_sequence(bad), None, "{bad}");
            assert_eq!(byte_array::<2>(bad), None, "{bad}");
        }
    }
}
