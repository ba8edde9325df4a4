//! TLS from callers: what is agreed on, and what is not.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use countersign_proxy::{Limits, Quota, TlsSettings};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, NamedGroup, ProtocolVersion, RootCertStore, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::authority::{Authority, Issued};
use crate::client::{self, Answer};
use crate::stage::{Setting, Stage};

/// The files of a gateway with TLS, and who vouches for it.
pub(crate) struct Files {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) authority: Authority,
}

impl Files {
    pub(crate) fn new() -> Self {
        let files = Self { dir: tempfile::tempdir().unwrap(), authority: Authority::new("Servers") };
        files.authority.server().write(files.dir.path(), "server");
        files
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn settings(&self) -> TlsSettings {
        TlsSettings { certificate: self.path("server.pem"), key: self.path("server.key"), client_auth: None }
    }
}

/// A caller that believes the gateway's authority.
pub(crate) struct Caller {
    pub(crate) config: ClientConfig,
}

pub(crate) type Tls = TlsStream<TcpStream>;

impl Caller {
    pub(crate) fn new(files: &Files, shown: Option<&Issued>) -> Self {
        Self::with(files, shown, rustls::ALL_VERSIONS)
    }

    pub(crate) fn with(files: &Files, shown: Option<&Issued>, versions: &[&'static SupportedProtocolVersion]) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(files.authority.der()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
        let config = config.with_root_certificates(roots);
        let mut config = match shown {
            Some(shown) => config.with_client_auth_cert(shown.chain.clone(), shown.key()).unwrap(),
            None => config.with_no_client_auth(),
        };
        config.enable_early_data = true;
        Self { config }
    }

    pub(crate) fn speaking(mut self, protocols: &[&str]) -> Self {
        self.config.alpn_protocols = protocols.iter().map(|it| it.as_bytes().to_vec()).collect();
        self
    }

    pub(crate) async fn connect(&self, stage: &Stage) -> io::Result<Tls> {
        let stream = TcpStream::connect(stage.address).await?;
        let name = ServerName::try_from("api.test").unwrap();
        TlsConnector::from(Arc::new(self.config.clone())).connect(name, stream).await
    }

    /// One request on a connection of its own; an error where there is no answer. In TLS 1.3 what becomes of a certificate
    /// is heard only then.
    pub(crate) async fn ask(&self, stage: &Stage, request: &[u8]) -> io::Result<Answer> {
        let mut stream = self.connect(stage).await?;
        ask_on(&mut stream, request).await
    }
}

/// One request on a connection; an error where there is no answer.
pub(crate) async fn ask_on(stream: &mut Tls, request: &[u8]) -> io::Result<Answer> {
    stream.write_all(request).await?;
    let (mut all, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let reading = tokio::time::timeout(Duration::from_secs(5), stream.read(&mut buffer));
        let count = reading.await.expect("neither an answer nor an end")?;
        all.extend_from_slice(&buffer[..count]);
        if let Some(answer) = client::answers(&all).into_iter().next() {
            return Ok(answer);
        }
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

pub(crate) async fn start(files: &Files) -> Stage {
    Stage::with(Setting { tls: Some(files.settings()), ..Setting::default() }).await
}

#[tokio::test]
async fn a_signed_request_passes_by_tls_1_2_and_1_3() {
    let files = Files::new();
    let stage = start(&files).await;
    for (version, known) in
        [(&rustls::version::TLS12, ProtocolVersion::TLSv1_2), (&rustls::version::TLS13, ProtocolVersion::TLSv1_3)]
    {
        let caller = Caller::with(&files, None, &[version]);
        let mut stream = caller.connect(&stage).await.unwrap();
        assert_eq!(stream.get_ref().1.protocol_version(), Some(known));
        let answer = ask_on(&mut stream, &stage.partner.post("/orders", "abc").bytes().await).await.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
        let echo = answer.json();
        assert_eq!(crate::admitted::arrived(&echo, "x-forwarded-proto"), ["https"]);
        assert!(crate::admitted::arrived(&echo, "client-cert").is_empty());
    }
}

#[tokio::test]
async fn the_scheme_that_was_signed_is_https() {
    let files = Files::new();
    let stage = start(&files).await;
    let caller = Caller::new(&files, None);
    let message = stage.partner.get("/orders");
    let request = message.cover(&["@method", "@scheme", "@authority", "@path", "@query"]).bytes().await;
    // Signed for http, sent by https.
    let answer = caller.ask(&stage, &request).await.unwrap();
    assert_eq!((answer.status, answer.code().as_str()), (401, "bad_signature"));
}

#[tokio::test]
async fn keys_are_agreed_on_against_quantum_computers_first() {
    let files = Files::new();
    let stage = start(&files).await;
    let stream = Caller::new(&files, None).connect(&stage).await.unwrap();
    let group = stream.get_ref().1.negotiated_key_exchange_group().unwrap();
    assert_eq!(group.name(), NamedGroup::X25519MLKEM768);
}

#[tokio::test]
async fn the_handshake_decides_which_http_is_spoken() {
    let files = Files::new();
    let stage = start(&files).await;
    let get = stage.partner.get("/orders").bytes().await;

    let caller = Caller::new(&files, None).speaking(&["h2", "http/1.1"]);
    let stream = caller.connect(&stage).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = http::Request::get("https://api.test/orders").body(Full::new(Bytes::new())).unwrap();
    let response = sender.send_request(request).await.unwrap();
    assert_eq!(response.status(), 401);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert!(String::from_utf8_lossy(&body).contains("\"unsigned\""));

    // HTTP/1.1 where HTTP/2 was agreed on gets no answer, and nothing of it passes.
    let mut stream = caller.connect(&stage).await.unwrap();
    assert!(ask_on(&mut stream, &get).await.is_err());
    assert_eq!(stage.upstream.requests(), 0);

    // The other way round it is no request.
    for protocols in [&["http/1.1"][..], &[]] {
        let caller = Caller::new(&files, None).speaking(protocols);
        let answer = caller.ask(&stage, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
        assert_eq!(answer.status, 400, "{protocols:?}");
        assert_eq!(caller.ask(&stage, &stage.partner.get("/orders").bytes().await).await.unwrap().status, 200);
    }

    // Nothing in common, no connection (RFC 7301 §3.2).
    assert!(Caller::new(&files, None).speaking(&["spdy/3"]).connect(&stage).await.is_err());
}

#[tokio::test]
async fn early_data_is_never_offered_and_so_can_not_be_replayed() {
    let files = Files::new();
    let stage = start(&files).await;
    let mut caller = Caller::with(&files, None, &[&rustls::version::TLS13]);
    caller.config.resumption = Resumption::in_memory_sessions(8);
    caller.ask(&stage, &stage.partner.get("/orders").bytes().await).await.unwrap();
    let mut stream = caller.connect(&stage).await.unwrap();
    assert_eq!(stream.get_ref().1.handshake_kind(), Some(rustls::HandshakeKind::Resumed));
    ask_on(&mut stream, &stage.partner.get("/orders").bytes().await).await.unwrap();
    let name = ServerName::try_from("api.test").unwrap();
    let mut next = rustls::ClientConnection::new(Arc::new(caller.config.clone()), name).unwrap();
    assert!(next.early_data().is_none(), "the ticket lets a caller send early data");
}

#[tokio::test]
async fn http_in_the_clear_is_told_so_and_goes_nowhere() {
    let files = Files::new();
    let stage = start(&files).await;
    let all = client::send(stage.address, &stage.partner.get("/orders").bytes().await).await;
    let text = String::from_utf8(all).unwrap();
    assert!(text.starts_with("HTTP/1.1 400 Bad Request\r\n") && text.contains("connection: close"), "{text}");
    // HTTP/2 by prior knowledge, too.
    assert!(client::send(stage.address, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.starts_with(b"HTTP/1.1 400"));
    assert_eq!(stage.upstream.requests(), 0);
}

#[tokio::test]
async fn garbage_ends_its_own_connection_and_no_other() {
    let files = Files::new();
    let stage = start(&files).await;
    let caller = Caller::new(&files, None);
    let mut good = caller.connect(&stage).await.unwrap();
    for garbage in
        [&b"\x16\x03\x01\xff\xff"[..], &vec![0x16; 70_000], &[0; 100], b"\x80\x2e\x01\x03\x01", &vec![0xff; 20_000]]
    {
        let mut stream = TcpStream::connect(stage.address).await.unwrap();
        drop(stream.write_all(garbage).await);
        drop(stream.shutdown().await);
        let answer = client::read_all(&mut stream).await;
        assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    }
    let get = stage.partner.get("/orders").sign().await.keep_alive().bytes();
    assert_eq!(ask_on(&mut good, &get).await.unwrap().status, 200);
    stage.log.says("handshake failed").await;
}

#[tokio::test]
async fn a_slow_handshake_is_broken_off() {
    let files = Files::new();
    let limits = Limits { handshake_time: Duration::from_millis(300), ..Limits::default() };
    let stage = Stage::with(Setting { tls: Some(files.settings()), limits, ..Setting::default() }).await;
    for begun in [&b""[..], b"\x16\x03\x01\x02\x00\x01"] {
        let started = Instant::now();
        let mut stream = TcpStream::connect(stage.address).await.unwrap();
        stream.write_all(begun).await.unwrap();
        client::read_all(&mut stream).await;
        assert!((200..2000).contains(&started.elapsed().as_millis()), "{:?}", started.elapsed());
    }
}

#[tokio::test]
async fn stalled_handshakes_beyond_the_most_that_there_may_be_keep_nobody_out() {
    let files = Files::new();
    let limits = Limits { max_handshakes: 8, ..Limits::default() };
    let stage = Stage::with(Setting { tls: Some(files.settings()), limits, ..Setting::default() }).await;
    let mut stalled = Vec::new();
    for _ in 0..64 {
        let mut stream = TcpStream::connect(stage.address).await.unwrap();
        stream.write_all(b"\x16\x03\x01\x02\x00\x01").await.unwrap();
        stalled.push(stream);
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let caller = Caller::new(&files, None);
    let answer = caller.ask(&stage, &stage.partner.get("/orders").bytes().await).await.unwrap();
    assert_eq!(answer.status, 200);
    // The oldest were broken off, long before their time.
    client::read_all(&mut stalled[0]).await;
}

#[tokio::test]
async fn files_that_do_not_fit_make_no_gateway() {
    let files = Files::new();
    let other = Authority::new("Others").server();
    std::fs::write(files.path("server.key"), other.key_pem()).unwrap();
    let refused = |settings: TlsSettings| {
        let settings = countersign_proxy::GatewaySettings {
            listen: vec!["127.0.0.1:0".parse().unwrap()],
            tls: Some(settings),
            ..Default::default()
        };
        let keys = Arc::new(|_| Ok(Arc::new(countersign::Keys::new([]))));
        let handles = countersign_proxy::Handles::new(keys, crate::stage::replay());
        countersign_proxy::Gateway::bind(settings, handles).err().expect("there is a gateway").to_string()
    };
    let fault = refused(files.settings());
    assert!(fault.contains("does not belong to the certificate"), "{fault}");
    for (file, content) in
        [("server.key", "no key"), ("server.pem", "no certificate"), ("server.pem", "-----BEGIN CERTIFICATE-----\n")]
    {
        let files = Files::new();
        std::fs::write(files.path(file), content).unwrap();
        let fault = refused(files.settings());
        assert!(fault.contains(file), "{fault}");
        std::fs::remove_file(files.path(file)).unwrap();
        let fault = refused(files.settings());
        assert!(fault.contains("can't read") && fault.contains(file), "{fault}");
    }
}

/// A handshake costs more than any request that is refused behind it.
#[tokio::test]
async fn a_flood_of_failed_handshakes_ends_before_the_next_private_operation() {
    let files = Files::new();
    let limits = Limits {
        source_rate: Some(Quota { requests: 50, per: Duration::from_hours(1) }),
        limit_loopback: true,
        ..Setting::default().limits
    };
    let stage = Stage::with(Setting { tls: Some(files.settings()), limits, ..Setting::default() }).await;
    let caller = Caller::new(&files, None);
    assert_eq!(caller.ask(&stage, &stage.partner.get("/orders").bytes().await).await.unwrap().status, 200);
    for _ in 0..5 {
        let answer = client::send(stage.address, b"\x16\x03\x01\x00\x05hello").await;
        assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    }
    // The last of them is counted once its caller has gone.
    let end = Instant::now() + Duration::from_secs(10);
    while caller.connect(&stage).await.is_ok() {
        assert!(Instant::now() < end, "a source whose handshakes keep failing still gets one");
    }
    let metrics = crate::operation::admin(&stage, "/metrics").await.body;
    assert!(metrics.contains("countersign_connections_refused_total 1\n"), "{metrics}");
    assert_eq!(stage.upstream.requests(), 1);
}
