//! A token comes from checking one, and from nowhere else.
use countersign::Token;

fn main() {
    let _ = Token { partner: "acme".to_owned() };
}
