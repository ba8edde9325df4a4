//! The contract of [`ReplayStore`] as checks that run over any implementation. Each panics where the contract is
//! broken.
//!
//! They speak of moments after `now` only, and use marks of their own, so that they can follow each other on one store.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use countersign::{ReplayStore, Seen, Timestamp, Use, UseMark};

/// A use passes once, and other uses do not concern it.
///
/// # Panics
/// When the store breaks its contract.
pub async fn first_then_again(store: &dyn ReplayStore, now: Timestamp) {
    let (mine, theirs) = (mark(), mark());
    let once = one(mine, now);
    assert_eq!(store.first_use(&once, now).await, Ok(Seen::First));
    assert_eq!(store.first_use(&once, now).await, Ok(Seen::Again));
    let later = Use::new(mine, None, now, now.after(Duration::from_secs(900)));
    assert_eq!(store.first_use(&later, now).await, Ok(Seen::Again), "the mark counts, not how long it is kept");
    assert_eq!(store.first_use(&one(theirs, now), now).await, Ok(Seen::First), "another's nonce");
}

/// Of a thousand identical uses at once exactly one is the first. For a runtime with several threads.
///
/// # Panics
/// When the store breaks its contract.
pub async fn one_of_a_thousand_at_once(store: Arc<dyn ReplayStore>, now: Timestamp) {
    let (first, second) = (mark(), mark());
    let uses = (0..1000).map(|number| match number % 3 {
        0 => Use::new(first, Some(second), now, now.after(MINUTE)),
        1 => Use::new(second, Some(first), now, now.after(MINUTE)),
        _ => Use::new(first, None, now, now.after(MINUTE)),
    });
    let tasks: Vec<_> = uses
        .map(|once| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.first_use(&once, now).await })
        })
        .collect();
    let mut firsts = 0;
    for task in tasks {
        match task.await {
            Ok(Ok(Seen::First)) => firsts += 1,
            Ok(Ok(Seen::Again)) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(firsts, 1);
}

/// Two marks are spent together or not at all.
///
/// # Panics
/// When the store breaks its contract.
pub async fn two_marks_together(store: &dyn ReplayStore, now: Timestamp) {
    let (a, b, c) = (mark(), mark(), mark());
    let both = |first, second| Use::new(first, Some(second), now, now.after(MINUTE));
    assert_eq!(store.first_use(&both(a, b), now).await, Ok(Seen::First));
    for known in [one(a, now), one(b, now), both(a, c), both(c, b), both(b, a)] {
        assert_eq!(store.first_use(&known, now).await, Ok(Seen::Again));
    }
    assert_eq!(store.first_use(&one(c, now), now).await, Ok(Seen::First), "spent by a use that was refused");
    assert_eq!(store.first_use(&both(mark(), mark()), now).await, Ok(Seen::First));
    let twice = mark();
    assert_eq!(store.first_use(&both(twice, twice), now).await, Ok(Seen::First), "one mark named twice");
    assert_eq!(store.first_use(&both(twice, twice), now).await, Ok(Seen::Again));
}

/// A use is known until its `until`, inclusive, however often the store is asked; and not for ever.
/// For stores that live by the `now` they are handed.
///
/// # Panics
/// When the store breaks its contract.
pub async fn known_until_its_end(store: &dyn ReplayStore, now: Timestamp) {
    let mine = mark();
    let once = one(mine, now);
    assert_eq!(store.first_use(&once, now).await, Ok(Seen::First));
    for seconds in [1, 30, 59, 60] {
        let later = now.after(Duration::from_secs(seconds));
        assert_eq!(store.first_use(&one(mark(), later), later).await, Ok(Seen::First));
        assert_eq!(store.first_use(&once, later).await, Ok(Seen::Again), "after {seconds} s");
    }
    let hour = now.after(Duration::from_secs(3600));
    let anew = Use::new(mine, None, hour, hour.after(MINUTE));
    assert_eq!(store.first_use(&anew, hour).await, Ok(Seen::First), "kept for ever");
}

/// A full store is unavailable, and has forgotten nothing. `capacity` is the number of marks that the fresh `store`
/// holds. For stores that live by the `now` they are handed.
///
/// # Panics
/// When the store breaks its contract.
pub async fn full_refuses_and_never_forgets(store: &dyn ReplayStore, capacity: usize, now: Timestamp) {
    let mut live = Vec::new();
    for _ in 0..capacity {
        let once = one(mark(), now);
        assert_eq!(store.first_use(&once, now).await, Ok(Seen::First));
        live.push(once);
    }
    let late = now.after(MINUTE);
    for moment in [now, late] {
        let more = Use::new(mark(), None, moment, moment.after(MINUTE));
        for _ in 0..10 {
            assert!(store.first_use(&more, moment).await.is_err(), "an entry was dropped while it was live");
        }
        for once in &live {
            assert_eq!(store.first_use(once, moment).await, Ok(Seen::Again));
        }
    }
    let after = late.after(MINUTE);
    assert_eq!(store.first_use(&one(mark(), after), after).await, Ok(Seen::First), "what ended makes room");
}

/// What was signed before the memory begins can't be judged; what was signed at that moment can.
///
/// # Panics
/// When the store breaks its contract.
pub async fn nothing_passes_below_the_floor(store: &dyn ReplayStore, floor: Timestamp, now: Timestamp) {
    let signed = |at: Timestamp| Use::new(mark(), None, at, floor.after(MINUTE));
    assert!(store.first_use(&signed(floor.before(Duration::from_millis(1))), now).await.is_err());
    assert!(store.first_use(&signed(now.before(MINUTE)), now).await.is_err());
    assert_eq!(store.first_use(&signed(floor), now).await, Ok(Seen::First));
}

const MINUTE: Duration = Duration::from_secs(60);

fn one(mark: UseMark, now: Timestamp) -> Use {
    Use::new(mark, None, now, now.after(MINUTE))
}

/// A mark that nothing else has: a counter in front, and the process and its start behind, for a store that is shared.
fn mark() -> UseMark {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    bytes[8..12].copy_from_slice(&std::process::id().to_be_bytes());
    UseMark::from_bytes(bytes)
}
