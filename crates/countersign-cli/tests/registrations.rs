//! Users registered through a gateway, from the site's request to the answer: how many a second, and that a kill loses none.
//!
//! `bench/registrations` runs the same with more of them, built as it ships; a test that fails by the clock fails on other
//! people's machines.

mod support;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use support::Dir;
use support::gateway::{Gateway, upstream};
use support::site::{REGISTER, Site, payload};

#[test]
fn registrations_through_a_gateway_are_all_answered() {
    let (dir, gateway, site) = deployment();
    let load = Load::signed(&site, gateway.address);
    let (began, cpu) = (Instant::now(), gateway.cpu_time());
    let answered = load.send(&Arc::default());
    let (time, cpu) = (began.elapsed(), gateway.cpu_time().saturating_sub(cpu));
    let count = answered.len();
    assert_eq!(count, requests(), "all of them are answered 201");
    assert_eq!(users(&dir), addresses(&answered));
    let mut waits: Vec<_> = answered.iter().map(|it| it.wait).collect();
    waits.sort_unstable();
    let millis = |percent: usize| waits[(count * percent / 100).min(count - 1)].as_secs_f64() * 1e3;
    let rate = count as f64 / time.as_secs_f64();
    println!(
        "| {} | {count} | {rate:.0} | {:.1} / {:.1} ms | {:.0} µs |",
        connections(),
        millis(50),
        millis(99),
        cpu.as_secs_f64() * 1e6 / count as f64
    );
    let promised: f64 = setting("REGISTRATIONS_PROMISED").unwrap_or(0.0);
    assert!(rate >= promised, "{rate:.0} a second; promised are {promised:.0}");
}

/// What was answered 201 is there, whenever the process ends: of everyone else nobody was told anything.
#[test]
fn a_kill_under_load_loses_no_user_who_was_answered_201() {
    let (dir, gateway, site) = deployment();
    let load = Load::signed(&site, gateway.address);
    let count = Arc::new(AtomicUsize::new(0));
    let sending = thread::spawn({
        let count = Arc::clone(&count);
        move || load.send(&count)
    });
    while count.load(Relaxed) < requests() / 2 {
        assert!(!sending.is_finished(), "too few of them are answered 201");
        thread::sleep(Duration::from_millis(1));
    }
    gateway.end("-KILL");
    let told = addresses(&sending.join().unwrap());
    let there = users(&dir);
    assert!(there.len() < requests(), "it was killed after the last of them");
    let lost: Vec<_> = told.difference(&there).collect();
    println!("killed: {} answered 201, {} registered, {} lost", told.len(), there.len(), lost.len());
    assert!(lost.is_empty(), "{} of {} are lost: {lost:?}", lost.len(), told.len());
}

/// A gateway with an exchange, and a site.
fn deployment() -> (Dir, Gateway, Site) {
    let dir = Dir::new();
    let upstream = upstream();
    dir.write(
        "countersign.toml",
        &format!(
            "[gateway]\nlisten = [\"127.0.0.1:0\"]\n[admin]\nlisten = \"127.0.0.1:0\"\n[token]\nissuer = \
             \"https://api.example.com\"\n[[route]]\npath = \"/me\"\nupstream = \"http://{upstream}\"\nschemes = []\nuser = \
             \"required\"\n"
        ),
    );
    dir.fine("partner add shop");
    let site = Site::added(&dir, "shop", "shop", "");
    let gateway = Gateway::start(&dir);
    (dir, gateway, site)
}

/// Signed requests, so many for each connection.
struct Load {
    to: SocketAddr,
    requests: Vec<Vec<(String, String)>>,
}

/// A user whom a gateway has answered 201.
struct Answered {
    email: String,
    wait: Duration,
}

impl Load {
    /// Made beforehand, on all cores: what it costs to sign is not the gateway's to bear.
    fn signed(site: &Site, to: SocketAddr) -> Self {
        let connections = connections();
        let of = |connection: usize| {
            let numbers = (connection..requests()).step_by(connections);
            numbers.map(|number| request(site, to, &format!("user-{number}@example.com"))).collect()
        };
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let mut requests = Vec::new();
        thread::scope(|scope| {
            let share = |core| scope.spawn(move || (core..connections).step_by(cores).map(of).collect::<Vec<_>>());
            let cores: Vec<_> = (0..cores).map(share).collect();
            requests.extend(cores.into_iter().flat_map(|core| core.join().unwrap()));
        });
        Self { to, requests }
    }

    /// Sends all of them on connections that are kept, each once the one before is answered, until one breaks off. Counts
    /// those that are answered 201 on the way.
    fn send(self, count: &Arc<AtomicUsize>) -> Vec<Answered> {
        let to = self.to;
        let sending = self.requests.into_iter().map(|requests| {
            let count = Arc::clone(count);
            thread::spawn(move || {
                let mut stream = BufReader::new(TcpStream::connect(to).unwrap());
                stream.get_mut().set_nodelay(true).unwrap();
                let mut answered = Vec::with_capacity(requests.len());
                for (email, request) in requests {
                    let began = Instant::now();
                    match ask(&mut stream, &request) {
                        Ok(201) => answered.push(Answered { email, wait: began.elapsed() }),
                        Ok(status) => panic!("{status} to {email}"),
                        // Of whoever gets no answer nobody knows.
                        Err(_) => break,
                    }
                    count.fetch_add(1, Relaxed);
                }
                answered
            })
        });
        let sending: Vec<_> = sending.collect();
        sending.into_iter().flat_map(|it| it.join().unwrap()).collect()
    }
}

/// An address, and the request that registers it.
fn request(site: &Site, to: SocketAddr, email: &str) -> (String, String) {
    let body = site.body(&payload(email)).to_string();
    let length = body.len();
    let head = format!("POST {REGISTER} HTTP/1.1\r\nHost: {to}\r\nContent-Type: application/json\r\n");
    (email.to_owned(), format!("{head}Content-Length: {length}\r\n\r\n{body}"))
}

/// The status of the answer, once all of it has come.
fn ask(stream: &mut BufReader<TcpStream>, request: &str) -> std::io::Result<u16> {
    stream.get_mut().write_all(request.as_bytes())?;
    let (mut line, mut status, mut length) = (String::new(), None, 0);
    while line != "\r\n" {
        line.clear();
        if stream.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if status.is_none() {
            status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().map_err(std::io::Error::other)?;
        }
    }
    stream.read_exact(&mut vec![0; length])?;
    status.ok_or_else(|| std::io::ErrorKind::InvalidData.into())
}

fn addresses(answered: &[Answered]) -> BTreeSet<String> {
    answered.iter().map(|it| it.email.clone()).collect()
}

fn users(dir: &Dir) -> BTreeSet<String> {
    let list: Value = serde_json::from_str(&dir.fine("user list --limit 100000 --json")).unwrap();
    list["users"].as_array().unwrap().iter().map(|user| user["email"].as_str().unwrap().to_owned()).collect()
}

fn requests() -> usize {
    setting("REGISTRATIONS").unwrap_or(400)
}

fn connections() -> usize {
    setting("REGISTRATIONS_CONNECTIONS").unwrap_or(16)
}

fn setting<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok()?.parse().ok()
}
