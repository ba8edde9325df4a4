//! The demo: every row as expected, in a form that fits a terminal.

mod support;

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::process::Stdio;

use support::Dir;
use support::gateway::send;

#[test]
fn the_demo_comes_out_as_expected_and_fits_80_columns() {
    let dir = Dir::new();
    let ran = dir.run("demo");
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.lines().all(|line| line.chars().count() <= 80), "{}", ran.out);
    for scene in
        ["Message1", "Message2", "no header", "replayed", "from the future", "revoked key", "ml-dsa-87", "two readings"]
    {
        assert!(ran.out.lines().any(|line| line.starts_with(scene)), "{scene}: {}", ran.out);
    }
    let count = |scheme: &str, scene: &str| {
        ran.out.lines().filter(|line| line.starts_with(scene) && line[17..].trim_start().starts_with(scheme)).count()
    };
    for (scheme, scenes) in [
        ("pki", &["File ", "File, changed", "File, renamed", "File, replayed", "File, no header"][..]),
        ("trusted-site", &["Message1", "changed payload", "changed target", "replayed", "stale", "unknown site"]),
        ("app-hmac", &["method-first", "payload-first", "changed body", "changed target", "replayed"]),
    ] {
        assert!(scenes.iter().all(|scene| count(scheme, scene) > 0), "{scheme}: {}", ran.out);
    }
    assert_eq!(count("app-hmac", "replayed"), 2, "one for each layout: {}", ran.out);
    for scheme in ["pki", "trusted-site", "app-hmac"] {
        let cost = |line: &str| line.starts_with(scheme) && line.split_whitespace().count() == 4;
        assert!(ran.out.lines().any(cost), "{scheme}: {}", ran.out);
    }
    assert!(ran.out.lines().last().is_some_and(|line| line.contains("ml-dsa-87")), "{}", ran.out);
    let left = std::fs::read_dir(dir.here()).unwrap().count();
    assert_eq!(left, 0, "nothing is left behind");
}

#[test]
fn a_port_that_was_asked_for_and_is_taken_is_an_error() {
    let dir = Dir::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    for flag in ["--gateway-port", "--sender-port"] {
        let ran = dir.run(&format!("demo {flag} {port}"));
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.err.contains(&port.to_string()) && ran.err.contains("hint: "), "{ran:?}");
    }
}

#[test]
fn a_demo_that_stays_serves_both_apis() {
    let dir = Dir::new();
    // Ports of its own: the default ones may be another test's.
    let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (gateway, sender) = (free(), free());
    let command = format!("demo --stay --gateway-port {gateway} --sender-port {sender}");
    let mut child = dir.command(&command).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.starts_with("countersign key revoke")));
    let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
    let get = |target: &str| {
        send(at(sender), &format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"))
    };
    assert_eq!(get("/health").0, 200);
    assert!(get("/public-key").1.starts_with("-----BEGIN PUBLIC KEY-----"));
    let post = |message: &str| {
        let head = "POST /send/message1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n";
        let length = message.len();
        send(at(sender), &format!("{head}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{message}"))
    };
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let good =
        format!(r#"{{"message_id": "1", "sender": "a", "content": "b", "priority": "low", "timestamp": {now}}}"#);
    // Verified, and then judged by the API itself, which wants RFC 3339.
    assert_eq!(post(&good).0, 422);
    assert_eq!(post(&good).0, 401, "replayed");
    let part =
        |name: &str, text: &str| format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n");
    let file = format!(
        "{}{}{}--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nabc\r\n--b--\r\n",
        part("message_id", "2"),
        part("timestamp", "RFC3339"),
        part("sender", "me")
    );
    let upload = |body: &str| {
        let head =
            "POST /send/file HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: multipart/form-data";
        send(at(sender), &format!("{head}; boundary=b\r\nContent-Length: {}\r\n\r\n{body}", body.len()))
    };
    let date = std::process::Command::new("date").args(["-u", "+%FT%TZ"]).output().unwrap().stdout;
    let file = file.replace("RFC3339", String::from_utf8(date).unwrap().trim());
    assert_eq!(upload(&file).0, 200);
    assert_eq!(upload(&file).0, 401, "replayed");
    assert_eq!(upload(&file.replace("; name=\"file\"", "; name=\"other\"")).0, 422, "no file");
    assert_eq!(post("{}").0, 422, "nothing that a replay could be told by");
    let unsigned = format!("GET /messages HTTP/1.1\r\nHost: 127.0.0.1:{gateway}\r\nConnection: close\r\n\r\n");
    assert_eq!(send(at(gateway), &unsigned).0, 401);
    let kill = std::process::Command::new("kill").arg(child.id().to_string()).status();
    assert!(kill.unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
