use countersign::Scheme;

use super::super::info::tests::server;
use super::*;
use crate::replay::Skews;

const REACH: Reach = Reach { max_skew: Skews::all(Some(Duration::from_secs(30))), max_age: Duration::from_secs(300) };

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
    let (own, unknown) = (Some(at(100 + 31 + 30)), Some(at(100 + 31 + 300)));
    let held = holding(&mark, 100);
    let unreadable = Found { mark: "?".to_owned(), ..held.clone() };
    let half = Found { mark: String::new(), ..held.clone() };
    let back = Found { high: Some(at(131)), ..held.clone() };
    let gone = Found { high: None, ..held.clone() };
    let evicts = Server { evicted: 1, ..server("r", "p") };
    let back_again = Server { had_another_primary: true, ..server("r", "q") };
    let same = server("r", "p");
    for (found, server, known, expected, floor) in [
        (&empty(100), &same, line("one"), Loss::Emptied, own),
        (&empty(100), &same, Known::Other, Loss::Emptied, unknown),
        (&unreadable, &same, line("one"), Loss::Unreadable, own),
        (&unreadable, &same, Known::Nothing, Loss::Unreadable, unknown),
        (&half, &same, Known::Nothing, Loss::Unreadable, unknown),
        (&held, &server("s", "p"), line("one"), Loss::Restarted, own),
        (&held, &server("s", "p"), Known::Nothing, Loss::Restarted, own),
        (&held, &back_again, line("one"), Loss::FailedOver, own),
        (&held, &evicts, line("one"), Loss::Evicted, own),
        (&back, &same, line("one"), Loss::ClockWentBack, own),
        (&gone, &same, line("one"), Loss::Emptied, own),
        (&held, &same, Known::Other, Loss::AnotherMemory, unknown),
        (&held, &same, line("zero"), Loss::AnotherMemory, own),
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
    assert_eq!(settle(&held, &server("r", "q"), &line("one"), REACH, false, String::new()).1, Some(Loss::FailedOver));
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
    let (raised, _) = settle(&holding(&mark, 100), &server("r", "p"), &Known::Nothing, longer, false, String::new());
    let terms = &raised.terms;
    assert_eq!((terms.max_age, terms.max_skew), (3_600_000, skew(60_000)));
    assert_eq!(terms.raised, [countersign::Raised { before: at(100 + 31 + 30), max_age: Duration::from_secs(300) }]);
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
    // Also of what is not known to have been admitted.
    let each = mixed(at(100 + 31 + 30), at(100 + 31 + 300)).map(|floor| floor.or(Some(at(100 + 31 + 300))));
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
            Some(Duration::from_secs(if scheme == Scheme::HttpMessageSignatures { 300 } else { 1 }))
        }),
        ..REACH
    };
    let known = Known::Line("one".to_owned(), reach.skews());
    let (reborn, _) = settle(&empty(100), &server("r", "p"), &known, reach, false, "two".to_owned());
    let again =
        |found: &Found, server: &Server, known: &Known| settle(found, server, known, reach, true, String::new());
    assert_eq!(again(&holding(&reborn, 101), &server("r", "p"), &known).1, None);
    let other = Known::Line("one".to_owned(), Millis::each(|scheme| (scheme == Scheme::AppHmac).then_some(20_000)));
    assert_eq!(again(&holding(&reborn, 101), &server("r", "p"), &other).1, Some(Loss::AnotherMemory));
}

#[test]
fn a_replay_in_a_scheme_that_only_another_gateway_admitted_before_the_store_forgot() {
    let only = |skew| Skews::each(|scheme| (scheme == Scheme::HttpMessageSignatures).then_some(skew));
    let here = Reach { max_skew: only(Duration::from_secs(30)), ..REACH };
    let known = Known::Line("one".to_owned(), here.skews());
    // It may be that whoever comes later takes the scheme by now, too, and under a shorter skew than the other one did.
    let wider = Reach { max_skew: here.max_skew.max(Skews::all(Some(Duration::from_secs(1)))), ..REACH };
    let begun = |reach| settle(&empty(0), &server("r", "p"), &Known::Nothing, reach, false, "one".to_owned()).0;
    let (mark, unknown) = (begun(here), Some(at(100 + 31 + 300)));
    let unreadable = Found { mark: "?".to_owned(), ..holding(&mark, 100) };
    let elsewhere = Found { mark: Mark { line: "two".to_owned(), ..begun(wider) }.to_text(), ..holding(&mark, 100) };
    for found in [empty(100), unreadable, elsewhere] {
        for reach in [here, wider] {
            let (mark, loss) = settle(&found, &server("r", "p"), &known, reach, true, "three".to_owned());
            let floors = mark.terms.floors;
            assert!(loss.is_some() && floors.of(Scheme::TrustedSite) >= unknown, "{loss:?} {floors:?}");
            assert_eq!(floors.of(Scheme::HttpMessageSignatures), Some(at(100 + 31 + 30)), "{loss:?}");
        }
    }
}

#[test]
fn a_replay_after_the_store_came_back_from_before_a_longer_skew() {
    // Another gateway settled it by the skew that the store still knew of.
    let (mark, loss) = again(&holding(&fresh(), 100), &server("s", "p"), &line("one"));
    assert_eq!((loss, mark.terms.floors.greatest()), (Some(Loss::Restarted), Some(at(100 + 31 + 30))));
    let longer = Known::Line("one".to_owned(), skew(300_000));
    let (raised, loss) = again(&holding(&mark, 101), &server("s", "p"), &longer);
    assert_eq!((loss, raised.terms.floors.greatest()), (Some(Loss::AnotherMemory), Some(at(101 + 31 + 300))));
    assert_eq!(again(&holding(&raised, 102), &server("s", "p"), &longer), (raised.clone(), None));
    assert_eq!(again(&holding(&raised, 102), &server("s", "p"), &line("one")), (raised, None));
}
