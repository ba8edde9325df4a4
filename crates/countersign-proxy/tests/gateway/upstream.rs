//! An upstream that tells what it got.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The upstream, and how often it was asked and connected to.
#[derive(Clone)]
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    requests: Arc<AtomicUsize>,
    connections: Arc<AtomicUsize>,
}

impl Upstream {
    /// One that echoes: method, target, headers as lists of pairs, body.
    pub(crate) async fn echo() -> Self {
        Self::echo_on(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    /// The same at a place of the caller's.
    pub(crate) fn echo_on(listener: TcpListener) -> Self {
        Self::each_on(listener, |stream, requests| async move {
            let service = service_fn(move |request| {
                requests.fetch_add(1, Ordering::SeqCst);
                echo(request)
            });
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        })
    }

    /// One that takes connections and says nothing.
    pub(crate) async fn silent() -> Self {
        Self::each(|mut stream, _| async move {
            let _ = stream.read_to_end(&mut Vec::new()).await;
        })
        .await
    }

    /// One that answers each request on each connection with the next of `answers`, the last one over and over, and closes
    /// after an empty one.
    pub(crate) async fn scripted(answers: &'static [&'static str]) -> Self {
        let at = Arc::new(AtomicUsize::new(0));
        Self::each(move |mut stream, requests| {
            let at = Arc::clone(&at);
            async move {
                while read_head(&mut stream).await {
                    requests.fetch_add(1, Ordering::SeqCst);
                    let answer = answers[at.fetch_add(1, Ordering::SeqCst).min(answers.len() - 1)];
                    if answer.is_empty() || stream.write_all(answer.as_bytes()).await.is_err() {
                        return;
                    }
                    if answer.contains("(close)") {
                        return;
                    }
                }
            }
        })
        .await
    }

    /// One that answers with so many bytes, one after each pause.
    pub(crate) async fn dribble(count: usize, pause: Duration) -> Self {
        Self::each(move |mut stream, _| async move {
            if !read_head(&mut stream).await {
                return;
            }
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {count}\r\n\r\n");
            let _ = stream.write_all(head.as_bytes()).await;
            for _ in 0..count {
                tokio::time::sleep(pause).await;
                let _ = stream.write_all(b"x").await;
            }
        })
        .await
    }

    /// One that switches to this protocol whatever it is asked. In it, it tells the head that it was asked with, then echoes.
    pub(crate) async fn switching(protocol: &'static str) -> Self {
        Self::each(move |mut stream, requests| async move {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                match stream.read_u8().await {
                    Ok(byte) => head.push(byte),
                    Err(_) => return,
                }
            }
            requests.fetch_add(1, Ordering::SeqCst);
            let answer = format!(
                "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: {protocol}\r\nSec-WebSocket-Accept: yes\r\n\r\n"
            );
            // In one write, so that the first bytes of the other protocol come with the head.
            let _ = stream.write_all(&[answer.as_bytes(), &head].concat()).await;
            let (mut reading, mut writing) = stream.split();
            let _ = tokio::io::copy(&mut reading, &mut writing).await;
        })
        .await
    }

    /// One that echoes the bytes of a chunked request.
    pub(crate) async fn raw() -> Self {
        Self::each(|mut stream, requests| async move {
            let mut bytes = Vec::new();
            let ended = |bytes: &[u8]| {
                let text = String::from_utf8_lossy(bytes);
                text.split_once("\r\n0\r\n").is_some_and(|(_, rest)| rest.ends_with("\r\n\r\n"))
            };
            while !ended(&bytes) {
                if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
                    return;
                }
            }
            requests.fetch_add(1, Ordering::SeqCst);
            let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", bytes.len());
            let _ = stream.write_all(&[head.as_bytes(), &bytes].concat()).await;
        })
        .await
    }

    /// One that echoes what a single read gives it.
    pub(crate) async fn hurried() -> Self {
        Self::each(|mut stream, requests| async move {
            let mut bytes = vec![0; 64 << 10];
            let count = stream.read(&mut bytes).await.unwrap_or(0);
            requests.fetch_add(1, Ordering::SeqCst);
            let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {count}\r\n\r\n");
            let _ = stream.write_all(&[head.as_bytes(), &bytes[..count]].concat()).await;
        })
        .await
    }

    /// One that takes so many bytes of each body, answers, and then leaves the connection open without reading on.
    pub(crate) async fn impatient(most: usize, answer: &'static str) -> Self {
        Self::each(move |mut stream, requests| async move {
            if !read_fields(&mut stream).await.is_empty() && stream.read_exact(&mut vec![0; most]).await.is_ok() {
                requests.fetch_add(1, Ordering::SeqCst);
                let _ = stream.write_all(answer.as_bytes()).await;
                if !answer.contains("(close)") {
                    tokio::time::sleep(Duration::from_secs(3600)).await;
                }
            }
        })
        .await
    }

    /// One that reads a body in small parts, with a pause before each, and tells how long it was.
    pub(crate) async fn lazy(part: usize, pause: Duration) -> Self {
        Self::each(move |mut stream, requests| async move {
            let length = announced(&read_fields(&mut stream).await);
            let mut left = length;
            while left > 0 {
                tokio::time::sleep(pause).await;
                match stream.read(&mut vec![0; part.min(left)]).await {
                    Ok(count) if count > 0 => left -= count,
                    _ => return,
                }
            }
            requests.fetch_add(1, Ordering::SeqCst);
            let answer = length.to_string();
            let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", answer.len());
            let _ = stream.write_all((head + &answer).as_bytes()).await;
        })
        .await
    }

    async fn each<F>(serve: impl Fn(TcpStream, Arc<AtomicUsize>) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self::each_on(TcpListener::bind("127.0.0.1:0").await.unwrap(), serve)
    }

    fn each_on<F>(listener: TcpListener, serve: impl Fn(TcpStream, Arc<AtomicUsize>) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let upstream =
            Self { address: listener.local_addr().unwrap(), requests: Arc::default(), connections: Arc::default() };
        let (requests, connections) = (Arc::clone(&upstream.requests), Arc::clone(&upstream.connections));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(stream, Arc::clone(&requests)));
            }
        });
        upstream
    }

    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

async fn echo(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let headers: Vec<_> = parts
        .headers
        .iter()
        .map(|(name, value)| json!([name.as_str(), String::from_utf8_lossy(value.as_bytes())]))
        .collect();
    if parts.uri.path().ends_with("/slow") {
        tokio::time::sleep(Duration::from_secs(3)).await;
    }
    let told = json!({
        "method": parts.method.as_str(),
        "target": parts.uri.to_string(),
        "headers": headers,
        "body": String::from_utf8_lossy(&body),
    });
    let mut response = Response::new(Full::new(told.to_string().into()));
    response.headers_mut().insert("countersign-partner", HeaderValue::from_static("forged-by-upstream"));
    response.headers_mut().insert("countersign-trace", HeaderValue::from_static("forged-by-upstream"));
    response.headers_mut().insert("x-from-upstream", HeaderValue::from_static("yes"));
    Ok(response)
}

/// Reads one request head, and the body that its length announces.
async fn read_head(stream: &mut TcpStream) -> bool {
    let head = read_fields(stream).await;
    !head.is_empty() && stream.read_exact(&mut vec![0; announced(&head)]).await.is_ok()
}

/// Reads one request head, in lower case; empty where the connection ends.
async fn read_fields(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte).await {
            Ok(1) => head.push(byte[0]),
            _ => return String::new(),
        }
    }
    String::from_utf8_lossy(&head).to_lowercase()
}

fn announced(head: &str) -> usize {
    head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |length| length.parse().unwrap())
}
