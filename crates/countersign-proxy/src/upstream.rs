//! The way to the API behind: one small pool of connections per worker.

mod condition;
mod destination;
mod group;
mod pool;
mod probe;
mod relay;
mod sender;
mod switch;
mod wire;

use std::pin::pin;
use std::time::{Duration, Instant};

use countersign::Code;
use http::{Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use tokio::time::error::Elapsed;
use tokio::time::{timeout, timeout_at};

use crate::channel::Caller;
use crate::course::Course;
use crate::fault::Fault;
use crate::outgoing::Outgoing;
use crate::record::Recorded;
use crate::sent::Sent;
use crate::settings::Limits;
use crate::table::Route;

pub(crate) use condition::Outcome;
pub(crate) use destination::Destination;
pub(crate) use group::{Conditions, Group, Member};
pub(crate) use pool::{Lease, Pool};
pub(crate) use probe::{upstreams, watch};
pub(crate) use relay::Relay;

/// The only way out.
pub(crate) struct Upstreams {
    pool: Pool,
}

impl Upstreams {
    pub(crate) fn new(pool: Pool) -> Self {
        Self { pool }
    }

    /// Forwards what is on record, and nothing else, to one of the route's upstreams. It goes out once more, on a new
    /// connection or to another of them, if none of it was sent, or if it is idempotent and none of an answer came.
    ///
    /// # Errors
    /// `upstream_failed`, `upstream_timeout`; `unavailable` where the request can't be written.
    pub(crate) async fn forward(
        &self,
        recorded: Recorded,
        caller: &Caller,
        route: &Route,
        limits: &Limits,
    ) -> Result<Response<Relay>, Fault> {
        let started = Instant::now();
        // The share of the room is held until the upstream has answered.
        let Outgoing { request, share: _share } = Outgoing::of(recorded, caller)?;
        let course = request.body().course().cloned();
        let answer = self.exchange(request, &route.upstream, limits).await;
        route.metrics.upstream_took(started.elapsed());
        let (response, lease) = match (answer, course.and_then(|course| course.take_fault())) {
            (Err(_), Some(refusal)) => return Err(refusal.into()),
            (answer, _) => answer?,
        };
        relay((response, lease), limits)
    }

    /// A connection to the destination that was used before. It may turn out to be closed.
    pub(crate) fn unused(&self, to: &Destination, limits: &Limits) -> Option<Lease> {
        self.pool.take(to, limits.idle_upstream)
    }

    /// Sends a request that was signed for this attempt on a connection that was used before. `None` where it may go out once
    /// more, signed anew: none of it was sent, or it is idempotent and none of an answer came.
    pub(crate) async fn send_on(
        &self,
        lease: Lease,
        request: Request<Sent>,
        limits: &Limits,
    ) -> Result<Option<Response<Relay>>, Fault> {
        let idempotent = is_idempotent(request.method());
        match send(lease, request, limits.response_time).await {
            Ok(answer) => relay(answer, limits).map(Some),
            Err(Unanswered { unsent: Some(_), .. }) => Ok(None),
            Err(Unanswered { heard: false, fault: Fault::Upstream(Code::UpstreamFailed, _), .. }) if idempotent => {
                Ok(None)
            }
            Err(unanswered) => Err(unanswered.fault),
        }
    }

    /// Sends a request on a connection of its own.
    pub(crate) async fn send_anew(
        &self,
        request: Request<Sent>,
        to: &Destination,
        limits: &Limits,
    ) -> Result<Response<Relay>, Fault> {
        let lease = self.connect(to, limits).await?;
        let answer = send(lease, request, limits.response_time).await.map_err(|unanswered| unanswered.fault)?;
        relay(answer, limits)
    }

    async fn connect(&self, to: &Destination, limits: &Limits) -> Result<Lease, Fault> {
        match timeout(limits.connect_time, self.pool.connect(to, limits.max_idle_upstream)).await {
            Ok(Ok(lease)) => Ok(lease),
            Ok(Err(error)) => Err(failed(&format!("{}: {error}", to.name()))),
            Err(_) => Err(timed_out(&format!("{}: no connection in time", to.name()))),
        }
    }

    /// Who can't be connected to gives way to the next: nothing was sent. What was sent goes out a second time at most, and
    /// only where it is idempotent and none of an answer came.
    async fn exchange(
        &self,
        mut request: Request<Sent>,
        to: &Group,
        limits: &Limits,
    ) -> Result<(Response<Incoming>, Lease), Fault> {
        let idempotent = is_idempotent(request.method());
        let several = to.members().len() > 1;
        let course = request.body().course().cloned();
        let (mut resend, mut fault) = (true, failed("there is no upstream"));
        for Member { destination, condition } in to.candidates() {
            let _one = condition.begin();
            let mut unused = self.pool.take(destination, limits.idle_upstream);
            loop {
                let used = unused.is_some();
                let lease = match unused.take() {
                    Some(lease) => lease,
                    None => match self.connect(destination, limits).await {
                        Ok(lease) => lease,
                        Err(error) => {
                            condition.note(Outcome::Unreachable, &error.reason());
                            condition.retried();
                            fault = error;
                            break;
                        }
                    },
                };
                let spare = if idempotent && resend && (used || several) { again(&request) } else { None };
                match send(lease, request, limits.response_time).await {
                    Ok(answer) => {
                        condition.note(Outcome::Answered, "");
                        return Ok(answer);
                    }
                    // The caller broke off, or our disk did: no fault of the upstream's.
                    Err(Unanswered { fault, .. }) if course.as_ref().is_some_and(Course::is_broken) => {
                        return Err(fault);
                    }
                    Err(Unanswered { unsent: Some(again), fault: error, .. }) => (request, fault) = (*again, error),
                    Err(Unanswered { heard: false, fault: Fault::Upstream(Code::UpstreamFailed, reason), .. }) => {
                        fault = failed(&reason);
                        let Some(spare) = spare else {
                            condition.note(Outcome::Broken, &reason);
                            return Err(fault);
                        };
                        (request, resend) = (spare, false);
                    }
                    Err(Unanswered { fault, .. }) => {
                        let silent = matches!(fault, Fault::Upstream(Code::UpstreamTimeout, _));
                        condition.note(if silent { Outcome::Silent } else { Outcome::Broken }, &fault.reason());
                        return Err(fault);
                    }
                }
                condition.retried();
                // One that was used before may have been closed long since; a new one that breaks off is another matter.
                if !used {
                    condition.note(Outcome::Broken, &fault.reason());
                    break;
                }
            }
        }
        Err(fault)
    }
}

/// The same request once more, where its body can be had again.
fn again(request: &Request<Sent>) -> Option<Request<Sent>> {
    let mut copy = Request::new(request.body().again()?);
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    Some(copy)
}

/// An answer that can be passed on.
fn relay((response, lease): (Response<Incoming>, Lease), limits: &Limits) -> Result<Response<Relay>, Fault> {
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        // Nobody asked for it, see `Upstreams::switch`. The lease is dropped, and the connection with it.
        return Err(failed("the upstream switched protocols"));
    }
    framed_once(&response)?;
    Ok(response.map(|body| Relay::new(body, lease, limits.silence_time)))
}

