//! The request as it is asked for, before and after it is signed.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use bytes::Bytes;
use countersign::{Origin, Signed};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, header};

use super::form::Form;
use crate::exit::{self, Failure};

/// A body of this many bytes is read into memory, no longer one.
const MAX_BODY: u64 = 256 << 20;

/// Where a request goes.
#[derive(Clone, Debug)]
pub(super) struct Url {
    pub(super) origin: Origin,
    /// Path and query.
    pub(super) target: String,
}

impl Url {
    /// For clap.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (https, rest) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
            (Some(rest), _) => (true, rest),
            (_, Some(rest)) => (false, rest),
            _ => return Err(format!("write it with its scheme: https://{}", text.trim_start_matches('/'))),
        };
        // RFC 9110 §4.2.5: a fragment is the client's own.
        let rest = rest.split('#').next().unwrap_or_default();
        let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err("leave user and password out of it; a header from a file is -H @FILE".to_owned());
        }
        let origin = Origin::new(https, authority).map_err(|rejection| rejection.reason().to_owned())?;
        let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
        PathAndQuery::try_from(target.as_str())
            .map_err(|_| "path and query hold a character that has to be escaped, as %20 for a blank".to_owned())?;
        Ok(Self { origin, target })
    }
}

/// A body, and whether anyone asked for one.
pub(super) struct Body {
    content: Option<Vec<u8>>,
    /// Of a form: its Content-Type, without which its parts are not found.
    form: Option<String>,
}

impl Body {
    pub(super) fn read(data: &[String], binary: Option<&str>, form: &[String]) -> Result<Self, Failure> {
        if !form.is_empty() {
            let Form { body, content_type } = Form::read(form)?;
            return Ok(Self { content: Some(body), form: Some(content_type) });
        }
        let content = match binary {
            Some(binary) => Some(content(binary)?),
            None if data.is_empty() => None,
            None => Some(Self::joined(data)?),
        };
        Ok(Self { content, form: None })
    }

    fn joined(data: &[String]) -> Result<Vec<u8>, Failure> {
        let mut parts = Vec::new();
        for part in data {
            let mut bytes = content(part)?;
            if part.starts_with('@') {
                bytes.retain(|byte| !matches!(byte, b'\r' | b'\n' | 0));
            }
            parts.push(bytes);
        }
        Ok(parts.join(&b'&'))
    }

    fn content_type(&self) -> Option<&str> {
        if self.form.is_some() {
            return self.form.as_deref();
        }
        let body = self.content.as_ref()?;
        let json = matches!(body.trim_ascii_start().first(), Some(b'{' | b'['))
            && serde_json::from_slice::<serde_json::Value>(body).is_ok();
        Some(if json { "application/json" } else { "application/x-www-form-urlencoded" })
    }
}

/// What goes out.
#[derive(Clone, Debug)]
pub(super) struct Outgoing {
    pub(super) method: Method,
    pub(super) target: String,
    /// What `Host` says, and `@authority`.
    pub(super) origin: Origin,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Outgoing {
    pub(super) fn new(url: &Url, method: Option<Method>, given: &[String], body: Body) -> Result<Self, Failure> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
        let agent = concat!("countersign/", env!("CARGO_PKG_VERSION"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static(agent));
        if let Some(media_type) = body.content_type() {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_str(media_type).map_err(Failure::ours)?);
        }
        let mut own: Vec<HeaderName> = headers.keys().cloned().collect();
        for line in lines(given)? {
            let (name, value) = field(&line)?;
            if name == header::CONTENT_TYPE && body.form.is_some() {
                return Err(Failure::usage("the Content-Type of a form names its boundary, and can't be set")
                    .hint("leave -H 'Content-Type: …' out; that of a file is -F 'file=@scan;type=image/png'"));
            }
            if own.contains(&name) {
                headers.remove(&name);
                own.retain(|it| *it != name);
            }
            if let Some(value) = value {
                headers.append(name, value);
            }
        }
        let method = method.unwrap_or(if body.content.is_some() { Method::POST } else { Method::GET });
        let https = url.origin.scheme() == "https";
        let origin = match headers.get(header::HOST) {
            Some(host) => Origin::new(https, host.to_str().unwrap_or_default())?,
            None => url.origin.clone(),
        };
        let body = body.content.unwrap_or_default().into();
        Ok(Self { method, target: url.target.clone(), origin, headers, body })
    }

    /// Takes the signature in.
    pub(super) fn take(&mut self, signed: &Signed) {
        signed.apply(&mut self.headers);
        if let Some(body) = signed.body() {
            self.body = body.clone();
        }
    }

