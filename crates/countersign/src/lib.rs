//! Countersign, the protocol: requests between services that carry their sender's signature, and a verifier that makes
//! the signature worth something.
//!
//! This crate does no I/O, has no runtime and asks no clock: it is handed heads, bodies, keys, nonces and `now`. Its heart
//! is one chain, in which each step consumes the proof that the step before produced:
//!
//! ```
//! use std::sync::Arc;
//! use bytes::Bytes;
//! use countersign::*;
//!
//! /// Verifies one request whose body is at hand.
//! async fn admit(
//!     head: Head,
//!     body: Bytes,
//!     policy: &Arc<Policy>,
//!     keys: &Keys,
//!     replay: &dyn ReplayStore,
//!     now: Timestamp,
//! ) -> Result<Ready<Bytes>, Refusal> {
//!     let claim = Claim::read(head, policy)?;                       // what the head says of itself
//!     let mut open = claim.check(keys, now)?;                       // all that the head can prove holds
//!     let kept = open.push(body)?;                                  // counts and hashes, or collects
//!     let authentic = open.finish(keys, now)?;                      // the digest, or the signature over the body
//!     let fresh = authentic.first_use(keys, replay, now).await?;    // no replay, not aged out or revoked meanwhile
//!     Ok(fresh.unpack(&Openers::default(), kept)?)                  // exactly what the upstream will get
//! }
//! ```
//!
//! Signing is the mirror: [`Draft`] takes head and body, [`Draft::finish`] the nonce and the time, [`Unsigned::sign`] a
//! [`Signer`].
//!
//! The modules stand in the order in which a message meets them: `message` and `target` (what came), `scheme` with
//! `structured`, `component`, `digest` and `json` (what it says), `coverage` and `policy` (what is signed and what is
//! demanded), `key` with `key_file`, `pem`, `der`, `jwk` and `primitive`
//! (who could have signed), `judge` and `claim` (what holds), `replay` with `quota` (what was
//! used), `basis` (why it goes on), `vouched` (for whom a trusted site speaks), `sign` and `accept` (the way out), `seal` (what only its recipient reads), `token` (for which user), `rejection` (why it does not).

#![forbid(unsafe_code)]

mod accept;
mod advice;
mod algorithm;
mod basis;
mod claim;
mod component;
mod coverage;
mod der;
mod digest;
mod few;
mod json;
mod judge;
mod jwk;
mod key;
mod key_file;
mod message;
mod pem;
mod policy;
mod primitive;
#[cfg(test)]
#[path = "../tests/support/published.rs"]
mod published;
mod quota;
mod rejection;
mod replay;
mod scheme;
mod seal;
mod sign;
mod structured;
mod target;
mod time;
mod token;
mod vouched;

pub use accept::AcceptSignature;
pub use algorithm::{Algorithm, Scheme, UnknownName};
pub use basis::{Accompanied, Basis, Bearer, Outcome, Unverified};
pub use claim::{Authentic, Claim, Delivery, Fresh, Identity, Open, Ready, SignedBy};
pub use key::{
    AppHmacForm, InvalidKey, KeyRecord, KeyState, Keys, Layout, Material, NonceForm, SharedSecret, TimestampUnit,
    VerifyingKey,
};
pub use message::{Head, Origin};
pub use policy::{Demands, HttpMessageSignatures, InvalidPolicy, Memory, Permit, Pki, Policy, Raised};
pub use quota::{Count, Quota, Tally};
pub use rejection::{Code, Refusal, Rejection, Unavailable};
pub use replay::{BoxFuture, ReplayStore, Seen, Use, UseMark};
pub use seal::{
    AbsentField, FieldSealer, InvalidPointer, Openers, OpeningKey, Pointer, Randomness, SealError, SealedDocument,
    SealingKey,
};
pub use sign::{Draft, Form, KeyPair, SignError, Signed, Signer, SigningKey, Unsigned};
pub use time::Timestamp;
pub use token::{
    HeldToken, IssuedToken, Revocation, Revocations, Token, TokenAlgorithm, TokenJudge, TokenKey, TokenKeys,
    TokenSettings, TokenSigner, TokenSubject,
};
pub use vouched::Vouched;
