use countersign::{Code, Head, Origin, Rejection};
use http::uri::{Authority, PathAndQuery};
use http::{HeaderMap, HeaderValue, Method, Request, Version, header};
use hyper::body::{Body, Incoming};

use crate::awaited::Awaited;
use crate::content::Content;
use crate::forwarded::Told;
use crate::inbound::Inbound;
use crate::upgrade::Upgrade;

/// A request as it arrived, before anything of it was judged but that it is one.
pub(crate) struct Arrival {
    /// `malformed` for what is not one unambiguous request to us.
    pub(crate) head: Result<Head, Rejection>,
    /// Its body, which is to be left in order whatever the head is.
    pub(crate) body: Inbound,
    /// The protocol that it asks to go on in.
    pub(crate) upgrade: Option<Upgrade>,
    /// To be told when its caller may leave.
    pub(crate) awaited: Awaited,
    /// The target of one that was sent to a host that is none of ours: its route says how much that is told of.
    pub(crate) astray: Option<String>,
}

/// A request as it arrived, in one form for both versions of HTTP.
pub(crate) struct Opening {
    pub(crate) method: Method,
    /// The request target, byte for byte.
    pub(crate) target: String,
    /// The host that the caller asks, `malformed` where that is not one.
    pub(crate) host: Result<String, Rejection>,
    pub(crate) headers: HeaderMap,
    pub(crate) has_body: bool,
    pub(crate) body: Inbound,
    /// The protocol that it asks to go on in, `malformed` where it may not.
    pub(crate) upgrade: Result<Option<Upgrade>, Rejection>,
    /// To be told when its caller may leave.
    pub(crate) awaited: Awaited,
}

impl Opening {
    /// One of HTTP/1.1, framed strictly.
    pub(crate) fn http1(
        method: Method,
        target: String,
        version: Version,
        headers: HeaderMap,
        has_body: bool,
        body: Inbound,
        awaited: Awaited,
    ) -> Self {
        let host = check(&method, &headers).and_then(|()| host(&headers, None)).map(str::to_owned);
        let upgrade = Upgrade::asked(version, &headers, has_body);
        Self { method, target, host, headers, has_body, body, upgrade, awaited }
    }

    /// One of HTTP/2.
    pub(crate) fn http2(request: Request<Incoming>, awaited: Awaited) -> Self {
        let (mut parts, body) = request.into_parts();
        let length = content_length(&parts.headers);
        let has_body = !body.is_end_stream();
        join_cookies(&mut parts.headers);
        let target = parts.uri.path_and_query().map_or("/", PathAndQuery::as_str).to_owned();
        let authority = parts.uri.authority().map_or("", Authority::as_str);
        let known = parts.uri.scheme_str().is_none_or(|scheme| matches!(scheme, "http" | "https"));
        let host = check_fields(&parts.headers)
            .and_then(|()| check(&parts.method, &parts.headers))
            .and_then(|()| if known { Ok(()) } else { Err(malformed(":scheme is neither http nor https")) })
            .and_then(|()| host(&parts.headers, Some(authority)));
        let host = host.map(str::to_owned);
        let upgrade = Upgrade::asked(parts.version, &parts.headers, has_body);
        let body = Inbound::new(Content::Http2(body), length, false);
        Self { method: parts.method, target, host, headers: parts.headers, has_body, body, upgrade, awaited }
    }
}

/// Reads the head of a request, and believes of scheme and authority what `public` says, and what trusted proxies told of
/// them.
pub(crate) fn read(opening: Opening, public: &[Origin], told: &Told, most_fields: usize) -> Arrival {
    let Opening { method, target, host, headers, has_body, body, upgrade, awaited } = opening;
    let (upgrade, allowed) = match upgrade {
        Ok(upgrade) => (upgrade, Ok(())),
        Err(rejection) => (None, Err(rejection)),
    };
    let head = allowed
        .and(host)
        // Of HTTP/1.1 the framing filter has counted them.
        .and_then(|host| {
            let many = || Rejection::new(Code::HeadTooLarge, format!("more than {most_fields} fields"));
            if headers.len() <= most_fields { Ok(host) } else { Err(many()) }
        })
        .map(|host| origin(told.host.as_deref().unwrap_or(&host), told.https, public));
    let (head, astray) = match head {
        Ok(Ok(origin)) => (Head::request(method, target, origin, headers, has_body), None),
        Ok(Err(foreign)) => (Err(foreign), Some(target)),
        Err(rejection) => (Err(rejection), None),
    };
    Arrival { head, body, upgrade, awaited, astray }
}

