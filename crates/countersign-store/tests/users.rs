//! Users beside the registry: one per address, whatever happens at once, and none that is lost.

#[path = "users/alike.rs"]
mod alike;
mod support;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use countersign_store::Registry;
use countersign_store::Users;
use countersign_store::registry::{Error, Refused};
use countersign_store::users::{Email, NewUser, NoUser, User, UserState};
use sqlx::{Connection, Row};
use support::{Place, later, now};

fn email(text: &str) -> Email {
    Email::parse(text).unwrap()
}

async fn register(users: &Users, text: &str, site: &str, partner: &str) -> Result<User, NoUser> {
    let email = email(text);
    users.register(NewUser { email: &email, site, partner, credits: 100 }, now()).await
}

async fn open(place: &Place) -> (Registry, Users) {
    let registry = place.open().await;
    let users = Users::open(&registry).await.unwrap();
    (registry, users)
}

#[tokio::test]
async fn a_user_is_registered_once_and_logged_in_by_the_same_partner() {
    let place = Place::new();
    let (registry, users) = open(&place).await;
    let alice = register(&users, "Alice@Example.com", "shop-1", "shop").await.unwrap();
    assert_eq!((alice.email.as_str(), alice.credits_remaining), ("alice@example.com", 100));
    assert_eq!((alice.registered_via.as_str(), alice.partner.as_str(), alice.registered), ("shop-1", "shop", now()));
    for (site, partner) in [("shop-1", "shop"), ("shop-2", "shop"), ("blog", "blog")] {
        assert_eq!(register(&users, "alice@EXAMPLE.com", site, partner).await, Err(NoUser::Taken));
    }
    assert_eq!(users.login("ALICE@example.com", "shop", false).await.as_ref(), Ok(&alice));
    assert_eq!(users.login("bob@example.com", "shop", false).await, Err(NoUser::Unknown));
    assert_eq!(registry.user("alice@example.com").await.unwrap(), Some(alice));
}

#[tokio::test]
async fn mistake_40_a_site_that_logs_in_users_of_another_partner_finds_nobody() {
    let place = Place::new();
    let (_, users) = open(&place).await;
    let alice = register(&users, "alice@example.com", "shop", "shop").await.unwrap();
    assert_eq!(users.login("alice@example.com", "blog", false).await, Err(NoUser::Unknown));
    assert_eq!(users.login("alice@example.com", "blog", true).await, Ok(alice));
}

