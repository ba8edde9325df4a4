//! The sidecar and what it sends to: over TLS, in HTTP/2, with a certificate of its own.

mod support;

use std::time::Duration;

use serde_json::Value;
use support::Dir;
use support::https::{Manner, destination, said, tls};
use support::sidecar::Sidecar;

fn with_key() -> Dir {
    let dir = Dir::new();
    dir.fine("key generate --algorithm ed25519 --out key");
    dir
}

/// A sidecar before this destination.
fn before(dir: &Dir, manner: Manner, flags: &str) -> Sidecar {
    let port = destination(manner).port();
    let scheme = if manner.tls { "https" } else { "http" };
    let arguments = format!("--key key --id k --listen 127.0.0.1:0 --to {scheme}://localhost:{port} {flags}");
    Sidecar::trusting(dir, &arguments, Some(&tls("ca.pem")))
}

#[track_caller]
fn ask(sidecar: &Sidecar, method: &str, target: &str, body: &str) -> Value {
    let (status, told) = sidecar.send(method, target, "Content-Type: text/plain\r\n", body);
    assert_eq!(status, 200, "{told}");
    said(&told)
}

#[test]
fn http_2_is_spoken_where_both_agree_and_on_one_connection() {
    let dir = with_key();
    let sidecar = before(&dir, Manner { tls: true, http2: true, ..Manner::default() }, "");
    assert_eq!(ask(&sidecar, "POST", "/a?b=%20", "body")["version"], "2");
    let all: Vec<Value> = std::thread::scope(|scope| {
        let asking: Vec<_> = (0..8).map(|n| scope.spawn(move || n)).map(|it| it.join().unwrap()).collect();
        let asking: Vec<_> = asking
            .into_iter()
            .map(|n| {
                scope.spawn({
                    let sidecar = &sidecar;
                    move || ask(sidecar, "PUT", &format!("/{n}?b=%20"), &"x".repeat(200_000))
                })
            })
            .collect();
        asking.into_iter().map(|asked| asked.join().unwrap()).collect()
    });
    for (n, told) in all.iter().enumerate() {
        let port = told["uri"].as_str().unwrap().split(['/', ':']).nth(4).unwrap().to_owned();
        assert_eq!(told["uri"], format!("https://localhost:{port}/{n}?b=%20"), "{told}");
        assert_eq!((&told["version"], &told["host"], &told["connection"]), (&"2".into(), &Value::Null, &1.into()));
        assert_eq!(told["body"].as_str().map(str::len), Some(200_000));
        assert!(told["signature_input"].as_str().unwrap().contains("\"@authority\""), "{told}");
    }
    let stubborn = before(&dir, Manner { tls: true, http2: true, ..Manner::default() }, "--http 1.1");
    assert_eq!(ask(&stubborn, "GET", "/", "")["version"], "1.1");
    let old = Manner { tls: true, ..Manner::default() };
    let told = ask(&before(&dir, old, ""), "GET", "/a", "");
    assert_eq!((&told["version"], &told["uri"]), (&"1.1".into(), &"/a".into()), "{told}");
    let (status, refusal) = before(&dir, old, "--http 2").send("GET", "/", "", "");
    assert_eq!((status, refusal.contains("upstream_failed")), (502, true), "{refusal}");
}

#[test]
fn in_the_clear_http_2_is_spoken_only_if_it_is_asked_for() {
    let dir = with_key();
    let told = ask(&before(&dir, Manner::default(), "--http 2"), "GET", "/a", "");
    assert_eq!(told["version"], "2");
    // The preface of one protocol is no answer in the other.
    assert_eq!(before(&dir, Manner::default(), "").send("GET", "/a", "", "").0, 502);
}

