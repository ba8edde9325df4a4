//! What did not pass goes on only under a permit, and only a route that is configured to observe gives one.
use countersign::{Basis, Outcome, Policy};

fn without(outcome: Outcome<()>) -> Basis<()> {
    Basis::Observed(outcome)
}

fn perhaps(policy: &Policy, outcome: Outcome<()>) -> Basis<()> {
    Basis::Observed(policy.permit(), outcome)
}

fn main() {}
