//! `jti` as a UUID of version 7 (RFC 9562 §5.7): it says in milliseconds when the token was issued, so that a revocation knows what came
//! before it and what after.

use crate::time::Timestamp;

/// A new id: 48 bits of time, the rest random but for version and variant.
pub(super) fn id(now: Timestamp, random: [u8; 10]) -> String {
    let mut bytes = [0; 16];
    bytes[..6].copy_from_slice(&now.as_millis().to_be_bytes()[2..]);
    bytes[6..].copy_from_slice(&random);
    bytes[6] = bytes[6] & 0x0f | 0x70;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut text = String::with_capacity(36);
    for (at, byte) in bytes.into_iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from_digit(digit.into(), 16).unwrap_or('0'));
        }
    }
    text
}

/// When an id was made; `None` for what is none.
pub(super) fn of(id: &str) -> Option<Timestamp> {
    let form = id.len() == 36
        && id.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            14 => byte == b'7',
            19 => matches!(byte, b'8' | b'9' | b'a' | b'b'),
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        });
    let millis = form.then(|| i64::from_str_radix(&format!("{}{}", &id[..8], &id[9..13]), 16))?;
    millis.ok().map(Timestamp::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_says_when_it_was_made() {
        // RFC 9562 appendix A.6.
        let now = Timestamp::from_millis(0x017f_22e2_79b0);
        let random = [0xcc, 0xc3, 0x98, 0xc4, 0xdc, 0x0c, 0x0c, 0x07, 0x39, 0x8f];
        let id = id(now, random);
        assert_eq!(id, "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
        assert_eq!(of(&id), Some(now));
    }

    #[test]
    fn nothing_else_is_one() {
        for other in [
            "",
            "017f22e2-79b0-4cc3-98c4-dc0c0c07398f",
            "017f22e2-79b0-7cc3-c8c4-dc0c0c07398f",
            "017F22E2-79b0-7cc3-98c4-dc0c0c07398f",
            "017f22e2x79b0-7cc3-98c4-dc0c0c07398f",
            "017f22e2-79b0-7cc3-98c4-dc0c0c07398",
            "+17f22e2-79b0-7cc3-98c4-dc0c0c07398f",
            "é17f22e2-79b0-7cc3-98c4-dc0c0c0739f",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
