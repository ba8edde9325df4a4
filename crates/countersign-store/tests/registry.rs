//! Partners and keys in real SQLite files.

mod support;

use countersign::{Algorithm, Identity, KeyState, Scheme};
use countersign_store::registry::{KeyAdd, KeySelector, LastUse, LastUses, PartnerState, Refused};
use sqlx::Executor;
use support::{Place, app_key, ed25519, key, later, now, refused};

#[tokio::test]
async fn partners_come_are_suspended_and_resume() {
    let place = Place::new();
    let registry = place.open().await;
    let added = registry.add_partner("alice", now()).await.unwrap();
    assert_eq!((added.state, added.added, added.keys), (PartnerState::Active, now(), 0));
    assert_eq!(refused(registry.add_partner("alice", now()).await), Refused::PartnerExists("alice".into()));
    assert!(matches!(refused(registry.add_partner("a b", now()).await), Refused::PartnerName(_)));
    let nobody = registry.partner("nobody").await.unwrap_err();
    assert_eq!(nobody.to_string(), "there is no partner \"nobody\"");
    assert_eq!(nobody.hint().unwrap(), "countersign partner add nobody, or countersign partner list");
    assert!(matches!(refused(registry.partner("").await), Refused::PartnerName(_)));

    assert_eq!(registry.suspend_partner("alice", now()).await.unwrap().state, PartnerState::Suspended);
    assert_eq!(registry.suspend_partner("alice", now()).await.unwrap().state, PartnerState::Suspended);
    assert_eq!(registry.partner("alice").await.unwrap().state, PartnerState::Suspended);
    assert_eq!(registry.resume_partner("alice", now()).await.unwrap().state, PartnerState::Active);
    registry.add_partner("Alice", now()).await.unwrap();
    let names: Vec<_> = registry.partners().await.unwrap().into_iter().map(|partner| partner.name).collect();
    assert_eq!(names, ["Alice", "alice"]);
    let whats: Vec<_> = registry.events(0, 100).await.unwrap().into_iter().map(|event| event.what).collect();
    assert_eq!(whats, ["partner.added", "partner.suspended", "partner.resumed", "partner.added"]);
}

#[tokio::test]
async fn a_version_that_would_never_be_tried_is_refused() {
    let place = Place::new();
    let registry = place.with_partners().await;
    for _ in 0..countersign::Keys::MAX_VERSIONS {
        registry.add_key(key("alice", "k"), now()).await.unwrap();
    }
    let again = refused(registry.add_key(key("alice", "k"), now()).await);
    assert!(matches!(&again, Refused::ManyVersions { id, .. } if id == "k"), "{again:?}");
    assert!(again.hint().unwrap().contains("key retire k --version"));
    let oldest = KeySelector { version: Some(1), ..KeySelector::id("k") };
    registry.retire_key(&oldest, now()).await.unwrap();
    assert_eq!(registry.add_key(key("alice", "k"), now()).await.unwrap().key.version, 9);
}

#[tokio::test]
async fn an_overlap_keeps_the_old_version_verifying() {
    let place = Place::new();
    let registry = place.with_partners().await;
    let first = KeyAdd { not_after: Some(later(3600)), ..key("alice", "k") };
    assert_eq!(registry.add_key(first, now()).await.unwrap().key.version, 1);
    let second = registry.add_key(key("alice", "k"), later(10)).await.unwrap();
    assert_eq!((second.key.version, second.key.state), (2, KeyState::Active));
    assert_eq!(
        second.retiring.iter().map(|key| (key.version, key.state)).collect::<Vec<_>>(),
        [(1, KeyState::Retiring)]
    );

    let versions = registry.key("k", None).await.unwrap();
    assert_eq!(versions.iter().map(|key| key.version).collect::<Vec<_>>(), [2, 1]);
    assert!(versions.iter().all(|key| key.usable(later(20))));
    assert_eq!(versions.iter().map(|key| key.usable(later(3600))).collect::<Vec<_>>(), [true, false]);

    // One that waits changes nothing until it is activated.
    let pending = registry.add_key(KeyAdd { pending: true, ..key("alice", "k") }, now()).await.unwrap();
    assert_eq!((pending.key.state, pending.retiring.len()), (KeyState::Pending, 0));
    assert!(!pending.key.usable(now()));
    let changed = registry.activate_key(&KeySelector::id("k"), now()).await.unwrap();
    let changed: Vec<_> = changed.iter().map(|key| (key.version, key.state)).collect();
    assert_eq!(changed, [(3, KeyState::Active), (2, KeyState::Retiring)]);
    assert!(registry.activate_key(&KeySelector::id("k"), now()).await.unwrap().is_empty());
    assert_eq!(registry.partner("alice").await.unwrap().keys, 3);
}

