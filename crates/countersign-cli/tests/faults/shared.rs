//! Bad days of gateways that share their memory in a real Redis.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use crate::load::Sender;
use crate::redis_server::RedisServer;
use crate::stage::{alone, configuration, partner, under};
use crate::support::Dir;
use crate::support::gateway::{Gateway, send};

/// One after the other hands over to its next process, twice: nobody is refused, and each order arrives once.
#[test]
fn a_rolling_restart_by_hand_over() {
    let mut pair = Pair::new();
    let addresses = pair.addresses();
    let (dir, gateways) = (&pair.dir, &mut pair.gateways);
    let outcomes = under("rolling restart, `--take-over`", &pair.sender, &addresses, &|_| false, |until| {
        for _ in 0..2 {
            for (gateway, name) in gateways.iter_mut().zip(NAMES) {
                let command = dir.command(&format!("gateway --take-over --config {name}.toml"));
                let before = std::mem::replace(gateway, Gateway::started(dir, command));
                assert_eq!(before.wait(), Some(0));
            }
        }
        std::thread::sleep(until.saturating_duration_since(Instant::now()));
    });
    pair.each_order_arrived_once(outcomes.iter().map(|it| it.latencies.len()).sum());
    assert_eq!(pair.addresses(), addresses);
}

/// One after the other ends, and starts anew once it is gone. Whoever is refused a connection asks the other.
#[test]
fn a_rolling_restart_by_plain_drain() {
    let mut pair = Pair::new();
    let addresses = pair.addresses();
    let (dir, gateways) = (&pair.dir, &mut pair.gateways);
    let outcomes = under("rolling restart, plain drain", &pair.sender, &addresses, &|_| false, |until| {
        for _ in 0..2 {
            for (name, address) in NAMES.into_iter().zip(addresses) {
                let before = gateways.remove(0);
                assert_eq!(before.end("-TERM"), Some(0));
                let config =
                    dir.read(&format!("{name}.toml")).replace("[\"127.0.0.1:0\"]", &format!("[\"{address}\"]"));
                dir.write(&format!("{name}.toml"), &config);
                gateways.push(Gateway::started(dir, dir.command(&format!("gateway --config {name}.toml"))));
                ready(gateways.last().unwrap());
            }
        }
        std::thread::sleep(until.saturating_duration_since(Instant::now()));
    });
    pair.each_order_arrived_once(outcomes.iter().map(|it| it.latencies.len()).sum());
    assert_eq!(pair.addresses(), addresses);
}

/// While Redis stands still, requests that need it are 503, and nothing else; once it goes on, so do they at once, and no
/// order arrived twice.
#[test]
fn redis_stopped_and_back() {
    let pair = Pair::new();
    let outcomes = under("Redis stopped and back", &pair.sender, &pair.addresses(), &|fault| fault == "503", |until| {
        pair.redis.signal("-STOP");
        std::thread::sleep(Duration::from_secs(1));
        pair.redis.signal("-CONT");
        let back = Instant::now();
        pair.gateways.iter().for_each(ready);
        assert!(back.elapsed() < Duration::from_secs(2), "not ready {:?} after Redis was", back.elapsed());
        std::thread::sleep(until.saturating_duration_since(Instant::now()));
    });
    assert!(!outcomes[1].faults.is_empty(), "nobody noticed");
    let stored = pair.api.0.lock().unwrap().clone();
    let mut once = stored.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), stored.len(), "an order arrived twice");
}

/// Two gateways with a data directory each, one registry, one Redis, and an API that remembers what it was sent.
struct Pair {
    redis: RedisServer,
    gateways: Vec<Gateway>,
    sender: Sender,
    api: Api,
    dir: Dir,
    _alone: MutexGuard<'static, ()>,
}

impl Pair {
    fn new() -> Self {
        let alone = alone();
        let (dir, redis, api) = (Dir::new(), RedisServer::start(), Api::default());
        let upstream = api.listen();
        for name in NAMES {
            let first = format!(
                "data = \"{name}\"\n[registry]\nurl = \"sqlite:registry/registry.db\"\n[replay]\nurl = \"{}\"\n",
                redis.url()
            );
            dir.write(&format!("{name}.toml"), &configuration(&first, "workers = 2", upstream, ""));
        }
        let sender = partner(&dir, "north.toml");
        let gateways = NAMES.map(|name| Gateway::started(&dir, dir.command(&format!("gateway --config {name}.toml"))));
        gateways.iter().for_each(ready);
        Self { redis, gateways: gateways.into(), sender, api, dir, _alone: alone }
    }

    fn addresses(&self) -> [SocketAddr; 2] {
        [self.gateways[0].address, self.gateways[1].address]
    }

    #[track_caller]
    fn each_order_arrived_once(&self, answered: usize) {
        let mut orders = self.api.0.lock().unwrap().clone();
        assert_eq!(orders.len(), answered, "as many orders arrived as were answered");
        orders.sort();
        orders.dedup();
        assert_eq!(orders.len(), answered, "an order arrived twice");
    }
}

#[track_caller]
fn ready(gateway: &Gateway) {
    let end = Instant::now() + Duration::from_secs(10);
    let ask = format!("GET /readyz HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", gateway.admin);
    loop {
        let (status, body) = send(gateway.admin, &ask);
        if status == 200 {
            return;
        }
        assert!(Instant::now() < end, "{status}: {body}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// An API that remembers each body it was sent.
#[derive(Clone, Default)]
struct Api(Arc<Mutex<Vec<String>>>);

impl Api {
    fn listen(&self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, api) = (listener.local_addr().unwrap(), self.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let api = api.clone();
                std::thread::spawn(move || drop(api.serve(&stream.unwrap())));
            }
        });
        address
    }

    fn serve(&self, mut stream: &TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream.try_clone()?);
        loop {
            let mut length = 0;
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line)? == 0 {
                    return Ok(());
                }
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                if line == "\r\n" {
                    break;
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body)?;
            self.0.lock().unwrap().push(String::from_utf8(body).unwrap());
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")?;
        }
    }
}

const NAMES: [&str; 2] = ["north", "south"];
