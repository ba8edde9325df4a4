//! The schemes: each a codec that turns a message into one reading, and a draft into a signed message.

pub(crate) mod app_hmac;
pub(crate) mod http_message_signatures;
pub(crate) mod pki;
pub(crate) mod trusted_site;

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, header};

use crate::algorithm::Scheme;
use crate::coverage::Coverage;
use crate::judge::{self, Facts};
use crate::key::{Keys, VerifyingKey};
use crate::message::Head;
use crate::policy::Policy;
use crate::primitive::HashedOnce;
use crate::rejection::{Code, Rejection};
use crate::time::Timestamp;

/// What a message says, by how its signed bytes come about.
pub(crate) enum Reading {
    /// They are made of the head; the body is only hashed, and may be spooled.
    Head(http_message_signatures::Candidates),
    /// They end with the body, or with a hash of it: computed as it passes, and it may be spooled.
    Stream(Box<dyn Stream>),
    /// They are made of the body, which has to be in memory as a whole.
    Whole(Box<dyn Whole>),
    /// Their form is the key's, which is looked up first: their MAC is computed as the body passes, and it may be spooled.
    Keyed(Box<app_hmac::Credentials>),
}

/// A scheme whose signed bytes are computed while the body passes.
pub(crate) trait Stream: Send {
    /// Takes the next part of the body.
    fn push(&mut self, chunk: &[u8]) -> Result<(), Rejection>;
    /// How many bytes of memory a byte that comes now may take, as [`crate::Open::weight`] has it.
    fn weight(&self) -> usize;
    /// Ends the body.
    fn finish(self: Box<Self>, head: &Head, policy: &Policy) -> Result<Box<Signed>, Rejection>;
}

/// A scheme whose signed bytes are made of the whole body.
pub(crate) trait Whole: Send {
    /// Reads the body.
    fn finish(self: Box<Self>, head: &Head, body: &Bytes, policy: &Policy) -> Result<Box<Signed>, Rejection>;
}

/// What was signed, by whom, and what of it goes on. Large, and handed on from step to step: in a box.
pub(crate) struct Signed {
    pub(crate) facts: Facts,
    /// What of the head is signed; nothing where a scheme signs none of it by name.
    pub(crate) coverage: Coverage,
    /// What the signature is over, byte for byte, or their hash.
    pub(crate) bytes: SignedBytes,
    pub(crate) signature: Vec<u8>,
    pub(crate) payload: Payload,
}

impl Signed {
    /// Of a scheme that covers nothing of the head by name.
    fn body(facts: Facts, bytes: Vec<u8>, signature: Vec<u8>, payload: Payload) -> Box<Self> {
        let bytes = SignedBytes::of(bytes);
        Box::new(Self { facts, coverage: Coverage::default(), bytes, signature, payload })
    }

    /// The same where the body is in what was signed, and has passed: its hash is left.
    fn passed(facts: Facts, hash: [u8; 32], signature: Vec<u8>) -> Box<Self> {
        let (coverage, bytes) = (Coverage::default(), SignedBytes::Passed(hash));
        Box::new(Self { facts, coverage, bytes, signature, payload: Payload::AsReceived })
    }

    /// The key under which the signature holds.
    /// `channel` is the partner that the message's channel proved.
    pub(crate) fn judge(
        &self,
        channel: Option<&str>,
        keys: &Keys,
        policy: &Policy,
        now: Timestamp,
    ) -> Result<Arc<VerifyingKey>, Rejection> {
        match &self.bytes {
            SignedBytes::Kept(signed) => judge::judge(&self.facts, signed, &self.signature, channel, keys, policy, now),
            // Whoever let them pass had to check the signature meanwhile.
            SignedBytes::Passed(_) => Err(self.facts.blame(judge::bad_signature())),
        }
    }
}

/// The bytes that were signed.
#[derive(Clone, Debug)]
pub(crate) enum SignedBytes {
    /// All of them.
    Kept(HashedOnce),
    /// They hold the body, which has passed. Their SHA-256.
    Passed([u8; 32]),
}

impl SignedBytes {
    pub(crate) fn of(bytes: Vec<u8>) -> Self {
        Self::Kept(HashedOnce::new(bytes))
    }

    pub(crate) fn kept(&self) -> Option<&[u8]> {
        match self {
            Self::Kept(signed) => Some(signed.bytes()),
            Self::Passed(_) => None,
        }
    }

