//! A nonce is not spent before the whole message was verified: a stranger could spend it.
use countersign::{Keys, Open, ReplayStore, Timestamp};

async fn first_use(open: Open, keys: &Keys, replay: &dyn ReplayStore, now: Timestamp) {
    let _ = open.first_use(keys, replay, now).await;
}

fn main() {}
