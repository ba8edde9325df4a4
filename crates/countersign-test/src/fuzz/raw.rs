use http::{HeaderMap, HeaderName, HeaderValue, Method};

use countersign::{Head, Origin, Rejection};

/// A message as text, read with patience: what is no header line is passed over, so that few inputs are wasted.
#[derive(Clone, Debug)]
pub(super) struct Raw {
    pub(super) method: Method,
    pub(super) target: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Raw {
    /// `METHOD TARGET …`, header lines, an empty line, the body. Lines end in LF or CRLF.
    pub(super) fn request(text: &[u8]) -> Option<Self> {
        let (start, headers, body) = split(text)?;
        let mut words = start.split(' ');
        let method = words.next()?.parse().ok()?;
        Some(Self { method, target: words.next()?.to_owned(), headers, body })
    }

    /// The head, as it came to `api.example.com` or to where `Host` says.
    pub(super) fn head(&self) -> Result<Head, Rejection> {
        let host = self.headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or("api.example.com");
        let origin = Origin::new(true, host)?;
        Head::request(self.method.clone(), &self.target, origin, self.headers.clone(), !self.body.is_empty())
    }
}

/// The sections of an input, as many as are asked for; those that lack are empty.
pub(super) fn sections<const N: usize>(input: &[u8]) -> [&[u8]; N] {
    const BETWEEN: &[u8] = b"\n===\n";
    let mut rest = input;
    std::array::from_fn(|nth| match rest.windows(BETWEEN.len()).position(|window| window == BETWEEN) {
        Some(at) if nth + 1 < N => {
            let (section, after) = (&rest[..at], &rest[at + BETWEEN.len()..]);
            rest = after;
            section
        }
        _ => std::mem::take(&mut rest),
    })
}

/// Header lines, each on its own.
pub(super) fn fields(text: &[u8]) -> HeaderMap {
    text.split(|&byte| byte == b'\n').filter_map(field).collect::<Vec<_>>().into_iter().fold(
        HeaderMap::new(),
        |mut fields, (name, value)| {
            fields.append(name, value);
            fields
        },
    )
}

/// The first line, the header lines, and what stands behind the empty line.
pub(super) fn split(text: &[u8]) -> Option<(&str, HeaderMap, Vec<u8>)> {
    let (mut start, mut headers, mut rest) = (None, HeaderMap::new(), text);
    while !rest.is_empty() {
        let end = rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len());
        let line = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
        rest = rest.get(end + 1..).unwrap_or_default();
        if line.is_empty() {
            break;
        }
        match (start, field(line)) {
            (None, _) => start = Some(std::str::from_utf8(line).ok()?),
            (Some(_), Some((name, value))) => drop(headers.append(name, value)),
            (Some(_), None) => {}
        }
    }
    Some((start?, headers, rest.to_vec()))
}

fn field(line: &[u8]) -> Option<(HeaderName, HeaderValue)> {
    let colon = line.iter().position(|&byte| byte == b':')?;
    let name = HeaderName::from_bytes(&line[..colon]).ok()?;
    // As a server does it; the bytes of the value itself are left alone.
    let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?;
    Some((name, value))
}
