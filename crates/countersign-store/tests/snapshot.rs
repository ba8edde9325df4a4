//! Snapshots of a registry that others write: every writer here has its own handle and connections, as another process
//! would; the end-to-end scripts do the same with two processes.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use countersign::{Scheme, Timestamp};
use countersign_store::registry::{KeyAdd, KeySelector, LastUse};
use countersign_store::secrets::SealingKey;
use countersign_store::{Registry, Snapshots};
use support::{Place, app_key, ed25519, key, later, now};

/// A clock that the test sets.
#[derive(Clone)]
struct Clock(Arc<AtomicI64>);

impl Clock {
    fn new() -> Self {
        Self(Arc::new(AtomicI64::new(now().as_millis())))
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::Relaxed))
    }

    fn set(&self, to: Timestamp) {
        self.0.store(to.as_millis(), Ordering::Relaxed);
    }
}

const MAX_STALE: Duration = Duration::from_secs(30);

async fn follow(registry: &Registry, clock: &Clock) -> Snapshots {
    let clock = clock.clone();
    Snapshots::follow(registry, MAX_STALE, move || clock.now()).await.unwrap()
}

fn usable(snapshots: &Snapshots, id: &str, at: Timestamp) -> Vec<u32> {
    let keys = snapshots.keys(at).unwrap();
    let versions = keys.versions(Scheme::HttpMessageSignatures, id);
    versions.iter().filter(|key| key.usable(at)).map(|key| key.record().version).collect()
}

