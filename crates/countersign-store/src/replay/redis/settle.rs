//! What a node makes of the mark that it finds: whether the store still remembers all that was admitted, and from when on.

use std::time::Duration;

use countersign::Timestamp;

use super::info::Server;
use super::mark::Mark;
use crate::replay::per_scheme::{Floors, Millis};
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
    /// By the memory of this line, under such skews at most.
    Line(String, Millis),
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
    let (skew, age) = (reach.skews(), millis(reach.max_age));
    // Gateways' clocks may be ahead of the store's, and the mark stands a moment after we looked.
    let at = found.now.after(OFF + COMMIT);
    let read = Mark::from_text(&found.mark).filter(|_| !found.token.is_empty());
    let marked = read.is_some();
    let (mut mark, loss) = match read {
        Some(mark) => {
            let loss = loss(&mark, found, server, known, steady);
            (mark, loss)
        }
        None => {
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
                terms: Terms { max_skew: skew, max_age: age, raised: Vec::new(), floors: Floors::default() },
            };
            (mark, loss)
        }
    };
    let terms = &mut mark.terms;
    let known_skew = if let Known::Line(_, skew) = known { *skew } else { Millis::default() };
    let before = terms.max_age;
    terms.max_age = before.max(age);
    terms.raise(before, at);
    terms.max_skew = terms.max_skew.max(skew);
    if loss.is_some() {
        terms.max_skew = terms.max_skew.max(known_skew);
        // By each scheme's own skew, as far as it is known what was admitted in which.
        let told = *known != Known::Other && (marked || *known != Known::Nothing);
        let floors = if told { terms.max_skew.floors(at) } else { terms.max_skew.floors_of_unknown(at) };
        terms.floors = terms.floors.max(floors);
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
        Known::Line(line, skew) if mark.follows.as_ref() == Some(line) && covers(mark, skew) => None,
        Known::Line(..) | Known::Other => Some(Loss::AnotherMemory),
    }
}

/// Whether its floors lie above all that was signed, under such skews, before the memory was born.
fn covers(mark: &Mark, skew: &Millis) -> bool {
    mark.terms.floors.covers(&skew.floors(mark.born.after(OFF)))
}

/// How far the store's clock may be off a gateway's. The scripts say the same.
pub(super) const OFF: Duration = Duration::from_secs(30);

/// How old what was looked at may be when the new mark is put there. `commit.lua` says the same.
const COMMIT: Duration = Duration::from_secs(1);

