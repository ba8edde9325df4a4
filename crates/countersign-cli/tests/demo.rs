//! The demo: every row as expected, in a form that fits a terminal.

mod support;

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Stdio};

use countersign::Code;
use support::Dir;
use support::gateway::send;

#[test]
fn the_demo_comes_out_as_expected_and_fits_80_columns() {
    let dir = Dir::new();
    let ran = dir.run("demo");
    assert_eq!(ran.code, 0, "{ran:?}");
    fits(&ran.out);
    assert!(!ran.out.contains('\x1b'), "no colours in a pipe");
    for scene in
        ["Message1", "Message2", "no header", "replayed", "from the future", "revoked key", "ml-dsa-87", "two readings"]
    {
        assert!(ran.out.lines().any(|line| line.starts_with(scene)), "{scene}: {}", ran.out);
    }
    let count = |scheme: &str, scene: &str| {
        ran.out.lines().filter(|line| line.starts_with(scene) && line[17..].trim_start().starts_with(scheme)).count()
    };
    for (scheme, scenes) in [
        (
            "pki",
            &["card, by another", "File ", "File, changed", "File, renamed", "File, replayed", "File, no header"][..],
        ),
        ("trusted-site", &["Message1", "changed payload", "changed target", "replayed", "stale", "unknown site"]),
        ("trusted-site", &["register ", "register again", "login ", "login, nobody", "no address"]),
        ("user token", &["GET /auth/me", "no token", "expired token", "other issuer's"]),
        ("app-hmac", &["method-first", "payload-first", "changed body", "changed target", "replayed"]),
        ("http-message-signatures", &["sealed card", "card, other field", "card, foreign", "foreign, unbound"]),
        ("http-message-signatures", &["by the sidecar", "by a web page", "GET /health", "memory is full"]),
    ] {
        assert!(scenes.iter().all(|scene| count(scheme, scene) > 0), "{scheme}: {}", ran.out);
    }
    assert_eq!(count("app-hmac", "replayed"), 2, "one for each layout: {}", ran.out);
    for scheme in ["pki", "trusted-site", "app-hmac"] {
        let cost = |line: &str| line.starts_with(scheme) && line.split_whitespace().count() == 4;
        assert!(ran.out.lines().any(cost), "{scheme}: {}", ran.out);
    }
    assert!(ran.out.lines().last().is_some_and(|line| line.contains("ml-dsa-87")), "{}", ran.out);
    assert!(ran.out.contains(" rows, all as expected\n"), "{}", ran.out);
    let looked =
        |line: &str| line.starts_with("sealed card: not in ") && line.ends_with(" nor in two logs; the API read it");
    assert!(ran.out.lines().any(looked), "{}", ran.out);
    let left = std::fs::read_dir(dir.here()).unwrap().count();
    assert_eq!(left, 0, "nothing is left behind");
    each_refusal_that_can_be_reached_is_shown_and_says_what_to_do(&ran.out);
}

fn each_refusal_that_can_be_reached_is_shown_and_says_what_to_do(out: &str) {
    // What no gateway of the demo refuses, since what it would be refused for is not there.
    let unreachable = [Code::RateLimited, Code::ChannelMismatch];
    for code in Code::ALL.iter().filter(|code| !unreachable.contains(code)) {
        let refused = format!(" {} {code} ", code.status());
        assert!(out.lines().any(|line| line.contains(&refused)), "{code} has no row: {out}");
        let says = format!("\n{:<19} {}\n", code.as_str(), code.advice());
        assert!(out.contains(&says), "{code}: {out}");
    }
}

#[test]
fn on_a_terminal_it_has_colours_and_the_same_lines_unless_they_are_unwanted() {
    for (no_color, coloured) in [("", true), ("1", false)] {
        let dir = Dir::new();
        let terminal = "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)";
        let ran = std::process::Command::new("python3")
            .args(["-c", terminal, env!("CARGO_BIN_EXE_countersign"), "demo"])
            .env("TERM", "xterm")
            .env("NO_COLOR", no_color)
            .current_dir(dir.here())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let out = String::from_utf8(ran.stdout).unwrap();
        assert!(ran.status.success(), "{out}");
        assert_eq!(out.contains("\x1b[32m401   \x1b[0m"), coloured, "{out}");
        fits(&out.replace("\x1b[32m", "").replace("\x1b[0m", ""));
    }
}

#[track_caller]
fn fits(out: &str) {
    let wide = out.lines().find(|line| line.trim_end().chars().count() > 80 || line.contains(['\x1b', '\t']));
    assert_eq!(wide, None, "{out}");
}

