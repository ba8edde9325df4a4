//! A permit comes from a route that is configured to observe, and from nowhere else.
use countersign::Permit;

fn main() {
    let _ = Permit(());
}
