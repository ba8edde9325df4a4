//! Keys of our own in real SQLite files.

mod support;

use std::time::{Duration, Instant};

use countersign::{Algorithm, KeyState, SigningKey, Timestamp};
use countersign_store::registry::{Overlap, OwnKeyAdd, OwnKeyEntry, OwnUse, Refused};
use countersign_store::secrets::{OwnPlace, SealingKey};
use countersign_store::{Registry, Snapshots};
use sqlx::{Executor, Row};
use support::{Place, later, now, refused};

const OVERLAP: Overlap = Overlap { lead: Duration::from_secs(301), tail: Duration::from_secs(900) };

fn token_key() -> OwnKeyAdd {
    let pair = SigningKey::generate(Algorithm::Ed25519, 0).unwrap();
    OwnKeyAdd { usage: OwnUse::Token, algorithm: "EdDSA".to_owned(), pair }
}

fn states(keys: &[OwnKeyEntry], at: Timestamp) -> Vec<KeyState> {
    keys.iter().map(|key| key.state(at)).collect()
}

/// Every key by its state, in the order in which they were made.
async fn at(registry: &Registry, seconds: u64) -> Vec<KeyState> {
    let mut keys = registry.own_keys(OwnUse::Token).await.unwrap();
    keys.reverse();
    states(&keys, later(seconds))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_gateways_that_start_at_once_make_one_key() {
    let place = Place::new();
    place.open().await;
    let start =
        |registry: Registry| tokio::spawn(async move { registry.add_own_key(&token_key(), now()).await.unwrap() });
    let mut starting = Vec::new();
    for _ in 0..8 {
        starting.push(start(place.open().await));
    }
    let mut made = Vec::new();
    for gateway in starting {
        made.push(gateway.await.unwrap());
    }
    assert_eq!(made.iter().filter(|(_, added)| *added).count(), 1);
    assert!(made.iter().all(|(key, _)| *key == made[0].0));
    let registry = place.open().await;
    assert_eq!(registry.own_keys(OwnUse::Token).await.unwrap().len(), 1);
    assert!(registry.own_keys(OwnUse::Seal).await.unwrap().is_empty());
    assert_eq!(made[0].0.state(now()), KeyState::Active);
}

#[tokio::test]
async fn a_new_key_waits_until_everybody_can_have_seen_it_and_the_old_one_is_taken_for_its_tail() {
    use KeyState::{Active, Pending, Retired, Retiring};
    let place = Place::new();
    let registry = place.open().await;
    registry.add_own_key(&token_key(), now()).await.unwrap();
    let next = registry.rotate_own_key(&token_key(), OVERLAP, later(10)).await.unwrap();
    assert_eq!((next.added, next.not_before), (later(10), later(311)));
    assert_eq!(at(&registry, 10).await, [Active, Pending]);
    assert_eq!(at(&registry, 310).await, [Active, Pending]);
    assert_eq!(at(&registry, 311).await, [Retiring, Active]);
    assert_eq!(at(&registry, 1210).await, [Retiring, Active]);
    assert_eq!(at(&registry, 1211).await, [Retired, Active]);

    // Once more before the first has been seen: one is in use at every moment.
    registry.rotate_own_key(&token_key(), OVERLAP, later(20)).await.unwrap();
    for second in (0..2000).step_by(10) {
        let active = at(&registry, second).await.into_iter().filter(|state| *state == Active).count();
        assert_eq!(active, 1, "after {second} s");
    }
    let whats: Vec<_> = registry.events(0, 100).await.unwrap().into_iter().map(|event| event.what).collect();
    let rotated = ["own_key.superseded", "own_key.added"];
    assert_eq!(whats, [&["own_key.added"][..], &rotated, &rotated].concat());
}

#[tokio::test]
async fn a_revoked_key_is_succeeded_at_once() {
    use KeyState::{Active, Pending, Revoked};
    let place = Place::new();
    let registry = place.open().await;
    let (first, _) = registry.add_own_key(&token_key(), now()).await.unwrap();
    let revoke = async |id: &str, at| registry.revoke_own_key(id, "leaked", &token_key(), OVERLAP, at).await;
    assert!(matches!(refused(revoke("nobody", now()).await), Refused::NoSuchOwnKey { .. }));
    let reason = registry.revoke_own_key(&first.id, " ", &token_key(), OVERLAP, now()).await;
    assert_eq!(refused(reason), Refused::Reason);
    revoke(&first.id, later(1)).await.unwrap();
    assert_eq!(at(&registry, 1).await, [Revoked, Active]);
    // Again changes nothing.
    revoke(&first.id, later(2)).await.unwrap();
    assert_eq!(at(&registry, 2).await, [Revoked, Active]);

    // One that waits steps in where the one in use is revoked.
    let waiting = registry.rotate_own_key(&token_key(), OVERLAP, later(3)).await.unwrap();
    let in_use = registry.own_keys(OwnUse::Token).await.unwrap();
    let in_use = in_use.iter().find(|key| key.state(later(3)) == Active).unwrap();
    revoke(&in_use.id, later(4)).await.unwrap();
    assert_eq!(at(&registry, 4).await, [Revoked, Revoked, Active]);

    // And where the one that waits is revoked, another one waits.
    let waiting_too = registry.rotate_own_key(&token_key(), OVERLAP, later(5)).await.unwrap();
    revoke(&waiting_too.id, later(6)).await.unwrap();
    let keys = registry.own_keys(OwnUse::Token).await.unwrap();
    let of = |id: &str| keys.iter().find(|key| key.id == id).unwrap();
    assert_eq!(of(&waiting.id).state(later(6)), Active);
    assert_eq!(of(&waiting_too.id).state(later(6)), Revoked);
    assert_eq!(keys.iter().filter(|key| key.state(later(6)) == Pending).count(), 1);
    assert_eq!(keys.iter().filter(|key| key.state(later(307)) == Active).count(), 1);
}

#[tokio::test]
async fn the_database_itself_keeps_own_keys_what_they_are() {
    let place = Place::new();
    let registry = place.open().await;
    let (key, _) = registry.add_own_key(&token_key(), now()).await.unwrap();
    let raw = raw(&place).await;
    for tampering in [
        "DELETE FROM own_key",
        "UPDATE own_key SET private = x'00'",
        "UPDATE own_key SET public = x'00'",
        "UPDATE own_key SET id = 'other'",
        "INSERT INTO own_key (use, id, algorithm, public, private, added, not_before) VALUES ('token', 'x', 'EdDSA', x'00', x'00', 0, 0)",
    ] {
        assert!(raw.execute(tampering).await.is_err(), "{tampering}");
    }
    registry.revoke_own_key(&key.id, "leaked", &token_key(), OVERLAP, now()).await.unwrap();
    let unrevoked = "UPDATE own_key SET revoked = NULL, reason = NULL WHERE revoked IS NOT NULL";
    assert!(raw.execute(unrevoked).await.is_err());
}

#[tokio::test]
async fn a_private_half_moved_to_another_row_does_not_open() {
    let place = Place::new();
    let registry = place.open().await;
    let add = token_key();
    let (key, _) = registry.add_own_key(&add, now()).await.unwrap();
    let row = raw(&place).await.fetch_one("SELECT private FROM own_key").await.unwrap();
    let sealed: Vec<u8> = row.get(0);
    let sealing = SealingKey::open_existing(&place.data()).unwrap().unwrap();
    let own = OwnPlace { usage: "token", id: &key.id, algorithm: "EdDSA" };
    assert_eq!(&*sealing.open_own(own, &sealed).unwrap(), add.pair.private.as_bytes());
    for other in
        [OwnPlace { usage: "seal", ..own }, OwnPlace { id: "other", ..own }, OwnPlace { algorithm: "RS256", ..own }]
    {
        assert!(sealing.open_own(other, &sealed).is_err(), "{other:?}");
    }
    let database = std::fs::read(place.file()).unwrap();
    let wal = std::fs::read(place.data().join("registry.db-wal")).unwrap_or_default();
    let line = add.pair.private.lines().nth(1).unwrap().as_bytes();
    assert!(![database, wal].concat().windows(line.len()).any(|window| window == line));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_gateways_have_one_set_within_a_second() {
    let place = Place::new();
    let (gateway, other) = (place.open().await, place.open().await);
    let follow = async |registry| Snapshots::follow(registry, Duration::from_secs(30), now).await.unwrap();
    let (one, two) = (follow(&gateway).await, follow(&other).await);
    let (first, _) = gateway.add_own_key(&token_key(), now()).await.unwrap();
    let next = gateway.rotate_own_key(&token_key(), OVERLAP, now()).await.unwrap();
    let ids = |snapshots: &Snapshots| -> Vec<String> {
        let keys = snapshots.own_keys(now()).unwrap();
        keys.of(OwnUse::Token).map(|key| key.entry.id.clone()).collect()
    };
    let begin = Instant::now();
    while [&one, &two].iter().any(|snapshots| ids(snapshots) != [next.id.as_str(), first.id.as_str()]) {
        assert!(begin.elapsed() < Duration::from_secs(1), "{:?} {:?}", ids(&one), ids(&two));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let keys = two.own_keys(now()).unwrap();
    assert!(keys.of(OwnUse::Token).all(|key| key.private.starts_with(b"-----BEGIN PRIVATE KEY-----")));
    assert!(!format!("{keys:?}").contains("BEGIN"));
    gateway.revoke_own_key(&next.id, "leaked", &token_key(), OVERLAP, now()).await.unwrap();
    let begin = Instant::now();
    while ids(&two).contains(&next.id) {
        assert!(begin.elapsed() < Duration::from_secs(1));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_lost_sealing_key_is_said_and_not_made_anew() {
    let place = Place::new();
    let registry = place.open().await;
    registry.add_own_key(&token_key(), now()).await.unwrap();
    std::fs::remove_file(SealingKey::path_in(&place.data())).unwrap();
    let rotated = registry.rotate_own_key(&token_key(), OVERLAP, now()).await.unwrap_err();
    assert!(rotated.to_string().contains("secrets.key is missing"), "{rotated}");
    let snapshots = Snapshots::follow(&registry, Duration::from_secs(30), now).await.unwrap();
    assert_eq!(snapshots.own_keys(now()).unwrap().of(OwnUse::Token).count(), 0);
    let broken = snapshots.broken();
    assert!(broken.iter().any(|what| what.starts_with("our token key")), "{broken:?}");
    let copy = place.dir.path().join("copy.db");
    assert!(registry.backup(&copy).await.unwrap().secrets);
}

async fn raw(place: &Place) -> sqlx::AnyPool {
    sqlx::AnyPool::connect(&format!("sqlite://{}", place.file().display())).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_gateways_that_rotate_at_once_one_does() {
    let place = Place::new();
    let registry = place.open().await;
    let (first, _) = registry.add_own_key(&token_key(), now()).await.unwrap();
    let rotate = |registry: Registry, id: String| {
        tokio::spawn(async move { registry.succeed_own_key(&id, &token_key(), OVERLAP, later(10)).await.unwrap() })
    };
    let mut rotating = Vec::new();
    for _ in 0..8 {
        rotating.push(rotate(place.open().await, first.id.clone()));
    }
    let mut made = 0;
    for gateway in rotating {
        made += usize::from(gateway.await.unwrap().is_some());
    }
    assert_eq!((made, registry.own_keys(OwnUse::Token).await.unwrap().len()), (1, 2));
    assert_eq!(at(&registry, 311).await, [KeyState::Retiring, KeyState::Active]);
}

#[tokio::test]
async fn a_key_is_retired_once_another_is_in_use_and_not_before() {
    use KeyState::{Active, Retired, Retiring};
    let place = Place::new();
    let registry = place.open().await;
    let (first, _) = registry.add_own_key(&token_key(), now()).await.unwrap();
    let retire = |id: String, seconds: u64| {
        let registry = registry.clone();
        async move { registry.retire_own_key(OwnUse::Token, &id, later(seconds)).await }
    };
    let in_use = Refused::OwnKeyInUse { usage: OwnUse::Token, id: first.id.clone() };
    assert_eq!(refused(retire(first.id.clone(), 1).await), in_use);
    let next = registry.rotate_own_key(&token_key(), OVERLAP, later(10)).await.unwrap();
    assert_eq!(refused(retire(first.id.clone(), 20).await), in_use);
    assert!(matches!(refused(retire(next.id.clone(), 20).await), Refused::OwnKeyInUse { .. }));
    assert!(matches!(refused(retire("nobody".to_owned(), 20).await), Refused::NoSuchOwnKey { .. }));
    assert_eq!(at(&registry, 400).await, [Retiring, Active]);
    let retired = retire(first.id.clone(), 400).await.unwrap();
    assert_eq!((retired.not_after, at(&registry, 400).await), (Some(later(400)), vec![Retired, Active]));
    assert_eq!(retire(first.id.clone(), 500).await.unwrap(), retired);
}
