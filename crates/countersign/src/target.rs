use std::ops::Range;

use http::Method;

use crate::rejection::{Code, Rejection};

/// A request target (RFC 9112 §3.2) that can be read in one way only, kept byte for byte.
///
/// What two readers could take differently is refused, not repaired: `//`, dot segments also in disguise, `%2f`, `%5c`,
/// `%00`, broken or non-UTF-8 escapes, a backslash, a fragment, a byte beyond ASCII.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    raw: String,
    /// From the `http://authority` of an absolute form to its end; empty otherwise.
    authority: Range<usize>,
    path: Range<usize>,
    query: Option<Range<usize>>,
}

impl Target {
    pub(crate) fn parse(method: &Method, raw: String) -> Result<Self, Rejection> {
        if raw == "*" {
            return match *method {
                Method::OPTIONS => Ok(Self { raw, authority: 0..0, path: 0..0, query: None }),
                _ => Err(ambiguous("the target * belongs to OPTIONS")),
            };
        }
        if *method == Method::CONNECT {
            return Err(ambiguous("CONNECT is not served"));
        }
        let authority = match ["http://", "https://"].iter().find(|prefix| raw.starts_with(**prefix)) {
            Some(prefix) => {
                let from = prefix.len();
                let length = raw[from..].find(['/', '?', '#']).unwrap_or(raw.len() - from);
                if length == 0 {
                    // RFC 9110 §4.2.1: a recipient "MUST reject it as invalid"; others would take what stands behind for it.
                    return Err(ambiguous("the target is an absolute URI without an authority"));
                }
                from..from + length
            }
            None => 0..0,
        };
        let from = authority.end;
        if from == 0 && !raw.starts_with('/') {
            return Err(ambiguous("the target is neither a path nor an absolute URI"));
        }
        let (path, query) = match raw[from..].find('?') {
            Some(at) => (from..from + at, Some(from + at + 1..raw.len())),
            None => (from..raw.len(), None),
        };
        check_path(raw[path.clone()].as_bytes())?;
        if let Some(query) = query.clone() {
            check_query(raw[query].as_bytes())?;
        }
        Ok(Self { raw, authority, path, query })
    }

    /// The target as it came.
    pub(crate) fn raw(&self) -> &str {
        &self.raw
    }

    /// The authority of an absolute form.
    pub(crate) fn authority(&self) -> Option<&str> {
        (!self.authority.is_empty()).then(|| &self.raw[self.authority.clone()])
    }

    /// The path, `/` where it is empty (RFC 9421 §2.2.6).
    pub(crate) fn path(&self) -> &str {
        match &self.raw[self.path.clone()] {
            "" => "/",
            path => path,
        }
    }

    /// The query without its `?`; `None` differs from an empty one.
    pub(crate) fn query(&self) -> Option<&str> {
        self.query.clone().map(|range| &self.raw[range])
    }

    /// Whether every byte is one that RFC 3986 allows where it stands. Others are let through by habit of many clients in a
    /// query (`[`, `|`, `"`), but not where a form without separators relies on it.
    pub(crate) fn is_rfc3986(&self) -> bool {
        self.authority.is_empty() && self.raw.bytes().all(is_target_byte)
    }
}

/// Whether a target in origin form may hold this byte (RFC 3986 §3.3, §3.4; `%` of an escape included).
pub(crate) fn is_target_byte(byte: u8) -> bool {
    is_pchar(byte) || matches!(byte, b'/' | b'?' | b'%')
}

fn ambiguous(reason: &'static str) -> Rejection {
    Rejection::new(Code::Malformed, reason)
}

fn is_pchar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'-' | b'.'
                | b'_'
                | b'~'
                | b'!'
                | b'$'
                | b'&'
                | b'\''
                | b'('
                | b')'
                | b'*'
                | b'+'
                | b','
                | b';'
                | b'='
                | b':'
                | b'@'
        )
}

