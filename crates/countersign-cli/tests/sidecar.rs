//! A sender that knows nothing of signatures, its sidecar, and a gateway that lets only signed requests through.

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use support::Dir;
use support::gateway::{Gateway, send, upstream};
use support::sidecar::Sidecar;

/// A gateway with a route per scheme, and a key of `acme` for each.
fn deployment() -> Dir {
    let dir = Dir::new();
    let upstream = upstream();
    let mut config =
        "[gateway]\nlisten = [\"127.0.0.1:0\"]\nworkers = 1\n[admin]\nlisten = \"127.0.0.1:0\"\n".to_owned();
    for (path, scheme) in
        [("/orders", "http-message-signatures"), ("/pki", "pki"), ("/site", "trusted-site"), ("/app", "app-hmac")]
    {
        config.push_str(&format!(
            "[[route]]\npath = \"{path}\"\nupstream = \"http://{upstream}\"\nrefusals = \"full\"\nschemes = [\"{scheme}\"]\n"
        ));
    }
    dir.write("countersign.toml", &config);
    dir.fine("partner add acme");
    for (scheme, algorithm) in
        [("http-message-signatures", "ed25519"), ("pki", "rsa-pss-sha256"), ("trusted-site", "rsa-v1_5-sha256")]
    {
        dir.fine(&format!("key generate --algorithm {algorithm} --out {scheme}.key"));
        dir.fine(&format!(
            "key add --partner acme --id acme-1 --scheme {scheme} --algorithm {algorithm} --public-key {scheme}.key.pub"
        ));
    }
    dir.fine("key generate --algorithm hmac-sha256 --out app-hmac.key");
    dir.fine("key add --partner acme --id acme-1 --scheme app-hmac --algorithm hmac-sha256 --secret-file app-hmac.key");
    dir
}

fn signing(gateway: &Gateway, scheme: &str) -> String {
    format!("--key {scheme}.key --id acme-1 --scheme {scheme} --listen 127.0.0.1:0 --to http://{}", gateway.address)
}

const JSON: &str = "Content-Type: application/json\r\n";

#[test]
fn every_scheme_is_signed_for_a_sender_that_knows_of_none() {
    let dir = deployment();
    let gateway = Gateway::start(&dir);
    for (scheme, path) in
        [("http-message-signatures", "/orders"), ("pki", "/pki"), ("trusted-site", "/site"), ("app-hmac", "/app")]
    {
        let sidecar = Sidecar::start(&dir, &signing(&gateway, scheme));
        for number in 0..3 {
            let body = format!("{{\"message_id\": \"m-{scheme}-{number}\", \"timestamp\": {}}}", now());
            let (status, seen) = sidecar.send("POST", path, JSON, &body);
            assert_eq!(status, 200, "{scheme}: {seen}");
            assert!(
                seen.to_ascii_lowercase().contains("\r\ncountersign-partner: acme\r\n") && seen.ends_with(&body),
                "{seen}"
            );
        }
    }
    let sidecar = Sidecar::start(&dir, &signing(&gateway, "http-message-signatures"));
    for (method, target) in
        [("GET", "/orders?a=b&c"), ("DELETE", "/orders/7"), ("GET", "/orders?"), ("HEAD", "/orders")]
    {
        assert_eq!(sidecar.send(method, target, "", "").0, 200, "{method} {target}");
    }
    // What the gateway says comes back, and so does what was not signed at all.
    let (status, refusal) = sidecar.send("GET", "/elsewhere", "", "");
    assert_eq!((status, refusal.contains("no_route")), (404, true), "{refusal}");
    // The log does not call it accepted, and says where more is to be found.
    let trace = refusal.split("\"trace\":\"").nth(1).unwrap().split('"').next().unwrap();
    let line = format!("\"status\":404,\"code\":\"signed\",\"answer_trace\":\"{trace}\"");
    let logged = (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        dir.read("sidecar.log").contains(&line)
    });
    assert!(logged, "{line}: {}", dir.read("sidecar.log"));
    let (status, refusal) = sidecar.send("GET", "/orders//x", "", "");
    assert_eq!((status, refusal.contains("malformed")), (400, true), "{refusal}");
}

fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

#[test]
fn a_web_page_can_not_borrow_the_signature() {
    let dir = deployment();
    let gateway = Gateway::start(&dir);
    let sidecar = Sidecar::start(&dir, &signing(&gateway, "http-message-signatures"));
    for field in ["Origin: https://evil.example\r\n", "Sec-Fetch-Site: cross-site\r\n", "Origin: null\r\n"] {
        let (status, refusal) = sidecar.send("POST", "/orders", &format!("Content-Type: text/plain\r\n{field}"), "x");
        assert_eq!((status, refusal.contains("partner_not_allowed")), (403, true), "{refusal}");
    }
    // DNS rebinding: a name of the page's own that leads here.
    let rebound =
        format!("GET /orders HTTP/1.1\r\nHost: evil.example:{}\r\nConnection: close\r\n\r\n", sidecar.tcp().port());
    assert_eq!(send(sidecar.tcp(), &rebound).0, 400);
    let named = format!("GET /orders HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", gateway.address);
    assert_eq!(send(sidecar.tcp(), &named).0, 200);
    let proxied = format!("GET http://{0}/orders HTTP/1.1\r\nHost: {0}\r\nConnection: close\r\n\r\n", gateway.address);
    assert_eq!(send(sidecar.tcp(), &proxied).0, 200);
    let elsewhere =
        format!("GET http://other.example/orders HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", sidecar.address);
    assert_eq!(send(sidecar.tcp(), &elsewhere).0, 400);
}

#[test]
fn only_what_is_allowed_is_signed_and_only_for_this_machine() {
    let dir = deployment();
    let gateway = Gateway::start(&dir);
    dir.write(
        "sidecar.toml",
        &format!(
            "[sidecar]\nlisten = \"127.0.0.1:0\"\nto = \"http://{}\"\nkey = \"http-message-signatures.key\"\nid = \"acme-1\"\nallow = [\"POST \
             /orders\", \"/orders/status\"]\n",
            gateway.address
        ),
    );
    let sidecar = Sidecar::start(&dir, "--config sidecar.toml");
    assert_eq!(sidecar.send("POST", "/orders", JSON, "{}").0, 200);
    assert_eq!(sidecar.send("GET", "/orders/status", "", "").0, 200);
    for (method, target) in [("GET", "/orders"), ("POST", "/orders-admin"), ("POST", "/")] {
        let (status, refusal) = sidecar.send(method, target, "", "");
        assert_eq!((status, refusal.contains("allow")), (404, true), "{refusal}");
    }
    let refused = dir.run("sidecar --config sidecar.toml --listen 0.0.0.0:0");
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.err.contains("not loopback") && refused.err.contains("hint: "), "{refused:?}");
    let refused = dir.run("sidecar --key http-message-signatures.key --id a --listen 127.0.0.1:0");
    assert!(refused.code == 2 && refused.err.contains("--to is missing"), "{refused:?}");
    let refused = dir.run("sidecar --key http-message-signatures.key");
    assert!(refused.code == 2 && refused.err.contains("--id, --listen, --to are missing"), "{refused:?}");
    let to = "--listen 127.0.0.1:0 --to http://127.0.0.1:1";
    for (flags, says) in [
        ("--key http-message-signatures.key --id \"\"", "1 to 256 printable ASCII"),
        ("--key http-message-signatures.key --id \"a\nb\"", "1 to 256 printable ASCII"),
        ("--key pki.key --scheme pki --id a:b", "not an id for a key of pki"),
    ] {
        let refused = dir.run(&format!("sidecar {flags} {to}"));
        assert!(refused.code == 2 && refused.out.is_empty() && refused.err.contains(says), "{flags}: {refused:?}");
    }
}

