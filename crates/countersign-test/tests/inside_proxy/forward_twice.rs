//! A record is moved on its way out: it goes out once.
//~ error[E0382]: use of moved value: `recorded`
use std::net::IpAddr;

use crate::record::Recorded;
use crate::settings::Limits;
use crate::table::Route;
use crate::upstream::Upstreams;

async fn forward(upstreams: &Upstreams, recorded: Recorded, peer: IpAddr, route: &Route, limits: &Limits) {
    let _ = upstreams.forward(recorded, peer, route, limits).await;
    let _ = upstreams.forward(recorded, peer, route, limits).await;
}
