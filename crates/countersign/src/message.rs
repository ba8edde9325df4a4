use std::borrow::Cow;
use std::sync::Arc;

use http::header::{AsHeaderName, HeaderMap};
use http::{Method, StatusCode, header};

use crate::rejection::{Code, Rejection};
use crate::target::Target;

/// Scheme and authority as the caller means them (RFC 6454 without its serialisation quirks): what `@scheme` and
/// `@authority` stand for. Behind a TLS-terminating hop only the operator knows them, so they never come from a header
/// that a stranger can write.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    https: bool,
    authority: String,
}

impl Origin {
    /// From `https://api.example.com`, `http://127.0.0.1:8080`, `https://[::1]:8443`. Host in lower case, the default port
    /// dropped (RFC 9421 §2.2.3).
    ///
    /// # Errors
    /// `malformed` for anything but `http` or `https` with a host and an optional port, and nothing behind.
    pub fn parse(url: &str) -> Result<Self, Rejection> {
        let bad = || Rejection::new(Code::Malformed, "not an origin: http(s)://host[:port]");
        let (https, rest) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
            (Some(rest), _) => (true, rest),
            (_, Some(rest)) => (false, rest),
            _ => return Err(bad()),
        };
        Self::new(https, rest.strip_suffix('/').unwrap_or(rest))
    }

    /// From a `Host` field value or an `:authority`.
    ///
    /// # Errors
    /// `malformed` for user information, an empty host, a trailing dot, a port that is none, or a character that no host has.
    pub fn new(https: bool, authority: &str) -> Result<Self, Rejection> {
        let bad = |why| Err(Rejection::new(Code::Malformed, why));
        let (host, port) = match authority.rfind(':') {
            Some(at) if !authority[at..].contains(']') => (&authority[..at], Some(&authority[at + 1..])),
            _ => (authority, None),
        };
        let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let plausible = match address {
            Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
            None => host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_')),
        };
        if host.is_empty() || !plausible || host.starts_with('.') || host.as_bytes().windows(2).any(|two| two == b"..")
        {
            return bad("the host is not a name or an address");
        }
        if host.ends_with('.') {
            return bad("the host ends in a dot");
        }
        let mut normal = host.to_ascii_lowercase();
        if let Some(port) = port {
            let number: u16 = match port.parse() {
                Ok(number) if port.bytes().all(|byte| byte.is_ascii_digit()) => number,
                // RFC 3986 §3.2.3 lets the port be empty; senders mean the default.
                _ if port.is_empty() => default_port(https),
                _ => return bad("the port is not a number"),
            };
            if number != default_port(https) {
                normal.push(':');
                normal.push_str(&number.to_string());
            }
        }
        Ok(Self { https, authority: normal })
    }

    /// `http` or `https`: the value of `@scheme`.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        if self.https { "https" } else { "http" }
    }

    /// Host and port: the value of `@authority`.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }
}

fn default_port(https: bool) -> u16 {
    if https { 443 } else { 80 }
}

/// The head of a message: start line and header fields as they came, and whether a body follows.
#[derive(Clone, Debug)]
pub struct Head(
    /// It moves from proof to proof, through results and futures: behind a pointer that costs nothing.
    Arc<Parts>,
);

#[derive(Clone, Debug)]
struct Parts {
    start: Start,
    headers: HeaderMap,
    trailers: HeaderMap,
    has_body: bool,
    channel: Option<Arc<str>>,
}

/// Where a field stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    Header,
    Trailer,
}

#[derive(Clone, Debug)]
enum Start {
    Request { method: Method, target: Target, origin: Origin },
    Response { status: StatusCode, request: Option<Head> },
}

