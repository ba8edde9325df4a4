use countersign::{Code, Head, Origin, Rejection};
use http::{HeaderMap, Method, Request, header};
use hyper::body::Incoming;

use crate::inbound::Inbound;

/// A request as it arrived, before anything of it was judged but that it is one.
pub(crate) struct Arrival {
    pub(crate) head: Head,
    pub(crate) body: Inbound,
}

/// Reads the head of a request, and believes of scheme and authority what `public` says.
///
/// # Errors
/// `malformed` for what is not one unambiguous request to us; the body comes back, to be left in order.
pub(crate) fn read(request: Request<Incoming>, public: &[Origin]) -> Result<Arrival, (Rejection, Inbound)> {
    let (parts, body) = request.into_parts();
    let waits = parts.headers.contains_key(header::EXPECT);
    let length = content_length(&parts.headers);
    let has_body = length.is_some_and(|length| length > 0) || parts.headers.contains_key(header::TRANSFER_ENCODING);
    let body = Inbound::new(body, length, waits);
    let head = check(&parts.method, &parts.headers)
        .and_then(|()| origin(&parts.headers, public))
        .and_then(|origin| Head::request(parts.method, &parts.uri.to_string(), origin, parts.headers, has_body));
    match head {
        Ok(head) => Ok(Arrival { head, body }),
        Err(rejection) => Err((rejection, body)),
    }
}

fn check(method: &Method, headers: &HeaderMap) -> Result<(), Rejection> {
    if matches!(*method, Method::CONNECT | Method::TRACE) {
        return Err(malformed("CONNECT and TRACE are not served"));
    }
    let mut expectations = headers.get_all(header::EXPECT).iter();
    let known = expectations.next().is_none_or(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"));
    if !known || expectations.next().is_some() {
        return Err(malformed("an expectation other than one 100-continue"));
    }
    Ok(())
}

/// RFC 9112 §3.2: "A server MUST respond with a 400 (Bad Request) status code to any HTTP/1.1 request message that lacks a
/// Host header field and to any request message that contains more than one Host header field line".
fn origin(headers: &HeaderMap, public: &[Origin]) -> Result<Origin, Rejection> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return Err(malformed("not exactly one Host")) };
    let host = host.to_str().map_err(|_| malformed("the Host is not printable ASCII"))?;
    if public.is_empty() {
        return Origin::new(false, host);
    }
    let ours =
        public.iter().find(|ours| Origin::new(ours.scheme() == "https", host).is_ok_and(|theirs| theirs == **ours));
    ours.cloned().ok_or_else(|| malformed("the Host is not one of ours"))
}

/// The announced length. The framing filter has let through one number or none.
fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn malformed(why: &'static str) -> Rejection {
    Rejection::new(Code::Malformed, why)
}
