//! Gateways that share one memory of what was admitted, in a real Redis.

#[path = "../../countersign-store/tests/support/redis_server.rs"]
mod redis_server;
mod support;

use std::io::{BufRead, BufReader, Write};
use std::time::{Duration, Instant};

use redis_server::RedisServer;
use support::Dir;
use support::gateway::{Gateway, send, send_for_head, upstream};
use support::https::tls;

/// A directory with a configuration `NAME.toml` for each gateway, all on one registry and one Redis, and a key `acme-1`.
fn deployment(server: &RedisServer, gateways: &[&str]) -> Dir {
    let dir = Dir::new();
    dir.write("replay.url", &format!("{}/2\n", server.url()));
    let upstream = upstream();
    for name in gateways {
        let config = format!(
            "data = \"{name}\"\n[gateway]\nlisten = [\"127.0.0.1:0\"]\nworkers = 1\npublic_url = [\"http://api.example.com\"]\n\
             [admin]\nlisten = \"127.0.0.1:0\"\n[registry]\nurl = \"sqlite:registry/registry.db\"\n[replay]\nurl_file = \
             \"replay.url\"\n[[route]]\npath = \"/orders\"\nupstream = \"http://{upstream}\"\n"
        );
        dir.write(&format!("{name}.toml"), &config);
    }
    let first = gateways[0];
    dir.fine(&format!("partner add acme --config {first}.toml"));
    dir.fine("key generate --algorithm ed25519 --out acme.key");
    let key = "--scheme http-message-signatures --algorithm ed25519 --public-key acme.key.pub";
    dir.fine(&format!("key add --partner acme --id acme-1 {key} --config {first}.toml"));
    dir
}

fn start(dir: &Dir, name: &str) -> Gateway {
    Gateway::started(dir, dir.command(&format!("gateway --config {name}.toml")))
}

fn signed(dir: &Dir) -> String {
    let order = "GET /orders HTTP/1.1\r\nHost: api.example.com\r\nConnection: close\r\n\r\n";
    dir.fine_with("sign --key acme.key --id acme-1 --origin http://api.example.com", order.as_bytes())
}

