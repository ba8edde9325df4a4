//! No proof can be made outside: each has one constructor, and that is the check.
use countersign::{Authentic, Claim, Fresh, Open, Ready};

fn main() {
    let _ = Claim {};
    let _ = Open {};
    let _ = Authentic {};
    let _ = Fresh {};
    let _ = Ready::<()> {};
}
