//! No proof can be copied: a copy would hold twice.
use countersign::{Authentic, Claim, Fresh, Open, Permit, Ready, Token};

fn copied<T: Clone>() {}

fn main() {
    copied::<Claim>();
    copied::<Open>();
    copied::<Authentic>();
    copied::<Fresh>();
    copied::<Ready<()>>();
    copied::<Permit>();
    copied::<Token>();
}
