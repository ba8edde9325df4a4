//! Only what is on record goes out: no proof alone, no basis, no request.
//~ error[E0308]: mismatched types
//~ error[E0308]: mismatched types
//~ error[E0308]: mismatched types
//~ error[E0308]: mismatched types
//~ error[E0308]: mismatched types
use std::net::IpAddr;

use countersign::{Basis, Fresh, Ready, Unverified};

use crate::settings::Limits;
use crate::spool::Held;
use crate::table::Route;
use crate::upgrade::Upgrade;
use crate::upstream::Upstreams;

async fn fresh(upstreams: &Upstreams, fresh: Fresh, peer: IpAddr, route: &Route, limits: &Limits) {
    let _ = upstreams.forward(fresh, peer, route, limits).await;
}

async fn ready(upstreams: &Upstreams, ready: Ready<Held>, peer: IpAddr, route: &Route, limits: &Limits) {
    let _ = upstreams.forward(ready, peer, route, limits).await;
}

async fn basis(upstreams: &Upstreams, basis: Basis<Held>, peer: IpAddr, route: &Route, limits: &Limits) {
    let _ = upstreams.forward(basis, peer, route, limits).await;
}

async fn request(upstreams: &Upstreams, request: Unverified<Held>, peer: IpAddr, route: &Route, limits: &Limits) {
    let _ = upstreams.forward(request, peer, route, limits).await;
}

async fn tunnel(upstreams: &Upstreams, ready: Ready<Spool>, asked: Upgrade, peer: IpAddr, route: &Route, limits: &Limits) {
    let _ = upstreams.switch(ready, asked, peer, route, limits).await;
}
