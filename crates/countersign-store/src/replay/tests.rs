mod before;
mod floors;

use std::sync::Arc;
use std::time::{Duration, Instant};

use countersign::{Raised, ReplayStore, Seen, Timestamp, Use, UseMark};

use super::*;
use crate::lock::DataLock;
use crate::suite;

fn now() -> Timestamp {
    Timestamp::from_secs(1_800_000_000)
}

fn later(seconds: u64) -> Timestamp {
    now().after(Duration::from_secs(seconds))
}

fn numbered(number: u64) -> UseMark {
    let mut bytes = [7; 32];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    UseMark::from_bytes(bytes)
}

fn signed(number: u64, at: Timestamp) -> Use {
    Use::new(numbered(number), None, at, at.after(Duration::from_secs(390)))
}

async fn spend(memory: &MemoryReplay, once: Use, at: Timestamp) -> Option<Seen> {
    memory.first_use(&once, at).await.ok()
}

const SKEW: Duration = Duration::from_secs(30);
/// What may have been admitted under where nobody can tell.
const UNKNOWN: Duration = Duration::from_secs(300);
const REACH: Reach = Reach { max_skew: Skews::all(Some(SKEW)), max_age: Duration::from_secs(300) };

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn keeps_the_contract() {
    let memory = Arc::new(MemoryReplay::ephemeral(100_000));
    suite::first_then_again(&*memory, now()).await;
    suite::two_marks_together(&*memory, now()).await;
    for _ in 0..20 {
        suite::one_of_a_thousand_at_once(memory.clone(), now()).await;
    }
    suite::known_until_its_end(&*memory, now()).await;
    for capacity in [1, 2, 500] {
        suite::full_refuses_and_never_forgets(&MemoryReplay::ephemeral(capacity), capacity, now()).await;
    }
}

#[tokio::test]
async fn a_use_of_two_marks_needs_room_for_both() {
    let memory = MemoryReplay::ephemeral(3);
    let both = |a, b| Use::new(numbered(a), Some(numbered(b)), now(), later(60));
    assert_eq!(spend(&memory, both(1, 2), now()).await, Some(Seen::First));
    assert_eq!(spend(&memory, both(3, 4), now()).await, None);
    assert_eq!(spend(&memory, signed(3, now()), now()).await, Some(Seen::First));
    assert_eq!(memory.used(), 3);
}

#[tokio::test]
async fn it_says_whether_it_would_admit_a_use_of_now() {
    let memory = MemoryReplay::ephemeral(2);
    assert_eq!(memory.admits(now()), Some(true));
    spend(&memory, signed(1, now()), now()).await;
    assert_eq!(memory.admits(now()), Some(false), "full for a use of two marks");
    assert_eq!(memory.admits(later(500)), Some(true), "what has ended makes room, without a use that asks for it");
}

#[tokio::test]
async fn a_replay_after_the_clock_stepped_back() {
    let memory = MemoryReplay::ephemeral(10_000);
    let once = signed(1, now());
    assert_eq!(spend(&memory, once, now()).await, Some(Seen::First));
    for number in 2..3000 {
        spend(&memory, signed(number, later(1000)), later(1000)).await;
    }
    assert_eq!(spend(&memory, once, now()).await, None, "forgotten by then, and said so");
}

#[tokio::test]
async fn a_use_kept_for_ages_is_a_slip_of_ours() {
    let memory = MemoryReplay::ephemeral(10);
    let until = |until| Use::new(numbered(1), None, now(), until);
    for far in [now().after(MAX_AHEAD).after(Duration::from_secs(1)), Timestamp::from_millis(i64::MAX)] {
        assert_eq!(spend(&memory, until(far), now()).await, None);
    }
    assert_eq!(spend(&memory, until(now().after(MAX_AHEAD)), now()).await, Some(Seen::First));
}

