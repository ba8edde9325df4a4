//! Nor does a proof come out of nothing, or out of plain data.
use countersign::{Authentic, Claim, Fresh, Identity, Open, Permit, Ready, Token};

fn from_nothing<T: Default>() {}
fn from<S, T: From<S>>() {}

fn main() {
    from_nothing::<Claim>();
    from_nothing::<Open>();
    from_nothing::<Authentic>();
    from_nothing::<Fresh>();
    from_nothing::<Ready<()>>();
    from_nothing::<Permit>();
    from_nothing::<Token>();
    from::<Identity, Ready<()>>();
    from::<String, Token>();
}
