//! A client's bytes, in reads of any size.

use std::convert::Infallible;
use std::future::Future;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncWriteExt, DuplexStream};
use tokio::sync::watch;

use super::scanner::{Phase, Scanner};
use super::{Fault, Limits};
use crate::arrival::Opening;
use crate::front::Front;
use crate::pace::Pace;
use crate::reply::Reply;
use crate::{connection, settings};

const LIMITS: Limits = Limits {
    bytes: 400,
    fields: 8,
    head_time: Duration::from_secs(1),
    idle_time: Duration::from_secs(1),
    write_time: Duration::from_secs(1),
};

/// The first byte says how large the reads are, the rest is what they read.
///
/// # Panics
/// Where the size of the reads changes what goes on or what is faulty; where what goes on before a fault is faulty itself, or a
/// whole message more; where hyper sees other messages in what goes on than were framed, or than we do.
pub(crate) fn framing(input: &[u8]) {
    let Some((&size, bytes)) = input.split_first() else { return };
    let whole = scan(bytes, usize::MAX);
    for size in [1, usize::from(size).max(2)] {
        let parts = scan(bytes, size);
        assert_eq!((parts.fault, parts.phase), (whole.fault, whole.phase), "in reads of {size}");
        assert_eq!(parts.passed, whole.passed, "in reads of {size}");
        assert_eq!(parts.bodies, whole.bodies, "in reads of {size}");
    }
    let again = scan(&whole.passed, usize::MAX);
    assert_eq!((again.fault, again.bodies), (None, whole.bodies.clone()), "what goes on before a fault");

    let ours = we_see(&whole.passed);
    let seen = hyper_sees(&whole.passed);
    for (ours, theirs) in ours.iter().zip(&seen) {
        let same_body = ours.body.is_none() || theirs.body.is_none() || ours.body == theirs.body;
        assert!(same_body && ours.head == theirs.head, "we see {ours:?}, hyper {theirs:?}");
    }
    let seen: Vec<_> = seen.into_iter().map(|seen| seen.body).collect();
    assert!(
        seen.len() <= whole.bodies.len(),
        "{} messages were framed, and hyper sees {}",
        whole.bodies.len(),
        seen.len()
    );
    for (framed, seen) in whole.bodies.iter().zip(&seen) {
        // A chunked body is decoded above, a sized one is what it is; one that breaks off is none.
        let same = seen.as_ref().is_none_or(|seen| framed.as_ref().is_none_or(|framed| framed == seen));
        assert!(same, "framed as {framed:?}, seen by hyper as {seen:?}");
    }
}

#[derive(Debug)]
struct Scanned {
    passed: Vec<u8>,
    fault: Option<Fault>,
    phase: Phase,
    /// Of each head that ended: the body so far where it has a length, `None` for a chunked one.
    bodies: Vec<Option<Vec<u8>>>,
}

fn scan(bytes: &[u8], size: usize) -> Scanned {
    let mut scanner = Scanner::new(LIMITS);
    let mut scanned = Scanned { passed: Vec::new(), fault: None, phase: Phase::Idle, bodies: Vec::new() };
    for part in bytes.chunks(size) {
        let mut part = part.to_vec();
        let verdict = scanner.scan(&mut part);
        let passed = verdict.as_ref().map_or_else(|(at, _)| *at, |()| part.len());
        scanned.passed.extend_from_slice(&part[..passed]);
        if let Err((_, fault)) = verdict {
            scanned.fault = Some(fault);
            break;
        }
    }
    scanned.phase = scanner.phase();
    scanned.bodies = bodies(&scanned.passed);
    scanned
}

