//! Who may borrow the signature: programs on this machine, and no web page that a browser shows here.

use std::net::IpAddr;

use countersign::{Code, Origin, Rejection};
use http::{HeaderMap, Method};

/// What is signed: a path and all below it, whole segments, for one method or for every.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allow {
    /// `None` for every method.
    pub method: Option<Method>,
    /// `/orders` takes `/orders` and `/orders/7`, never `/orders-admin`.
    pub path: String,
}

impl Allow {
    fn takes(&self, method: &Method, path: &str) -> bool {
        let below = match path.strip_prefix(self.path.trim_end_matches('/')) {
            Some(rest) => rest.is_empty() || rest.starts_with('/'),
            None => false,
        };
        below && self.method.as_ref().is_none_or(|own| own == method)
    }
}

/// Refuses what a browser sends for a page: such a request has an `Origin` or says by `Sec-Fetch-Site` that a page asked for
/// it. A page that points a name of its own at this machine (DNS rebinding) shows in the `Host`.
///
/// # Errors
/// `partner_not_allowed` for a page; `malformed` for a host that is neither the sidecar nor where it sends to.
pub(super) fn check(headers: &HeaderMap, host: &str, to: &Origin, own_port: Option<u16>) -> Result<(), Rejection> {
    let page = |why| Err(Rejection::new(Code::PartnerNotAllowed, why));
    if headers.contains_key("origin") {
        return page("a request with an Origin comes from a web page, for which nothing is signed");
    }
    if headers.get_all("sec-fetch-site").iter().any(|site| site.as_bytes() != b"none") {
        return page("a request with this Sec-Fetch-Site comes from a web page, for which nothing is signed");
    }
    let theirs = Origin::new(to.scheme() == "https", host).is_ok_and(|origin| origin == *to);
    if theirs || is_own(host, own_port) {
        return Ok(());
    }
    Err(Rejection::new(Code::Malformed, "the Host is neither this sidecar's address nor that of what it signs for"))
}

/// An address, or loopback's name: what a page can't make a name of its own.
fn is_own(host: &str, own_port: Option<u16>) -> bool {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => (name, port.parse().ok()),
        _ => (host, Some(80)),
    };
    let name = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    let named = name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok();
    // A Unix socket has no port, and no page reaches it.
    named && (own_port.is_none() || port == own_port)
}

/// # Errors
/// `no_route` for what is not on the list.
pub(super) fn check_allowed(allow: &[Allow], method: &Method, path: &str) -> Result<(), Rejection> {
    if allow.is_empty() || allow.iter().any(|allow| allow.takes(method, path)) {
        return Ok(());
    }
    Err(Rejection::new(Code::NoRoute, "this sidecar signs nothing for this method and path: see `allow`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(host: &str, fields: &[(&'static str, &'static str)], own_port: Option<u16>) -> Option<Code> {
        let to = Origin::parse("https://api.example.com").unwrap();
        let headers = fields.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        check(&headers, host, &to, own_port).err().map(|rejection| rejection.code())
    }

    #[test]
    fn a_web_page_can_not_borrow_the_signature() {
        let page = Some(Code::PartnerNotAllowed);
        for field in [
            ("origin", "https://evil.example"),
            ("origin", "null"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-origin"),
        ] {
            assert_eq!(checked("127.0.0.1:8081", &[field], Some(8081)), page, "{field:?}");
        }
        assert_eq!(checked("127.0.0.1:8081", &[("sec-fetch-site", "none")], Some(8081)), None);
        assert_eq!(checked("127.0.0.1:8081", &[("sec-fetch-site", "none"), ("sec-fetch-site", "x")], Some(8081)), page);
    }

    #[test]
    fn a_name_that_a_page_points_at_this_machine_is_not_ours() {
        for host in [
            "evil.example",
            "evil.example:8081",
            "127.0.0.1",
            "127.0.0.1:8082",
            "127.0.0.1.nip.io:8081",
            "",
            ":8081",
            "api.example.com:444",
        ] {
            assert_eq!(checked(host, &[], Some(8081)), Some(Code::Malformed), "{host}");
        }
        for host in [
            "127.0.0.1:8081",
            "localhost:8081",
            "LocalHost:8081",
            "[::1]:8081",
            "api.example.com",
            "API.example.com:443",
        ] {
            assert_eq!(checked(host, &[], Some(8081)), None, "{host}");
        }
        assert_eq!(checked("localhost", &[], None), None);
        assert_eq!(checked("evil.example", &[], None), Some(Code::Malformed));
    }

    #[test]
    fn the_list_takes_whole_segments() {
        let allow = [
            Allow { method: Some(Method::POST), path: "/orders".into() },
            Allow { method: None, path: "/status".into() },
        ];
        let allowed = |method, path| check_allowed(&allow, &method, path).is_ok();
        assert!(
            allowed(Method::POST, "/orders") && allowed(Method::POST, "/orders/7") && allowed(Method::GET, "/status")
        );
        assert!(
            !allowed(Method::GET, "/orders") && !allowed(Method::POST, "/orders-admin") && !allowed(Method::GET, "/")
        );
        assert!(check_allowed(&[Allow { method: None, path: "/".into() }], &Method::GET, "/a").is_ok());
        assert!(check_allowed(&[], &Method::GET, "/a").is_ok());
    }
}
