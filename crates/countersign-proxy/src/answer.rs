//! From a request to its answer: arrival, route, chain, and what is said where one of them fails.

use std::future::poll_fn;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Instant;

use countersign::{Code, Quota, Rejection, Unavailable};
use http::{HeaderValue, Response, header};

use crate::arrival::{self, Arrival, Opening};
use crate::chain::Crossing;
use crate::channel::{Caller, Channel};
use crate::deciding::Undecided;
use crate::fault::Fault;
use crate::forwarded::{self, Told};
use crate::framing;
use crate::front::{Front, Spoken};
use crate::gate::Gate;
use crate::headers;
use crate::inbound::Inbound;
use crate::log::Entry;
use crate::refusal;
use crate::reply::Reply;
use crate::settings::Limits;
use crate::table::{Route, Table};
use crate::trace::TraceId;
use crate::upgrade::Tunnel;
use crate::upstream::Upstreams;
use crate::well_known;

/// A gateway, as its connections see it.
#[derive(Clone)]
pub(crate) struct AtGate {
    pub(crate) gate: Arc<Gate>,
    pub(crate) upstreams: Arc<Upstreams>,
    pub(crate) channel: Arc<Channel>,
    pub(crate) spoken: Spoken,
    /// The caller was taken, and no request came yet.
    expected: Arc<Mutex<Option<Undecided>>>,
}

impl AtGate {
    /// For one caller, who was taken and is `expected` to ask.
    pub(crate) fn new(
        gate: Arc<Gate>,
        upstreams: Arc<Upstreams>,
        (channel, spoken): (Channel, Spoken),
        expected: Undecided,
    ) -> Self {
        Self { gate, upstreams, channel: Arc::new(channel), spoken, expected: Arc::new(Mutex::new(Some(expected))) }
    }
}

impl Front for AtGate {
    fn limits(&self) -> Limits {
        self.gate.table.load().limits.clone()
    }

    fn connections(&self, change: i64) {
        self.gate.metrics.connections.fetch_add(change, Relaxed);
    }

    fn listening(&self) -> Option<Undecided> {
        Some(self.gate.deciding.expect())
    }

    fn spoken(&self) -> Spoken {
        self.spoken
    }

    fn is_over(&self) -> bool {
        self.channel.is_over()
    }

    async fn answer(self, _: Option<IpAddr>, opening: Opening) -> Response<Reply> {
        let expected = self.expected.lock().unwrap_or_else(PoisonError::into_inner).take();
        answer(&self, opening, expected).await
    }

    fn refuse(&self, fault: framing::Fault) -> String {
        // It came, and there is nothing to decide about it.
        self.expected.lock().unwrap_or_else(PoisonError::into_inner).take();
        let now = self.gate.clock.now();
        let trace = TraceId::new(now);
        let (code, reason) = fault.told();
        self.gate.metrics.unrouted.count(Some(code));
        Entry::new(&self.gate.log, trace, now).answered(Some(code.status()), Some(code), Some(reason));
        fault.answer(&format!("countersign-trace: {trace}\r\n"))
    }
}

/// What is known of a request so far: enough to refuse it in order, wherever it fails.
struct Visit {
    entry: Entry,
    route: Option<Arc<Route>>,
    /// The route that a request would have had, had it been sent to us.
    missed: Option<Arc<Route>>,
    has_body: bool,
    body: Option<Inbound>,
}

/// A request that is not answered yet. Where nobody waits for it any more, it counts as what was decided: so its line says, too.
struct UnderWay<'a> {
    gate: &'a Gate,
    visit: Option<Visit>,
}

impl UnderWay<'_> {
    fn visit(&mut self) -> &mut Visit {
        self.visit.as_mut().expect("it is there until it is answered")
    }

    fn answered(mut self) -> Visit {
        self.visit.take().expect("it is answered once")
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if let Some(Visit { entry, route, .. }) = &self.visit
            && entry.is_admitted()
        {
            count(self.gate, route.as_deref(), entry.observed_code());
        }
    }
}

