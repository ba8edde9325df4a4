//! `curl` against a gateway that runs: every scheme, and every way to spoil a message.

mod support;

use support::gateway::{Gateway, upstream};
use support::{Dir, Ran};

/// For each key: its scheme, its algorithm, the path that admits the scheme, and what each tamper comes to.
const KEYS: [(&str, &str, &str, &str, [i32; 3]); 8] = [
    ("ed", "http-message-signatures", "ed25519", "/orders", [15, 12, 14]),
    ("p256", "http-message-signatures", "ecdsa-p256-sha256", "/orders", [15, 12, 14]),
    ("pss", "http-message-signatures", "rsa-pss-sha512", "/orders", [15, 12, 14]),
    ("ml", "http-message-signatures", "ml-dsa-65", "/orders", [15, 12, 14]),
    ("hmac", "http-message-signatures", "hmac-sha256", "/orders", [15, 12, 14]),
    ("pki", "pki", "rsa-pss-sha256", "/pki", [12, 2, 14]),
    ("site", "trusted-site", "rsa-v1_5-sha256", "/site", [12, 2, 14]),
    ("app", "app-hmac", "hmac-sha256", "/app", [12, 12, 14]),
];

fn deployment(refusals: &str) -> (Dir, Gateway) {
    let dir = Dir::new();
    let mut config =
        "[gateway]\nlisten = [\"127.0.0.1:0\"]\nworkers = 1\n[admin]\nlisten = \"127.0.0.1:0\"\n".to_owned();
    let upstream = upstream();
    for (path, scheme) in
        [("/orders", "http-message-signatures"), ("/pki", "pki"), ("/site", "trusted-site"), ("/app", "app-hmac")]
    {
        config += &format!(
            "[[route]]\npath = \"{path}\"\nupstream = \"http://{upstream}\"\nschemes = [\"{scheme}\"]\nrefusals = \
             \"{refusals}\"\n"
        );
    }
    dir.write("countersign.toml", &config);
    dir.fine("partner add acme");
    for (key, scheme, algorithm, ..) in KEYS {
        let bits = if algorithm.starts_with("rsa") { "--bits 2048" } else { "" };
        dir.fine(&format!("key generate --algorithm {algorithm} --out {key} {bits}"));
        let material = if algorithm == "hmac-sha256" { "--secret-file KEY" } else { "--public-key KEY.pub" };
        let material = material.replace("KEY", key);
        dir.fine(&format!("key add --partner acme --id {key}-1 --scheme {scheme} --algorithm {algorithm} {material}"));
    }
    let gateway = Gateway::start(&dir);
    (dir, gateway)
}

/// Calls as the key's owner would.
fn call(dir: &Dir, gateway: &Gateway, key: &str, flags: &str) -> Ran {
    let (_, scheme, algorithm, path, _) = KEYS.into_iter().find(|it| it.0 == key).unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    dir.write("body", &format!("{{\n\"message_id\": \"{}\", \"timestamp\": {}}}", now.as_nanos(), now.as_secs()));
    dir.run(&format!(
        "curl --key {key} --id {key}-1 --scheme {scheme} --algorithm {algorithm} http://{}{path} -d @body {flags}",
        gateway.address
    ))
}

