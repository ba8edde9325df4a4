//! A destination by HTTPS or HTTP/2 that says how it was asked.

use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::{Request, Response, Version};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;

/// `tests/tls` holds an authority whose key is gone, a certificate of it for localhost, an authority that vouches for nothing,
/// and two clients of a third authority.
pub fn tls(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/tls").join(name)
}

/// What a destination does besides answering.
#[derive(Clone, Copy, Default)]
pub struct Manner {
    /// In TLS; else in the clear by HTTP/2.
    pub tls: bool,
    /// Agrees on HTTP/2 where it can.
    pub http2: bool,
    /// Asks for a certificate of `clients-ca.pem`.
    pub clients: bool,
    /// Breaks a connection off at its second request, unanswered.
    pub fickle: bool,
}

/// A server that answers with a JSON object: how it was asked, by whom, over which connection, in which order.
pub fn destination(manner: Manner) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    listener.set_nonblocking(true).unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let acceptor = TlsAcceptor::from(Arc::new(config(manner)));
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let requests = Arc::new(AtomicUsize::new(0));
            for connection in 1.. {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(one(stream, acceptor.clone(), manner, connection, Arc::clone(&requests)));
            }
        });
    });
    address
}

fn config(manner: Manner) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let certificate = CertificateDer::from_pem_file(tls("server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(tls("server.key")).unwrap();
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
    let builder = if manner.clients {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(tls("clients-ca.pem")).unwrap()).unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
        builder.unwrap().with_client_cert_verifier(verifier)
    } else {
        builder.unwrap().with_no_client_auth()
    };
    let mut config = builder.with_single_cert(vec![certificate], key).unwrap();
    if manner.http2 {
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    }
    config
}

async fn one(stream: TcpStream, acceptor: TlsAcceptor, manner: Manner, connection: usize, requests: Arc<AtomicUsize>) {
    if !manner.tls {
        return serve(stream, true, manner, connection, None, requests).await;
    }
    let Ok(stream) = acceptor.accept(stream).await else { return };
    let session = stream.get_ref().1;
    let http2 = session.alpn_protocol() == Some(b"h2");
    let shown = session.peer_certificates().and_then(|chain| chain.first()).map(|shown| {
        let is = |name: &&str| CertificateDer::from_pem_file(tls(&format!("{name}.pem"))).unwrap() == *shown;
        ["client-1", "client-2"].into_iter().find(is).unwrap()
    });
    serve(stream, http2, manner, connection, shown, requests).await;
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    http2: bool,
    manner: Manner,
    connection: usize,
    client: Option<&'static str>,
    requests: Arc<AtomicUsize>,
) {
    let (here, broken) = (AtomicUsize::new(0), Arc::new(Notify::new()));
    let breaking = Arc::clone(&broken);
    let service = service_fn(move |request: Request<Incoming>| {
        let number = requests.fetch_add(1, Ordering::SeqCst) + 1;
        let breaks = manner.fickle && here.fetch_add(1, Ordering::SeqCst) == 1;
        let breaking = Arc::clone(&breaking);
        async move {
            if breaks {
                breaking.notify_one();
                std::future::pending::<()>().await;
            }
            Ok::<_, Infallible>(told(request, connection, number, client).await)
        }
    });
    let stream = TokioIo::new(stream);
    tokio::select! {
        () = broken.notified() => {}
        () = async {
            if http2 {
                let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                drop(builder.serve_connection(stream, service).await);
            } else {
                drop(hyper::server::conn::http1::Builder::new().serve_connection(stream, service).await);
            }
        } => {}
    }
}

async fn told(
    request: Request<Incoming>,
    connection: usize,
    number: usize,
    client: Option<&'static str>,
) -> Response<Full<Bytes>> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let field = |name: &str| parts.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
    let told = json!({
        "version": if parts.version == Version::HTTP_2 { "2" } else { "1.1" },
        "method": parts.method.as_str(),
        "uri": parts.uri.to_string(),
        "host": field("host"),
        "signature_input": field("signature-input"),
        "body": String::from_utf8_lossy(&body),
        "connection": connection,
        "number": number,
        "client": client,
    });
    Response::new(Full::new(told.to_string().into()))
}

/// What it said, out of an answer's body.
#[track_caller]
pub fn said(body: &str) -> Value {
    serde_json::from_str(body).unwrap_or_else(|fault| panic!("{fault}: {body}"))
}
