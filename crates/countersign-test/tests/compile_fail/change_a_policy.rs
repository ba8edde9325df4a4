//! A judged policy is not changed afterwards.
use countersign::Policy;

fn demand_nothing(policy: &mut Policy) {
    policy.demands().require.clear();
}

fn admit_for_ever(policy: &mut Policy) {
    policy.demands().max_age = std::time::Duration::MAX;
}

fn main() {}
