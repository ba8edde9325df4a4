//! User tokens, beside a signature and alone.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use countersign::{
    Algorithm, Demands, IssuedToken, KeyRecord, KeyState, Keys, Material, Revocation, Revocations, Scheme, SigningKey,
    Timestamp, TokenAlgorithm, TokenKey, TokenKeys, TokenSettings, TokenSubject, VerifyingKey,
};
use countersign_proxy::Quota;

use crate::admitted::arrived;
use crate::client::{Answer, ask};
use crate::signer::{Message, now};
use crate::stage::{Setting, Stage};
use crate::upstream::Upstream;

const COVER: [&str; 5] = ["@method", "@authority", "@path", "@query", "authorization"];

/// A gateway that takes tokens, and what issues them.
pub(crate) struct Taking {
    pub(crate) stage: Stage,
    settings: Arc<TokenSettings>,
    private: String,
}

impl Taking {
    async fn with(demands: Demands, rate: Option<Quota>) -> Self {
        Self::before(Upstream::echo().await, demands, rate)
    }

    pub(crate) fn before(upstream: Upstream, demands: Demands, rate: Option<Quota>) -> Self {
        let settings = TokenSettings {
            issuer: "https://api.test".to_owned(),
            audience: "api".to_owned(),
            lifetime: Duration::from_secs(900),
        };
        let settings = Arc::new(settings);
        let private = TokenAlgorithm::EdDsa.generate().unwrap().private.to_string();
        let setting = Setting { demands, rate, tokens: Some(Arc::clone(&settings)), ..Setting::default() };
        let token_keys = Arc::clone(&setting.token_keys);
        token_keys.store(Arc::new(keys(&private, Revocations::default())));
        let stage = Stage::before(upstream, setting);
        let taking = Self { stage, settings, private };
        taking.sites(KeyState::Active);
        taking
    }

    /// A route that asks for both.
    async fn both() -> Self {
        Self::with(Demands { user_token: true, ..demands() }, None).await
    }

    /// A route that asks for a token alone.
    async fn alone() -> Self {
        Self::with(Demands { schemes: Vec::new(), user_token: true, ..demands() }, None).await
    }

    /// The site `shop` is of the partner who signs, `mall` of another.
    pub(crate) fn sites(&self, state: KeyState) {
        let keys =
            [self.stage.partner.key(KeyState::Active), site("acme", "shop", state), site("rival", "mall", state)];
        self.stage.keys.store(Arc::new(Keys::new(keys)));
    }

    pub(crate) fn issue_at(&self, site: &str, now: Timestamp) -> IssuedToken {
        let subject = TokenSubject { user: "u-1", email: "ann@example.com", site };
        let keys = keys(&self.private, Revocations::default());
        keys.signer(now).unwrap().issue(&self.settings, subject, [7; 6], now).unwrap()
    }

    fn token_at(&self, site: &str, now: Timestamp) -> String {
        self.issue_at(site, now).token
    }

    fn token(&self) -> String {
        self.token_at("shop", now())
    }

    pub(crate) fn revoke(&self, what: Revocation) {
        let mut revocations = Revocations::default();
        revocations.add(what, now(), 0);
        self.stage.token_keys.store(Arc::new(keys(&self.private, revocations)));
    }

    pub(crate) fn signed(&self, token: &str) -> Message {
        self.stage.partner.get("/orders").field("Authorization", &format!("Bearer {token}")).cover(&COVER)
    }

    async fn signed_with(&self, token: &str) -> Answer {
        ask(self.stage.address, &self.signed(token).bytes().await).await
    }

    async fn plain(&self, fields: &str) -> Answer {
        let request = format!("GET /orders HTTP/1.1\r\nHost: api.test\r\nConnection: close\r\n{fields}\r\n");
        ask(self.stage.address, request.as_bytes()).await
    }

    async fn alone_with(&self, token: &str) -> Answer {
        self.plain(&format!("Authorization: Bearer {token}\r\n")).await
    }
}

pub(crate) fn demands() -> Demands {
    Demands { path: "/orders".to_owned(), max_body: 1 << 20, ..Demands::default() }
}

fn keys(private: &str, revocations: Revocations) -> TokenKeys {
    let key = TokenKey::new(TokenAlgorithm::EdDsa, private.as_bytes(), Timestamp::from_secs(0), None, None);
    TokenKeys::new(vec![key.unwrap()], revocations)
}