#[tokio::test]
async fn a_replay_after_an_orderly_restart() {
    let dir = tempfile::tempdir().unwrap();
    let lock = DataLock::acquire(dir.path()).unwrap();
    let first = MemoryReplay::open(&lock, 1000, now(), REACH).unwrap();
    assert_eq!(first.start(), Start::First);
    for number in 0..100 {
        assert_eq!(spend(&first, signed(number, now()), now()).await, Some(Seen::First));
    }
    first.close(later(10)).unwrap();
    assert_eq!(spend(&first, signed(500, later(10)), later(10)).await, None, "admitted after its memory was written");
    first.raise(Reach { max_skew: Skews::all(Some(Duration::from_secs(3600))), ..REACH }, now).unwrap();
    drop(first);

    // A capacity that shrank forgets nothing either.
    let second = MemoryReplay::open(&lock, 10, later(20), REACH).unwrap();
    assert_eq!((second.start(), second.floor()), (Start::Clean { marks: 100 }, None));
    assert_eq!(second.last_clock(), Some(later(10)));
    for number in 0..100 {
        assert_eq!(spend(&second, signed(number, now()), later(20)).await, Some(Seen::Again));
    }
    assert_eq!(spend(&second, signed(100, later(20)), later(20)).await, None, "full");
    assert_eq!(spend(&second, signed(100, later(600)), later(600)).await, Some(Seen::First));
    second.close(later(600)).unwrap();
    let third = MemoryReplay::open(&lock, 10, later(601), REACH).unwrap();
    assert_eq!(third.start(), Start::Clean { marks: 1 }, "what has ended is not taken over");
}

#[tokio::test]
async fn a_replay_after_kill_9() {
    let dir = tempfile::tempdir().unwrap();
    let lock = DataLock::acquire(dir.path()).unwrap();
    let first = MemoryReplay::open(&lock, 1000, now(), REACH).unwrap();
    assert_eq!(spend(&first, signed(1, later(5).after(SKEW)), later(5)).await, Some(Seen::First));
    drop(first);

    let second = MemoryReplay::open(&lock, 1000, later(6), REACH).unwrap();
    let floor = later(6).after(SKEW);
    assert_eq!(second.floor(), Some(floor));
    assert_eq!(spend(&second, signed(1, later(5).after(SKEW)), later(6)).await, None);
    suite::nothing_passes_below_the_floor(&second, floor, later(6)).await;
    drop(second);
    // Unclean again; and an orderly end does not bring back what was forgotten.
    let third = MemoryReplay::open(&lock, 1000, later(7), REACH).unwrap();
    assert_eq!((third.start(), third.floor()), (Start::Unclean, Some(later(7).after(SKEW))));
    third.close(later(8)).unwrap();
    drop(third);
    let fourth = MemoryReplay::open(&lock, 1000, later(9), REACH).unwrap();
    assert_eq!((fourth.start(), fourth.floor()), (Start::Clean { marks: 0 }, Some(later(7).after(SKEW))));
    assert_eq!(spend(&fourth, signed(1, later(5).after(SKEW)), later(9)).await, None);
    drop(fourth);
    // Nor does a clock that is behind, as far as it can be told.
    let fifth = MemoryReplay::open(&lock, 1000, now(), REACH).unwrap();
    assert!(fifth.floor() >= Some(later(8).after(SKEW)), "{:?}", fifth.floor());
}

#[tokio::test]
async fn the_floor_reaches_as_far_as_what_was_admitted() {
    let dir = tempfile::tempdir().unwrap();
    let lock = DataLock::acquire(dir.path()).unwrap();
    let long = Duration::from_secs(300);
    let first = MemoryReplay::open(&lock, 1000, now(), REACH).unwrap();
    first.raise(Reach { max_skew: Skews::all(Some(long)), ..REACH }, now).unwrap();
    first.raise(REACH, now).unwrap();
    first.mark_clock(later(100)).unwrap();
    drop(first);
    // The clock is behind where it was, and the configuration admits less by now.
    let second = MemoryReplay::open(&lock, 1000, later(50), REACH).unwrap();
    assert_eq!(second.last_clock(), Some(later(100)));
    let floor = second.floor().unwrap();
    assert!(floor >= later(100).after(long) && floor <= later(110).after(long), "{floor}");
}

