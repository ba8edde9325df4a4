//! The end of the chain: what was verified for the first time, and what of it goes on.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::{Identity, SignedBy};
use crate::algorithm::Scheme;
use crate::basis::{Accompanied, Basis};
use crate::coverage::Coverage;
use crate::key::VerifyingKey;
use crate::message::Head;
use crate::policy::{Demands, Policy};
use crate::primitive::sha256;
use crate::rejection::{Code, Rejection};
use crate::scheme::app_hmac::CREDENTIALS;
use crate::scheme::{Payload, Reframed, Signed, SignedBytes};
use crate::seal::Openers;
use crate::time::Timestamp;
use crate::token::{Token, TokenJudge};

/// Authentic, and the first of its kind.
#[must_use]
pub struct Fresh {
    pub(super) head: Head,
    pub(super) policy: Arc<Policy>,
    pub(super) signed: Box<Signed>,
    pub(super) key: Arc<VerifyingKey>,
    pub(super) identity: Identity,
    /// The body, where fields in it are to be opened.
    pub(super) closed: Option<Bytes>,
    /// When it was judged.
    pub(super) now: Timestamp,
    /// The token that came with it.
    pub(super) token: Option<Box<Token>>,
}

impl Fresh {
    /// Who signed, as plain data. Proves nothing by itself.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Whether [`Fresh::unpack`] may have milliseconds of work, so that an asynchronous caller hands it to a thread that may
    /// block: every sealed field takes a private operation.
    #[must_use]
    pub fn takes_long(&self) -> bool {
        let derived = match &self.signed.payload {
            Payload::Derived(bytes, _) => bytes.len(),
            Payload::AsReceived | Payload::Reframed(_) => 0,
        };
        self.policy.opens() && derived.max(self.closed.as_ref().map_or(0, Bytes::len)) > 4 << 10
    }

    /// Checks the user token that came with it, where the policy demands one: it has to be for a user of the partner who signed,
    /// or somebody else's user could be spoken for.
    ///
    /// # Errors
    /// What [`TokenJudge::check`] says; `coverage_too_small` where the signature does not cover `authorization`;
    /// `partner_not_allowed` where another partner's site vouched.
    pub fn accompanied(mut self, judge: &TokenJudge<'_>) -> Result<Self, Rejection> {
        if !self.policy.demands.user_token {
            return Ok(self);
        }
        let facts = &self.signed.facts;
        if !self.signed.coverage.has_field(&header::AUTHORIZATION) {
            let rejection = Rejection::new(Code::CoverageTooSmall, "the signature does not cover authorization");
            return Err(facts.blame(rejection));
        }
        let token = judge.check(&self.head).map_err(|rejection| facts.blame(rejection))?;
        if token.partner() != &*self.identity.partner {
            let reason = "the token is for a user of another partner than the one who signed";
            return Err(facts.blame(Rejection::new(Code::PartnerNotAllowed, reason)));
        }
        self.token = Some(Box::new(token));
        Ok(self)
    }

    /// The key that signed, for what outlives the request.
    #[must_use]
    pub fn signer(&self) -> SignedBy {
        SignedBy(Arc::clone(&self.key))
    }

    /// Takes out what the upstream will get: the signed payload, or `body` as it was kept while it passed
    /// [`Open::push`](super::Open::push). Sealed fields are opened here by `openers`.
    ///
    /// # Errors
    /// `malformed` where a sealed field can't be opened; `token_missing` where the policy demands a user token and none was checked.
    pub fn unpack<B>(self, openers: &Openers, body: B) -> Result<Ready<B>, Rejection> {
        let Self { mut head, policy, mut signed, identity, closed, now, token, .. } = self;
        if policy.demands.user_token && token.is_none() {
            return Err(Rejection::new(Code::TokenMissing, "no user token was checked"));
        }
        let opened = |closed: &Bytes| -> Result<Option<Bytes>, Rejection> {
            if !policy.opens() || (closed.is_empty() && !head.has_body()) {
                return Ok(None);
            }
            let Demands { open, unbound, .. } = policy.demands();
            let opened = openers.open(closed, open, &identity.partner, *unbound, now)?;
            // Wiped once the upstream has it.
            Ok(Some(opened).filter(|opened| opened[..] != closed[..]).map(Bytes::from_owner))
        };
        let payload = match (std::mem::replace(&mut signed.payload, Payload::AsReceived), closed) {
            (Payload::AsReceived, None) => Delivery::AsReceived(body),
            (Payload::AsReceived, Some(closed)) => match opened(&closed)? {
                None => Delivery::Received(closed, body),
                Some(opened) => {
                    describe_derived(head.headers_mut(), None);
                    derived(opened, &signed.bytes, body)
                }
            },
            (Payload::Reframed(reframed), closed) => {
                // No form is a document with fields to open, and is told so.
                closed.as_ref().map(opened).transpose()?;
                let Reframed { before, kept, after, content_type } = reframed;
                describe_derived(head.headers_mut(), Some(content_type));
                Delivery::Reframed { before, kept, after, body }
            }
            (Payload::Derived(bytes, content_type), _) => {
                let opened = opened(&bytes)?;
                describe_derived(head.headers_mut(), content_type);
                derived(opened.unwrap_or(bytes), &signed.bytes, body)
            }
        };
        let credentials: &[&str] = match signed.facts.scheme {
            Scheme::Pki => &["authorization"],
            Scheme::AppHmac => &CREDENTIALS,
            Scheme::HttpMessageSignatures | Scheme::TrustedSite => &[],
        };
        let coverage = &signed.coverage;
        remove(head.headers_mut(), |name| {
            credentials.contains(&name.as_str()) || (is_override(name) && !coverage.has_field(name))
        });
        if !head.trailers().is_empty() {
            remove(head.trailers_mut(), |name| !coverage.has_trailer(name));
        }
        Ok(Ready { head, identity, payload, signed, token })
    }
}

