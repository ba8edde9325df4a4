//! Which header fields end here, in both directions.

mod told;

use std::collections::HashSet;

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::upstream::Lines;
use told::tells_certificate;
pub(crate) use told::{Word, push_address, remove_words_of_proxies, tell_origin, word_of_a_proxy};

pub(crate) const PARTNER: HeaderName = HeaderName::from_static("countersign-partner");
pub(crate) const KEY: HeaderName = HeaderName::from_static("countersign-key");
pub(crate) const SCHEME: HeaderName = HeaderName::from_static("countersign-scheme");
pub(crate) const USER: HeaderName = HeaderName::from_static("countersign-user");
pub(crate) const TRACE: HeaderName = HeaderName::from_static(TRACE_NAME);
pub(crate) const TRACE_NAME: &str = "countersign-trace";
/// RFC 9440.
pub(crate) const CLIENT_CERT: HeaderName = HeaderName::from_static("client-cert");

/// The options of a `Connection` field.
pub(crate) struct Connection(HashSet<HeaderName>);

impl Connection {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        Self::said_in(headers.get_all(header::CONNECTION).iter().map(HeaderValue::as_bytes))
    }

    fn said_in<'a>(values: impl Iterator<Item = &'a [u8]>) -> Self {
        let options = values.flat_map(|value| value.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii);
        // These two are said by nearly everybody, and name no field: `Close` is reserved (RFC 9110 §9.6), and `Keep-Alive`
        // ends here in any case.
        let usual: [&[u8]; 2] = [b"keep-alive", b"close"];
        let fields = options.filter(|option| !usual.iter().any(|it| option.eq_ignore_ascii_case(it)));
        Self(fields.filter_map(|option| HeaderName::from_bytes(option).ok()).collect())
    }

    /// Whether it has this option.
    pub(crate) fn has(&self, option: &'static str) -> bool {
        self.0.contains(&HeaderName::from_static(option))
    }

    /// The fields that it takes away on this hop. Not those that are meant for all hops: RFC 9110 §7.6.1, "A sender MUST
    /// NOT send a connection option corresponding to a field that is intended for all recipients of the content". Nobody
    /// signs `Connection`, so whoever sits between could strip a message with it.
    pub(crate) fn names(&self) -> impl Iterator<Item = HeaderName> {
        self.0.iter().filter(|name| !is_end_to_end(name.as_str())).cloned()
    }
}

fn is_end_to_end(name: &str) -> bool {
    const NAMES: [&str; 13] = [
        "accept",
        "authorization",
        "cache-control",
        "cookie",
        "date",
        "digest",
        "host",
        "if-match",
        "if-none-match",
        "range",
        "repr-digest",
        "signature",
        "signature-input",
    ];
    NAMES.contains(&name) || name.starts_with("content-") || name.starts_with("if-")
}

/// Removes from a request what must not reach an upstream: what belongs to this hop, what frames the body, what only we may
/// say, and what other proxies say of a caller. `_` counts as `-`, as it does for many servers.
pub(crate) fn remove_incoming(headers: &mut HeaderMap, named: &HashSet<HeaderName>) {
    remove(headers, |name| is_for_us_alone(name, named));
}

/// Whether this field of a request ends here. `named` are those that its `Connection` names.
pub(crate) fn is_for_us_alone(name: &HeaderName, named: &HashSet<HeaderName>) -> bool {
    // Most names begin otherwise than any that ends here, in any spelling: that is seen by one comparison.
    (!named.is_empty() && named.contains(name))
        || matches!(name.as_str().as_bytes(), [b'c' | b'e' | b'f' | b'h' | b'k' | b'p' | b't' | b'u' | b'x', ..])
            && with_dashes(name.as_str(), ends_here)
}

fn ends_here(name: &str) -> bool {
    is_hop_by_hop(name)
        || name.starts_with(OURS)
        || name.starts_with("x-forwarded-") && !tells_certificate(name)
        || matches!(name, "host" | "content-length" | "expect" | "client-cert" | "client-cert-chain" | "forwarded")
}

/// Removes from a response what belongs to this hop, and what only we may say.
pub(crate) fn remove_from_response(headers: &mut HeaderMap) {
    let named: HashSet<_> = Connection::of(headers).names().collect();
    remove(headers, |name| {
        named.contains(name) || with_dashes(name.as_str(), |name| is_of_this_hop(name) || name.starts_with(OURS))
    });
}

/// As [`remove_from_response`], of fields that are not in a map.
pub(crate) fn remove_from_lines(lines: &mut Lines) {
    let named: HashSet<_> = Connection::said_in(lines.values("connection")).names().collect();
    let is_named = |name: &[u8]| named.iter().any(|it| name.eq_ignore_ascii_case(it.as_str().as_bytes()));
    lines.retain(|name| {
        let ends_here = HOP_BY_HOP.iter().any(|it| *it != "trailer" && is_spelt(name, it))
            || name.get(..OURS.len()).is_some_and(|begin| is_spelt(begin, OURS));
        !ends_here && (named.is_empty() || !is_named(name))
    });
}

