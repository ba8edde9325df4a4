//! The forms of stamp and nonce, and where in the signed bytes they could stand.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::key::{AppHmacForm, NonceForm, TimestampUnit};
use crate::target::is_target_byte;
use crate::time::Timestamp;

const DAY: Duration = Duration::from_secs(86_400);

/// 2026-01-01T00:00:00Z. Nothing that was signed before could ever have passed a gateway of ours.
const FIRST: Timestamp = Timestamp::from_secs(1_767_225_600);

/// How stamp and nonce of one key are written. Both have one length each: nothing else separates them from their neighbours.
pub(super) struct Grammar {
    /// So many digits, the first not 0.
    stamp: usize,
    /// `x` stands for a lower-case hexadecimal digit, every other byte for itself.
    nonce: &'static [u8],
}

impl Grammar {
    pub(super) const fn new(unit: TimestampUnit, nonce: NonceForm) -> Self {
        let stamp = match unit {
            TimestampUnit::Seconds => 10,
            TimestampUnit::Milliseconds => 13,
        };
        let nonce: &[u8] = match nonce {
            NonceForm::Hex8 => b"xxxxxxxx",
            NonceForm::Hex32 => b"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            NonceForm::Uuid => b"xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx",
        };
        Self { stamp, nonce }
    }

    /// The number that a stamp is, in its own unit.
    pub(super) fn stamp(&self, text: &[u8]) -> Option<i64> {
        let form = text.len() == self.stamp && text[0] != b'0' && text.iter().all(u8::is_ascii_digit);
        // At most 13 digits: no number of an `i64` is exceeded.
        form.then(|| text.iter().fold(0, |number, digit| number * 10 + i64::from(digit - b'0')))
    }

    pub(super) fn is_nonce(&self, text: &[u8]) -> bool {
        text.len() == self.nonce.len()
            && text.iter().zip(self.nonce).all(|(&byte, &form)| match form {
                b'x' => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
                form => byte == form,
            })
    }

    /// Whether no other request has the bytes of these parts: target, stamp, nonce and body.
    ///
    /// Of two requests with the same bytes the one with the shorter target has a body that begins inside the other's target,
    /// stamp or nonce, so with a character of a target: it is enough to look at bodies that begin so.
    ///
    /// The method needs no thought: it holds no `/`, and every target begins with one, so it ends at the first.
    pub(super) fn is_only_split(&self, parts: [&[u8]; 4], window: &RangeInclusive<i64>) -> bool {
        let [target, _, _, body] = parts;
        !body.first().is_some_and(|&byte| is_target_byte(byte))
            || !self.splits_otherwise(&parts.concat(), target.len(), window)
    }

    /// Whether `bytes`, which are `target|stamp|nonce|body` with a target of `own` bytes, could be those of another request:
    /// characters of a target, then a stamp inside `window`, then a nonce. Linear, since stamp and nonce have one length.
    fn splits_otherwise(&self, bytes: &[u8], own: usize, window: &RangeInclusive<i64>) -> bool {
        let reach = bytes.iter().take_while(|&&byte| is_target_byte(byte)).count();
        (1..=reach).filter(|&length| length != own).any(|length| {
            let (stamp, rest) = bytes[length..].split_at_checked(self.stamp).unwrap_or_default();
            self.stamp(stamp).is_some_and(|number| window.contains(&number))
                && rest.get(..self.nonce.len()).is_some_and(|nonce| self.is_nonce(nonce))
        })
    }
}

