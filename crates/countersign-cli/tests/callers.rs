//! Callers of HTTP/1.x that leave early, read late, or can tell the end of an answer by the connection's alone.

mod support;

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use support::Dir;
use support::gateway::{Gateway, send};

/// Longer than anything takes here, and shorter than what ends by itself.
const SOON: Duration = Duration::from_secs(20);

/// An API that does with each connection what it is told to, once it has read the head of a request.
fn api(with: impl Fn(TcpStream) + Clone + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, with) = (stream.unwrap(), with.clone());
            std::thread::spawn(move || {
                let (mut head, mut byte) = (Vec::new(), [0]);
                while !head.ends_with(b"\r\n\r\n") {
                    if (&stream).read(&mut byte).unwrap_or(0) == 0 {
                        return;
                    }
                    head.push(byte[0]);
                }
                with(stream);
            });
        }
    });
    address
}

/// A gateway before it: `/orders` is for signed requests, `/open` for any.
fn deployment(api: SocketAddr) -> (Dir, Gateway) {
    let dir = Dir::new();
    let config = format!(
        "[gateway]\nlisten = [\"127.0.0.1:0\"]\nworkers = 1\npublic_url = [\"http://api.example.com\"]\nwrite_timeout = \"2s\"\n\n\
         [admin]\nlisten = \"127.0.0.1:0\"\n\n[[route]]\npath = \"/orders\"\nupstream = \"http://{api}\"\n\n[[route]]\n\
         path = \"/open\"\nupstream = \"http://{api}\"\nmode = \"observe\"\nmax_body = \"1GiB\"\n"
    );
    dir.write("countersign.toml", &config);
    dir.fine("partner add acme");
    dir.fine("key generate --algorithm ed25519 --out acme.key");
    dir.fine("key add --partner acme --id acme-1 --scheme http-message-signatures --algorithm ed25519 --public-key acme.key.pub");
    let gateway = Gateway::start(&dir);
    (dir, gateway)
}

fn begin(gateway: &Gateway, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(gateway.address).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    stream
}

/// An API that says so much and then no more, and tells when it was asked and when it was left.
fn hanging(says: &'static str) -> (SocketAddr, Receiver<&'static str>) {
    let (tell, told) = mpsc::channel();
    let api = api(move |mut stream| {
        stream.write_all(says.as_bytes()).unwrap();
        let _ = tell.send("asked");
        let _ = stream.read(&mut [0]);
        let _ = tell.send("left");
    });
    (api, told)
}

const HALF: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n";

#[test]
fn a_caller_that_leaves_ends_the_request_to_the_api_and_what_was_decided_stays() {
    for says in ["", HALF] {
        let (api, told) = hanging(says);
        let (dir, gateway) = deployment(api);
        let order = "GET /orders HTTP/1.1\r\nHost: api.example.com\r\n\r\n";
        let order = dir.fine_with("sign --key acme.key --id acme-1 --origin http://api.example.com", order.as_bytes());
        let mut caller = begin(&gateway, &order);
        assert_eq!(told.recv_timeout(SOON), Ok("asked"));
        if !says.is_empty() {
            let mut answer = BufReader::new(&mut caller);
            while answer.fill_buf().unwrap() != b"half\r\n" {
                answer.read_line(&mut String::new()).unwrap();
            }
        }
        assert!(told.recv_timeout(Duration::from_millis(300)).is_err(), "it is asked for as long as somebody waits");
        drop(caller);
        assert_eq!(told.recv_timeout(SOON), Ok("left"));
        let again = order.replacen("\r\n", "\r\nConnection: close\r\n", 1);
        let (status, why) = send(gateway.address, &again);
        assert_eq!((status, why.contains("\"replayed\"")), (401, true), "its nonce stays spent: {why}");
        // Its line comes before this one's, and is written soon.
        let end = Instant::now() + SOON;
        while !dir.read("log").contains("\"code\":\"replayed\"") {
            assert!(Instant::now() < end, "{}", dir.read("log"));
            std::thread::sleep(Duration::from_millis(10));
        }
        let log = dir.read("log");
        assert_eq!(log.matches("\"code\":\"accepted\"").count(), 1, "{log}");
        let metrics = format!("GET /metrics HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", gateway.admin);
        let (_, metrics) = send(gateway.admin, &metrics);
        assert!(metrics.contains("countersign_requests_total{route=\"/orders\",code=\"accepted\"} 1\n"), "{metrics}");
    }
}

