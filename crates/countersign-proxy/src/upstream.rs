//! The way to the API behind: one small pool of connections per worker.

mod awaiting;
mod both_ways;
mod condition;
mod destination;
mod group;
mod http1;
mod http2;
mod lines;
mod pool;
mod probe;
mod relay;
mod switch;

use countersign::Code;
use http::{Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper::ext::ReasonPhrase;
use tokio::time::timeout;

use crate::channel::Caller;
use crate::course::Course;
use crate::fault::Fault;
use crate::outgoing;
use crate::record::Recorded;
use crate::sent::Sent;
use crate::settings::Limits;
use crate::table::Route;
use crate::turn;

use awaiting::Awaiting;
pub(crate) use condition::Outcome;
pub(crate) use destination::Destination;
pub(crate) use group::{Conditions, Group, Member};
#[cfg(any(test, feature = "fuzz"))]
pub(crate) use http1::fuzz;
pub(crate) use http1::{Draft, Message, Unwritable};
pub(crate) use lines::Lines;
use pool::Connection;
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
    /// connection or to another of them, if none of it was sent, or if it is idempotent and none of an answer came. The fields of
    /// the answer are [`Lines`].
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
        let mut message = outgoing::message(recorded, caller, None).await?;
        let course = message.body().course().cloned();
        // What was verified before took its part of this turn.
        let started = match message.body() {
            Sent::Passing(body) => body.course().begun(),
            Sent::Kept(..) | Sent::Spooled(..) => turn::look(),
        };
        let answer = self.exchange(&mut message, course.as_ref(), &route.upstream, limits).await;
        route.metrics.upstream_took(turn::now().duration_since(started));
        match answer {
            Ok(answer) => passable(answer),
            Err(fault) => Err(course.and_then(|course| course.take_fault()).map_or(fault, Fault::from)),
        }
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
        match send_request(lease, request, limits).await {
            Ok(answer) => passable(answer).map(in_a_map).map(Some),
            Err(Unanswered { sent: false, .. }) => Ok(None),
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
        let answer = send_request(lease, request, limits).await.map_err(|unanswered| unanswered.fault)?;
        passable(answer).map(in_a_map)
    }

    async fn connect(&self, to: &Destination, limits: &Limits) -> Result<Lease, Fault> {
        match timeout(limits.connect_time, self.pool.connect(to, limits)).await {
            Ok(Ok(lease)) => Ok(lease),
            Ok(Err(error)) => Err(failed(&format!("{}: {error}", to.name()))),
            Err(_) => Err(timed_out(&format!("{}: no connection in time", to.name()))),
        }
    }

    /// Who can't be connected to gives way to the next: nothing was sent. What was sent goes out a second time at most, and
    /// only where it is idempotent and none of an answer came.
    async fn exchange(
        &self,
        message: &mut Message,
        course: Option<&Course>,
        to: &Group,
        limits: &Limits,
    ) -> Result<Response<Relay>, Fault> {
        let idempotent = is_idempotent(message.method());
        let several = to.members().len() > 1;
        let (mut resend, mut fault) = (true, None);
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
                            fault = Some(error);
                            break;
                        }
                    },
                };
                let spare = if idempotent && resend && (used || several) { message.body().again() } else { None };
                let awaiting = Awaiting::begin(condition, message.body(), course);
                let answer = send(lease, message, limits).await;
                awaiting.over();
                let error = match answer {
                    Ok(answer) => {
                        condition.note(Outcome::Answered, "");
                        return Ok(answer);
                    }
                    // The caller broke off, or our disk did: no fault of the upstream's.
                    Err(Unanswered { fault, .. }) if course.is_some_and(Course::is_broken) => return Err(fault),
                    Err(Unanswered { sent: false, fault, .. }) => fault,
                    Err(Unanswered { heard: false, fault: Fault::Upstream(Code::UpstreamFailed, reason), .. }) => {
                        let fault = failed(&reason);
                        let Some(spare) = spare else {
                            condition.note(Outcome::Broken, &reason);
                            return Err(fault);
                        };
                        message.refill(spare);
                        resend = false;
                        fault
                    }
                    Err(Unanswered { fault, .. }) => {
                        let silent = matches!(fault, Fault::Upstream(Code::UpstreamTimeout, _));
                        condition.note(if silent { Outcome::Silent } else { Outcome::Broken }, &fault.reason());
                        return Err(fault);
                    }
                };
                condition.retried();
                // One that was used before may have been closed long since; a new one that breaks off is another matter.
                let error = fault.insert(error);
                if !used {
                    condition.note(Outcome::Broken, &error.reason());
                    break;
                }
            }
        }
        Err(fault.unwrap_or_else(|| failed("there is no upstream")))
    }
}

/// An answer that can be passed on.
fn passable(response: Response<Relay>) -> Result<Response<Relay>, Fault> {
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        // Nobody asked for it, see `Upstreams::switch`. The connection is closed.
        return Err(failed("the upstream switched protocols"));
    }
    Ok(response)
}

/// The same with all of its fields in its map, for those who look them up.
fn in_a_map(mut response: Response<Relay>) -> Response<Relay> {
    if let Some(lines) = response.body_mut().lines().take() {
        lines.put_into(response.headers_mut());
        let usual = response.status().canonical_reason().unwrap_or_default();
        if let Ok(reason) = ReasonPhrase::try_from(lines.reason())
            && !lines.reason().is_empty()
            && lines.reason() != usual.as_bytes()
        {
            // Somebody chose it, so it goes on.
            response.extensions_mut().insert(reason);
        }
    }
    response
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
    /// Whether a byte of it was sent. If none was, the request is as it was before.
    sent: bool,
    /// Whether a byte of an answer came.
    heard: bool,
    fault: Fault,
}

/// Sends a message, and waits for the head of its answer.
async fn send(mut lease: Lease, message: &mut Message, limits: &Limits) -> Result<Response<Relay>, Unanswered> {
    let Connection::Http1(connection) = &mut lease.connection else {
        let fault = failed("HTTP/2 is not spoken to an upstream");
        return Err(Unanswered { sent: false, heard: false, fault });
    };
    let head = connection.exchange(message, limits.response_time).await?;
    Ok(head.map(|lines| Relay::of_http1(lease, lines, limits.silence_time)))
}

/// The same with a request that may be sent in either version of HTTP, once.
async fn send_request(
    mut lease: Lease,
    request: Request<Sent>,
    limits: &Limits,
) -> Result<Response<Relay>, Unanswered> {
    if let Connection::Http2(connection) = &mut lease.connection {
        let answer = connection.exchange(request, limits.response_time).await?;
        return Ok(answer.map(|body| Relay::of_http2(body, limits.silence_time)));
    }
    let message = Message::of(request).map_err(|fault| Unanswered { sent: true, heard: true, fault });
    send(lease, &mut message?, limits).await
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
