//! Only what is verified, fresh and unpacked is a reason to forward as signed.
use countersign::{Authentic, Basis, Claim, Fresh, Identity, Open, Unverified};

fn from_claim(claim: Claim) -> Basis<()> {
    Basis::Signed(claim)
}

fn from_open(open: Open) -> Basis<()> {
    Basis::Signed(open)
}

fn from_authentic(authentic: Authentic) -> Basis<()> {
    Basis::Signed(authentic)
}

fn from_fresh(fresh: Fresh) -> Basis<()> {
    Basis::Signed(fresh)
}

fn from_identity(identity: Identity) -> Basis<()> {
    Basis::Signed(identity)
}

fn from_unverified(request: Unverified<()>) -> Basis<()> {
    Basis::Signed(request)
}

fn main() {}
