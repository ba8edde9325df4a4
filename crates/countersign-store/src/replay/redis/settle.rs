//! What a node makes of the mark that it finds: whether the store still remembers all that was admitted, and from when on.

use std::time::Duration;

use countersign::Timestamp;

use super::info::Server;
use super::mark::Mark;
use crate::replay::restart::{Reach, millis};
use crate::replay::state_file::Terms;

/// What lies in the store.
#[derive(Clone, Debug)]
pub(super) struct Found {
    /// The store's clock.
    pub(super) now: Timestamp,
    /// What stands for the mark, one for each of its states; empty where there is none.
    pub(super) token: String,
    /// The mark as text; empty where there is none.
    pub(super) mark: String,
    /// The latest that the store's clock was.
    pub(super) high: Option<Timestamp>,
}

/// What a node knows of the memory that it admitted by before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// It never admitted anything.
    Nothing,
    /// It admitted by a memory that is not this one, or it can't tell.
    Other,
    /// By the memory of this line, under a skew of so many milliseconds at most.
    Line(String, i64),
}

/// Why a store can't be trusted with what was signed before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loss {
    Emptied,
    Unreadable,
    Restarted,
    FailedOver,
    Evicted,
    ClockWentBack,
    AnotherMemory,
}

impl Loss {
    pub(super) fn why(self) -> &'static str {
        match self {
            Self::Emptied => "it was emptied, or came back without its memory",
            Self::Unreadable => "its mark can't be read",
            Self::Restarted => "another process answers, which may lack the last of what was admitted",
            Self::FailedOver => "another primary's data took the place of its own",
            Self::Evicted => "it evicted keys",
            Self::ClockWentBack => "its clock ran ahead and went back, so it may have forgotten too soon",
            Self::AnotherMemory => "this gateway admitted by another memory before",
        }
    }
}

/// The mark that has to stand in the store before anything is admitted by it, and what was lost, if anything was.
/// `steady` says that this node saw the same process serve the mark a moment ago. `line` is a fresh one, for a memory that
/// begins.
pub(super) fn settle(
    found: &Found,
    server: &Server,
    known: &Known,
    reach: Reach,
    steady: bool,
    line: String,
) -> (Mark, Option<Loss>) {
    let (skew, age) = (millis(reach.max_skew), millis(reach.max_age));
    // Gateways' clocks may be ahead of the store's, and the mark stands a moment after we looked.
    let at = found.now.after(OFF + COMMIT);
    let (mut mark, loss) = match Mark::from_text(&found.mark) {
        Some(mark) if !found.token.is_empty() => {
            let loss = loss(&mark, found, server, known, steady);
            (mark, loss)
        }
        _ => {
            let loss = match (&found.token[..], &found.mark[..], known) {
                ("", "", Known::Nothing) => None,
                ("", "", _) => Some(Loss::Emptied),
                _ => Some(Loss::Unreadable),
            };
            let wait = if loss.is_some() { Duration::ZERO } else { QUIET };
            let mark = Mark {
                line,
                follows: if let Known::Line(line, _) = known { Some(line.clone()) } else { None },
                born: found.now,
                opens: found.now.after(wait),
                run_id: String::new(),
                replid: String::new(),
                evicted: 0,
                terms: Terms { max_skew: skew, max_age: age, raised: Vec::new(), floor: None },
            };
            (mark, loss)
        }
    };
    let terms = &mut mark.terms;
    let known_skew = if let Known::Line(_, skew) = known { *skew } else { 0 };
    let before = terms.max_age;
    terms.max_age = before.max(age);
    terms.raise(before, at);
    terms.max_skew = terms.max_skew.max(skew);
    if loss.is_some() {
        terms.max_skew = terms.max_skew.max(known_skew);
        let floor = Timestamp::from_millis(at.as_millis().saturating_add(terms.max_skew));
        terms.floor = terms.floor.max(Some(floor));
        // The floor reaches beyond all that a shorter age could matter to.
        terms.raised.clear();
    }
    mark.run_id.clone_from(&server.run_id);
    mark.replid.clone_from(&server.replid);
    mark.evicted = server.evicted;
    (mark, loss)
}