#[test]
fn a_long_skew_is_forgotten_once_it_no_longer_matters() {
    let dir = tempfile::tempdir().unwrap();
    let lock = DataLock::acquire(dir.path()).unwrap();
    let long = Duration::from_secs(300);
    MemoryReplay::open(&lock, 1000, now(), Reach { max_skew: Skews::all(Some(long)), ..REACH })
        .unwrap()
        .close(later(1))
        .unwrap();
    // Soon after: a crash loses marks of messages signed up to 301.
    drop(MemoryReplay::open(&lock, 1000, later(2), REACH).unwrap());
    let soon = MemoryReplay::open(&lock, 1000, later(10), REACH).unwrap();
    assert_eq!(soon.floor(), Some(later(10).after(long)));
    soon.close(later(20)).unwrap();
    drop(MemoryReplay::open(&lock, 1000, later(20 + 270), REACH).unwrap());
    assert_eq!(MemoryReplay::open(&lock, 1000, later(300), REACH).unwrap().floor(), Some(later(300).after(SKEW)));
}

#[test]
fn a_memory_file_that_was_damaged_or_removed() {
    let dir = tempfile::tempdir().unwrap();
    let lock = DataLock::acquire(dir.path()).unwrap();
    let path = dir.path().join("replay.state");
    let orderly = || {
        let memory = MemoryReplay::open(&lock, 1000, now(), REACH).unwrap();
        memory.spend_for_test(&signed(1, now().after(SKEW)), now());
        memory.close(now()).unwrap();
        std::fs::read(&path).unwrap()
    };
    let good = orderly();
    let mut changes: Vec<Vec<u8>> = (0..good.len()).map(|length| good[..length].to_vec()).collect();
    changes.extend((0..good.len()).map(|at| {
        let mut changed = good.clone();
        changed[at] ^= 1;
        changed
    }));
    changes.push([&good[..], b"\0"].concat());
    for changed in changes {
        std::fs::write(&path, &changed).unwrap();
        let memory = MemoryReplay::open(&lock, 1000, later(60), REACH).unwrap();
        assert_eq!(memory.floor(), Some(later(60).after(UNKNOWN)), "{changed:?}");
    }
    std::fs::remove_file(&path).unwrap();
    let removed = MemoryReplay::open(&lock, 1000, later(60), REACH).unwrap();
    assert_eq!(removed.floor(), Some(later(60).after(UNKNOWN)), "a gateway ran here: its clock says so");
}

#[test]
fn the_memory_file_is_private_and_says_open_before_anything_is_admitted() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let lock = DataLock::acquire(dir.path()).unwrap();
    let memory = MemoryReplay::open(&lock, 1000, now(), REACH).unwrap();
    let path = dir.path().join("replay.state");
    assert!(std::fs::read(&path).unwrap().starts_with(b"countersign replay 3\nopen"));
    memory.close(now()).unwrap();
    memory.close(now()).unwrap();
    assert!(std::fs::read(&path).unwrap().starts_with(b"countersign replay 3\ndone"));
    for file in std::fs::read_dir(dir.path()).unwrap() {
        let file = file.unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o077, 0, "{:?}", file.file_name());
    }
}

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn a_replay_after_the_age_was_raised_by_a_reload() {
    let dir = tempfile::tempdir().unwrap();
    let lock = DataLock::acquire(dir.path()).unwrap();
    let memory = MemoryReplay::open(&lock, 1000, now(), REACH).unwrap();
    assert_eq!(memory.raised(), []);
    spend(&memory, signed(1, now()), now()).await;
    let raised = memory.raise(Reach { max_age: HOUR, ..REACH }, || later(100)).unwrap();
    assert_eq!(raised, [Raised { before: later(100).after(SKEW), max_age: REACH.max_age }]);
    // Nothing that was raised is raised again, and a shorter age changes nothing.
    assert_eq!(memory.raise(Reach { max_age: HOUR, ..REACH }, || later(200)).unwrap(), raised);
    assert_eq!(memory.raise(REACH, || later(300)).unwrap(), raised);
    assert_eq!(memory.raise(Reach { max_age: HOUR, ..REACH }, || later(400)).unwrap(), raised);
    // A request that began under the short routes is remembered as long as the long ones could admit it again.
    spend(&memory, signed(2, later(400)), later(400)).await;
    let nearly = later(400).after(HOUR);
    assert_eq!(spend(&memory, signed(2, later(400)), nearly).await, Some(Seen::Again));
    // Two raises, each with its own: until it no longer matters.
    let twice = memory.raise(Reach { max_age: 2 * HOUR, ..REACH }, || later(500)).unwrap();
    assert_eq!(twice, [raised[0], Raised { before: later(500).after(SKEW), max_age: HOUR }]);
    assert_eq!(memory.raise(Reach { max_age: 3 * HOUR, ..REACH }, || later(20_000)).unwrap().len(), 1);
}

