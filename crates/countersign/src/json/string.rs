//! What is inside the quotes: which bytes stand for themselves, and what an escape says.

use std::borrow::Cow;

use super::{Malformed, Spelling};

/// How many bytes at the start of `bytes` a JSON string may hold as they are and CPython prints as they are: printable
/// ASCII but for `"` and `\`.
pub(crate) fn plain_run(bytes: &[u8]) -> usize {
    let (words, rest) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let stops = stops(u64::from_le_bytes(*word));
        if stops != 0 {
            return index * 8 + stops.trailing_zeros() as usize / 8;
        }
    }
    words.len() * 8 + rest.iter().take_while(|byte| is_plain(**byte)).count()
}

/// The first byte of eight (the lowest) that is not plain has its top bit set in the answer, and no plain byte below it
/// has. Above it a carry or a borrow may set bits that mean nothing.
fn stops(word: u64) -> u64 {
    const EACH: u64 = 0x0101_0101_0101_0101;
    const TOP: u64 = 0x80 * EACH;
    // What is not ASCII has its top bit set, and whatever else is done to it does not matter. DEL gains its by an
    // addition, a control loses more than it has, and so does what becomes zero where it is the byte that is looked
    // for.
    let is = |byte: u8| (word ^ (u64::from(byte) * EACH)).wrapping_sub(EACH);
    let control = word.wrapping_sub(0x20 * EACH);
    (word | word.wrapping_add(EACH) | control | is(b'"') | is(b'\\')) & TOP
}

fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\'
}

/// What the escape at the start of `bytes` (its backslash) stands for, and how many bytes it takes; a surrogate pair is
/// one.
pub(super) fn escape(bytes: &[u8]) -> Result<(char, usize), Malformed> {
    let short = match bytes.get(1) {
        Some(b'"') => '"',
        Some(b'\\') => '\\',
        Some(b'/') => '/',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => return hex_escape(bytes),
        _ => return Err(Malformed("a string has an escape that JSON does not know")),
    };
    Ok((short, 2))
}

/// CPython makes one character of two escapes only if they stand side by side, the high surrogate first. Each other
/// surrogate it keeps as it is, and then prints text that no strict reader takes: refused.
fn hex_escape(bytes: &[u8]) -> Result<(char, usize), Malformed> {
    let unit = code_unit(bytes).ok_or(Malformed("a \\u escape in a string has not four hex digits"))?;
    if let Some(character) = char::from_u32(unit) {
        return Ok((character, 6));
    }
    let lone = Malformed("a string has a lone surrogate");
    let low = code_unit(&bytes[6..]).filter(|low| (0xdc00..=0xdfff).contains(low)).ok_or(lone)?;
    // A low one in the first place makes more than the 0x10ffff that there are.
    let character = char::from_u32(0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00));
    Ok((character.ok_or(lone)?, 12))
}

/// The UTF-16 code unit of the `\uXXXX` at the start of `bytes`. `from_str_radix` would take a sign.
fn code_unit(bytes: &[u8]) -> Option<u32> {
    let [b'\\', b'u', digits @ ..] = bytes.first_chunk::<6>()? else { return None };
    digits.iter().try_fold(0, |unit, digit| Some(unit << 4 | char::from(*digit).to_digit(16)?))
}

/// What a string says whose text between the quotes is `inside`, as `read` accepted it.
pub(super) fn decoded(inside: &str, spelling: Spelling) -> Cow<'_, str> {
    if spelling != Spelling::Escaped {
        return Cow::Borrowed(inside);
    }
    // No escape is shorter in the text than in UTF-8, so this does not grow. Eight bytes beyond, so that always eight can be
    // written: what is wrong of them is written over. Escapes come every few bytes where JSON stands in a string, and there
    // this takes a fifth of going piece by piece.
    let (bytes, mut says) = (inside.as_bytes(), vec![0; inside.len() + 8]);
    let (mut from, mut to) = (0, 0);
    while from < bytes.len() {
        if let Some(word) = bytes[from..].first_chunk::<8>() {
            says[to..to + 8].copy_from_slice(word);
            let run = before_backslash(u64::from_le_bytes(*word));
            (from, to) = (from + run, to + run);
            if run == 8 {
                continue;
            }
        } else if bytes[from] != b'\\' {
            says[to] = bytes[from];
            (from, to) = (from + 1, to + 1);
            continue;
        }
        // A backslash stands here. What most escapes stand for is one byte, and `escape` would be a call.
        match bytes.get(from + 1) {
            Some(byte @ (b'"' | b'\\' | b'/')) => {
                says[to] = *byte;
                (from, to) = (from + 2, to + 1);
            }
            _ => {
                // As in `pieces`, not reachable with an error.
                let (character, len) =
                    escape(&bytes[from..]).expect("the escape was accepted when the string was read");
                to += character.encode_utf8(&mut says[to..]).len();
                from += len;
            }
        }
    }
    says.truncate(to);
    Cow::Owned(String::from_utf8(says).expect("text whose escapes were replaced by characters is text"))
}

/// How many bytes of eight, the lowest first, stand before a backslash.
fn before_backslash(word: u64) -> usize {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let zero_where_one = word ^ (u64::from(b'\\') * EACH);
    // The lowest zero byte is the lowest whose top bit is set here; above it a borrow may set bits that mean nothing.
    let zeros = zero_where_one.wrapping_sub(EACH) & !zero_where_one & (0x80 * EACH);
    zeros.trailing_zeros() as usize / 8
}

/// The first eight of the `len` bytes at the start of `bytes`, zeros where there are fewer, as a number: where two differ,
/// the texts sort as they do.
pub(super) fn first_eight(bytes: &[u8], len: usize) -> u64 {
    let byte = |at: usize| bytes.get(at).copied().unwrap_or(0);
    let eight = bytes.first_chunk().copied().unwrap_or_else(|| std::array::from_fn(byte));
    let beyond = if len < 8 { u64::MAX >> (8 * len) } else { 0 };
    u64::from_be_bytes(eight) & !beyond
}

