//! The end of a gateway that people depend on: `/readyz` first, then no more callers, and nothing at hand is lost.

mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use support::Dir;
use support::gateway::{Gateway, send};

const ORDER: &str = "GET /orders HTTP/1.1\r\nHost: api.example.com\r\nConnection: close\r\n\r\n";

/// A gateway's directory, with an API that takes so long.
fn deployment(pause: Duration, limits: &str) -> Dir {
    let dir = Dir::new();
    let upstream = slow(pause);
    dir.write(
        "countersign.toml",
        &format!(
            "[gateway]\nlisten = [\"127.0.0.1:0\"]\npublic_url = [\"http://api.example.com\"]\n{limits}\n[admin]\nlisten = \
             \"127.0.0.1:0\"\n\n[[route]]\npath = \"/orders\"\nupstream = \"http://{upstream}\"\n"
        ),
    );
    dir.fine("partner add acme");
    dir.fine("key generate --algorithm ed25519 --out acme.key");
    dir.fine("key add --partner acme --id acme-1 --scheme http-message-signatures --algorithm ed25519 --public-key acme.key.pub");
    dir
}

fn slow(pause: Duration) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || {
                let mut stream = stream.unwrap();
                drop(stream.read(&mut [0; 4096]));
                std::thread::sleep(pause);
                drop(stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone"));
            });
        }
    });
    address
}

fn signed(dir: &Dir) -> String {
    dir.fine_with("sign --key acme.key --id acme-1 --origin http://api.example.com", ORDER.as_bytes())
}

fn begin(gateway: &Gateway, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(gateway.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    stream
}

fn rest(mut stream: TcpStream) -> String {
    let mut answer = String::new();
    drop(stream.read_to_string(&mut answer));
    answer
}

fn ready(gateway: &Gateway) -> (u16, String) {
    send(gateway.admin, "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
}

#[test]
fn readyz_fails_first_then_nobody_is_taken_and_what_is_at_hand_ends() {
    let dir = deployment(Duration::from_millis(2000), "shutdown_delay = \"1s\"");
    let gateway = Gateway::start(&dir);
    let (early, late) = (signed(&dir), signed(&dir));
    assert_eq!(ready(&gateway).0, 200);
    let at_hand = begin(&gateway, &early);
    std::thread::sleep(Duration::from_millis(200));
    let started = Instant::now();
    gateway.signal("-TERM");
    std::thread::sleep(Duration::from_millis(200));
    let (status, why) = ready(&gateway);
    assert_eq!((status, why.contains("stopping")), (503, true), "{why}");
    let taken = begin(&gateway, &late);
    std::thread::sleep(Duration::from_millis(1200));
    assert!(TcpStream::connect(gateway.address).is_err(), "nobody is taken any more");
    for answer in [rest(at_hand), rest(taken)] {
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("done"), "{answer}");
        assert!(answer.to_ascii_lowercase().contains("\r\nconnection: close\r\n"), "{answer}");
    }
    assert_eq!(gateway.wait(), Some(0));
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert!(dir.read("log").contains("\"event\":\"stopping\""));
}

#[test]
fn the_end_takes_no_longer_than_it_was_given() {
    let dir = deployment(Duration::from_secs(30), "shutdown_delay = \"0s\"\nshutdown_timeout = \"500ms\"");
    let gateway = Gateway::start(&dir);
    let at_hand = begin(&gateway, &signed(&dir));
    std::thread::sleep(Duration::from_millis(200));
    let started = Instant::now();
    assert_eq!(gateway.end("-TERM"), Some(0));
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    assert_eq!(rest(at_hand), "", "cut off, and no half of an answer");
}

#[test]
fn a_second_sigterm_ends_at_once_and_still_remembers() {
    let dir = deployment(Duration::from_secs(30), "shutdown_delay = \"20s\"");
    let gateway = Gateway::start(&dir);
    let (captured, other) = (signed(&dir), signed(&dir));
    let at_hand = begin(&gateway, &captured);
    std::thread::sleep(Duration::from_millis(300));
    let started = Instant::now();
    gateway.signal("-TERM");
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(gateway.end("-TERM"), Some(0));
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    drop(at_hand);
    let gateway = Gateway::start(&dir);
    assert_eq!(ready(&gateway).0, 200, "it ended in order: there is no floor");
    let (status, refusal) = send(gateway.address, &captured);
    assert_eq!((status, refusal.contains("signature_invalid"), refusal.contains("\"replayed\"")), (401, false, true));
    drop(begin(&gateway, &other));
}
