//! Addresses that look alike: one user at most, and those who were there before anybody compared.

use std::collections::BTreeSet;

use countersign_store::Users;
use countersign_store::users::{Email, NoUser};
use sqlx::Connection;

use super::support::{Place, later};
use super::{open, register};

/// Two addresses beyond ASCII that a person can't tell apart.
const ALIKE: [&str; 2] = ["ёре@example.com", "ëpe@example.com"];

#[tokio::test]
async fn mistake_23_an_address_that_looks_like_one_that_is_there_is_taken() {
    let place = Place::new();
    let (registry, users) = open(&place).await;
    for (one, other) in [(ALIKE[0], ALIKE[1]), ("müller1@example.com", "müllerl@example.com")] {
        let user = register(&users, one, "shop", "shop").await.unwrap();
        assert_eq!(register(&users, other, "shop", "shop").await, Err(NoUser::Taken), "{other}");
        // Nor is it the same user: whoever has the one mailbox does not have the other.
        assert_eq!(users.login(other, "shop", false).await, Err(NoUser::Unknown));
        assert_eq!(registry.user(&user.id).await.unwrap().as_ref(), Some(&user));
        registry.remove_user(one, later(1)).await.unwrap();
        register(&users, other, "shop", "shop").await.unwrap();
    }
    // At another domain it is another address.
    register(&users, "ёре@example.org", "shop", "shop").await.unwrap();
}

