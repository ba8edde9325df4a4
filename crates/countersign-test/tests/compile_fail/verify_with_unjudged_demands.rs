//! What an operator wrote is not a policy before it was judged.
use std::sync::Arc;

use countersign::{Claim, Demands, Head, Rejection};

fn read(head: Head) -> Result<Claim, Rejection> {
    Claim::read(head, &Arc::new(Demands::default()))
}

fn main() {}
