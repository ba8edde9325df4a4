use std::fmt;

use super::local_part;

/// An e-mail address in its one form: what two spellings of one mailbox have in common, and no two mailboxes.
///
/// Both sides of the `@` are in lower case, since whoever provides mailboxes tells none apart by it. The domain stands in
/// ASCII, as DNS knows it (UTS 46). Before the `@`, characters beyond ASCII are admitted (RFC 6531) in NFC, and only where
/// they can't be taken for ASCII: an address that looks like one of ASCII is refused, never mapped onto it, since whoever has
/// the mailbox of the one does not have that of the other. Of two beyond ASCII that look alike the one that is registered
/// first keeps the other from being registered. A plus tag is part of the address.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Email(String);

/// Why a text is no e-mail address, in one clause. Never a part of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidEmail(pub &'static str);

impl Email {
    /// Reads an address: `local@domain` (RFC 5321 §4.1.2), without quotes, comments, blanks or an address for a domain.
    ///
    /// # Errors
    /// [`InvalidEmail`] for anything else, for more than 254 bytes, and for what could be taken for another address.
    pub fn parse(text: &str) -> Result<Self, InvalidEmail> {
        if text.len() > LONGEST {
            return Err(InvalidEmail("an e-mail address has 254 bytes at most"));
        }
        let (local, domain) = text.rsplit_once('@').ok_or(InvalidEmail("an e-mail address has an @"))?;
        let email = Self(format!("{}@{}", local_part::form(local)?, self::domain(domain)?));
        // A domain may be longer in ASCII.
        if email.0.len() > LONGEST { Err(InvalidEmail("an e-mail address has 254 bytes at most")) } else { Ok(email) }
    }

    /// The form that a text has or would have, whatever an earlier version admitted that is no address any more: to find
    /// whoever is there by it, never to register anybody. `None` for what never was an address.
    #[must_use]
    pub fn fold(text: &str) -> Option<String> {
        if text.len() > LONGEST {
            return None;
        }
        let (local, domain) = text.rsplit_once('@')?;
        Some(format!("{}@{}", local_part::fold(local)?, self::domain(domain).ok()?))
    }

