//! The cryptographic primitives: the only module that knows which library computes them.
//!
//! A verifying half is bound to one algorithm when it is loaded, so nothing that a message says can choose how its own
//! signature is checked.

mod public;
mod sealing;
mod secret;

pub(crate) use public::{Public, refuse_weak_rsa, rsa_numbers, rsa_spki, rsa_spki_of};
pub(crate) use sealing::{Key256, Unwrapping, Wrapping, concat_kdf, decrypt, encrypt, unwrap, wrap};
pub(crate) use secret::{RsaParts, Secret};

use std::sync::OnceLock;

use aws_lc_rs::{digest, hmac};

/// A running SHA-256.
pub(crate) struct Sha256(digest::Context);

impl Sha256 {
    pub(crate) fn new() -> Self {
        Self(digest::Context::new(&digest::SHA256))
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(crate) fn finish(self) -> [u8; 32] {
        let mut out = [0; 32];
        out.copy_from_slice(self.0.finish().as_ref());
        out
    }
}

/// A running SHA-512.
pub(crate) struct Sha512(digest::Context);

impl Sha512 {
    pub(crate) fn new() -> Self {
        Self(digest::Context::new(&digest::SHA512))
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(crate) fn finish(self) -> [u8; 64] {
        let mut out = [0; 64];
        out.copy_from_slice(self.0.finish().as_ref());
        out
    }
}

/// An HMAC-SHA-256 that is computed while its message passes.
pub(crate) struct RunningMac(hmac::Context);

impl RunningMac {
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Whether `mac` is that of all that passed. Constant time.
    pub(crate) fn is(self, mac: &[u8]) -> bool {
        equal_in_constant_time(self.0.sign().as_ref(), mac)
    }
}

/// The SHA-256 of what is at hand as a whole. A running one costs an allocation inside the provider.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    out
}

/// Bytes of which the SHA-256 is computed once, however many ask for it: the key that checks a signature over them, and
/// the memory of replays.
#[derive(Clone, Debug)]
pub(crate) struct HashedOnce {
    bytes: Vec<u8>,
    digest: OnceLock<digest::Digest>,
}

impl HashedOnce {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, digest: OnceLock::new() }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn sha256(&self) -> [u8; 32] {
        let mut out = [0; 32];
        out.copy_from_slice(self.digest().as_ref());
        out
    }

    fn digest(&self) -> &digest::Digest {
        self.digest.get_or_init(|| digest::digest(&digest::SHA256, &self.bytes))
    }
}

/// The SHA-512 of what is at hand as a whole.
pub(crate) fn sha512(bytes: &[u8]) -> [u8; 64] {
    let mut out = [0; 64];
    out.copy_from_slice(digest::digest(&digest::SHA512, bytes).as_ref());
    out
}

/// What HMAC-SHA-256 makes of a key (RFC 2104 §2): hashed where it is longer than a block, filled up with zeros.
pub(crate) fn mac_block(secret: &[u8]) -> zeroize::Zeroizing<[u8; 64]> {
    let mut block = zeroize::Zeroizing::new([0; 64]);
    if secret.len() > block.len() {
        block[..32].copy_from_slice(&sha256(secret));
    } else {
        block[..secret.len()].copy_from_slice(secret);
    }
    block
}

/// Compares in time that depends on the lengths only.
pub(crate) fn equal_in_constant_time(a: &[u8], b: &[u8]) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(a, b).is_ok()
}
