//! What the upstream receives: built from the basis alone.

use std::collections::HashSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use countersign::{Basis, Delivery, Head, Ready, Unavailable, Unverified};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Uri, header};

use crate::channel::Caller;
use crate::headers::{self, Connection};
use crate::record::Recorded;
use crate::sent::Sent;
use crate::spool::{Held, Share};
use crate::trace::TraceId;

/// A request for the upstream.
pub(crate) struct Outgoing {
    pub(crate) request: Request<Sent>,
    /// The room that the body takes, held until the exchange is over.
    pub(crate) share: Option<Share>,
}

impl Outgoing {
    /// Takes a recorded request apart and makes of it what goes on.
    ///
    /// # Errors
    /// [`Unavailable`] where an identity can't be written as a header: nothing goes on under half a name.
    pub(crate) fn of(recorded: Recorded, caller: &Caller) -> Result<Self, Unavailable> {
        let (basis, trace) = recorded.into_parts();
        let identity = identity_headers(&basis, trace)?;
        let covered = |name: &HeaderName| match &basis {
            Basis::Signed(ready) => ready.covers(name),
            Basis::Both(both) => both.ready().covers(name),
            Basis::Bearer(..) | Basis::Observed(..) => false,
        };
        let named: HashSet<HeaderName> =
            Connection::of(head(&basis).headers()).names().filter(|name| !covered(name)).collect();
        let signed = |ready: Ready<Held>| {
            let (head, delivery, _) = ready.into_parts();
            (head, delivery)
        };
        let unsigned = |request: Unverified<Held>| (request.head, Delivery::AsReceived(request.body));
        let (head, delivery) = match basis {
            Basis::Signed(ready) => signed(ready),
            Basis::Both(both) => signed(both.into_ready()),
            Basis::Bearer(bearer) => unsigned(bearer.into_request()),
            Basis::Observed(_, outcome) => unsigned(outcome.request),
        };
        let (Some(method), Some(origin)) = (head.method().cloned(), head.origin().cloned()) else {
            return Err(Unavailable::new("gateway", "a response was about to be forwarded as a request"));
        };
        let uri = target(&head)?;
        let framed = head.headers().contains_key(header::CONTENT_LENGTH) || head.has_body();
        let mut trailers = head.trailers().clone();
        let mut headers = head.into_headers();
        headers::remove_incoming(&mut headers, &named);
        headers::remove_incoming(&mut trailers, &named);
        let (body, share) = match delivery {
            Delivery::AsReceived(Held::Memory(body, share)) => (Sent::Kept(body, trailers), Some(share)),
            Delivery::AsReceived(Held::File(body)) => (Sent::Spooled(Box::new(body), trailers), None),
            Delivery::AsReceived(Held::Passing(body)) => (Sent::Passing(body), None),
            Delivery::Received(body, held) => {
                let share = held.replaced_by(body.len());
                (Sent::Kept(body, trailers), share)
            }
            Delivery::Derived(body, held) => {
                headers.insert(CONTENT_DIGEST, content_digest(&body)?);
                let share = held.replaced_by(body.len());
                (Sent::Kept(body, trailers), share)
            }
        };
        frame(&mut headers, &body, framed)?;
        headers.insert(header::HOST, value(origin.authority())?);
        headers::tell_origin(&mut headers, caller.address, &origin)?;
        if let Some(certificate) = &caller.certificate {
            headers.insert(headers::CLIENT_CERT, certificate.clone());
        }
        headers.extend(identity);
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        Ok(Self { request, share })
    }
}