#[test]
fn a_replay_after_the_age_was_raised_by_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let lock = DataLock::acquire(dir.path()).unwrap();
    let longer = Reach { max_age: HOUR, ..REACH };
    MemoryReplay::open(&lock, 1000, now(), REACH).unwrap().close(later(10)).unwrap();
    let second = MemoryReplay::open(&lock, 1000, later(20), longer).unwrap();
    let raised = second.raised();
    // Clocks may differ by what lies between two marks.
    assert!(
        matches!(raised[..], [Raised { before, max_age }]
        if before >= later(20).after(SKEW) && before <= later(25).after(SKEW) && max_age == REACH.max_age),
        "{raised:?}"
    );
    second.close(later(30)).unwrap();
    // It stands across another orderly restart, and a floor takes its place after a crash.
    let third = MemoryReplay::open(&lock, 1000, later(40), longer).unwrap();
    assert_eq!(third.raised(), raised);
    drop(third);
    let fourth = MemoryReplay::open(&lock, 1000, later(50), longer).unwrap();
    assert!(fourth.raised().is_empty() && fourth.floor() >= Some(raised[0].before));
}

/// Not a benchmark: a quadratic store needs minutes for this.
#[test]
fn a_million_marks_come_and_go_in_linear_time() {
    let memory = MemoryReplay::ephemeral(200_000);
    let begin = Instant::now();
    for number in 0..600_000 {
        let at = now().after(Duration::from_millis(number * 4));
        let seen = memory.spend_for_test(&signed(number, at), at);
        assert_eq!(seen, Some(Seen::First), "{number} at {at}: {memory:?}");
    }
    assert!(memory.used() < 110_000, "{memory:?}");
    assert!(begin.elapsed() < Duration::from_secs(30), "{:?}", begin.elapsed());
}

#[tokio::test]
async fn a_memory_that_nobody_took_over_goes_on_and_forgets_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let lock = DataLock::acquire(dir.path()).unwrap();
    let old = MemoryReplay::open(&lock, 1000, now(), REACH).unwrap();
    assert_eq!(spend(&old, signed(1, now()), now()).await, Some(Seen::First));
    old.close(now()).unwrap();
    assert_eq!(spend(&old, signed(2, now()), now()).await, None);
    // Whoever was to take over opened what was left, and died before it admitted anything.
    let new = MemoryReplay::open(&lock, 1000, now(), REACH).unwrap();
    assert_eq!((new.start(), new.floor()), (Start::Clean { marks: 1 }, None));
    drop(new);
    old.reopen().unwrap();
    assert_eq!(spend(&old, signed(1, now()), now()).await, Some(Seen::Again));
    assert_eq!(spend(&old, signed(2, now()), now()).await, Some(Seen::First));
    // Killed now, it is an unclean end, whatever was written between.
    drop(old);
    assert_eq!(MemoryReplay::open(&lock, 1000, now(), REACH).unwrap().start(), Start::Unclean);
    let old = MemoryReplay::open(&lock, 1000, now(), REACH).unwrap();
    old.close(now()).unwrap();
    old.reopen().unwrap();
    old.close(now()).unwrap();
    assert!(matches!(MemoryReplay::open(&lock, 1000, now(), REACH).unwrap().start(), Start::Clean { .. }));
}
