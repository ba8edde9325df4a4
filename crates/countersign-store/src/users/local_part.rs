//! What stands before the `@`: how it is written in its one form, and how it looks.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::{canonical_combining_class, is_combining_mark};
use unicode_security::{GeneralSecurityProfile, RestrictionLevel, RestrictionLevelDetection};

use super::InvalidEmail;

/// The one form of a dot-string of RFC 5321, with the characters of RFC 6531 that can't be mistaken.
pub(super) fn form(text: &str) -> Result<String, InvalidEmail> {
    if text.is_empty() {
        return Err(InvalidEmail("before the @ stand 1 to 64 bytes"));
    }
    if text.split('.').any(str::is_empty) {
        return Err(InvalidEmail("a dot before the @ stands between two characters"));
    }
    let could_be_another = InvalidEmail("a character before the @ could be taken for another, or for none");
    let folded = fold(text).ok_or(could_be_another)?;
    if folded.len() > 64 {
        return Err(InvalidEmail("before the @ stand 1 to 64 bytes"));
    }
    if text.is_ascii() {
        let fault = InvalidEmail("a character before the @ is none of an e-mail address");
        return if folded.bytes().all(is_atext) { Ok(folded) } else { Err(fault) };
    }
    if !folded.chars().all(is_admitted) {
        return Err(could_be_another);
    }
    let letters: String = folded.chars().filter(|c| !c.is_ascii() || c.is_ascii_alphanumeric()).collect();
    if letters.detect_restriction_level() > RestrictionLevel::HighlyRestrictive {
        return Err(InvalidEmail("the characters before the @ are of several scripts"));
    }
    if hides_a_mark(&folded) {
        return Err(InvalidEmail("a mark before the @ could be overlooked"));
    }
    if !reads_in_one_way(&folded) {
        return Err(InvalidEmail("what stands before the @ could be read in another order"));
    }
    if skeleton(&folded).is_none() {
        return Err(InvalidEmail("what stands before the @ looks like another address"));
    }
    Ok(folded)
}

/// In lower case and composed, whether it is admitted or not. `None` for what would become another's by it.
pub(super) fn fold(text: &str) -> Option<String> {
    if text.chars().any(hides_ascii) {
        return None;
    }
    Some(text.nfc().flat_map(char::to_lowercase).map(one_sigma).nfc().collect())
}

/// What a form looks like (UTS #39 §4). `None` for what looks like ASCII, such as ASCII itself, of which a person can tell
/// `rn` from `m`, and `l` from `1`, no better, and which are different mailboxes all the same.
pub(super) fn skeleton(form: &str) -> Option<String> {
    // The tables make `°/₀` of a per cent sign: an address of ASCII would not look like ASCII.
    let parts: Vec<String> = form.split('%').map(|part| unicode_security::skeleton(part).collect()).collect();
    let skeleton = parts.join("%");
    if skeleton.is_ascii() { None } else { Some(skeleton) }
}

/// RFC 5321 §4.1.2 `atext`, of RFC 5322 §3.2.3, or the dot between.
fn is_atext(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&byte)
}

/// The one Greek letter whose lower case depends on where it stands.
fn one_sigma(c: char) -> char {
    if c == 'ς' { 'σ' } else { c }
}

/// What another spelling of compatibility, or of case, would make ASCII: the sign of Kelvin, a long s, letters of full width.
fn hides_ascii(c: char) -> bool {
    !c.is_ascii() && c.to_lowercase().nfkc().all(|c| c.is_ascii())
}

fn is_admitted(c: char) -> bool {
    match u8::try_from(c) {
        Ok(byte) if byte.is_ascii() => is_atext(byte),
        _ => c.identifier_allowed() && c.nfkc().eq([c]) && keeps_its_case(c) && c != 'ȷ',
    }
}

/// An ı without its dot does not keep its case: whoever writes it in capitals, and then small, has an i.
fn keeps_its_case(c: char) -> bool {
    let mut upper = c.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(upper), None) if upper != c => upper.to_lowercase().eq([c]),
        _ => true,
    }
}

/// Whether a mark stands where nobody sees it (UTS #39 §5.4): twice on one letter, on top of four others, on the dot of an i,
/// or on nothing that it could belong to.
fn hides_a_mark(form: &str) -> bool {
    let (mut base, mut marks) = (None, Vec::new());
    for c in form.nfd() {
        if !is_combining_mark(c) {
            (base, marks) = (Some(c), Vec::new());
            continue;
        }
        if marks.contains(&c) || !base.is_some_and(char::is_alphanumeric) {
            return true;
        }
        marks.push(c);
        if marks.iter().filter(|mark| canonical_combining_class(**mark) != 0).count() > MOST_MARKS {
            return true;
        }
    }
    // What NFC composes is a letter of its own, as í is.
    let mut before = None;
    form.chars().any(|c| {
        let on = before.replace(c);
        canonical_combining_class(c) != 0
            && on.and_then(|on: char| on.nfd().next()).is_some_and(|on| DOTTED.contains(on))
    })
}