/// The bodies in bytes without a fault, told by the scanner one byte at a time.
fn bodies(passed: &[u8]) -> Vec<Option<Vec<u8>>> {
    let mut scanner = Scanner::new(LIMITS);
    let mut bodies = Vec::new();
    let mut before = Phase::Idle;
    for byte in passed {
        let in_body = before == Phase::Body;
        if scanner.scan(&mut [*byte]).is_err() {
            break;
        }
        let after = scanner.phase();
        if in_body {
            if let Some(Some(body)) = bodies.last_mut() {
                Vec::push(body, *byte);
            }
        } else if before == Phase::Head && after != Phase::Head {
            bodies.push((!scanner.is_chunked()).then(Vec::new));
        }
        before = after;
    }
    bodies
}

/// Method, target, and the fields in their order. Of an absolute target hyper adds to the path: there it is left out.
type Head = (String, Option<String>, Vec<(String, Vec<u8>)>);

/// A request as a server sees it.
#[derive(Debug)]
struct Seen {
    head: Head,
    /// `None` for one that breaks off.
    body: Option<Vec<u8>>,
}

fn head(method: &Method, target: &str, headers: &HeaderMap) -> Head {
    let fields = headers.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect();
    (method.to_string(), Some(target.to_owned()).filter(|target| target.starts_with('/')), fields)
}

type Noted = Arc<Mutex<Vec<Seen>>>;

fn note(noted: &Noted, seen: Seen) {
    noted.lock().unwrap_or_else(PoisonError::into_inner).push(seen);
}

fn take(noted: &Noted) -> Vec<Seen> {
    std::mem::take(&mut noted.lock().unwrap_or_else(PoisonError::into_inner))
}

/// The requests that hyper makes of these bytes.
fn hyper_sees(bytes: &[u8]) -> Vec<Seen> {
    let noted = Noted::default();
    let service = service_fn(|request: Request<Incoming>| async {
        let (parts, body) = request.into_parts();
        let head = head(&parts.method, &parts.uri.to_string(), &parts.headers);
        let body = body.collect().await.ok().map(|body| body.to_bytes().to_vec());
        note(&noted, Seen { head, body });
        let mut response = Response::new(Empty::<Bytes>::new());
        *response.status_mut() = StatusCode::FORBIDDEN;
        Ok::<_, Infallible>(response)
    });
    run(bytes, |server| async {
        let connection = http1::Builder::new().half_close(true).serve_connection(TokioIo::new(server), service);
        // What hyper does not like, it refuses; that is no fault.
        let _ = connection.await;
    });
    take(&noted)
}

/// The requests that we make of them.
fn we_see(bytes: &[u8]) -> Vec<Seen> {
    let noting = Noting::default();
    run(bytes, |server| async {
        let (_stop, stopping) = watch::channel(false);
        connection::serve(server, None, noting.clone(), stopping).await;
    });
    take(&noting.0)
}

/// Notes what it is asked.
#[derive(Clone, Default)]
struct Noting(Noted);

impl Front for Noting {
    fn limits(&self) -> settings::Limits {
        settings::Limits { head_bytes: LIMITS.bytes, head_fields: LIMITS.fields, ..settings::Limits::default() }
    }

    fn connections(&self, _: i64) {}

    async fn answer(self, _: Option<IpAddr>, opening: Opening) -> Response<Reply> {
        let Opening { method, target, headers, body: mut inbound, .. } = opening;
        let mut body = Some(Vec::new());
        while let (Some(all), Some(part)) =
            (&mut body, inbound.next(Pace::of(&settings::Limits::default())).await.transpose())
        {
            match part {
                Ok(part) => all.extend_from_slice(&part),
                Err(_) => body = None,
            }
        }
        note(&self.0, Seen { head: head(&method, &target, &headers), body });
        Response::new(Reply::own(""))
    }

    fn refuse(&self, fault: Fault) -> String {
        fault.answer("")
    }
}

/// Serves a caller who says these bytes and no more.
fn run<F: Future<Output = ()>>(bytes: &[u8], serve: impl FnOnce(DuplexStream) -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(async {
        let (mut client, server) = tokio::io::duplex(1 << 20);
        client.write_all(bytes).await.expect("there is room");
        client.shutdown().await.expect("nobody minds");
        serve(server).await;
    });
}
