use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::document::Node;
use super::forms::Wrong;

/// `scheme://host[:port]` and nothing behind it. The host is in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    is_https: bool,
    host: String,
    port: u16,
}

impl Origin {
    /// `http` or `https`.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        if self.is_https { "https" } else { "http" }
    }

    /// A name in lower case, an IPv4 address, or an IPv6 address in brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, also where it is the scheme's own.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What stands in `Host` and `@authority`: the port only where it is not the scheme's own.
    #[must_use]
    pub fn authority(&self) -> String {
        if self.port == own_port(self.is_https) { self.host.clone() } else { format!("{}:{}", self.host, self.port) }
    }

    /// The address that it names, if it names one by number.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        let host = self.host.trim_start_matches('[').trim_end_matches(']');
        host.parse::<IpAddr>().ok().map(|address| SocketAddr::new(address, self.port))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme(), self.authority())
    }
}

/// An [`Origin`]. A path, even `/`, is refused rather than ignored: the path that goes on is the one that was signed.
pub(super) fn origin(node: &Node) -> Result<Origin, Wrong> {
    let wrong = || Wrong::new("expected \"http://host[:port]\" or \"https://host[:port]\", and nothing behind it");
    let text = node.as_text().ok_or_else(wrong)?;
    if text.contains('@') {
        return Err(Wrong::new("expected a URL without user and password"));
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err(if text.is_empty() { wrong() } else { wrong().hint(format!("write \"http://{text}\"")) });
    };
    let is_https = match scheme.to_ascii_lowercase().as_str() {
        "http" => false,
        "https" => true,
        _ => return Err(wrong()),
    };
    if let Some(end) = rest.find(['/', '?', '#', '\\']) {
        return Err(wrong().hint(format!("write \"{scheme}://{}\"", &rest[..end])));
    }
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (rest, None),
    };
    let port = match port {
        None => own_port(is_https),
        // No second spelling of a number: no sign, no leading zero.
        Some(port) => {
            let number = port.parse().ok().filter(|number: &u16| *number > 0 && number.to_string() == port);
            number.ok_or_else(wrong)?
        }
    };
    Ok(Origin { is_https, host: self::host(host).ok_or_else(wrong)?, port })
}

fn own_port(is_https: bool) -> u16 {
    if is_https { 443 } else { 80 }
}

/// A host in its one spelling. What a resolver would take for an address in disguise (`127.1`, `0x7f.1`) is none.
fn host(text: &str) -> Option<String> {
    if let Some(inner) = text.strip_prefix('[') {
        let address: Ipv6Addr = inner.strip_suffix(']')?.parse().ok()?;
        return Some(format!("[{address}]"));
    }
    if let Ok(address) = text.parse::<Ipv4Addr>() {
        return Some(address.to_string());
    }
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let is_number = |label: &str| {
        let hex = label.strip_prefix("0x").or(label.strip_prefix("0X"));
        hex.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
            || label.bytes().all(|byte| byte.is_ascii_digit())
    };
    let labels: Vec<&str> = text.split('.').collect();
    let fine = text.len() <= 253 && labels.iter().all(|it| label(it)) && !labels.last().is_some_and(|it| is_number(it));
    fine.then(|| text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::super::issue::Place;
    use super::*;

    fn node(text: &str) -> Node {
        Node::text(Place::File("c.toml".into()), text)
    }

    #[test]
    fn an_origin_has_one_spelling() {
        for (text, shown, port) in [
            ("https://API.Example.com", "https://api.example.com", 443),
            ("https://api.example.com:443", "https://api.example.com", 443),
            ("http://127.0.0.1:9000", "http://127.0.0.1:9000", 9000),
            ("HTTP://[0:0::1]:80", "http://[::1]", 80),
            ("http://upstream_1", "http://upstream_1", 80),
        ] {
            let origin = origin(&node(text)).unwrap();
            assert_eq!((origin.to_string().as_str(), origin.port()), (shown, port), "{text}");
        }
    }

    #[test]
    fn an_origin_has_nothing_but_scheme_host_and_port() {
        for text in [
            "",
            "api.example.com",
            "//a",
            "ftp://a",
            "http://",
            "http://a/",
            "http://a/base",
            "http://a?x",
            "http://a#x",
            "http://u:p@a",
            "http://a:0",
            "http://a:080",
            "http://a:+80",
            "http://a:65536",
            "http://a:",
            "http://a..b",
            "http://a.",
            "http://ä",
            "http://a b",
            "http://127.1",
            "http://0x7f.1",
            "http://1.2.3.4.5",
            "http://[::1",
            "http://::1",
            "http://a\\b",
            "http://[fe80::1%25eth0]",
        ] {
            assert!(origin(&node(text)).is_err(), "{text}");
        }
    }

    #[test]
    fn a_path_behind_an_origin_is_refused_with_what_to_write() {
        let wrong = origin(&node("http://127.0.0.1:9000/")).unwrap_err();
        assert_eq!(wrong.hint.as_deref(), Some("write \"http://127.0.0.1:9000\""));
    }
}
