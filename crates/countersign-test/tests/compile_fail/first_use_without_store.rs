//! First use is the word of a store, not of the caller.
use countersign::{Authentic, Keys, Timestamp};

async fn first_use(authentic: Authentic, keys: &Keys, now: Timestamp) {
    let _ = authentic.first_use(keys, now).await;
}

fn main() {}