#[test]
fn every_scheme_passes_and_every_tamper_is_refused_under_its_exit_code() {
    let (dir, gateway) = deployment("components");
    for (key, scheme, _, path, exits) in KEYS {
        let ran = call(&dir, &gateway, key, "");
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{key}: {ran:?}");
        assert!(ran.out.starts_with(&format!("POST {path} HTTP/1.1\r\n")), "{key}: {ran:?}");
        assert!(ran.out.to_ascii_lowercase().contains(&format!("countersign-scheme: {scheme}\r\n")), "{key}: {ran:?}");
        for (tamper, exit) in ["body", "header", "replay"].into_iter().zip(exits) {
            let ran = call(&dir, &gateway, key, &format!("--tamper {tamper}"));
            assert_eq!(ran.code, exit, "{key}, {tamper}: {ran:?}");
            if exit == 2 {
                assert!(ran.out.is_empty() && ran.err.contains("\nhint: --tamper body"), "{key}: {ran:?}");
                continue;
            }
            assert!(ran.out.contains("\"code\":") && ran.err.contains("\nrefused: "), "{key}, {tamper}: {ran:?}");
            assert!(ran.err.contains("tampered: ") && ran.err.contains("\nnext     countersign curl "), "{ran:?}");
            let first = ran.err.contains("first answer: 200 OK\n");
            assert_eq!(first, tamper == "replay", "{key}, {tamper}: {ran:?}");
        }
    }
}

#[test]
fn a_header_is_spoiled_also_where_the_signature_covers_no_field() {
    let (dir, gateway) = deployment("components");
    let get = format!("curl --key ed --id ed-1 http://{}/orders", gateway.address);
    assert_eq!(dir.run(&get).code, 0);
    let ran = dir.run(&format!("{get} --tamper header"));
    assert!(ran.code == 12 && ran.err.contains("signature-input was changed"), "{ran:?}");
    let covered = "--cover \"@method @authority @path @query x-a\"";
    let ran = dir.run(&format!("{get} -H \"X-A: b\" {covered} --tamper header"));
    assert!(ran.code == 12 && ran.err.contains("x-a was changed"), "{ran:?}");
    let ran = dir.run(&format!("{get} --tamper body"));
    assert!(ran.code == 2 && ran.err.contains("no body to change"), "{ran:?}");
}

#[test]
fn a_refusal_says_what_it_is_what_it_means_and_what_to_type() {
    let (dir, gateway) = deployment("components");
    dir.fine("key generate --algorithm ed25519 --out other");
    let url = format!("http://{}", gateway.address);
    for (line, exit, code, says) in [
        ("--key other --id new /orders", 11, "unknown_signer", "key add --partner NAME --id new --scheme http-message"),
        ("--key other --id ed-1 /orders", 12, "bad_signature", "countersign key show ed-1"),
        ("--key ed --id ed-1 /pki", 13, "scheme_not_allowed", "/pki --scheme pki"),
        ("--key ed --id ed-1 /nowhere", 2, "no_route", "[[route]]"),
        ("--key ed --id ed-1 /orders --cover @method", 13, "coverage_too_small", "countersign curl --key ed --id ed-1"),
    ] {
        let ran = dir.run(&format!("curl {}", line.replace(" /", &format!(" {url}/"))));
        assert_eq!(ran.code, exit, "{line}: {ran:?}");
        assert!(ran.err.starts_with(&format!("refused: {code} (")), "{line}: {ran:?}");
        for part in ["\nmeans    ", "\nfix      ", "\nnext     ", "\ntrace    ", says] {
            assert!(ran.err.contains(part), "{line}: {part}: {ran:?}");
        }
        let sentences = ran.err.lines().filter(|line| !line.contains("countersign "));
        assert!(sentences.clone().all(|line| line.chars().count() <= 80), "{line}: {ran:?}");
    }
    dir.fine("key revoke ed-1 --reason test");
    std::thread::sleep(std::time::Duration::from_secs(1));
    assert!(call(&dir, &gateway, "ed", "").err.contains("refused: key_not_usable"));
}

#[test]
fn at_the_default_level_the_codes_are_the_public_ones() {
    let (dir, gateway) = deployment("code");
    let ran = dir.run(&format!("curl --key ed --id unknown http://{}/orders", gateway.address));
    assert!(ran.code == 12 && ran.err.contains("refused: signature_invalid (401)"), "{ran:?}");
    assert!(ran.err.contains("refusals = \"components\""), "{ran:?}");
}

