use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasher, Hasher};

use countersign::{Timestamp, UseMark};

/// Half of a [`UseMark`], which is a SHA-256 over the key's material and the nonce. Cutting can only make two marks
/// one, so its price is a false `Again`, never a false `First`; and that a mark of one partner equals a given one of
/// another's takes 2^128 tries.
pub(super) type Mark = u128;

pub(super) fn cut(mark: &UseMark) -> Mark {
    mark.as_bytes()[..16].iter().fold(0, |half, byte| half << 8 | Mark::from(*byte))
}

/// A span of [`SLOT`] milliseconds: marks end together with the slot that their `until` falls in, up to 8 s late.
pub(super) type Slot = i64;

pub(super) fn slot_of(until: Timestamp) -> Slot {
    until.as_millis().div_euclid(SLOT)
}

/// Spreads marks, by two numbers that are drawn at random: a sender who chooses nonces can choose neither the shard nor the
/// bucket that they fall in. A mark is part of a SHA-256, so one multiplication does: a tenth of what hashing it takes again.
#[derive(Clone, Copy)]
pub(super) struct Spread([u64; 2]);

impl Spread {
    pub(super) fn at_random() -> Self {
        Self([0, 1].map(|number| RandomState::new().hash_one(number)))
    }
}

impl BuildHasher for Spread {
    type Hasher = Spreading;

    fn build_hasher(&self) -> Spreading {
        Spreading { by: self.0, hash: 0 }
    }
}

/// The hash of one mark.
pub(super) struct Spreading {
    by: [u64; 2],
    hash: u64,
}

impl Hasher for Spreading {
    #[expect(clippy::cast_possible_truncation, reason = "both halves of each number are taken")]
    fn write_u128(&mut self, mark: u128) {
        let [high, low] = [(mark >> 64) as u64 ^ self.by[0], mark as u64 ^ self.by[1]];
        let product = u128::from(high) * u128::from(low);
        self.hash = (product >> 64) as u64 ^ product as u64;
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u128(u128::from(self.hash) << 8 | u128::from(*byte));
        }
    }

    fn finish(&self) -> u64 {
        self.hash
    }
}

/// The marks of one shard. One set to look in, whatever the windows of the routes, and beside it a bucket of marks per
/// slot of time, so that a mark is added, found and dropped in constant time.
pub(super) struct Shard {
    marks: HashSet<Mark, Spread>,
    buckets: BTreeMap<Slot, Vec<Mark>>,
    /// The latest moment that this shard was handed. What ended before may be forgotten, and so can't be judged any
    /// more.
    horizon: Timestamp,
    pub(super) closed: bool,
}

impl Shard {
    pub(super) fn new(horizon: Timestamp) -> Self {
        Self { marks: HashSet::with_hasher(Spread::at_random()), buckets: BTreeMap::new(), horizon, closed: false }
    }

    /// Lets time go on to `now` (never back) and drops up to `most` marks that have ended. Returns how many.
    pub(super) fn advance(&mut self, now: Timestamp, most: usize) -> usize {
        self.horizon = self.horizon.max(now);
        let mut dropped = 0;
        while dropped < most
            && let Some(mut bucket) = self.buckets.first_entry()
            && *bucket.key() < slot_of(self.horizon)
        {
            let marks = bucket.get_mut();
            for mark in marks.drain(marks.len().saturating_sub(most - dropped)..) {
                self.marks.remove(&mark);
                dropped += 1;
            }
            if marks.is_empty() {
                bucket.remove();
            }
        }
        dropped
    }

    /// Whether this shard still knows all that could be used until `until`.
    pub(super) fn remembers(&self, until: Timestamp) -> bool {
        until >= self.horizon
    }

    pub(super) fn contains(&self, mark: &Mark) -> bool {
        self.marks.contains(mark)
    }

    /// Adds a mark that is not there.
    pub(super) fn insert(&mut self, mark: Mark, slot: Slot) {
        if self.marks.insert(mark) {
            self.buckets.entry(slot).or_default().push(mark);
        }
    }

    pub(super) fn horizon(&self) -> Timestamp {
        self.horizon
    }

    pub(super) fn len(&self) -> usize {
        self.marks.len()
    }

    /// Every mark with its slot.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&Mark, Slot)> {
        self.buckets.iter().flat_map(|(slot, marks)| marks.iter().map(move |mark| (mark, *slot)))
    }
}

const SLOT: i64 = 8_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ended_goes_in_small_steps_and_nothing_else_does() {
        let at = Timestamp::from_secs;
        let mut shard = Shard::new(at(0));
        for number in 0..100 {
            shard.insert(number, slot_of(at(100)));
        }
        shard.insert(200, slot_of(at(200)));
        assert_eq!(shard.advance(at(100), 1000), 0, "until counts as live");
        assert_eq!(shard.advance(at(110), 30), 30);
        assert_eq!(shard.advance(at(110), 1000), 70);
        assert_eq!((shard.len(), shard.contains(&200)), (1, true));
        assert!(shard.remembers(at(110)) && !shard.remembers(at(109)));
        shard.advance(at(50), 0);
        assert!(!shard.remembers(at(109)), "a clock that stepped back");
    }
}