/// A stretch of a string without escapes, or what one escape stands for.
pub(super) enum Piece<'a> {
    Literal(&'a str),
    Escape(char),
}

/// The pieces of `inside`, the text between the quotes of a string that `read` accepted.
pub(super) fn pieces(inside: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = inside;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        // Runs are short: counting bytes costs half of what `find` does (2 % of reading and printing an ordinary body).
        let literal = rest.bytes().position(|byte| byte == b'\\').unwrap_or(rest.len());
        if literal > 0 {
            let (run, after) = rest.split_at(literal);
            rest = after;
            return Some(Piece::Literal(run));
        }
        // Not reachable with an error: `read` has put every escape of the string through the same function. Going on
        // without the rest would print other bytes than were signed.
        let (character, len) = escape(rest.as_bytes()).expect("the escape was accepted when the string was read");
        rest = &rest[len..];
        Some(Piece::Escape(character))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_run_ends_at_each_byte_that_is_not_plain_and_at_no_other_wherever_it_stands() {
        for len in 0..20 {
            for at in 0..len {
                for byte in 0..=u8::MAX {
                    // All around the byte, those whose borrow could reach it.
                    for around in [b' ', b'!', b'#', b'[', b']', b'~', b'a'] {
                        let mut bytes = vec![around; len];
                        bytes[at] = byte;
                        let expected = if is_plain(byte) { len } else { at };
                        assert_eq!(plain_run(&bytes), expected, "{byte:#x} at {at} among {len} of {around:#x}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_a_string_says_is_the_same_as_piece_by_piece_wherever_its_escapes_stand() {
        let bits = [
            "a",
            "bc",
            "\\\"",
            "\\\\",
            "\\/",
            "\\n",
            "\\u0041",
            "\\u20ac",
            "\\ud834\\udd1e",
            "\u{e9}",
            "\u{1d11e}",
            "defghijkl",
        ];
        let mut seed = 1_u64;
        for _ in 0..5000 {
            let mut inside = String::new();
            while !seed.is_multiple_of(13) {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                inside.push_str(bits[(seed >> 33) as usize % bits.len()]);
            }
            seed = seed.wrapping_add(1);
            let mut expected = String::new();
            for piece in pieces(&inside) {
                match piece {
                    Piece::Literal(run) => expected.push_str(run),
                    Piece::Escape(character) => expected.push(character),
                }
            }
            assert_eq!(decoded(&inside, Spelling::Escaped), expected, "{inside}");
        }
        for byte in 0..=u8::MAX {
            for at in 0..8 {
                for around in [0, b'[', b']', b'a', 0xdc, 0xff] {
                    let mut word = [around; 8];
                    word[at] = byte;
                    let expected = if byte == b'\\' { at } else { 8 };
                    assert_eq!(
                        before_backslash(u64::from_le_bytes(word)),
                        expected,
                        "{byte:#x} at {at} among {around:#x}"
                    );
                }
            }
        }
        assert_eq!(before_backslash(u64::from_le_bytes(*b"ab\\]\\\\cd")), 2);
    }

    #[test]
    fn the_first_of_two_stops_ends_the_run() {
        for first in [0, 0x1f, b'"', b'\\', 0x7f, 0x80, 0xff] {
            for second in 0..=u8::MAX {
                assert_eq!(plain_run(&[b'a', b'!', first, second, b' ', b'!', b'#', b'~']), 2);
            }
        }
    }

    #[test]
    fn texts_sort_as_their_first_eight_bytes_where_those_differ() {
        let texts = ["", "\0", "a", "a\0", "ab", "abcdefgh", "abcdefghi", "abcdefgi", "b", "\u{e9}", "\u{10000}"];
        for one in texts {
            for other in texts {
                // In a document, something stands behind a name.
                let first = |text: &str| first_eight(format!("{text}\": 1}}").as_bytes(), text.len());
                let order = first(one).cmp(&first(other));
                assert!(order.is_eq() || order == one.cmp(other), "{one:?} {other:?}");
                assert_eq!(first(one), first_eight(one.as_bytes(), one.len()), "{one:?}");
            }
        }
        assert!(first_eight(b"ab", 2) < first_eight(b"b", 1));
    }

    #[test]
    fn an_escape_takes_exactly_four_hex_digits() {
        assert_eq!(escape(br"\u0041z"), Ok(('A', 6)));
        assert_eq!(escape(br"\uFfFdz"), Ok(('\u{fffd}', 6)));
        for wrong in [
            r"\u",
            r"\u004",
            r"\u+041",
            r"\u-041",
            r"\u 041",
            r"\u004g",
            r"\u00_1",
            r"\u0x41",
            r"\U0041",
            "\\u00\u{e9}",
        ] {
            assert!(escape(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_a_high_surrogate_before_a_low_one_is_a_character() {
        assert_eq!(escape(br"\ud834\uDD1E"), Ok(('\u{1d11e}', 12)));
        assert_eq!(escape(br"\ud800\udc00"), Ok(('\u{10000}', 12)));
        assert_eq!(escape(br"\udbff\udfff"), Ok(('\u{10ffff}', 12)));
        for lone in [
            r"\ud834",
            r"\ud834x",
            r"\ud834\n",
            r"\ud834\u0041",
            r"\ud834\ud834",
            r"\udd1e",
            r"\udd1e\ud834",
            r"\udd1e\udd1e",
        ] {
            assert_eq!(escape(lone.as_bytes()), Err(Malformed("a string has a lone surrogate")), "{lone}");
        }
    }
}
