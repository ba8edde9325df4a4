use std::future::Future;
use std::io::Write;
use std::pin::Pin;

use crate::algorithm::Scheme;
use crate::primitive::sha256;
use crate::quota::{Count, Tally};
use crate::rejection::Unavailable;
use crate::time::Timestamp;

/// A boxed future: what the few asynchronous traits of this crate return, so that they can be held as `dyn`.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What marks one use of one key: the key's material with the nonce, or with the hash of the signed bytes where a scheme
/// has no nonce. Never the signature, since ECDSA and PSS signatures can be varied without breaking them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UseMark([u8; 32]);

impl UseMark {
    pub(crate) fn nonce(fingerprint: &[u8; 32], nonce: &[u8]) -> Self {
        Self::of(b"nonce", fingerprint, nonce)
    }

    pub(crate) fn signed_bytes(fingerprint: &[u8; 32], hash: &[u8; 32]) -> Self {
        Self::of(b"bytes", fingerprint, hash)
    }

    fn of(kind: &[u8; 5], fingerprint: &[u8; 32], value: &[u8]) -> Self {
        let parts = [&kind[..], fingerprint, value];
        // A nonce has at most 256 bytes, so what is hashed has room here.
        let mut room = [0; 5 + 32 + 256];
        let mut free = &mut room[..];
        if parts.iter().any(|part| free.write_all(part).is_err()) {
            return Self(sha256(&parts.concat()));
        }
        let unused = free.len();
        Self(sha256(&room[..room.len() - unused]))
    }

    /// A mark from its bytes, as a store kept them.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes to keep.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// One message's use of a key: one mark, or two that are spent together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Use {
    pub(crate) first: UseMark,
    pub(crate) second: Option<UseMark>,
    pub(crate) signed: Timestamp,
    pub(crate) until: Timestamp,
    pub(crate) scheme: Scheme,
    pub(crate) group: u16,
}

impl Use {
    /// A use, for the suites that test stores; the chain makes its own.
    #[must_use]
    pub const fn new(first: UseMark, second: Option<UseMark>, signed: Timestamp, until: Timestamp) -> Self {
        Self { first, second, signed, until, scheme: Scheme::HttpMessageSignatures, group: 0 }
    }

    /// The same of a message in another scheme, for the suites.
    #[must_use]
    pub const fn under(self, scheme: Scheme) -> Self {
        Self { scheme, ..self }
    }

    /// The same in another group, for the suites.
    #[must_use]
    pub const fn in_group(self, group: u16) -> Self {
        Self { group, ..self }
    }

    /// Uses that may share a mark, since they are of one key, have one group: a store that lies on several machines can
    /// keep them together by it.
    #[must_use]
    pub const fn group(&self) -> u16 {
        self.group
    }

    /// The marks, one or two.
    pub fn marks(&self) -> impl Iterator<Item = &UseMark> {
        std::iter::once(&self.first).chain(&self.second)
    }

    /// The mark that every use has.
    #[must_use]
    pub const fn first(&self) -> &UseMark {
        &self.first
    }

    /// The mark that some uses have beside it.
    #[must_use]
    pub const fn second(&self) -> Option<&UseMark> {
        self.second.as_ref()
    }

    /// When the message says it was signed. What was signed before a store's memory begins can't be judged by it.
    #[must_use]
    pub const fn signed(&self) -> Timestamp {
        self.signed
    }

    /// The scheme that the message is signed in: how far ahead of its admission it may have been signed is the scheme's.
    #[must_use]
    pub const fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The last moment at which the message could verify anywhere: memory of it must not end sooner.
    #[must_use]
    pub const fn until(&self) -> Timestamp {
        self.until
    }
}

/// Whether a use is the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// None of its marks was known; all are now.
    First,
    /// At least one of its marks was known; nothing was added.
    Again,
}

/// The memory of what was admitted, shared by everything that admits messages under the same keys.
///
/// The contract:
/// - `Ok(First)` is answered at most once for a mark until its `until`, whatever runs at the same time: of a thousand
///   identical calls one gets it. All marks of a use are spent together or none is.
/// - When it returns `First`, the marks are remembered as firmly as this store ever remembers.
/// - A live entry is never forgotten to make room: a full store answers [`Unavailable`].
/// - A use that was signed before this store's memory begins is [`Unavailable`].
///
/// A false `First` lets an attacker replay a request; a false `Again` costs a good sender one request. When in doubt it
/// answers `Again`; when it can't tell, `Unavailable`.
pub trait ReplayStore: Send + Sync {
    /// Spends the marks of `once` if all are new.
    fn first_use<'a>(&'a self, once: &'a Use, now: Timestamp) -> BoxFuture<'a, Result<Seen, Unavailable>>;

    /// Whether a use of a message that was signed at `now` could be judged now. `None` where only a use can tell. For whoever
    /// says whether it is ready; no verdict follows from it.
    fn admits(&self, _now: Timestamp) -> Option<bool> {
        None
    }

    /// As [`ReplayStore::first_use`], and where it is the first, or there is no use to spend, counts the request for all who
    /// share this store, in one step with it where it can. A request that is refused by its tally has spent its use, and
    /// costs nothing of the quota.
    ///
    /// Without a tally nothing was counted, and whoever asked counts by itself: so does a store that nobody else shares.
    fn first_use_counted<'a>(
        &'a self,
        once: Option<&'a Use>,
        _: &'a Count<'a>,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<(Seen, Option<Tally>), Unavailable>> {
        Box::pin(async move {
            match once {
                Some(once) => Ok((self.first_use(once, now).await?, None)),
                None => Ok((Seen::First, None)),
            }
        })
    }
}
