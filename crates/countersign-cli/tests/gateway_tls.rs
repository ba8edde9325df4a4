//! A gateway with TLS, as curl and OpenSSL meet it, and files that change while it runs.

mod support;

use std::process::{Command, Output};
use std::time::{Duration, Instant};

use support::Dir;
use support::gateway::{Gateway, send, upstream};
use support::openssl::OpenSsl;
use support::sidecar::Sidecar;

const MUTUAL: &str = "client_ca = \"partners.pem\"\nclient_auth = \"required\"\ncrl = \"partners.crl\"\n";

/// Authorities, a partner with a key and a certificate, and a configuration.
fn deployment(tls: &str, route: &str) -> Dir {
    let dir = Dir::new();
    let openssl = OpenSsl::new(&dir);
    openssl.issue("servers", "server", "localhost", "server", 30);
    openssl.issue("partners", "acme-tls", "Client-7", "acme", 30);
    openssl.issue("partners", "other-tls", "other", "client", 30);
    openssl.publish();
    dir.write(
        "countersign.toml",
        &format!(
            "[gateway]\nlisten = [\"127.0.0.1:0\"]\nworkers = 1\n[gateway.tls]\ncertificate = \"server.pem\"\nkey = \
             \"server.key\"\n{tls}[admin]\nlisten = \"127.0.0.1:0\"\n[evidence]\ndurability = \"off\"\n[[route]]\npath = \
             \"/orders\"\nupstream = \"http://{}\"\n{route}",
            upstream()
        ),
    );
    dir.fine("partner add acme");
    dir.fine("key generate --algorithm ed25519 --out acme.key");
    let add = "key add --partner acme --id acme-1 --scheme http-message-signatures --algorithm ed25519";
    dir.fine(&format!("{add} --public-key acme.key.pub"));
    dir
}