#[test]
fn a_default_port_that_is_taken_gives_way_and_the_demo_says_so() {
    let dir = Dir::new();
    // Where one of them can't be had here, it is taken already.
    let _taken = [8001, 8002].map(|port| TcpListener::bind(("127.0.0.1", port)));
    let ran = dir.run("demo");
    assert_eq!(ran.code, 0, "{ran:?}");
    for (port, flag) in [(8001, "--gateway-port"), (8002, "--sender-port")] {
        let said = |line: &str| line.starts_with(&format!("port {port} is taken: using ")) && line.contains(flag);
        assert!(ran.out.lines().any(said), "{port}: {}", ran.out);
    }
    fits(&ran.out);
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

/// Ended also where a test fails.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        drop(self.0.kill());
    }
}

#[test]
fn a_demo_that_stays_serves_both_apis() {
    let dir = Dir::new();
    // Ports of its own: the default ones may be another test's.
    let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (gateway, sender) = (free(), free());
    let command = format!("demo --stay --gateway-port {gateway} --sender-port {sender}");
    let mut child = Ended(dir.command(&command).stdout(Stdio::piped()).spawn().unwrap());
    let mut lines = BufReader::new(child.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.starts_with("Still serving")));
    let last = format!("sleep 1; get http://127.0.0.1:{gateway}/messages");
    let to_try: Vec<_> = (&mut lines).take_while(|line| line != &last).collect();
    fits(&to_try.join("\n"));
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
    a_sender_of_nobody_we_know_is_heard(to_try.iter().find(|line| line.starts_with("cd ")).unwrap(), gateway);
    what_is_printed_works_when_pasted(&format!("{}\n{last}\n", to_try.join("\n")));
    let kill = std::process::Command::new("kill").arg(child.0.id().to_string()).status();
    assert!(kill.unwrap().success());
    assert_eq!(child.0.wait().unwrap().code(), Some(0));
}

/// CPython prints the message, `openssl` signs it with the demo's key, `curl` sends it: all that `pki` takes.
fn a_sender_of_nobody_we_know_is_heard(cd: &str, gateway: u16) {
    let script = r#"
        for salt in digest max 20; do
          python3 -c '
import json, datetime, sys
now = datetime.datetime.now(datetime.timezone.utc).isoformat()
message = {"timestamp": now, "sender": "Büro", "priority": "high", "content": "é", "message_id": "python-" + sys.argv[1]}
print(json.dumps(message, sort_keys=True), end="")' $salt > body.json
          openssl dgst -sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:$salt -sign private_key.pem body.json > signature
          for body in body.json body.json other.json; do
            sed 's/high/low/' body.json > other.json
            curl -s -o answer -w '%{http_code} ' http://127.0.0.1:GATEWAY/message1 -H 'Content-Type: application/json' \
              -H "Authorization: PKI $(base64 -w0 signature)" --data-binary @$body
          done
        done"#;
    let script = format!("{cd}\n{}", script.replace("GATEWAY", &gateway.to_string()));
    let ran = std::process::Command::new("bash").args(["-eu", "-c", &script]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&ran.stdout).trim(), ["200 401 401"; 3].join(" "), "{ran:?}");
}

/// Pasted into a shell, line by line, as by somebody who types nothing else. Twice: what passed must pass again.
fn what_is_printed_works_when_pasted(commands: &str) {
    let (before, _) = commands.split_once("# Revoked").unwrap();
    let expected = [
        r#""status":"received""#,
        r#""code":"replayed""#,
        r#""status":"received""#,
        r#""code":"unsigned""#,
        r#""partner":"acme","status":"received""#,
        r#""filename":"public_key.pem""#,
        "replayed",
    ];
    for (commands, then, exit) in
        [(before, None, Code::Replayed), (commands, Some("key_not_usable"), Code::KeyNotUsable)]
    {
        let mut bash = std::process::Command::new("bash");
        bash.arg("--norc").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut bash = bash.spawn().unwrap();
        bash.stdin.take().unwrap().write_all(format!("exec 2>&1\n{commands}").as_bytes()).unwrap();
        let output = bash.wait_with_output().unwrap();
        let out = String::from_utf8(output.stdout).unwrap();
        let told = format!("{commands}\n{out}");
        assert_eq!(output.status.code(), Some(exit.exit().into()), "{told}");
        let mut rest = out.as_str();
        for part in expected.into_iter().chain(then) {
            rest = rest.split_once(part).unwrap_or_else(|| panic!("{part} did not come: {told}")).1;
        }
    }
}
