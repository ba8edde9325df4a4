//! `curl` over TLS: whom it believes, and whom it does not.

mod support;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use support::Dir;
use support::https::{Manner, destination, said, tls};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

/// A server that answers each request with itself.
fn server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    listener.set_nonblocking(true).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let certificate = CertificateDer::from_pem_file(tls("server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(tls("server.key")).unwrap();
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                let mut request = vec![0; 8192];
                let length = stream.read(&mut request).await.unwrap();
                let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
                stream.write_all(head.as_bytes()).await.unwrap();
                stream.write_all(&request[..length]).await.unwrap();
                drop(stream.shutdown().await);
            }
        });
    });
    address
}

#[test]
fn a_signed_request_goes_over_tls_to_whom_an_authority_vouches_for() {
    let dir = Dir::new();
    dir.fine("key generate --algorithm ed25519 --out key");
    let port = server().port();
    let call = |host: &str, trust: &str| {
        let mut command = dir.command(&format!("curl --key key --id k https://{host}:{port}/a?b"));
        let ran = command.env("SSL_CERT_FILE", tls(trust)).env_remove("SSL_CERT_DIR").output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (ran.status.code(), text(ran.stdout), text(ran.stderr))
    };
    let (code, out, err) = call("localhost", "ca.pem");
    assert_eq!(code, Some(0), "{err}");
    assert!(out.starts_with("GET /a?b HTTP/1.1\r\n") && out.contains(&format!("host: localhost:{port}\r\n")), "{out}");
    assert!(out.contains("\r\nsignature: sig1=:"), "{out}");

    for (host, trust) in [("localhost", "other-ca.pem"), ("127.0.0.1", "ca.pem")] {
        let (code, out, err) = call(host, trust);
        assert_eq!((code, out.as_str()), (Some(1), ""), "{host}, {trust}: {err}");
        assert!(err.contains("certificate") && err.contains("\nhint: SSL_CERT_FILE="), "{host}, {trust}: {err}");
    }
}

#[test]
fn http_2_is_spoken_where_both_agree_and_a_certificate_is_shown_if_asked_for() {
    let dir = Dir::new();
    dir.fine("key generate --algorithm ed25519 --out key");
    std::fs::copy(tls("client-1.pem"), dir.path("client.pem")).unwrap();
    let port = destination(Manner { tls: true, http2: true, clients: true, ..Manner::default() }).port();
    let call = |flags: &str| {
        let mut command = dir.command(&format!("curl --key key --id k https://localhost:{port}/a?b {flags}"));
        let ran = command.env("SSL_CERT_FILE", tls("ca.pem")).env_remove("SSL_CERT_DIR").output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (ran.status.code(), text(ran.stdout), text(ran.stderr))
    };
    let (code, out, err) = call("--client-certificate client.pem -d body -i");
    let (head, body) = out.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{err}"));
    assert!(code == Some(0) && head.starts_with("HTTP/2.0 200 OK\r\n"), "{head}: {err}");
    let told = said(body);
    assert_eq!((&told["version"], &told["client"], &told["body"]), (&"2".into(), &"client-1".into(), &"body".into()));
    assert_eq!(told["uri"], format!("https://localhost:{port}/a?b"));
    let (code, out, err) = call("");
    assert!(code == Some(1) && out.is_empty() && err.contains("who connects: --client-certificate FILE"), "{err}");
    let (code, _, err) = call("--client-certificate absent.pem");
    assert!(code == Some(2) && err.contains("can't read absent.pem"), "{err}");
}
