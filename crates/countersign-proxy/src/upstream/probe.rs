//! Looks after upstreams behind the path: those that are down are tried until they are back, at no request's cost, and those
//! whose route has a health check are asked all the time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Uri, header};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::destination::Destination;
use super::{Pool, failed, send_request};
use crate::fault::Fault;
use crate::sent::Sent;
use crate::settings::{HealthCheck, Limits};
use crate::table::Table;

/// Goes on until it is dropped.
pub(crate) async fn watch(table: &ArcSwap<Table>) {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let table = table.load();
        for route in table.routes() {
            let check = route.upstream.check();
            let every = check.map(|check| check.interval);
            for member in route.upstream.members() {
                if !member.condition.take_probe(Instant::now(), every) {
                    continue;
                }
                let (member, check, limits) = (member.clone(), check.cloned(), table.limits.clone());
                tokio::spawn(async move {
                    let found = probe(&member.destination, check.as_ref(), &limits).await;
                    member.condition.probed(found.map_err(|fault| fault.reason().into_owned()), every);
                });
            }
        }
    }
}

const TICK: Duration = Duration::from_millis(100);

/// A connection is what is asked for, and where there is a check a good answer, too.
async fn probe(to: &Destination, check: Option<&HealthCheck>, limits: &Limits) -> Result<(), Fault> {
    let name = to.name();
    let limits = Limits { response_time: limits.connect_time, max_idle_upstream: 0, ..limits.clone() };
    let lease = match timeout(limits.connect_time, Pool::default().connect(to, &limits)).await {
        Ok(Ok(lease)) => lease,
        Ok(Err(error)) => return Err(failed(&format!("{name}: {error}"))),
        Err(_) => return Err(failed(&format!("{name}: no connection in time"))),
    };
    let Some(HealthCheck { path, .. }) = check else { return Ok(()) };
    let mut request = Request::new(Sent::Kept(Bytes::new(), HeaderMap::new()));
    *request.method_mut() = Method::GET;
    let unusable = || failed(&format!("{name}{path} can't be asked for"));
    *request.uri_mut() = Uri::try_from(path.as_str()).map_err(|_| unusable())?;
    let host = name.split_once("://").map_or(name, |(_, host)| host);
    request.headers_mut().insert(header::HOST, HeaderValue::from_str(host).map_err(|_| unusable())?);
    match send_request(lease, request, &limits).await {
        Ok(response) if response.status().is_success() || response.status().is_redirection() => Ok(()),
        Ok(response) => Err(failed(&format!("{name}{path}: {}", response.status().as_u16()))),
        Err(unanswered) => Err(unanswered.fault),
    }
}

/// What is known of all upstreams.
pub(crate) fn upstreams(table: &Arc<Table>) -> impl Iterator<Item = (&str, &super::Member)> {
    let mut routes: Vec<_> = table.routes().collect();
    routes.sort_by(|one, other| one.name.cmp(&other.name));
    routes.into_iter().flat_map(|route| route.upstream.members().iter().map(|member| (&*route.name, member)))
}