fn check_path(path: &[u8]) -> Result<(), Rejection> {
    let mut decoded = Vec::with_capacity(path.len());
    let mut segment = 0;
    let mut at = 0;
    while at < path.len() {
        match path[at] {
            b'/' => {
                if at > 0 && path[at - 1] == b'/' {
                    return Err(ambiguous("the path holds an empty segment (//)"));
                }
                check_segment(&decoded[segment..])?;
                decoded.push(b'/');
                segment = decoded.len();
            }
            b'%' => {
                let byte = escape(path, at)?;
                if matches!(byte, b'/' | b'\\' | 0) {
                    return Err(ambiguous("the path holds an escaped slash, backslash or NUL"));
                }
                decoded.push(byte);
                at += 2;
            }
            byte if is_pchar(byte) => decoded.push(byte),
            b'#' => return Err(ambiguous("the target holds a fragment")),
            _ => return Err(ambiguous("the path holds a character that RFC 3986 does not allow")),
        }
        at += 1;
    }
    check_segment(&decoded[segment..])?;
    match std::str::from_utf8(&decoded) {
        Ok(_) => Ok(()),
        Err(_) => Err(ambiguous("the path does not decode to UTF-8")),
    }
}

/// Dot segments, also escaped, and also with parameters behind them (`/..;x/`, which some servers strip first).
fn check_segment(segment: &[u8]) -> Result<(), Rejection> {
    let name = segment.split(|&byte| byte == b';').next().unwrap_or_default();
    if matches!(name, b"." | b"..") {
        return Err(ambiguous("the path holds a dot segment"));
    }
    Ok(())
}

fn check_query(query: &[u8]) -> Result<(), Rejection> {
    // Without an escape, ASCII is UTF-8.
    if query.iter().all(|&byte| matches!(byte, b'!'..=b'~') && !matches!(byte, b'%' | b'#')) {
        return Ok(());
    }
    let mut decoded = Vec::with_capacity(query.len());
    let mut at = 0;
    while at < query.len() {
        match query[at] {
            b'%' => {
                decoded.push(escape(query, at)?);
                at += 2;
            }
            b'#' => return Err(ambiguous("the target holds a fragment")),
            b'!'..=b'~' => decoded.push(query[at]),
            _ => return Err(ambiguous("the query holds a byte outside printable ASCII")),
        }
        at += 1;
    }
    match std::str::from_utf8(&decoded) {
        Ok(_) => Ok(()),
        Err(_) => Err(ambiguous("the query does not decode to UTF-8")),
    }
}

/// The byte of the escape whose `%` stands at `at`.
fn escape(text: &[u8], at: usize) -> Result<u8, Rejection> {
    let digit = |offset: usize| text.get(at + offset).and_then(|&byte| char::from(byte).to_digit(16));
    match (digit(1), digit(2)) {
        (Some(high), Some(low)) => Ok(u8::try_from(high * 16 + low).unwrap_or(0)),
        _ => Err(ambiguous("the target holds a broken percent escape")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(raw: &str) -> Result<Target, Rejection> {
        Target::parse(&Method::GET, raw.to_owned())
    }

    #[test]
    fn an_ambiguous_target_is_refused() {
        let bad = [
            "//",
            "/a//b",
            "/.",
            "/..",
            "/a/./b",
            "/a/../b",
            "/%2e",
            "/%2E%2e/b",
            "/.%2e",
            "/a/..;x/b",
            "/.;/b",
            "/a%2fb",
            "/a%2Fb",
            "/a%5cb",
            "/a\\b",
            "/a%00",
            "/a%",
            "/a%1",
            "/a%zz",
            "/a%ff",
            "/a?b=%ff",
            "/a?%",
            "/a#b",
            "/a?b#c",
            "/a b",
            "/é",
            "a",
            "",
            "*",
            "/a|b",
            "/\u{7f}",
            "ftp://x/",
            "http:/x",
            "http://",
            "http:///a",
            "https://?a",
        ];
        for raw in bad {
            assert_eq!(parse(raw).map_err(|e| e.code()), Err(Code::Malformed), "{raw}");
        }
    }

    #[test]
    fn a_clear_target_is_kept_byte_for_byte() {
        for raw in [
            "/",
            "/a",
            "/a/",
            "/a?",
            "/a?b=c&b=d",
            "/a?x=//../",
            "/a;v=1/b",
            "/%41%c3%a9",
            "/a?[]=|\"",
            "/...",
            "/a/.b",
        ] {
            assert_eq!(parse(raw).map(|target| target.raw), Ok(raw.to_owned()));
        }
        let absolute = parse("http://Example.com:80/a?b").unwrap();
        assert_eq!(
            (absolute.authority(), absolute.path(), absolute.query()),
            (Some("Example.com:80"), "/a", Some("b"))
        );
        assert_eq!(parse("http://example.com").unwrap().path(), "/");
        assert_eq!((parse("/a?").unwrap().query(), parse("/a").unwrap().query()), (Some(""), None));
    }
}
