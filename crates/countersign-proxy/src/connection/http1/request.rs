//! From the bytes of a head, and where its parts stand in them, to what is judged.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};

use super::names::field_name;
use crate::framing::{Fault, Field, Scanned};

/// A request that has come as far as its head.
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) target: String,
    pub(super) headers: HeaderMap,
    pub(super) length: Option<u64>,
    pub(super) has_body: bool,
    /// RFC 9110 §10.1.1: it waits for `100 Continue`.
    pub(super) expects: bool,
    pub(super) wants: Wants,
}

/// What the caller says about the answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wants {
    /// The answer to `HEAD` has no body, whatever its fields say of one.
    pub(super) head_alone: bool,
    /// Of `HTTP/1.`
    pub(super) minor: u8,
    /// Whether another request may follow.
    pub(super) persists: bool,
    /// RFC 9110 §10.1.4: it takes trailers.
    pub(super) trailers: bool,
}

impl Request {
    /// Reads a head. All of it was found to be one.
    ///
    /// # Errors
    /// Where a name is longer than any that can be kept.
    pub(super) fn read(scanned: &Scanned, head: &Bytes) -> Result<Self, Fault> {
        let line = &scanned.line;
        let unreadable = Fault::Bad("not a request line of HTTP/1.0 or HTTP/1.1");
        let method = Method::from_bytes(&head[line.method.clone()]).map_err(|_| unreadable)?;
        let target = std::str::from_utf8(&head[line.target.clone()]).map_err(|_| unreadable)?.to_owned();
        let headers = fields(head, &scanned.fields)?;
        let length = scanned.announced.length;
        let has_body = scanned.announced.chunked || length.is_some_and(|length| length > 0);
        let (minor, head_alone) = (line.minor, method == Method::HEAD);
        let says = Said::by(&headers);
        let wants = Wants {
            head_alone,
            minor,
            // RFC 9112 §9.3: HTTP/1.1 persists unless one side says `close`, HTTP/1.0 only where the caller says `keep-alive`.
            persists: !says.close && (minor > 0 || says.keep_alive),
            trailers: says.trailers,
        };
        // RFC 9110 §10.1.1: of HTTP/1.0 it is to be ignored.
        let expects = minor > 0 && says.expect;
        Ok(Self { method, target, headers, length, has_body, expects, wants })
    }
}

/// The fields of a section, each value a part of its bytes.
pub(super) fn fields(section: &Bytes, fields: &[Field]) -> Result<HeaderMap, Fault> {
    let mut headers = HeaderMap::with_capacity(fields.len());
    for field in fields {
        let unreadable = Fault::Bad("a field line that can't be kept");
        let name = field_name(&section[field.name()]).map_err(|_| unreadable)?;
        let value = HeaderValue::from_maybe_shared(section.slice(field.value(section))).map_err(|_| unreadable)?;
        headers.try_append(name, value).map_err(|_| Fault::TooLarge)?;
    }
    Ok(headers)
}

/// What a head says of the connection.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is something that is said or not")]
struct Said {
    close: bool,
    keep_alive: bool,
    trailers: bool,
    expect: bool,
}

impl Said {
    /// Most heads have no such field, and one look at each name finds that out sooner than looking each of them up.
    fn by(headers: &HeaderMap) -> Self {
        let mut said = Self::default();
        for (name, value) in headers {
            if *name == header::CONNECTION {
                said.close |= has_member(value, "close");
                said.keep_alive |= has_member(value, "keep-alive");
            } else if *name == header::TE {
                said.trailers |= has_member(value, "trailers");
            } else if *name == header::EXPECT {
                said.expect = true;
            }
        }
        said
    }
}

/// Whether a field that is a list has this member.
pub(super) fn has_option(headers: &HeaderMap, name: &HeaderName, option: &str) -> bool {
    headers.get_all(name).iter().any(|value| has_member(value, option))
}

fn has_member(list: &HeaderValue, member: &str) -> bool {
    let mut members = list.as_bytes().split(|byte| *byte == b',');
    members.any(|it| it.trim_ascii().eq_ignore_ascii_case(member.as_bytes()))
}
