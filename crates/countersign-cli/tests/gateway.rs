//! From nothing to a signed request that reaches an API, and everything that may happen on the way.

mod support;

use std::time::{Duration, Instant};

use support::Dir;
use support::gateway::{Gateway, send, upstream};

/// A directory with a configuration, a partner `acme` and its key `acme-1`.
fn deployment() -> Dir {
    let dir = Dir::new();
    let config = format!(
        "[gateway]\nlisten = [\"127.0.0.1:0\"]\nworkers = 1\n[admin]\nlisten = \"127.0.0.1:0\"\n\n[[route]]\npath = \
         \"/orders\"\nupstream = \"http://{}\"\nrefusals = \"components\"\n",
        upstream()
    );
    dir.write("countersign.toml", &config);
    dir.fine("partner add acme");
    dir.fine("key generate --algorithm ed25519 --out acme.key");
    dir.fine("key add --partner acme --id acme-1 --scheme http-message-signatures --algorithm ed25519 --public-key acme.key.pub");
    dir
}

fn order(gateway: &Gateway) -> String {
    format!(
        "POST /orders?a=b HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nCountersign-Partner: mallory\r\n\r\n{{\"n\": 1}}",
        gateway.address
    )
}

fn signed(dir: &Dir, gateway: &Gateway) -> String {
    dir.fine_with("sign --key acme.key --id acme-1", order(gateway).as_bytes())
}

#[test]
fn the_road_from_nothing_to_a_signed_request() {
    let dir = Dir::new();
    let out = dir.fine("init");
    assert!(out.contains("countersign partner add NAME") && dir.path("countersign-data").is_dir(), "{out}");
    let again = dir.run("init");
    assert_eq!(again.code, 2, "{again:?}");
    assert!(again.err.contains("never overwritten"), "{again:?}");

    let dir = deployment();
    let gateway = Gateway::start(&dir);
    let signed = signed(&dir, &gateway);
    let (status, seen) = send(gateway.address, &signed);
    assert_eq!(status, 200, "{seen}");
    let seen = seen.to_ascii_lowercase();
    for header in
        ["countersign-partner: acme", "countersign-key: acme-1", "countersign-scheme: http-message-signatures"]
    {
        assert!(seen.contains(&format!("\r\n{header}\r\n")), "{header}: {seen}");
    }
    assert!(!seen.contains("mallory") && seen.ends_with("{\"n\": 1}"), "{seen}");
    let (status, refusal) = send(gateway.address, &signed);
    assert_eq!((status, refusal.contains("\"replayed\"")), (401, true), "{refusal}");
    let (status, refusal) = send(gateway.address, &signed.replace("{\"n\": 1}", "{\"n\": 2}"));
    assert_eq!((status, refusal.contains("\"digest_mismatch\"")), (401, true), "{refusal}");
    let unsigned = order(&gateway).replace("\r\n\r\n", "\r\nContent-Length: 8\r\n\r\n");
    let (status, refusal) = send(gateway.address, &unsigned);
    assert_eq!((status, refusal.contains("\"unsigned\"")), (401, true), "{refusal}");
    assert_eq!(send(gateway.address, &unsigned.replace("/orders", "/other")).0, 404);
    let ready = format!("GET /readyz HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", gateway.admin);
    assert_eq!(send(gateway.admin, &ready).0, 200);
}

#[test]
fn a_revoked_key_stops_within_a_second() {
    let dir = deployment();
    let gateway = Gateway::start(&dir);
    assert_eq!(send(gateway.address, &signed(&dir, &gateway)).0, 200);
    let requests: Vec<_> = (0..40).map(|_| signed(&dir, &gateway)).collect();
    dir.fine("key revoke acme-1 --reason \"laptop stolen\"");
    let revoked = Instant::now();
    let refused = requests.iter().find_map(|request| {
        std::thread::sleep(Duration::from_millis(20));
        let (status, refusal) = send(gateway.address, request);
        (status == 401).then_some(refusal)
    });
    assert!(refused.is_some_and(|refusal| refusal.contains("key_not_usable")));
    assert!(revoked.elapsed() < Duration::from_secs(1), "{:?}", revoked.elapsed());
    assert!(dir.fine("key show acme-1").contains("laptop stolen"));
    let activate = dir.run("key activate acme-1");
    assert_eq!(activate.code, 2, "revoked is for good: {activate:?}");
}

