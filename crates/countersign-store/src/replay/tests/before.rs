//! What a gateway of the version before left, which knew one skew and one floor for all schemes.

use aws_lc_rs::digest::{SHA256, digest};
use countersign::Scheme;

use super::super::shard::{cut, slot_of};
use super::*;

const SHORT: Reach = Reach { max_skew: Skews::all(Some(Duration::from_secs(1))), ..REACH };
const LONG: Duration = Duration::from_secs(600);

/// `replay.state` of version 2: skew and age in milliseconds, floor, horizon, no raises, and the marks.
fn file(state: &str, skew: Duration, floor: Option<Timestamp>, uses: &[Use]) -> Vec<u8> {
    let millis = |duration: Duration| i64::try_from(duration.as_millis()).unwrap();
    let mut file = b"countersign replay 2\n".to_vec();
    file.extend(state.as_bytes());
    let floor = floor.map_or(i64::MIN, Timestamp::as_millis);
    let count = i64::try_from(uses.len()).unwrap();
    for number in [millis(skew), millis(REACH.max_age), floor, now().as_millis(), 0, count] {
        file.extend(number.to_le_bytes());
    }
    for once in uses {
        file.extend(cut(once.first()).to_be_bytes());
        file.extend(slot_of(once.until()).to_le_bytes());
    }
    let sum = digest(&SHA256, &file);
    file.extend(sum.as_ref());
    file
}

fn floors(memory: &MemoryReplay) -> [Option<Timestamp>; 4] {
    Scheme::ALL.map(|scheme| memory.floor_of(scheme))
}

#[tokio::test]
async fn a_replay_of_a_message_signed_ahead_after_an_upgrade_that_shortens_the_skew() {
    let dir = tempfile::tempdir().unwrap();
    let lock = DataLock::acquire(dir.path()).unwrap();
    let ahead = signed(1, later(12));
    std::fs::write(dir.path().join("replay.state"), file("done", LONG, None, &[ahead])).unwrap();
    let second = MemoryReplay::open(&lock, 1000, later(1), SHORT).unwrap();
    assert_eq!((second.start(), second.floor()), (Start::Clean { marks: 1 }, None));
    assert_eq!(spend(&second, ahead, later(12)).await, Some(Seen::Again));
    drop(second);
    // A crash soon after loses it, and what was admitted under the longer skew counts still.
    let third = MemoryReplay::open(&lock, 1000, later(2), SHORT).unwrap();
    assert_eq!(floors(&third), [Some(later(2).after(LONG)); 4]);
    assert_eq!(spend(&third, ahead, later(12)).await, None);
}

#[test]
fn a_replay_below_the_floor_of_the_version_before() {
    let dir = tempfile::tempdir().unwrap();
    let lock = DataLock::acquire(dir.path()).unwrap();
    let path = dir.path().join("replay.state");
    std::fs::write(&path, file("done", SKEW, Some(later(500)), &[])).unwrap();
    let clean = MemoryReplay::open(&lock, 1000, later(1), SHORT).unwrap();
    assert_eq!((clean.start(), floors(&clean)), (Start::Clean { marks: 0 }, [Some(later(500)); 4]));
    drop(clean);
    std::fs::write(&path, file("open", LONG, Some(later(500)), &[])).unwrap();
    let killed = MemoryReplay::open(&lock, 1000, later(1), SHORT).unwrap();
    assert_eq!((killed.start(), floors(&killed)), (Start::Unclean, [Some(later(1).after(LONG)); 4]));
    drop(killed);
    std::fs::write(&path, file("open", SKEW, Some(later(500)), &[])).unwrap();
    let killed = MemoryReplay::open(&lock, 1000, later(1), SHORT).unwrap();
    assert_eq!(floors(&killed), [Some(later(500)); 4]);
}
