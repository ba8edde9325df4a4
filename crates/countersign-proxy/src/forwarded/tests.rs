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

/// A small fuzzer that runs with every test: nothing that a proxy may send panics, and nobody but an address is the source.
#[test]
fn nothing_that_is_written_there_makes_us_panic() {
    const SEED: &str = "for=192.0.2.1;host=\"a:8\";proto=https, for=\"[2001:db8::1]:4711\";by=_x, unknown, 10.0.0.1:80";
    const SPOILERS: &[u8] = b"\"\\;,= []:.0a9_\t\xff";
    let mut state = 7_u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let trusted = Trusted::new(&["0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap()]);
    for _ in 0..20_000 {
        let mut bytes = SEED.as_bytes().to_vec();
        for _ in 0..=random(6) {
            let (at, spoiler) = (random(bytes.len()), SPOILERS[random(SPOILERS.len())]);
            match random(3) {
                0 => bytes[at] = spoiler,
                1 => bytes.insert(at, spoiler),
                _ => bytes.truncate(at.max(1)),
            }
        }
        let Ok(value) = HeaderValue::from_bytes(&bytes) else { continue };
        for name in ["forwarded", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"] {
            let headers = HeaderMap::from_iter([(HeaderName::from_static(name), value.clone())]);
            drop(read(&headers, PROXY.parse().unwrap(), &trusted));
        }
    }
}
