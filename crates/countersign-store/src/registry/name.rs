use countersign::Scheme;

use super::Refused;

/// `[A-Za-z0-9._-]{1,64}`: what names partners and keys everywhere, so that a name is one word on a command line, in a
/// log, in a header and in a path.
pub(super) fn check_partner(name: &str) -> Result<(), Refused> {
    if is_word(name) { Ok(()) } else { Err(Refused::PartnerName(name.to_owned())) }
}

/// A word, or for RFC 9421 a `keyid` of printable ASCII: `0x20` to `0x7e`, 1 to 256, no blank at either end, since two
/// ids that look the same to a person must not be two.
pub(super) fn check_key_id(scheme: Scheme, id: &str) -> Result<(), Refused> {
    let fine = match scheme {
        Scheme::HttpMessageSignatures => {
            (1..=256).contains(&id.len())
                && id.bytes().all(|byte| (0x20..=0x7e).contains(&byte))
                && !id.starts_with(' ')
                && !id.ends_with(' ')
        }
        Scheme::Pki | Scheme::TrustedSite | Scheme::AppHmac => is_word(id),
    };
    if fine { Ok(()) } else { Err(Refused::KeyId { scheme, id: id.to_owned() }) }
}

fn is_word(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_with_control_characters_or_a_megabyte_of_it() {
        for id in ["", "a b", "a/b", "a\0", "é", "a\n", &"a".repeat(65), &"a".repeat(1 << 20)] {
            assert!(check_key_id(Scheme::AppHmac, id).is_err(), "{id:.80?}");
            assert!(check_partner(id).is_err(), "{id:.80?}");
        }
        for id in ["", " a", "a ", "a\tb", "a\0", "a\x7f", "é", &"a".repeat(257)] {
            assert!(check_key_id(Scheme::HttpMessageSignatures, id).is_err(), "{id:.80?}");
        }
        assert!(check_key_id(Scheme::HttpMessageSignatures, "https://a.example/keys#1 \"x\"").is_ok());
        assert!(check_key_id(Scheme::Pki, &"a".repeat(64)).is_ok());
    }
}
