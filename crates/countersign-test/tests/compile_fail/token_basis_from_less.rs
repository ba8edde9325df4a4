//! A token is a reason to forward only on a route that asks for nothing else, and beside a signature only where both are of one
//! partner.
use countersign::{Accompanied, Basis, Bearer, Ready, Token, Unverified};

fn from_token(token: Token) -> Basis<()> {
    Basis::Bearer(token)
}

fn from_request(token: Token, request: Unverified<()>) -> Basis<()> {
    Basis::Bearer(Bearer { token, request })
}

fn from_ready(ready: Ready<()>) -> Basis<()> {
    Basis::Both(ready)
}

fn from_both(ready: Ready<()>, token: Token) -> Basis<()> {
    Basis::Both(Accompanied { ready, token })
}

fn main() {}
