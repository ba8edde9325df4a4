//! A token is put beside a request where it was judged, and nowhere else.
use countersign::{Accompanied, Bearer, Ready, Token, Unverified};

fn alone(token: Token, request: Unverified<()>) -> Bearer<()> {
    Bearer { token, request }
}

fn beside(ready: Ready<()>, token: Token) -> Accompanied<()> {
    Accompanied { ready, token: Box::new(token) }
}

fn main() {}