/// Whether a name is this one, in letters of any case, and with `_` for `-`.
fn is_spelt(name: &[u8], like: &str) -> bool {
    let plain = |byte: &u8| if *byte == b'_' { b'-' } else { byte.to_ascii_lowercase() };
    name.len() == like.len() && name.iter().map(plain).eq(like.bytes())
}

/// What goes on of a response's trailers: nothing that only we may say, and nothing that would have had to be known before
/// the body. RFC 9110 §6.5.1: those fields whose "evaluation is necessary prior to receiving the content" are not for trailers.
pub(crate) fn trailers_of_response(mut trailers: HeaderMap) -> HeaderMap {
    remove(&mut trailers, |name| {
        with_dashes(name.as_str(), |name| {
            is_hop_by_hop(name)
                || name.starts_with(OURS)
                || name.starts_with("content-") && !name.ends_with("-digest")
                || matches!(
                    name,
                    "host"
                        | "location"
                        | "set-cookie"
                        | "cache-control"
                        | "vary"
                        | "age"
                        | "date"
                        | "expires"
                        | "retry-after"
                        | "warning"
                        | "www-authenticate"
                        | "authorization"
                )
        })
    });
    trailers
}

/// Removes from a response what belongs to this hop, and nothing else.
pub(crate) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let named: HashSet<_> = Connection::of(headers).names().collect();
    remove(headers, |name| named.contains(name) || with_dashes(name.as_str(), is_of_this_hop));
}

/// Trailers of a response go on, so it goes on saying which there are.
fn is_of_this_hop(name: &str) -> bool {
    is_hop_by_hop(name) && name != "trailer"
}

/// RFC 9110 §7.6.1, and those that never belonged to it but were taken for it. `Content-Length` of a response stays: it is
/// checked against what comes.
fn is_hop_by_hop(name: &str) -> bool {
    HOP_BY_HOP.contains(&name)
}

const HOP_BY_HOP: [&str; 11] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
];
/// How all begin that only we may say.
const OURS: &str = "countersign-";

fn with_dashes(name: &str, judge: impl Fn(&str) -> bool) -> bool {
    if name.bytes().any(|byte| byte == b'_') { judge(&name.replace('_', "-")) } else { judge(name) }
}

fn remove(headers: &mut HeaderMap, doomed: impl Fn(&HeaderName) -> bool) {
    let names: Vec<HeaderName> = headers.keys().filter(|name| doomed(name)).cloned().collect();
    for name in names {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;

    use super::*;
    use crate::framing::{self, Fields};

    fn headers(names: &[(&str, &str)]) -> HeaderMap {
        names
            .iter()
            .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap()))
            .collect()
    }

    fn left(headers: &HeaderMap) -> Vec<&str> {
        let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn identity_headers_sent_by_the_caller_end_here_in_every_spelling() {
        let mut map = headers(&[
            ("Countersign-Partner", "x"),
            ("COUNTERSIGN-KEY", "x"),
            ("countersign_scheme", "x"),
            ("Countersign_Trace", "x"),
            ("countersign-user", "x"),
            ("countersign-anything", "x"),
            ("Client-Cert", "x"),
            ("client_cert_chain", "x"),
            ("Client_Cert-Chain", "x"),
            ("X_Forwarded_For", "x"),
            ("x-forwarded-host", "x"),
            ("Forwarded", "x"),
            ("Content_Length", "9"),
            ("Transfer_Encoding", "chunked"),
            ("Countersigned", "stays"),
            ("Accept", "stays"),
        ]);
        remove_incoming(&mut map, &HashSet::new());
        assert_eq!(left(&map), ["accept", "countersigned"]);
    }

    #[test]
    fn connection_takes_hop_by_hop_fields_away_and_no_others() {
        let map = headers(&[
            ("Connection", "close, X-Hop, Content-Digest, Authorization,,"),
            ("connection", "Content-Length, TE"),
        ]);
        let mut names: Vec<_> = Connection::of(&map).names().map(|name| name.to_string()).collect();
        names.sort();
        assert_eq!(names, ["te", "x-hop"]);
    }

    #[test]
    fn an_upstream_can_not_speak_for_us() {
        let section = "Connection: X-Hop, Content-Type\r\nX-Hop: 1\r\nCountersign-Trace: forged\r\n\
             countersign_partner: forged\r\nKeep-Alive: 1\r\nTransfer_Encoding: chunked\r\nContent-Type: text/plain\r\n\
             COUNTERSIGNED: stays\r\nTrailer: x\r\nX-Hops: stay\r\n\r\n";
        let mut fields = Fields::from(0);
        let limits = framing::Limits {
            bytes: 1000,
            fields: 100,
            head_time: Duration::ZERO,
            idle_time: Duration::ZERO,
            write_time: Duration::ZERO,
        };
        fields.take(section.as_bytes(), &limits).unwrap();
        let mut lines = Lines::new(Bytes::from_static(section.as_bytes()), 0..0, fields.take_fields());
        let mut map = HeaderMap::new();
        lines.put_into(&mut map);
        remove_from_response(&mut map);
        assert_eq!(left(&map), ["content-type", "countersigned", "trailer", "x-hops"]);
        // In both forms.
        remove_from_lines(&mut lines);
        let mut same = HeaderMap::new();
        lines.put_into(&mut same);
        assert_eq!(same, map);
    }
}
