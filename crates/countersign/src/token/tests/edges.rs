//! Where what is taken ends: to the second, to the byte.

use super::*;

#[test]
fn clocks_may_differ_by_thirty_seconds_and_not_by_one_more() {
    let deployment = Deployment::new(TokenAlgorithm::EdDsa);
    let at = |seconds| deployment.issue_at(NOW.after(Duration::from_secs(seconds))).token;
    assert!(deployment.check(&at(30)).is_ok() && deployment.check(&at(31)).is_err());
    assert!(deployment.check(&deployment.with_claim("nbf", json!(1_800_000_030))).is_ok());
    assert!(deployment.check(&deployment.with_claim("nbf", json!(1_800_000_031))).is_err());
    // By `iat` alone: a token that says of itself that it is valid already was issued at that time all the same.
    let mut claims = claims(&at(31));
    claims["nbf"] = json!(1_800_000_000);
    assert!(deployment.check(&deployment.signed(&deployment.header(), &claims)).is_err());
}

#[test]
fn a_user_is_a_word() {
    let deployment = Deployment::new(TokenAlgorithm::EdDsa);
    let longest = "u".repeat(128);
    let issue = |user: &str| {
        let subject = TokenSubject { user, email: "ann@example.com", site: "shop" };
        deployment.keys.signer(NOW).unwrap().issue(&deployment.settings, subject, [7; 6], NOW)
    };
    for user in ["!", "~", "u-1", longest.as_str()] {
        assert_eq!(deployment.check(&issue(user).unwrap().token).unwrap().user(), user);
    }
    for user in ["", " ", "a b", "a\r\nCountersign-Partner: acme", "\u{7f}", "é", &format!("{longest}u")] {
        assert!(issue(user).is_err(), "{user}");
        assert_eq!(deployment.check(&deployment.with_claim("sub", json!(user))).unwrap_err(), Code::TokenInvalid);
    }
    assert_eq!(deployment.check(&deployment.with_claim("site", json!(""))).unwrap_err(), Code::TokenInvalid);
}

#[test]
fn what_is_issued_is_taken_up_to_4096_bytes_and_nothing_longer_is_issued() {
    let deployment = Deployment::new(TokenAlgorithm::EdDsa);
    let issue = |length: usize| {
        let email = "a".repeat(length);
        let subject = TokenSubject { user: "u-1", email: &email, site: "shop" };
        deployment.keys.signer(NOW).unwrap().issue(&deployment.settings, subject, [7; 6], NOW)
    };
    // Base64 grows in steps of one or two.
    let longest = (2500..3000).filter_map(|length| Some((length, issue(length).ok()?))).next_back().unwrap();
    let (length, token) = (longest.0, longest.1.token);
    assert_eq!(token.len(), 4096);
    assert!(deployment.check(&token).is_ok() && issue(length + 1).is_err());
}

#[test]
fn a_key_that_was_superseded_signs_no_more_also_where_nothing_else_does() {
    let deployment = Deployment::new(TokenAlgorithm::EdDsa);
    let (pair, end) = (deployment.pair.private.as_bytes(), NOW.after(Duration::from_secs(60)));
    let old =
        TokenKey::new(TokenAlgorithm::EdDsa, pair, NOW, Some(end), Some(end.after(Duration::from_secs(1)))).unwrap();
    let keys = TokenKeys::new(vec![old], Revocations::default());
    assert!(keys.signer(NOW).is_ok() && keys.signer(end.before(Duration::from_millis(1))).is_ok());
    assert!(keys.signer(end).is_err() && keys.signer(NOW.before(Duration::from_millis(1))).is_err());
}

#[test]
fn an_algorithm_has_one_name() {
    for algorithm in [TokenAlgorithm::EdDsa, TokenAlgorithm::Rs256] {
        assert_eq!(algorithm.to_string().parse(), Ok(algorithm));
    }
    for other in ["", "none", "HS256", "eddsa", "Ed25519", "RS256 "] {
        assert!(other.parse::<TokenAlgorithm>().is_err(), "{other}");
    }
}
