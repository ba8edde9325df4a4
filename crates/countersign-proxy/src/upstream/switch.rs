use std::net::IpAddr;

use http::{Response, StatusCode};
use tokio::time::timeout;

use super::{Relay, Upstreams, failed, relay, send};
use crate::fault::Fault;
use crate::outgoing::Outgoing;
use crate::record::Recorded;
use crate::settings::Limits;
use crate::table::Route;
use crate::upgrade::{Tunnel, Upgrade};

impl Upstreams {
    /// Forwards what is on record and asks for another protocol, on a connection of its own. Where the upstream switches, the
    /// answer carries the [`Tunnel`]; else it is one like any other.
    ///
    /// # Errors
    /// As [`Upstreams::forward`]; `upstream_failed` also where it switches to what was not asked for.
    pub(crate) async fn switch(
        &self,
        recorded: Recorded,
        upgrade: Upgrade,
        source: IpAddr,
        route: &Route,
        limits: &Limits,
    ) -> Result<Response<Relay>, Fault> {
        let Outgoing { mut request, share: _share } = Outgoing::of(recorded, source)?;
        let lease = self.connect(&route.upstream, limits).await?;
        // RFC 9113 §8.6: HTTP/2 "does not support the Upgrade mechanism".
        if !lease.sender.is_shared() {
            upgrade.ask(request.headers_mut());
        }
        let answer = send(lease, request, limits.response_time).await.map_err(|unanswered| unanswered.fault)?;
        if answer.0.status() != StatusCode::SWITCHING_PROTOCOLS {
            return relay(answer, limits);
        }
        let (mut response, _lease) = answer;
        if !upgrade.is_granted(response.headers()) {
            return Err(failed("the upstream switched to another protocol than was asked for"));
        }
        let switched = timeout(limits.connect_time, hyper::upgrade::on(&mut response)).await;
        let far = match switched {
            Ok(Ok(far)) => far,
            Ok(Err(error)) => return Err(failed(&error.to_string())),
            Err(_) => return Err(failed("the upstream's connection was not given up in time")),
        };
        response.extensions_mut().insert(Tunnel::new(upgrade, far));
        Ok(response.map(|body| Relay::without_lease(body, limits.response_time)))
    }
}