pub(crate) fn site(partner: &str, id: &str, state: KeyState) -> VerifyingKey {
    static PAIR: std::sync::LazyLock<String> =
        std::sync::LazyLock::new(|| SigningKey::generate(Algorithm::RsaV15Sha256, 2048).unwrap().public);
    VerifyingKey::new(KeyRecord {
        partner: partner.to_owned(),
        partner_active: true,
        id: id.to_owned(),
        version: 1,
        scheme: Scheme::TrustedSite,
        algorithm: Algorithm::RsaV15Sha256,
        state,
        not_before: None,
        not_after: None,
        form: None,
        material: Material::from_public_pem(PAIR.as_bytes()).unwrap(),
    })
    .unwrap()
}

fn refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status, answer.code().as_str()), (status, code), "{answer:?}");
}

fn names(answer: &Answer) -> [Vec<String>; 2] {
    assert_eq!(answer.status, 200, "{answer:?}");
    let echo = answer.json();
    ["countersign-partner", "countersign-user"]
        .map(|name| arrived(&echo, name).into_iter().map(str::to_owned).collect())
}

#[tokio::test]
async fn the_api_is_told_who_signed_and_for_which_user() {
    let taking = Taking::both().await;
    let token = taking.token();
    let answer = taking.signed_with(&token).await;
    assert_eq!(names(&answer), [["acme"], ["u-1"]]);
    assert_eq!(arrived(&answer.json(), "authorization"), [format!("Bearer {token}")]);
    let lines = taking.stage.log.lines(1).await;
    assert_eq!((&lines[0]["partner"], &lines[0]["user"]), (&"acme".into(), &"u-1".into()));
    assert_eq!(lines[0]["token"].as_str().unwrap().len(), 36);
    // Neither the token nor the address is anybody's business who reads the log.
    let log = taking.stage.log.text();
    assert!(!log.contains(&token) && !log.contains("ann@example.com"), "{log}");
}

#[tokio::test]
async fn mistake_40_a_users_token_riding_on_another_partners_signature() {
    let taking = Taking::both().await;
    refused(&taking.signed_with(&taking.token_at("mall", now())).await, 403, "partner_not_allowed");
    assert_eq!(taking.stage.upstream.requests(), 0);
}

#[tokio::test]
async fn a_token_that_does_not_count_beside_a_signature_that_does() {
    let taking = Taking::both().await;
    let missing = taking.stage.partner.get("/orders").field("Authorization", "Basic YTpi").cover(&COVER);
    let missing = ask(taking.stage.address, &missing.bytes().await).await;
    refused(&missing, 401, "token_missing");
    assert!(missing.head.contains("Bearer realm=\"countersign\"\r\n"), "{missing:?}");
    let token = taking.token();
    let mut changed = token.clone();
    let at = token.rfind('.').unwrap() + 1;
    changed.replace_range(at..=at, if changed[at..].starts_with('A') { "B" } else { "A" });
    let changed = taking.signed_with(&changed).await;
    refused(&changed, 401, "token_invalid");
    assert!(changed.head.contains("Bearer realm=\"countersign\", error=\"invalid_token\""), "{changed:?}");
    let old = taking.token_at("shop", now().before(Duration::from_secs(901)));
    refused(&taking.signed_with(&old).await, 401, "token_expired");
    let early = taking.token_at("shop", now().after(Duration::from_secs(60)));
    refused(&taking.signed_with(&early).await, 401, "token_invalid");
    // Not covered, so that anybody on the way could have put another one in its place.
    let uncovered = taking.signed(&token).cover(&COVER[..4]);
    let uncovered = ask(taking.stage.address, &uncovered.bytes().await).await;
    refused(&uncovered, 401, "coverage_too_small");
    assert!(uncovered.header("accept-signature").unwrap().contains("\"authorization\""));
    refused(&taking.alone_with(&token).await, 401, "unsigned");
    assert_eq!(taking.stage.upstream.requests(), 0);
}

#[tokio::test]
async fn a_replay_is_told_before_a_token_and_a_refused_token_has_spent_its_nonce() {
    let taking = Taking::both().await;
    let bytes = taking.signed("no.token.atall").bytes().await;
    refused(&ask(taking.stage.address, &bytes).await, 401, "token_invalid");
    refused(&ask(taking.stage.address, &bytes).await, 401, "replayed");
}

