//! Only what is on record goes out: no proof alone, no basis, no request.
//~ error[E0308]: mismatched types
//~ error[E0308]: mismatched types
//~ error[E0308]: mismatched types
//~ error[E0308]: mismatched types
//~ error[E0308]: mismatched types
use countersign::{Basis, Fresh, Ready, Unverified};

use crate::channel::Caller;
use crate::settings::Limits;
use crate::spool::Held;
use crate::table::Route;
use crate::upgrade::Upgrade;
use crate::upstream::Upstreams;

async fn fresh(upstreams: &Upstreams, fresh: Fresh, caller: &Caller, route: &Route, limits: &Limits) {
    let _ = upstreams.forward(fresh, caller, route, limits).await;
}

async fn ready(upstreams: &Upstreams, ready: Ready<Held>, caller: &Caller, route: &Route, limits: &Limits) {
    let _ = upstreams.forward(ready, caller, route, limits).await;
}

async fn basis(upstreams: &Upstreams, basis: Basis<Held>, caller: &Caller, route: &Route, limits: &Limits) {
    let _ = upstreams.forward(basis, caller, route, limits).await;
}

async fn request(upstreams: &Upstreams, request: Unverified<Held>, caller: &Caller, route: &Route, limits: &Limits) {
    let _ = upstreams.forward(request, caller, route, limits).await;
}

async fn tunnel(upstreams: &Upstreams, ready: Ready<Held>, asked: Upgrade, caller: &Caller, route: &Route, limits: &Limits) {
    let _ = upstreams.switch(ready, asked, caller, route, limits).await;
}
