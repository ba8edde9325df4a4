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

    /// Whether a stamp inside `window` and a nonce stand at the beginning of these bytes.
    fn begins(&self, bytes: &[u8], window: &RangeInclusive<i64>) -> bool {
        let (stamp, rest) = bytes.split_at_checked(self.stamp).unwrap_or_default();
        self.stamp(stamp).is_some_and(|number| window.contains(&number))
            && rest.get(..self.nonce.len()).is_some_and(|nonce| self.is_nonce(nonce))
    }
}

/// Whether no other request has the bytes `target|stamp|nonce|body`, found out while the body passes.
///
/// Of two requests with the same bytes the one with the shorter target has a body that begins inside the other's target,
/// stamp or nonce, so with a character of a target: it is enough to look at bodies that begin so. And where stamp and nonce
/// of the other stand, all before and all of them are characters of a target: it is enough to look as far as those reach.
///
/// The method needs no thought: it holds no `/`, and every target begins with one, so it ends at the first.
pub(super) struct Splits {
    grammar: Grammar,
    window: RangeInclusive<i64>,
    /// Bytes of the target.
    own: usize,
    /// What was read and is still to be looked at, with what follows: where a stamp and a nonce could still begin.
    rest: Vec<u8>,
    /// Where in all bytes it begins.
    at: usize,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// No byte of a body came.
    Bodiless,
    /// All bytes until now are characters of a target.
    Within,
    /// There is no other split, or there is one.
    Settled { otherwise: bool },
}

impl Splits {
    /// `parts` are target, stamp and nonce.
    pub(super) fn new(grammar: Grammar, parts: [&str; 3], window: RangeInclusive<i64>) -> Self {
        let (own, rest) = (parts[0].len(), parts.concat().into_bytes());
        Self { grammar, window, own, rest, at: 0, state: State::Bodiless }
    }

    /// The stamps that were looked for.
    pub(super) fn window(&self) -> &RangeInclusive<i64> {
        &self.window
    }

    /// Takes the next part of the body. Linear, since stamp and nonce have one length.
    pub(super) fn push(&mut self, body: &[u8]) {
        let Some(&first) = body.first() else { return };
        if self.state == State::Bodiless {
            self.state = State::Within;
            if !is_target_byte(first) {
                self.settle(false);
            }
        }
        if self.state != State::Within {
            return;
        }
        let length = self.grammar.stamp + self.grammar.nonce.len();
        let reach = body.iter().take_while(|&&byte| is_target_byte(byte)).count();
        // Split where a stamp could begin before this part: those few bytes are put together, the others looked at where
        // they are.
        let seam = reach.min(length - 1);
        self.rest.extend_from_slice(&body[..seam]);
        if self.look(&self.rest, self.at) || self.look(&body[..reach], self.at + self.rest.len() - seam) {
            self.settle(true);
        } else if reach < body.len() {
            self.settle(false);
        } else {
            let seen = self.at + self.rest.len() - seam + reach;
            if reach > seam {
                self.rest.clear();
                self.rest.extend_from_slice(&body[reach - seam..reach]);
            }
            let gone = self.rest.len().saturating_sub(length - 1);
            self.rest.drain(..gone);
            self.at = seen - self.rest.len();
        }
    }

    /// Whether the bytes are those of one request only.
    pub(super) fn is_one(&self) -> bool {
        self.state != State::Settled { otherwise: true }
    }

    /// Whether stamp and nonce of another request stand in `bytes`, which begin at `at`.
    fn look(&self, bytes: &[u8], at: usize) -> bool {
        let length = self.grammar.stamp + self.grammar.nonce.len();
        let begins = |start: usize| self.grammar.begins(&bytes[start..], &self.window);
        // The target has one character at least.
        (0..(bytes.len() + 1).saturating_sub(length))
            .any(|start| at + start != self.own && at + start != 0 && begins(start))
    }

