//! A raw HTTP message as text: strict as a server is, but for what people and editors do to line ends.

mod framing;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) mod fuzz;
mod start;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use countersign::{Code, Head, Origin, Rejection, Signed};
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, TE, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::exit::Failure;
use crate::stdin;
use framing::Framing;
use start::{Kind, Start};

/// A message as it was written, field by field in its order.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    start: Start,
    fields: Vec<Field>,
    trailers: Vec<Field>,
    framing: Framing,
    /// The bytes behind the head that belong to the message, as they came.
    raw_body: Bytes,
    body: Bytes,
}

#[derive(Clone, Debug)]
struct Field {
    /// As it was written.
    spelling: String,
    name: HeaderName,
    value: HeaderValue,
}

impl Message {
    /// Stdin to its end, for [`Message::parse`].
    pub(crate) fn read_stdin() -> Result<Bytes, Failure> {
        let text = stdin::read("raw HTTP message")?;
        if text.is_empty() {
            return Err(Failure::usage("no message on stdin")
                .hint("a file with one: < request.http; or one made up, piped into this command:")
                .hint("printf 'GET / HTTP/1.1\\r\\nHost: api.example.com\\r\\n\\r\\n'"));
        }
        Ok(text.into())
    }

    /// A line may end in LF alone; a message may lack the empty line after a head without body; without `Content-Length`
    /// the rest is the body, but a lone line end is none.
    ///
    /// # Errors
    /// `malformed` for whatever a server would refuse.
    pub(crate) fn parse(text: &Bytes) -> Result<Self, Rejection> {
        let mut at = 0;
        let mut lines = Vec::new();
        while at < text.len() {
            let end = text[at..].iter().position(|&byte| byte == b'\n').map_or(text.len(), |length| at + length);
            let line = &text[at..end];
            at = (end + 1).min(text.len());
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            match (line.is_empty(), lines.is_empty()) {
                (false, _) => lines.push(line),
                (true, false) => break,
                // RFC 9112 §2.2: "a server … SHOULD ignore at least one empty line (CRLF) received prior to the request-line."
                (true, true) => {}
            }
        }
        let (start, count) = Start::read(&lines)?;
        let fields = lines[count..].iter().map(|line| field(line)).collect::<Result<Vec<_>, _>>()?;
        if matches!(start.kind, Kind::Http2 { .. }) {
            check_http2(&fields)?;
        }
        let framing = Framing::of(&fields)?;
        let rest = text.slice(at..);
        let raw_body = match framing {
            Framing::Rest if is_line_end(&rest) => Bytes::new(),
            Framing::Rest => rest,
            Framing::Length(length) if rest.len() < length => {
                return Err(malformed(format!(
                    "Content-Length says {length} and the body has {} bytes: correct it, or leave it out",
                    rest.len()
                )));
            }
            Framing::Length(length) if rest.len() == length || is_line_end(&rest[length..]) => rest.slice(..length),
            Framing::Length(length) => {
                return Err(malformed(format!(
                    "Content-Length says {length} and the body has {} bytes: correct it, or leave it out",
                    rest.len()
                )));
            }
            Framing::Chunked => rest,
        };
        let (body, trailers) = match framing {
            Framing::Chunked => framing::unchunk(&raw_body)?,
            Framing::Rest | Framing::Length(_) => (raw_body.clone(), Vec::new()),
        };
        Ok(Self { start, fields, trailers, framing, raw_body, body })
    }

    /// The body, without its transfer coding.
    pub(crate) fn body(&self) -> &Bytes {
        &self.body
    }