#[test]
fn a_unix_socket_is_its_owners_alone_and_goes_with_its_sidecar() {
    use std::os::unix::fs::PermissionsExt;
    let dir = deployment();
    let gateway = Gateway::start(&dir);
    let arguments = signing(&gateway, "http-message-signatures").replace("127.0.0.1:0", "unix:sidecar.sock");
    let mut sidecar = Sidecar::start(&dir, &arguments);
    assert_eq!(std::fs::metadata(dir.path("sidecar.sock")).unwrap().permissions().mode() & 0o777, 0o600);
    let ask = || {
        let mut stream = UnixStream::connect(dir.path("sidecar.sock")).unwrap();
        stream.write_all(b"GET /orders HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    assert!(ask().starts_with("HTTP/1.1 200 "));
    // One that was killed leaves its socket; the next takes its place.
    sidecar.child.kill().unwrap();
    sidecar.child.wait().unwrap();
    let sidecar = Sidecar::start(&dir, &arguments);
    assert!(ask().starts_with("HTTP/1.1 200 "));
    let second = dir.run(&format!("sidecar {arguments}"));
    assert_eq!(second.code, 2, "{second:?}");
    let kill = std::process::Command::new("kill").args(["-TERM", &sidecar.child.id().to_string()]).status();
    assert!(kill.unwrap().success());
    assert!((0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        !dir.path("sidecar.sock").exists()
    }));
}

#[test]
fn a_unix_socket_opens_to_a_group_where_it_is_told_to() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let dir = Dir::new();
    dir.fine("key generate --algorithm ed25519 --out key");
    let own = std::fs::metadata(dir.here()).unwrap().gid();
    let to = "[sidecar]\nkey = \"key\"\nid = \"k\"\nto = \"http://127.0.0.1:1\"\nlisten = \"unix:socket\"\n";
    dir.write("grouped.toml", &format!("{to}socket_group = \"{own}\"\n"));
    dir.write("open.toml", &format!("{to}socket_mode = \"0666\"\n"));
    for (flags, mode) in [
        ("--config grouped.toml", 0o660),
        ("--config grouped.toml --socket-mode 620", 0o620),
        ("--config open.toml", 0o666),
        ("--config open.toml --socket-mode 0600", 0o600),
    ] {
        let _sidecar = Sidecar::start(&dir, flags);
        let socket = std::fs::metadata(dir.path("socket")).unwrap();
        assert_eq!((socket.permissions().mode() & 0o777, socket.gid()), (mode, own), "{flags}");
    }
    dir.write("number.toml", &format!("{to}socket_mode = 660\n"));
    for (flags, says) in [
        ("--config number.toml", "expected permissions in octal"),
        ("--config open.toml --listen 127.0.0.1:0 --socket-mode 0660", "are for a Unix socket"),
        ("--config open.toml --socket-mode 0888", "write it in octal"),
        ("--config open.toml --socket-group no-such-group", "no group no-such-group"),
        ("--config open.toml --listen unix:absent/socket", "mkdir -p absent"),
    ] {
        let ran = dir.run(&format!("sidecar {flags}"));
        assert!(
            ran.code == 2 && ran.err.contains(says) && ran.err.contains("hint: ") || says.contains("octal"),
            "{flags}: {ran:?}"
        );
    }
}

#[test]
fn a_replaced_key_file_is_taken_and_a_broken_one_is_not() {
    let dir = deployment();
    let gateway = Gateway::start(&dir);
    let sidecar = Sidecar::start(&dir, &signing(&gateway, "http-message-signatures"));
    assert_eq!(sidecar.send("GET", "/orders", "", "").0, 200);
    let until = |text: &str| {
        (0..100).any(|_| {
            std::thread::sleep(Duration::from_millis(50));
            dir.read("sidecar.log").contains(text)
        })
    };
    dir.write("http-message-signatures.key", "-----BEGIN PRIVATE KEY-----\nhalf a ke");
    assert!(until("signing on with the key before"));
    assert_eq!(sidecar.send("GET", "/orders", "", "").0, 200);
    // A key that the gateway does not know: what is signed with it does not pass, so it was taken.
    dir.fine("key generate --algorithm ed25519 --out next.key");
    std::fs::rename(dir.path("next.key"), dir.path("http-message-signatures.key")).unwrap();
    assert!(until("signing with the new key"));
    let (status, refusal) = sidecar.send("GET", "/orders", "", "");
    assert_eq!((status, refusal.contains("bad_signature")), (401, true), "{refusal}");
}