    fn settle(&mut self, otherwise: bool) {
        self.state = State::Settled { otherwise };
        self.rest = Vec::new();
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
                let nonce = &rest[..grammar.nonce.len()];
                let Some(number) = grammar.stamp(stamp) else { return false };
                // What the key's own validity lets pass at any time.
                window(number).contains(&number)
                    && target[0] == b'/'
                    && target.iter().all(|&byte| is_target_byte(byte))
                    && grammar.is_nonce(nonce)
                    && says_the_rule(grammar, bytes, [own, own + signed], &window(number))
            })
            .collect()
    }

    /// The rule as the contract words it, with all bytes at hand: `own` bytes of target, and the body from `body` on.
    fn says_the_rule(grammar: &Grammar, bytes: &[u8], [own, body]: [usize; 2], window: &RangeInclusive<i64>) -> bool {
        let reach = bytes.iter().take_while(|&&byte| is_target_byte(byte)).count();
        let other = |length: &usize| *length != own && grammar.begins(&bytes[*length..], window);
        reach <= body || !(1..=reach).any(|length| other(&length))
    }

    /// What comes out of a body that comes in parts of so many bytes.
    fn found_out(
        grammar: &Grammar,
        parts: [&str; 3],
        body: &[u8],
        length: usize,
        window: &RangeInclusive<i64>,
    ) -> bool {
        let grammar = Grammar { stamp: grammar.stamp, nonce: grammar.nonce };
        let mut splits = Splits::new(grammar, parts, window.clone());
        body.chunks(length).for_each(|part| splits.push(part));
        splits.is_one()
    }

    #[test]
    fn however_a_body_comes_the_same_is_found_out() {
        for (grammar, alphabet, longest) in
            [(SHORT, b"/1a{".as_slice(), 7), (Grammar { stamp: 1, nonce: b"x-x" }, b"/1-{", 7)]
        {
            let (window, signed) = (1..=31, grammar.stamp + grammar.nonce.len());
            let mut ambiguous = 0;
            all_strings(alphabet, longest, |bytes| {
                let text = std::str::from_utf8(bytes).unwrap();
                for own in 1..bytes.len().saturating_sub(signed - 1) {
                    let body = own + signed;
                    let parts = [&text[..own], &text[own..own + grammar.stamp], &text[own + grammar.stamp..body]];
                    // Nothing but characters of a target stands before a body.
                    if !text[..body].bytes().all(is_target_byte) {
                        continue;
                    }
                    let said = says_the_rule(&grammar, bytes, [own, body], &window);
                    ambiguous += usize::from(!said);
                    for length in [1, 2, 3, 9] {
                        let found = found_out(&grammar, parts, &bytes[body..], length, &window);
                        assert_eq!(found, said, "{parts:?} {} by {length}", &text[body..]);
                    }
                }
            });
            assert!(ambiguous > 20, "{ambiguous} are ambiguous");
        }
    }

    #[test]
    fn a_stamp_and_a_nonce_are_found_wherever_a_part_ends() {
        let nonce = "00112233-4455-6677-8899-aabbccddeeff";
        let parts = ["/orders", "1795000000000", nonce];
        let window = 1_790_000_000_000..=1_799_000_000_000;
        let grammar = || Grammar::new(TimestampUnit::Milliseconds, NonceForm::Uuid);
        for before in [0, 1, 30, 48, 49, 50, 200] {
            let body = format!("{}1795000000001{nonce}yy", "x".repeat(before));
            let broken = body.replace("8899-aa", "8899:aa");
            let cut = body.replace("8899-aa", "8899{aa");
            for length in 1..body.len() + 1 {
                let found = |body: &str| found_out(&grammar(), parts, body.as_bytes(), length, &window);
                assert_eq!([found(&body), found(&broken), found(&cut)], [false, true, true], "{before}, {length}");
            }
        }
        // Also where they begin in the target, or in the signed nonce.
        let target = ["/orders/1795000000001", "1795000000000", nonce];
        assert!(found_out(&grammar(), target, b"x", 1, &window));
        let target = [&format!("/1795000000001{nonce}"), "1795000000000", nonce];
        assert!(!found_out(&grammar(), target, b"x", 1, &window) && found_out(&grammar(), target, b"{", 1, &window));
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
