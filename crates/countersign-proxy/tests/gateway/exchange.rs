//! The exchange, over users that can fail on purpose.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use countersign::{
    Algorithm, BoxFuture, Code, Demands, Draft, Form, Head, Identity, KeyRecord, KeyState, Keys, Material, Origin,
    Refusal, Rejection, Revocations, Scheme, SigningKey, Timestamp, TokenAlgorithm, TokenKey, TokenKeys, TokenSettings,
    Unavailable, VerifyingKey, Vouched,
};
use countersign_proxy::{ExchangeSettings, User, UserStore};
use http::HeaderMap;

use crate::client::{Answer, ask};
use crate::signer::now;
use crate::stage::{Setting, Stage};

struct Exchange {
    stage: Stage,
    users: Arc<Users>,
    key: SigningKey,
}

impl Exchange {
    async fn start() -> Self {
        let pair = SigningKey::generate(Algorithm::RsaV15Sha256, 2048).unwrap();
        let settings =
            TokenSettings { issuer: "i".to_owned(), audience: "api".to_owned(), lifetime: Duration::from_secs(900) };
        let users = Arc::new(Users::default());
        let setting = Setting {
            // What a route demands is not what the exchange does.
            demands: Demands { path: "/".to_owned(), observe: true, ..Demands::default() },
            tokens: Some(Arc::new(settings)),
            exchange: Some(ExchangeSettings { default_credits: 5, ..ExchangeSettings::default() }),
            users: Some(Arc::clone(&users) as _),
            ..Setting::default()
        };
        setting.token_keys.store(Arc::new(token_keys()));
        let stage = Stage::with(setting).await;
        let record = KeyRecord {
            partner: "shop".to_owned(),
            partner_active: true,
            id: "shop-1".to_owned(),
            version: 1,
            scheme: Scheme::TrustedSite,
            algorithm: Algorithm::RsaV15Sha256,
            state: KeyState::Active,
            not_before: None,
            not_after: None,
            form: None,
            material: Material::from_public_pem(pair.public.as_bytes()).unwrap(),
        };
        stage.keys.store(Arc::new(Keys::new([VerifyingKey::new(record).unwrap()])));
        let key = SigningKey::from_file(pair.private.as_bytes(), Scheme::TrustedSite, None).unwrap();
        Self { stage, users, key }
    }

    async fn signed(&self, path: &str, payload: &str) -> Vec<u8> {
        let mut headers = HeaderMap::new();
        headers.insert("host", "api.test".parse().unwrap());
        headers.insert("content-type", "application/json".parse().unwrap());
        let origin = Origin::new(false, "api.test").unwrap();
        let head = Head::request(http::Method::POST, path, origin, headers, true).unwrap();
        let mut draft = Draft::new(head, Form::new(Scheme::TrustedSite, "shop-1"));
        draft.push(payload.as_bytes());
        let signed = draft.finish("", now()).unwrap().sign(&self.key).await.unwrap();
        let body = signed.body().unwrap();
        let mut bytes = format!(
            "POST {path} HTTP/1.1\r\nHost: api.test\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: \
             close\r\n\r\n",
            body.len()
        )
        .into_bytes();
        bytes.extend_from_slice(body);
        bytes
    }

    async fn ask(&self, path: &str, payload: &str) -> Answer {
        ask(self.stage.address, &self.signed(path, payload).await).await
    }
}

/// Users in memory, and what of them is broken.
#[derive(Default)]
struct Users {
    there: Mutex<BTreeMap<String, User>>,
    asked: AtomicUsize,
    down: std::sync::atomic::AtomicBool,
    panics: std::sync::atomic::AtomicBool,
}

impl Users {
    fn ask(&self) -> Result<(), Refusal> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        assert!(!self.panics.load(Ordering::SeqCst), "on purpose: the user store panics");
        if self.down.load(Ordering::SeqCst) { Err(Unavailable::new("user store", "on purpose").into()) } else { Ok(()) }
    }

    fn count(&self) -> usize {
        self.there.lock().unwrap().len()
    }
}

impl UserStore for Users {
    fn register<'a>(
        &'a self,
        vouched: &'a Vouched,
        by: &'a Identity,
        credits: u64,
        _: Timestamp,
    ) -> BoxFuture<'a, Result<User, Refusal>> {
        Box::pin(async move {
            self.ask()?;
            let mut there = self.there.lock().unwrap();
            let user = User {
                id: format!("u-{}", there.len()),
                email: vouched.email.clone(),
                credits_remaining: credits,
                registered_via: by.key.to_string(),
            };
            match there.insert(vouched.email.clone(), user.clone()) {
                None => Ok(user),
                Some(_) => Err(Rejection::new(Code::UserExists, "there").into()),
            }
        })
    }

    fn login<'a>(&'a self, vouched: &'a Vouched, _: &'a Identity, _: bool) -> BoxFuture<'a, Result<User, Refusal>> {
        Box::pin(async move {
            self.ask()?;
            let there = self.there.lock().unwrap();
            there.get(&vouched.email).cloned().ok_or_else(|| Rejection::new(Code::NoUser, "nobody").into())
        })
    }
}

fn token_keys() -> TokenKeys {
    let private = TokenAlgorithm::EdDsa.generate().unwrap().private;
    let key = TokenKey::new(TokenAlgorithm::EdDsa, private.as_bytes(), Timestamp::from_secs(0), None, None);
    TokenKeys::new(vec![key.unwrap()], Revocations::default())
}

