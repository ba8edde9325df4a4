use std::time::Duration;

use countersign::Quota;

use super::Cell;

const HUNDRED: Quota = Quota { requests: 100, per: Duration::from_secs(1) };
const START: Duration = Duration::from_secs(1000);

#[test]
fn a_burst_passes_and_then_one_each_step() {
    let cell = Cell::default();
    for left in (0..100).rev() {
        assert_eq!(cell.take("partner", HUNDRED, START).tally.remaining, left);
    }
    let over = cell.take("partner", HUNDRED, START).tally;
    assert_eq!((over.wait, over.remaining, over.reset), (Some(ms(10)), 0, ms(1000)));
    assert!(cell.take("partner", HUNDRED, START + ms(9)).is_over());
    assert!(!cell.take("partner", HUNDRED, START + ms(10)).is_over());
    assert!(cell.take("partner", HUNDRED, START + ms(10)).is_over());
    assert_eq!(cell.take("partner", HUNDRED, START + ms(2000)).tally.remaining, 99);
}

#[test]
fn what_is_refused_costs_nothing_more() {
    let cell = Cell::default();
    for _ in 0..1000 {
        cell.take("partner", HUNDRED, START);
    }
    assert_eq!(cell.take("partner", HUNDRED, START).wait(), ms(10));
}

#[test]
fn a_debt_is_never_more_than_a_burst() {
    let cell = Cell::default();
    for _ in 0..1000 {
        cell.charge(HUNDRED, 9, START);
    }
    assert_eq!(cell.take("source", HUNDRED, START).wait(), ms(10));
    assert_eq!(cell.take("source", HUNDRED, START + ms(1000)).tally.remaining, 99);
}

#[test]
fn numbers_at_their_ends_do_no_harm() {
    let (all, never) = (Duration::from_nanos(u64::MAX), Duration::MAX);
    for quota in [
        Quota { requests: u64::MAX, per: Duration::from_secs(1) },
        Quota { requests: 1, per: never },
        Quota { requests: 0, per: Duration::ZERO },
    ] {
        for now in [Duration::ZERO, all, never] {
            let cell = Cell::default();
            cell.charge(quota, u64::MAX, now);
            cell.take("source", quota, now);
            cell.take("source", quota, Duration::ZERO);
        }
    }
}

#[test]
fn a_lower_rate_after_a_reload_locks_nobody_out() {
    let cell = Cell::default();
    let hourly = Quota { requests: 100, per: Duration::from_hours(1) };
    while !cell.take("partner", hourly, START).is_over() {}
    assert_eq!(cell.take("partner", HUNDRED, START).wait(), ms(10));
    assert_eq!(cell.take("partner", HUNDRED, START + ms(1000)).tally.remaining, 99);
}

#[test]
fn of_many_at_once_only_the_quota_passes() {
    let cell = Cell::default();
    let passed: usize = std::thread::scope(|scope| {
        let counts: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| (0..100).filter(|_| !cell.take("partner", HUNDRED, START).is_over()).count()))
            .collect();
        counts.into_iter().map(|count| count.join().unwrap()).sum()
    });
    assert_eq!(passed, 100);
}

#[test]
fn the_fields_are_those_of_the_draft() {
    let mut headers = http::HeaderMap::new();
    headers.insert("ratelimit", "\"upstream\";r=7;t=1".parse().unwrap());
    let cell = Cell::default();
    cell.take("partner", Quota { requests: 600, per: Duration::from_mins(1) }, START).tell(&mut headers);
    let all = |name| headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect::<Vec<_>>();
    assert_eq!(all("ratelimit-policy"), ["\"partner\";q=600;w=60"]);
    assert_eq!(all("ratelimit"), ["\"upstream\";r=7;t=1", "\"partner\";r=599;t=1"]);
}

fn ms(time: u64) -> Duration {
    Duration::from_millis(time)
}