/// RFC 9113 §8.2.3: cookie crumbs "MUST be concatenated into a single octet string using the two-octet delimiter of 0x3B, 0x20"
/// before they leave HTTP/2; so they are signed as one, too.
fn join_cookies(headers: &mut HeaderMap) {
    if headers.get_all(header::COOKIE).iter().nth(1).is_none() {
        return;
    }
    let crumbs: Vec<&[u8]> = headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if let Ok(cookie) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..])) {
        headers.insert(header::COOKIE, cookie);
    }
}

/// What the framing filter has seen to in HTTP/1.1, and nobody below us in HTTP/2.
fn check_fields(headers: &HeaderMap) -> Result<(), Rejection> {
    // RFC 9113 §8.2.1: "A field value MUST NOT start or end with an ASCII whitespace character".
    let blank = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    if headers.values().any(|value| blank(value.as_bytes().first()) || blank(value.as_bytes().last())) {
        return Err(malformed("a field value with a blank before or behind it"));
    }
    let mut lengths = headers.get_all(header::CONTENT_LENGTH).iter();
    let digits = |value: &HeaderValue| value.as_bytes().iter().all(u8::is_ascii_digit);
    if !lengths.next().is_none_or(digits) || lengths.next().is_some() {
        return Err(malformed("not one Content-Length, or not a number"));
    }
    Ok(())
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

/// The host that the caller asks: `:authority`, which a `Host` beside it has to repeat (RFC 9113 §8.3.1), or `Host` alone.
///
/// RFC 9112 §3.2: "A server MUST respond with a 400 (Bad Request) status code to any HTTP/1.1 request message that lacks a
/// Host header field and to any request message that contains more than one Host header field line".
fn host<'a>(headers: &'a HeaderMap, authority: Option<&'a str>) -> Result<&'a str, Rejection> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let text = |host: &'a HeaderValue| host.to_str().map_err(|_| malformed("the Host is not printable ASCII"));
    match (authority, hosts.next(), hosts.next()) {
        (None, Some(host), None) => text(host),
        // RFC 9113 §8.3.1 lets a request that was one of HTTP/1.1 keep its `Host` alone.
        (Some(""), Some(host), None) => text(host),
        (Some(authority), None, _) => Ok(authority),
        (Some(authority), Some(host), None) if text(host)? == authority => Ok(authority),
        (Some(_), Some(_), None) => Err(malformed("the Host is not the :authority")),
        _ => Err(malformed("not exactly one Host")),
    }
}

/// By which of the public origins this host is asked. Where two differ by their scheme alone, a proxy may say which.
fn origin(host: &str, https: Option<bool>, public: &[Origin]) -> Result<Origin, Rejection> {
    if public.is_empty() {
        return Origin::new(https.unwrap_or(false), host);
    }
    let is_told = |ours: &&Origin| https.is_none_or(|https| https == (ours.scheme() == "https"));
    let is_asked = |ours: &&Origin| Origin::new(ours.scheme() == "https", host).is_ok_and(|theirs| theirs == **ours);
    let ours = public.iter().filter(is_asked);
    let ours = ours.clone().find(is_told).or_else(|| ours.clone().next());
    ours.cloned().ok_or_else(|| {
        let known: Vec<String> =
            public.iter().map(|ours| format!("{}://{}", ours.scheme(), ours.authority())).collect();
        let why = format!("the Host is not one of ours, which are {}", known.join(", "));
        Rejection::new(Code::Malformed, why).advising("send it to a host that this API has, signed for that host")
    })
}

/// The announced length: one number or none, as was checked.
fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn malformed(why: &'static str) -> Rejection {
    Rejection::new(Code::Malformed, why)
}