#[test]
fn a_suspended_partner_comes_back() {
    let dir = deployment();
    let gateway = Gateway::start(&dir);
    let until = |status: u16| {
        (0..20).any(|_| {
            std::thread::sleep(Duration::from_millis(50));
            send(gateway.address, &signed(&dir, &gateway)).0 == status
        })
    };
    dir.fine("partner suspend acme");
    assert!(until(401));
    dir.fine("partner resume acme");
    assert!(until(200));
}

#[test]
fn no_captured_request_passes_after_kill_9() {
    let dir = deployment();
    let gateway = Gateway::start(&dir);
    let captured = signed(&dir, &gateway);
    assert_eq!(send(gateway.address, &captured).0, 200);
    gateway.end("-KILL");
    let gateway = Gateway::start(&dir);
    // As received means another port, and another authority: the signature is for the first one.
    let moved = dir.fine_with("sign --key acme.key --id acme-1", order(&gateway).as_bytes());
    assert_eq!(send(gateway.address, &moved).0, 503, "signed before the memory begins");
    assert_ne!(send(gateway.address, &captured).0, 200);
    assert!(dir.read("log").contains("did not end in order"));
    let health = send(gateway.admin, "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    assert_eq!((health.0, health.1.contains("replay memory")), (503, true), "{}", health.1);
}

#[test]
fn an_orderly_end_hands_the_memory_on() {
    let dir = deployment();
    let config = dir.read("countersign.toml").replace("workers = 1", "public_url = [\"http://api.example.com\"]");
    dir.write("countersign.toml", &config);
    let order = "GET /orders HTTP/1.1\r\nHost: api.example.com\r\nConnection: close\r\n\r\n";
    let sign = || dir.fine_with("sign --key acme.key --id acme-1", order.as_bytes());
    let (captured, other) = (sign(), sign());
    let gateway = Gateway::start(&dir);
    assert_eq!(send(gateway.address, &captured).0, 200);
    assert_eq!(gateway.end("-TERM"), Some(0));
    let gateway = Gateway::start(&dir);
    let (status, refusal) = send(gateway.address, &captured);
    assert_eq!((status, refusal.contains("\"replayed\"")), (401, true), "{refusal}");
    assert_eq!(send(gateway.address, &other).0, 200);
    assert_eq!(gateway.end("-INT"), Some(0));
}

#[test]
fn a_captured_request_is_refused_after_kill_9_under_its_own_authority() {
    let dir = deployment();
    let config = dir.read("countersign.toml").replace("workers = 1", "public_url = [\"http://api.example.com\"]");
    dir.write("countersign.toml", &config);
    let order = "GET /orders HTTP/1.1\r\nHost: api.example.com\r\nConnection: close\r\n\r\n";
    let captured = dir.fine_with("sign --key acme.key --id acme-1 --origin http://api.example.com", order.as_bytes());
    let gateway = Gateway::start(&dir);
    assert_eq!(send(gateway.address, &captured).0, 200);
    gateway.end("-KILL");
    let gateway = Gateway::start(&dir);
    let (status, refusal) = send(gateway.address, &captured);
    assert_eq!((status, refusal.contains("\"unavailable\"")), (503, true), "{refusal}");
}

#[test]
fn hangup_takes_in_a_new_route_and_keeps_the_old_ones_where_the_file_is_wrong() {
    let dir = deployment();
    let gateway = Gateway::start(&dir);
    let config = dir.read("countersign.toml");
    let until = |status: u16| {
        (0..40).any(|_| {
            std::thread::sleep(Duration::from_millis(25));
            send(gateway.address, &signed(&dir, &gateway)).0 == status
        })
    };
    dir.write("countersign.toml", &config.replace("/orders", "/others"));
    gateway.signal("-HUP");
    assert!(until(404));
    dir.write("countersign.toml", &config.replace("/orders", "orders"));
    gateway.signal("-HUP");
    let log = |text: &str| {
        (0..40).any(|_| {
            std::thread::sleep(Duration::from_millis(25));
            dir.read("log").contains(text)
        })
    };
    assert!(log("reload failed"));
    assert!(until(404));
    // Caught half-written, a file has no route: what was served is served on.
    dir.write("countersign.toml", "");
    gateway.signal("-HUP");
    assert!(log("no route: there would be nothing to serve"));
    dir.write("countersign.toml", &config);
    gateway.signal("-HUP");
    assert!(until(200));
}

#[test]
fn one_gateway_per_data_directory_and_per_port() {
    let dir = deployment();
    let gateway = Gateway::start(&dir);
    let second = dir.run("gateway");
    assert_eq!(second.code, 2, "{second:?}");
    assert!(second.err.contains("in use by another gateway") && second.err.contains("hint: "), "{second:?}");
    let taken = dir.read("countersign.toml").replacen("127.0.0.1:0", &gateway.address.to_string(), 1);
    dir.write("other.toml", &format!("data = \"other\"\n{taken}"));
    let third = dir.run("gateway --config other.toml");
    assert_eq!(third.code, 2, "{third:?}");
    assert!(third.err.contains(&gateway.address.to_string()), "{third:?}");
}

#[test]
fn a_second_gateway_with_the_same_keys_and_a_memory_of_its_own_does_not_start() {
    let dir = deployment();
    let gateway = Gateway::start(&dir);
    // Another data directory and another port, but the registry of the first.
    let config = dir.read("countersign.toml");
    dir.write(
        "other.toml",
        &format!("data = \"other\"\n{config}\n[registry]\nurl = \"sqlite:countersign-data/registry.db\"\n"),
    );
    let second = dir.run("gateway --config other.toml");
    assert_eq!(second.code, 2, "{second:?}");
    assert!(second.err.contains("is served by another gateway") && second.err.contains("hint: "), "{second:?}");
    assert_eq!(gateway.end("-TERM"), Some(0));
}

#[test]
fn a_raised_age_lets_no_request_pass_a_second_time() {
    let dir = deployment();
    let with_age = |age: &str| {
        let config = dir.read("countersign.toml");
        let lines: Vec<&str> = config.lines().filter(|line| !line.starts_with("max_")).collect();
        dir.write("countersign.toml", &format!("{}\nmax_age = \"{age}\"\nmax_skew = \"1s\"\n", lines.join("\n")));
    };
    let config = dir.read("countersign.toml").replace("workers = 1", "public_url = [\"http://api.example.com\"]");
    dir.write("countersign.toml", &config);
    with_age("2s");
    let order = "GET /orders HTTP/1.1\r\nHost: api.example.com\r\nConnection: close\r\n\r\n";
    let sign = || dir.fine_with("sign --key acme.key --id acme-1 --origin http://api.example.com", order.as_bytes());
    let gateway = Gateway::start(&dir);
    let captured = sign();
    assert_eq!(send(gateway.address, &captured).0, 200);
    std::thread::sleep(Duration::from_secs(5));
    let refused = |gateway: &Gateway| {
        let (status, refusal) = send(gateway.address, &captured);
        status == 401 && refusal.contains("\"too_old\"")
    };
    assert!(refused(&gateway));
    with_age("1h");
    gateway.signal("-HUP");
    assert!((0..40).any(|_| {
        std::thread::sleep(Duration::from_millis(50));
        dir.read("log").contains("reloaded")
    }));
    // Its memory would have ended a minute later; the longer age does not speak of what was signed before.
    assert!(refused(&gateway));
    assert_eq!(send(gateway.address, &sign()).0, 200);
    // Nor after an orderly restart, which keeps what the reload left.
    assert_eq!(gateway.end("-TERM"), Some(0));
    let gateway = Gateway::start(&dir);
    assert!(refused(&gateway));
    assert_eq!(send(gateway.address, &sign()).0, 200);
    assert_eq!(gateway.end("-TERM"), Some(0));
}
