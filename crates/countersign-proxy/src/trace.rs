use std::cell::RefCell;
use std::fmt;

use countersign::Timestamp;
use http::HeaderValue;

/// The name of one request in answers, logs and evidence: 26 characters (a ULID), the first ten its time, the others random,
/// so that they sort by time and can't be guessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TraceId([u8; 26]);

impl TraceId {
    pub(crate) fn new(now: Timestamp) -> Self {
        Self::of(u64::try_from(now.as_millis()).unwrap_or(0), RANDOM.with_borrow_mut(Random::next))
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

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
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

/// Random bytes of this thread, drawn for many traces at once: one by one each would cost a microsecond.
struct Random {
    bytes: [u8; 640],
    used: usize,
}

impl Random {
    fn next(&mut self) -> [u8; 10] {
        if self.used == self.bytes.len() {
            // Without randomness a trace repeats, which harms nobody: nothing is decided by it.
            let _ = aws_lc_rs::rand::fill(&mut self.bytes);
            self.used = 0;
        }
        let mut next = [0; 10];
        next.copy_from_slice(&self.bytes[self.used..self.used + 10]);
        self.used += 10;
        next
    }
}

thread_local! {
    static RANDOM: RefCell<Random> = const { RefCell::new(Random { bytes: [0; 640], used: 640 }) };
}

/// Crockford's base 32.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

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
        let traces: HashSet<TraceId> = (0..1000).map(|_| TraceId::new(now)).collect();
        let elsewhere = std::thread::spawn(move || (0..1000).map(|_| TraceId::new(now)).collect());
        let elsewhere: HashSet<TraceId> = elsewhere.join().unwrap();
        assert_eq!(traces.union(&elsewhere).count(), 2000);
    }
}
