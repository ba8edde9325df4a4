//! Mistake 6, and whose word on a caller is believed: `Forwarded`, `X-Forwarded-*` and the PROXY protocol.

use std::time::Duration;

use countersign_proxy::{Disclosure, Limits, Quota};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::admitted::arrived;
use crate::client::{answers, ask, read_all, send};
use crate::signer::Request;
use crate::stage::{Setting, Stage};

/// Loopback is a proxy, and so is 192.0.2.0/24.
fn behind_a_proxy() -> Setting {
    Setting {
        trusted: vec!["127.0.0.0/8", "192.0.2.0/24"],
        public_url: vec!["http://api.test", "http://other.test"],
        ..Setting::default()
    }
}

async fn signed(stage: &Stage) -> Request {
    stage.partner.get("/orders").sign().await
}

#[tokio::test]
async fn a_stranger_can_not_say_who_it_is_and_what_it_was_asked_as() {
    let stage = Stage::with(Setting { public_url: vec!["http://api.test"], ..Setting::default() }).await;
    let request = signed(&stage).await.with("X-Forwarded-For", "203.0.113.9").with("X-Forwarded-Host", "evil.test");
    let request = request.with("Forwarded", "for=203.0.113.9;host=evil.test").with("X-Forwarded-Proto", "https");
    let answer = ask(stage.address, &request.bytes()).await;
    let echo = answer.json();
    assert_eq!((answer.status, arrived(&echo, "host")), (200, vec!["api.test"]), "{echo}");
    assert_eq!(arrived(&echo, "x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(arrived(&echo, "x-forwarded-host"), ["api.test"]);
    assert_eq!(arrived(&echo, "x-forwarded-proto"), ["http"]);
    assert_eq!(arrived(&echo, "forwarded"), ["for=127.0.0.1;host=\"api.test\";proto=http"]);
    assert_eq!(stage.log.lines(1).await[0]["source"], "127.0.0.1");
}

#[tokio::test]
async fn a_trusted_proxy_says_who_called_and_by_which_host() {
    let stage = Stage::with(behind_a_proxy()).await;
    let mut request = signed(&stage).await;
    // The proxy asks under a name of its own, and its caller had tried to be somebody else.
    request.fields[0].1 = "inner:8080".to_owned();
    let request = request
        .with("X-Forwarded-For", "10.9.9.9, 203.0.113.9, 192.0.2.7")
        .with("X-Forwarded-Host", "api.test")
        .with("X-Forwarded-Proto", "http");
    let answer = ask(stage.address, &request.bytes()).await;
    let echo = answer.json();
    assert_eq!((answer.status, arrived(&echo, "host")), (200, vec!["api.test"]), "{echo}");
    assert_eq!(arrived(&echo, "x-forwarded-for"), ["203.0.113.9"]);
    assert_eq!(arrived(&echo, "forwarded"), ["for=203.0.113.9;host=\"api.test\";proto=http"]);
    assert_eq!(stage.log.lines(1).await[0]["source"], "203.0.113.9");
}

#[tokio::test]
async fn a_host_that_a_proxy_tells_is_still_one_of_ours() {
    let stage = Stage::with(behind_a_proxy()).await;
    for (name, value) in [
        ("X-Forwarded-Host", "evil.test"),
        ("X-Forwarded-Host", "api.test@evil.test"),
        ("Forwarded", "host=evil.test"),
        ("Forwarded", "host=\"broken"),
        ("X-Forwarded-For", "not an address"),
    ] {
        let answer = ask(stage.address, &signed(&stage).await.with(name, value).bytes()).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "malformed"), "{name}: {value}");
    }
    // Asked as another of ours, it is another message than the one that was signed.
    let answer = ask(stage.address, &signed(&stage).await.with("X-Forwarded-Host", "other.test").bytes()).await;
    assert_eq!((answer.status, answer.code().as_str()), (401, "bad_signature"));
    let both = signed(&stage).await.with("X-Forwarded-For", "203.0.113.9").with("Forwarded", "for=203.0.113.10");
    assert_eq!(ask(stage.address, &both.bytes()).await.code(), "malformed");
    assert_eq!(stage.upstream.requests(), 0);
}

#[tokio::test]
async fn the_scheme_that_a_proxy_tells_chooses_among_ours() {
    let public_url = vec!["http://api.test", "https://api.test"];
    let stage = Stage::with(Setting { public_url, ..behind_a_proxy() }).await;
    for (told, expected) in [("https", "https"), ("http", "http")] {
        let request = signed(&stage).await.with("X-Forwarded-Proto", told);
        let answer = ask(stage.address, &request.bytes()).await;
        assert_eq!(arrived(&answer.json(), "x-forwarded-proto"), [expected]);
    }
    // Where there is no choice, the configuration's word stands.
    let stage = Stage::with(behind_a_proxy()).await;
    let request = signed(&stage).await.with("X-Forwarded-Proto", "https");
    assert_eq!(arrived(&ask(stage.address, &request.bytes()).await.json(), "x-forwarded-proto"), ["http"]);
}