#[test]
fn what_the_api_behind_answers_is_no_refusal_even_if_it_looks_like_one() {
    let dir = Dir::new();
    let body = "{\"code\": \"replayed\", \"status\": 401, \"trace\": \"x\"}";
    let answer = format!(
        "HTTP/1.1 401 Unauthorized\r\nContent-Type: application/problem+json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        use std::io::{Read, Write};
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]).unwrap();
        stream.write_all(answer.as_bytes()).unwrap();
    });
    dir.fine("key generate --algorithm ed25519 --out key");
    let ran = dir.run(&format!("curl --key key --id k http://{address}/"));
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, body, ""));
}

#[test]
fn flags_show_heads_and_never_credentials() {
    let (dir, gateway) = deployment("code");
    dir.write("headers", "Authorization: Bearer hunter2\nX-Api-Key: hunter3\n\nX-Plain: seen\n");
    let ran = call(&dir, &gateway, "ed", "-i -v -H @headers -H Accept:");
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.starts_with("HTTP/1.1 200 OK\r\n") && ran.out.contains("hunter2"), "it is sent: {ran:?}");
    assert!(!ran.out.to_ascii_lowercase().contains("\r\naccept:"), "{ran:?}");
    for line in
        ["> POST /orders HTTP/1.1\n", "> authorization: (not shown)\n", "> x-plain: seen\n", "< HTTP/1.1 200 OK\n"]
    {
        assert!(ran.err.contains(line), "{line}: {ran:?}");
    }
    assert!(ran.err.contains("> signature: sig1=:") && !ran.err.contains("hunter"), "{ran:?}");

    let ran = call(&dir, &gateway, "pki", "-v");
    assert!(ran.err.contains("> authorization: PKI pki-1:"), "a signature is no secret: {ran:?}");
    let ran = call(&dir, &gateway, "ed", "--json --tamper body -H @headers");
    let json: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(
        (ran.code, json["exit"].as_i64(), json["refusal"]["code"].as_str()),
        (15, Some(15), Some("digest_mismatch"))
    );
    assert!(!ran.out.contains("hunter") && !ran.err.contains("hunter"), "{ran:?}");
    let ran = dir.run("curl --key ed --id ed-1 --show-base http://127.0.0.1:1/a");
    assert!(
        ran.code == 1 && ran.err.starts_with("\"@method\": GET\n") && ran.err.contains("connection refused"),
        "{ran:?}"
    );
}

#[test]
fn a_body_comes_from_where_it_is_said_to() {
    let (dir, gateway) = deployment("code");
    dir.write("lines", "a\r\nb\n");
    let url = format!("curl --key ed --id ed-1 http://{}/orders", gateway.address);
    let sent = |flags: &str, stdin: &[u8]| {
        let out = dir.fine_with(&format!("{url} {flags}"), stdin);
        let (head, body) = out.split_once("\r\n\r\n").unwrap();
        let head = head.to_ascii_lowercase();
        let field =
            |name: &str| head.lines().find_map(|line| line.strip_prefix(name).map(str::trim).map(str::to_owned));
        (head.split(' ').next().unwrap().to_owned(), field("content-type:"), body.to_owned())
    };
    let form = Some("application/x-www-form-urlencoded".to_owned());
    let post = "post".to_owned();
    assert_eq!(sent("-d @lines", b""), (post.clone(), form.clone(), "ab".to_owned()), "as curl has it");
    assert_eq!(sent("--data-binary @lines", b""), (post.clone(), form.clone(), "a\r\nb\n".to_owned()));
    assert_eq!(sent("-d a=1 -d b=2", b""), (post.clone(), form.clone(), "a=1&b=2".to_owned()));
    assert_eq!(
        sent("-d @-", b"{\"a\": 1}"),
        (post.clone(), Some("application/json".to_owned()), "{\"a\": 1}".to_owned())
    );
    assert_eq!(sent("-X PUT -d x -H \"Content-Type: text/plain\"", b"").1, Some("text/plain".to_owned()));
    assert_eq!(sent("-X DELETE", b""), ("delete".to_owned(), None, String::new()));
    for (line, says) in [
        ("-d @absent", "can't read absent"),
        ("-H \"Content-Length: 3\"", "follows from the body"),
        ("-H nonsense", "not of the form"),
    ] {
        let ran = dir.run(&format!("{url} {line}"));
        assert!(ran.code == 2 && ran.out.is_empty() && ran.err.contains(says), "{line}: {ran:?}");
    }
}