fn admin(gateway: &Gateway, path: &str) -> (u16, String) {
    send(gateway.admin, &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"))
}

/// Until it says so, ten seconds at most.
#[track_caller]
fn ready(gateway: &Gateway, expected: u16, says: &str) {
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        let (status, body) = admin(gateway, "/readyz");
        if status == expected && body.contains(says) {
            return;
        }
        assert!(Instant::now() < end, "{status}: {body}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The state of the memory is told once a second.
#[track_caller]
fn logged(dir: &Dir, text: &str) {
    let end = Instant::now() + Duration::from_secs(5);
    while !dir.read("log").contains(text) {
        assert!(Instant::now() < end, "{text}: {}", dir.read("log"));
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_request_that_passed_at_one_gateway_passes_at_no_other() {
    let server = RedisServer::start();
    let dir = deployment(&server, &["one", "two"]);
    let (one, two) = (start(&dir, "one"), start(&dir, "two"));
    let captured = signed(&dir);
    assert_eq!(send(one.address, &captured).0, 200);
    for gateway in [&two, &one] {
        let (status, refusal) = send(gateway.address, &captured);
        assert_eq!((status, refusal.contains("\"replayed\"")), (401, true), "{refusal}");
    }
    assert_eq!(send(two.address, &signed(&dir)).0, 200);
    // Neither their ends nor a crash makes them forget, or wait.
    assert_eq!(one.end("-TERM"), Some(0));
    two.end("-KILL");
    let (one, two) = (start(&dir, "one"), start(&dir, "two"));
    for gateway in [&one, &two] {
        assert_eq!(send(gateway.address, &captured).0, 401);
        assert_eq!(send(gateway.address, &signed(&dir)).0, 200);
        ready(gateway, 200, "\"ready\":true");
    }
    let (_, metrics) = admin(&one, "/metrics");
    for expected in [
        "\ncountersign_replay_available 1\n",
        "\ncountersign_replay_uses_total 2\n",
        "\ncountersign_replay_losses_total 0\n",
    ] {
        assert!(metrics.contains(expected), "{expected}: {metrics}");
    }
    assert_eq!(server.ask(&["DBSIZE"]), ":0", "the database is the one that the URL names");
}

#[test]
fn one_of_a_hundred_copies_at_two_gateways_passes() {
    let server = RedisServer::start();
    let dir = deployment(&server, &["one", "two"]);
    let gateways = [start(&dir, "one"), start(&dir, "two")];
    for _ in 0..3 {
        let captured = signed(&dir);
        let copies = (0..100).map(|number| {
            let (to, request) = (gateways[number % 2].address, captured.clone());
            std::thread::spawn(move || send(to, &request).0)
        });
        let mut statuses: Vec<u16> = copies.collect::<Vec<_>>().into_iter().map(|it| it.join().unwrap()).collect();
        statuses.sort_unstable();
        assert_eq!((statuses[0], statuses[1], statuses[99]), (200, 401, 401), "{statuses:?}");
    }
}

#[test]
fn a_replay_store_that_is_down_is_503_and_no_replay_passes_after_it_is_back() {
    let mut server = RedisServer::start();
    let dir = deployment(&server, &["one"]);
    let gateway = start(&dir, "one");
    let captured = signed(&dir);
    assert_eq!(send(gateway.address, &captured).0, 200);
    server.kill();
    for request in [&captured, &signed(&dir)] {
        let (status, head, refusal) = send_for_head(gateway.address, request);
        assert_eq!((status, refusal.contains("\"unavailable\"")), (503, true), "{refusal}");
        assert!(head.contains("\r\nretry-after: "), "{head}");
        assert!(!refusal.contains("edis"), "a caller is told what we run: {refusal}");
    }
    ready(&gateway, 503, "replay memory");
    assert!(admin(&gateway, "/metrics").1.contains("\ncountersign_replay_available 0\n"));
    server.restart();
    ready(&gateway, 503, "could be a replay");
    let (status, head, _) = send_for_head(gateway.address, &captured);
    assert_eq!(status, 503, "a captured request passed after the store came back empty");
    let wait: u64 = head.split("retry-after: ").nth(1).unwrap().lines().next().unwrap().parse().unwrap();
    assert!((30..=62).contains(&wait), "{wait}");
    logged(&dir, "warning: the replay memory does not admit");
    assert!(admin(&gateway, "/metrics").1.contains("\ncountersign_replay_losses_total 1\n"));
}

/// Out of rotation it sees no request that could tell.
#[test]
fn a_gateway_is_ready_again_as_soon_as_its_store_answers() {
    let server = RedisServer::start();
    let dir = deployment(&server, &["one"]);
    let gateway = start(&dir, "one");
    server.signal("-STOP");
    assert_eq!(send(gateway.address, &signed(&dir)).0, 503);
    ready(&gateway, 503, "");
    server.signal("-CONT");
    let back = Instant::now();
    ready(&gateway, 200, "");
    assert!(back.elapsed() < Duration::from_secs(4), "{:?}", back.elapsed());
    assert_eq!(send(gateway.address, &signed(&dir)).0, 200);
}

#[test]
fn a_gateway_starts_without_its_store_and_admits_once_it_is_there() {
    let mut server = RedisServer::start();
    server.kill();
    let dir = deployment(&server, &["one"]);
    let gateway = start(&dir, "one");
    assert!(dir.read("log").contains("warning: the replay store does not admit yet"), "{}", dir.read("log"));
    assert_eq!(send(gateway.address, &signed(&dir)).0, 503);
    server.restart();
    ready(&gateway, 200, "\"ready\":true");
    assert_eq!(send(gateway.address, &signed(&dir)).0, 200);
}

#[test]
fn a_store_by_tls_whose_certificate_has_to_hold() {
    let port = redis_server::free_port().to_string();
    let path = |name: &str| tls(name).to_str().unwrap().to_owned();
    let (certificate, key) = (path("server.pem"), path("server.key"));
    let server = RedisServer::with(&[
        "--save",
        "",
        "--tls-port",
        &port,
        "--tls-cert-file",
        &certificate,
        "--tls-key-file",
        &key,
        "--tls-auth-clients",
        "no",
        "--tls-ca-cert-file",
        &certificate,
    ]);
    let dir = deployment(&server, &["one"]);
    dir.write("replay.url", &format!("rediss://localhost:{port}\n"));
    let start = |authority: &str| {
        let mut command = dir.command("gateway --config one.toml");
        command.env("SSL_CERT_FILE", tls(authority)).env_remove("SSL_CERT_DIR");
        Gateway::started(&dir, command)
    };
    let stranger = start("other-ca.pem");
    ready(&stranger, 503, "certificate");
    assert_eq!(send(stranger.address, &signed(&dir)).0, 503);
    assert_eq!(stranger.end("-TERM"), Some(0));
    let gateway = start("ca.pem");
    ready(&gateway, 200, "\"ready\":true");
    assert_eq!(send(gateway.address, &signed(&dir)).0, 200);
    drop(server);
}

#[test]
fn gateways_share_a_registry_only_where_they_share_their_memory() {
    let server = RedisServer::start();
    let dir = deployment(&server, &["one", "alone"]);
    let alone = dir.read("alone.toml").replace("url_file = \"replay.url\"", "url = \"memory:\"");
    dir.write("alone.toml", &alone);
    let gateway = start(&dir, "one");
    let refused = dir.run("gateway --config alone.toml");
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.err.contains("is served by another gateway") && refused.err.contains("[replay]"), "{refused:?}");
    assert_eq!(gateway.end("-TERM"), Some(0));
    let gateway = start(&dir, "alone");
    let refused = dir.run("gateway --config one.toml");
    assert_eq!((refused.code, refused.err.contains("is served by another gateway")), (2, true), "{refused:?}");
    drop(gateway);
}

#[test]
fn what_a_file_holds_in_place_of_a_url_is_not_repeated() {
    let server = RedisServer::start();
    let dir = deployment(&server, &["one"]);
    for wrong in ["redis://u:geheim@h#insecure", "redis://u:geheim@h/x", "http://u:geheim@h"] {
        dir.write("replay.url", wrong);
        let refused = dir.run("gateway --config one.toml");
        assert_eq!(refused.code, 2, "{refused:?}");
        assert!(refused.err.contains("replay.url") && !refused.err.contains("geheim"), "{refused:?}");
    }
}

#[test]
fn a_raised_age_lets_no_request_pass_a_second_time_at_a_gateway_that_shares_the_memory() {
    let server = RedisServer::start();
    let dir = deployment(&server, &["short", "long"]);
    let with_age = |name: &str, age: &str| {
        let config = format!("{}max_age = \"{age}\"\nmax_skew = \"1s\"\n", dir.read(&format!("{name}.toml")));
        dir.write(&format!("{name}.toml"), &config);
    };
    with_age("short", "2s");
    with_age("long", "1h");
    let short = start(&dir, "short");
    let captured = signed(&dir);
    assert_eq!(send(short.address, &captured).0, 200);
    std::thread::sleep(Duration::from_secs(4));
    let long = start(&dir, "long");
    let (status, refusal) = send(long.address, &captured);
    assert_eq!((status, refusal.contains("\"too_old\"")), (401, true), "{refusal}");
    let (status, refusal) = send(short.address, &captured);
    assert_eq!((status, refusal.contains("\"too_old\"")), (401, true), "{refusal}");
}

#[test]
fn a_restart_without_a_gap_beside_another_gateway() {
    let server = RedisServer::start();
    let dir = deployment(&server, &["north", "south"]);
    let (north, south) = (start(&dir, "north"), start(&dir, "south"));
    ready(&north, 200, "");
    ready(&south, 200, "");
    let captured = signed(&dir);
    assert_eq!(send(north.address, &captured).0, 200);
    // Who was told to stand back, and then nobody came, follows the store again.
    let mut successor = std::os::unix::net::UnixStream::connect(dir.path("north/handover.sock")).unwrap();
    successor.write_all(b"countersign take-over 1 4711\nstop\n").unwrap();
    let mut heard = BufReader::new(successor).lines();
    assert!(heard.next().unwrap().unwrap().contains("\"shared_memory\":true"));
    assert!(heard.next().unwrap().unwrap().ends_with("stopped"));
    drop(heard);
    ready(&north, 200, "");
    assert_eq!(send(north.address, &signed(&dir)).0, 200);
    let next = Gateway::started(&dir, dir.command("gateway --take-over --config north.toml"));
    assert_eq!(next.address, north.address);
    assert_eq!(north.wait(), Some(0));
    assert_eq!((send(next.address, &captured).0, send(south.address, &captured).0), (401, 401));
    assert_eq!(send(next.address, &signed(&dir)).0, 200);
    assert_eq!(next.end("-TERM"), Some(0));
}
