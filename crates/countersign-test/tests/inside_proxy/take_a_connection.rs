//! Connections to the upstream are lent to `Upstreams::forward` alone.
//~ error[E0624]: method `connect` is private
//~ error[E0624]: method `take` is private
use std::time::Duration;

use crate::upstream::Pool;

fn used(pool: &Pool) {
    let _ = pool.take("127.0.0.1:80", Duration::from_secs(1));
}

async fn new(pool: &Pool) {
    let _ = pool.connect("127.0.0.1:80", 1).await;
}