#[tokio::test]
async fn an_id_of_one_partner_under_anothers_name() {
    let place = Place::new();
    let registry = place.with_partners().await;
    registry.add_key(key("alice", "k"), now()).await.unwrap();
    let foreign = refused(registry.add_key(key("bob", "k"), now()).await);
    assert_eq!(
        foreign,
        Refused::ForeignId { scheme: Scheme::HttpMessageSignatures, id: "k".into(), partner: "alice".into() }
    );
    assert!(matches!(refused(registry.add_key(key("nobody", "n"), now()).await), Refused::NoSuchPartner(_)));
    // A refusal leaves nothing behind: the id is still free for the other scheme and the other id for bob.
    registry.add_key(key("bob", "n"), now()).await.unwrap();
    assert_eq!(registry.keys(Some("bob")).await.unwrap().len(), 1);
    assert_eq!(registry.keys(None).await.unwrap().len(), 2);
    assert!(matches!(refused(registry.keys(Some("carol")).await), Refused::NoSuchPartner(_)));
}

#[tokio::test]
async fn the_same_id_in_two_schemes_is_two_keys() {
    let place = Place::new();
    let registry = place.with_partners().await;
    registry.add_key(key("alice", "k"), now()).await.unwrap();
    registry.add_key(app_key("bob", "k", "0123456789abcdef"), now()).await.unwrap();
    let both = registry.key("k", None).await.unwrap_err();
    assert_eq!(both.hint().unwrap(), "say which: --scheme http-message-signatures or --scheme app-hmac");
    assert!(registry.revoke_key(&KeySelector::id("k"), "lost", now()).await.is_err());
    assert_eq!(registry.key("k", Some(Scheme::AppHmac)).await.unwrap()[0].partner, "bob");
    registry.revoke_key(&KeySelector::id("k").scheme(Scheme::AppHmac), "lost", now()).await.unwrap();
    assert_eq!(registry.key("k", Some(Scheme::HttpMessageSignatures)).await.unwrap()[0].state, KeyState::Active);
    let none = registry.key("k", Some(Scheme::Pki)).await.unwrap_err();
    assert_eq!(none.to_string(), "there is no key \"k\" of pki");
}

#[tokio::test]
async fn un_revoking() {
    let place = Place::new();
    let registry = place.with_partners().await;
    let material = ed25519();
    registry.add_key(KeyAdd { material: material.clone(), ..key("alice", "k") }, now()).await.unwrap();
    registry.add_key(key("alice", "k"), now()).await.unwrap();
    let one = KeySelector::id("k").version(1);
    for reason in ["", "  ", "a\nb", &"x".repeat(501)] {
        assert_eq!(refused(registry.revoke_key(&one, reason, now()).await), Refused::Reason);
    }
    let revoked = registry.revoke_key(&one, "laptop stolen", later(5)).await.unwrap();
    assert_eq!(revoked[0].reason.as_deref(), Some("laptop stolen"));
    assert!(registry.revoke_key(&one, "another reason", later(6)).await.unwrap().is_empty());
    let gone = Refused::RevokedForGood { id: "k".into(), version: 1 };
    assert_eq!(refused(registry.activate_key(&one, now()).await), gone);
    assert_eq!(refused(registry.retire_key(&one, now()).await), gone);
    // The other way in: the same material once more, under this id, another id, another partner.
    for (partner, id) in [("alice", "k"), ("alice", "k2"), ("bob", "k3")] {
        let again = KeyAdd { material: material.clone(), shared: true, ..key(partner, id) };
        let refused = refused(registry.add_key(again, now()).await);
        assert_eq!(refused, Refused::MaterialRevoked { id: "k".into(), version: 1 });
    }
    let kept = registry.key("k", None).await.unwrap();
    assert_eq!((kept[1].state, kept[1].ended), (KeyState::Revoked, Some(later(5))));
    assert_eq!((kept[1].reason.as_deref(), kept[0].state), (Some("laptop stolen"), KeyState::Active));

    let all = registry.revoke_key(&KeySelector::id("k"), "partner left", now()).await.unwrap();
    assert_eq!(all.iter().map(|key| key.version).collect::<Vec<_>>(), [2]);
    let newest = KeySelector::id("k").version(3);
    assert!(matches!(
        refused(registry.revoke_key(&newest, "x", now()).await),
        Refused::NoSuchVersion { newest: 2, .. }
    ));
}

#[tokio::test]
async fn someone_with_the_database_un_revokes() {
    let place = Place::new();
    let registry = place.with_partners().await;
    registry.add_key(key("alice", "k"), now()).await.unwrap();
    registry.revoke_key(&KeySelector::id("k"), "stolen", now()).await.unwrap();
    let pool = raw(&place).await;
    for (sql, says) in [
        ("UPDATE partner_key SET state = 'active'", "a revoked key stays revoked"),
        ("DELETE FROM partner_key", "keys are never deleted"),
        ("DELETE FROM event", "events are never deleted"),
        ("UPDATE event SET actor = 'nobody'", "events are never changed"),
    ] {
        let error = sqlx::query(sql).execute(&pool).await.unwrap_err().to_string();
        assert!(error.contains(says), "{sql}: {error}");
    }
}

