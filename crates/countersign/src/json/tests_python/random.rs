//! Chance that can be had again.

/// xorshift64* (Vigna): repeatable from a seed, and good enough to choose among cases.
pub(super) struct Random(u64);

impl Random {
    /// The source of the `nth` document of a seed, so that each can be made again alone.
    pub(super) fn new(seed: u64, nth: usize) -> Self {
        let mut random = Self((seed ^ (nth as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)).max(1));
        random.bits();
        random.bits();
        random
    }

    pub(super) fn bits(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        (((self.bits() >> 32) * end as u64) >> 32) as usize
    }

    pub(super) fn between(&mut self, first: usize, last: usize) -> usize {
        first + self.below(last - first + 1)
    }

    pub(super) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub(super) fn one_of<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> &'a T {
        all[self.below(all.len())]
    }

    pub(super) fn digits(&mut self, len: usize) -> String {
        (0..len).map(|_| char::from(b'0' + self.below(10) as u8)).collect()
    }
}
