use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use countersign::{
    Algorithm, AppHmacForm, BoxFuture, Claim, Code, Delivery, Demands, Draft, Form, Head, KeyRecord, KeyState, Keys,
    Material, Openers, Policy, Ready, Refusal, Rejection, ReplayStore, Scheme, Seen, SharedSecret, SignError, Signed,
    Signer, SigningKey, Timestamp, Unavailable, Use, VerifyingKey,
};
use http::HeaderMap;

/// What a fuzz target takes for now, unless its input says otherwise.
pub(super) const NOW: Timestamp = Timestamp::from_secs(1_795_000_000);

/// Somebody who signs, and who is known.
pub(super) struct Party {
    pub(super) signer: SigningKey,
    pub(super) record: KeyRecord,
}

impl Party {
    /// With a key pair made now, or a shared secret that is always the same.
    pub(super) fn new(scheme: Scheme, algorithm: Algorithm, id: &str) -> Self {
        let (file, material) = if algorithm == Algorithm::HmacSha256 {
            let secret = format!("a shared secret under {id}").into_bytes();
            (secret.clone(), Material::Shared(SharedSecret::new(secret)))
        } else {
            let pair = SigningKey::generate(algorithm, 2048).expect("an algorithm with key pairs");
            let public = Material::from_public_pem(pair.public.as_bytes()).expect("our own file");
            (pair.private.as_bytes().to_vec(), public)
        };
        let record = KeyRecord {
            partner: "acme".into(),
            partner_active: true,
            id: id.into(),
            version: 1,
            scheme,
            algorithm,
            state: KeyState::Active,
            not_before: None,
            not_after: None,
            form: None,
            material,
        };
        let signer = SigningKey::from_file(&file, scheme, Some(algorithm)).expect("our own file");
        Self { signer, record }
    }

    pub(super) fn with_form(mut self, form: AppHmacForm) -> Self {
        self.record.form = Some(form);
        self
    }

    pub(super) fn keys(&self) -> Keys {
        Keys::new([self.verifying()])
    }

    pub(super) fn verifying(&self) -> VerifyingKey {
        VerifyingKey::new(self.record.clone()).expect("a good key")
    }

    /// A signature over these very bytes.
    pub(super) fn signature(&self, bytes: &[u8]) -> Vec<u8> {
        ready(self.signer.sign(bytes)).expect("a key in this process signs")
    }
}

/// Signs whatever it is given with the same bytes, at no cost: for what is signed, not by whom.
pub(super) struct Stamp(pub(super) Algorithm);

impl Signer for Stamp {
    fn algorithm(&self) -> Algorithm {
        self.0
    }

    fn sign<'a>(&'a self, _: &'a [u8]) -> BoxFuture<'a, Result<Vec<u8>, Unavailable>> {
        Box::pin(std::future::ready(Ok(vec![0; 4])))
    }
}

pub(super) fn sign(
    head: Head,
    body: &[u8],
    trailers: &HeaderMap,
    form: Form,
    signer: &dyn Signer,
) -> Result<Signed, SignError> {
    let mut draft = Draft::new(head, form);
    draft.push(body);
    draft.trailers(trailers.clone());
    ready(draft.finish("a nonce of 16 bytes", NOW)?.sign(signer))
}

/// A policy that lets pass whatever is signed, however old or early.
pub(super) fn lenient(scheme: Scheme, change: impl FnOnce(&mut Demands)) -> Arc<Policy> {
    let mut demands = Demands {
        schemes: vec![scheme],
        require: Vec::new(),
        max_age: Duration::from_secs(1_000_000_000_000),
        max_skew: Some(Duration::from_secs(1_000_000_000_000)),
        max_body: 1 << 16,
        unsigned_target: true,
        ..Demands::default()
    };
    demands.http_message_signatures.nonce_optional = true;
    change(&mut demands);
    Arc::new(Policy::dangerous_without_coverage(demands).expect("a policy"))
}

/// Walks a message through the whole chain, its body in parts of `part` bytes.
pub(super) fn pass(
    head: Head,
    body: &[u8],
    trailers: &HeaderMap,
    part: usize,
    keys: &Keys,
    policy: &Arc<Policy>,
    now: Timestamp,
) -> Result<Ready<Bytes>, Code> {
    let code = |rejection: Rejection| rejection.code();
    let mut open = Claim::read(head, policy).map_err(code)?.check(keys, now).map_err(code)?;
    let mut kept = Vec::new();
    for chunk in body.chunks(part.max(1)) {
        kept.extend_from_slice(&open.push(Bytes::copy_from_slice(chunk)).map_err(code)?);
    }
    open.trailers(trailers.clone());
    let authentic = open.finish(keys, now).map_err(code)?;
    let signed = (authentic.signed_bytes().map(<[u8]>::to_vec), authentic.signed_hash());
    let fresh = ready(authentic.first_use(keys, &Forgetful, now)).map_err(|refusal| match refusal {
        Refusal::Rejected(rejection) => rejection.code(),
        Refusal::Unavailable(_) => Code::Unavailable,
    })?;
    let ready = fresh.unpack(&Openers::default(), Bytes::from(kept)).map_err(code)?;
    assert_eq!((ready.signed_bytes(), ready.signed_hash()), (signed.0.as_deref(), signed.1));
    Ok(ready)
}

/// The body that goes on.
pub(super) fn delivered(delivery: Delivery<Bytes>) -> Bytes {
    delivery.into_bytes()
}

/// The same message in one part and byte by byte has to end the same.
pub(super) fn judge(
    head: Result<Head, Rejection>,
    body: &[u8],
    trailers: &HeaderMap,
    keys: &Keys,
    policy: &Arc<Policy>,
) -> Result<Ready<Bytes>, Code> {
    let head = head.map_err(|rejection| rejection.code())?;
    let whole = pass(head.clone(), body, trailers, usize::MAX, keys, policy, NOW);
    let single = pass(head, body, trailers, 1, keys, policy, NOW);
    match (&whole, &single) {
        (Ok(one), Ok(other)) => {
            assert_eq!((one.signed_bytes(), one.signed_hash()), (other.signed_bytes(), other.signed_hash()));
            assert_eq!(one.identity(), other.identity());
        }
        (Err(one), Err(other)) => assert_eq!(one, other, "the parts of the body change the verdict"),
        (one, other) => {
            panic!("the parts of the body change the verdict: {:?}, {:?}", one.as_ref().err(), other.as_ref().err());
        }
    }
    whole
}

struct Forgetful;

impl ReplayStore for Forgetful {
    fn first_use<'a>(&'a self, _: &'a Use, _: Timestamp) -> BoxFuture<'a, Result<Seen, Unavailable>> {
        Box::pin(std::future::ready(Ok(Seen::First)))
    }
}

/// What a future gives that waits for nothing.
pub(super) fn ready<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("nothing here waits"),
    }
}