#[tokio::test]
async fn mistake_23_a_plus_tag_is_another_user() {
    let place = Place::new();
    let (_, users) = open(&place).await;
    let one = register(&users, "alice@example.com", "shop", "shop").await.unwrap();
    let other = register(&users, "alice+2@example.com", "shop", "shop").await.unwrap();
    assert_ne!(one.id, other.id);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn mistake_23_registrations_at_once_over_two_handles_make_one_user() {
    let place = Place::new();
    let handles = [open(&place).await.1, open(&place).await.1];
    for round in 0..5 {
        let address = format!("user{round}@example.com");
        let tasks: Vec<_> = (0..400)
            .map(|number| {
                let (users, address) = (handles[number % 2].clone(), address.clone());
                tokio::spawn(async move { register(&users, &address, "shop", "shop").await })
            })
            .collect();
        let mut ids = BTreeSet::new();
        let mut taken = 0;
        for task in tasks {
            match task.await.unwrap() {
                Ok(user) => drop(ids.insert(user.id)),
                Err(NoUser::Taken) => taken += 1,
                Err(fault) => panic!("{fault}"),
            }
        }
        assert_eq!((ids.len(), taken), (1, 399));
        let found = handles[0].login(&address, "shop", false).await.unwrap();
        assert!(ids.contains(&found.id));
    }
}

#[tokio::test]
async fn with_the_store_held_by_another_nothing_is_registered() {
    let place = Place::new();
    let (registry, users) = open(&place).await;
    let url = format!("sqlite://{}?mode=rw", place.file().display());
    sqlx::any::install_default_drivers();
    let mut other = sqlx::AnyConnection::connect(&url).await.unwrap();
    let held = other.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let started = Instant::now();
    let answers = tokio::join!(
        register(&users, "alice@example.com", "shop", "shop"),
        register(&users, "bob@example.com", "shop", "shop"),
    );
    for answer in [answers.0, answers.1] {
        assert!(matches!(answer, Err(NoUser::Unavailable(_))), "{answer:?}");
    }
    assert!(started.elapsed() < Duration::from_secs(11), "{:?}", started.elapsed());
    // Who reads waits for nobody who writes.
    assert_eq!(users.login("alice@example.com", "shop", false).await, Err(NoUser::Unknown));
    held.rollback().await.unwrap();
    assert_eq!(registry.users(None, "", 10).await.unwrap(), []);
    register(&users, "alice@example.com", "shop", "shop").await.unwrap();
}

/// Whoever asked was told that it did not happen.
#[tokio::test]
async fn a_registration_that_nobody_waits_for_any_more_is_not_made() {
    let place = Place::new();
    let (registry, users) = open(&place).await;
    let url = format!("sqlite://{}?mode=rw", place.file().display());
    sqlx::any::install_default_drivers();
    let mut other = sqlx::AnyConnection::connect(&url).await.unwrap();
    let held = other.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let start = |text: &'static str| {
        let users = users.clone();
        tokio::spawn(async move { register(&users, text, "shop", "shop").await })
    };
    let first = start("first@example.com");
    tokio::time::sleep(Duration::from_millis(100)).await;
    let (second, third) = (start("second@example.com"), start("third@example.com"));
    tokio::time::sleep(Duration::from_millis(100)).await;
    second.abort();
    assert!(second.await.is_err());
    held.rollback().await.unwrap();
    assert!(first.await.unwrap().is_ok() && third.await.unwrap().is_ok());
    assert_eq!(registry.user("second@example.com").await.unwrap(), None);
}

#[tokio::test]
async fn of_a_batch_that_can_not_be_written_nothing_is_there() {
    let place = Place::new();
    let (registry, users) = open(&place).await;
    let url = format!("sqlite://{}?mode=rw", place.file().display());
    sqlx::any::install_default_drivers();
    let mut other = sqlx::AnyConnection::connect(&url).await.unwrap();
    let trap = "CREATE TRIGGER trap BEFORE INSERT ON site_user WHEN NEW.email LIKE 'bad%' \
                BEGIN SELECT RAISE(ABORT, 'the disk is full'); END";
    sqlx::query(trap).execute(&mut other).await.unwrap();
    let answers = tokio::join!(
        register(&users, "good@example.com", "shop", "shop"),
        register(&users, "bad@example.com", "shop", "shop"),
    );
    // Together or one after the other: nobody is told of a user who is not there.
    assert!(matches!(answers.1, Err(NoUser::Unavailable(_))));
    let there = registry.user("good@example.com").await.unwrap();
    assert_eq!(answers.0.ok(), there);
    sqlx::query("DROP TRIGGER trap").execute(&mut other).await.unwrap();
    register(&users, "bad@example.com", "shop", "shop").await.unwrap();
}

