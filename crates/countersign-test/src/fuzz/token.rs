use std::sync::LazyLock;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::{
    Algorithm, Head, Keys, Origin, Revocations, Scheme, Signer, SigningKey, Timestamp, Token, TokenAlgorithm,
    TokenJudge, TokenKey, TokenKeys, TokenSettings,
};
use http::{HeaderMap, HeaderValue, Method, header};
use serde_json::{Value, json};

use super::chain::{NOW, Party, ready};
use super::raw::sections;

/// A deployment, and the key that it signs tokens with.
struct Place {
    settings: TokenSettings,
    keys: TokenKeys,
    kid: String,
    signer: SigningKey,
    sites: Keys,
}

static PLACE: LazyLock<Place> = LazyLock::new(|| {
    let private = TokenAlgorithm::EdDsa.generate().expect("a key").private;
    let key = TokenKey::new(TokenAlgorithm::EdDsa, private.as_bytes(), Timestamp::from_secs(0), None, None);
    let key = key.expect("our own key");
    let lifetime = Duration::from_secs(900);
    Place {
        settings: TokenSettings { issuer: "https://api.example.com".into(), audience: "api".into(), lifetime },
        kid: key.id().to_owned(),
        keys: TokenKeys::new(vec![key], Revocations::default()),
        signer: SigningKey::from_file(private.as_bytes(), Scheme::HttpMessageSignatures, None).expect("our own key"),
        sites: Party::new(Scheme::TrustedSite, Algorithm::RsaV15Sha256, "site-1").keys(),
    }
});

/// The head of a token, in which `$KID` stands for our key, and its claims, which we sign; and a whole token, which we don't.
///
/// # Panics
/// Where a token is taken of which another reader sees something else, or one that nobody signed.
pub fn token(input: &[u8]) {
    let [head, claims, whole] = sections(input);
    assert!(check(whole).is_none(), "a stranger's signature holds");
    let head = String::from_utf8_lossy(head).replace("$KID", &PLACE.kid);
    let [head_part, claims_part] = [head.as_bytes(), claims].map(|part| URL_SAFE_NO_PAD.encode(part));
    let message = format!("{head_part}.{claims_part}");
    let signature = ready(PLACE.signer.sign(message.as_bytes())).expect("a key in this process signs");
    let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature));
    let Some(token) = check(token.as_bytes()) else { return };
    let head: Value = serde_json::from_str(&head).expect("a head that was read is JSON");
    assert_eq!(head, json!({"typ": "JWT", "alg": "EdDSA", "kid": PLACE.kid}));
    let claims: Value = serde_json::from_slice(claims).expect("claims that were read are JSON");
    let expected = [
        ("iss", "https://api.example.com"),
        ("aud", "api"),
        ("sub", token.user()),
        ("email", token.email()),
        ("site", "site-1"),
        ("jti", token.id()),
    ];
    for (name, value) in expected {
        assert_eq!(claims[name], value, "{claims}");
    }
    let time = |name: &str| claims[name].as_i64().expect("a whole number of seconds");
    assert!(time("exp") > NOW.as_secs() && time("nbf") <= NOW.as_secs() + 30 && time("iat") <= NOW.as_secs() + 30);
    assert!(token.expires() > NOW && token.expires().as_secs() <= time("exp").min(time("iat") + 900));
    assert!(!token.user().is_empty() && token.user().bytes().all(|byte| byte.is_ascii_graphic()));
}

fn check(token: &[u8]) -> Option<Token> {
    let value = HeaderValue::from_bytes(&[b"Bearer ", token].concat()).ok()?;
    let headers = HeaderMap::from_iter([(header::AUTHORIZATION, value)]);
    let origin = Origin::parse("https://api.example.com").expect("an origin");
    let head = Head::request(Method::GET, "/", origin, headers, false).ok()?;
    let Place { settings, keys, sites, .. } = &*PLACE;
    TokenJudge { settings, keys, sites, now: NOW }.check(&head).ok()
}
