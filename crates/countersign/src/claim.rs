//! The chain: each step consumes the proof that the step before produced, so leaving one out or swapping two does not
//! compile.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::algorithm::{Algorithm, Scheme};
use crate::coverage::Coverage;
use crate::digest::{Digests, Running};
use crate::judge::Facts;
use crate::key::{Keys, VerifyingKey};
use crate::message::Head;
use crate::policy::{Demands, Policy};
use crate::rejection::{Code, Refusal, Rejection};
use crate::replay::{ReplayStore, Seen, Use, UseMark};
use crate::scheme::app_hmac::{self, CREDENTIALS};
use crate::scheme::http_message_signatures::{self, Base, Candidate};
use crate::scheme::{self, Payload, Reading, Signed, SignedBytes, Stream, Whole};
use crate::seal::Openers;
use crate::time::Timestamp;

/// What a message says of itself. Nothing in it has been checked but its form.
#[must_use = "a claim proves nothing until it is checked"]
pub struct Claim {
    head: Head,
    policy: Arc<Policy>,
    reading: Reading,
}

impl Claim {
    /// Reads what the head says, under the policy of the route it came to. Costs no key and no cryptography.
    ///
    /// # Errors
    /// `malformed`, `ambiguous`, `unsigned`, `scheme_not_allowed`; `coverage_too_small` where no signature carries the tag
    /// that the route asks for.
    pub fn read(head: Head, policy: &Arc<Policy>) -> Result<Self, Rejection> {
        let reading = scheme::read(&head, policy)?;
        Ok(Self { head, policy: Arc::clone(policy), reading })
    }

    /// Checks all that the head can prove. Only what comes out of it may ask for a body.
    ///
    /// # Errors
    /// In this order: `ambiguous`, `unknown_signer`, `too_old` or `not_yet_valid`, `coverage_too_small`, `key_not_usable`,
    /// `algorithm_mismatch`, `bad_signature`, `partner_not_allowed`, `channel_mismatch`. A scheme that signs the body is
    /// judged at [`Open::finish`].
    pub fn check(self, keys: &Keys, now: Timestamp) -> Result<Open, Rejection> {
        let Self { head, policy, reading } = self;
        let kind = match reading {
            Reading::Head(candidates) => {
                let Candidate { signed, base, .. } = candidates.choose(&head, keys)?;
                match base {
                    Base::Built(digests) => {
                        let key = signed.judge(head.channel(), keys, &policy, now)?;
                        let body = Running::new(&digests);
                        OpenKind::Head(HeadProof { signed, key, digests, body })
                    }
                    // Judged as a whole once the trailers are there: an early answer would say which keys exist.
                    Base::Pending(input) => OpenKind::Trailers(TrailerClaim { signed, input, body: Running::of_all() }),
                }
            }
            Reading::Stream(stream) => OpenKind::Stream(stream),
            Reading::Whole(whole) => OpenKind::Whole(whole, BytesMut::new()),
            Reading::Keyed(credentials) => OpenKind::Keyed(Box::new(credentials.begin(&head, keys, &policy, now)?)),
        };
        let collects = policy.opens() && !matches!(kind, OpenKind::Whole(..));
        let closed = collects.then(BytesMut::new);
        Ok(Open { head, policy, kind, received: 0, closed })
    }
}

/// All that the head can prove holds. Takes the body.
#[must_use = "the body's digest or signature is still to be checked"]
pub struct Open {
    head: Head,
    policy: Arc<Policy>,
    kind: OpenKind,
    received: u64,
    /// The body, where fields in it are to be opened and the scheme does not keep it anyway.
    closed: Option<BytesMut>,
}

enum OpenKind {
    Head(HeadProof),
    Trailers(TrailerClaim),
    Stream(Box<dyn Stream>),
    Whole(Box<dyn Whole>, BytesMut),
    Keyed(Box<app_hmac::Running>),
}

struct HeadProof {
    signed: Box<Signed>,
    key: Arc<VerifyingKey>,
    digests: Digests,
    body: Running,
}

/// A signature over trailers: what was signed is known once they came.
struct TrailerClaim {
    signed: Box<Signed>,
    input: String,
    body: Running,
}

