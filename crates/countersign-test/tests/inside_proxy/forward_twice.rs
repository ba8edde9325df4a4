//! A record is moved on its way out: it goes out once.
//~ error[E0382]: use of moved value: `recorded`
use crate::channel::Caller;
use crate::record::Recorded;
use crate::settings::Limits;
use crate::table::Route;
use crate::upstream::Upstreams;

async fn forward(upstreams: &Upstreams, recorded: Recorded, caller: &Caller, route: &Route, limits: &Limits) {
    let _ = upstreams.forward(recorded, caller, route, limits).await;
    let _ = upstreams.forward(recorded, caller, route, limits).await;
}