impl Head {
    /// The head of a request. `target` is the request target byte for byte, `origin` is what the server believes of scheme
    /// and authority, `has_body` says whether the framing announces a body: a `Content-Length` above 0, a
    /// `Transfer-Encoding`, or in HTTP/2 a head that does not end the stream.
    ///
    /// # Errors
    /// `malformed` for a target that can be read in more than one way, for an absolute target of another authority, and for
    /// a repeated field where HTTP expects one.
    pub fn request(
        method: Method,
        target: impl Into<String>,
        origin: Origin,
        headers: HeaderMap,
        has_body: bool,
    ) -> Result<Self, Rejection> {
        let target = Target::parse(&method, target.into())?;
        if let Some(authority) = target.authority() {
            let https = target.raw().starts_with("https");
            if Origin::new(https, authority)? != origin {
                return Err(Rejection::new(
                    Code::Malformed,
                    "the target's scheme and authority are not those it came to",
                ));
            }
        }
        // Where as many names stand there as fields, none stands twice.
        let repeats = headers.len() > headers.keys_len();
        for single in [header::HOST, header::CONTENT_TYPE, header::CONTENT_LENGTH, header::AUTHORIZATION] {
            if repeats && headers.get_all(&single).iter().nth(1).is_some() {
                return Err(Rejection::new(Code::Malformed, format!("{single} stands twice")));
            }
        }
        let start = Start::Request { method, target, origin };
        Ok(Self(Arc::new(Parts { start, headers, trailers: HeaderMap::new(), has_body, channel: None })))
    }

    /// The head of a response, with the request it answers where its signature binds to one (`;req`).
    #[must_use]
    pub fn response(status: StatusCode, headers: HeaderMap, has_body: bool, request: Option<Head>) -> Self {
        let start = Start::Response { status, request };
        Self(Arc::new(Parts { start, headers, trailers: HeaderMap::new(), has_body, channel: None }))
    }

    /// The same, with the name of the partner that the channel proved by which the message came: by a TLS client certificate,
    /// say. `None` where it proved none. Whoever reads a head from the wire knows; nothing in the message says so.
    #[must_use]
    pub fn on_channel_of(mut self, partner: Option<Arc<str>>) -> Self {
        Arc::make_mut(&mut self.0).channel = partner;
        self
    }

    /// The partner that the channel proved.
    pub(crate) fn channel(&self) -> Option<&str> {
        self.0.channel.as_deref()
    }

    /// The header fields.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.0.headers
    }

    /// The trailer fields (RFC 9110 §6.5). Of a request that was verified, those that its signature covers.
    #[must_use]
    pub fn trailers(&self) -> &HeaderMap {
        &self.0.trailers
    }

    /// The header fields, leaving the rest behind.
    #[must_use]
    pub fn into_headers(self) -> HeaderMap {
        Arc::unwrap_or_clone(self.0).headers
    }

    /// Whether a body follows.
    #[must_use]
    pub fn has_body(&self) -> bool {
        self.0.has_body
    }

    /// The method of a request; `None` for a response.
    #[must_use]
    pub fn method(&self) -> Option<&Method> {
        match &self.0.start {
            Start::Request { method, .. } => Some(method),
            Start::Response { .. } => None,
        }
    }

    /// The request target as it came.
    #[must_use]
    pub fn target(&self) -> Option<&str> {
        self.parsed_target().map(Target::raw)
    }

    /// The path of the request target, byte for byte, `/` where it is empty.
    #[must_use]
    pub fn path(&self) -> Option<&str> {
        self.parsed_target().map(Target::path)
    }

    /// The query of the request target, without its `?`.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.parsed_target().and_then(Target::query)
    }

    /// What the server believes of scheme and authority.
    #[must_use]
    pub fn origin(&self) -> Option<&Origin> {
        match &self.0.start {
            Start::Request { origin, .. } => Some(origin),
            Start::Response { .. } => None,
        }
    }

    pub(crate) fn parsed_target(&self) -> Option<&Target> {
        match &self.0.start {
            Start::Request { target, .. } => Some(target),
            Start::Response { .. } => None,
        }
    }

    pub(crate) fn status(&self) -> Option<StatusCode> {
        match &self.0.start {
            Start::Response { status, .. } => Some(*status),
            Start::Request { .. } => None,
        }
    }

    /// The request that a response answers.
    pub(crate) fn answered(&self) -> Option<&Head> {
        match &self.0.start {
            Start::Response { request, .. } => request.as_ref(),
            Start::Request { .. } => None,
        }
    }

    /// The lines of a field, each without the blanks around it (RFC 9421 §2.1 step 2).
    pub(crate) fn lines<N: AsHeaderName>(&self, section: Section, name: N) -> impl Iterator<Item = &[u8]> + use<'_, N> {
        let fields = match section {
            Section::Header => &self.0.headers,
            Section::Trailer => &self.0.trailers,
        };
        fields.get_all(name).iter().map(|value| value.as_bytes().trim_ascii())
    }

    /// As [`Head::joined_of`], of the header section.
    pub(crate) fn joined(&self, name: impl AsHeaderName) -> Result<Option<Cow<'_, str>>, Rejection> {
        self.joined_of(Section::Header, name)
    }

    /// The one value of a field: its lines joined with `, ` (RFC 9421 §2.1). `None` where the field is absent, which differs
    /// from empty.
    ///
    /// # Errors
    /// `malformed` for a byte outside printable ASCII: it has no one form as text.
    pub(crate) fn joined_of(
        &self,
        section: Section,
        name: impl AsHeaderName,
    ) -> Result<Option<Cow<'_, str>>, Rejection> {
        let mut lines = self.lines(section, name);
        let Some(first) = lines.next() else { return Ok(None) };
        let mut value = Cow::Borrowed(ascii(first)?);
        for line in lines {
            let value = value.to_mut();
            value.push_str(", ");
            value.push_str(ascii(line)?);
        }
        Ok(Some(value))
    }

    pub(crate) fn trailers_mut(&mut self) -> &mut HeaderMap {
        &mut Arc::make_mut(&mut self.0).trailers
    }

    pub(crate) fn headers_mut(&mut self) -> &mut HeaderMap {
        &mut Arc::make_mut(&mut self.0).headers
    }
}

