//! Bad days: under each of them a steady load of good requests gets all its answers.
//!
//! What it costs in time is measured by `bench/faults`, which runs the same under `FAULTS_RATE`, and is printed here: a test
//! that fails by the clock fails on other people's machines.

#[path = "faults/load.rs"]
mod load;
#[path = "../../countersign-store/tests/support/redis_server.rs"]
mod redis_server;
#[path = "faults/shared.rs"]
mod shared;
#[path = "faults/stage.rs"]
mod stage;
mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use load::Load;
use stage::{Stage, with_few_files};
use support::gateway::{Gateway, send};

#[test]
fn ten_times_as_many_bad_signatures() {
    let stage = Stage::new("");
    stage.under("ten times as many bad signatures", |rate, until| {
        // Made beforehand: what it costs to sign is not the gateway's to bear.
        let spoilt = |request: String| request.replacen("signature: sig1=:", "signature: sig1=:AAAA", 1);
        let requests: Vec<_> =
            (0..50).map(|_| spoilt(stage.sender.request(stage.gateway.address, "/orders", "{}"))).collect();
        let mut stream = TcpStream::connect(stage.gateway.address).unwrap();
        let (pause, mut due, mut sent) = (Duration::from_secs(1) / (10 * rate), Instant::now(), 0);
        for request in requests.iter().cycle() {
            if Instant::now() >= until {
                break;
            }
            let mut answer = [0; 4096];
            stream.write_all(request.as_bytes()).unwrap();
            let length = stream.read(&mut answer).unwrap();
            let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
            assert!(answer.starts_with("HTTP/1.1 40"), "{answer}");
            if answer.to_ascii_lowercase().contains("connection: close") {
                stream = TcpStream::connect(stage.gateway.address).unwrap();
            }
            sent += 1;
            due += pause;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        assert!(sent > 100, "{sent} bad signatures are no flood");
    });
}

#[test]
fn slow_heads_on_a_thousand_connections() {
    let stage = Stage::new("");
    stage.under("slow heads", |_, until| dribble(stage.gateway.address, "POST /orders HTTP/1.1\r\nHost: x\r\n", until));
}

#[test]
fn slow_bodies_on_a_thousand_connections() {
    let stage = Stage::new("");
    let request = stage.sender.request(stage.gateway.address, "/orders", &"x".repeat(1000));
    stage.under("slow bodies", |_, until| dribble(stage.gateway.address, &request[..request.len() - 999], until));
}

#[test]
fn a_reload_every_second() {
    let stage = Stage::new("");
    stage.under("reloads", |_, until| {
        while Instant::now() < until {
            stage.gateway.signal("-HUP");
            std::thread::sleep(Duration::from_secs(1));
        }
    });
}

/// An API that is gone takes no other down with it.
#[test]
fn an_upstream_of_another_route_killed() {
    let dead = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let stage = Stage::new(&format!("[[route]]\npath = \"/dead\"\nupstream = \"http://{dead}\"\n"));
    let others = Load::start(&stage.sender, &[stage.gateway.address], "/dead", stage.rate);
    stage.under("a dead upstream", |_, until| std::thread::sleep(until - Instant::now()));
    let others = others.end();
    assert!(others.latencies.is_empty() && !others.faults.is_empty());
    assert!(others.faults.iter().all(|fault| fault == "502"), "{:?}", &others.faults[..1]);
}

/// While it is gone its requests are 502, and once it is back all pass.
#[test]
fn an_upstream_killed_and_back() {
    let api = Flickering::start();
    let stage = Stage::new(&format!("[[route]]\npath = \"/flickers\"\nupstream = \"http://{}\"\n", api.address));
    let others = Load::start(&stage.sender, &[stage.gateway.address], "/flickers", stage.rate);
    stage.under("an upstream killed and back", |_, until| {
        while Instant::now() < until {
            std::thread::sleep(Duration::from_millis(300));
            api.gone.store(!api.gone.load(Relaxed), Relaxed);
        }
        api.gone.store(false, Relaxed);
    });
    let others = others.end();
    assert!(others.latencies.len() > 10 && !others.faults.is_empty());
    assert!(others.faults.iter().all(|fault| fault == "502"), "{:?}", &others.faults);
    let request = stage.sender.request(stage.gateway.address, "/flickers", "{}");
    let end = Instant::now() + Duration::from_secs(5);
    while send(stage.gateway.address, &request.replacen("\r\n", "\r\nConnection: close\r\n", 1)).0 != 200 {
        assert!(Instant::now() < end, "an upstream that is back is not asked");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Large bodies find no room on the disk, and small ones do not ask for it.
#[test]
fn a_full_disk_for_spooling() {
    let stage = Stage::with("spool_dir = \"small\"", "", Gateway::on_a_small_disk);
    stage.under("a full disk for spooling", |_, until| {
        let large = "x".repeat(3 << 20);
        let mut refused = 0;
        while Instant::now() < until {
            let request = stage.sender.request(stage.gateway.address, "/orders", &large);
            let mut stream = TcpStream::connect(stage.gateway.address).unwrap();
            // It may be refused before all of it was sent.
            let _ = stream.write_all(request.as_bytes());
            let mut answer = [0; 12];
            stream.read_exact(&mut answer).unwrap();
            assert_eq!(&answer, b"HTTP/1.1 503");
            refused += 1;
        }
        assert!(refused > 2, "{refused}");
    });
}

/// Callers who leave at every moment of a request: nothing of them stays behind.
#[test]
fn ten_thousand_aborted_requests_leave_no_open_file_behind() {
    let stage = Stage::new("");
    let large = "x".repeat(200 << 10);
    let request = |body: &str| stage.sender.request(stage.gateway.address, "/orders", body);
    // Of the large ones a file is open when they leave.
    let (small, spooled) = (request("{}"), request(&large));
    let head = small.find("\r\n\r\n").unwrap() + 4;
    let stranger = "POST /orders HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx";
    let preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let parts = [
        "",
        "POST /or",
        &small[..head - 2],
        &small[..head],
        &small[..small.len() - 1],
        &small,
        &spooled[..spooled.len() - 1],
        stranger,
        &preface[..20],
        preface,
    ];
    let abort = |part: &str| {
        let mut stream = TcpStream::connect(stage.gateway.address).unwrap();
        // It may have been refused by now.
        let _ = stream.write_all(part.as_bytes());
    };
    for part in parts {
        abort(part);
    }
    let settled = |most: usize, what: &str| {
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            let open = stage.gateway.open_files();
            if open <= most {
                return open;
            }
            assert!(Instant::now() < end, "{what}: {open} files are open, and {most} were before");
            std::thread::sleep(Duration::from_millis(100));
        }
    };
    std::thread::sleep(Duration::from_secs(1));
    let before = settled(1000, "at first");
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let abort = &abort;
            scope.spawn(move || (0..2500).for_each(|number| abort(parts[(thread + number) % parts.len()])));
        }
    });
    // Connections to the upstream are kept for a while, one for each that was needed at a time.
    settled(before + 8, "after ten thousand aborted requests");
    stage.under("after ten thousand aborted requests", |_, until| std::thread::sleep(until - Instant::now()));
}