    /// The address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What it looks like, where it is beyond ASCII before the `@`: of those that look alike one is registered at most.
    #[must_use]
    pub fn skeleton(&self) -> Option<String> {
        skeleton(&self.0)
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What an address in its one form looks like, where it is beyond ASCII. No two that look alike have two, and none is one of
/// ASCII.
pub(super) fn skeleton(form: &str) -> Option<String> {
    let (local, domain) = form.rsplit_once('@').filter(|(local, _)| !local.is_ascii())?;
    local_part::skeleton(local).map(|local| format!("{local}@{domain}"))
}

/// In the form of DNS.
fn domain(text: &str) -> Result<String, InvalidEmail> {
    use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
    let bad = InvalidEmail("what stands behind the @ is no domain");
    let ascii = Uts46::new()
        .to_ascii(text.as_bytes(), AsciiDenyList::STD3, Hyphens::CheckFirstLast, DnsLength::Verify)
        .map_err(|_| bad)?;
    // A label of digits at the end is an address of four numbers, or part of none.
    let digits = ascii.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
    if digits { Err(bad) } else { Ok(ascii.into_owned()) }
}

/// RFC 5321 §4.5.3.1: a path has 256 octets, of which two are its brackets.
const LONGEST: usize = 254;

#[cfg(test)]
mod tests {
    use super::*;

    fn form(text: &str) -> Result<String, &'static str> {
        Email::parse(text).map(|email| email.0).map_err(|fault| fault.0)
    }

    #[track_caller]
    fn refused(text: &str) {
        assert!(form(text).is_err(), "{text:?} is {:?}", form(text));
    }

    #[test]
    fn mistake_23_other_case_is_the_same_address() {
        for text in ["Alice@Example.COM", "ALICE@EXAMPLE.com", "alice@example.com"] {
            assert_eq!(form(text).as_deref(), Ok("alice@example.com"));
        }
        assert_eq!(form("MÜLLER@example.com"), form("müller@example.com"));
        assert_eq!(form("ΝΊΚΟΣ@example.com"), form("νίκος@example.com"));
    }

    #[test]
    fn mistake_23_a_plus_tag_is_part_of_the_address() {
        assert_eq!(form("alice+shop@example.com").as_deref(), Ok("alice+shop@example.com"));
        assert_eq!(form("al.ice@example.com").as_deref(), Ok("al.ice@example.com"));
    }

    /// Composed or not, it is the same text.
    #[test]
    fn canonical_spellings_of_one_text_are_the_same_address() {
        assert_eq!(form("mu\u{308}ller@example.com"), form("m\u{fc}ller@example.com"));
        assert_eq!(form("MU\u{308}LLER@example.com"), form("m\u{fc}ller@example.com"));
    }

    #[test]
    fn a_domain_has_one_spelling() {
        assert_eq!(form("a@Bücher.example").as_deref(), Ok("a@xn--bcher-kva.example"));
        assert_eq!(form("a@xn--bcher-kva.example").as_deref(), Ok("a@xn--bcher-kva.example"));
        assert_eq!(form("a@bu\u{308}cher。example").as_deref(), Ok("a@xn--bcher-kva.example"));
        // Full width: a name server is asked for the very same name.
        assert_eq!(form("a@\u{ff45}xample.com").as_deref(), Ok("a@example.com"));
        assert_eq!(form("a@localhost").as_deref(), Ok("a@localhost"));
    }

    /// In DNS it is another domain, whose mailbox somebody else has; in ASCII nobody takes it for the first.
    #[test]
    fn a_domain_that_looks_like_another_is_told_apart_by_its_form() {
        assert_eq!(form("alice@ex\u{430}mple.com").as_deref(), Ok("alice@xn--exmple-4nf.com"));
    }

    #[test]
    fn mistake_23_an_address_that_looks_like_another_is_refused() {
        for text in [
            "\u{430}lice@example.com",           // a of Cyrillic
            "\u{430}\u{440}\u{435}@example.com", // all of it Cyrillic, and it reads "ape"
            "al\u{131}ce@example.com",           // an i without its dot
            "mi\u{212a}e@example.com",           // the sign of Kelvin, whose lower case is k
            "mü\u{212a}e@example.com",
            "\u{17f}am@example.com",     // a long s, whose upper case is S
            "\u{ff41}lice@example.com",  // full width
            "\u{fb01}n@example.com",     // a ligature
            "ali\u{200b}ce@example.com", // a space of no width
            "ali\u{ad}ce@example.com",   // a soft hyphen
            "ali\u{202e}ce@example.com", // from right to left
            "al\u{0}ice@example.com",
            "müll\u{435}r@example.com", // Latin and Cyrillic
            "аl\u{456}ce@example.com",
            "\u{1d41a}lice@example.com", // a bold a of mathematics
            "alice\u{ff20}example.com",  // an @ of full width
            "alice\u{fe6b}evil@example.com",
        ] {
            refused(text);
        }
    }

    #[test]
    fn scripts_of_their_own_are_admitted() {
        for text in ["дмитрий@example.com", "用户@example.com", "ユーザー名前@example.com", "müller.jürgen@example.com"]
        {
            assert_eq!(form(text).as_deref(), Ok(text));
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "@",
            "alice",
            "alice@",
            "@example.com",
            "alice@@example.com",
            "a@b@example.com",
            " alice@example.com",
            "alice@example.com ",
            "al ice@example.com",
            "alice@exa mple.com",
            "alice\n@example.com",
            ".alice@example.com",
            "alice.@example.com",
            "al..ice@example.com",
            "\"al ice\"@example.com",
            "alice(x)@example.com",
            "Alice <alice@example.com>",
            "alice@example.com,bob@example.com",
            "alice@[127.0.0.1]",
            "alice@127.0.0.1",
            "alice@example..com",
            "alice@.example.com",
            "alice@example.com.",
            "alice@-example.com",
            "alice@example-.com",
            "alice@exam_ple.com",
            "alice@example.com\0",
            "alice@xn--a.example",
            "alice@example.com/x",
            "a\tb@example.com",
        ] {
            refused(text);
        }
        let long = |local: usize, label: usize| format!("{}@{}.example", "a".repeat(local), "b".repeat(label));
        assert!(form(&long(64, 63)).is_ok());
        refused(&long(65, 63));
        refused(&long(64, 64));
        refused(&format!("{}@{}example", "a".repeat(64), "b.".repeat(100)));
    }

    #[test]
    fn a_form_is_its_own_form() {
        // The last is twice as long in its form, which has 60 bytes.
        let composed = |times: usize| format!("{}@example.com", "\u{958}".repeat(times));
        for text in ["Alice@Example.COM", "MÜLLER@Bücher.example", "ΝΊΚΟΣ@example.com", &composed(10)] {
            let form_of_it = form(text).unwrap();
            assert_eq!(form(&form_of_it), Ok(form_of_it.clone()), "{text}");
            assert_eq!(Email::fold(text), Some(form_of_it), "{text}");
        }
        // 63 bytes, which become 126.
        refused(&composed(21));
        // And 66 that become 64.
        assert!(form(&format!("u\u{308}{}@example.com", "a".repeat(62))).is_ok());
        refused(&format!("u\u{308}{}@example.com", "a".repeat(63)));
    }

    #[test]
    fn what_was_admitted_once_has_a_form_and_what_hides_ascii_has_none() {
        for (text, was) in [
            ("KILIÇ@example.com", "kiliç@example.com"),
            ("kılıç@Example.com", "kılıç@example.com"),
            ("İlker@example.com", "i\u{307}lker@example.com"),
            ("1אב@example.com", "1אב@example.com"),
        ] {
            assert_eq!(Email::fold(text).as_deref(), Some(was));
        }
        let long = format!("{}@example.com", "a".repeat(254));
        for none in
            ["mi\u{212a}e@example.com", "mü\u{212a}e@example.com", "\u{17f}am@example.com", "alice", "a@b c", &long]
        {
            assert_eq!(Email::fold(none), None, "{none}");
        }
    }
}