    /// For the wire.
    pub(super) fn request(&self) -> Result<Request<Bytes>, Failure> {
        let mut request = Request::new(self.body.clone());
        *request.method_mut() = self.method.clone();
        let target = PathAndQuery::try_from(self.target.as_str()).map_err(Failure::usage)?;
        *request.uri_mut() = Uri::from(target);
        *request.headers_mut() = self.fields()?;
        Ok(request)
    }

    /// All header fields, with those that frame the message.
    pub(super) fn fields(&self) -> Result<HeaderMap, Failure> {
        let mut fields = HeaderMap::new();
        fields.insert(header::HOST, HeaderValue::from_str(self.origin.authority()).map_err(Failure::usage)?);
        for (name, value) in self.headers.iter().filter(|(name, _)| **name != header::HOST) {
            fields.append(name.clone(), value.clone());
        }
        if !self.body.is_empty() || matches!(self.method, Method::POST | Method::PUT | Method::PATCH) {
            fields.insert(header::CONTENT_LENGTH, HeaderValue::from(self.body.len()));
        }
        Ok(fields)
    }
}

/// `@FILE`, `@-` for stdin, or the text itself.
pub(super) fn content(text: &str) -> Result<Vec<u8>, Failure> {
    match text.strip_prefix('@') {
        None => Ok(text.as_bytes().to_vec()),
        Some("-") => limited(io::stdin().lock(), Path::new("-")),
        Some(path) => {
            let path = Path::new(path);
            limited(File::open(path).map_err(|fault| exit::io("can't read", path, &fault))?, path)
        }
    }
}

fn limited(from: impl Read, path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = from.take(MAX_BODY + 1).read_to_end(&mut bytes);
    read.map_err(|fault| exit::io("can't read", path, &fault))?;
    if bytes.len() as u64 > MAX_BODY {
        return Err(Failure::usage(format!("{} is longer than 256 MiB", path.display())));
    }
    Ok(bytes)
}

/// The header lines that were given, those from files among them.
fn lines(given: &[String]) -> Result<Vec<String>, Failure> {
    let mut all = Vec::new();
    for given in given {
        if given.starts_with('@') {
            let text = String::from_utf8(content(given)?);
            let text = text.map_err(|_| Failure::usage(format!("{} is not text", &given[1..])))?;
            all.extend(text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned));
        } else {
            all.push(given.clone());
        }
    }
    Ok(all)
}

/// `Name: value`; `Name:` for none, `Name;` for an empty one, as curl has it.
fn field(line: &str) -> Result<(HeaderName, Option<HeaderValue>), Failure> {
    // Not the line itself: its value may be a credential.
    let form = || Failure::usage("a header is not of the form `Name: value`").hint("-H 'Content-Type: text/plain'");
    let (name, value) = match (line.split_once(':'), line.strip_suffix(';')) {
        (Some((name, value)), _) => (name, Some(value.trim()).filter(|value| !value.is_empty())),
        (None, Some(name)) => (name, Some("")),
        (None, None) => return Err(form()),
    };
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| form())?;
    if [header::CONTENT_LENGTH, header::TRANSFER_ENCODING].contains(&name) {
        return Err(Failure::usage(format!("{name} follows from the body, and can't be set"))
            .hint("for messages of any form there is countersign sign"));
    }
    let value = value.map(HeaderValue::from_str).transpose();
    Ok((name.clone(), value.map_err(|_| Failure::usage(format!("the value of {name} holds a control character")))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart_as_it_goes_on_the_wire() {
        let parts = |text: &str| Url::parse(text).map(|url| (url.origin.authority().to_owned(), url.target));
        let are = |authority: &str, target: &str| Ok((authority.to_owned(), target.to_owned()));
        assert_eq!(parts("https://API.example.com:443/a/b?c=d%20e#f"), are("api.example.com", "/a/b?c=d%20e"));
        assert_eq!(parts("http://127.0.0.1:8080"), are("127.0.0.1:8080", "/"));
        assert_eq!(parts("http://[::1]:8080?q"), are("[::1]:8080", "/?q"));
        for bad in ["api.example.com/a", "ftp://a/", "http://", "http://u:p@a/", "http://a b/", "http://a/b c", "//a"] {
            assert!(parts(bad).is_err(), "{bad}");
        }
        assert!(!Url::parse("http://u:hunter2@a/").unwrap_err().contains("hunter2"));
    }

    #[test]
    fn what_is_no_header_is_not_repeated_in_the_error() {
        let error = field("Bearer hunter2").unwrap_err();
        assert!(!format!("{error:?}").contains("hunter2"));
        assert_eq!(field("X-Empty;").unwrap().1.unwrap(), "");
        assert_eq!(field("Accept:").unwrap().1, None);
        assert!(field("Content-Length: 3").is_err());
    }
}
