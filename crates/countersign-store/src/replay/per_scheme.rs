use std::time::Duration;

use countersign::{Scheme, Timestamp};

/// One thing for each scheme.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PerScheme<T>([T; Scheme::ALL.len()]);

/// How far into the future what is admitted may have been signed; `None` for a scheme that no route takes.
pub type Skews = PerScheme<Option<Duration>>;

/// [`Skews`] in milliseconds, as they are kept.
pub(super) type Millis = PerScheme<Option<i64>>;

/// What was signed before can't be judged; `None` where nothing was forgotten.
pub(super) type Floors = PerScheme<Option<Timestamp>>;

impl<T: Copy> PerScheme<T> {
    /// The same for all.
    #[must_use]
    pub const fn all(value: T) -> Self {
        Self([value; Scheme::ALL.len()])
    }

    /// As `value` has it.
    #[must_use]
    pub fn each(value: impl FnMut(Scheme) -> T) -> Self {
        Self(Scheme::ALL.map(value))
    }

    /// That of a scheme.
    #[must_use]
    pub fn of(&self, scheme: Scheme) -> T {
        self.0[place(scheme)]
    }

    /// All of them, in the order of [`Scheme::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = (Scheme, T)> {
        Scheme::ALL.into_iter().zip(self.0)
    }

    pub(super) fn map<U>(self, change: impl FnMut(T) -> U) -> PerScheme<U> {
        PerScheme(self.0.map(change))
    }
}

impl<T: Copy + Ord> PerScheme<T> {
    /// Of each scheme the greater one.
    pub(super) fn max(self, other: Self) -> Self {
        Self::each(|scheme| self.of(scheme).max(other.of(scheme)))
    }

    /// Whether none is less than the other's.
    pub(super) fn covers(&self, other: &Self) -> bool {
        Scheme::ALL.into_iter().all(|scheme| self.of(scheme) >= other.of(scheme))
    }

    /// The greatest of all.
    pub(super) fn greatest(&self) -> T {
        let [first, rest @ ..] = self.0;
        rest.into_iter().fold(first, T::max)
    }
}

impl Millis {
    /// The longest of any scheme; 0 where none is admitted.
    pub(super) fn longest(&self) -> i64 {
        self.greatest().unwrap_or(0)
    }

    /// What was signed before `at`, and the skew of its scheme, may have been admitted by then. A scheme without a skew has a
    /// floor, too, for when it is admitted again: what is not admitted now may have been before.
    pub(super) fn floors(self, at: Timestamp) -> Floors {
        self.floors_where(&self, at)
    }

    /// As [`Millis::floors`], where nobody can tell any more what was admitted in which scheme.
    pub(super) fn floors_of_unknown(self, at: Timestamp) -> Floors {
        self.floors_where(&Self::default(), at)
    }

    /// As [`Millis::floors`], where only of the schemes in `told` it is known what they were admitted under: for all others by
    /// the longest that any scheme has, and no less than [`UNKNOWN`].
    pub(super) fn floors_where(self, told: &Self, at: Timestamp) -> Floors {
        let unknown = self.longest().max(UNKNOWN);
        Floors::each(|scheme| {
            let skew = told.of(scheme).and(self.of(scheme)).unwrap_or(unknown);
            Some(Timestamp::from_millis(at.as_millis().saturating_add(skew)))
        })
    }

    /// From when on something is admitted again, of what is admitted at all under these skews.
    pub(super) fn begin(&self, floors: &Floors) -> Option<Timestamp> {
        let admitted = self.iter().filter(|(_, skew)| skew.is_some());
        admitted.map(|(scheme, _)| floors.of(scheme)).min().flatten()
    }
}

/// The longest default of any scheme, and what a configuration may have without being warned, in milliseconds.
const UNKNOWN: i64 = 5 * 60 * 1000;

/// Where a scheme stands in files.
fn place(scheme: Scheme) -> usize {
    match scheme {
        Scheme::HttpMessageSignatures => 0,
        Scheme::Pki => 1,
        Scheme::TrustedSite => 2,
        Scheme::AppHmac => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scheme_has_its_own_in_the_order_of_all() {
        let numbered = PerScheme::each(|scheme| Scheme::ALL.iter().position(|it| *it == scheme).unwrap());
        assert_eq!(numbered, PerScheme([0, 1, 2, 3]));
        assert!(numbered.iter().all(|(scheme, number)| numbered.of(scheme) == number));
        assert_eq!(numbered.max(PerScheme([2, 0, 2, 9])), PerScheme([2, 1, 2, 9]));
        assert!(numbered.covers(&PerScheme([0, 1, 1, 3])) && !numbered.covers(&PerScheme([0, 1, 2, 4])));
    }

    #[test]
    fn it_begins_with_the_first_scheme_that_is_admitted() {
        let at = |millis| Some(Timestamp::from_millis(millis));
        let floors = PerScheme([at(5), None, at(3), at(9)]);
        assert_eq!(PerScheme([Some(0), None, None, Some(0)]).begin(&floors), at(5));
        assert_eq!(PerScheme([Some(0), Some(0), None, None]).begin(&floors), None, "one forgot nothing");
        assert_eq!(PerScheme::all(None).begin(&floors), None);
    }

    #[test]
    fn a_scheme_of_which_nothing_is_known_has_a_floor_too() {
        let (now, at) = (Timestamp::from_millis(1000), |millis| Some(Timestamp::from_millis(1000 + millis)));
        let skews = PerScheme([Some(30), None, Some(300), None]);
        assert_eq!(skews.floors(now), PerScheme([at(30), at(UNKNOWN), at(300), at(UNKNOWN)]));
        assert_eq!(skews.floors_of_unknown(now), PerScheme::all(at(UNKNOWN)));
        let long = PerScheme([Some(30), Some(UNKNOWN + 1), None, None]);
        assert_eq!(long.floors(now), PerScheme([at(30), at(UNKNOWN + 1), at(UNKNOWN + 1), at(UNKNOWN + 1)]));
        let told = PerScheme([Some(20), None, None, None]);
        assert_eq!(long.floors_where(&told, now), long.floors(now));
        assert_eq!(skews.floors_where(&told, now), PerScheme([at(30), at(UNKNOWN), at(UNKNOWN), at(UNKNOWN)]));
    }
}
