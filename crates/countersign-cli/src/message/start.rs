//! What stands before the fields: a request line, a status line, or the pseudo-header fields of HTTP/2.

use countersign::Rejection;
use http::{Method, StatusCode};

use super::malformed;

/// The start of a message, and the lines that it was written in.
#[derive(Clone, Debug)]
pub(super) struct Start {
    pub(super) lines: Vec<String>,
    pub(super) kind: Kind,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    Request {
        method: Method,
        target: String,
    },
    /// RFC 9113 §8.3.1, one field a line: `:method: GET`.
    Http2 {
        method: Method,
        target: String,
        https: bool,
        authority: String,
    },
    Response(StatusCode),
}

impl Start {
    /// Reads the first lines of a message, and says how many they are.
    pub(super) fn read(lines: &[&[u8]]) -> Result<(Self, usize), Rejection> {
        let first = lines.first().ok_or_else(|| malformed("the message is empty"))?;
        if first.starts_with(b":") {
            let count = lines.iter().take_while(|line| line.starts_with(b":")).count();
            // RFC 9113 §8.3: "All pseudo-header fields MUST appear … before all regular field lines."
            if lines[count..].iter().any(|line| line.starts_with(b":")) {
                return Err(malformed("a pseudo-header field stands behind others"));
            }
            let lines: Vec<String> = lines[..count].iter().map(|line| text(line)).collect::<Result<_, _>>()?;
            let kind = pseudo_fields(&lines)?;
            return Ok((Self { lines, kind }, count));
        }
        let line = text(first)?;
        let kind = if line.starts_with("HTTP/") { status_line(&line)? } else { request_line(&line)? };
        Ok((Self { lines: vec![line], kind }, 1))
    }

    /// Method and target of a request.
    pub(super) fn request(&self) -> Option<(&Method, &str)> {
        match &self.kind {
            Kind::Request { method, target } | Kind::Http2 { method, target, .. } => Some((method, target)),
            Kind::Response(_) => None,
        }
    }
}

fn bad() -> Rejection {
    malformed("the first line is not METHOD TARGET HTTP/1.1")
}

fn text(line: &[u8]) -> Result<String, Rejection> {
    std::str::from_utf8(line).map(str::to_owned).map_err(|_| bad())
}

fn request_line(line: &str) -> Result<Kind, Rejection> {
    let mut parts = line.split(' ');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(method), Some(target), Some("HTTP/1.1" | "HTTP/1.0" | "HTTP/2" | "HTTP/2.0" | "HTTP/3"), None) => {
            Ok(Kind::Request { method: method.parse().map_err(|_| bad())?, target: target.to_owned() })
        }
        _ => Err(bad()),
    }
}

/// RFC 9112 §4: the reason phrase may be empty, the blank before it may not lack; people leave it out.
fn status_line(line: &str) -> Result<Kind, Rejection> {
    let bad = || malformed("the first line is not HTTP/1.1 STATUS REASON");
    let mut parts = line.splitn(3, ' ');
    let version = parts.next().filter(|version| matches!(*version, "HTTP/1.1" | "HTTP/1.0" | "HTTP/2" | "HTTP/3"));
    match (version, parts.next()) {
        (Some(_), Some(status)) => status.parse().map(Kind::Response).map_err(|_| bad()),
        _ => Err(bad()),
    }
}

/// RFC 9113 §8.3.1: each stands once, no other does.
fn pseudo_fields(lines: &[String]) -> Result<Kind, Rejection> {
    let bad = |why: &'static str| Err(malformed(why));
    let (mut method, mut scheme, mut authority, mut path) = (None, None, None, None);
    for line in lines {
        let (name, value) = line[1..].split_once(':').ok_or_else(|| malformed("a pseudo-header field has no value"))?;
        let slot = match name {
            "method" => &mut method,
            "scheme" => &mut scheme,
            "authority" => &mut authority,
            "path" => &mut path,
            _ => return bad("a pseudo-header field that no request has"),
        };
        if slot.replace(value.trim()).is_some() {
            return bad("a pseudo-header field stands twice");
        }
    }
    let (Some(method), Some(scheme), Some(authority), Some(path)) = (method, scheme, authority, path) else {
        return bad("a request of HTTP/2 has :method, :scheme, :authority and :path");
    };
    let method = method.parse().map_err(|_| malformed(":method is no method"))?;
    let https = match scheme {
        "https" => true,
        "http" => false,
        _ => return bad(":scheme is neither http nor https"),
    };
    if !path.starts_with('/') && path != "*" {
        return bad(":path is neither a path nor *");
    }
    Ok(Kind::Http2 { method, target: path.to_owned(), https, authority: authority.to_owned() })
}
