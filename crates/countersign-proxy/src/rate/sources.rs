use std::array;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use countersign::Quota;

use super::{Cell, Standing};

/// What each source asked for, in a fixed space whatever the number of sources.
///
/// A source is an IPv4 address, or an IPv6 network of 64 bits, which is what one customer is given. It is counted in two cells,
/// one of each row, which it may share with others: who shares which is drawn anew at each start and can't be aimed at. It is
/// refused only where both are spent, so a few floods spend nobody else's quota.
pub(crate) struct Sources {
    rows: [Row; 2],
}

struct Row {
    cells: Box<[Cell]>,
    drawn: RandomState,
}

impl Sources {
    /// Counts a request, before anything dear is done for it.
    pub(crate) fn take(&self, source: IpAddr, quota: Quota, now: Duration) -> Standing {
        let [one, other] = self.cells(source).map(|cell| cell.take(NAME, quota, now));
        // The one that leaves more is shared with fewer.
        if (other.is_over(), one.tally.remaining) < (one.is_over(), other.tally.remaining) { other } else { one }
    }

    /// A handshake failed, which nobody counted before: that costs as many as [`FAILURE`], too.
    pub(crate) fn failed_handshake(&self, source: IpAddr, quota: Quota, now: Duration) {
        for cell in self.cells(source) {
            cell.charge(quota, FAILURE, now);
        }
    }

    /// Whether it may ask for nothing more now, as far as that can be told without counting anything.
    pub(crate) fn is_spent(&self, source: IpAddr, quota: Quota, now: Duration) -> bool {
        self.cells(source).iter().all(|cell| cell.is_spent(quota, now))
    }

    /// A request was refused: that costs as many as [`FAILURE`].
    pub(crate) fn failed(&self, source: IpAddr, quota: Quota, now: Duration) {
        for cell in self.cells(source) {
            cell.charge(quota, FAILURE - 1, now);
        }
    }

    fn cells(&self, source: IpAddr) -> [&Cell; 2] {
        let source = network(source);
        // Below the number of cells, so it is an index.
        #[allow(clippy::cast_possible_truncation)]
        self.rows.each_ref().map(|row| &row.cells[(row.drawn.hash_one(source) % CELLS as u64) as usize])
    }
}

impl Default for Sources {
    fn default() -> Self {
        let row = || Row { cells: (0..CELLS).map(|_| Cell::default()).collect(), drawn: RandomState::new() };
        Self { rows: array::from_fn(|_| row()) }
    }
}

/// What counts as one source.
pub(crate) fn network(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address @ IpAddr::V4(_) => address,
    }
}

/// How many requests that pass one costs that is refused: a flood of bad signatures is dearer than one of good ones.
pub(crate) const FAILURE: u64 = 10;

/// In one row; both take 1 MiB.
const CELLS: usize = 1 << 16;

const NAME: &str = "source";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_customer_has_no_more_than_one_source() {
        let same = |one: &str, other: &str| network(one.parse().unwrap()) == network(other.parse().unwrap());
        assert!(same("2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff"));
        assert!(!same("2001:db8::1", "2001:db8:0:1::1"));
        assert!(same("::ffff:192.0.2.1", "192.0.2.1"));
        assert!(!same("192.0.2.1", "192.0.2.2"));
    }

    /// Hundreds of floods fill a few cells of many; a cell alone would be shared by one in a hundred, both by one in ten thousand.
    #[test]
    fn floods_of_others_spend_nobody_elses_quota() {
        let (sources, now) = (Sources::default(), Duration::from_secs(1));
        let quota = Quota { requests: 10, per: Duration::from_secs(1) };
        for flood in 0..500_u32 {
            for _ in 0..20 {
                sources.take(IpAddr::from(flood.to_be_bytes()), quota, now);
            }
        }
        let others = (0..10_000_u32).map(|other| IpAddr::from((other | 1 << 31).to_be_bytes()));
        let refused = others.filter(|&other| sources.take(other, quota, now).is_over()).count();
        // The 10 000 themselves fill a tenth of the cells by one request each.
        assert!(refused < 10, "{refused} of 10 000 were refused");
    }
}
