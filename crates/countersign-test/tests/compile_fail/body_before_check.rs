//! Nobody asks for a body before all that the head can prove holds.
use bytes::Bytes;
use countersign::{Claim, Rejection};

fn push(mut claim: Claim, chunk: Bytes) -> Result<Bytes, Rejection> {
    claim.push(chunk)
}

fn main() {}
