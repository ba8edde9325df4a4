//! What the upstream is told of who called: ours, and what is not believed of others.

use std::net::IpAddr;

use countersign::Origin;
use http::{HeaderMap, HeaderName, header};

use super::{remove, with_dashes};
use crate::upstream::{Draft, Unwritable};

/// What proxies tell APIs of who called, in fields of their own. An API that reads one believes whoever wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// Where from. Ours is `Forwarded`, with `X-Forwarded-For`.
    Address,
    /// By which client certificate. Ours is `Client-Cert`.
    Certificate,
}

/// What this field says in the words of a proxy: it goes on only where it was signed, or where a trusted proxy tells a
/// certificate.
pub(crate) fn word_of_a_proxy(name: &HeaderName) -> Option<Word> {
    // Most names begin otherwise.
    if !matches!(name.as_str().as_bytes(), [b'c' | b'f' | b's' | b't' | b'x', ..]) {
        return None;
    }
    let is = |judge: fn(&str) -> bool| with_dashes(name.as_str(), judge);
    if is(tells_address) {
        return Some(Word::Address);
    }
    is(tells_certificate).then_some(Word::Certificate)
}

/// Removes those from trailers, where no proxy says them.
pub(crate) fn remove_words_of_proxies(trailers: &mut HeaderMap) {
    remove(trailers, |name| word_of_a_proxy(name).is_some());
}

fn tells_address(name: &str) -> bool {
    const NAMES: [&str; 12] = [
        "x-real-ip",
        "x-client-ip",
        "client-ip",
        "true-client-ip",
        "x-cluster-client-ip",
        "x-originating-ip",
        "x-remote-ip",
        "x-remote-addr",
        "x-original-forwarded-for",
        "cf-connecting-ip",
        "fastly-client-ip",
        "x-envoy-external-address",
    ];
    NAMES.contains(&name)
}

pub(super) fn tells_certificate(name: &str) -> bool {
    const BEGINNINGS: [&str; 5] = ["x-ssl-", "ssl-client-", "x-client-cert", "x-tls-client-", "x-arr-clientcert"];
    name == "x-forwarded-client-cert" || BEGINNINGS.iter().any(|beginning| name.starts_with(beginning))
}

/// Tells the upstream who called, and by which origin: RFC 7239, and the fields that most servers read instead.
pub(crate) fn tell_origin(head: &mut Draft, peer: IpAddr, origin: &Origin) -> Result<(), Unwritable> {
    let (peer, scheme, host) = (peer.to_canonical(), origin.scheme(), origin.authority());
    let (before, behind) = if peer.is_ipv6() { ("for=\"[", "]\"") } else { ("for=", "") };
    head.written(&header::FORWARDED, |value| {
        value.extend_from_slice(before.as_bytes());
        push_address(value, peer);
        for part in [behind, ";host=\"", host, "\";proto=", scheme] {
            value.extend_from_slice(part.as_bytes());
        }
    })?;
    head.written(&X_FORWARDED_FOR, |value| push_address(value, peer))?;
    head.text(&X_FORWARDED_HOST, &[host])?;
    head.text(&X_FORWARDED_PROTO, &[scheme])
}

/// Writes the address. One of IPv4 prints itself with three thousand instructions, and every request tells one.
pub(crate) fn push_address(into: &mut Vec<u8>, peer: IpAddr) {
    let IpAddr::V4(peer) = peer else { return into.extend_from_slice(peer.to_string().as_bytes()) };
    for (at, octet) in peer.octets().into_iter().enumerate() {
        if at > 0 {
            into.push(b'.');
        }
        for (unit, least) in [(100, 100), (10, 10), (1, 0)] {
            if octet >= least {
                into.push(b'0' + octet / unit % 10);
            }
        }
    }
}

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::sent::Sent;

    #[test]
    fn what_only_proxies_may_say_of_a_caller_is_known_in_every_spelling() {
        let word = |name: &str| word_of_a_proxy(&name.parse().unwrap());
        for name in ["X-Real-IP", "x_real_ip", "X-Client-IP", "True-Client-IP", "Client_IP", "CF-Connecting-IP"] {
            assert_eq!(word(name), Some(Word::Address), "{name}");
        }
        for name in [
            "X-SSL-Client-Cert",
            "X-SSL-Client-S-DN",
            "x_ssl_client_verify",
            "X-Forwarded-Client-Cert",
            "SSL_CLIENT_S_DN",
        ] {
            assert_eq!(word(name), Some(Word::Certificate), "{name}");
        }
        for name in ["X-Real-Ipswich", "Client-Cert", "X-Forwarded-For", "SSL", "Accept", "X"] {
            assert_eq!(word(name), None, "{name}");
        }
    }

    #[test]
    fn who_called_is_told_for_both_families() {
        let origin = Origin::parse("https://api.example.com").unwrap();
        for (peer, address, forwarded) in
            [("::1", "::1", "for=\"[::1]\""), ("::ffff:127.0.0.1", "127.0.0.1", "for=127.0.0.1")]
        {
            let mut head = Draft::new(&http::Method::GET, "/", None).unwrap();
            tell_origin(&mut head, peer.parse().unwrap(), &origin).unwrap();
            let told = format!(
                "forwarded: {forwarded};host=\"api.example.com\";proto=https\r\nx-forwarded-for: {address}\r\n\
                 x-forwarded-host: api.example.com\r\nx-forwarded-proto: https\r\n"
            );
            let message = head.end(Sent::Kept(Bytes::new(), HeaderMap::new()), false);
            assert_eq!(std::str::from_utf8(message.head()).unwrap(), format!("GET / HTTP/1.1\r\n{told}\r\n"));
        }
        for octet in 0..=255 {
            let peer = IpAddr::from([octet, 0, 255 - octet, octet / 2]);
            let mut text = Vec::new();
            push_address(&mut text, peer);
            assert_eq!(text, peer.to_string().into_bytes());
        }
    }
}