/// A destination that closes each connection after its first answer without saying so, and records what it got.
fn fickle() -> (SocketAddr, Arc<AtomicUsize>, Arc<std::sync::Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, count) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    let (counted, noted) = (Arc::clone(&count), Arc::clone(&seen));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (count, seen) = (Arc::clone(&counted), Arc::clone(&noted));
            std::thread::spawn(move || {
                let mut stream: TcpStream = stream.unwrap();
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                for turn in 0..2 {
                    let mut head = String::new();
                    while !head.ends_with("\r\n\r\n") {
                        if reader.read_line(&mut head).unwrap_or(0) == 0 {
                            return;
                        }
                    }
                    seen.lock().unwrap().push(head);
                    count.fetch_add(1, Ordering::SeqCst);
                    if turn == 1 {
                        // The second on a connection gets no answer: it may have been done, or not.
                        return;
                    }
                    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
                }
            });
        }
    });
    (address, count, seen)
}

#[test]
fn a_retry_is_signed_anew_and_what_is_not_idempotent_is_not_retried() {
    let dir = deployment();
    let (address, count, seen) = fickle();
    let arguments = format!("--key http-message-signatures.key --id acme-1 --listen 127.0.0.1:0 --to http://{address}");
    let sidecar = Sidecar::start(&dir, &arguments);
    assert_eq!(sidecar.send("GET", "/a", "", "").0, 200);
    // On the pooled connection nothing comes back: it is sent once more, and is another message.
    assert_eq!(sidecar.send("GET", "/b", "", "").0, 200);
    assert_eq!(count.load(Ordering::SeqCst), 3);
    let signatures: Vec<String> = seen
        .lock()
        .unwrap()
        .iter()
        .filter(|head| head.starts_with("GET /b "))
        .map(|head| {
            head.lines().find(|line| line.to_ascii_lowercase().starts_with("signature-input:")).unwrap().to_owned()
        })
        .collect();
    assert_eq!(signatures.len(), 2);
    assert_ne!(signatures[0], signatures[1], "a retry needs a nonce of its own");
    let (status, refusal) = sidecar.send("POST", "/c", "Content-Length: 0\r\n", "");
    assert_eq!((status, refusal.contains("upstream_failed")), (502, true), "{refusal}");
    assert_eq!(count.load(Ordering::SeqCst), 4);
}

/// It was signed and sent, and whether it was carried out nobody knows: that is when a log is asked.
#[test]
fn what_was_signed_and_sent_has_a_line_also_where_nobody_waits_for_its_answer() {
    let dir = deployment();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = silent.local_addr().unwrap();
    let key = "--key http-message-signatures.key --id acme-1 --scheme http-message-signatures";
    let sidecar = Sidecar::start(&dir, &format!("{key} --listen 127.0.0.1:0 --to http://{to}"));
    let mut sender = TcpStream::connect(sidecar.tcp()).unwrap();
    sender.write_all(format!("GET /orders HTTP/1.1\r\nHost: {}\r\n\r\n", sidecar.address).as_bytes()).unwrap();
    let (mut came, _) = silent.accept().unwrap();
    assert!(came.read(&mut [0; 64]).unwrap() > 0);
    drop(sender);
    let logged = (0..250).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        dir.read("sidecar.log").contains("\"status\":null,\"code\":\"signed\"")
    });
    assert!(logged, "{}", dir.read("sidecar.log"));
}