    pub(crate) fn sha256(&self) -> [u8; 32] {
        match self {
            Self::Kept(signed) => signed.sha256(),
            Self::Passed(hash) => *hash,
        }
    }
}

/// What the upstream gets as body.
#[derive(Clone, Debug)]
pub(crate) enum Payload {
    /// What came.
    AsReceived,
    /// What was signed, with its content type where that changes.
    Derived(Bytes, Option<HeaderValue>),
    /// A part of what came, between bytes that were made anew.
    Reframed(Reframed),
}

/// A body built anew around a part of the one that came.
#[derive(Clone, Debug)]
pub(crate) struct Reframed {
    pub(crate) before: Bytes,
    /// Where the part stands in the body as it came.
    pub(crate) kept: Range<u64>,
    pub(crate) after: Bytes,
    pub(crate) content_type: HeaderValue,
}

/// Finds the one scheme that marked this message. A message with the marks of two is ambiguous; no scheme is tried after
/// another failed.
pub(crate) fn read(head: &Head, policy: &Policy) -> Result<Reading, Rejection> {
    let admits = |scheme| policy.demands.schemes.contains(&scheme);
    let scheme = match marks(head)? {
        Some(scheme) => scheme,
        // The one scheme without a mark in the head.
        None if admits(Scheme::TrustedSite) => Scheme::TrustedSite,
        None => return Err(Rejection::new(Code::Unsigned, "no signature in a scheme that this route admits")),
    };
    let reading = match scheme {
        Scheme::HttpMessageSignatures => http_message_signatures::read(head, policy).map(Reading::Head),
        Scheme::Pki => pki::read(head, policy),
        Scheme::TrustedSite => trusted_site::read(head),
        Scheme::AppHmac => app_hmac::read(head).map(|credentials| Reading::Keyed(Box::new(credentials))),
    }?;
    if !admits(scheme) {
        return Err(Rejection::new(Code::SchemeNotAllowed, format!("this route does not admit {scheme}")));
    }
    Ok(reading)
}

/// Where no signature is asked for, a message that carries one all the same is told so, instead of passing unverified.
pub(crate) fn refuse_marked(head: &Head, policy: &Policy) -> Result<(), Rejection> {
    if !policy.is_by_token_alone() {
        return Err(Rejection::new(Code::Unsigned, "this route asks for a signature"));
    }
    match marks(head)? {
        None => Ok(()),
        Some(scheme) => Err(Rejection::new(Code::SchemeNotAllowed, format!("this route does not admit {scheme}"))),
    }
}

/// `Signature-Input` means RFC 9421 and nothing else; `AppId` means `app-hmac`; `Authorization: PKI` means `pki`.
fn marks(head: &Head) -> Result<Option<Scheme>, Rejection> {
    let headers = head.headers();
    let pki = headers.get_all(header::AUTHORIZATION).iter().any(|value| {
        let value = value.as_bytes();
        value.len() >= 3 && value[..3].eq_ignore_ascii_case(b"PKI") && value.get(3).is_none_or(|&byte| byte == b' ')
    });
    let found = [
        (Scheme::HttpMessageSignatures, headers.contains_key(&http_message_signatures::SIGNATURE_INPUT)),
        (Scheme::Pki, pki),
        (Scheme::AppHmac, headers.contains_key(&app_hmac::APP_ID)),
    ];
    let mut found = found.into_iter().filter(|(_, marked)| *marked).map(|(scheme, _)| scheme);
    match (found.next(), found.next()) {
        (Some(_), Some(_)) => Err(Rejection::new(Code::Ambiguous, "the message carries the marks of two schemes")),
        (first, _) => Ok(first),
    }
}

/// The rule for schemes that sign nothing but the body: `POST` to exactly the route's path, without query.
fn check_target_of_body_only(head: &Head, policy: &Policy) -> Result<(), Rejection> {
    if policy.demands.unsigned_target {
        return Ok(());
    }
    let here = head.method() == Some(&http::Method::POST)
        && head.path() == Some(&policy.demands.path)
        && head.query().is_none();
    if here {
        return Ok(());
    }
    Err(Rejection::new(
        Code::CoverageTooSmall,
        "this scheme signs the body only, so it is taken with POST to exactly the route's path",
    ))
}

/// The media type without its parameters, in lower case.
fn media_type(head: &Head) -> Option<String> {
    let value = head.headers().get(header::CONTENT_TYPE)?.to_str().ok()?;
    Some(value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}