/// Shells and service managers let a process open 1024 files, of which it may have more if it asks.
#[test]
fn more_connections_than_files_at_the_start() {
    let stage = Stage::with("", "", with_few_files);
    let _idle: Vec<TcpStream> = (0..200).map(|_| TcpStream::connect(stage.gateway.address).unwrap()).collect();
    stage.under("more connections than files", |_, until| std::thread::sleep(until - Instant::now()));
}

/// Opens a thousand connections, and writes one byte on each of them from time to time.
fn dribble(to: SocketAddr, begin: &str, until: Instant) {
    let mut streams: Vec<TcpStream> = (0..1000).map(|_| TcpStream::connect(to).unwrap()).collect();
    for stream in &mut streams {
        stream.write_all(begin.as_bytes()).unwrap();
    }
    while Instant::now() < until {
        // The gateway may have ended some of them by now.
        streams.retain_mut(|stream| stream.write_all(b"x").is_ok());
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// An API that is gone from time to time: what is open is cut off, and nobody listens.
struct Flickering {
    address: SocketAddr,
    gone: Arc<AtomicBool>,
}

impl Flickering {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let gone = Arc::new(AtomicBool::new(false));
        let its = Arc::clone(&gone);
        std::thread::spawn(move || {
            let mut listener = Some(listener);
            loop {
                if its.load(Relaxed) {
                    listener = None;
                    std::thread::sleep(Duration::from_millis(5));
                    continue;
                }
                let open = listener.get_or_insert_with(|| TcpListener::bind(address).unwrap());
                open.set_nonblocking(true).unwrap();
                match open.accept() {
                    Ok((stream, _)) => {
                        let gone = Arc::clone(&its);
                        std::thread::spawn(move || drop(answer_until(&stream, &gone)));
                    }
                    Err(_) => std::thread::sleep(Duration::from_millis(2)),
                }
            }
        });
        Self { address, gone }
    }
}

/// Answers each request.
fn answer_until(mut stream: &TcpStream, gone: &AtomicBool) -> std::io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(Duration::from_millis(20)))?;
    let (mut part, mut request) = ([0; 8192], Vec::new());
    while !gone.load(Relaxed) {
        match stream.read(&mut part) {
            Ok(0) => break,
            Ok(length) => request.extend_from_slice(&part[..length]),
            Err(_) => {}
        }
        // Bodies are JSON, and no head ends so.
        if request.ends_with(b"}") {
            request.clear();
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")?;
        }
    }
    Ok(())
}
