//! How values are read: a value as it stands becomes a typed one, or what was expected in its place.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use super::document::{Node, Value};
use super::names::Named;
use super::nearest::did_you_mean;
use super::units::{self, Rate};

/// Reads a value.
pub(super) type Form<T> = fn(&Node) -> Result<T, Wrong>;

/// Why a value is none of its form.
#[derive(Debug)]
pub(super) struct Wrong {
    /// Completes `key is "value": …`.
    pub(super) expected: String,
    /// What to write; `KEY` stands for the key.
    pub(super) hint: Option<String>,
}

impl Wrong {
    pub(super) fn new(expected: impl Into<String>) -> Self {
        Self { expected: expected.into(), hint: None }
    }

    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

/// Text, not empty and without control characters.
pub(super) fn text(node: &Node) -> Result<String, Wrong> {
    let text = node.as_text().ok_or_else(|| Wrong::new("expected a text in quotes"))?;
    if text.is_empty() || text.chars().any(char::is_control) {
        return Err(Wrong::new("expected a text, not empty and without control characters"));
    }
    Ok(text.to_owned())
}

/// `true` or `false`.
pub(super) fn flag(node: &Node) -> Result<bool, Wrong> {
    match node.value {
        Value::Flag(flag) => Ok(flag),
        Value::Text(ref text) if text == "true" || text == "false" => {
            Err(Wrong::new("expected true or false").hint(format!("write KEY = {text}, without quotes")))
        }
        _ => Err(Wrong::new("expected true or false")),
    }
}

/// A whole number, zero or above.
pub(super) fn number<T: TryFrom<i64>>(node: &Node) -> Result<T, Wrong> {
    match node.value {
        Value::Integer(number) => {
            T::try_from(number).map_err(|_| Wrong::new("expected a whole number, not below zero"))
        }
        _ => Err(Wrong::new("expected a whole number")),
    }
}

/// `"5m"`. A bare number is none: seconds to one reader, milliseconds to the next.
pub(super) fn duration(node: &Node) -> Result<Duration, Wrong> {
    let wrong = || Wrong::new("expected a duration such as \"300ms\", \"30s\", \"5m\", \"1h30m\" or \"1d\"");
    match &node.value {
        Value::Text(text) => units::duration(text).ok_or_else(|| match text.parse::<u64>() {
            Ok(number) => wrong().hint(format!("write KEY = \"{number}s\" if seconds are meant")),
            Err(_) => wrong(),
        }),
        Value::Integer(number @ 0..) => Err(wrong().hint(format!("write KEY = \"{number}s\" if seconds are meant"))),
        _ => Err(wrong()),
    }
}

/// `"10MiB"`, or a bare number of bytes.
pub(super) fn size(node: &Node) -> Result<u64, Wrong> {
    let wrong = || Wrong::new("expected a size such as \"64KiB\", \"10MiB\" or \"1GiB\"");
    match &node.value {
        Value::Text(text) => units::size(text).ok_or_else(|| match text.strip_suffix(['K', 'M', 'G']) {
            Some(number) if number.parse::<u64>().is_ok() => wrong().hint(format!("write KEY = \"{text}iB\"")),
            _ => wrong(),
        }),
        Value::Integer(number) => u64::try_from(*number).map_err(|_| wrong()),
        _ => Err(wrong()),
    }
}

/// `"100/s"`.
pub(super) fn rate(node: &Node) -> Result<Rate, Wrong> {
    let rate = node.as_text().and_then(units::rate);
    rate.ok_or_else(|| {
        Wrong::new("expected a rate above zero such as \"100/s\", \"600/m\" or \"1000/h\"")
            .hint("leave KEY out for no limit")
    })
}

/// A path, not empty.
pub(super) fn path(node: &Node) -> Result<PathBuf, Wrong> {
    text(node).map(PathBuf::from).map_err(|_| Wrong::new("expected the path of a file or directory"))
}

/// `"127.0.0.1:8080"`, `"[::1]:8080"`.
pub(super) fn address(node: &Node) -> Result<SocketAddr, Wrong> {
    let text = node.as_text().unwrap_or_default();
    text.parse().map_err(|_| {
        let wrong = Wrong::new("expected an IP address and a port, such as \"127.0.0.1:8080\" or \"[::1]:8080\"");
        match text.rsplit_once(':') {
            Some(("localhost", port)) => wrong.hint(format!("write \"127.0.0.1:{port}\"")),
            Some(("" | "*", port)) => wrong.hint(format!("write \"0.0.0.0:{port}\" for all addresses")),
            None if text.parse::<IpAddr>().is_ok() => wrong.hint(format!("write \"{text}:8080\", with a port")),
            _ => wrong,
        }
    })
}

/// `"10.0.0.0/8"`; a bare address is a network of its own.
pub(super) fn network(node: &Node) -> Result<IpNet, Wrong> {
    let text = node.as_text().unwrap_or_default();
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(IpNet::from(address));
    }
    let wrong = Wrong::new("expected a network such as \"10.0.0.0/8\" or \"fd00::/8\"");
    match text.parse::<IpNet>() {
        Ok(network) if network.addr() == network.network() => Ok(network),
        Ok(network) => Err(wrong.hint(format!("write \"{}\", or a single address without \"/\"", network.trunc()))),
        Err(_) => Err(wrong),
    }
}