impl Open {
    /// Takes the next part of the body, and gives back what may be kept of it outside: the same bytes, or none where the
    /// scheme needs the whole body in memory.
    ///
    /// # Errors
    /// `body_too_large` beyond the policy's limit; `malformed` where a streaming scheme can't read the body.
    pub fn push(&mut self, chunk: Bytes) -> Result<Bytes, Rejection> {
        self.received = self.received.saturating_add(chunk.len() as u64);
        if self.received > self.policy.demands.max_body {
            let limit = self.policy.demands.max_body;
            return Err(Rejection::new(Code::BodyTooLarge, format!("the body is longer than {limit} bytes")));
        }
        match &mut self.kind {
            OpenKind::Head(proof) => proof.body.update(&chunk),
            OpenKind::Trailers(claim) => claim.body.update(&chunk),
            OpenKind::Stream(stream) => stream.push(&chunk)?,
            OpenKind::Whole(_, body) => {
                body.extend_from_slice(&chunk);
                return Ok(Bytes::new());
            }
            OpenKind::Keyed(running) => running.push(&chunk),
        }
        match &mut self.closed {
            None => Ok(chunk),
            Some(closed) => {
                closed.extend_from_slice(&chunk);
                Ok(Bytes::new())
            }
        }
    }

    /// Adds to a fault of the body whom the message claims to be from, as far as its head says, for the log.
    #[must_use]
    pub fn blame(&self, rejection: Rejection) -> Rejection {
        match &self.kind {
            OpenKind::Head(proof) => proof.signed.facts.blame(rejection),
            OpenKind::Trailers(claim) => claim.signed.facts.blame(rejection),
            OpenKind::Stream(_) | OpenKind::Whole(..) | OpenKind::Keyed(..) => rejection,
        }
    }

    /// How many bytes of memory a byte of the body may take here while it is judged, about, beside what the caller keeps of it:
    /// none where it is only hashed; where it is read as a document itself, the tree and the printing. For whoever bounds what
    /// all bodies take together.
    #[must_use]
    pub fn weight(&self) -> usize {
        match self.kind {
            _ if self.closed.is_some() => 8,
            OpenKind::Head(_) | OpenKind::Trailers(_) | OpenKind::Stream(_) | OpenKind::Keyed(_) => 0,
            OpenKind::Whole(..) => 8,
        }
    }

    /// Whether a signature over the head was verified. Where not, the body may be anybody's: whoever bounds what bodies take
    /// leaves them less.
    #[must_use]
    pub fn head_holds(&self) -> bool {
        matches!(self.kind, OpenKind::Head(_))
    }

    /// Whether [`Open::finish`] has milliseconds of work with this body, so that an asynchronous caller hands it to a thread
    /// that may block.
    #[must_use]
    pub fn takes_long(&self) -> bool {
        self.weight() > 0 && self.received > 256 << 10
    }

    /// Takes the trailers that came behind the body. Those that the signature covers go on with the message, no others.
    pub fn trailers(&mut self, trailers: HeaderMap) {
        *self.head.trailers_mut() = trailers;
    }

    /// The body has ended: its digest, or the signature over it, is checked.
    ///
    /// # Errors
    /// `digest_mismatch`; for schemes that sign the body every fault of [`Claim::check`], in the same order.
    pub fn finish(self, keys: &Keys, now: Timestamp) -> Result<Authentic, Rejection> {
        let Self { head, policy, kind, closed, .. } = self;
        let (signed, key) = match kind {
            OpenKind::Head(HeadProof { signed, key, digests, body }) => {
                body.finish(digests).map_err(|rejection| signed.facts.blame(rejection))?;
                (signed, key)
            }
            OpenKind::Trailers(TrailerClaim { mut signed, input, body }) => {
                let (bytes, digests) = http_message_signatures::build_pending(&head, &input)?;
                signed.bytes = SignedBytes::Kept(bytes);
                let key = signed.judge(head.channel(), keys, &policy, now)?;
                body.finish(digests).map_err(|rejection| signed.facts.blame(rejection))?;
                (signed, key)
            }
            OpenKind::Stream(stream) => {
                let signed = stream.finish(&head, &policy)?;
                let key = signed.judge(head.channel(), keys, &policy, now)?;
                (signed, key)
            }
            OpenKind::Whole(whole, body) => {
                let signed = whole.finish(&head, &body.freeze(), &policy)?;
                let key = signed.judge(head.channel(), keys, &policy, now)?;
                (signed, key)
            }
            OpenKind::Keyed(running) => running.finish(&head, keys, &policy, now)?,
        };
        Ok(Authentic { head, policy, signed, key, closed: closed.map(BytesMut::freeze) })
    }
}

/// The signature holds, for head and body. It might still be a replay.
#[must_use = "an authentic message may be a replay"]
pub struct Authentic {
    head: Head,
    policy: Arc<Policy>,
    signed: Box<Signed>,
    key: Arc<VerifyingKey>,
    closed: Option<Bytes>,
}

impl Authentic {
    /// Who signed, as plain data. Proves nothing by itself.
    #[must_use]
    pub fn identity(&self) -> Identity {
        Identity::of(&self.signed.facts, &self.key)
    }