#[tokio::test]
async fn a_route_without_schemes_takes_a_token_alone() {
    let taking = Taking::alone().await;
    let token = taking.token();
    let forged = "Countersign-User: root\r\ncountersign_user: root\r\nCountersign-Partner: acme\r\n";
    let answer =
        taking.plain(&format!("authorization: bearer {token}\r\n{forged}X-HTTP-Method-Override: DELETE\r\n")).await;
    assert_eq!(names(&answer), [vec![], vec!["u-1".to_owned()]]);
    assert!(!answer.body.contains("override") && !answer.body.contains("root"), "{answer:?}");
    refused(&taking.plain("").await, 401, "token_missing");
    refused(&taking.alone_with("").await, 401, "token_missing");
    refused(&taking.alone_with(&token[1..]).await, 401, "token_invalid");
    let twice = format!("Authorization: Bearer {token}\r\nAuthorization: Bearer {token}\r\n");
    refused(&taking.plain(&twice).await, 400, "malformed");
    let marked = format!("Authorization: Bearer {token}\r\nSignature-Input: sig1=()\r\n");
    refused(&taking.plain(&marked).await, 401, "scheme_not_allowed");
    // What it carries is nobody's word, and is not kept.
    let head =
        format!("POST /orders HTTP/1.1\r\nHost: api.test\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n");
    let posted = ask(taking.stage.address, format!("{head}Content-Length: 3\r\n\r\nabc").as_bytes()).await;
    assert_eq!(posted.json()["body"], "abc");
    let large = format!("{head}Content-Length: {}\r\n\r\n", (1 << 20) + 1);
    refused(&ask(taking.stage.address, large.as_bytes()).await, 413, "body_too_large");
    assert_eq!(taking.stage.upstream.requests(), 2);
}

#[tokio::test]
async fn a_token_is_worth_nothing_once_it_or_its_site_is_revoked() {
    let taking = Taking::alone().await;
    let token = taking.token();
    assert_eq!(taking.alone_with(&token).await.status, 200);
    for what in [Revocation::User("u-1".into()), Revocation::Site("shop".into()), Revocation::Partner("acme".into())] {
        taking.revoke(what);
        refused(&taking.alone_with(&token).await, 401, "token_invalid");
    }
    taking.revoke(Revocation::User("u-2".into()));
    assert_eq!(taking.alone_with(&token).await.status, 200);
    for state in [KeyState::Revoked, KeyState::Retired] {
        taking.sites(state);
        refused(&taking.alone_with(&token).await, 401, "token_invalid");
    }
}

#[tokio::test]
async fn where_the_registry_is_gone_no_token_is_believed_and_no_half_set_published() {
    let taking = Taking::alone().await;
    let token = taking.token();
    let jwks = "GET /.well-known/jwks.json HTTP/1.1\r\nHost: api.test\r\nConnection: close\r\n\r\n";
    let published = ask(taking.stage.address, jwks.as_bytes()).await;
    let set = published.json();
    assert_eq!((set["keys"].as_array().unwrap().len(), &set["keys"][0]["use"]), (1, &"sig".into()));
    assert_eq!(published.header("cache-control"), Some("public, max-age=300"));
    taking.stage.switches.keys_down.store(true, Ordering::SeqCst);
    refused(&taking.alone_with(&token).await, 503, "unavailable");
    refused(&ask(taking.stage.address, jwks.as_bytes()).await, 503, "unavailable");
    assert_eq!(taking.stage.upstream.requests(), 0);
}

#[tokio::test]
async fn observed_a_token_is_checked_and_told_and_stops_nobody() {
    let both = Taking::with(Demands { user_token: true, observe: true, ..demands() }, None).await;
    assert_eq!(names(&both.signed_with(&both.token()).await), [["acme"], ["u-1"]]);
    let riding = both.signed_with(&both.token_at("mall", now())).await;
    assert_eq!(names(&riding), [vec![""; 0], vec![]]);
    let alone = Taking::with(Demands { schemes: vec![], user_token: true, observe: true, ..demands() }, None).await;
    assert_eq!(names(&alone.alone_with(&alone.token()).await), [vec![], vec!["u-1".to_owned()]]);
    assert_eq!(names(&alone.alone_with("x").await), [vec![""; 0], vec![]]);
    assert_eq!(names(&alone.plain("").await), [vec![""; 0], vec![]]);
    let lines = [both.stage.log.lines(2).await, alone.stage.log.lines(3).await].concat();
    let codes: Vec<_> = lines.iter().map(|line| line["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["accepted", "partner_not_allowed", "accepted", "token_invalid", "token_missing"]);
}

#[tokio::test]
async fn a_token_counts_for_its_partner_and_one_that_does_not_hold_for_nobody() {
    let once = Quota { requests: 1, per: Duration::from_secs(3600) };
    let demands = Demands { schemes: vec![], user_token: true, ..demands() };
    let taking = Taking::with(demands, Some(once)).await;
    for _ in 0..3 {
        refused(&taking.alone_with("x").await, 401, "token_invalid");
    }
    assert_eq!(taking.alone_with(&taking.token()).await.status, 200);
    refused(&taking.alone_with(&taking.token()).await, 429, "rate_limited");
    assert_eq!(taking.alone_with(&taking.token_at("mall", now())).await.status, 200);
}
