//! A policy comes from judging what an operator wrote; it is not put together or changed outside.
use countersign::{Demands, Policy};

fn make(demands: Demands) -> Policy {
    Policy { demands, require: Vec::new() }
}

fn main() {}
