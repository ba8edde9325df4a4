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

    /// What was signed before `at`, and the skew of its scheme, may have been admitted by then.
    pub(super) fn floors(self, at: Timestamp) -> Floors {
        self.map(|skew| Some(Timestamp::from_millis(at.as_millis().saturating_add(skew?))))
    }

    /// As [`Millis::floors`], where nobody can tell any more what was admitted in which scheme: by the longest for all.
    pub(super) fn floors_of_unknown(self, at: Timestamp) -> Floors {
        Self::all(Some(self.longest())).floors(at)
    }

    /// From when on something is admitted again, of what is admitted at all under these skews.
    pub(super) fn begin(&self, floors: &Floors) -> Option<Timestamp> {
        let admitted = self.iter().filter(|(_, skew)| skew.is_some());
        admitted.map(|(scheme, _)| floors.of(scheme)).min().flatten()
    }
}

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
        let skews = PerScheme([Some(30), None, Some(300), None]);
        assert_eq!(skews.floors(Timestamp::from_millis(1000)), PerScheme([at(1030), None, at(1300), None]));
        assert_eq!(skews.floors_of_unknown(Timestamp::from_millis(1000)), PerScheme::all(at(1300)));
    }
}
