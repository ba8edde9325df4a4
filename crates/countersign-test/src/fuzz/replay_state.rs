use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use countersign_store::DataLock;
use countersign_store::replay::{MemoryReplay, Reach, Skews, Start};
use tempfile::TempDir;

use super::chain::NOW;

static PLACE: LazyLock<Mutex<(TempDir, DataLock)>> = LazyLock::new(|| {
    let place = tempfile::tempdir().expect("a directory");
    let lock = DataLock::acquire(place.path()).expect("nobody else has it");
    Mutex::new((place, lock))
});

const REACH: Reach = Reach { max_skew: Skews::all(Some(Duration::from_secs(300))), max_age: Duration::from_secs(300) };
const CAPACITY: usize = 1000;

/// The file `replay.state` that a gateway before this one left: as it is, and with a checksum that holds.
///
/// # Panics
/// Where a file is not survived, or where what was taken over is not handed on at an orderly end.
pub fn replay_state(input: &[u8]) {
    open(input);
    open(&[input, digest(&SHA256, input).as_ref()].concat());
}

fn open(file: &[u8]) {
    let place = PLACE.lock().unwrap_or_else(PoisonError::into_inner);
    let (dir, lock) = &*place;
    std::fs::write(dir.path().join("replay.state"), file).expect("a writable directory");
    let open = || MemoryReplay::open(lock, CAPACITY, NOW, REACH).expect("a damaged file is no error");
    let memory = open();
    assert!(!matches!(memory.start(), Start::First), "something was there");
    let (used, floor, raised) = (memory.used(), memory.floor(), memory.raised());
    memory.close(NOW).expect("a writable directory");
    drop(memory);
    let again = open();
    assert_eq!(again.start(), Start::Clean { marks: again.used() });
    // A file of ours has no mark twice; of one that has, one is handed on. The clock may have gone on by a moment.
    assert!(again.used() <= used, "{} marks out of {used}", again.used());
    assert_eq!(again.floor(), floor);
    assert!(again.raised().iter().all(|one| raised.contains(one)), "{:?} out of {raised:?}", again.raised());
}