fn loss(mark: &Mark, found: &Found, server: &Server, known: &Known, steady: bool) -> Option<Loss> {
    if mark.run_id != server.run_id {
        return Some(Loss::Restarted);
    }
    // A primary whose replicas stay away for long renames its data, too; then there is no second id.
    if mark.replid != server.replid && (!steady || server.had_another_primary) {
        return Some(Loss::FailedOver);
    }
    if server.evicted > mark.evicted {
        return Some(Loss::Evicted);
    }
    match found.high {
        None => return Some(Loss::Emptied),
        Some(high) if found.now < high.before(OFF) => return Some(Loss::ClockWentBack),
        Some(_) => {}
    }
    match known {
        Known::Nothing => None,
        Known::Line(line, _) if *line == mark.line => None,
        // Whoever began this line knew of ours, and set a floor above all that we can have admitted under it.
        Known::Line(line, skew) if mark.follows.as_ref() == Some(line) && covers(mark, *skew) => None,
        Known::Line(..) | Known::Other => Some(Loss::AnotherMemory),
    }
}

/// Whether its floor lies above all that was signed, under such a skew, before the memory was born.
fn covers(mark: &Mark, skew: i64) -> bool {
    mark.terms.floor.is_some_and(|floor| floor.as_millis().saturating_sub(skew) >= mark.born.after(OFF).as_millis())
}

/// How far the store's clock may be off a gateway's. The scripts say the same.
pub(super) const OFF: Duration = Duration::from_secs(30);

/// How old what was looked at may be when the new mark is put there. `commit.lua` says the same.
const COMMIT: Duration = Duration::from_secs(1);