#[tokio::test]
async fn what_was_retired_comes_back_only_by_name() {
    let place = Place::new();
    let registry = place.with_partners().await;
    registry.add_key(key("alice", "k"), now()).await.unwrap();
    registry.add_key(key("alice", "k"), now()).await.unwrap();
    let (all, one) = (KeySelector::id("k"), KeySelector::id("k").version(1));
    let retired = registry.retire_key(&one, later(1)).await.unwrap();
    assert_eq!(
        (retired[0].state, retired[0].ended, retired[0].usable(now())),
        (KeyState::Retired, Some(later(1)), false)
    );
    assert!(registry.retire_key(&one, later(2)).await.unwrap().is_empty());
    assert!(registry.activate_key(&all, now()).await.unwrap().is_empty(), "version 2 verifies");
    let back = registry.activate_key(&one, now()).await.unwrap();
    let back: Vec<_> = back.iter().map(|key| (key.version, key.state, key.ended)).collect();
    assert_eq!(back, [(1, KeyState::Active, None), (2, KeyState::Retiring, None)]);
    assert_eq!(registry.retire_key(&all, now()).await.unwrap().len(), 2);
    assert_eq!(registry.activate_key(&all, now()).await.unwrap().len(), 2, "nothing verified");

    let short = KeyAdd { not_after: Some(later(10)), pending: true, ..key("alice", "short") };
    registry.add_key(short, now()).await.unwrap();
    let ended = refused(registry.activate_key(&KeySelector::id("short"), later(10)).await);
    assert_eq!(ended, Refused::Ended(later(10)));
}

#[tokio::test]
async fn last_uses_come_in_any_order() {
    let place = Place::new();
    let registry = place.with_partners().await;
    registry.add_key(key("alice", "k"), now()).await.unwrap();
    let used = |id: &str, seconds| LastUse {
        scheme: Scheme::HttpMessageSignatures,
        id: id.into(),
        version: 1,
        at: later(seconds),
    };
    registry.note_last_uses(&[used("k", 20), used("gone", 20)]).await.unwrap();
    registry.note_last_uses(&[used("k", 10)]).await.unwrap();
    registry.note_last_uses(&[]).await.unwrap();
    assert_eq!(registry.key("k", None).await.unwrap()[0].last_used, Some(later(20)));
    assert_eq!(registry.events(0, 100).await.unwrap().len(), 3, "a use is not an event");
}

#[tokio::test]
async fn what_was_noted_is_written_once_and_waits_while_it_can_not_be() {
    let place = Place::new();
    let registry = place.with_partners().await;
    registry.add_key(key("alice", "k"), now()).await.unwrap();
    let closed = place.open().await;
    closed.close().await;
    let identity = |id: &str, version| Identity {
        partner: "alice".into(),
        key: id.into(),
        version,
        scheme: Scheme::HttpMessageSignatures,
        algorithm: Algorithm::Ed25519,
        created: None,
    };
    let uses = LastUses::default();
    uses.note(&identity("k", 1), later(20));
    uses.note(&identity("k", 1), later(10));
    uses.note(&identity("k", 2), later(30));
    assert!(uses.write(&closed).await.is_err());
    uses.note(&identity("k", 1), later(15));
    uses.write(&registry).await.unwrap();
    assert_eq!(registry.key("k", None).await.unwrap()[0].last_used, Some(later(20)));
    raw(&place).await.execute("DELETE FROM last_use").await.unwrap();
    uses.write(&registry).await.unwrap();
    assert_eq!(registry.key("k", None).await.unwrap()[0].last_used, None, "it was written before");
}

#[tokio::test]
async fn each_change_is_an_event_of_its_transaction() {
    let place = Place::new();
    let registry = place.with_partners().await;
    registry.add_key(key("alice", "k"), later(1)).await.unwrap();
    registry.add_key(key("alice", "k"), later(2)).await.unwrap();
    refused(registry.add_key(key("bob", "k"), later(3)).await);
    registry.retire_key(&KeySelector::id("k").version(1), later(4)).await.unwrap();
    registry.activate_key(&KeySelector::id("k").version(1), later(5)).await.unwrap();
    registry.revoke_key(&KeySelector::id("k"), "it's \"gone\"", later(6)).await.unwrap();
    let events = registry.events(2, 100).await.unwrap();
    let whats: Vec<_> = events.iter().map(|event| event.what.as_str()).collect();
    let expected = "key.added key.added key.retiring key.retired key.activated key.retiring key.revoked key.revoked";
    assert_eq!(whats, expected.split(' ').collect::<Vec<_>>());
    assert!(events.iter().all(|event| event.actor == "operator" && event.subject == "k"));
    assert_eq!(events.iter().map(|event| event.seq).collect::<Vec<_>>(), (3..=10).collect::<Vec<_>>());
    assert_eq!(events[7].at, later(6));
    let detail: serde_json::Value = serde_json::from_str(&events[7].detail).unwrap();
    assert_eq!((&detail["reason"], &detail["partner"]), (&"it's \"gone\"".into(), &"alice".into()));
}

async fn raw(place: &Place) -> sqlx::AnyPool {
    sqlx::AnyPool::connect(&format!("sqlite://{}?mode=rw", place.file().display())).await.unwrap()
}