#[test]
fn a_form_is_sent_and_signed_as_a_browser_would_send_it() {
    let (dir, gateway) = deployment("components");
    dir.write_bytes("scan.png", b"\x89PNG\r\n\x1a\n--x\r\n");
    dir.write("note", "größer\n");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let form =
        format!("-F message_id=form-1 -F timestamp={now} -F \"file=@scan.png;filename=a.png\" -F \"note=<note\"");
    for (key, scheme, path) in [("ed", "http-message-signatures", "/orders"), ("pki", "pki", "/pki")] {
        let line = format!("curl --key {key} --id {key}-1 --scheme {scheme} http://{}{path} {form}", gateway.address);
        let ran = dir.run(&line);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
        let (head, body) = ran.out.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("POST ") && head.contains("content-type: multipart/form-data; boundary="), "{head}");
        assert_eq!(body.matches("form-data; name=\"").count(), 4, "{body}");
        assert!(body.contains("name=\"file\"; filename=\"a.png\"\r\nContent-Type: image/png\r\n\r\n"), "{body}");
        assert!(body.contains("name=\"note\"\r\n\r\ngrößer\n\r\n"), "{body}");
        let ran = dir.run(&format!("{line} --tamper body").replace("form-1", "form-2"));
        let refused = if key == "ed" { (15, "digest_mismatch") } else { (12, "bad_signature") };
        assert!(ran.code == refused.0 && ran.err.contains(refused.1), "{ran:?}");
    }
    for (flags, says) in [
        ("-F nonsense", "not of the form `name=text`"),
        ("-F file=@absent", "can't read absent"),
        ("-F a=b -d c", "cannot be used with"),
        ("-F a=b -H \"Content-Type: text/plain\"", "names its boundary"),
    ] {
        let ran = dir.run(&format!("curl --key ed --id ed-1 http://{}/orders {flags}", gateway.address));
        assert!(ran.code == 2 && ran.out.is_empty() && ran.err.contains(says), "{flags}: {ran:?}");
    }
}

#[test]
fn what_is_answered_below_http_is_a_failure_too() {
    let (dir, gateway) = deployment("code");
    dir.write("long", &format!("X-Long: {}\n", "x".repeat(100_000)));
    let ran = dir.run(&format!("curl --key ed --id ed-1 http://{}/orders -H @long", gateway.address));
    assert_eq!(ran.code, 2, "{ran:?}");
    for part in ["refused: head_too_large (431)", "\nfix      send fewer", "\ntrace    "] {
        assert!(ran.err.contains(part), "{part}: {ran:?}");
    }
    for (status, closes, exit) in
        [("400 Bad", true, 2), ("408 Slow", true, 2), ("400 Bad", false, 0), ("404 No", true, 0)]
    {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            use std::io::{Read, Write};
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]).unwrap();
            let close = if closes { "Connection: close\r\n" } else { "" };
            stream.write_all(format!("HTTP/1.1 {status}\r\n{close}Content-Length: 0\r\n\r\n").as_bytes()).unwrap();
        });
        let ran = dir.run(&format!("curl --key ed --id ed-1 http://{address}/ --json"));
        assert_eq!(ran.code, exit, "{status}: {ran:?}");
        assert_eq!(ran.err.contains("refused: "), exit != 0, "{status}: {ran:?}");
    }
}