    /// What was signed, byte for byte: the signature base, or the body's printing. `None` for `app-hmac`, whose signed bytes
    /// hold the body, of which nothing is kept.
    #[must_use]
    pub fn signed_bytes(&self) -> Option<&[u8]> {
        self.signed.bytes.kept()
    }

    /// The SHA-256 of what was signed.
    #[must_use]
    pub fn signed_hash(&self) -> [u8; 32] {
        self.signed.bytes.sha256()
    }

    /// Spends the message's one use. Age, expiry and the key's state are judged again, since a body may have taken long.
    ///
    /// # Errors
    /// `too_old`, `key_not_usable`, `replayed`; [`crate::Unavailable`] where the store can't tell.
    pub async fn first_use(self, keys: &Keys, replay: &dyn ReplayStore, now: Timestamp) -> Result<Fresh, Refusal> {
        let Self { head, policy, signed, key, closed } = self;
        let facts = &signed.facts;
        facts.check_time(&policy, now)?;
        let record = key.record();
        let still_usable = keys
            .versions(record.scheme, &record.id)
            .iter()
            .any(|now_known| now_known.fingerprint() == key.fingerprint() && now_known.usable(now));
        if !still_usable {
            return Err(Rejection::new(Code::KeyNotUsable, "the key was withdrawn while the body came").into());
        }
        if let Some(created) = facts.created {
            let by_bytes = || UseMark::signed_bytes(key.fingerprint(), &signed.bytes.sha256());
            let (first, second) = match (&facts.nonce, facts.scheme) {
                (Some(nonce), Scheme::HttpMessageSignatures) => (UseMark::nonce(key.fingerprint(), nonce), None),
                (Some(nonce), _) => (by_bytes(), Some(UseMark::nonce(key.fingerprint(), nonce))),
                (None, _) => (by_bytes(), None),
            };
            let [high, low, ..] = *key.fingerprint();
            let until = policy.remember_until(facts.scheme, created);
            let once = Use { first, second, signed: created, until, group: u16::from_be_bytes([high, low]) };
            match replay.first_use(&once, now).await? {
                Seen::First => {}
                Seen::Again => return Err(Rejection::new(Code::Replayed, "this request was admitted before").into()),
            }
        }
        let identity = Identity::of(facts, &key);
        Ok(Fresh { head, policy, signed, identity, closed, now })
    }
}

/// Authentic, and the first of its kind.
#[must_use]
pub struct Fresh {
    head: Head,
    policy: Arc<Policy>,
    signed: Box<Signed>,
    identity: Identity,
    closed: Option<Bytes>,
    /// When it was judged.
    now: Timestamp,
}

impl Fresh {
    /// Whether [`Fresh::unpack`] may have milliseconds of work, so that an asynchronous caller hands it to a thread that may
    /// block: every sealed field takes a private operation.
    #[must_use]
    pub fn takes_long(&self) -> bool {
        let derived = match &self.signed.payload {
            Payload::Derived(bytes, _) => bytes.len(),
            Payload::AsReceived => 0,
        };
        self.policy.opens() && derived.max(self.closed.as_ref().map_or(0, Bytes::len)) > 4 << 10
    }

    /// Takes out what the upstream will get: the signed payload, or `body` as it was kept while it passed
    /// [`Open::push`]. Sealed fields are opened here by `openers`.
    ///
    /// # Errors
    /// `malformed` where a sealed field can't be opened.
    pub fn unpack<B>(self, openers: &Openers, body: B) -> Result<Ready<B>, Rejection> {
        let Self { mut head, policy, mut signed, identity, closed, now } = self;
        let opened = |closed: &Bytes| -> Result<Option<Bytes>, Rejection> {
            if !policy.opens() || (closed.is_empty() && !head.has_body()) {
                return Ok(None);
            }
            let Demands { open, unbound, .. } = policy.demands();
            let opened = openers.open(closed, open, &identity.partner, *unbound, now)?;
            Ok(Some(&opened[..]).filter(|opened| opened != closed).map(Bytes::copy_from_slice))
        };
        let payload = match (std::mem::replace(&mut signed.payload, Payload::AsReceived), closed) {
            (Payload::AsReceived, None) => Delivery::AsReceived(body),
            (Payload::AsReceived, Some(closed)) => match opened(&closed)? {
                None => Delivery::Received(closed, body),
                Some(opened) => {
                    describe_derived(head.headers_mut(), None);
                    Delivery::Derived(opened, body)
                }
            },
            (Payload::Derived(bytes, content_type), _) => {
                let opened = opened(&bytes)?;
                describe_derived(head.headers_mut(), content_type);
                Delivery::Derived(opened.unwrap_or(bytes), body)
            }
        };
        let credentials: &[&str] = match signed.facts.scheme {
            Scheme::Pki => &["authorization"],
            Scheme::AppHmac => &CREDENTIALS,
            Scheme::HttpMessageSignatures | Scheme::TrustedSite => &[],
        };
        for &name in credentials {
            head.headers_mut().remove(name);
        }
        let coverage = &signed.coverage;
        drop_overrides(head.headers_mut(), coverage);
        let unsigned: Vec<_> = head.trailers().keys().filter(|name| !coverage.has_trailer(name)).cloned().collect();
        for name in unsigned {
            head.trailers_mut().remove(name);
        }
        Ok(Ready { head, identity, payload, signed })
    }
}