#[test]
fn a_retry_by_http_2_is_signed_anew_and_what_is_not_idempotent_is_not_retried() {
    let dir = with_key();
    let sidecar = before(&dir, Manner { fickle: true, ..Manner::default() }, "--http 2");
    let first = ask(&sidecar, "GET", "/a", "");
    assert_eq!((&first["number"], &first["connection"]), (&1.into(), &1.into()));
    let second = ask(&sidecar, "GET", "/b", "");
    assert_eq!(
        (&second["number"], &second["connection"]),
        (&3.into(), &2.into()),
        "asked twice, the second time elsewhere"
    );
    let (status, refusal) = sidecar.send("POST", "/c", "", "");
    assert_eq!((status, refusal.contains("upstream_failed")), (502, true), "{refusal}");
    assert_eq!(ask(&sidecar, "POST", "/d", "")["number"], 5, "the one before was sent once");
}

#[test]
fn a_certificate_is_shown_and_a_replaced_one_is_taken() {
    let dir = with_key();
    for http2 in [false, true] {
        std::fs::copy(tls("client-1.pem"), dir.path("client.pem")).unwrap();
        let manner = Manner { tls: true, http2, clients: true, ..Manner::default() };
        let sidecar = before(&dir, manner, "--client-certificate client.pem");
        for _ in 0..2 {
            assert_eq!(ask(&sidecar, "GET", "/", "")["client"], "client-1");
        }
        dir.write("sidecar.log", "");
        let until = |text: &str| {
            (0..100).any(|_| {
                std::thread::sleep(Duration::from_millis(50));
                dir.read("sidecar.log").contains(text)
            })
        };
        std::fs::copy(tls("server.pem"), dir.path("client.pem")).unwrap();
        assert!(until("it has no PRIVATE KEY; showing on the certificate before"), "{}", dir.read("sidecar.log"));
        assert_eq!(ask(&sidecar, "GET", "/", "")["client"], "client-1");
        std::fs::copy(tls("client-2.pem"), dir.path("next.pem")).unwrap();
        std::fs::rename(dir.path("next.pem"), dir.path("client.pem")).unwrap();
        assert!(until("showing the new certificate"), "{}", dir.read("sidecar.log"));
        let told = ask(&sidecar, "GET", "/", "");
        assert_eq!(
            (&told["client"], &told["connection"]),
            (&"client-2".into(), &2.into()),
            "no connection of the former"
        );
        let (status, refusal) = before(&dir, manner, "").send("GET", "/", "", "");
        assert_eq!((status, refusal.contains("upstream_failed")), (502, true), "{refusal}");
    }
}

#[test]
fn what_is_no_certificate_to_show_is_told_at_the_start() {
    let dir = with_key();
    let mixed =
        std::fs::read_to_string(tls("server.pem")).unwrap() + &std::fs::read_to_string(tls("client-1.pem")).unwrap();
    dir.write("mixed.pem", &mixed);
    dir.write("encrypted.pem", &mixed.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY"));
    dir.write("config.toml", "[sidecar]\nto = \"http://a\"\nclient_certificate = \"mixed.pem\"\n");
    dir.write("unsafe.toml", "[sidecar]\nverify_responses = true\n");
    let to = "--key key --id k --listen 127.0.0.1:0 --to https://localhost:1";
    for (flags, says) in [
        (format!("{to} --client-certificate absent.pem"), "can't read absent.pem"),
        (format!("{to} --client-certificate key"), "key: it has no CERTIFICATE"),
        (format!("{to} --client-certificate mixed.pem"), "not that of its first certificate"),
        (format!("{to} --client-certificate encrypted.pem"), "its private key is encrypted"),
        (format!("{} --client-certificate mixed.pem", to.replace("https", "http")), "over TLS only"),
        (format!("{to} --http 3"), "write it as auto, 1.1 or 2"),
        ("--config config.toml".to_owned(), "shown over TLS only"),
        ("--config unsafe.toml".to_owned(), "signatures of responses are not checked yet"),
    ] {
        let ran = dir.run(&format!("sidecar {flags}"));
        assert!(ran.code == 2 && ran.out.is_empty() && ran.err.contains(says), "{flags}: {ran:?}");
    }
}
