//! Revoked user tokens, from one process to another.

mod support;

use std::time::{Duration, Instant};

use countersign::{
    Algorithm, Code, Head, Origin, Revocation, Scheme, Timestamp, TokenAlgorithm, TokenJudge, TokenSettings,
    TokenSubject,
};
use countersign_store::registry::{Overlap, OwnKeyAdd, OwnUse, Refused};
use countersign_store::{Registry, Snapshots};
use support::{Place, later, now, refused, rsa, rsa_key};

const LIFETIME: Duration = Duration::from_secs(900);

fn settings() -> TokenSettings {
    TokenSettings { issuer: "https://api.test".to_owned(), audience: "api".to_owned(), lifetime: LIFETIME }
}

fn token_key(algorithm: TokenAlgorithm) -> OwnKeyAdd {
    OwnKeyAdd { usage: OwnUse::Token, algorithm: algorithm.to_string(), pair: algorithm.generate().unwrap() }
}

/// A registry with the site `shop` of `alice` and a key for tokens, and a gateway that follows it.
async fn gateway(place: &Place) -> (Registry, Snapshots) {
    let registry = place.with_partners().await;
    registry
        .add_key(rsa_key("alice", "shop", Scheme::TrustedSite, Algorithm::RsaV15Sha256, &rsa()), now())
        .await
        .unwrap();
    registry.add_own_key(&token_key(TokenAlgorithm::EdDsa), now()).await.unwrap();
    let snapshots = Snapshots::follow(&place.open().await, Duration::from_secs(30), now).await.unwrap();
    (registry, snapshots)
}

fn issue(snapshots: &Snapshots, user: &str, at: Timestamp) -> String {
    let subject = TokenSubject { user, email: "ann@example.com", site: "shop" };
    let keys = snapshots.token_keys(now()).unwrap();
    keys.signer(at).unwrap().issue(&settings(), subject, [7; 6], at).unwrap().token
}

fn check(snapshots: &Snapshots, token: &str, at: Timestamp) -> Result<(), Code> {
    let (keys, sites) = (snapshots.token_keys(now()).unwrap(), snapshots.keys(now()).unwrap());
    let settings = settings();
    let judge = TokenJudge { settings: &settings, keys: &keys, sites: &sites, now: at };
    let headers = [(http::header::AUTHORIZATION, format!("Bearer {token}").parse().unwrap())].into_iter().collect();
    let origin = Origin::parse("https://api.test").unwrap();
    let head = Head::request(http::Method::GET, "/", origin, headers, false).unwrap();
    judge.check(&head).map(drop).map_err(|rejection| rejection.code())
}

async fn within_a_second(what: &str, holds: impl Fn() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < Duration::from_secs(1), "not within a second: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_revoked_by_another_process_stop_within_a_second() {
    for what in [Revocation::User("u-1".into()), Revocation::Site("shop".into()), Revocation::Partner("alice".into())] {
        let place = Place::new();
        let (operator, snapshots) = gateway(&place).await;
        let before = issue(&snapshots, "u-1", now());
        assert_eq!(check(&snapshots, &before, now()), Ok(()));
        operator.revoke_tokens(&what, "stolen", LIFETIME, now()).await.unwrap();
        within_a_second("revoked", || check(&snapshots, &before, now()) == Err(Code::TokenInvalid)).await;
        let after = issue(&snapshots, "u-1", later(1));
        assert_eq!(check(&snapshots, &after, later(1)), Ok(()), "{what:?}");
        operator.revoke_tokens(&what, "again", LIFETIME, later(2)).await.unwrap();
        within_a_second("again", || check(&snapshots, &after, later(2)) == Err(Code::TokenInvalid)).await;
    }
}

/// By 20 seconds, which others take: what it issued before is dated after the revocation.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mistake_38_a_gateway_whose_clock_is_ahead_issues_nothing_that_outlives_a_revocation() {
    let ahead = || later(20);
    for what in [Revocation::User("u-1".into()), Revocation::Site("shop".into()), Revocation::Partner("alice".into())] {
        let place = Place::new();
        let (operator, here) = gateway(&place).await;
        let other = place.open().await;
        let there = Snapshots::follow(&other, Duration::from_secs(30), ahead).await.unwrap();
        let token = issue(&there, "u-1", ahead());
        let checked = |token: &str| [check(&here, token, now()), check(&there, token, ahead())];
        assert_eq!(checked(&token), [Ok(()); 2], "{what:?}");
        operator.revoke_tokens(&what, "stolen", LIFETIME, now()).await.unwrap();
        within_a_second("revoked", || checked(&token) == [Err(Code::TokenInvalid); 2]).await;
        // Who logs in again is in, at once and after a restart.
        let again = issue(&there, "u-1", ahead());
        assert_eq!(checked(&again), [Ok(()); 2], "{what:?}");
        let restarted = Snapshots::follow(&other, Duration::from_secs(30), ahead).await.unwrap();
        assert_eq!(check(&restarted, &again, ahead()), Ok(()));
        assert_eq!(check(&restarted, &token, ahead()), Err(Code::TokenInvalid));
        // Once more, and by a clock that is behind.
        operator.revoke_tokens(&what, "again", LIFETIME, now().before(Duration::from_secs(60))).await.unwrap();
        within_a_second("again", || checked(&again) == [Err(Code::TokenInvalid); 2]).await;
    }
}

