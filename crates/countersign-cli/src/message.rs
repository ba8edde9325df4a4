//! A raw HTTP/1.1 message on stdin: strict as a server is, but for what people and editors do to line ends.

mod framing;
#[cfg(test)]
mod tests;

use std::io::{IsTerminal, Read};

use bytes::Bytes;
use countersign::{Code, Head, Origin, Rejection, Signed};
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::exit::Failure;
use crate::output::note;
use framing::Framing;

/// A message of this many bytes is read into memory, no longer one.
const MAX_MESSAGE: u64 = 256 << 20;

/// A request as it was written, field by field in its order.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    start: String,
    method: Method,
    target: String,
    fields: Vec<Field>,
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
        let mut input = std::io::stdin().lock();
        if input.is_terminal() {
            note!("reading a raw HTTP message from the terminal; Ctrl-D ends it");
        }
        let mut text = Vec::new();
        let read = (&mut input).take(MAX_MESSAGE + 1).read_to_end(&mut text);
        read.map_err(|fault| Failure::ours(format!("stdin: {}", crate::exit::words(&fault))))?;
        if text.len() as u64 > MAX_MESSAGE {
            return Err(Failure::usage("the message on stdin is longer than 256 MiB"));
        }
        if text.is_empty() {
            return Err(Failure::usage("no message on stdin").hint(
                "printf 'GET / HTTP/1.1\\r\\nHost: api.example.com\\r\\n\\r\\n' | countersign sign --key FILE --id ID",
            ));
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
        let (start, lines) = lines.split_first().ok_or_else(|| malformed("the message is empty"))?;
        let (start, method, target) = request_line(start)?;
        let fields = lines.iter().map(|line| field(line)).collect::<Result<Vec<_>, _>>()?;
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
        let body = if framing == Framing::Chunked { framing::unchunk(&raw_body)? } else { raw_body.clone() };
        Ok(Self { start, method, target, fields, framing, raw_body, body })
    }

    /// The body, without its transfer coding.
    pub(crate) fn body(&self) -> &Bytes {
        &self.body
    }

    /// The values of a field.
    pub(crate) fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.fields.iter().filter(move |field| field.name == name).filter_map(|field| field.value.to_str().ok())
    }

    /// Host and port, as the message has them.
    fn authority(&self) -> Option<&str> {
        let absolute = ["http://", "https://"].iter().find_map(|prefix| self.target.strip_prefix(prefix));
        self.values("host").next().or_else(|| absolute?.split(['/', '?']).next())
    }

    /// What `@scheme` and `@authority` stand for where nobody says otherwise: an absolute target says it itself, a loopback
    /// host is served over plain HTTP, everything else over HTTPS.
    pub(crate) fn origin(&self) -> Result<Origin, Rejection> {
        let authority =
            self.authority().ok_or_else(|| malformed("there is no Host field: add one, or say --origin https://…"))?;
        let https = match self.target.split_once("://") {
            Some((scheme, _)) if scheme == "http" || scheme == "https" => scheme == "https",
            _ => !is_loopback(authority),
        };
        Origin::new(https, authority)
    }

    /// Whether the message was sent to this origin's host and port.
    pub(crate) fn authority_under(&self, origin: &Origin) -> bool {
        let own = self.authority().map(|authority| Origin::new(origin.scheme() == "https", authority));
        own.is_some_and(|own| own.is_ok_and(|own| own == *origin))
    }

    /// The head, as a server that is reached at `origin` sees it.
    pub(crate) fn head(&self, origin: Origin) -> Result<Head, Rejection> {
        let has_body = !self.body.is_empty() || self.framing == Framing::Chunked;
        Head::request(self.method.clone(), &self.target, origin, self.headers(), has_body)
    }

    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for field in &self.fields {
            headers.append(field.name.clone(), field.value.clone());
        }
        headers
    }

    /// Takes the signature in; its fields stand behind the others.
    pub(crate) fn sign(&mut self, signed: &Signed) {
        let mut headers = self.headers();
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
        line(&[self.start.as_bytes()]);
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

fn request_line(line: &[u8]) -> Result<(String, Method, String), Rejection> {
    let bad = || malformed("the first line is not METHOD TARGET HTTP/1.1");
    let line = std::str::from_utf8(line).map_err(|_| bad())?;
    if line.starts_with("HTTP/") {
        return Err(malformed("this is a response; only requests are signed and verified yet"));
    }
    let mut parts = line.split(' ');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(method), Some(target), Some("HTTP/1.1" | "HTTP/1.0" | "HTTP/2" | "HTTP/2.0" | "HTTP/3"), None) => {
            let parsed = method.parse().map_err(|_| bad())?;
            Ok((line.to_owned(), parsed, target.to_owned()))
        }
        _ => Err(bad()),
    }
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
    let mut start = true;
    name.chars()
        .map(|letter| {
            let letter = if start { letter.to_ascii_uppercase() } else { letter };
            start = letter == '-';
            letter
        })
        .collect()
}
