//! What might be a replay is not unpacked.
use bytes::Bytes;
use countersign::{Authentic, Openers};

fn unpack(authentic: Authentic, openers: &Openers, body: Bytes) {
    let _ = authentic.unpack(openers, body);
}

fn main() {}
