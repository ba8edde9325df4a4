//! An API at two places, one of which dies and comes back while it is asked.

#[path = "faults/load.rs"]
mod load;
mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use load::{Load, Sender};
use support::Dir;
use support::gateway::{Gateway, send};

/// An API that can be ended: its listener is closed, and each of its connections after the answer that it gives next. An order
/// that it has read and not answered can't be placed again by anybody, so none is left like that.
struct Api {
    address: SocketAddr,
    dead: Arc<AtomicBool>,
    requests: Arc<AtomicUsize>,
}

impl Api {
    fn start(at: &str) -> Self {
        let listener = TcpListener::bind(at).unwrap();
        let address = listener.local_addr().unwrap();
        let api = Self { address, dead: Arc::default(), requests: Arc::default() };
        let (dead, requests) = (Arc::clone(&api.dead), Arc::clone(&api.requests));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                if dead.load(SeqCst) {
                    return;
                }
                let (dead, requests) = (Arc::clone(&dead), Arc::clone(&requests));
                std::thread::spawn(move || drop(answer(stream, &dead, &requests)));
            }
        });
        api
    }

    fn end(self) -> SocketAddr {
        self.dead.store(true, SeqCst);
        drop(TcpStream::connect(self.address));
        self.address
    }
}

fn answer(mut stream: TcpStream, dead: &AtomicBool, requests: &AtomicUsize) -> std::io::Result<()> {
    let mut buffer = [0; 8192];
    let mut read = Vec::new();
    loop {
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        read.extend_from_slice(&buffer[..count]);
        // Head and body of the load come in one piece.
        if read.ends_with(b"}]}") || (read.starts_with(b"GET ") && read.ends_with(b"\r\n\r\n")) {
            requests.fetch_add(1, SeqCst);
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")?;
            read.clear();
            if dead.load(SeqCst) {
                return Ok(());
            }
        }
    }
}

#[test]
fn an_upstream_that_goes_and_comes_back_costs_no_order() {
    let dir = Dir::new();
    let (one, other) = (Api::start("127.0.0.1:0"), Api::start("127.0.0.1:0"));
    dir.write(
        "countersign.toml",
        &format!(
            "[gateway]\nlisten = [\"127.0.0.1:0\"]\n[admin]\nlisten = \"127.0.0.1:0\"\n[[route]]\npath = \"/orders\"\n\
             upstream = [\"http://{}\", \"http://{}\"]\n",
            one.address, other.address
        ),
    );
    dir.fine("partner add acme");
    dir.fine("key generate --algorithm ed25519 --out acme.key");
    dir.fine("key add --partner acme --id acme-1 --scheme http-message-signatures --algorithm ed25519 --public-key acme.key.pub");
    let sender = Sender::new(dir.read("acme.key").as_bytes(), "acme-1");
    let gateway = Gateway::start(&dir);
    let metrics = || send(gateway.admin, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").1;
    let up = |address: SocketAddr, up: u8| {
        let line = format!("countersign_upstream_up{{route=\"/orders\",upstream=\"http://{address}\"}} {up}\n");
        let started = Instant::now();
        while !metrics().contains(&line) {
            assert!(started.elapsed() < Duration::from_secs(8), "{line}\n{}", metrics());
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    let load = Load::start(&sender, &[gateway.address], "/orders", 100);
    std::thread::sleep(Duration::from_secs(1));
    let gone = one.end();
    up(gone, 0);
    std::thread::sleep(Duration::from_secs(1));
    let back = Api::start(&gone.to_string());
    up(gone, 1);
    std::thread::sleep(Duration::from_millis(500));
    let outcome = load.end();
    assert!(outcome.faults.is_empty(), "{:?}", outcome.faults);
    assert!(outcome.latencies.len() > 150, "{}", outcome.latencies.len());
    assert!(outcome.percentile(99) < Duration::from_secs(1), "{:?}", outcome.percentile(99));
    assert!(back.requests.load(SeqCst) > 5 && other.requests.load(SeqCst) > 100);
}
