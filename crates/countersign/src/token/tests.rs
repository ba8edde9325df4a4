//! Every way in which a token that should not count was ever made to (mistake 38), and what a good one is.

mod edges;
mod generations;
mod held;

use std::sync::LazyLock;

use http::{HeaderMap, HeaderValue, Method};
use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value, json};

use super::*;
use crate::algorithm::Algorithm;
use crate::basis::Bearer;
use crate::key::{KeyRecord, KeyState, Material, VerifyingKey};
use crate::message::Origin;
use crate::pem;
use crate::policy::{Demands, Policy};
use crate::sign::{KeyPair, SigningKey};

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_500);

/// A deployment that issues and takes tokens, and the site `shop` of the partner `acme`.
struct Deployment {
    settings: TokenSettings,
    pair: KeyPair,
    keys: TokenKeys,
    sites: Keys,
}

impl Deployment {
    fn new(algorithm: TokenAlgorithm) -> Self {
        let pair = algorithm.generate().unwrap();
        let keys = TokenKeys::new(vec![key(algorithm, &pair)], Revocations::default());
        let settings = TokenSettings {
            issuer: "https://api.example.com".to_owned(),
            audience: "api".to_owned(),
            lifetime: Duration::from_secs(900),
        };
        Self { settings, pair, keys, sites: sites(KeyState::Active, true) }
    }

    fn issue_at(&self, now: Timestamp) -> IssuedToken {
        let subject = TokenSubject { user: "u-1", email: "ann@example.com", site: "shop" };
        self.keys.signer(now).unwrap().issue(&self.settings, subject, [7; 6], now).unwrap()
    }

    fn issue(&self) -> String {
        self.issue_at(NOW).token
    }

    fn check_at(&self, token: &str, now: Timestamp) -> Result<Token, Code> {
        let judge = TokenJudge { settings: &self.settings, keys: &self.keys, sites: &self.sites, now };
        judge.check(&head(&[("authorization", &format!("Bearer {token}"))])).map_err(|rejection| rejection.code())
    }

    fn check(&self, token: &str) -> Result<Token, Code> {
        self.check_at(token, NOW)
    }

    /// What a token of ours says, with one claim changed (or taken out, by null), signed as ours are.
    fn with_claim(&self, name: &str, value: Value) -> String {
        let mut claims = claims(&self.issue());
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
            value => claims[name] = value,
        }
        self.signed(&self.header(), &claims)
    }

    fn kid(&self) -> String {
        let jwk: Value = serde_json::from_str(self.keys.jwks(NOW).next().unwrap()).unwrap();
        jwk["kid"].as_str().unwrap().to_owned()
    }

    fn header(&self) -> Header {
        Header { kid: Some(self.kid()), ..Header::new(jsonwebtoken::Algorithm::EdDSA) }
    }

    fn signed(&self, header: &Header, claims: &Value) -> String {
        let der = pem::first_key(self.pair.private.as_bytes()).unwrap();
        jsonwebtoken::encode(header, claims, &EncodingKey::from_ed_der(&der)).unwrap()
    }
}

fn key(algorithm: TokenAlgorithm, pair: &KeyPair) -> TokenKey {
    TokenKey::new(algorithm, pair.private.as_bytes(), NOW.before(Duration::from_secs(3600)), None, None).unwrap()
}

fn sites(state: KeyState, partner_active: bool) -> Keys {
    static SITE: LazyLock<KeyPair> = LazyLock::new(|| SigningKey::generate(Algorithm::RsaV15Sha256, 2048).unwrap());
    let record = KeyRecord {
        partner: "acme".to_owned(),
        partner_active,
        id: "shop".to_owned(),
        version: 1,
        scheme: Scheme::TrustedSite,
        algorithm: Algorithm::RsaV15Sha256,
        state,
        not_before: None,
        not_after: None,
        form: None,
        material: Material::from_public_pem(SITE.public.as_bytes()).unwrap(),
    };
    Keys::new([VerifyingKey::new(record).unwrap()])
}

