//! The `Content-Digest` that a message carries before it is signed. What is wrong is refused, never repaired: the sender
//! computed it over the body that it meant.

use super::SignError;
use crate::digest::Expected;
use crate::message::Head;
use crate::primitive::Sha512;

/// A digest that the message states of itself, and what it takes to check it.
pub(super) struct Stated {
    expected: Option<Expected>,
    sha512: Option<Sha512>,
}

impl Stated {
    /// `None` where the message states none, and one has to be made.
    pub(super) fn of(head: &Head) -> Option<Self> {
        let field = head.joined("content-digest").transpose()?;
        let expected = field.ok().and_then(|field| Expected::parse(&field).ok());
        let sha512 = expected.as_ref().filter(|expected| expected.has_sha512()).map(|_| Sha512::new());
        Some(Self { expected, sha512 })
    }

    pub(super) fn update(&mut self, chunk: &[u8]) {
        if let Some(hash) = &mut self.sha512 {
            hash.update(chunk);
        }
    }

    /// The body has ended, and has this digest.
    ///
    /// # Errors
    /// [`SignError`] where it is not the body that the digest was made of, or the field proves nothing.
    pub(super) fn check(self, sha256: [u8; 32]) -> Result<(), SignError> {
        let expected = self.expected.ok_or(NO_DIGEST)?;
        if expected.is_of(sha256, self.sha512.map(Sha512::finish)) { Ok(()) } else { Err(OTHER_BODY) }
    }
}

/// What to do about an error of here.
pub(super) fn hint(error: &SignError) -> Option<&'static str> {
    [OTHER_BODY, NO_DIGEST, WRAPPED].contains(error).then_some("leave Content-Digest out: the right one is made")
}

const OTHER_BODY: SignError = SignError::new("the message carries a Content-Digest that is not the digest of its body");
const NO_DIGEST: SignError =
    SignError::new("the message carries a Content-Digest without a sha-256 or sha-512 that can be read");

/// Where the scheme puts the body into another one.
pub(super) const WRAPPED: SignError =
    SignError::new("the message carries a Content-Digest, and its body becomes the payload of another one");