/// More than gateways let pass between two looks.
const QUIET: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use countersign::Scheme;

    use super::super::info::tests::server;
    use super::*;
    use crate::replay::Skews;

    const REACH: Reach =
        Reach { max_skew: Skews::all(Some(Duration::from_secs(30))), max_age: Duration::from_secs(300) };

    fn skew(millis: i64) -> Millis {
        Millis::all(Some(millis))
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_secs(1_800_000_000 + seconds)
    }

    fn line(name: &str) -> Known {
        Known::Line(name.to_owned(), skew(30_000))
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
        assert_eq!((mark.terms.floors.greatest(), mark.born, mark.opens), (None, at(0), at(0).after(QUIET)));
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
            assert_eq!((loss, mark.terms.floors.greatest()), (Some(expected), floor), "{expected:?}");
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
        let longer = Known::Line("one".to_owned(), skew(300_000));
        let (raised, loss) = again(&holding(&reborn, 101), &server("r", "p"), &longer);
        assert_eq!((loss, raised.terms.floors.greatest()), (Some(Loss::AnotherMemory), Some(at(101 + 31 + 300))));
        // And who finds a first memory in the place of the one that it knew.
        let (_, loss) = again(&holding(&fresh(), 1), &server("r", "p"), &line("zero"));
        assert_eq!(loss, Some(Loss::AnotherMemory));
    }

    #[test]
    fn the_longest_age_of_any_gateway_counts_and_what_came_before_it_is_kept() {
        let mark = fresh();
        let longer = Reach { max_skew: Skews::all(Some(Duration::from_secs(60))), max_age: Duration::from_secs(3600) };
        let (raised, _) =
            settle(&holding(&mark, 100), &server("r", "p"), &Known::Nothing, longer, false, String::new());
        let terms = &raised.terms;
        assert_eq!((terms.max_age, terms.max_skew), (3_600_000, skew(60_000)));
        assert_eq!(
            terms.raised,
            [countersign::Raised { before: at(100 + 31 + 30), max_age: Duration::from_secs(300) }]
        );
        // A gateway with the shorter age changes nothing of that.
        assert_eq!(again(&holding(&raised, 200), &server("r", "p"), &line("one")), (raised.clone(), None));
        // A loss has a floor for all of them, by the longest skew.
        let (lost, _) = again(&holding(&raised, 300), &server("s", "p"), &line("one"));
        assert_eq!((lost.terms.floors.greatest(), lost.terms.raised.len()), (Some(at(300 + 31 + 60)), 0));
        // Also where the store forgot the skew itself.
        let known = Known::Line("one".to_owned(), skew(60_000));
        let (lost, _) = again(&empty(300), &server("s", "p"), &known);
        assert_eq!(lost.terms.floors.greatest(), Some(at(300 + 31 + 60)));
    }

    /// `http-message-signatures` with 30 seconds and `trusted-site` with five minutes.
    fn mixed<T: Copy>(short: T, long: T) -> crate::replay::PerScheme<Option<T>> {
        crate::replay::PerScheme::each(|scheme| match scheme {
            Scheme::HttpMessageSignatures => Some(short),
            Scheme::TrustedSite => Some(long),
            Scheme::Pki | Scheme::AppHmac => None,
        })
    }

    #[test]
    fn after_a_loss_each_scheme_waits_for_its_own_skew() {
        let reach = Reach { max_skew: mixed(Duration::from_secs(30), Duration::from_secs(300)), ..REACH };
        let mark = settle(&empty(0), &server("r", "p"), &Known::Nothing, reach, false, "one".to_owned()).0;
        let lost = |found: &Found, server: &Server, known: &Known| {
            let (mark, loss) = settle(found, server, known, reach, true, "two".to_owned());
            assert!(loss.is_some(), "{known:?}");
            mark.terms.floors
        };
        let each = mixed(at(100 + 31 + 30), at(100 + 31 + 300));
        let known = Known::Line("one".to_owned(), mixed(30_000, 300_000));
        assert_eq!(lost(&holding(&mark, 100), &server("s", "p"), &known), each);
        assert_eq!(lost(&holding(&mark, 100), &server("s", "p"), &Known::Nothing), each);
        assert_eq!(lost(&empty(100), &server("r", "p"), &known), each);
        // What this gateway does not admit any more, and did.
        let narrow = Reach {
            max_skew: Skews::each(|scheme| (scheme != Scheme::TrustedSite).then_some(Duration::from_secs(30))),
            ..REACH
        };
        let (mark_of_now, _) = settle(&empty(100), &server("r", "p"), &known, narrow, true, "two".to_owned());
        assert_eq!(mark_of_now.terms.floors.of(Scheme::TrustedSite), Some(at(100 + 31 + 300)));
        // Nobody can tell what was admitted in which.
        let all = Floors::all(Some(at(100 + 31 + 300)));
        let unreadable = Found { mark: "?".to_owned(), ..holding(&mark, 100) };
        assert_eq!(lost(&holding(&mark, 100), &server("r", "p"), &Known::Other), all);
        assert_eq!(lost(&unreadable, &server("r", "p"), &Known::Nothing), all);
    }

    #[test]
    fn a_floor_of_another_scheme_does_not_cover_what_this_gateway_admitted() {
        let reach = Reach {
            max_skew: Skews::each(|scheme| {
                (scheme == Scheme::HttpMessageSignatures).then_some(Duration::from_secs(300))
            }),
            ..REACH
        };
        let known = Known::Line(
            "one".to_owned(),
            Millis::each(|scheme| (scheme == Scheme::HttpMessageSignatures).then_some(300_000)),
        );
        let (reborn, _) = settle(&empty(100), &server("r", "p"), &known, reach, false, "two".to_owned());
        assert_eq!(again(&holding(&reborn, 101), &server("r", "p"), &known).1, None);
        let other = Known::Line("one".to_owned(), Millis::each(|scheme| (scheme == Scheme::AppHmac).then_some(1000)));
        assert_eq!(again(&holding(&reborn, 101), &server("r", "p"), &other).1, Some(Loss::AnotherMemory));
    }
}