const OPEN: &str = "GET /open HTTP/1.0\r\nHost: api.example.com\r\n\r\n";

/// All of what an API says, that is all of its answer or a part of it; towards HTTP/1.0 neither length nor chunks tell which.
fn heard(says: &'static str) -> (String, Option<ErrorKind>) {
    let api = api(move |mut stream| {
        stream.write_all(says.as_bytes()).unwrap();
        std::thread::sleep(Duration::from_millis(300));
    });
    let (_dir, gateway) = deployment(api);
    let mut answer = Vec::new();
    let end = begin(&gateway, OPEN).read_to_end(&mut answer);
    (String::from_utf8(answer).unwrap(), end.err().map(|fault| fault.kind()))
}

#[test]
fn an_answer_that_breaks_off_does_not_look_whole_to_http_1_0() {
    let (answer, end) = heard("HTTP/1.1 200 Fine By Me\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ndone\r\n0\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 200 Fine By Me\r\n") && answer.ends_with("\r\n\r\ndone"), "{answer}");
    assert_eq!(end, None, "{answer}");
    let (answer, end) = heard(HALF);
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nhalf"), "{answer}");
    assert_eq!(end, Some(ErrorKind::ConnectionReset));
}

#[test]
fn an_answer_that_a_killed_gateway_breaks_off_does_not_look_whole_to_http_1_0() {
    let (api, told) = hanging(HALF);
    let (_dir, gateway) = deployment(api);
    let mut caller = begin(&gateway, OPEN);
    assert_eq!(told.recv_timeout(SOON), Ok("asked"));
    let mut answer = Vec::new();
    while !answer.ends_with(b"half") {
        let mut part = [0; 1024];
        let count = caller.read(&mut part).unwrap();
        answer.extend_from_slice(&part[..count]);
    }
    gateway.end("-KILL");
    assert_eq!(caller.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
}

/// More than all buffers between two sockets hold.
const LARGE: usize = 64 << 20;

#[test]
fn a_caller_that_reads_only_once_it_has_written_all_hears_an_answer_that_began_before() {
    // It answers while it still listens, and neither waits for the other.
    let (tell, told) = mpsc::channel();
    let api = api(move |stream| {
        let mut answering = stream.try_clone().unwrap();
        std::thread::spawn(move || {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {LARGE}\r\n\r\n");
            answering.write_all(head.as_bytes()).unwrap();
            answering.write_all(&vec![b'a'; LARGE]).unwrap();
        });
        let _ = tell.send(std::io::copy(&mut (&stream).take(LARGE as u64), &mut std::io::sink()).unwrap());
    });
    let (_dir, gateway) = deployment(api);
    let head = format!("POST /open HTTP/1.1\r\nHost: api.example.com\r\nContent-Length: {LARGE}\r\n\r\n");
    let mut caller = begin(&gateway, &head);
    caller.set_write_timeout(Some(SOON)).unwrap();
    // For longer than an answer may wait for a caller that does nothing else meanwhile.
    for part in vec![b'q'; LARGE].chunks(LARGE / 16) {
        caller.write_all(part).unwrap();
        std::thread::sleep(Duration::from_millis(250));
    }
    assert_eq!(told.recv_timeout(SOON), Ok(LARGE as u64));
    let mut answer = BufReader::new(caller);
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        answer.read_line(&mut line).unwrap();
    }
    assert_eq!(std::io::copy(&mut answer.take(LARGE as u64), &mut std::io::sink()).unwrap(), LARGE as u64);
    let peak = gateway.peak_memory();
    assert!(peak < 64 << 20, "the gateway took {} MiB", peak >> 20);
}
