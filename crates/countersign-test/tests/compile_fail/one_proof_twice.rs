//! A proof is moved by the step that consumes it: it holds once.
use std::sync::Arc;

use bytes::Bytes;
use countersign::{
    Authentic, Basis, Bearer, Claim, Fresh, Head, Keys, Openers, Outcome, Permit, Policy, Ready, ReplayStore, Timestamp,
};

fn read(head: Head, policy: &Arc<Policy>) {
    let _ = Claim::read(head, policy);
    let _ = Claim::read(head, policy);
}

fn check(claim: Claim, keys: &Keys, now: Timestamp) {
    let _ = claim.check(keys, now);
    let _ = claim.check(keys, now);
}

async fn first_use(authentic: Authentic, keys: &Keys, replay: &dyn ReplayStore, now: Timestamp) {
    let _ = authentic.first_use(keys, replay, now).await;
    let _ = authentic.first_use(keys, replay, now).await;
}

fn unpack(fresh: Fresh, openers: &Openers, body: Bytes) {
    let _ = fresh.unpack(openers, body.clone());
    let _ = fresh.unpack(openers, body);
}

fn forward(ready: Ready<Bytes>) {
    let _ = Basis::Signed(ready);
    let _ = Basis::Signed(ready);
}

fn bearer(bearer: Bearer<()>) {
    let _ = Basis::Bearer(bearer.carrying(()));
    let _ = Basis::Bearer(bearer.carrying(()));
}

fn observe(permit: Permit, outcomes: [Outcome<Bytes>; 2]) {
    let _ = outcomes.map(|outcome| Basis::Observed(permit, outcome));
}

fn main() {}