/// A signed request by curl. It exits with another code than 0 where there is no answer.
fn curl(dir: &Dir, gateway: &Gateway, flags: &str) -> Output {
    let host = format!("localhost:{}", gateway.address.port());
    let signed = dir.fine_with(
        "sign --key acme.key --id acme-1",
        format!("GET /orders HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes(),
    );
    let mut command = Command::new("curl");
    command.args(["-sS", "--max-time", "10", "--cacert", "servers.pem", "--resolve"]);
    command.args([format!("{host}:127.0.0.1"), format!("https://{host}/orders")]).args(flags.split_whitespace());
    for field in signed.lines().skip(1).take_while(|line| !line.is_empty()).filter(|line| !line.starts_with("Host")) {
        command.args(["-H", field.trim_end()]);
    }
    command.current_dir(dir.here()).output().unwrap()
}

const ACME: &str = "--cert acme-tls.pem --key acme-tls.key";

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[track_caller]
fn soon(what: &str, check: impl Fn() -> bool) {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(10) {
        if check() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("{what}: not within ten seconds");
}

fn readyz(gateway: &Gateway) -> serde_json::Value {
    let request = "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    serde_json::from_str(&send(gateway.admin, request).1).unwrap()
}

#[test]
fn curl_passes_with_the_certificate_and_the_signature_of_one_partner() {
    let dir = deployment(MUTUAL, "channel = \"same-partner\"\n");
    let gateway = Gateway::start(&dir);
    for flags in ["--http1.1 --tls-max 1.2", "--http1.1 --tlsv1.3", "--http2"] {
        let answer = curl(&dir, &gateway, &format!("{flags} {ACME}"));
        let said = text(&answer).to_ascii_lowercase();
        assert!(answer.status.success() && said.contains("countersign-partner: acme\r\n"), "{flags}: {said}");
        assert!(said.contains("client-cert: :mii") && said.contains("x-forwarded-proto: https"), "{said}");
        let other = curl(&dir, &gateway, &format!("{flags} --cert other-tls.pem --key other-tls.key"));
        assert!(text(&other).contains("\"code\":\"signature_invalid\""), "{}", text(&other));
        let none = curl(&dir, &gateway, flags);
        assert!(!none.status.success() && !text(&none).contains("HTTP/1.1"), "{}", text(&none));
    }
    assert_eq!(gateway.end("-TERM"), Some(0));
}

#[test]
fn a_sidecar_passes_with_the_certificate_and_the_signature_of_its_partner() {
    let dir = deployment(MUTUAL, "channel = \"same-partner\"\n");
    let gateway = Gateway::start(&dir);
    let authority = dir.path("servers.pem");
    for (shown, status) in [("acme-tls", 200), ("other-tls", 401)] {
        dir.write("shown.pem", &format!("{}{}", dir.read(&format!("{shown}.pem")), dir.read(&format!("{shown}.key"))));
        let to = format!("https://localhost:{}", gateway.address.port());
        let arguments =
            format!("--key acme.key --id acme-1 --listen 127.0.0.1:0 --to {to} --client-certificate shown.pem");
        let sidecar = Sidecar::trusting(&dir, &arguments, Some(&authority));
        let (answered, body) = sidecar.send("POST", "/orders", "Content-Type: text/plain\r\n", "abc");
        assert_eq!(answered, status, "{shown}: {body}");
    }
}

#[test]
fn what_a_message_alone_can_not_show_is_left_out_of_its_verdict_and_said() {
    let dir = deployment(MUTUAL, "channel = \"same-partner\"\n");
    let request = b"GET /orders HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let signed = dir.fine_with("sign --key acme.key --id acme-1", request);
    let ran = dir.run_with("verify --config countersign.toml", signed.as_bytes());
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.err.contains("client certificate"), "{ran:?}");
}

#[test]
fn old_versions_of_tls_are_refused() {
    let dir = deployment("", "");
    let gateway = Gateway::start(&dir);
    let openssl = OpenSsl(&dir);
    let shake = |flags: &str| {
        let to = format!("s_client -connect {} -CAfile servers.pem {flags}", gateway.address);
        openssl.try_run(&to).status.success()
    };
    assert!(shake("-tls1_2") && shake("-tls1_3"));
    assert!(!shake("-tls1_1 -cipher DEFAULT@SECLEVEL=0") && !shake("-tls1 -cipher DEFAULT@SECLEVEL=0"));
}

#[test]
fn a_revocation_that_is_published_stops_a_certificate_without_a_signal() {
    let dir = deployment(MUTUAL, "");
    let gateway = Gateway::start(&dir);
    assert!(curl(&dir, &gateway, ACME).status.success());
    let openssl = OpenSsl(&dir);
    openssl.revoke("acme-tls");
    openssl.publish();
    soon("a revoked certificate is refused", || !curl(&dir, &gateway, ACME).status.success());
    assert!(curl(&dir, &gateway, "--cert other-tls.pem --key other-tls.key").status.success());
    assert!(dir.read("log").contains("Revoked"), "{}", dir.read("log"));
    // Taking the list away un-revokes nobody.
    std::fs::remove_file(dir.path("partners.crl")).unwrap();
    soon("it is said", || {
        readyz(&gateway)["reload"]["failed"].as_str().is_some_and(|why| why.contains("partners.crl"))
    });
    assert!(!curl(&dir, &gateway, ACME).status.success());
}

#[test]
fn a_renewed_certificate_is_taken_up_and_half_a_pair_is_not() {
    let dir = deployment("", "");
    let gateway = Gateway::start(&dir);
    let serial = || {
        let openssl = OpenSsl(&dir);
        let shown = openssl.run(&format!("s_client -connect {} -CAfile servers.pem -showcerts", gateway.address));
        dir.write_bytes("shown", &shown.stdout);
        text(&openssl.run("x509 -in shown -noout -serial"))
    };
    let first = serial();
    OpenSsl(&dir).issue("servers", "server", "localhost", "server", 60);
    soon("the new certificate is shown", || serial() != first);
    let second = serial();
    std::fs::copy(dir.path("acme-tls.key"), dir.path("server.key")).unwrap();
    gateway.signal("-HUP");
    soon("it is said", || {
        readyz(&gateway)["reload"]["failed"].as_str().is_some_and(|why| why.contains("does not belong"))
    });
    assert_eq!(serial(), second);
    assert!(dir.read("log").contains("\"event\":\"reload failed\""));
    assert!(curl(&dir, &gateway, "").status.success());
    OpenSsl(&dir).issue("servers", "server", "localhost", "server", 60);
    soon("the last good one gives way", || serial() != second);
    soon("nothing is missing", || readyz(&gateway).get("reload").is_none());
}

#[test]
fn a_changed_configuration_is_taken_up_without_a_signal_and_a_broken_one_is_not() {
    let dir = deployment("", "");
    let gateway = Gateway::start(&dir);
    let config = dir.read("countersign.toml");
    dir.write("countersign.toml", &config.replace("\"/orders\"", "\"/others\""));
    soon("the new route", || text(&curl(&dir, &gateway, "")).contains("no_route"));
    dir.write("countersign.toml", &config.replace("server.pem", "nowhere.pem"));
    soon("it is said", || readyz(&gateway)["reload"]["failed"].as_str().is_some_and(|why| why.contains("nowhere.pem")));
    assert!(text(&curl(&dir, &gateway, "")).contains("no_route"));
    dir.write("countersign.toml", &config);
    soon("the old route", || text(&curl(&dir, &gateway, "")).contains("countersign-partner"));
}

#[test]
fn a_gateway_whose_files_do_not_fit_does_not_start_and_says_which() {
    let dir = deployment("", "");
    std::fs::copy(dir.path("acme-tls.key"), dir.path("server.key")).unwrap();
    let ran = dir.run("gateway");
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.err.contains("server.key does not belong") && ran.err.contains("hint: countersign lint"), "{ran:?}");
}