    /// The values of a field.
    pub(crate) fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.fields.iter().filter(move |field| field.name == name).filter_map(|field| field.value.to_str().ok())
    }

    /// The trailers behind a chunked body.
    pub(crate) fn trailers(&self) -> HeaderMap {
        headers(&self.trailers)
    }

    /// Host and port, as the message has them.
    fn authority(&self) -> Option<&str> {
        match &self.start.kind {
            Kind::Http2 { authority, .. } => Some(authority),
            Kind::Request { target, .. } => {
                let absolute = ["http://", "https://"].iter().find_map(|prefix| target.strip_prefix(prefix));
                self.values("host").next().or_else(|| absolute?.split(['/', '?']).next())
            }
            Kind::Response(_) => None,
        }
    }

    /// What `@scheme` and `@authority` stand for where nobody says otherwise: HTTP/2 and an absolute target say it
    /// themselves, a loopback host is served over plain HTTP, everything else over HTTPS.
    pub(crate) fn origin(&self) -> Result<Origin, Rejection> {
        let (_, target) = self.start.request().ok_or_else(is_response)?;
        let authority =
            self.authority().ok_or_else(|| malformed("there is no Host field: add one, or say --origin https://…"))?;
        let https = match (&self.start.kind, target.split_once("://")) {
            (Kind::Http2 { https, .. }, _) => *https,
            (_, Some((scheme, _))) if scheme == "http" || scheme == "https" => scheme == "https",
            _ => !is_loopback(authority),
        };
        Origin::new(https, authority)
    }

    /// What they stand for at a gateway that was not told its public address, and is reached by TLS or in the clear.
    pub(crate) fn received_origin(&self, secure: bool) -> Result<Origin, Rejection> {
        let authority = self.authority().ok_or_else(|| malformed("there is no Host field: add one"))?;
        Origin::new(secure, authority)
    }

    /// Whether the message was sent to this origin's host and port.
    pub(crate) fn authority_under(&self, origin: &Origin) -> bool {
        let own = self.authority().map(|authority| Origin::new(origin.scheme() == "https", authority));
        own.is_some_and(|own| own.is_ok_and(|own| own == *origin))
    }

    /// The head, as a server that is reached at `origin` sees it.
    pub(crate) fn head(&self, origin: Origin) -> Result<Head, Rejection> {
        let (method, target) = self.start.request().ok_or_else(is_response)?;
        Head::request(method.clone(), target, origin, headers(&self.fields), self.has_body())
    }

    /// Whether this is a response.
    pub(crate) fn is_response(&self) -> bool {
        self.start.request().is_none()
    }

    /// The head of a response to `request`.
    pub(crate) fn response_head(&self, request: Option<Head>) -> Result<Head, Rejection> {
        match self.start.kind {
            Kind::Response(status) => Ok(Head::response(status, headers(&self.fields), self.has_body(), request)),
            _ => Err(malformed("this is a request where a response belongs")),
        }
    }

    fn has_body(&self) -> bool {
        !self.body.is_empty() || self.framing == Framing::Chunked
    }

    /// Takes the signature in; its fields stand behind the others.
    pub(crate) fn sign(&mut self, signed: &Signed) {
        let mut headers = headers(&self.fields);
        signed.apply(&mut headers);
        for name in signed.headers().map(|(name, _)| name) {
            self.fields.retain(|field| field.name != name);
            let spelling = title_case(name.as_str());
            let values = headers.get_all(name).iter().cloned();
            self.fields.extend(values.map(|value| Field { spelling: spelling.clone(), name: name.clone(), value }));
        }
        if let Some(body) = signed.body() {
            self.fields.retain(|field| field.name != CONTENT_LENGTH && field.name != TRANSFER_ENCODING);
            self.framing = Framing::Rest;
            self.raw_body = body.clone();
            self.body = body.clone();
        }
    }

    /// The message as it goes on the wire: CRLF, and a `Content-Length` where there is a body.
    pub(crate) fn write(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(1024 + self.raw_body.len());
        let mut line = |parts: &[&[u8]]| {
            for part in parts {
                out.extend_from_slice(part);
            }
            out.extend_from_slice(b"\r\n");
        };
        for start in &self.start.lines {
            line(&[start.as_bytes()]);
        }
        for field in &self.fields {
            line(&[field.spelling.as_bytes(), b": ", field.value.as_bytes()]);
        }
        if self.framing == Framing::Rest && !self.raw_body.is_empty() {
            line(&[b"Content-Length: ", self.raw_body.len().to_string().as_bytes()]);
        }
        line(&[]);
        out.extend_from_slice(&self.raw_body);
        out
    }
}

fn malformed(reason: impl Into<std::borrow::Cow<'static, str>>) -> Rejection {
    Rejection::new(Code::Malformed, reason)
}

fn is_response() -> Rejection {
    malformed("this is a response; only requests are signed and verified here")
}

fn headers(fields: &[Field]) -> HeaderMap {
    fields.iter().map(|field| (field.name.clone(), field.value.clone())).collect()
}

/// RFC 9113 §8.2: field names in lower case, nothing that speaks of a connection, and no `Host` beside `:authority`, which
/// could say something else.
fn check_http2(fields: &[Field]) -> Result<(), Rejection> {
    for field in fields {
        let of_connection = [CONNECTION, TRANSFER_ENCODING, UPGRADE].contains(&field.name)
            || matches!(field.name.as_str(), "keep-alive" | "proxy-connection")
            || (field.name == TE && field.value != "trailers");
        if of_connection || field.name == HOST || field.spelling != field.name.as_str() {
            return Err(malformed(format!("{} is no field of HTTP/2, or not in lower case", field.spelling)));
        }
    }
    Ok(())
}

fn field(line: &[u8]) -> Result<Field, Rejection> {
    if matches!(line.first(), Some(b' ' | b'\t')) {
        return Err(malformed("a header line begins with a blank: write each field on one line"));
    }
    let colon = line.iter().position(|&byte| byte == b':');
    let colon =
        colon.ok_or_else(|| malformed("a header line has no colon; does the empty line before the body lack?"))?;
    let name = &line[..colon];
    let parsed =
        HeaderName::from_bytes(name).map_err(|_| malformed("a header name holds a character that none has"))?;
    let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii())
        .map_err(|_| malformed(format!("the value of {parsed} holds a control character")))?;
    Ok(Field { spelling: String::from_utf8_lossy(name).into_owned(), name: parsed, value })
}

fn is_line_end(rest: &[u8]) -> bool {
    matches!(rest, b"\n" | b"\r\n")
}

fn is_loopback(authority: &str) -> bool {
    let host = match authority.rfind(':') {
        Some(at) if !authority[at..].contains(']') => &authority[..at],
        _ => authority,
    };
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || address.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// `content-digest` → `Content-Digest`, as people write it.
fn title_case(name: &str) -> String {
    if name == "appid" {
        return "AppId".to_owned();
    }
    let mut start = true;
    name.chars()
        .map(|letter| {
            let letter = if start { letter.to_ascii_uppercase() } else { letter };
            start = letter == '-';
            letter
        })
        .collect()
}