#[tokio::test]
async fn people_whose_addresses_differ_are_different_people() {
    let place = Place::new();
    let (_, users) = open(&place).await;
    for text in [
        "muller@example.com",
        "müller@example.com",
        "mùller@example.com",
        "john1@example.com",
        "johnl@example.com",
        "rnike@example.com",
        "mike@example.com",
        "o0@example.com",
        "oo@example.com",
        "дмитрий@example.com",
        "дмитрии@example.com",
        "用户@example.com",
        "علي@example.com",
    ] {
        register(&users, text, "shop", "shop").await.unwrap_or_else(|fault| panic!("{text}: {fault}"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn mistake_23_look_alikes_registered_at_once_over_two_handles_make_one_user() {
    let place = Place::new();
    let handles = [open(&place).await.1, open(&place).await.1];
    for round in 0..10 {
        let tasks: Vec<_> = (0..40)
            .map(|number| {
                let users = handles[number % 2].clone();
                let address = format!("{}{round}@example.com", ["ёре", "ëpe"][number / 2 % 2]);
                tokio::spawn(async move { register(&users, &address, "shop", "shop").await })
            })
            .collect();
        let mut made = 0;
        for task in tasks {
            match task.await.unwrap() {
                Ok(_) => made += 1,
                Err(fault) => assert_eq!(fault, NoUser::Taken),
            }
        }
        assert_eq!(made, 1);
    }
}

/// Rows as they were before anybody compared, and by other tables.
#[tokio::test]
async fn look_alikes_that_are_there_already_are_kept_and_named() {
    let place = Place::new();
    let (registry, users) = open(&place).await;
    let ids = [register(&users, ALIKE[0], "shop", "shop").await.unwrap().id, "2".repeat(36)];
    drop(users);
    let mut other = raw(&place).await;
    let copy = "INSERT INTO site_user (id, email, registered_via, partner, credits_remaining, state, registered) \
                SELECT $1, $2, registered_via, partner, credits_remaining, state, registered FROM site_user LIMIT 1";
    for (id, address) in [(ids[1].as_str(), ALIKE[1]), (&*"3".repeat(36), "ёж@example.com")] {
        sqlx::query(copy).bind(id).bind(address).execute(&mut other).await.unwrap();
    }
    // And one that was made of ASCII by them.
    register(&Users::open(&registry).await.unwrap(), "ana@example.com", "shop", "shop").await.unwrap();
    sqlx::query("UPDATE site_user SET skeleton = NULL").execute(&mut other).await.unwrap();
    let older = "UPDATE site_user SET skeleton = 'older' WHERE email = 'ana@example.com'";
    sqlx::query(older).execute(&mut other).await.unwrap();
    sqlx::query("UPDATE skeleton_version SET version = 'older'").execute(&mut other).await.unwrap();
    assert_eq!(registry.lookalikes(10).await.unwrap(), []);
    let (users, again) = tokio::join!(Users::open(&registry), Users::open(&registry));
    let users = users.and(again).unwrap();
    let pairs = registry.lookalikes(10).await.unwrap();
    assert_eq!(pairs.len(), 1);
    let left = sqlx::query("SELECT id FROM site_user WHERE skeleton = 'older'").fetch_all(&mut other).await.unwrap();
    assert!(left.is_empty());
    assert_eq!(BTreeSet::from([pairs[0].0.clone(), pairs[0].1.clone()]), BTreeSet::from(ids.clone()));
    for address in ALIKE {
        assert!(users.login(address, "shop", false).await.is_ok(), "{address}");
        assert_eq!(register(&users, address, "shop", "shop").await, Err(NoUser::Taken));
    }
    // Whichever is removed, the other goes on keeping those away that look like it.
    for (gone, left) in [(pairs[0].0.as_str(), 1), (pairs[0].1.as_str(), 0)] {
        let gone = registry.remove_user(gone, later(1)).await.unwrap();
        let again = register(&users, &gone.email, "shop", "shop").await;
        assert_eq!(again.is_err(), left == 1, "{again:?}");
    }
    assert_eq!(register(&users, "ёж@example.com", "shop", "shop").await, Err(NoUser::Taken));
}

/// One of a version without skeletons goes on registering after they were made: beside another gateway, or until it is taken over.
#[tokio::test]
async fn mistake_23_who_is_registered_by_an_earlier_version_meanwhile_is_compared_at_the_next_start() {
    let place = Place::new();
    let (registry, users) = open(&place).await;
    register(&users, "ana@example.com", "shop", "shop").await.unwrap();
    let mut other = raw(&place).await;
    let copy = "INSERT INTO site_user (id, email, registered_via, partner, credits_remaining, state, registered) \
                SELECT $1, $2, registered_via, partner, credits_remaining, state, registered FROM site_user LIMIT 1";
    sqlx::query(copy).bind("2".repeat(36)).bind(ALIKE[0]).execute(&mut other).await.unwrap();
    let users = Users::open(&registry).await.unwrap();
    assert_eq!(register(&users, ALIKE[1], "shop", "shop").await, Err(NoUser::Taken));
}

/// Rules that came later keep nobody out who is there, and let nobody in who is not.
#[tokio::test]
async fn who_was_registered_under_earlier_rules_logs_in() {
    let place = Place::new();
    let (_, users) = open(&place).await;
    register(&users, "mike@example.com", "shop", "shop").await.unwrap();
    let mut other = raw(&place).await;
    let copy = "INSERT INTO site_user (id, email, registered_via, partner, credits_remaining, state, registered) \
                SELECT $1, $2, registered_via, partner, credits_remaining, state, registered FROM site_user LIMIT 1";
    let earlier = [("kılıç@example.com", "KıLıÇ@Example.com"), ("i\u{307}lker@example.com", "İlker@example.com")];
    for (number, (address, spelled)) in earlier.iter().enumerate() {
        sqlx::query(copy).bind(number.to_string().repeat(36)).bind(*address).execute(&mut other).await.unwrap();
        assert!(Email::parse(address).is_err(), "{address}");
        for text in [address, spelled] {
            assert_eq!(users.login(text, "shop", false).await.map(|user| user.email).as_deref(), Ok(*address));
            assert_eq!(users.login(text, "blog", false).await, Err(NoUser::Unknown));
        }
    }
    // The sign of Kelvin, whose lower case is k.
    assert_eq!(users.login("mi\u{212a}e@example.com", "shop", false).await, Err(NoUser::Unknown));
}

async fn raw(place: &Place) -> sqlx::AnyConnection {
    sqlx::any::install_default_drivers();
    sqlx::AnyConnection::connect(&format!("sqlite://{}?mode=rw", place.file().display())).await.unwrap()
}
