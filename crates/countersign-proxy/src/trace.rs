use std::fmt;

use countersign::Timestamp;
use http::HeaderValue;

/// The name of one request in answers, logs and evidence: 26 characters (a ULID), the first ten its time, the others random,
/// so that they sort by time and can't be guessed.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct TraceId([u8; 26]);

impl TraceId {
    pub(crate) fn new(now: Timestamp) -> Self {
        let mut random = [0; 10];
        // Without randomness a trace repeats, which harms nobody: nothing is decided by it.
        let _ = aws_lc_rs::rand::fill(&mut random);
        Self::of(u64::try_from(now.as_millis()).unwrap_or(0), random)
    }

    fn of(millis: u64, random: [u8; 10]) -> Self {
        let low = random.iter().fold(0_u128, |sum, byte| sum << 8 | u128::from(*byte));
        let mut rest = u128::from(millis & 0xffff_ffff_ffff) << 80 | low;
        let mut text = [0; 26];
        for place in text.iter_mut().rev() {
            *place = ALPHABET[(rest & 31) as usize];
            rest >>= 5;
        }
        Self(text)
    }

    pub(crate) fn as_str(&self) -> &str {
        // All of it is from the alphabet.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    pub(crate) fn header(&self) -> HeaderValue {
        HeaderValue::from_bytes(&self.0).unwrap_or_else(|_| HeaderValue::from_static(""))
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Crockford's base 32.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorts_by_time_and_has_the_form_that_callers_are_told() {
        let early = TraceId::of(1_618_884_473_000, [0xff; 10]);
        let late = TraceId::of(1_618_884_473_001, [0; 10]);
        assert!(early.as_str() < late.as_str());
        assert_eq!(TraceId::of(0, [0; 10]).as_str(), "0".repeat(26));
        assert_eq!(TraceId::of(u64::MAX, [0xff; 10]).as_str(), "7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
    }

    #[test]
    fn never_twice_the_same() {
        let now = Timestamp::from_secs(1);
        assert_ne!(TraceId::new(now).as_str(), TraceId::new(now).as_str());
    }
}
