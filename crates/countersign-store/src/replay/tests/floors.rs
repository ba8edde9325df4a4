//! After an end that was none, each scheme waits for its own skew, and for no other's.

use countersign::Scheme::{self, AppHmac, HttpMessageSignatures, Pki, TrustedSite};

use super::*;

const LONG: Duration = Duration::from_secs(300);

/// `http-message-signatures` with 30 seconds, `trusted-site` with five minutes, and nothing else.
fn reach() -> Reach {
    let max_skew = Skews::each(|scheme| match scheme {
        HttpMessageSignatures => Some(SKEW),
        TrustedSite => Some(LONG),
        Pki | AppHmac => None,
    });
    Reach { max_skew, ..REACH }
}

async fn spent(
    memory: &MemoryReplay,
    number: u64,
    scheme: Scheme,
    signed_at: Timestamp,
    at: Timestamp,
) -> Option<Seen> {
    spend(memory, signed(number, signed_at).under(scheme), at).await
}

#[tokio::test]
async fn a_scheme_with_a_short_skew_does_not_wait_for_one_with_a_long_one() {
    let dir = tempfile::tempdir().unwrap();
    let lock = DataLock::acquire(dir.path()).unwrap();
    let first = MemoryReplay::open(&lock, 1000, now(), reach()).unwrap();
    let ahead = later(5).after(LONG);
    assert_eq!(spent(&first, 1, TrustedSite, ahead, later(5)).await, Some(Seen::First));
    drop(first);

    let second = MemoryReplay::open(&lock, 1000, later(6), reach()).unwrap();
    let (short, long) = (later(6).after(SKEW), later(6).after(LONG));
    let floors = [HttpMessageSignatures, Pki, TrustedSite, AppHmac].map(|scheme| second.floor_of(scheme));
    assert_eq!(floors, [short, later(6).after(UNKNOWN), long, later(6).after(UNKNOWN)].map(Some));
    assert_eq!((second.floor(), second.begin()), (Some(long), Some(short)));
    let a_moment = Duration::from_millis(1);
    assert_eq!(second.admits(short.before(a_moment)), Some(false));
    assert_eq!(second.admits(short), Some(true), "what most callers sign passes from here on");
    assert_eq!(spent(&second, 2, HttpMessageSignatures, short.before(a_moment), short).await, None);
    assert_eq!(spent(&second, 2, HttpMessageSignatures, short, short).await, Some(Seen::First));
    // The one that was admitted before the crash, signed as far ahead as it may be.
    assert_eq!(spent(&second, 1, TrustedSite, ahead, short).await, None);
    assert_eq!(spent(&second, 3, TrustedSite, long.before(a_moment), long).await, None);
    assert_eq!(spent(&second, 3, TrustedSite, long, long).await, Some(Seen::First));
    let told = second.first_use(&signed(4, short).under(TrustedSite), short).await.unwrap_err();
    assert_eq!(told.retry_after(), Some(Duration::from_secs(270)));
}

#[tokio::test]
async fn a_scheme_that_is_admitted_no_more_keeps_its_floor_for_when_it_is_again() {
    let dir = tempfile::tempdir().unwrap();
    let lock = DataLock::acquire(dir.path()).unwrap();
    drop(MemoryReplay::open(&lock, 1000, now(), reach()).unwrap());
    let narrow = Reach { max_skew: Skews::each(|scheme| (scheme == HttpMessageSignatures).then_some(SKEW)), ..REACH };
    let second = MemoryReplay::open(&lock, 1000, later(6), narrow).unwrap();
    let long = later(6).after(LONG);
    assert_eq!(second.floor_of(TrustedSite), Some(long));
    second.raise(reach(), || later(7)).unwrap();
    assert_eq!(spent(&second, 1, TrustedSite, later(8), later(8)).await, None);
    second.close(later(9)).unwrap();
    drop(second);
    let third = MemoryReplay::open(&lock, 1000, later(10), reach()).unwrap();
    assert_eq!((third.start(), third.floor_of(TrustedSite)), (Start::Clean { marks: 0 }, Some(long)));
    assert_eq!(third.floor_of(HttpMessageSignatures), Some(later(6).after(SKEW)));
}

#[tokio::test]
async fn a_replay_in_a_scheme_that_no_route_took_at_the_crash_and_a_reload_admits_again() {
    let dir = tempfile::tempdir().unwrap();
    let lock = DataLock::acquire(dir.path()).unwrap();
    let skews = |sites| {
        let of = |scheme| match scheme {
            HttpMessageSignatures => Some(SKEW),
            TrustedSite => sites,
            Pki | AppHmac => None,
        };
        Reach { max_skew: Skews::each(of), ..REACH }
    };
    let (with, without) = (skews(Some(Duration::from_secs(1))), skews(None));
    let first = MemoryReplay::open(&lock, 1000, now(), with).unwrap();
    assert_eq!(spent(&first, 1, TrustedSite, now(), now()).await, Some(Seen::First));
    first.close(now()).unwrap();
    drop(first);
    // By now the sites' skew has lapsed; what it admitted is forgotten with a crash all the same.
    drop(MemoryReplay::open(&lock, 1000, later(3), without).unwrap());
    let third = MemoryReplay::open(&lock, 1000, later(4), without).unwrap();
    third.raise(with, || later(5)).unwrap();
    assert_eq!(spent(&third, 1, TrustedSite, now(), later(5)).await, None);
    assert!(third.floor_of(AppHmac) >= Some(later(4)), "nor in one that no gateway is known to have admitted");
}

#[test]
fn where_nobody_can_tell_what_was_admitted_all_wait_for_the_longest() {
    let dir = tempfile::tempdir().unwrap();
    let lock = DataLock::acquire(dir.path()).unwrap();
    drop(MemoryReplay::open(&lock, 1000, now(), reach()).unwrap());
    std::fs::write(dir.path().join("replay.state"), "damaged").unwrap();
    let second = MemoryReplay::open(&lock, 1000, later(60), reach()).unwrap();
    for scheme in Scheme::ALL {
        assert_eq!(second.floor_of(scheme), Some(later(60).after(LONG)), "{scheme}");
    }
}

#[test]
fn a_long_skew_of_one_scheme_lapses_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let lock = DataLock::acquire(dir.path()).unwrap();
    MemoryReplay::open(&lock, 1000, now(), reach()).unwrap().close(later(1)).unwrap();
    let short = Reach { max_skew: Skews::all(Some(SKEW)), ..REACH };
    // A crash soon after an orderly end loses what was signed ahead before that; later there is nothing of it.
    MemoryReplay::open(&lock, 1000, later(2), short).unwrap().close(later(3)).unwrap();
    drop(MemoryReplay::open(&lock, 1000, later(4), short).unwrap());
    let soon = MemoryReplay::open(&lock, 1000, later(10), short).unwrap();
    assert_eq!(soon.floor_of(TrustedSite), Some(later(10).after(LONG)));
    assert_eq!(soon.floor_of(AppHmac), Some(later(10).after(SKEW)));
    soon.close(later(20)).unwrap();
    drop(MemoryReplay::open(&lock, 1000, later(20 + 270), short).unwrap());
    let late = MemoryReplay::open(&lock, 1000, later(300), short).unwrap();
    assert_eq!(late.floor_of(TrustedSite), Some(later(300).after(SKEW)));
}
