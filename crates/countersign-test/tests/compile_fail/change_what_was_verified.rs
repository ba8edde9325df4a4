//! What was verified is read, never changed: the head and the identity of a proof are its own.
use countersign::{Authentic, Ready};

fn head(mut ready: Ready<()>) {
    ready.head.headers_mut().clear();
}

fn identity(ready: Ready<()>) {
    ready.identity().partner = "another".into();
}

fn signed(authentic: Authentic) {
    authentic.signed_bytes().unwrap().fill(0);
}

fn main() {}
