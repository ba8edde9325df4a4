//! What outlives its request ends with the token that it was granted for.

use super::*;

impl Deployment {
    fn judge_at(&self, now: Timestamp) -> TokenJudge<'_> {
        TokenJudge { settings: &self.settings, keys: &self.keys, sites: &self.sites, now }
    }
}

#[test]
fn what_a_token_was_granted_ends_with_it() {
    let deployment = Deployment::new(TokenAlgorithm::EdDsa);
    let issued = deployment.issue_at(NOW);
    let held = deployment.check(&issued.token).unwrap().held();
    assert!(held.holds(&deployment.judge_at(NOW)));
    assert!(held.holds(&deployment.judge_at(Timestamp::from_millis(1_800_000_899_999))));
    assert!(!held.holds(&deployment.judge_at(Timestamp::from_secs(1_800_000_900))));

    let revoked = |what: Revocation| {
        let mut revocations = Revocations::default();
        revocations.add(what, NOW, 0);
        let keys = TokenKeys::new(vec![key(TokenAlgorithm::EdDsa, &deployment.pair)], revocations);
        !held.holds(&TokenJudge { keys: &keys, ..deployment.judge_at(NOW) })
    };
    assert!(revoked(Revocation::Token(issued.id)) && revoked(Revocation::User("u-1".to_owned())));
    assert!(revoked(Revocation::Site("shop".to_owned())) && revoked(Revocation::Partner("acme".to_owned())));
    assert!(!revoked(Revocation::User("u-2".to_owned())) && !revoked(Revocation::Partner("rival".to_owned())));

    for (state, active) in [(KeyState::Active, false), (KeyState::Revoked, true), (KeyState::Retired, true)] {
        assert!(!held.holds(&TokenJudge { sites: &sites(state, active), ..deployment.judge_at(NOW) }));
    }
    // The site is another partner's by now, who was granted nothing.
    let shop = &deployment.sites.versions(Scheme::TrustedSite, "shop")[0];
    let record = KeyRecord { partner: "rival".to_owned(), ..shop.record().clone() };
    let moved = Keys::new([VerifyingKey::new(record).unwrap()]);
    assert!(!held.holds(&TokenJudge { sites: &moved, ..deployment.judge_at(NOW) }));
}

#[test]
fn what_a_token_was_granted_ends_with_its_key_and_with_what_is_expected_of_tokens() {
    let deployment = Deployment::new(TokenAlgorithm::EdDsa);
    let held = deployment.check(&deployment.issue()).unwrap().held();
    let other = Deployment::new(TokenAlgorithm::EdDsa);
    assert!(!held.holds(&TokenJudge { keys: &other.keys, ..deployment.judge_at(NOW) }));
    let ended = NOW.after(Duration::from_secs(60));
    let pair = deployment.pair.private.as_bytes();
    let ending = TokenKey::new(TokenAlgorithm::EdDsa, pair, Timestamp::from_secs(0), Some(NOW), Some(ended)).unwrap();
    let keys = TokenKeys::new(vec![ending], Revocations::default());
    let last = ended.before(Duration::from_millis(1));
    assert!(held.holds(&TokenJudge { keys: &keys, ..deployment.judge_at(last) }));
    assert!(!held.holds(&TokenJudge { keys: &keys, ..deployment.judge_at(ended) }));
    let settings = &deployment.settings;
    for settings in [
        TokenSettings { issuer: "https://other.example.com".to_owned(), ..settings.clone() },
        TokenSettings { audience: "other".to_owned(), ..settings.clone() },
    ] {
        assert!(!held.holds(&TokenJudge { settings: &settings, ..deployment.judge_at(NOW) }));
    }
    let shortened = TokenSettings { lifetime: Duration::from_secs(60), ..settings.clone() };
    let at = |seconds| TokenJudge { settings: &shortened, ..deployment.judge_at(Timestamp::from_secs(seconds)) };
    assert!(held.holds(&at(1_800_000_059)) && !held.holds(&at(1_800_000_060)));
}