/// The name of a partner, key or site: `[A-Za-z0-9._-]{1,64}`.
pub(super) fn name(node: &Node) -> Result<String, Wrong> {
    let text = node.as_text().unwrap_or_default();
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if (1..=64).contains(&text.len()) && text.bytes().all(fine) {
        return Ok(text.to_owned());
    }
    Err(Wrong::new("expected a name of 1 to 64 letters, digits, \".\", \"_\" and \"-\""))
}

/// What can stand in a signature parameter (a `keyid`, a `tag`): printable ASCII to 256.
pub(super) fn printable(node: &Node) -> Result<String, Wrong> {
    let text = node.as_text().unwrap_or_default();
    if (1..=256).contains(&text.len()) && text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Ok(text.to_owned());
    }
    Err(Wrong::new("expected 1 to 256 printable ASCII characters"))
}

/// A path with or without a query, as it stands in a request (RFC 9112 §3.2.1).
pub(super) fn target(node: &Node) -> Result<String, Wrong> {
    let text = node.as_text().unwrap_or_default();
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=:@%?".contains(&byte);
    if text.starts_with('/') && text.bytes().all(fine) {
        return Ok(text.to_owned());
    }
    Err(Wrong::new("expected a path such as \"/health\""))
}

/// A JSON pointer (RFC 6901) to a member: `"/card/number"`.
pub(super) fn pointer(node: &Node) -> Result<String, Wrong> {
    let text = node.as_text().unwrap_or_default();
    // RFC 6901 §3: "~" stands only before "0" or "1".
    let escapes = text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    if text.starts_with('/') && escapes {
        return Ok(text.to_owned());
    }
    Err(Wrong::new("expected a JSON pointer such as \"/card/number\""))
}

/// One of a closed list of names.
pub(super) fn named<T: Named>(node: &Node) -> Result<T, Wrong> {
    let text = node.as_text().unwrap_or_default();
    let found = T::ALL.iter().find(|it| it.as_str() == text);
    found.copied().ok_or_else(|| {
        let names: Vec<&str> = T::ALL.iter().map(|it| it.as_str()).collect();
        let mut expected = format!("expected {}", one_of(&names));
        if let Some(question) = did_you_mean(text, names) {
            expected = format!("{expected}; {question}");
        }
        Wrong::new(expected)
    })
}

/// `"a", "b" or "c"`.
pub(super) fn one_of(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::issue::Place;
    use super::*;

    fn hint<T: std::fmt::Debug>(form: Form<T>, text: &str) -> String {
        form(&Node::text(Place::File("c.toml".into()), text)).unwrap_err().hint.unwrap_or_default()
    }

    fn refuses<T>(form: Form<T>, texts: &[&str]) -> bool {
        texts.iter().all(|text| form(&Node::text(Place::File("c.toml".into()), text)).is_err())
    }

    #[test]
    fn an_address_is_a_number_and_a_port() {
        assert_eq!(hint(address, "localhost:80"), "write \"127.0.0.1:80\"");
        assert_eq!(hint(address, ":80"), "write \"0.0.0.0:80\" for all addresses");
        assert_eq!(hint(address, "10.0.0.1"), "write \"10.0.0.1:8080\", with a port");
        assert!(refuses(address, &["", "a:80", "10.0.0.1:", "10.0.0.1:65536", "::1:80:", "010.0.0.1:80"]));
    }

    #[test]
    fn a_network_has_no_bits_beyond_its_prefix() {
        assert!(hint(network, "10.0.0.1/8").starts_with("write \"10.0.0.0/8\""));
        assert!(refuses(network, &["", "10.0.0.0/33", "10.0.0.0/", "10.0.0", "a/8", "fd00::1/8"]));
    }

    #[test]
    fn a_size_says_of_which_thousand_it_is() {
        assert_eq!(hint(size, "10M"), "write KEY = \"10MiB\"");
        assert!(refuses(size, &["M", "1,5MiB", "ten"]));
    }

    #[test]
    fn names_are_of_letters_that_every_system_takes() {
        assert!(refuses(name, &["", "a/b", "..%2f", "a b", "é", "a\0", &"a".repeat(65)]));
        assert!(refuses(printable, &["", "\n", "é", &"a".repeat(257)]));
        assert!(refuses(text, &["", "a\nb", "\u{1b}[31m"]));
    }
}