/// The gateway that logs a user in had looked before the revocation, and issues after it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_that_a_revocation_overtakes_gives_a_token_that_is_revoked() {
    let place = Place::new();
    let (operator, snapshots) = gateway(&place).await;
    let looked = snapshots.token_keys(now()).unwrap();
    operator.revoke_tokens(&Revocation::User("u-1".into()), "stolen", LIFETIME, now()).await.unwrap();
    let subject = TokenSubject { user: "u-1", email: "ann@example.com", site: "shop" };
    let late = looked.signer(later(1)).unwrap().issue(&settings(), subject, [7; 6], later(1)).unwrap().token;
    within_a_second("revoked", || check(&snapshots, &late, later(1)) == Err(Code::TokenInvalid)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_of_a_suspended_or_revoked_site_stop_within_a_second() {
    let place = Place::new();
    let (operator, snapshots) = gateway(&place).await;
    let token = issue(&snapshots, "u-1", now());
    operator.suspend_partner("alice", now()).await.unwrap();
    within_a_second("suspended", || check(&snapshots, &token, now()) == Err(Code::TokenInvalid)).await;
    operator.resume_partner("alice", now()).await.unwrap();
    within_a_second("resumed", || check(&snapshots, &token, now()) == Ok(())).await;
    let shop = countersign_store::registry::KeySelector::id("shop");
    operator.revoke_key(&shop, "stolen", now()).await.unwrap();
    within_a_second("revoked", || check(&snapshots, &token, now()) == Err(Code::TokenInvalid)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_token_is_revoked_by_its_id_and_the_rest_stands() {
    let place = Place::new();
    let (operator, snapshots) = gateway(&place).await;
    let (one, other) = (issue(&snapshots, "u-1", now()), issue(&snapshots, "u-1", later(1)));
    let claims = one.split('.').nth(1).unwrap();
    let claims = base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, claims).unwrap();
    let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
    let id = claims["jti"].as_str().unwrap().to_owned();
    operator.revoke_tokens(&Revocation::Token(id), "stolen", LIFETIME, now()).await.unwrap();
    within_a_second("revoked", || check(&snapshots, &one, later(1)) == Err(Code::TokenInvalid)).await;
    assert_eq!(check(&snapshots, &other, later(1)), Ok(()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_for_tokens_that_was_revoked_verifies_nothing_within_a_second_and_another_signs() {
    let place = Place::new();
    let (operator, snapshots) = gateway(&place).await;
    let token = issue(&snapshots, "u-1", now());
    let leaked = operator.own_keys(OwnUse::Token).await.unwrap().remove(0);
    let overlap = Overlap { lead: Duration::from_secs(301), tail: LIFETIME };
    let successor = token_key(TokenAlgorithm::Rs256);
    operator.revoke_own_key(&leaked.id, "leaked", &successor, overlap, now()).await.unwrap();
    within_a_second("revoked", || check(&snapshots, &token, now()) == Err(Code::TokenInvalid)).await;
    assert_eq!(check(&snapshots, &issue(&snapshots, "u-1", now()), now()), Ok(()));
    assert!(snapshots.broken().is_empty());
}

#[tokio::test]
async fn what_can_meet_no_token_any_more_is_forgotten_and_not_before() {
    let place = Place::new();
    let registry = place.open().await;
    let user = |name: &str| Revocation::User(name.to_owned());
    let first = registry.revoke_tokens(&user("u-1"), "stolen", LIFETIME, now()).await.unwrap();
    assert!(first.until >= now().after(LIFETIME));
    let before = first.until.before(Duration::from_millis(1));
    registry.revoke_tokens(&user("u-2"), "stolen", LIFETIME, before).await.unwrap();
    assert_eq!(registry.token_revocations(before).await.unwrap().len(), 2);
    let after = first.until.after(Duration::from_millis(1));
    registry.revoke_tokens(&user("u-3"), "stolen", LIFETIME, after).await.unwrap();
    let left: Vec<_> = registry.token_revocations(now()).await.unwrap().into_iter().map(|one| one.what).collect();
    assert_eq!(left, [user("u-3"), user("u-2")]);
    // One made by a clock that is behind takes nothing back.
    registry.revoke_tokens(&user("u-3"), "stolen", LIFETIME, now()).await.unwrap();
    assert_eq!(registry.token_revocations(now()).await.unwrap()[0].at, after);
    let events = registry.events(0, 100).await.unwrap();
    assert!(events.len() == 4 && events.iter().all(|event| event.what == "token.revoked"));
    for name in ["", "a b", "é", &"x".repeat(129)] {
        let revoked = registry.revoke_tokens(&user(name), "stolen", LIFETIME, now()).await;
        assert_eq!(refused(revoked), Refused::TokenName(name.to_owned()));
    }
    assert_eq!(refused(registry.revoke_tokens(&user("u"), "", LIFETIME, now()).await), Refused::Reason);
}