/// RFC 5893 §2: from right to left, or from left to right. Of `א1` and `1א` nobody can tell on a screen which is which.
fn reads_in_one_way(form: &str) -> bool {
    use idna::uts46::{AsciiDenyList, Hyphens, Uts46};
    Uts46::new().to_unicode(form.as_bytes(), AsciiDenyList::EMPTY, Hyphens::Allow).1.is_ok()
}

/// i, j, and those of Cyrillic that look like them.
const DOTTED: &str = "ijіј";

const MOST_MARKS: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(text: &str) {
        assert!(form(text).is_err(), "{text:?} is {:?}", form(text));
    }

    #[track_caller]
    fn admitted(text: &str) {
        assert_eq!(form(text).as_deref(), Ok(text));
    }

    #[test]
    fn mistake_23_an_i_without_its_dot_beside_letters_beyond_ascii() {
        for text in ["müll\u{131}", "ç\u{131}lg\u{131}n", "mü\u{237}", "\u{49}\u{307}lker", "\u{130}lker"] {
            refused(text);
        }
        admitted("müllí");
    }

    #[test]
    fn mistake_23_marks_that_nobody_sees() {
        for text in [
            "i\u{307}lker",      // on the dot of an i
            "müll\u{ed}\u{307}", // on that of an í
            "müj\u{307}",
            "\u{456}\u{307}ван", // of Cyrillic
            "i\u{332}e",
            "é\u{301}va", // twice
            "e\u{323}\u{301}\u{323}va",
            "क\u{941}\u{941}",
            "e\u{300}\u{302}\u{303}\u{304}\u{30a}", // a tower
            "\u{301}éva",                           // on nothing
            "é.\u{301}va",
            "é+\u{301}va",
        ] {
            refused(text);
        }
        for text in ["ọ\u{300}ba", "g\u{303}arã", "việt", "їжак", "ķīlis"] {
            admitted(text);
        }
    }

    #[test]
    fn mistake_23_what_can_not_be_seen() {
        for text in
            ["é\u{200c}va", "é\u{200d}va", "क\u{94d}\u{200d}ष", "é\u{34f}va", "é\u{fe0f}", "ᄀ\u{115f}", "é\u{e0100}"]
        {
            refused(text);
        }
        // A skeleton leaves out what is ignorable by default: nothing of it may stand in an identifier, whatever the tables.
        let unseen = |c: &char| unicode_security::skeleton(c.encode_utf8(&mut [0; 4])).next().is_none();
        let unseen: Vec<char> = ('\u{80}'..=char::MAX).filter(unseen).collect();
        assert!(unseen.len() > 300, "{}", unseen.len());
        for c in unseen {
            refused(&format!("é{c}"));
        }
    }

    #[test]
    fn mistake_23_digits_that_stand_on_the_other_side_of_a_name_from_right_to_left() {
        admitted("אבג1");
        refused("1אבג");
        refused("אבג.1");
        admitted("علي");
    }

    #[test]
    fn what_else_an_address_may_hold_stands_beside_letters_beyond_ascii() {
        for text in ["müller+shop", "müller_jürgen", "müller-1", "дмитрий.1", "ü!#$%&'*/=?^`{|}~", "ü--a", "-ü-"]
        {
            admitted(text);
        }
        refused("xn--ü");
    }

    #[test]
    fn two_that_look_alike_have_one_skeleton_and_a_mark_is_part_of_it() {
        for (one, other) in [("ёре", "ëpe"), ("ørsted", "o\u{338}rsted"), ("мüll", "мüll"), ("mü11er", "müller")]
        {
            assert_eq!(skeleton(one), skeleton(other), "{one} {other}");
            assert!(skeleton(one).is_some(), "{one}");
        }
        for (one, other) in [("müller", "mùller"), ("дмитрий", "дмитрии"), ("用户", "用心"), ("zoë", "zoé")]
        {
            assert_ne!(skeleton(one), skeleton(other), "{one} {other}");
        }
        assert_eq!(skeleton("аре"), None, "all of it Cyrillic, and it reads as ASCII");
        assert_eq!(skeleton("аре%"), None);
    }

    /// Or an address of ASCII could look like one that is not, and have nothing to compare.
    #[test]
    fn what_ascii_looks_like_is_ascii() {
        for c in (0x21..0x7f).map(char::from) {
            assert_eq!(skeleton(&c.to_string()), None, "{c}");
        }
    }
}