/// The stamps, in the key's unit, that a request of this key may ever have carried.
///
/// The earliest is not only a day before `own`: whoever has a request whose path holds the stamp of a later day could keep
/// it until that day, move its parts, and send what nobody signed. So it is a day before the key began, or before anything
/// of ours did. Either way, and at the key's end too, a day is more than clocks and ages differ.
pub(super) fn window(
    form: AppHmacForm,
    own: Timestamp,
    not_before: Option<Timestamp>,
    not_after: Option<Timestamp>,
) -> RangeInclusive<i64> {
    let from = not_before.unwrap_or(FIRST).min(own).before(DAY);
    let until = not_after.map_or(Timestamp::from_millis(i64::MAX), |end| end.after(DAY));
    match form.unit {
        TimestampUnit::Seconds => from.as_secs()..=until.as_secs(),
        TimestampUnit::Milliseconds => from.as_millis()..=until.as_millis(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    /// Two digits and one hexadecimal digit instead of ten and eight: all short strings can be tried.
    const SHORT: Grammar = Grammar { stamp: 2, nonce: b"x" };

    /// Every way to read `bytes` as a request that passes, as the length of its target. `window` is given per own stamp, as
    /// for real keys.
    fn admitted(bytes: &[u8], grammar: &Grammar, window: impl Fn(i64) -> RangeInclusive<i64>) -> Vec<usize> {
        let signed = grammar.stamp + grammar.nonce.len();
        (1..bytes.len().saturating_sub(signed - 1))
            .filter(|&own| {
                let (target, rest) = bytes.split_at(own);
                let (stamp, rest) = rest.split_at(grammar.stamp);
                let (nonce, body) = rest.split_at(grammar.nonce.len());
                let Some(number) = grammar.stamp(stamp) else { return false };
                // What the key's own validity lets pass at any time.
                window(number).contains(&number)
                    && target[0] == b'/'
                    && target.iter().all(|&byte| is_target_byte(byte))
                    && grammar.is_nonce(nonce)
                    && grammar.is_only_split([target, stamp, nonce, body], &window(number))
            })
            .collect()
    }

    fn all_strings(alphabet: &[u8], longest: u32, mut visit: impl FnMut(&[u8])) {
        for length in 1..=longest {
            for mut number in 0..alphabet.len().pow(length) {
                let mut text = vec![b'/'];
                for _ in 0..length {
                    text.push(alphabet[number % alphabet.len()]);
                    number /= alphabet.len();
                }
                visit(&text);
            }
        }
    }

    #[test]
    fn no_two_admitted_requests_share_signed_bytes() {
        let key: fn(i64) -> RangeInclusive<i64> = |_| 11..=99;
        let ended: fn(i64) -> RangeInclusive<i64> = |_| 11..=31;
        for (grammar, alphabet, longest) in [
            (SHORT, b"/1a{".as_slice(), 9),
            (SHORT, b"/13{", 9),
            (SHORT, b"?01f\"", 8),
            (SHORT, b"/102ag-{", 6),
            (Grammar { stamp: 1, nonce: b"x" }, b"/1a-{", 7),
            (Grammar { stamp: 1, nonce: b"xx" }, b"/1a{", 9),
            (Grammar { stamp: 1, nonce: b"x-x" }, b"/1-{", 9),
            (Grammar { stamp: 3, nonce: b"x" }, b"/1a{", 9),
        ] {
            for window in [key, ended, |_| 0..=i64::MAX] {
                let mut several = 0;
                all_strings(alphabet, longest, |bytes| {
                    let ways = admitted(bytes, &grammar, window);
                    assert!(ways.len() <= 1, "{} splits at {ways:?}", String::from_utf8_lossy(bytes));
                    several += ways.len();
                });
                // A rule that admits nothing would hold as well. Stamps of one or three digits miss some of the windows.
                assert!(several > 1_000 || grammar.stamp != 2, "{several} pass");
            }
        }
    }

    #[test]
    fn a_window_that_looks_back_from_the_own_stamp_only_would_let_two_pass() {
        // Why `window` begins with the key: here `day` is 5. The later request, read out of the path of the earlier one,
        // would not see it any more.
        let mut shared = HashMap::new();
        all_strings(b"/13a", 8, |bytes| {
            let ways = admitted(bytes, &SHORT, |own| own - 5..=99);
            if ways.len() > 1 {
                shared.insert(bytes.to_vec(), ways);
            }
        });
        assert!(!shared.is_empty());
        assert!(shared.keys().all(|bytes| admitted(bytes, &SHORT, |_| 10..=99).len() <= 1));
    }

    #[test]
    fn the_window_begins_with_the_key_and_ends_with_it() {
        let form = |unit| AppHmacForm { layout: crate::key::Layout::MethodFirst, unit, nonce: NonceForm::Hex8 };
        let at = Timestamp::from_secs;
        let seconds = form(TimestampUnit::Seconds);
        let own = at(1_795_000_000);
        assert_eq!(window(seconds, own, None, None), 1_767_139_200..=i64::MAX / 1000);
        assert_eq!(
            window(seconds, own, Some(at(1_794_000_000)), Some(at(1_796_000_000))),
            1_793_913_600..=1_796_086_400
        );
        // A stamp from before the key, as within its skew.
        assert_eq!(*window(seconds, own, Some(at(1_795_000_100)), None).start(), 1_794_913_600);
        let millis = window(form(TimestampUnit::Milliseconds), own, Some(own), Some(own));
        assert_eq!(millis, 1_794_913_600_000..=1_795_086_400_000);
    }

    #[test]
    fn each_form_is_exact() {
        let forms = |nonce: &[u8]| {
            [NonceForm::Hex8, NonceForm::Hex32, NonceForm::Uuid]
                .map(|form| Grammar::new(TimestampUnit::Seconds, form).is_nonce(nonce))
        };
        assert_eq!(forms(b"a1b2c3d4"), [true, false, false]);
        assert_eq!(forms(b"A1B2C3D4"), [false; 3]);
        assert_eq!(forms(b"00112233445566778899aabbccddeeff"), [false, true, false]);
        assert_eq!(forms(b"00112233-4455-6677-8899-aabbccddeeff"), [false, false, true]);
        assert_eq!(forms(b"00112233-4455-6677-8899-AABBCCDDEEFF"), [false; 3]);
        assert_eq!(forms(b""), [false; 3]);
        let stamp = |unit, text: &str| Grammar::new(unit, NonceForm::Hex8).stamp(text.as_bytes());
        assert_eq!(stamp(TimestampUnit::Seconds, "1795000000"), Some(1_795_000_000));
        assert_eq!(stamp(TimestampUnit::Milliseconds, "1795000000123"), Some(1_795_000_000_123));
        for bad in
            ["", "0795000000", "+795000000", "-795000000", " 795000000", "1.79500000", "1795000000123", "179500000"]
        {
            assert_eq!(stamp(TimestampUnit::Seconds, bad), None, "{bad}");
        }
    }
}