/// What goes on in place of the body that came. Where it is all that was signed, its hash is known.
fn derived<B>(payload: Bytes, signed: &SignedBytes, body: B) -> Delivery<B> {
    let is_signed = signed.kept() == Some(&payload[..]);
    let sha256 = if is_signed { signed.sha256() } else { sha256(&payload) };
    Delivery::Derived { payload, sha256, body }
}

/// Fields that describe a body which is no longer the one that came.
fn describe_derived(headers: &mut HeaderMap, content_type: Option<HeaderValue>) {
    const STALE: [&str; 7] =
        ["digest", "content-md5", "repr-digest", "content-digest", "signature", "signature-input", "content-encoding"];
    remove(headers, |name| STALE.contains(&name.as_str()));
    if let Some(content_type) = content_type {
        headers.insert(header::CONTENT_TYPE, content_type);
    }
}

/// Fields by which some servers let a request become another one. They pass only where they were signed.
pub(crate) fn drop_overrides(headers: &mut HeaderMap, coverage: &Coverage) {
    remove(headers, |name| is_override(name) && !coverage.has_field(name));
}

fn is_override(name: &HeaderName) -> bool {
    const OVERRIDES: [&str; 5] =
        ["x-http-method-override", "x-http-method", "x-method-override", "x-original-url", "x-rewrite-url"];
    // `_` counts as `-`, as it does for many servers.
    let same = |one: u8, other: u8| one == other || (one == b'_' && other == b'-');
    let name = name.as_str();
    let is = |it: &&str| it.len() == name.len() && name.bytes().zip(it.bytes()).all(|(a, b)| same(a, b));
    name.starts_with('x') && OVERRIDES.iter().any(is)
}

/// Removes fields in one walk over the names that are there: nearly always there is none to remove.
fn remove(headers: &mut HeaderMap, doomed: impl Fn(&HeaderName) -> bool) {
    let doomed: Vec<HeaderName> = headers.keys().filter(|name| doomed(name)).cloned().collect();
    for name in doomed {
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
    token: Option<Box<Token>>,
}

/// The body that goes on.
#[derive(Debug)]
pub enum Delivery<B> {
    /// What came, as the caller kept it.
    AsReceived(B),
    /// What came, and was kept here, since there could have been fields to open. Beside it what the caller kept.
    Received(Bytes, B),
    /// Made anew from what was signed, or with opened fields.
    Derived {
        /// What goes on.
        payload: Bytes,
        /// Its SHA-256, for a digest beside it.
        sha256: [u8; 32],
        /// What the caller kept, which does not go on.
        body: B,
    },
    /// A part of what the caller kept, between bytes that were made anew of what was signed.
    Reframed {
        /// What stands before it.
        before: Bytes,
        /// Where the part begins in what came, and where it ends.
        kept: Range<u64>,
        /// What stands behind it.
        after: Bytes,
        /// What came, as the caller kept it.
        body: B,
    },
}

impl Delivery<Bytes> {
    /// The body that goes on, for a caller who kept all that came in memory.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        match self {
            Self::AsReceived(bytes) | Self::Received(bytes, _) | Self::Derived { payload: bytes, .. } => bytes,
            Self::Reframed { before, kept, after, body } => {
                let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
                let part = body.get(place(kept.start)..place(kept.end)).unwrap_or_default();
                [&before[..], part, &after].concat().into()
            }
        }
    }
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

    /// What was signed, byte for byte; see [`Authentic::signed_bytes`](super::Authentic::signed_bytes).
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

    /// Why it goes on: signed, or with a token beside.
    pub fn basis(mut self) -> Basis<B> {
        match self.token.take() {
            None => Basis::Signed(self),
            Some(token) => Basis::Both(Accompanied { ready: self, token }),
        }
    }

    /// The parts, leaving the proof behind.
    pub fn into_parts(self) -> (Head, Delivery<B>, Identity) {
        (self.head, self.payload, self.identity)
    }
}