fn ascii(line: &[u8]) -> Result<&str, Rejection> {
    // `http::HeaderValue` has no control characters but the tab.
    match std::str::from_utf8(line) {
        Ok(text) if text.is_ascii() => Ok(text),
        _ => Err(Rejection::new(Code::Malformed, "a signed header value holds a byte beyond ASCII")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_has_one_spelling() {
        let spell = |https, text: &str| Origin::new(https, text).map(|origin| origin.authority).ok();
        assert_eq!(spell(true, "API.Example.com:443").as_deref(), Some("api.example.com"));
        assert_eq!(spell(false, "example.com:443").as_deref(), Some("example.com:443"));
        assert_eq!(spell(false, "[::1]:80").as_deref(), Some("[::1]"));
        assert_eq!(spell(false, "[::1]").as_deref(), Some("[::1]"));
        assert_eq!(spell(false, "example.com:").as_deref(), Some("example.com"));
        for bad in ["", ":80", "a@b", "a.", "a:b", "a:-1", "a:+80", "[::g]", "a/b", "a b", "a,b", "a:99999", "a..b"] {
            assert_eq!(spell(false, bad), None, "{bad}");
        }
    }

    #[test]
    fn lines_are_trimmed_and_joined() {
        let mut headers = HeaderMap::new();
        headers.append("x", " a ".parse().unwrap());
        headers.append("x", "b".parse().unwrap());
        headers.append("empty", "".parse().unwrap());
        let origin = Origin::new(false, "example.com").unwrap();
        let head = Head::request(Method::GET, "/", origin, headers, false).unwrap();
        assert_eq!(head.joined("x").unwrap().as_deref(), Some("a, b"));
        assert_eq!(head.joined("empty").unwrap().as_deref(), Some(""));
        assert_eq!(head.joined("absent").unwrap(), None);
    }

    #[test]
    fn a_byte_beyond_ascii_has_no_one_form_as_text() {
        let mut headers = HeaderMap::new();
        headers.append("utf-8", http::HeaderValue::from_bytes("é".as_bytes()).unwrap());
        headers.append("latin-1", http::HeaderValue::from_bytes(b"\xe9").unwrap());
        headers.append("second-line", "a".parse().unwrap());
        headers.append("second-line", http::HeaderValue::from_bytes("é".as_bytes()).unwrap());
        let head = Head::request(Method::GET, "/", Origin::new(false, "example.com").unwrap(), headers, false).unwrap();
        for name in ["utf-8", "latin-1", "second-line"] {
            assert_eq!(head.joined(name).map_err(|rejection| rejection.code()), Err(Code::Malformed), "{name}");
        }
    }
}
