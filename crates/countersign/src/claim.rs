//! The chain: each step consumes the proof that the step before produced, so leaving one out or swapping two does not
//! compile.

mod fresh;

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;

use crate::algorithm::{Algorithm, Scheme};
use crate::digest::{Digests, Running};
use crate::judge::Facts;
use crate::key::{KeyRecord, Keys, VerifyingKey};
use crate::message::Head;
use crate::policy::Policy;
use crate::quota::{Count, Quota, Tally};
use crate::rejection::{Code, Refusal, Rejection};
use crate::replay::{ReplayStore, Seen, Use, UseMark};
use crate::scheme::app_hmac;
use crate::scheme::http_message_signatures::{self, Base, Candidate};
use crate::scheme::{self, Reading, Signed, SignedBytes, Stream, Whole};
use crate::time::Timestamp;

pub(crate) use fresh::drop_overrides;
pub use fresh::{Delivery, Fresh, Ready};

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
            OpenKind::Head(_) | OpenKind::Trailers(_) | OpenKind::Keyed(_) => 0,
            OpenKind::Stream(ref stream) => stream.weight(),
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
        // Of a head that somebody else holds, too, that would be a copy of all of it.
        if !trailers.is_empty() {
            *self.head.trailers_mut() = trailers;
        }
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
                signed.bytes = SignedBytes::of(bytes);
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
        Ok(self.first_use_counted(keys, replay, None, now).await?.0)
    }

    /// As [`Authentic::first_use`], and counts the message for its partner at a route, where the store does that for all who
    /// share it; without a tally it is still to be counted. A tally may say that it was too much.
    ///
    /// # Errors
    /// As [`Authentic::first_use`].
    pub async fn first_use_counted(
        self,
        keys: &Keys,
        replay: &dyn ReplayStore,
        limit: Option<(&str, Quota)>,
        now: Timestamp,
    ) -> Result<(Fresh, Option<Tally>), Refusal> {
        self.still_holds(keys, now)?;
        let once = self.once();
        let count = limit.map(|(route, quota)| Count { route, partner: &self.key.record().partner, quota });
        let (seen, tally) = match (&once, &count) {
            (once, Some(count)) => replay.first_use_counted(once.as_ref(), count, now).await?,
            (Some(once), None) => (replay.first_use(once, now).await?, None),
            (None, None) => (Seen::First, None),
        };
        if seen == Seen::Again {
            return Err(Rejection::new(Code::Replayed, "this request was admitted before").into());
        }
        let Self { head, policy, signed, key, closed } = self;
        let identity = Identity::of(&signed.facts, &key);
        Ok((Fresh { head, policy, signed, key, identity, closed, now, token: None }, tally))
    }

    /// Age and key, judged again.
    fn still_holds(&self, keys: &Keys, now: Timestamp) -> Result<(), Rejection> {
        self.signed.facts.check_time(&self.policy, now)?;
        if is_usable(&self.key, keys, now) {
            return Ok(());
        }
        Err(Rejection::new(Code::KeyNotUsable, "the key was withdrawn while the body came"))
    }

    /// The use to spend; `None` where the route takes messages that say neither when nor which.
    fn once(&self) -> Option<Use> {
        let Self { signed, key, policy, .. } = self;
        let facts = &signed.facts;
        let created = facts.created?;
        let by_bytes = || UseMark::signed_bytes(key.fingerprint(), &signed.bytes.sha256());
        let (first, second) = match (&facts.nonce, facts.scheme) {
            (Some(nonce), Scheme::HttpMessageSignatures) => (UseMark::nonce(key.fingerprint(), nonce), None),
            (Some(nonce), _) => (by_bytes(), Some(UseMark::nonce(key.fingerprint(), nonce))),
            (None, _) => (by_bytes(), None),
        };
        let [high, low, ..] = *key.fingerprint();
        let until = policy.remember_until(facts.scheme, created);
        let (scheme, group) = (facts.scheme, u16::from_be_bytes([high, low]));
        Some(Use { first, second, signed: created, until, scheme, group })
    }
}

/// Whether this very key still verifies.
fn is_usable(key: &VerifyingKey, keys: &Keys, now: Timestamp) -> bool {
    let record = key.record();
    let mut known = keys.versions(record.scheme, &record.id).iter();
    known.any(|known| known.fingerprint() == key.fingerprint() && known.usable(now))
}

/// The key that something was granted for which goes on after the request, so that it can end with the key.
pub struct SignedBy(Arc<VerifyingKey>);

impl SignedBy {
    /// Whether a message signed by it at `now` would still be judged good, by these keys.
    #[must_use]
    pub fn is_usable(&self, keys: &Keys, now: Timestamp) -> bool {
        is_usable(&self.0, keys, now)
    }
}

/// Who signed, with which key and when. Plain data for headers and logs: nothing accepts it as a proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The partner's name.
    pub partner: Arc<str>,
    /// The key's id as it stands on the wire.
    pub key: Arc<str>,
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
        Self { created: facts.created, ..key.identity().clone() }
    }

    /// Whose key it is, without a message.
    pub(crate) fn of_record(record: &KeyRecord) -> Self {
        Self {
            partner: record.partner.as_str().into(),
            key: record.id.as_str().into(),
            version: record.version,
            scheme: record.scheme,
            algorithm: record.algorithm,
            created: None,
        }
    }
}
