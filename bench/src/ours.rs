//! The whole chain of Countersign, from a head to what the upstream gets.

use std::sync::Arc;

use bytes::Bytes;
use countersign::{
    BoxFuture, Claim, Draft, Form, Head, Keys, Openers, Policy, Ready, ReplayStore, Seen, Signed, SigningKey,
    Timestamp, Unavailable, Use,
};

use crate::message::NOW;
use crate::ready;

/// A replay memory that has seen nothing: the store is measured elsewhere.
pub struct Forgetful;

impl ReplayStore for Forgetful {
    fn first_use<'a>(&'a self, once: &'a Use, _: Timestamp) -> BoxFuture<'a, Result<Seen, Unavailable>> {
        std::hint::black_box(once);
        Box::pin(std::future::ready(Ok(Seen::First)))
    }
}

/// Verifies a message: form, time, coverage, signature, digest, mark of its one use, what goes on.
pub fn verify(head: Head, body: Bytes, policy: &Arc<Policy>, keys: &Keys) -> Ready<Bytes> {
    let claim = Claim::read(head, policy).expect("the form holds");
    let mut open = claim.check(keys, NOW).expect("the head holds");
    let kept = open.push(body).expect("the body fits");
    let authentic = open.finish(keys, NOW).expect("the body holds");
    let fresh = ready(authentic.first_use(keys, &Forgetful, NOW)).expect("it is new");
    fresh.unpack(&Openers::default(), kept).expect("it goes on")
}

/// Signs a message.
pub fn sign(head: Head, form: Form, body: &[u8], nonce: &str, key: &SigningKey) -> Signed {
    let mut draft = Draft::new(head, form);
    draft.push(body);
    ready(draft.finish(nonce, NOW).expect("a draft").sign(key)).expect("a signature")
}