/// How the end of the body is told. Without a length hyper writes chunks where there is a body. `framed` says that one was
/// announced, if only an empty one.
fn frame(headers: &mut HeaderMap, body: &Sent, framed: bool) -> Result<(), Unavailable> {
    let (trailers, length) = match body {
        Sent::Kept(body, trailers) => (Some(trailers), Some(body.len() as u64)),
        Sent::Spooled(body, trailers) => (Some(trailers), Some(body.left())),
        Sent::Passing(body) => (None, body.length().filter(|_| framed)),
    };
    if let Some(trailers) = trailers.filter(|trailers| !trailers.is_empty()) {
        // RFC 9110 §6.6.2: announced, so that the upstream keeps them; chunked, since nothing else carries them.
        let names: Vec<&str> = trailers.keys().map(HeaderName::as_str).collect();
        headers.insert(header::TRAILER, value(&names.join(", "))?);
        headers.insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    } else if let Some(length) = length.filter(|length| framed || *length > 0) {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    Ok(())
}

fn head(basis: &Basis<Held>) -> &Head {
    match basis {
        Basis::Signed(ready) => ready.head(),
        Basis::Both(both) => both.ready().head(),
        Basis::Bearer(bearer) => &bearer.request().head,
        Basis::Observed(_, outcome) => &outcome.request.head,
    }
}

/// The only place where identity headers are made, and they are made of the basis: what was only observed carries no partner.
fn identity_headers(basis: &Basis<Held>, trace: TraceId) -> Result<Vec<(HeaderName, HeaderValue)>, Unavailable> {
    let mut headers = vec![(headers::TRACE, trace.header())];
    if let Some(identity) = basis.identity() {
        headers.push((headers::PARTNER, value(&identity.partner)?));
        headers.push((headers::KEY, value(&identity.key)?));
        headers.push((headers::SCHEME, value(identity.scheme.as_str())?));
    }
    if let Some(token) = basis.token() {
        headers.push((headers::USER, value(token.user())?));
    }
    Ok(headers)
}

/// Path and query, byte for byte as they were verified.
fn target(head: &Head) -> Result<Uri, Unavailable> {
    let mut target = head.path().unwrap_or("/").to_owned();
    if let Some(query) = head.query() {
        target.push('?');
        target.push_str(query);
    }
    let target = PathAndQuery::try_from(target).map_err(|e| Unavailable::new("gateway", e))?;
    Ok(Uri::from(target))
}

/// RFC 9530 §2.
fn content_digest(body: &Bytes) -> Result<HeaderValue, Unavailable> {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, body);
    value(&format!("sha-256=:{}:", STANDARD.encode(digest)))
}

const CONTENT_DIGEST: HeaderName = HeaderName::from_static("content-digest");

fn value(text: &str) -> Result<HeaderValue, Unavailable> {
    HeaderValue::from_str(text).map_err(|e| Unavailable::new("gateway", e))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use countersign::{Code, Demands, Origin, Outcome, Policy, Rejection, Timestamp};
    use http::Method;

    use super::*;
    use crate::log::{Entry, Log};
    use crate::record::Recorder;
    use crate::settings::Limits;
    use crate::spool::{Room, Spool};

    #[tokio::test]
    async fn what_was_only_observed_carries_no_partner() {
        let policy = Policy::new(Demands { observe: true, ..Demands::default() }).unwrap();
        let headers = HeaderMap::from_iter([
            (headers::PARTNER, HeaderValue::from_static("mallory")),
            (header::CONNECTION, HeaderValue::from_static("x-hop")),
            (HeaderName::from_static("x-hop"), HeaderValue::from_static("1")),
        ]);
        let origin = Origin::parse("http://api.test").unwrap();
        let head = Head::request(Method::POST, "/a?b", origin, headers, true).unwrap();
        let room = Arc::new(Room::default());
        let mut body = Spool::new(&room, &Limits::default(), true);
        body.write(Bytes::from_static(b"abc")).await.unwrap();
        let body = body.end().await.unwrap();
        let refusal = Rejection::new(Code::Unsigned, "no signature").into();
        let outcome = Outcome { request: Unverified { head, body }, refusal };
        let now = Timestamp::from_secs(1);
        let log = Log::start(Box::new(std::io::sink()), Arc::default()).unwrap();
        let mut entry = Entry::new(&log, TraceId::new(now), now);
        let basis = Basis::Observed(policy.permit().unwrap(), outcome);
        let caller = Caller { address: [127, 0, 0, 1].into(), partner: None, certificate: None };
        let recorded = Recorder::default().record(basis, &mut entry).await.unwrap();
        let Outgoing { request, share } = Outgoing::of(recorded, &caller).unwrap();
        let names: Vec<_> = request.headers().keys().map(HeaderName::as_str).collect();
        assert!(
            !names.iter().any(|name| name.starts_with("countersign-") && *name != "countersign-trace"),
            "{names:?}"
        );
        assert_eq!(request.headers()[headers::TRACE], entry.trace.as_str());
        assert!(!names.contains(&"x-hop"));
        assert_eq!(
            (request.uri().to_string().as_str(), &request.headers()["content-length"]),
            ("/a?b", &HeaderValue::from(3))
        );
        assert_eq!(room.held(), 3);
        drop(share);
        assert_eq!(room.held(), 0);
    }
}