const REGISTER: &str = ExchangeSettings::REGISTER;
const LOGIN: &str = ExchangeSettings::LOGIN;

#[tokio::test]
async fn users_are_registered_and_logged_in_with_a_token_of_ours() {
    let exchange = Exchange::start().await;
    let new = exchange.ask(REGISTER, r#"{"email":"a@b"}"#).await;
    assert_eq!((new.status, new.header("content-type")), (201, Some("application/json")), "{new:?}");
    assert_eq!(new.json()["user"]["credits_remaining"], 5);
    assert_eq!(new.json()["access_token"].as_str().unwrap().split('.').count(), 3);
    assert_eq!(exchange.ask(REGISTER, r#"{"email":"a@b","n":1}"#).await.code(), "user_exists");
    assert_eq!(exchange.ask(LOGIN, r#"{"email":"a@b","n":2}"#).await.status, 200);
    assert_eq!(exchange.ask(LOGIN, r#"{"email":"c@d"}"#).await.code(), "no_user");
    assert_eq!(exchange.stage.upstream.requests(), 0, "nothing of it goes to the API behind");
}

#[tokio::test]
async fn users_who_can_not_be_asked_are_our_fault_and_nobody_is_created() {
    let exchange = Exchange::start().await;
    exchange.users.down.store(true, Ordering::SeqCst);
    for path in [REGISTER, LOGIN] {
        let answer = exchange.ask(path, &format!(r#"{{"email":"a@b","for":"{path}"}}"#)).await;
        assert_eq!((answer.status, answer.code().as_str()), (503, "unavailable"));
        assert!(answer.header("retry-after").is_some());
    }
    exchange.users.down.store(false, Ordering::SeqCst);
    exchange.users.panics.store(true, Ordering::SeqCst);
    assert_eq!(exchange.ask(REGISTER, r#"{"email":"a@b","n":1}"#).await.status, 503);
    assert_eq!(exchange.users.count(), 0);
}

/// A user who was registered without a token would be told neither.
#[tokio::test]
async fn without_a_key_that_signs_tokens_nobody_is_created() {
    let exchange = Exchange::start().await;
    exchange.stage.token_keys.store(Arc::new(TokenKeys::new(Vec::new(), Revocations::default())));
    assert_eq!(exchange.ask(REGISTER, r#"{"email":"a@b"}"#).await.code(), "unavailable");
    exchange.stage.token_keys.store(Arc::new(token_keys()));
    exchange.stage.switches.replay_down.store(true, Ordering::SeqCst);
    assert_eq!(exchange.ask(REGISTER, r#"{"email":"a@b","n":1}"#).await.code(), "unavailable");
    exchange.stage.switches.replay_down.store(false, Ordering::SeqCst);
    exchange.stage.switches.keys_down.store(true, Ordering::SeqCst);
    assert_eq!(exchange.ask(REGISTER, r#"{"email":"a@b","n":2}"#).await.code(), "unavailable");
    assert_eq!(exchange.users.asked.load(Ordering::SeqCst), 0);
    exchange.stage.switches.keys_down.store(false, Ordering::SeqCst);
    assert_eq!(exchange.ask(REGISTER, r#"{"email":"a@b","n":3}"#).await.status, 201);
}

/// Nobody is so much as asked for: not for a bad signature, an old one, one that was used, or one for another path.
#[tokio::test]
async fn what_is_not_verified_and_fresh_reaches_no_user() {
    let exchange = Exchange::start().await;
    let good = exchange.signed(REGISTER, r#"{"email":"a@b"}"#).await;
    let text = String::from_utf8(good.clone()).unwrap();
    let bent = text.replace("a@b", "c@b");
    assert_eq!(ask(exchange.stage.address, bent.as_bytes()).await.code(), "signature_invalid");
    assert_eq!(exchange.ask(LOGIN, r#"{"email":"a@b","for":"/auth/trusted/register"}"#).await.code(), "malformed");
    assert_eq!(exchange.ask(REGISTER, r#"{"mail":"a@b"}"#).await.code(), "user_invalid");
    assert_eq!(exchange.users.asked.load(Ordering::SeqCst), 0);
    let first = ask(exchange.stage.address, &good).await.status;
    assert_eq!((first, exchange.users.asked.load(Ordering::SeqCst)), (201, 1));
    assert_eq!(ask(exchange.stage.address, &good).await.code(), "replayed");
    let late = exchange.signed(REGISTER, r#"{"email":"c@b"}"#).await;
    exchange.stage.ahead.store(310_000, Ordering::SeqCst);
    assert_eq!(ask(exchange.stage.address, &late).await.code(), "too_old");
    assert_eq!(exchange.users.asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn hundreds_of_copies_of_one_registration_ask_for_one_user() {
    let exchange = Exchange::start().await;
    let good = exchange.signed(REGISTER, r#"{"email":"a@b"}"#).await;
    let copies: Vec<_> = (0..200)
        .map(|_| {
            let (address, good) = (exchange.stage.address, good.clone());
            tokio::spawn(async move { ask(address, &good).await.status })
        })
        .collect();
    let mut statuses = Vec::new();
    for copy in copies {
        statuses.push(copy.await.unwrap());
    }
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1);
    assert_eq!(exchange.users.asked.load(Ordering::SeqCst), 1);
}