/// Answers a request. There is always an answer: a fault of ours is `unavailable`, and forwards nothing.
/// `expected` counted until now that it would come.
async fn answer(at: &AtGate, opening: Opening, expected: Option<Undecided>) -> Response<Reply> {
    let gate = &*at.gate;
    let now = gate.clock.now();
    let trace = TraceId::new(now);
    let table = gate.table.load_full();
    let visit =
        Visit { entry: Entry::new(&gate.log, trace, now), route: None, missed: None, has_body: false, body: None };
    let mut under_way = UnderWay { gate, visit: Some(visit) };
    let begun = gate.deciding.begin();
    drop(expected);
    let outcome = {
        let mut passing = pin!(pass(at, &table, opening, begun, under_way.visit()));
        // A panic is a fault of ours like any other: caught here, it can't become a way through.
        poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| passing.as_mut().poll(cx))) {
            Ok(poll) => poll,
            Err(_) => {
                gate.metrics.panics.fetch_add(1, Relaxed);
                Poll::Ready(Err(Unavailable::new("gateway", "a fault of ours, told on standard error").into()))
            }
        })
        .await
    };
    let Visit { mut entry, route, missed, has_body, body } = under_way.answered();
    let mut response = match outcome {
        Ok(mut response) => {
            count(gate, route.as_deref(), entry.observed_code());
            entry.answered(Some(response.status().as_u16()), None, None);
            headers::remove_from_response(response.headers_mut());
            if let Some(lines) = response.body_mut().lines() {
                headers::remove_from_lines(lines);
            }
            Tunnel::grant(&mut response);
            response
        }
        Err(fault) => {
            count(gate, route.as_deref(), Some(fault.code()));
            if fault.is_the_senders()
                && let source = entry.source.unwrap_or(at.channel.peer())
                && let Some(quota) = source_quota(&table, source)
            {
                gate.rates.sources.failed(source, quota, gate.rates.time(Instant::now()));
            }
            entry.claimed = fault.claimed().map(|(scheme, key)| (scheme, key.to_owned()));
            entry.answered(Some(fault.code().status()), Some(fault.code()), Some(&fault.reason()));
            refusal::answer(&fault, route.or(missed).as_deref(), has_body, trace, gate.clock.now())
        }
    };
    match response.body_mut().lines() {
        Some(lines) => lines.tell(trace),
        None => drop(response.headers_mut().insert(headers::TRACE, trace.header())),
    }
    let over = gate.steering.is_winding_down() || at.channel.is_over();
    if !body.is_none_or(Inbound::leave) || over {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

async fn pass(
    at: &AtGate,
    table: &Table,
    opening: Opening,
    begun: Result<Undecided, Unavailable>,
    visit: &mut Visit,
) -> Result<Response<Reply>, Fault> {
    let AtGate { gate, upstreams, channel, .. } = at;
    let caller = channel.caller(table.client_auth(), visit.entry.time);
    let (mut believed, unreadable) = match forwarded::read(&opening.headers, channel.peer(), &table.trusted) {
        Ok(told) => (told, Ok(())),
        Err(rejection) => (Told::by_nobody(channel.peer()), Err(rejection)),
    };
    // What nobody tells of the scheme, the connection shows.
    believed.https = believed.https.or(channel.is_secure().then_some(true));
    let Arrival { head, body, upgrade, awaited, astray } =
        arrival::read(opening, &table.public_url, &believed, table.limits.head_fields);
    visit.body = Some(body);
    visit.entry.source = Some(believed.source);
    visit.entry.undecided = Some(begun?);
    unreadable?;
    visit.missed = astray.and_then(|target| table.route(target.split('?').next().unwrap_or_default()).ok().cloned());
    let head = head?;
    visit.has_body = head.has_body();
    let openers = gate.openers(table);
    if well_known::is_jwks(&head) && (table.tokens.is_some() || !openers.keys().is_empty()) {
        return Ok(well_known::jwks(gate, table, &openers)?);
    }
    if head.target() == Some("*") {
        return Err(Rejection::new(Code::NoRoute, "OPTIONS * asks about the gateway, which has nothing to tell").into());
    }
    let path = head.path().unwrap_or_default();
    let exchange = table.exchange(path);
    let route = exchange.map_or_else(|| table.route(path), |(_, _, route)| Ok(route));
    if !route.as_ref().is_ok_and(|route| route.policy.permit().is_some()) {
        within_rate(gate, table, believed.source, visit.entry.started.into_std())?;
    }
    let route = Arc::clone(route?);
    visit.entry.route = Some(Arc::clone(&route.name));
    let route = visit.route.insert(route);
    let caller = caller?;
    let Some(body) = &mut visit.body else { return Err(Unavailable::new("gateway", "a body was lost").into()) };
    let head = head.on_channel_of(caller.partner.clone());
    let by_proxy = table.trusted.believes(channel.peer());
    let caller = Caller { address: believed.source, by_proxy, ..caller };
    let limits = &table.limits;
    let crossing = Crossing { gate, upstreams, route, openers, limits, channel, caller, upgrade, awaited };
    if let Some((exchange, act, _)) = exchange {
        return crossing.vouch((exchange, act), head, body, &mut visit.entry).await;
    }
    Ok(crossing.pass(head, body, &mut visit.entry).await?.map(Reply::Upstream))
}

/// Counts the request for its source, before any cryptography. Whoever only watches refuses nobody for it.
fn within_rate(gate: &Gate, table: &Table, source: IpAddr, started: Instant) -> Result<(), Fault> {
    let Some(quota) = source_quota(table, source) else { return Ok(()) };
    let standing = gate.rates.sources.take(source, quota, gate.rates.time(started));
    if standing.is_over() { Err(Fault::Limited(standing)) } else { Ok(()) }
}

pub(crate) fn source_quota(table: &Table, source: IpAddr) -> Option<Quota> {
    table.limits.source_rate.filter(|_| table.is_limited(source))
}

fn count(gate: &Gate, route: Option<&Route>, code: Option<Code>) {
    match route {
        Some(route) => route.metrics.count(code),
        None => gate.metrics.unrouted.count(code),
    }
}