/// More than gateways let pass between two looks.
const QUIET: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::super::info::tests::server;
    use super::*;

    const REACH: Reach = Reach { max_skew: Duration::from_secs(30), max_age: Duration::from_secs(300) };

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_secs(1_800_000_000 + seconds)
    }

    fn line(name: &str) -> Known {
        Known::Line(name.to_owned(), 30_000)
    }

    fn empty(seconds: i64) -> Found {
        Found { now: at(seconds), token: String::new(), mark: String::new(), high: None }
    }

    fn holding(mark: &Mark, seconds: i64) -> Found {
        Found { now: at(seconds), token: "t".to_owned(), mark: mark.to_text(), high: Some(at(seconds)) }
    }

    fn fresh() -> Mark {
        settle(&empty(0), &server("r", "p"), &Known::Nothing, REACH, false, "one".to_owned()).0
    }

    fn again(found: &Found, server: &Server, known: &Known) -> (Mark, Option<Loss>) {
        settle(found, server, known, REACH, true, "two".to_owned())
    }

    #[test]
    fn the_first_memory_begins_without_a_floor_and_after_a_moment() {
        let mark = fresh();
        assert_eq!((mark.terms.floor, mark.born, mark.opens), (None, at(0), at(0).after(QUIET)));
        // Another gateway finds it, and changes nothing.
        for known in [Known::Nothing, line("one")] {
            assert_eq!(again(&holding(&mark, 10), &server("r", "p"), &known), (mark.clone(), None));
        }
    }

    #[test]
    fn a_floor_above_all_that_was_admitted_after_every_loss() {
        let mark = fresh();
        let floor = Some(at(100 + 31 + 30));
        let held = holding(&mark, 100);
        let unreadable = Found { mark: "?".to_owned(), ..held.clone() };
        let half = Found { mark: String::new(), ..held.clone() };
        let back = Found { high: Some(at(131)), ..held.clone() };
        let gone = Found { high: None, ..held.clone() };
        let evicts = Server { evicted: 1, ..server("r", "p") };
        let back_again = Server { had_another_primary: true, ..server("r", "q") };
        let same = server("r", "p");
        for (found, server, known, expected) in [
            (&empty(100), &same, line("one"), Loss::Emptied),
            (&empty(100), &same, Known::Other, Loss::Emptied),
            (&unreadable, &same, Known::Nothing, Loss::Unreadable),
            (&half, &same, Known::Nothing, Loss::Unreadable),
            (&held, &server("s", "p"), line("one"), Loss::Restarted),
            (&held, &back_again, line("one"), Loss::FailedOver),
            (&held, &evicts, line("one"), Loss::Evicted),
            (&back, &same, line("one"), Loss::ClockWentBack),
            (&gone, &same, line("one"), Loss::Emptied),
            (&held, &same, Known::Other, Loss::AnotherMemory),
            (&held, &same, line("zero"), Loss::AnotherMemory),
        ] {
            let (mark, loss) = again(found, server, &known);
            assert_eq!((loss, mark.terms.floor), (Some(expected), floor), "{expected:?}");
            assert_eq!((&mark.run_id, &mark.replid, mark.evicted), (&server.run_id, &server.replid, server.evicted));
        }
    }

    #[test]
    fn what_is_no_loss() {
        let mark = fresh();
        let held = holding(&mark, 100);
        // A primary without replicas renames its data after an hour; a clock is set by a little; counters are reset.
        assert_eq!(again(&held, &server("r", "q"), &line("one")).1, None);
        assert_eq!(
            settle(&held, &server("r", "q"), &line("one"), REACH, false, String::new()).1,
            Some(Loss::FailedOver)
        );
        let slewed = Found { high: Some(at(130)), ..held };
        assert_eq!(again(&slewed, &server("r", "p"), &line("one")).1, None);
        let evicted = Mark { evicted: 9, ..mark };
        let (after, loss) = again(&holding(&evicted, 100), &server("r", "p"), &line("one"));
        assert_eq!((after.evicted, loss), (0, None));
    }

    #[test]
    fn who_comes_after_a_loss_does_not_raise_the_floor_again() {
        let (reborn, _) = again(&empty(100), &server("r", "p"), &line("one"));
        assert_eq!((reborn.follows.as_deref(), reborn.opens), (Some("one"), at(100)));
        assert_eq!(again(&holding(&reborn, 5000), &server("r", "p"), &line("one")), (reborn.clone(), None));
        // But who admitted under a longer skew does: what it admitted may lie above the floor.
        let longer = Known::Line("one".to_owned(), 300_000);
        let (raised, loss) = again(&holding(&reborn, 101), &server("r", "p"), &longer);
        assert_eq!((loss, raised.terms.floor), (Some(Loss::AnotherMemory), Some(at(101 + 31 + 300))));
        // And who finds a first memory in the place of the one that it knew.
        let (_, loss) = again(&holding(&fresh(), 1), &server("r", "p"), &line("zero"));
        assert_eq!(loss, Some(Loss::AnotherMemory));
    }

    #[test]
    fn the_longest_age_of_any_gateway_counts_and_what_came_before_it_is_kept() {
        let mark = fresh();
        let longer = Reach { max_skew: Duration::from_secs(60), max_age: Duration::from_secs(3600) };
        let (raised, _) =
            settle(&holding(&mark, 100), &server("r", "p"), &Known::Nothing, longer, false, String::new());
        let terms = &raised.terms;
        assert_eq!((terms.max_age, terms.max_skew), (3_600_000, 60_000));
        assert_eq!(
            terms.raised,
            [countersign::Raised { before: at(100 + 31 + 30), max_age: Duration::from_secs(300) }]
        );
        // A gateway with the shorter age changes nothing of that.
        assert_eq!(again(&holding(&raised, 200), &server("r", "p"), &line("one")), (raised.clone(), None));
        // A loss has a floor for all of them, by the longest skew.
        let (lost, _) = again(&holding(&raised, 300), &server("s", "p"), &line("one"));
        assert_eq!((lost.terms.floor, lost.terms.raised.len()), (Some(at(300 + 31 + 60)), 0));
        // Also where the store forgot the skew itself.
        let known = Known::Line("one".to_owned(), 60_000);
        let (lost, _) = again(&empty(300), &server("s", "p"), &known);
        assert_eq!(lost.terms.floor, Some(at(300 + 31 + 60)));
    }
}
