//! A token is a reason to forward only on a route that asks for nothing else, and beside a signature only where both are of one
//! partner.
use countersign::{Basis, Ready, Token};

fn from_token(token: Token) -> Basis<()> {
    Basis::Bearer(token)
}

fn from_ready(ready: Ready<()>) -> Basis<()> {
    Basis::Both(ready)
}

fn main() {}
