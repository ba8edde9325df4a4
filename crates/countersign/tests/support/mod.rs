//! What the tests of the chain share: keys, messages, a replay memory, and a way to run a future that is ready.
#![allow(dead_code, unreachable_pub, missing_docs)]

pub mod published;

use std::collections::HashSet;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use countersign::*;
use http::{HeaderMap, Method};

pub const NOW: Timestamp = Timestamp::from_secs(1_795_000_000);

/// The form of an `app-hmac` key for which nobody said otherwise.
pub const APP_HMAC: AppHmacForm =
    AppHmacForm { layout: Layout::MethodFirst, unit: TimestampUnit::Seconds, nonce: NonceForm::Hex8 };

pub fn run<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the future was not ready"),
    }
}

#[derive(Default)]
pub struct Memory(Mutex<HashSet<UseMark>>);

impl ReplayStore for Memory {
    fn first_use<'a>(&'a self, once: &'a Use, _: Timestamp) -> BoxFuture<'a, Result<Seen, Unavailable>> {
        let mut known = self.0.lock().unwrap();
        let seen = if once.marks().any(|mark| known.contains(mark)) { Seen::Again } else { Seen::First };
        if seen == Seen::First {
            known.extend(once.marks().copied());
        }
        Box::pin(std::future::ready(Ok(seen)))
    }
}

/// A key of either half, made for one test.
pub struct Pair {
    pub signer: SigningKey,
    pub record: KeyRecord,
}

impl Pair {
    pub fn new(scheme: Scheme, algorithm: Algorithm, id: &str, partner: &str) -> Self {
        let (file, material) = if algorithm == Algorithm::HmacSha256 {
            let secret = format!("a shared secret of {partner} under {id}").into_bytes();
            (secret.clone(), Material::Shared(SharedSecret::from_file(secret)))
        } else {
            let pair = SigningKey::generate(algorithm, 2048).unwrap();
            (pair.private.as_bytes().to_vec(), Material::from_public_pem(pair.public.as_bytes()).unwrap())
        };
        let record = KeyRecord {
            partner: partner.into(),
            partner_active: true,
            id: id.into(),
            version: 1,
            scheme,
            algorithm,
            state: KeyState::Active,
            not_before: None,
            not_after: None,
            form: (scheme == Scheme::AppHmac).then_some(APP_HMAC),
            material,
        };
        Self { signer: SigningKey::from_file(&file, scheme, Some(algorithm)).unwrap(), record }
    }

    pub fn keys(&self) -> Keys {
        Keys::new([VerifyingKey::new(self.record.clone()).unwrap()])
    }
}

/// A request before it is a head.
#[derive(Clone)]
pub struct Request {
    pub method: Method,
    pub target: String,
    pub authority: String,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Request {
    pub fn post(target: &str, content_type: &str, body: &[u8]) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", content_type.parse().unwrap());
        Self {
            method: Method::POST,
            target: target.into(),
            authority: "api.example.com".into(),
            headers,
            body: body.into(),
        }
    }

    pub fn get(target: &str) -> Self {
        Self {
            method: Method::GET,
            target: target.into(),
            authority: "api.example.com".into(),
            headers: HeaderMap::new(),
            body: Vec::new(),
        }
    }

    pub fn head(&self) -> Result<Head, Rejection> {
        let origin = Origin::new(true, &self.authority)?;
        Head::request(self.method.clone(), &self.target, origin, self.headers.clone(), !self.body.is_empty())
    }

    pub fn sign(mut self, pair: &Pair, nonce: &str, now: Timestamp) -> Self {
        let form = Form { app_hmac: pair.record.form, ..Form::new(pair.record.scheme, &pair.record.id) };
        self.sign_as(pair, form, nonce, now);
        self
    }

    pub fn sign_as(&mut self, pair: &Pair, form: Form, nonce: &str, now: Timestamp) {
        let mut draft = Draft::new(self.head().unwrap(), form);
        draft.push(&self.body);
        let signed = run(draft.finish(nonce, now).unwrap().sign(&pair.signer)).unwrap();
        signed.apply(&mut self.headers);
        if let Some(body) = signed.body() {
            self.body = body.to_vec();
        }
    }

    /// Runs the whole chain.
    pub fn pass(
        &self,
        keys: &Keys,
        policy: &Arc<Policy>,
        memory: &Memory,
        now: Timestamp,
    ) -> Result<Ready<Bytes>, Code> {
        self.pass_by(None, keys, policy, memory, now)
    }

    /// Runs the whole chain, on a channel that proved this partner.
    pub fn pass_by(
        &self,
        channel: Option<&str>,
        keys: &Keys,
        policy: &Arc<Policy>,
        memory: &Memory,
        now: Timestamp,
    ) -> Result<Ready<Bytes>, Code> {
        let reject = |rejection: Rejection| rejection.code();
        let head = self.head().map_err(reject)?.on_channel_of(channel.map(Arc::from));
        let claim = Claim::read(head, policy).map_err(reject)?;
        let mut open = claim.check(keys, now).map_err(reject)?;
        let mut kept = Vec::new();
        for chunk in self.body.chunks(7) {
            kept.extend_from_slice(&open.push(Bytes::copy_from_slice(chunk)).map_err(reject)?);
        }
        let authentic = open.finish(keys, now).map_err(reject)?;
        let fresh = run(authentic.first_use(keys, memory, now)).map_err(|refusal| match refusal {
            Refusal::Rejected(rejection) => rejection.code(),
            Refusal::Unavailable(_) => Code::Unavailable,
        })?;
        fresh.unpack(&Openers::default(), Bytes::from(kept)).map_err(reject)
    }
}

pub fn policy(change: impl FnOnce(&mut Demands)) -> Arc<Policy> {
    let mut demands = Demands { path: "/orders".into(), ..Demands::default() };
    change(&mut demands);
    Arc::new(Policy::new(demands).unwrap())
}
