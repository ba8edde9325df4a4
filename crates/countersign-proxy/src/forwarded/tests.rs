use http::{HeaderName, HeaderValue};

use super::*;

const PROXY: &str = "10.0.0.1";

/// What is told by these fields: source, scheme, host.
fn told(peer: &str, fields: &[(&str, &str)]) -> Option<(String, Option<bool>, Option<String>)> {
    let trusted = Trusted::new(&["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()]);
    let headers = fields
        .iter()
        .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap()))
        .collect();
    let told = read(&headers, peer.parse().unwrap(), &trusted).ok()?;
    Some((told.source.to_string(), told.https, told.host))
}

fn source(peer: &str, fields: &[(&str, &str)]) -> Option<String> {
    told(peer, fields).map(|told| told.0)
}

#[test]
fn a_stranger_is_not_believed_whatever_it_writes() {
    for fields in [
        &[("forwarded", "for=198.51.100.1;host=evil;proto=https")][..],
        &[("x-forwarded-for", "198.51.100.1"), ("x-forwarded-host", "evil"), ("x-forwarded-proto", "https")],
        &[("forwarded", "\"broken")],
        &[("x-forwarded-for", "10.0.0.1")],
    ] {
        assert_eq!(told("192.0.2.1", fields), Some(("192.0.2.1".to_owned(), None, None)), "{fields:?}");
    }
}

#[test]
fn a_trusted_proxy_is_believed_in_both_spellings() {
    let expected = Some(("192.0.2.1".to_owned(), Some(true), Some("api.test".to_owned())));
    for fields in [
        &[("forwarded", "for=192.0.2.1;host=api.test;proto=https")][..],
        &[("forwarded", "For=\"192.0.2.1:4711\" ; Proto=HTTPS;by=_x; HOST=\"api.test\"")],
        &[("forwarded", "for=192.0.2.1:80;proto=https;host=api.test")],
        &[("x-forwarded-for", "192.0.2.1"), ("x-forwarded-host", "api.test"), ("x-forwarded-proto", "https")],
        &[
            ("x-forwarded-for", "192.0.2.1:99"),
            ("x-forwarded-proto", "wss"),
            ("forwarded", "for=192.0.2.1;host=api.test"),
        ],
    ] {
        assert_eq!(told(PROXY, fields), expected, "{fields:?}");
    }
    assert_eq!(source(PROXY, &[("forwarded", "for=\"[2001:db8::17]:4711\"")]).unwrap(), "2001:db8::17");
    assert_eq!(source(PROXY, &[("x-forwarded-for", "2001:db8::17")]).unwrap(), "2001:db8::17");
    assert_eq!(source(PROXY, &[]).unwrap(), PROXY);
}

#[test]
fn what_a_caller_wrote_itself_stands_before_and_is_never_reached() {
    for fields in [
        &[("x-forwarded-for", "203.0.113.9, 10.9.9.9, 192.0.2.1")][..],
        &[("x-forwarded-for", "203.0.113.9, 192.0.2.1, 10.0.0.2")],
        &[("x-forwarded-for", "203.0.113.9"), ("x-forwarded-for", "192.0.2.1, 10.0.0.2")],
        &[("forwarded", "for=203.0.113.9;proto=https;host=evil, for=192.0.2.1")],
        &[("forwarded", "for=203.0.113.9"), ("forwarded", "for=192.0.2.1, for=\"[fd00::2]\"")],
    ] {
        assert_eq!(told(PROXY, fields), Some(("192.0.2.1".to_owned(), None, None)), "{fields:?}");
    }
    // The outermost trusted proxy knows by which host and scheme it was asked; those behind it repeat their own.
    let fields = [
        ("x-forwarded-for", "192.0.2.1, 10.0.0.2"),
        ("x-forwarded-proto", "https, http"),
        ("x-forwarded-host", "api.test, inner"),
    ];
    assert_eq!(told(PROXY, &fields), Some(("192.0.2.1".to_owned(), Some(true), Some("api.test".to_owned()))));
}

#[test]
fn behind_a_hidden_address_nothing_is_believed() {
    for fields in [
        &[("forwarded", "for=203.0.113.9, for=unknown")][..],
        &[("forwarded", "for=203.0.113.9, for=_hidden")],
        &[("forwarded", "for=203.0.113.9, proto=http")],
        &[("x-forwarded-for", "203.0.113.9, unknown")],
    ] {
        assert_eq!(source(PROXY, fields).unwrap(), PROXY, "{fields:?}");
    }
}

#[test]
fn a_proxy_that_writes_one_kind_and_passes_the_other_on_is_not_led_by_its_callers() {
    for fields in [
        [("x-forwarded-for", "192.0.2.1"), ("forwarded", "for=203.0.113.9")],
        [("x-forwarded-for", "203.0.113.9"), ("forwarded", "for=192.0.2.1")],
        [("x-forwarded-host", "a"), ("forwarded", "host=b")],
        [("x-forwarded-proto", "http"), ("forwarded", "proto=https")],
    ] {
        assert_eq!(told(PROXY, &fields), None, "{fields:?}");
    }
}

#[test]
fn what_can_not_be_read_is_refused() {
    for value in [
        "for=\"192.0.2.1",
        "for",
        "=x",
        "for=192.0.2.1 host=x",
        "for=999.0.0.1",
        "for=192.0.2.1;for=192.0.2.2",
        "proto=ftp",
        "b@d=x",
        "for=\"[::1\"",
        "for=\"a\\",
    ] {
        assert_eq!(told(PROXY, &[("forwarded", value)]), None, "{value}");
    }
    for value in ["x", "1.2.3", "192.0.2.1 192.0.2.2", "192.0.2.1,,10.0.0.1", ""] {
        assert_eq!(told(PROXY, &[("x-forwarded-for", value)]), None, "{value:?}");
    }
    let many = vec!["10.0.0.1"; MOST_HOPS + 1].join(",");
    assert_eq!(told(PROXY, &[("x-forwarded-for", &many)]), None);
}
