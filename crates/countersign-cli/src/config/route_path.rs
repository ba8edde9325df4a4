use super::document::Node;
use super::forms::Wrong;

/// The path of a route: whole segments as they stand in a request, `/` or `/orders/daily`.
///
/// What two readers could take differently has no place here either: `//`, dot segments also in disguise, `%2f`, `%5c`,
/// `%00`, an escape of what needs none. The path ends without `/`, since `/orders` takes what is below it anyway.
pub(super) fn route_path(node: &Node) -> Result<String, Wrong> {
    let text = node.as_text().ok_or_else(|| Wrong::new("expected a path such as \"/orders\""))?;
    let Some(rest) = text.strip_prefix('/') else {
        return Err(Wrong::new("expected a path that begins with \"/\"").hint(format!("write KEY = \"/{text}\"")));
    };
    if rest.is_empty() {
        return Ok(text.to_owned());
    }
    if let Some(end) = text.find(['?', '#']) {
        return Err(Wrong::new("expected a path without query or fragment")
            .hint(format!("write KEY = \"{}\": a route takes every query", &text[..end])));
    }
    if text.contains("//") {
        return Err(Wrong::new("expected a path without \"//\", which no request passes with"));
    }
    if let Some(shorter) = text.strip_suffix('/') {
        return Err(Wrong::new("expected whole segments, without \"/\" at the end")
            .hint(format!("write KEY = \"{shorter}\": it takes what is below it, too")));
    }
    rest.split('/').try_for_each(segment)?;
    Ok(text.to_owned())
}

fn segment(text: &str) -> Result<(), Wrong> {
    let mut plain = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            // RFC 3986 §3.3, pchar.
            if !byte.is_ascii_alphanumeric() && !b"-._~!$&'()*+,;=:@".contains(&byte) {
                return Err(Wrong::new("expected the characters of a URL's path (RFC 3986), others as %XX"));
            }
            plain.push(byte);
            continue;
        }
        let digits = [rest.next().unwrap_or(0), rest.next().unwrap_or(0)].map(char::from);
        let [Some(high), Some(low)] = digits.map(|digit| digit.to_digit(16)) else {
            return Err(Wrong::new("expected two hex digits behind \"%\""));
        };
        let byte = u8::try_from(high * 16 + low).unwrap_or_default();
        if matches!(byte, b'/' | b'\\' | 0) {
            return Err(Wrong::new("expected no escaped \"/\", \"\\\" or NUL, which no request passes with"));
        }
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            let plain = char::from(byte);
            return Err(Wrong::new(format!("expected \"{plain}\" for %{}{}", digits[0], digits[1])));
        }
        plain.push(byte);
    }
    if matches!(plain.as_slice(), b"." | b"..") {
        return Err(Wrong::new("expected a path without \".\" and \"..\""));
    }
    match String::from_utf8(plain) {
        Ok(_) => Ok(()),
        Err(_) => Err(Wrong::new("expected escapes that are UTF-8")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::issue::Place;
    use super::*;

    fn read(text: &str) -> Result<String, Wrong> {
        route_path(&Node::text(Place::File("c.toml".into()), text))
    }

    #[test]
    fn whole_segments_make_a_path() {
        for text in ["/", "/orders", "/orders/daily", "/a.b/~c/d:e@f", "/caf%C3%A9", "/a%20b", "/...", "/v1.0"] {
            assert_eq!(read(text).unwrap(), text);
        }
    }

    #[test]
    fn a_path_that_two_readers_could_take_differently_is_refused() {
        for text in [
            "",
            "orders",
            "//",
            "/a//b",
            "/a/",
            "/.",
            "/..",
            "/a/./b",
            "/a/../b",
            "/%2e%2e/b",
            "/.%2E",
            "/a%2fb",
            "/a%2Fb",
            "/a%5cb",
            "/a\\b",
            "/a%00",
            "/%61",
            "/a%",
            "/a%2",
            "/a%zz",
            "/a?b",
            "/a#b",
            "/a b",
            "/é",
            "/%ff",
            "http://a/b",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_path_that_is_nearly_right_is_refused_with_what_to_write() {
        assert_eq!(read("orders").unwrap_err().hint.as_deref(), Some("write KEY = \"/orders\""));
        assert!(read("/orders/").unwrap_err().hint.unwrap().starts_with("write KEY = \"/orders\""));
    }
}