/// Waits until `holds`, and says how long that took.
async fn within_a_second(what: &str, holds: impl Fn() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < Duration::from_secs(1), "not within a second: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_revoked_by_another_process_stops_within_a_second() {
    let (place, clock) = (Place::new(), Clock::new());
    let gateway = place.with_partners().await;
    let operator = place.open().await;
    let snapshots = follow(&gateway, &clock).await;
    let mut changed = snapshots.changed();
    assert!(snapshots.keys(now()).unwrap().is_empty());

    operator.add_key(KeyAdd { not_after: Some(later(3600)), ..key("alice", "k") }, now()).await.unwrap();
    within_a_second("added", || usable(&snapshots, "k", now()) == [1]).await;
    assert!(changed.has_changed().unwrap());
    changed.mark_unchanged();
    operator.add_key(key("alice", "k"), now()).await.unwrap();
    within_a_second("overlap", || usable(&snapshots, "k", now()) == [2, 1]).await;
    assert_eq!(usable(&snapshots, "k", later(20)), [2, 1]);
    operator.suspend_partner("alice", now()).await.unwrap();
    within_a_second("suspended", || usable(&snapshots, "k", now()).is_empty()).await;
    operator.resume_partner("alice", now()).await.unwrap();
    within_a_second("resumed", || usable(&snapshots, "k", now()) == [2, 1]).await;
    operator.retire_key(&KeySelector::id("k").version(1), now()).await.unwrap();
    within_a_second("retired", || usable(&snapshots, "k", now()) == [2]).await;
    operator.revoke_key(&KeySelector::id("k"), "stolen", now()).await.unwrap();
    within_a_second("revoked", || usable(&snapshots, "k", now()).is_empty()).await;
    assert_eq!(
        snapshots.keys(now()).unwrap().versions(Scheme::HttpMessageSignatures, "k").len(),
        2,
        "known, not usable"
    );

    // What this process writes itself, and what someone writes past us.
    gateway.add_key(key("bob", "own"), now()).await.unwrap();
    within_a_second("its own change", || usable(&snapshots, "own", now()) == [1]).await;
    let pool = sqlx::AnyPool::connect(&format!("sqlite://{}?mode=rw", place.file().display())).await.unwrap();
    sqlx::query("UPDATE partner_key SET state = 'retired' WHERE id = 'own'").execute(&pool).await.unwrap();
    within_a_second("by hand", || usable(&snapshots, "own", now()).is_empty()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_changes_and_nothing_is_loaded() {
    let (place, clock) = (Place::new(), Clock::new());
    let registry = place.with_partners().await;
    let snapshots = follow(&registry, &clock).await;
    let keys = snapshots.keys(now()).unwrap();
    clock.set(later(20));
    within_a_second("confirmed", || snapshots.confirmed_at() == later(20)).await;
    assert_eq!((snapshots.loaded_at(), snapshots.age(later(21))), (now(), Duration::from_secs(1)));
    assert!(Arc::ptr_eq(&keys, &snapshots.keys(later(20)).unwrap()));
    assert_eq!(snapshots.age(now()), Duration::ZERO, "a clock that stepped back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_that_is_gone_fails_closed_after_max_stale() {
    let (place, clock) = (Place::new(), Clock::new());
    let registry = place.with_partners().await;
    registry.add_key(key("alice", "k"), now()).await.unwrap();
    let snapshots = follow(&registry, &clock).await;
    let mut changed = snapshots.changed();
    let (file, away) = (place.file(), place.data().join("away.db"));
    std::fs::rename(&file, &away).unwrap();
    within_a_second("stale", || snapshots.failure().is_some()).await;
    changed.changed().await.unwrap();

    clock.set(later(30));
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(snapshots.confirmed_at(), now());
    assert_eq!(usable(&snapshots, "k", later(30)), [1]);
    let closed = snapshots.keys(later(31)).unwrap_err();
    assert_eq!(closed.what(), "registry");
    assert!(closed.detail().contains("No such file"), "{closed}");

    std::fs::rename(&away, &file).unwrap();
    within_a_second("back", || snapshots.failure().is_none()).await;
    assert_eq!(usable(&snapshots, "k", later(31)), [1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_last_use_loads_nothing_anew() {
    let (place, clock) = (Place::new(), Clock::new());
    let registry = place.with_partners().await;
    registry.add_key(key("alice", "k"), now()).await.unwrap();
    let snapshots = follow(&registry, &clock).await;
    let (keys, changed) = (snapshots.keys(now()).unwrap(), snapshots.changed());
    clock.set(later(5));
    let last = LastUse { scheme: Scheme::HttpMessageSignatures, id: "k".to_owned(), version: 1, at: later(5) };
    registry.note_last_uses(&[last]).await.unwrap();
    clock.set(later(10));
    within_a_second("asked since", || snapshots.confirmed_at() == later(10)).await;
    assert!(Arc::ptr_eq(&keys, &snapshots.keys(later(10)).unwrap()));
    assert!(!changed.has_changed().unwrap());
    assert_eq!(registry.key("k", None).await.unwrap()[0].last_used, Some(later(5)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_put_in_place_is_noticed() {
    let (place, clock) = (Place::new(), Clock::new());
    let registry = place.with_partners().await;
    registry.add_key(key("alice", "old"), now()).await.unwrap();
    let copy = place.dir.path().join("copy.db");
    registry.backup(&copy).await.unwrap();
    registry.add_key(key("alice", "new"), now()).await.unwrap();
    let snapshots = follow(&registry, &clock).await;
    assert_eq!(usable(&snapshots, "new", now()), [1]);
    registry.close().await;
    std::fs::rename(&copy, place.file()).unwrap();
    let _ = std::fs::remove_file(place.data().join("registry.db-wal"));
    let _ = std::fs::remove_file(place.data().join("registry.db-shm"));
    within_a_second("the other file", || usable(&snapshots, "new", now()).is_empty()).await;
    assert_eq!(usable(&snapshots, "old", now()), [1]);
    let operator = place.open().await;
    operator.revoke_key(&KeySelector::id("old"), "stolen", now()).await.unwrap();
    within_a_second("revoked in it", || usable(&snapshots, "old", now()).is_empty()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_swapped_between_proof_and_storage() {
    let (place, clock) = (Place::new(), Clock::new());
    let registry = place.with_partners().await;
    registry.add_key(key("alice", "good"), now()).await.unwrap();
    registry.add_key(key("alice", "swapped"), now()).await.unwrap();
    registry.add_key(app_key("alice", "app", "alice's secret of 16 bytes"), now()).await.unwrap();
    registry.add_key(app_key("bob", "app2", "bob's secret of 16 bytes"), now()).await.unwrap();
    let snapshots = follow(&registry, &clock).await;
    assert_eq!((snapshots.keys(now()).unwrap().len(), snapshots.broken().len()), (4, 0));

    let pool = sqlx::AnyPool::connect(&format!("sqlite://{}?mode=rw", place.file().display())).await.unwrap();
    let countersign::Material::Public(other) = ed25519() else { panic!("public") };
    let swap = "UPDATE partner_key SET material = $1 WHERE id = 'swapped'";
    sqlx::query(swap).bind(other).execute(&pool).await.unwrap();
    // Bob's secret in Alice's row: Bob could sign as Alice.
    let moved =
        "UPDATE partner_key SET material = (SELECT material FROM partner_key WHERE id = 'app2') WHERE id = 'app'";
    sqlx::query(moved).execute(&pool).await.unwrap();
    sqlx::query("UPDATE partner_key SET form = 'payload-first' WHERE id = 'app2'").execute(&pool).await.unwrap();
    within_a_second("reported", || snapshots.broken().len() == 3).await;
    assert_eq!(usable(&snapshots, "good", now()), [1], "one broken row is not all of them");
    assert!(usable(&snapshots, "swapped", now()).is_empty());
    let broken = snapshots.broken().join("\n");
    for name in ["http-message-signatures key \"swapped\" version 1: ", "app-hmac key \"app\" version 1: ", "\"app2\""]
    {
        assert!(broken.contains(name), "{broken}");
    }
    assert!(!broken.contains("secret of 16"), "{broken}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_mended_outside_the_registry_comes_back() {
    use std::os::unix::fs::PermissionsExt;
    let (place, clock) = (Place::new(), Clock::new());
    let registry = place.with_partners().await;
    registry.add_key(app_key("alice", "app", "0123456789abcdef"), now()).await.unwrap();
    let sealing = SealingKey::path_in(&place.data());
    std::fs::set_permissions(&sealing, PermissionsExt::from_mode(0o644)).unwrap();
    let snapshots = follow(&registry, &clock).await;
    assert!(snapshots.keys(now()).unwrap().is_empty());
    assert!(snapshots.broken()[0].contains("may be read by others"), "{:?}", snapshots.broken());
    std::fs::set_permissions(&sealing, PermissionsExt::from_mode(0o600)).unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    within_a_second("mended", || snapshots.broken().is_empty()).await;
    assert_eq!(snapshots.keys(now()).unwrap().len(), 1);
}