/// An answer that two readers could frame differently is nobody's. RFC 9112 §6.3: "Such a message might indicate an attempt to
/// perform response splitting".
fn framed_once(response: &Response<Incoming>) -> Result<(), Fault> {
    let headers = response.headers();
    let (mut lengths, mut codings) =
        (headers.get_all(header::CONTENT_LENGTH).iter(), headers.get_all(header::TRANSFER_ENCODING).iter());
    let (length, coding) = (lengths.next(), codings.next());
    let digits = length.is_none_or(|length| length.as_bytes().iter().all(u8::is_ascii_digit));
    let chunked = coding.is_none_or(|coding| coding.as_bytes().eq_ignore_ascii_case(b"chunked"));
    let twice = lengths.next().is_some() || codings.next().is_some() || (length.is_some() && coding.is_some());
    if digits && chunked && !twice {
        return Ok(());
    }
    Err(failed("the upstream framed its answer in two ways, or in one that is not known"))
}

/// A request without an answer.
struct Unanswered {
    /// The request itself, where not a byte of it was sent.
    unsent: Option<Box<Request<Sent>>>,
    /// Whether a byte of an answer came.
    heard: bool,
    fault: Fault,
}

async fn send(
    mut lease: Lease,
    request: Request<Sent>,
    limit: Duration,
) -> Result<(Response<Incoming>, Lease), Unanswered> {
    let before = lease.heard();
    let course = request.body().course().cloned();
    lease.unsent = request.body().file();
    match in_time(lease.sender.try_send(request), course, limit).await {
        Ok(Ok(response)) => Ok((response, lease)),
        Ok(Err((unsent, error))) => {
            Err(Unanswered { unsent, heard: lease.heard() != before, fault: failed(&with_causes(&error)) })
        }
        Err(_) => Err(Unanswered { unsent: None, heard: false, fault: timed_out("no answer in time") }),
    }
}

/// Waits for an answer: `limit` from the end of the request on. While its body is on its way, that long for each part.
async fn in_time<F: Future>(answer: F, course: Option<Course>, limit: Duration) -> Result<F::Output, Elapsed> {
    let Some(course) = course else { return timeout(limit, answer).await };
    let mut answer = pin!(answer);
    loop {
        let moved = course.last_moved();
        match timeout_at(moved + limit, &mut answer).await {
            Err(_) if course.last_moved() > moved => {}
            answered => return answered,
        }
    }
}

/// RFC 9110 §9.2.2.
fn is_idempotent(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE)
}

/// What went wrong, down to the cause that the other side or the system gave: an alert of TLS, a broken pipe.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}

fn failed(reason: &str) -> Fault {
    Fault::Upstream(Code::UpstreamFailed, reason.to_owned())
}

fn timed_out(reason: &str) -> Fault {
    Fault::Upstream(Code::UpstreamTimeout, reason.to_owned())
}
