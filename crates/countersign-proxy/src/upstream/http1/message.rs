use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, header};
use hyper::body::Body;

use super::{answer, scratch};
use crate::fault::Fault;
use crate::sent::Sent;
use crate::spool::Share;
use crate::upstream::failed;

/// A request as it goes out: its head in bytes, a small body behind it, and what else there is of one.
pub(crate) struct Message {
    pub(super) head: Vec<u8>,
    pub(super) method: Method,
    pub(super) framed: Framed,
    pub(super) body: Sent,
    /// The room that the body takes: as long as any of it is to be sent, or to be sent again.
    share: Option<Share>,
}

/// How the end of a body is told, and how much of it is still to come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Framed {
    /// Nothing is to come.
    #[default]
    None,
    /// So many bytes.
    Sized(u64),
    Chunked,
}

/// A head that is being written.
pub(crate) struct Draft {
    head: Vec<u8>,
    method: Method,
}

/// A byte that stands in no head, in words.
#[derive(Debug, thiserror::Error)]
#[error("{0} holds a byte that no head has")]
pub(crate) struct Unwritable(&'static str);

impl Draft {
    /// A head for this path, and the query where there is one.
    ///
    /// # Errors
    /// [`Unwritable`].
    pub(crate) fn new(method: &Method, path: &str, query: Option<&str>) -> Result<Self, Unwritable> {
        let mut head = scratch::write();
        head.extend_from_slice(method.as_str().as_bytes());
        head.push(b' ');
        let target = head.len();
        let (mark, query) = query.map_or(("", ""), |query| ("?", query));
        for part in [path, mark, query] {
            head.extend_from_slice(part.as_bytes());
        }
        let of_target = |byte: u8| matches!(byte, b'!'..=b'~') && byte != b'#';
        if !path.starts_with('/') && path != "*" || !all(&head[target..], of_target) {
            return Err(Unwritable("the target"));
        }
        head.extend_from_slice(b" HTTP/1.1\r\n");
        Ok(Self { head, method: method.clone() })
    }

    /// One field more. It frames nothing: that is for [`Draft::end`] to say.
    pub(crate) fn field(&mut self, name: &HeaderName, value: &HeaderValue) {
        put(&mut self.head, name, value.as_bytes());
    }

    /// The same, of a value that nobody has looked at, in parts.
    ///
    /// # Errors
    /// [`Unwritable`].
    pub(crate) fn text(&mut self, name: &HeaderName, value: &[&str]) -> Result<(), Unwritable> {
        self.written(name, |head| {
            for part in value {
                head.extend_from_slice(part.as_bytes());
            }
        })
    }

    /// The same, of what `write` adds to the head.
    ///
    /// # Errors
    /// [`Unwritable`].
    pub(crate) fn written(&mut self, name: &HeaderName, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), Unwritable> {
        self.head.extend_from_slice(name.as_str().as_bytes());
        self.head.extend_from_slice(b": ");
        let value = self.head.len();
        write(&mut self.head);
        let of_value = |byte: u8| byte >= b' ' && byte != 0x7f || byte == b'\t';
        if !all(&self.head[value..], of_value) {
            return Err(Unwritable("a field"));
        }
        self.head.extend_from_slice(b"\r\n");
        Ok(())
    }

    /// With this body, and the trailers that are in it. `announced` says that one was, if only an empty one.
    pub(crate) fn end(mut self, body: Sent, announced: bool) -> Message {
        let (trailers, length) = match &body {
            Sent::Kept(body, trailers) => (Some(trailers), Some(body.len() as u64)),
            Sent::Spooled(body, trailers) => (Some(trailers), Some(body.left())),
            Sent::Passing(body) => (None, body.length().filter(|_| announced)),
        };
        let framed = match (trailers.filter(|trailers| !trailers.is_empty()), length) {
            (Some(trailers), _) => {
                // RFC 9110 §6.6.2: announced, so that the upstream keeps them; chunked, since nothing else carries them.
                let names: Vec<&str> = trailers.keys().map(HeaderName::as_str).collect();
                put(&mut self.head, &header::TRAILER, names.join(", ").as_bytes());
                Framed::Chunked
            }
            (None, Some(0)) if !announced => Framed::None,
            (None, Some(length)) => Framed::Sized(length),
            (None, None) if body.is_end_stream() => Framed::None,
            (None, None) => Framed::Chunked,
        };
        match framed {
            Framed::None => {}
            Framed::Sized(length) => {
                self.head.extend_from_slice(b"content-length: ");
                decimal(&mut self.head, length);
                self.head.extend_from_slice(b"\r\n");
            }
            Framed::Chunked => self.head.extend_from_slice(b"transfer-encoding: chunked\r\n"),
        }
        self.message(framed, body)
    }

    fn message(mut self, mut framed: Framed, body: Sent) -> Message {
        self.head.extend_from_slice(b"\r\n");
        if let (Sent::Kept(body, _), Framed::Sized(_)) = (&body, framed)
            && body.len() <= COPIED
        {
            self.head.extend_from_slice(body);
            framed = Framed::None;
        }
        Message { head: std::mem::take(&mut self.head), method: self.method, framed, body, share: None }
    }
}

impl Message {
    /// A request whose URI is path and query, and whose fields are all that goes out.
    ///
    /// # Errors
    /// `upstream_failed` where it can't be written, or its fields frame the body in another way than it is.
    pub(in crate::upstream) fn of(request: Request<Sent>) -> Result<Self, Fault> {
        let (parts, body) = request.into_parts();
        let (path, query) = (parts.uri.path(), parts.uri.query());
        let mut draft = Draft::new(&parts.method, path, query).map_err(|error| failed(&error.to_string()))?;
        for (name, value) in &parts.headers {
            draft.field(name, value);
        }
        let length = match parts.headers.get(header::CONTENT_LENGTH).map(|length| answer::length(length.as_bytes())) {
            Some(None) => return Err(failed("a length that is no number")),
            Some(length) => length,
            None => None,
        };
        let framed = match (length, parts.headers.contains_key(header::TRANSFER_ENCODING)) {
            (Some(_), true) => return Err(failed("a request that is framed in two ways")),
            (Some(length), false) if body.size_hint().exact().is_none_or(|exact| exact == length) => {
                Framed::Sized(length)
            }
            (Some(_), false) => return Err(failed("a body of another length than was announced")),
            (None, true) => Framed::Chunked,
            (None, false) => return Ok(draft.end(body, false)),
        };
        Ok(draft.message(framed, body))
    }

    /// The same with the share of the room that its body has.
    pub(crate) fn with(mut self, share: Option<Share>) -> Self {
        self.share = share;
        self
    }

    pub(in crate::upstream) fn body(&self) -> &Sent {
        &self.body
    }

    /// With another body in place of its own, which is the same.
    pub(in crate::upstream) fn refill(&mut self, body: Sent) {
        self.body = body;
    }

    pub(in crate::upstream) fn method(&self) -> &Method {
        &self.method
    }

    /// The message, of which nothing is left here.
    pub(super) fn take(&mut self) -> Self {
        let body = Sent::Kept(Bytes::new(), HeaderMap::new());
        let (method, framed) = (Method::default(), Framed::None);
        std::mem::replace(self, Self { head: Vec::new(), method, framed, body, share: None })
    }

    /// As it is written.
    #[cfg(test)]
    pub(crate) fn head(&self) -> &[u8] {
        &self.head
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        scratch::written(std::mem::take(&mut self.head));
    }
}

pub(super) fn fields(head: &mut Vec<u8>, fields: &HeaderMap) {
    for (name, value) in fields {
        put(head, name, value.as_bytes());
    }
}

/// Whether all of them are such. Looks at the rest also behind one that is not: so many are looked at at once.
fn all(bytes: &[u8], such: impl Fn(u8) -> bool) -> bool {
    bytes.iter().fold(true, |so_far, &byte| so_far & such(byte))
}

fn put(head: &mut Vec<u8>, name: &HeaderName, value: &[u8]) {
    let name = name.as_str().as_bytes();
    head.reserve(name.len() + value.len() + 4);
    for part in [name, b": ", value, b"\r\n"] {
        head.extend_from_slice(part);
    }
}

fn decimal(into: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        // Below ten.
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return into.extend_from_slice(&digits[at..]);
        }
    }
}

/// Copying so much takes less than handing two pieces to the kernel.
pub(super) const COPIED: usize = 8 << 10;