#[test]
fn lint_says_what_is_wrong_with_each_file_and_what_to_do() {
    let dir = deployment(MUTUAL, "");
    let openssl = OpenSsl(&dir);
    let lint = || {
        let ran = dir.run("lint --json");
        let report: serde_json::Value =
            serde_json::from_str(&ran.out).unwrap_or_else(|fault| panic!("{fault}: {ran:?}"));
        let findings = report["findings"].as_array().unwrap().clone();
        let told = findings.iter().filter(|it| it["code"] != "evidence-off");
        told.map(|it| (it["code"].as_str().unwrap().to_owned(), it["fix"].as_str().unwrap().to_owned()))
            .collect::<Vec<_>>()
    };
    let codes = || lint().into_iter().map(|(code, _)| code).collect::<Vec<_>>();
    assert!(codes().is_empty(), "{:?}", lint());
    let chmod = Command::new("chmod").arg("644").arg(dir.path("server.key")).status().unwrap();
    assert!(chmod.success());
    let found = lint();
    assert_eq!(found[0].0, "key-readable");
    assert!(found[0].1.starts_with("chmod 600 ") && found[0].1.ends_with("server.key"), "{found:?}");
    openssl.issue("servers", "server", "localhost", "server", 7);
    assert_eq!(codes(), ["certificate-ends-soon"]);
    std::fs::copy(dir.path("acme-tls.key"), dir.path("server.key")).unwrap();
    assert_eq!(codes(), ["certificate-ends-soon", "key-mismatch"]);
    std::fs::remove_file(dir.path("server.pem")).unwrap();
    assert_eq!(codes(), ["tls-unusable"]);
    openssl.issue("servers", "server", "localhost", "server", 30);
    std::fs::write(dir.path("partners.crl"), "none").unwrap();
    assert_eq!(codes(), ["tls-unusable"]);
    openssl.publish();
    std::fs::copy(dir.path("servers.pem"), dir.path("partners.pem")).unwrap();
    assert_eq!(codes(), ["crl-incomplete"]);
    let config = dir.read("countersign.toml");
    dir.write("countersign.toml", &config.replace("crl = \"partners.crl\"\n", ""));
    assert_eq!(codes(), ["crl-absent"]);
    dir.write("countersign.toml", &config.replace("client_ca = \"partners.pem\"\n", ""));
    assert_eq!(dir.run("lint").code, 2);
}