fn head(fields: &[(&'static str, &str)]) -> Head {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.append(*name, HeaderValue::from_str(value).unwrap());
    }
    Head::request(Method::GET, "/auth/me", Origin::parse("https://api.example.com").unwrap(), headers, false).unwrap()
}

fn part(token: &str, at: usize) -> Value {
    serde_json::from_slice(&decode(token.split('.').nth(at).unwrap())).unwrap()
}

fn claims(token: &str) -> Value {
    part(token, 1)
}

fn decode(text: &str) -> Vec<u8> {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).unwrap()
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

#[test]
fn a_token_says_what_the_contract_names_and_comes_back() {
    for algorithm in [TokenAlgorithm::EdDsa, TokenAlgorithm::Rs256] {
        let deployment = Deployment::new(algorithm);
        let issued = deployment.issue_at(NOW);
        let kid = deployment.kid();
        assert_eq!(part(&issued.token, 0), json!({"typ": "JWT", "alg": algorithm.as_str(), "kid": kid}));
        let expected = json!({
            "iss": "https://api.example.com", "sub": "u-1", "aud": "api", "exp": 1_800_000_900, "nbf": 1_800_000_000,
            "iat": 1_800_000_000, "jti": issued.id, "site": "shop", "email": "ann@example.com",
        });
        assert_eq!(claims(&issued.token), expected);
        let token = deployment.check(&issued.token).unwrap();
        assert_eq!((token.user(), token.email(), token.site()), ("u-1", "ann@example.com", "shop"));
        assert_eq!((token.partner(), token.id(), token.expires()), ("acme", issued.id.as_str(), issued.expires));
        let jwks: Vec<_> = deployment.keys.jwks(NOW).collect();
        let jwk: Value = serde_json::from_str(jwks[0]).unwrap();
        assert_eq!((&jwk["kid"], &jwk["use"], &jwk["alg"]), (&kid.into(), &"sig".into(), &algorithm.as_str().into()));
        assert!(jwk.get("d").is_none() && jwks.len() == 1);
    }
}

#[test]
fn mistake_38_alg_none() {
    let deployment = Deployment::new(TokenAlgorithm::EdDsa);
    let token = deployment.issue();
    let body = token.split('.').nth(1).unwrap();
    let kid = deployment.kid();
    for alg in ["none", "None", "NONE", ""] {
        let header = encode(json!({"alg": alg, "typ": "JWT", "kid": kid}).to_string());
        for signature in ["", token.split('.').nth(2).unwrap()] {
            assert_eq!(deployment.check(&format!("{header}.{body}.{signature}")).unwrap_err(), Code::TokenInvalid);
        }
    }
}

#[test]
fn mistake_38_hs256_with_the_public_key() {
    for algorithm in [TokenAlgorithm::EdDsa, TokenAlgorithm::Rs256] {
        let deployment = Deployment::new(algorithm);
        let header = Header { kid: Some(deployment.kid()), ..Header::new(jsonwebtoken::Algorithm::HS256) };
        let Material::Public(spki) = Material::from_public_pem(deployment.pair.public.as_bytes()).unwrap() else {
            panic!()
        };
        let jwk = deployment.keys.jwks(NOW).next().unwrap();
        for secret in [
            deployment.pair.public.as_bytes(),
            deployment.pair.public.trim().as_bytes(),
            &spki,
            &spki[12..],
            jwk.as_bytes(),
        ] {
            let key = EncodingKey::from_secret(secret);
            let forged = jsonwebtoken::encode(&header, &claims(&deployment.issue()), &key).unwrap();
            assert_eq!(deployment.check(&forged).unwrap_err(), Code::TokenInvalid);
        }
    }
}

#[test]
fn mistake_38_another_issuers_token() {
    let (ours, theirs) = (Deployment::new(TokenAlgorithm::EdDsa), Deployment::new(TokenAlgorithm::EdDsa));
    // By its own key, and by its own key under the name of ours.
    assert_eq!(ours.check(&theirs.issue()).unwrap_err(), Code::TokenInvalid);
    let under_our_name = theirs.signed(&ours.header(), &claims(&ours.issue()));
    assert_eq!(ours.check(&under_our_name).unwrap_err(), Code::TokenInvalid);
    // By our key, for another issuer.
    for issuer in [json!("https://other.example.com"), json!(""), json!(["https://api.example.com"]), Value::Null] {
        assert_eq!(ours.check(&ours.with_claim("iss", issuer)).unwrap_err(), Code::TokenInvalid);
    }
    // The key in the head, or where to fetch one.
    let jwk: Value = serde_json::from_str(theirs.keys.jwks(NOW).next().unwrap()).unwrap();
    let body = ours.issue();
    let body = body.split('.').nth(1).unwrap();
    for extra in [
        json!({"jwk": jwk}),
        json!({"jku": "https://other.example.com/jwks.json"}),
        json!({"x5u": "https://other.example.com"}),
    ] {
        let mut header = json!({"alg": "EdDSA", "typ": "JWT", "kid": ours.kid()});
        header.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        let forged = format!("{}.{body}.{}", encode(header.to_string()), encode([0; 64]));
        assert_eq!(ours.check(&forged).unwrap_err(), Code::TokenInvalid);
    }
}

#[test]
fn mistake_38_expired() {
    let deployment = Deployment::new(TokenAlgorithm::EdDsa);
    let token = deployment.issue();
    assert!(deployment.check_at(&token, Timestamp::from_millis(1_800_000_899_999)).is_ok());
    for late in [1_800_000_900, 1_800_001_000, i64::MAX / 1000] {
        assert_eq!(deployment.check_at(&token, Timestamp::from_secs(late)).unwrap_err(), Code::TokenExpired);
    }
    // A time that is none of ours does not become one, and none at all is no time without end.
    for exp in [Value::Null, json!("1800000900"), json!(1_800_000_900.5), json!([1_800_000_900])] {
        assert_eq!(deployment.check(&deployment.with_claim("exp", exp)).unwrap_err(), Code::TokenInvalid);
    }
    // Whatever it says of its end, it lives no longer than the lifetime of now.
    let eternal = deployment.with_claim("exp", json!(i64::MAX));
    assert!(deployment.check(&eternal).is_ok());
    assert_eq!(deployment.check_at(&eternal, Timestamp::from_secs(1_800_000_900)).unwrap_err(), Code::TokenExpired);
    let shortened = Deployment {
        settings: TokenSettings { lifetime: Duration::from_secs(60), ..deployment.settings.clone() },
        ..deployment
    };
    assert_eq!(shortened.check_at(&token, Timestamp::from_secs(1_800_000_060)).unwrap_err(), Code::TokenExpired);
}

#[test]
fn mistake_38_not_yet_valid() {
    let deployment = Deployment::new(TokenAlgorithm::EdDsa);
    let token = deployment.issue_at(NOW.after(Duration::from_secs(31))).token;
    assert_eq!(deployment.check(&token).unwrap_err(), Code::TokenInvalid);
    assert_eq!(deployment.check(&deployment.with_claim("nbf", json!(1_800_000_031))).unwrap_err(), Code::TokenInvalid);
    // Clocks of two gateways differ.
    assert!(deployment.check(&deployment.issue_at(NOW.after(Duration::from_secs(29))).token).is_ok());
}

#[test]
fn mistake_38_audience_missing() {
    let deployment = Deployment::new(TokenAlgorithm::EdDsa);
    for audience in [Value::Null, json!("other"), json!(""), json!([]), json!(["api"]), json!(["api", "other"])] {
        let token = deployment.with_claim("aud", audience.clone());
        assert_eq!(deployment.check(&token).unwrap_err(), Code::TokenInvalid, "{audience}");
    }
}

#[test]
fn mistake_38_subject_of_a_suspended_site() {
    for sites in [
        sites(KeyState::Active, false),
        sites(KeyState::Revoked, true),
        sites(KeyState::Retired, true),
        sites(KeyState::Pending, true),
        Keys::new([]),
    ] {
        let deployment = Deployment { sites, ..Deployment::new(TokenAlgorithm::EdDsa) };
        assert_eq!(deployment.check(&deployment.issue()).unwrap_err(), Code::TokenInvalid);
    }
    let deployment = Deployment { sites: sites(KeyState::Retiring, true), ..Deployment::new(TokenAlgorithm::EdDsa) };
    assert!(deployment.check(&deployment.issue()).is_ok());
    assert_eq!(deployment.check(&deployment.with_claim("site", json!("other"))).unwrap_err(), Code::TokenInvalid);
}

#[test]
fn a_revoked_token_and_all_of_a_user_a_site_or_a_partner() {
    let issued = Deployment::new(TokenAlgorithm::EdDsa).issue_at(NOW);
    let moment = Duration::from_millis(1);
    for what in [
        Revocation::Token(issued.id),
        Revocation::User("u-1".into()),
        Revocation::Site("shop".into()),
        Revocation::Partner("acme".into()),
    ] {
        let deployment = Deployment::new(TokenAlgorithm::EdDsa);
        let token = deployment.issue();
        let by_id = matches!(what, Revocation::Token(_));
        let revoked = |at: Timestamp| {
            let mut revocations = Revocations::default();
            revocations.add(what.clone(), at, 0);
            // An earlier one takes nothing back.
            revocations.add(what.clone(), Timestamp::from_millis(0), 0);
            let keys = TokenKeys::new(vec![key(TokenAlgorithm::EdDsa, &deployment.pair)], revocations);
            let judge = TokenJudge { settings: &deployment.settings, keys: &keys, sites: &deployment.sites, now: NOW };
            judge.check(&head(&[("authorization", &format!("Bearer {token}"))])).map_err(|rejection| rejection.code())
        };
        assert_eq!(revoked(NOW).unwrap_err(), Code::TokenInvalid, "{what:?}");
        // What was issued in the same second, but after it, counts.
        assert_eq!(revoked(NOW.before(moment)).is_err(), by_id, "{what:?}");
    }
}

#[test]
fn mistake_38_a_token_whose_id_says_another_time_would_outlive_a_revocation() {
    let deployment = Deployment::new(TokenAlgorithm::EdDsa);
    let later = Moment { at: NOW.after(Duration::from_secs(10)), generation: 0 }.id([0; 6]);
    for id in [json!(later), json!("7"), json!(""), Value::Null] {
        assert_eq!(deployment.check(&deployment.with_claim("jti", id)).unwrap_err(), Code::TokenInvalid);
    }
}

#[test]
fn a_head_that_is_not_as_ours_are() {
    let deployment = Deployment::new(TokenAlgorithm::EdDsa);
    let ours = deployment.header();
    let claims = claims(&deployment.issue());
    assert!(deployment.check(&deployment.signed(&ours, &claims)).is_ok());
    let mut extra = jsonwebtoken::Extras::default();
    extra.insert("b64", false);
    for header in [
        Header { crit: Some(vec!["b64".to_owned()]), extras: extra, ..ours.clone() },
        Header { crit: Some(vec![]), ..ours.clone() },
        Header { cty: Some("JWT".to_owned()), ..ours.clone() },
        Header { typ: None, ..ours.clone() },
        Header { typ: Some("at+jwt".to_owned()), ..ours.clone() },
        Header { kid: None, ..ours.clone() },
        Header { kid: Some("other".to_owned()), ..ours.clone() },
        Header { kid: Some("../../dev/null".to_owned()), ..ours },
    ] {
        assert_eq!(
            deployment.check(&deployment.signed(&header, &claims)).unwrap_err(),
            Code::TokenInvalid,
            "{header:?}"
        );
    }
}

#[test]
fn what_is_no_token_of_ours_is_no_token() {
    let deployment = Deployment::new(TokenAlgorithm::EdDsa);
    let token = deployment.issue();
    let [head_part, body, signature] = <[&str; 3]>::try_from(token.split('.').collect::<Vec<_>>()).unwrap();
    let twice = String::from_utf8(decode(body)).unwrap().replacen('{', r#"{"sub":"root","#, 1);
    let der = pem::first_key(deployment.pair.private.as_bytes()).unwrap();
    let twice = {
        let message = format!("{head_part}.{}", encode(twice));
        let signed = jsonwebtoken::crypto::sign(
            message.as_bytes(),
            &EncodingKey::from_ed_der(&der),
            jsonwebtoken::Algorithm::EdDSA,
        );
        format!("{message}.{}", signed.unwrap())
    };
    for other in [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        format!("{head_part}.{body}"),
        format!("{head_part}.{body}."),
        format!("{head_part}.{body}.{signature}."),
        format!("{head_part}.{body}.{signature}.{signature}"),
        format!("{head_part}=.{body}.{signature}"),
        format!("{head_part}.{body}.{signature}="),
        format!("{head_part}.{body}. {signature}"),
        format!(" {token}"),
        format!("{token} "),
        format!("{head_part}.{body}.{}", encode([0; 64])),
        format!("{}.{body}.{signature}", encode(r#"{"alg":"EdDSA","alg":"EdDSA","typ":"JWT","kid":"x"}"#)),
        format!("{}.{body}.{signature}", encode("[".repeat(3000))),
        format!("{token}{}", "A".repeat(4096)),
        twice,
    ] {
        // A trailing blank never comes so far: HTTP trims it.
        let code = deployment.check(&other).map(|_| other.trim() == token).map_err(|code| code == Code::TokenInvalid);
        assert!(matches!(code, Ok(true) | Err(true)), "{other:.80}: {code:?}");
    }
    // Not a bit of it can be changed.
    for at in 0..token.len() {
        for other in ["A", "_", "."] {
            let mut changed = token.clone();
            changed.replace_range(at..=at, other);
            assert!(changed == token || deployment.check(&changed).is_err(), "{at} {other}");
        }
    }
}

#[test]
fn only_a_bearer_is_a_token() {
    let deployment = Deployment::new(TokenAlgorithm::EdDsa);
    let token = deployment.issue();
    let judge =
        TokenJudge { settings: &deployment.settings, keys: &deployment.keys, sites: &deployment.sites, now: NOW };
    let code = |fields: &[(&'static str, &str)]| judge.check(&head(fields)).map_err(|rejection| rejection.code());
    assert!(code(&[("authorization", &format!("bearer {token}"))]).is_ok());
    assert_eq!(code(&[]).unwrap_err(), Code::TokenMissing);
    for other in ["", "Bearer", "Basic YTpi", "Bearer\t", &token, &format!("Token {token}"), &format!("Bearer:{token}")]
    {
        assert_eq!(code(&[("authorization", other)]).unwrap_err(), Code::TokenMissing, "{other}");
    }
    assert_eq!(code(&[("cookie", &format!("access_token={token}"))]).unwrap_err(), Code::TokenMissing);
    let latin = HeaderValue::from_bytes(b"Bearer \xe9").unwrap();
    let headers = HeaderMap::from_iter([(header::AUTHORIZATION, latin)]);
    let odd = Head::request(Method::GET, "/", Origin::parse("http://a").unwrap(), headers, false).unwrap();
    assert_eq!(judge.check(&odd).unwrap_err().code(), Code::TokenInvalid);
}

#[test]
fn an_old_key_verifies_as_long_as_it_is_taken_and_a_new_one_before_it_signs() {
    let (old, new) = (TokenAlgorithm::EdDsa.generate().unwrap(), TokenAlgorithm::Rs256.generate().unwrap());
    let at = |seconds| NOW.after(Duration::from_secs(seconds));
    let long_ago = NOW.before(Duration::from_secs(3600));
    let old = TokenKey::new(TokenAlgorithm::EdDsa, old.private.as_bytes(), long_ago, Some(at(301)), Some(at(1201)));
    let new = TokenKey::new(TokenAlgorithm::Rs256, new.private.as_bytes(), at(301), None, None);
    let (old, new) = (old.unwrap(), new.unwrap());
    let (old_id, new_id) = (old.id().to_owned(), new.id().to_owned());
    let keys = TokenKeys::new(vec![old, new], Revocations::default());
    let deployment = Deployment { keys, ..Deployment::new(TokenAlgorithm::EdDsa) };
    let kid = |seconds| part(&deployment.issue_at(at(seconds)).token, 0)["kid"].clone();
    assert_eq!((kid(0), kid(300), kid(301)), (json!(old_id), json!(old_id), json!(new_id)));
    let published = |seconds| deployment.keys.jwks(at(seconds)).count();
    assert_eq!((published(0), published(1200), published(1201)), (2, 2, 1));
    let last = deployment.issue_at(at(300)).token;
    assert!(deployment.check_at(&last, at(1199)).is_ok());
    assert_eq!(deployment.check_at(&last, at(1201)).unwrap_err(), Code::TokenInvalid);
    // A gateway whose clock is ahead signs with it already.
    let early = deployment.issue_at(at(301)).token;
    assert!(deployment.check_at(&early, at(299)).is_ok());
    assert!(TokenKeys::default().signer(NOW).is_err());
}

#[test]
fn a_key_of_another_kind_signs_no_tokens() {
    let pem = |algorithm, bits| SigningKey::generate(algorithm, bits).unwrap().private;
    for (algorithm, pair) in [
        (TokenAlgorithm::EdDsa, pem(Algorithm::EcdsaP256Sha256, 0)),
        (TokenAlgorithm::EdDsa, pem(Algorithm::RsaV15Sha256, 2048)),
        (TokenAlgorithm::Rs256, pem(Algorithm::Ed25519, 0)),
    ] {
        assert!(TokenKey::new(algorithm, pair.as_bytes(), NOW, None, None).is_err());
    }
    assert!(TokenKey::new(TokenAlgorithm::EdDsa, b"0123456789abcdef", NOW, None, None).is_err());
}

#[test]
fn nothing_secret_is_shown() {
    let deployment = Deployment::new(TokenAlgorithm::EdDsa);
    let shown = format!("{:?} {:?}", deployment.keys, deployment.keys.signer(NOW).unwrap());
    let line = deployment.pair.private.lines().nth(1).unwrap();
    assert!(!shown.contains(&line[20..]) && shown.contains(&deployment.kid()), "{shown}");
    // A refusal never says what came.
    let rejection = deployment.keys.open("secret.secret.secret", NOW).map(drop).unwrap_err();
    assert!(!rejection.reason().contains("secret"));
}

#[test]
fn a_route_without_schemes_asks_for_a_token_alone() {
    let deployment = Deployment::new(TokenAlgorithm::EdDsa);
    let judge =
        TokenJudge { settings: &deployment.settings, keys: &deployment.keys, sites: &deployment.sites, now: NOW };
    let bearer = format!("Bearer {}", deployment.issue());
    let alone = Demands { schemes: vec![], user_token: true, ..Demands::default() };
    let check = |demands: Demands, fields: &[(&'static str, &str)]| {
        let policy = Policy::new(demands).unwrap();
        let mut all = vec![("authorization", bearer.as_str())];
        all.extend_from_slice(fields);
        Bearer::check(head(&all), &policy, &judge).map_err(|rejection| rejection.code())
    };
    let passed = check(alone.clone(), &[("x-http-method-override", "DELETE")]).unwrap();
    assert_eq!(passed.token().user(), "u-1");
    assert!(passed.request().head.headers().get("x-http-method-override").is_none());
    assert_eq!(check(alone.clone(), &[("signature-input", "sig1=()")]).unwrap_err(), Code::SchemeNotAllowed);
    assert_eq!(check(alone.clone(), &[("appid", "a"), ("signature-input", "sig1=()")]).unwrap_err(), Code::Ambiguous);
    let elsewhere = Demands { partners: vec!["other".to_owned()], ..alone.clone() };
    assert_eq!(check(elsewhere, &[]).unwrap_err(), Code::PartnerNotAllowed);
    let own_channel = Demands { same_partner_channel: true, ..alone.clone() };
    assert_eq!(check(own_channel, &[]).unwrap_err(), Code::ChannelMismatch);
    // A token is no way round a signature that a route asks for.
    let signed = Demands { user_token: true, ..Demands::default() };
    assert_eq!(check(signed.clone(), &[]).unwrap_err(), Code::Unsigned);
    assert_eq!(check(Demands::default(), &[]).unwrap_err(), Code::Unsigned);
    assert!(Policy::new(signed).unwrap().demands().require.contains(&"authorization".to_owned()));
    assert!(Policy::new(Demands { schemes: vec![Scheme::Pki], user_token: true, ..Demands::default() }).is_err());
}