/// Many in one transaction: what a commit costs is shared, or a thousand of them would take seconds.
#[tokio::test]
async fn those_who_wait_share_a_transaction() {
    let place = Place::new();
    let (_, users) = open(&place).await;
    let url = format!("sqlite://{}?mode=ro", place.file().display());
    sqlx::any::install_default_drivers();
    let mut other = sqlx::AnyConnection::connect(&url).await.unwrap();
    let before = count(&mut other).await;
    let tasks: Vec<_> = (0..500)
        .map(|number| {
            let users = users.clone();
            tokio::spawn(async move { register(&users, &format!("user{number}@example.com"), "shop", "shop").await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    let registered = count(&mut other).await - before;
    assert_eq!(registered, 500);
    // Pages written, counted by the log: a transaction each would be thousands.
    let log = std::fs::metadata(place.file().with_extension("db-wal")).unwrap().len();
    assert!(log < 2 << 20, "{log} bytes were written for 500 users");
}

async fn count(connection: &mut sqlx::AnyConnection) -> i64 {
    let row = sqlx::query("SELECT count(*) AS users FROM site_user").fetch_one(connection).await.unwrap();
    row.try_get("users").unwrap()
}

#[tokio::test]
async fn a_suspended_user_is_logged_in_by_nobody_and_keeps_the_address() {
    let place = Place::new();
    let (registry, users) = open(&place).await;
    let alice = register(&users, "alice@example.com", "shop", "shop").await.unwrap();
    let address = email("alice@example.com");
    registry.turn_user(address.as_str(), UserState::Suspended, later(1)).await.unwrap();
    registry.turn_user(address.as_str(), UserState::Suspended, later(2)).await.unwrap();
    for shared in [false, true] {
        assert_eq!(users.login(address.as_str(), "shop", shared).await, Err(NoUser::Unknown));
    }
    assert_eq!(register(&users, "alice@example.com", "shop", "shop").await, Err(NoUser::Taken));
    assert_eq!(registry.turn_user(address.as_str(), UserState::Active, later(3)).await.unwrap(), alice);
    assert_eq!(users.login(address.as_str(), "shop", false).await, Ok(alice.clone()));
    let events: Vec<_> = registry.events(0, 10).await.unwrap().into_iter().map(|it| (it.what, it.subject)).collect();
    let expected = ["user.suspended", "user.resumed"].map(|what| (what.to_owned(), alice.id.clone()));
    assert_eq!(events, expected, "they name nobody's address");
}

#[tokio::test]
async fn a_removed_user_leaves_no_address_behind() {
    let place = Place::new();
    let (registry, users) = open(&place).await;
    let alice = register(&users, "alice@example.com", "shop", "shop").await.unwrap();
    let address = email("alice@example.com");
    assert_eq!(registry.remove_user(address.as_str(), later(1)).await.unwrap(), alice);
    let again = registry.remove_user(address.as_str(), later(1)).await;
    assert!(matches!(again, Err(Error::Refused(Refused::NoSuchUser(_)))));
    let events = format!("{:?}", registry.events(0, 10).await.unwrap());
    assert!(events.contains("user.removed") && !events.contains("alice"), "{events}");
    // Whoever comes next is somebody else, whom no token of before speaks of.
    assert_ne!(register(&users, "alice@example.com", "blog", "blog").await.unwrap().id, alice.id);
}

#[tokio::test]
async fn users_are_listed_by_address_in_pages() {
    let place = Place::new();
    let (registry, users) = open(&place).await;
    for (text, partner) in [("c@example.com", "shop"), ("a@example.com", "blog"), ("b@example.com", "shop")] {
        register(&users, text, partner, partner).await.unwrap();
    }
    let list = async |partner, after, limit| -> Vec<String> {
        let found = registry.users(partner, after, limit).await.unwrap();
        found.into_iter().map(|user| user.email).collect()
    };
    assert_eq!(list(None, "", 2).await, ["a@example.com", "b@example.com"]);
    assert_eq!(list(None, "b@example.com", 2).await, ["c@example.com"]);
    assert_eq!(list(Some("shop"), "", 9).await, ["b@example.com", "c@example.com"]);
}

/// What a user is does not concern keys: a flood of registrations makes no gateway read its keys anew.
#[tokio::test]
async fn registrations_do_not_raise_the_generation() {
    let place = Place::new();
    let (_, users) = open(&place).await;
    let url = format!("sqlite://{}?mode=ro", place.file().display());
    let mut other = sqlx::AnyConnection::connect(&url).await.unwrap();
    let generation = async |other: &mut sqlx::AnyConnection| -> i64 {
        sqlx::query("SELECT value FROM generation").fetch_one(other).await.unwrap().try_get("value").unwrap()
    };
    let before = generation(&mut other).await;
    register(&users, "alice@example.com", "shop", "shop").await.unwrap();
    assert_eq!(generation(&mut other).await, before);
}