#[tokio::test]
async fn behind_a_proxy_the_flood_of_one_caller_is_nobody_elses() {
    let source_rate = Some(Quota { requests: 2, per: Duration::from_secs(600) });
    let stage = Stage::with(Setting { limits: Limits { source_rate, ..Limits::default() }, ..behind_a_proxy() }).await;
    for (source, status) in
        [("203.0.113.9", 200), ("203.0.113.9", 200), ("203.0.113.9", 429), ("203.0.113.10", 200), ("203.0.113.9", 429)]
    {
        let request = signed(&stage).await.with("X-Forwarded-For", source);
        assert_eq!(ask(stage.address, &request.bytes()).await.status, status, "{source}");
    }
}

fn proxied() -> Setting {
    let limits = Limits { head_time: Duration::from_millis(300), ..Setting::default().limits };
    Setting { trusted: vec!["127.0.0.0/8"], proxy_protocol: true, limits, ..Setting::default() }
}

#[tokio::test]
async fn a_proxy_header_says_who_calls_in_both_versions() {
    let stage = Stage::with(proxied()).await;
    let v1 = b"PROXY TCP4 203.0.113.9 192.0.2.1 4711 443\r\n".to_vec();
    let v2 = [b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c".as_slice(), &[203, 0, 113, 9, 192, 0, 2, 1, 1, 2, 3, 4]].concat();
    for header in [v1, v2] {
        // Whoever calls is no proxy, so its own words are thrown away.
        let request = signed(&stage).await.with("X-Forwarded-For", "10.9.9.9");
        let answer = ask(stage.address, &[header, request.bytes()].concat()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(arrived(&answer.json(), "x-forwarded-for"), ["203.0.113.9"]);
    }
    // A proxy that speaks for itself, and in front of it one that speaks HTTP.
    for header in ["PROXY UNKNOWN\r\n", "PROXY TCP4 127.0.0.9 192.0.2.1 4711 443\r\n"] {
        let request = signed(&stage).await.with("X-Forwarded-For", "203.0.113.9");
        let answer = ask(stage.address, &[header.as_bytes(), &request.bytes()].concat()).await;
        assert_eq!(arrived(&answer.json(), "x-forwarded-for"), ["203.0.113.9"]);
    }
}

#[tokio::test]
async fn a_trusted_peer_without_a_proxy_header_is_closed_without_a_word() {
    let stage = Stage::with(proxied()).await;
    let request = signed(&stage).await.bytes();
    for header in ["", "PROXY TCP4 x y 1 2\r\n", "PROXY TCP4 203.0.113.9 192.0.2.1 4711 443\n"] {
        let all = send(stage.address, &[header.as_bytes(), &request].concat()).await;
        assert!(all.is_empty(), "{header:?}: {}", String::from_utf8_lossy(&all));
    }
    let mut silent = TcpStream::connect(stage.address).await.unwrap();
    silent.write_all(b"PROXY TCP4 203.0").await.unwrap();
    assert!(read_all(&mut silent).await.is_empty(), "and one that does not end is not waited for");
    assert_eq!(stage.upstream.requests(), 0);
}

#[tokio::test]
async fn a_stranger_can_not_use_the_proxy_protocol() {
    let elsewhere = Setting { trusted: vec!["192.0.2.0/24"], ..proxied() };
    for setting in [elsewhere, Setting { proxy_protocol: false, ..proxied() }] {
        let stage = Stage::with(setting).await;
        let header = "PROXY TCP4 203.0.113.9 192.0.2.1 4711 443\r\n";
        let all = send(stage.address, &[header.as_bytes(), &signed(&stage).await.bytes()].concat()).await;
        assert_eq!(answers(&all)[0].status, 400);
        assert_eq!(ask(stage.address, &signed(&stage).await.bytes()).await.status, 200, "without one it is served");
        assert_eq!(stage.upstream.requests(), 1);
    }
}

const OF_PROXIES: [&str; 9] = [
    "X-Real-IP",
    "X-Client-IP",
    "True-Client-IP",
    "X_Real_IP",
    "X-SSL-Client-Cert",
    "X-SSL-Client-S-DN",
    "X-SSL-Client-Verify",
    "SSL-Client-Cert",
    "X-Forwarded-Client-Cert",
];

#[tokio::test]
async fn a_stranger_can_not_say_in_a_proxys_words_who_it_is() {
    let stage = Stage::with(Setting { public_url: vec!["http://api.test"], ..Setting::default() }).await;
    let request = OF_PROXIES.iter().fold(signed(&stage).await, |request, name| request.with(name, "CN=globex"));
    let answer = ask(stage.address, &request.bytes()).await;
    let echo = answer.json();
    assert_eq!(answer.status, 200, "{echo}");
    for name in OF_PROXIES {
        assert!(arrived(&echo, &name.to_ascii_lowercase()).is_empty(), "{name}: {echo}");
    }
}

#[tokio::test]
async fn a_trusted_proxy_tells_a_certificate_and_no_second_address() {
    let stage = Stage::with(behind_a_proxy()).await;
    let request = OF_PROXIES.iter().fold(signed(&stage).await, |request, name| request.with(name, "CN=acme"));
    let echo = ask(stage.address, &request.bytes()).await.json();
    for name in OF_PROXIES {
        let expected = if name.ends_with("IP") { vec![] } else { vec!["CN=acme"] };
        assert_eq!(arrived(&echo, &name.to_ascii_lowercase()), expected, "{name}");
    }
}

#[tokio::test]
async fn what_a_partner_signed_goes_on() {
    let stage = Stage::with(Setting { public_url: vec!["http://api.test"], ..Setting::default() }).await;
    let covered = ["@method", "@authority", "@path", "@query", "x-real-ip"];
    let request = stage.partner.get("/orders").field("X-Real-IP", "203.0.113.9").cover(&covered).sign().await;
    let echo = ask(stage.address, &request.with("X-Client-IP", "203.0.113.9").bytes()).await.json();
    assert_eq!((arrived(&echo, "x-real-ip"), arrived(&echo, "x-client-ip")), (vec!["203.0.113.9"], vec![]), "{echo}");
}

#[tokio::test]
async fn a_foreign_host_is_told_what_is_wrong_with_it_as_far_as_the_route_lets() {
    for (refusals, detail) in [(Disclosure::Code, false), (Disclosure::Components, true)] {
        let setting = Setting { public_url: vec!["https://api.test"], refusals, ..Setting::default() };
        let stage = Stage::with(setting).await;
        for target in ["/orders", "/orders?a=b"] {
            let request = format!("GET {target} HTTP/1.1\r\nHost: elsewhere.test\r\nConnection: close\r\n\r\n");
            let problem = ask(stage.address, request.as_bytes()).await.json();
            assert_eq!((&problem["status"], &problem["code"]), (&400.into(), &"malformed".into()));
            assert_eq!(problem["advice"], "send it to a host that this API has, signed for that host");
            assert_eq!(
                problem["detail"].as_str(),
                detail.then_some("the Host is not one of ours, which are https://api.test")
            );
        }
        // Of a path that leads nowhere nothing more is told.
        let request = b"GET /nowhere HTTP/1.1\r\nHost: elsewhere.test\r\nConnection: close\r\n\r\n";
        assert!(ask(stage.address, request).await.json()["detail"].is_null());
    }
}

/// One customer of IPv6 has more addresses than there are counters, and may write one of IPv4 as one of IPv6.
#[tokio::test]
async fn a_flood_from_all_addresses_of_a_customer_is_one_flood() {
    let quota = Quota { requests: 3, per: Duration::from_hours(1) };
    let limits = Limits { source_rate: Some(quota), ..Setting::default().limits };
    let stage = Stage::with(Setting { limits, ..proxied() }).await;
    for (family, source, status) in [
        ("TCP6", "2001:db8::1", 200),
        ("TCP6", "2001:db8::2", 200),
        ("TCP6", "2001:db8::ffff:ffff:ffff:ffff", 200),
        ("TCP6", "2001:0db8:0000:0000:9::", 429),
        ("TCP6", "2001:db8:0:1::1", 200),
        ("TCP4", "203.0.113.9", 200),
        ("TCP6", "::ffff:203.0.113.9", 200),
        ("TCP6", "::ffff:cb00:7109", 200),
        ("TCP4", "203.0.113.9", 429),
        ("TCP6", "::ffff:203.0.113.9", 429),
    ] {
        let to = if family == "TCP6" { "2001:db8::80" } else { "192.0.2.1" };
        let header = format!("PROXY {family} {source} {to} 4711 443\r\n");
        let answer = ask(stage.address, &[header.as_bytes(), &signed(&stage).await.bytes()].concat()).await;
        assert_eq!(answer.status, status, "{source}");
    }
    // The log names the address in one spelling.
    let lines = stage.log.lines(10).await;
    assert_eq!(
        (&lines[2]["source"], &lines[7]["source"]),
        (&"2001:db8::ffff:ffff:ffff:ffff".into(), &"203.0.113.9".into())
    );
}

/// A second header is the caller's own, and no request.
#[tokio::test]
async fn a_caller_can_not_write_a_proxy_header_behind_the_proxys() {
    let stage = Stage::with(proxied()).await;
    let v2 = [b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c".as_slice(), &[10, 0, 0, 1, 192, 0, 2, 1, 1, 2, 3, 4]].concat();
    for second in [&b"PROXY TCP4 10.0.0.1 192.0.2.1 4711 443\r\n"[..], &v2] {
        let first = b"PROXY TCP4 203.0.113.9 192.0.2.1 4711 443\r\n";
        let all = send(stage.address, &[first, second, &signed(&stage).await.bytes()].concat()).await;
        assert!(all.is_empty() || answers(&all)[0].status == 400, "{}", String::from_utf8_lossy(&all));
    }
    assert_eq!(stage.upstream.requests(), 0);
    assert!(!stage.log.text().contains("10.0.0.1"));
}
