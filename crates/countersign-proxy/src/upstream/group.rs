use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use super::condition::Condition;
use super::destination::Destination;
use crate::settings::HealthCheck;

/// The upstreams of a route: each request goes to one of them.
pub(crate) struct Group {
    members: Vec<Member>,
    /// Asked in turn where none has less to do than the others.
    turn: AtomicUsize,
    check: Option<HealthCheck>,
}

/// One of them.
#[derive(Clone)]
pub(crate) struct Member {
    pub(crate) destination: Destination,
    pub(crate) condition: Arc<Condition>,
}

/// How all upstreams are, by route and name: what one was found to be outlives a reload.
#[derive(Default)]
pub(crate) struct Conditions(Mutex<HashMap<(String, String), Arc<Condition>>>);

impl Conditions {
    fn of(&self, route: &str, destination: &Destination) -> Arc<Condition> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry((route.to_owned(), destination.name().to_owned())).or_default())
    }
}

impl Group {
    /// `destinations` has one at least.
    pub(crate) fn new(
        route: &str,
        destinations: Vec<Destination>,
        check: Option<HealthCheck>,
        conditions: &Conditions,
    ) -> Self {
        let member = |destination: Destination| {
            let condition = conditions.of(route, &destination);
            Member { destination, condition }
        };
        let members = destinations.into_iter().map(member).collect();
        Self { members, turn: AtomicUsize::new(0), check }
    }

    /// None: nothing is forwarded there.
    pub(crate) fn nobody() -> Self {
        Self { members: Vec::new(), turn: AtomicUsize::new(0), check: None }
    }

    pub(crate) fn members(&self) -> &[Member] {
        &self.members
    }

    pub(crate) fn check(&self) -> Option<&HealthCheck> {
        self.check.as_ref()
    }

    /// Whom to ask, one after the other: of those that are up the one with the least to do. Those that are down are asked
    /// when nobody else is left, since what is known of them may be out of date.
    pub(super) fn candidates(&self) -> Candidates<'_> {
        let turn = if self.members.len() > 1 { self.turn.fetch_add(1, Relaxed) } else { 0 };
        Candidates { group: self, turn, tried: [usize::MAX; MOST_TRIES], tries: 0 }
    }
}

pub(super) struct Candidates<'a> {
    group: &'a Group,
    turn: usize,
    tried: [usize; MOST_TRIES],
    tries: usize,
}

impl<'a> Iterator for Candidates<'a> {
    type Item = &'a Member;

    fn next(&mut self) -> Option<&'a Member> {
        let members = &self.group.members;
        let tried = self.tried;
        let place = self.tried.get_mut(self.tries)?;
        let in_turn = (0..members.len()).map(|at| (self.turn + at) % members.len());
        let left = in_turn.filter(|at| !tried.contains(at));
        let at = left.min_by_key(|at| {
            let condition = &members[*at].condition;
            (condition.is_down(), condition.outstanding())
        })?;
        *place = at;
        self.tries += 1;
        members.get(at)
    }
}

/// However many there are: a caller waits for so many connections at most.
const MOST_TRIES: usize = 3;

#[cfg(test)]
mod tests {
    use countersign::Origin;

    use super::super::condition::Outcome;
    use super::*;

    fn group(count: usize) -> Group {
        let destination = |number| {
            let origin = Origin::parse(&format!("http://upstream-{number}")).unwrap();
            Destination::new(&origin, || Err("not asked for".to_owned())).unwrap()
        };
        Group::new("orders", (0..count).map(destination).collect(), None, &Conditions::default())
    }

    fn first(group: &Group) -> usize {
        let chosen = group.candidates().next().unwrap();
        group.members.iter().position(|member| Arc::ptr_eq(&member.condition, &chosen.condition)).unwrap()
    }

    #[test]
    fn in_turn_and_less_to_who_has_much_to_do() {
        let group = group(3);
        assert_eq!([first(&group), first(&group), first(&group), first(&group)], [0, 1, 2, 0]);
        let _slow = group.members[1].condition.begin();
        assert!((0..9).all(|_| first(&group) != 1));
    }

    #[test]
    fn who_is_down_is_asked_last_and_each_once() {
        let group = group(2);
        group.members[0].condition.note(Outcome::Unreachable, "refused");
        let _busy = group.members[1].condition.begin();
        assert!((0..4).all(|_| first(&group) == 1));
        assert_eq!(group.candidates().count(), 2);
        group.members[1].condition.note(Outcome::Unreachable, "refused");
        assert!(group.candidates().next().is_some(), "with all of them down, they are asked all the same");
    }

    #[test]
    fn a_caller_does_not_wait_for_every_one_of_many() {
        assert_eq!(group(10).candidates().count(), MOST_TRIES);
    }
}
