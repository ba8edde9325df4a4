//! Revocations where clocks differ: what counts is also what the issuer knew.

use super::*;

/// The deployment as its registry has it at a generation, with this revocation of then.
fn at_generation(deployment: &Deployment, generation: i64, revoked: Option<(Revocation, Timestamp, i64)>) -> TokenKeys {
    let mut revocations = Revocations::known_up_to(generation);
    if let Some((what, at, generation)) = revoked {
        revocations.add(what.clone(), at, generation);
        // An earlier one takes nothing back.
        revocations.add(what, at, generation - 1);
    }
    TokenKeys::new(vec![key(TokenAlgorithm::EdDsa, &deployment.pair)], revocations)
}

fn issued(deployment: &Deployment, keys: &TokenKeys, at: Timestamp) -> String {
    let subject = TokenSubject { user: "u-1", email: "ann@example.com", site: "shop" };
    keys.signer(at).unwrap().issue(&deployment.settings, subject, [7; 6], at).unwrap().token
}

#[test]
fn mistake_38_a_token_of_a_gateway_whose_clock_is_ahead_would_outlive_a_revocation() {
    let deployment = Deployment::new(TokenAlgorithm::EdDsa);
    let ahead = NOW.after(Duration::from_secs(20));
    let before = issued(&deployment, &at_generation(&deployment, 41, None), ahead);
    for what in [Revocation::User("u-1".into()), Revocation::Site("shop".into()), Revocation::Partner("acme".into())] {
        let keys = at_generation(&deployment, 43, Some((what.clone(), NOW, 42)));
        let judge = TokenJudge { settings: &deployment.settings, keys: &keys, sites: &deployment.sites, now: ahead };
        let check = |token: &str| judge.check(&head(&[("authorization", &format!("Bearer {token}"))])).map(drop);
        assert_eq!(check(&before).unwrap_err().code(), Code::TokenInvalid, "{what:?}");
        // By whoever knew of the revocation, and by his clock after it.
        let (seen, late) = (at_generation(&deployment, 42, None), NOW.after(Duration::from_millis(1)));
        assert!(check(&issued(&deployment, &seen, ahead)).is_ok() && check(&issued(&deployment, &seen, late)).is_ok());
        // A registry that was restored counts from an earlier generation: then the clock alone tells.
        let restored = at_generation(&deployment, 90, None);
        assert_eq!(check(&issued(&deployment, &restored, NOW)).unwrap_err().code(), Code::TokenInvalid);
    }
}
