//! A client that sends any bytes.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Long, since the machine may have other work; nothing is waited for that comes.
const PATIENCE: Duration = Duration::from_secs(30);

/// A response as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let fields = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        fields.filter(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// The code of a refusal, after its form was checked.
    pub(crate) fn code(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        assert_eq!(self.header("cache-control"), Some("no-store"), "{self:?}");
        let problem = self.json();
        assert_eq!(problem["status"], self.status, "{self:?}");
        assert_eq!(problem["trace"].as_str(), self.header("countersign-trace"), "{self:?}");
        assert!(problem["server_time"].is_i64(), "{self:?}");
        problem["code"].as_str().unwrap().to_owned()
    }
}

/// Sends `bytes` and reads to the end of the connection. Empty where nothing came.
pub(crate) async fn send(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The other side may close before it has taken all.
    let _ = stream.write_all(bytes).await;
    read_all(&mut stream).await
}

pub(crate) async fn read_all(stream: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
    let mut all = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut all)).await.expect("the connection stays open").ok();
    all
}

/// Sends one request on a connection of its own; the request has to say `Connection: close`, or be refused so.
pub(crate) async fn ask(address: SocketAddr, bytes: &[u8]) -> Answer {
    let all = send(address, bytes).await;
    let mut answers = answers(&all);
    assert_eq!(answers.len(), 1, "{}", String::from_utf8_lossy(&all));
    answers.remove(0)
}

/// Reads the next answer on a connection that stays open.
pub(crate) async fn next(stream: &mut (impl AsyncRead + Unpin)) -> Answer {
    let mut all = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let count = timeout(PATIENCE, stream.read(&mut buffer)).await.expect("no answer").unwrap();
        assert!(count > 0, "the connection ended: {}", String::from_utf8_lossy(&all));
        all.extend_from_slice(&buffer[..count]);
        if let Some((answer, _)) = first(&all) {
            return answer;
        }
    }
}

/// The answers that stand behind each other.
pub(crate) fn answers(mut bytes: &[u8]) -> Vec<Answer> {
    let mut answers = Vec::new();
    while let Some((answer, rest)) = first(bytes) {
        answers.push(answer);
        bytes = rest;
    }
    answers
}

fn first(bytes: &[u8]) -> Option<(Answer, &[u8])> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let mut answer = Answer { status, head, body: String::new() };
    let rest = &bytes[end..];
    if status < 200 {
        return Some((answer, rest));
    }
    if answer.header("transfer-encoding").is_some() {
        let (body, rest) = dechunk(rest)?;
        answer.body = body;
        return Some((answer, rest));
    }
    let length: usize = answer.header("content-length").map_or(Ok(0), str::parse).unwrap();
    let body = rest.get(..length)?;
    answer.body = String::from_utf8_lossy(body).into_owned();
    Some((answer, &rest[length..]))
}

fn dechunk(mut bytes: &[u8]) -> Option<(String, &[u8])> {
    let mut body = Vec::new();
    loop {
        let line = bytes.windows(2).position(|two| two == b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(&bytes[..line]).ok()?, 16).ok()?;
        let rest = bytes.get(line + 2..)?;
        body.extend_from_slice(rest.get(..size)?);
        bytes = rest.get(size + 2..)?;
        if size == 0 {
            return Some((String::from_utf8_lossy(&body).into_owned(), bytes));
        }
    }
}
