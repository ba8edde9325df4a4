//! `jti` as a UUID of version 7 (RFC 9562 §5.7), which says when a token was issued, by the clock and by the registry.

use crate::time::Timestamp;

/// A moment in the life of a deployment, told in two ways, since the clocks of its gateways differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    /// By the clock of whoever tells it, in milliseconds.
    pub(super) at: Timestamp,
    /// By the last change of the registry that was known.
    pub(super) generation: i64,
}

impl Moment {
    /// An id that is made now: 48 bits of time; the generation in the last 32 ("an optional counter"); the rest random but for version
    /// and variant.
    pub(super) fn id(self, random: [u8; 6]) -> String {
        // One that does not fit reads as an earlier one, which is revoked sooner.
        let generation = u32::try_from(self.generation.max(0)).unwrap_or(u32::MAX);
        let mut bytes = [0; 16];
        bytes[..6].copy_from_slice(&self.at.as_millis().to_be_bytes()[2..]);
        bytes[6..12].copy_from_slice(&random);
        bytes[12..].copy_from_slice(&generation.to_be_bytes());
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
    pub(super) fn of(id: &str) -> Option<Self> {
        let form = id.len() == 36
            && id.bytes().enumerate().all(|(at, byte)| match at {
                8 | 13 | 18 | 23 => byte == b'-',
                14 => byte == b'7',
                19 => matches!(byte, b'8' | b'9' | b'a' | b'b'),
                _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
            });
        let number = |digits: &str| i64::from_str_radix(digits, 16).ok();
        let millis = form.then(|| number(&format!("{}{}", &id[..8], &id[9..13])))??;
        Some(Self { at: Timestamp::from_millis(millis), generation: number(&id[28..])? })
    }

    /// Whether what happened then is over with what happened at `end`, by one of the two at least: whoever did not know of the end
    /// was before it, whatever his clock said.
    pub(super) fn ends_with(self, end: Self) -> bool {
        self.at <= end.at || self.generation < end.generation
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_says_when_it_was_made() {
        // RFC 9562 appendix A.6.
        let now = Moment { at: Timestamp::from_millis(0x017f_22e2_79b0), generation: 0x0c07_398f };
        let random = [0xcc, 0xc3, 0x98, 0xc4, 0xdc, 0x0c];
        let id = now.id(random);
        assert_eq!(id, "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
        assert_eq!(Moment::of(&id), Some(now));
        // Version and variant are set, whatever is random.
        for (random, form) in [([0xff; 6], "7fff-bfff-ffff"), ([0; 6], "7000-8000-0000")] {
            assert_eq!(now.id(random), format!("017f22e2-79b0-{form}0c07398f"));
        }
    }

    #[test]
    fn a_generation_beyond_what_an_id_has_room_for_reads_as_an_earlier_one() {
        for (generation, read) in [(0, 0), (-1, 0), (7, 7), (0xffff_ffff, 0xffff_ffff), (i64::MAX, 0xffff_ffff)] {
            let id = Moment { at: Timestamp::from_secs(1), generation }.id([0; 6]);
            assert_eq!(Moment::of(&id).map(|moment| moment.generation), Some(read));
        }
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
            assert_eq!(Moment::of(other), None, "{other}");
        }
    }
}