/// Fields that describe a body which is no longer the one that came.
fn describe_derived(headers: &mut HeaderMap, content_type: Option<HeaderValue>) {
    const STALE: [&str; 7] =
        ["digest", "content-md5", "repr-digest", "content-digest", "signature", "signature-input", "content-encoding"];
    for name in STALE {
        headers.remove(name);
    }
    if let Some(content_type) = content_type {
        headers.insert(http::header::CONTENT_TYPE, content_type);
    }
}

/// Fields by which some servers let a request become another one. They pass only where they were signed.
pub(crate) fn drop_overrides(headers: &mut HeaderMap, coverage: &Coverage) {
    const OVERRIDES: [&str; 5] =
        ["x-http-method-override", "x-http-method", "x-method-override", "x-original-url", "x-rewrite-url"];
    // `_` counts as `-`, as it does for many servers.
    let same = |one: u8, other: u8| one == other || (one == b'_' && other == b'-');
    let is_override = |name: &HeaderName| {
        let name = name.as_str();
        let is = |it: &&str| it.len() == name.len() && name.bytes().zip(it.bytes()).all(|(a, b)| same(a, b));
        name.starts_with('x') && OVERRIDES.iter().any(is)
    };
    let unsigned: Vec<_> =
        headers.keys().filter(|name| is_override(name) && !coverage.has_field(name)).cloned().collect();
    for name in unsigned {
        headers.remove(name);
    }
}

/// Verified, fresh and unpacked: exactly what the upstream will get, once it is on record.
#[must_use]
pub struct Ready<B> {
    head: Head,
    identity: Identity,
    payload: Delivery<B>,
    signed: Box<Signed>,
}

/// The body that goes on.
#[derive(Debug)]
pub enum Delivery<B> {
    /// What came, as the caller kept it.
    AsReceived(B),
    /// What came, and was kept here, since there could have been fields to open. Beside it what the caller kept.
    Received(Bytes, B),
    /// Made anew from what was signed, or with opened fields. Beside it what the caller kept, which does not go on.
    Derived(Bytes, B),
}

impl<B> Ready<B> {
    /// Who signed.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The head that goes on.
    #[must_use]
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Whether the signature covers the whole of this header field. Whoever forwards must not drop such a one.
    #[must_use]
    pub fn covers(&self, name: &HeaderName) -> bool {
        self.signed.coverage.has_field(name)
    }

    /// What was signed, byte for byte; see [`Authentic::signed_bytes`].
    #[must_use]
    pub fn signed_bytes(&self) -> Option<&[u8]> {
        self.signed.bytes.kept()
    }

    /// The SHA-256 of what was signed.
    #[must_use]
    pub fn signed_hash(&self) -> [u8; 32] {
        self.signed.bytes.sha256()
    }

    /// The signature over it.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        &self.signed.signature
    }

    /// The parts, leaving the proof behind.
    pub fn into_parts(self) -> (Head, Delivery<B>, Identity) {
        (self.head, self.payload, self.identity)
    }
}

/// Who signed, with which key and when. Plain data for headers and logs: nothing accepts it as a proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The partner's name.
    pub partner: String,
    /// The key's id as it stands on the wire.
    pub key: String,
    /// The key's version.
    pub version: u32,
    /// The scheme of the message.
    pub scheme: Scheme,
    /// The key's algorithm.
    pub algorithm: Algorithm,
    /// When it was signed, where the message says so.
    pub created: Option<Timestamp>,
}

impl Identity {
    fn of(facts: &Facts, key: &VerifyingKey) -> Self {
        let record = key.record();
        Self {
            partner: record.partner.clone(),
            key: record.id.clone(),
            version: record.version,
            scheme: record.scheme,
            algorithm: record.algorithm,
            created: facts.created,
        }
    }
}
