//! Bad days: under each of them a steady load of good requests gets all its answers.
//!
//! What it costs in time is measured by `bench/faults`, which runs the same under `FAULTS_RATE`, and is printed here: a test
//! that fails by the clock fails on other people's machines.

#[path = "faults/load.rs"]
mod load;
mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use load::{Load, Outcome, Sender};
use support::Dir;
use support::gateway::{Gateway, upstream};

#[test]
fn ten_times_as_many_bad_signatures() {
    let stage = Stage::new("");
    stage.under("bad signatures", |rate, until| {
        let spoilt = |request: String| request.replacen("signature: sig1=:", "signature: sig1=:AAAA", 1);
        let mut stream = TcpStream::connect(stage.gateway.address).unwrap();
        let pause = Duration::from_secs(1) / (10 * rate);
        while Instant::now() < until {
            let began = Instant::now();
            let request = spoilt(stage.sender.request(stage.gateway.address, "/orders", "{}"));
            let mut answer = [0; 4096];
            stream.write_all(request.as_bytes()).unwrap();
            let length = stream.read(&mut answer).unwrap();
            let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
            assert!(answer.starts_with("HTTP/1.1 40"), "{answer}");
            if answer.to_ascii_lowercase().contains("connection: close") {
                stream = TcpStream::connect(stage.gateway.address).unwrap();
            }
            std::thread::sleep(pause.saturating_sub(began.elapsed()));
        }
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
    assert!(others.faults.iter().all(|fault| fault.ends_with(": 502")), "{:?}", &others.faults[..1]);
}

/// Shells and service managers let a process open 1024 files, of which it may have more if it asks.
#[test]
fn more_connections_than_files_at_the_start() {
    let stage = Stage::with("", |dir| {
        let mut shell = Command::new("sh");
        let binary = dir.command("gateway");
        shell.args(["-c", "ulimit -Sn 64; exec \"$0\" gateway"]).arg(binary.get_program()).current_dir(dir.here());
        shell
    });
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

/// A gateway, and who may call it.
struct Stage {
    gateway: Gateway,
    sender: Sender,
    /// Good requests a second.
    rate: u32,
    _dir: Dir,
    _alone: MutexGuard<'static, ()>,
}

impl Stage {
    fn new(more: &str) -> Self {
        Self::with(more, |dir| dir.command("gateway"))
    }

    fn with(more: &str, command: impl FnOnce(&Dir) -> Command) -> Self {
        // One load at a time, or they would disturb each other.
        static ALONE: Mutex<()> = Mutex::new(());
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let dir = Dir::new();
        let config = format!(
            "[gateway]\nlisten = [\"127.0.0.1:0\"]\n[admin]\nlisten = \"127.0.0.1:0\"\n[[route]]\npath = \"/orders\"\nupstream = \
             \"http://{}\"\nrequire = [\"@method\", \"@authority\", \"@path\", \"@query\", \"content-digest\"]\n{more}",
            upstream()
        );
        dir.write("countersign.toml", &config);
        dir.fine("partner add acme");
        dir.fine("key generate --algorithm ed25519 --out acme.key");
        dir.fine("key add --partner acme --id acme-1 --scheme http-message-signatures --algorithm ed25519 --public-key acme.key.pub");
        let sender = Sender::new(dir.read("acme.key").as_bytes(), "acme-1");
        let rate = std::env::var("FAULTS_RATE").map_or(40, |rate| rate.parse().unwrap());
        Self { gateway: Gateway::started(&dir, command(&dir)), sender, rate, _dir: dir, _alone: alone }
    }

    /// Sends good requests, first in peace and then while `fault` runs until the time it is given.
    fn under(&self, what: &str, fault: impl FnOnce(u32, Instant)) {
        let load = || Load::start(&self.sender, &[self.gateway.address], "/orders", self.rate);
        let peace = load();
        std::thread::sleep(TIME);
        let peace = peace.end();
        let disturbed = load();
        fault(self.rate, Instant::now() + TIME);
        let disturbed = disturbed.end();
        for outcome in [&peace, &disturbed] {
            assert!(outcome.faults.is_empty(), "{} faults: {:?}", outcome.faults.len(), outcome.faults.first());
            assert!(outcome.latencies.len() > 10, "{} requests", outcome.latencies.len());
        }
        let told = |outcome: &Outcome| (outcome.latencies.len(), outcome.percentile(50), outcome.percentile(99));
        println!("{what}: in peace {:?}, under it {:?} (requests, median, p99)", told(&peace), told(&disturbed));
    }
}

const TIME: Duration = Duration::from_secs(3);
