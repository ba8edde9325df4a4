use countersign::Origin;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST};

use super::raw::Raw;

/// A request target, `Host` and fields: what is taken has one reading, which it keeps.
///
/// # Panics
/// Where a head is taken that two servers could read differently, or where reading what was read gives something else.
pub fn head(input: &[u8]) {
    let Some(raw) = Raw::request(input) else { return };
    let Ok(head) = raw.head() else { return };
    let (path, query) = (head.path().expect("a request"), head.query());
    assert_eq!(head.target(), Some(raw.target.as_str()));
    let origin = head.origin().expect("a request");
    one_spelling(origin);

    let again = query.map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
    let absolute = raw.target.split_once("://").map(|(scheme, rest)| (scheme, rest.split(['/', '?']).next()));
    match absolute.filter(|_| !raw.target.starts_with('/')) {
        Some((scheme, authority)) => {
            let https = scheme == "https";
            assert_eq!(Origin::new(https, authority.unwrap_or_default()).as_ref(), Ok(origin), "{}", raw.target);
            let rest =
                &raw.target[raw.target.find("://").map_or(0, |at| at + 3) + authority.unwrap_or_default().len()..];
            assert!(again == rest || again == format!("/{rest}"), "{} is read as {again}", raw.target);
        }
        None if raw.target == "*" => {}
        None => assert_eq!(again, raw.target),
    }
    assert!(path.starts_with('/'), "{path}");
    // RFC 3986 section 3.3.
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@%/".contains(&byte);
    assert!(path.bytes().all(legal), "{path}");
    let decoded = decode(path);
    let segments: Vec<_> = decoded.split('/').skip(1).collect();
    assert_eq!(segments.len(), path.matches('/').count(), "{path} decodes to other segments");
    let (last, before) = segments.split_last().expect("a path has a segment");
    assert!(before.iter().all(|segment| !segment.is_empty()), "{path} has an empty segment");
    for segment in before.iter().chain([last]) {
        assert!(!matches!(segment.split(';').next(), Some("." | "..")), "{path} has a dot segment");
    }
    assert!(!decoded.contains(['\0', '\\']), "{path}");
    decode(query.unwrap_or_default());
    for name in [HOST, CONTENT_LENGTH, CONTENT_TYPE, AUTHORIZATION] {
        assert!(head.headers().get_all(&name).iter().count() < 2, "{name} twice");
    }
}

fn one_spelling(origin: &Origin) {
    let (scheme, authority) = (origin.scheme(), origin.authority());
    assert_eq!(Origin::new(scheme == "https", authority).as_ref(), Ok(origin));
    assert_eq!(Origin::parse(&format!("{scheme}://{authority}")).as_ref(), Ok(origin));
    assert_eq!(authority, authority.to_ascii_lowercase());
}

/// Panics where an escape is broken or what it stands for is not UTF-8.
fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        assert!(byte.is_ascii_graphic() && byte != b'#', "{text}");
        rest = after;
        if byte == b'%' {
            let digits = std::str::from_utf8(&after[..2]).expect("two digits");
            assert!(digits.bytes().all(|digit| digit.is_ascii_hexdigit()), "{text}");
            bytes.push(u8::from_str_radix(digits, 16).expect("two digits"));
            rest = &after[2..];
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).expect("UTF-8")
}
