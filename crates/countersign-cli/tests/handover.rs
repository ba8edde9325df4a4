//! Restarts without a gap: callers wait rather than fail, and no two processes ever decide at once.

mod support;

#[path = "faults/load.rs"]
#[allow(dead_code)]
mod load;

#[path = "handover/stage.rs"]
mod stage;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use stage::{Stage, Successor, ask, slow};
use support::gateway::{Gateway, send, upstream};

#[test]
fn ten_restarts_under_load_fail_no_request_and_let_none_pass_twice() {
    let stage = Arc::new(Stage::new(upstream(), ""));
    let mut gateway = Gateway::start(&stage.dir);
    let address = gateway.address;
    let stop = Arc::new(AtomicBool::new(false));
    let captured = Arc::new(Mutex::new(Vec::new()));
    // Each request is sent twice at once, by two connections: that falls on both sides of a restart as often as it can.
    let threads: Vec<_> = (0..3)
        .map(|_| {
            let (stage, stop, captured) = (Arc::clone(&stage), Arc::clone(&stop), Arc::clone(&captured));
            std::thread::spawn(move || {
                let mut slowest = Duration::ZERO;
                while !stop.load(SeqCst) {
                    let request = stage.request(address);
                    let copy = request.clone();
                    let began = Instant::now();
                    let other = std::thread::spawn(move || ask(address, &copy));
                    let outcomes = [ask(address, &request), other.join().unwrap()];
                    slowest = slowest.max(began.elapsed());
                    let passed = outcomes.iter().filter(|outcome| **outcome == Ok(200)).count();
                    let replayed = outcomes.iter().filter(|outcome| **outcome == Ok(401)).count();
                    assert_eq!((passed, replayed), (1, 1), "{outcomes:?}");
                    captured.lock().unwrap().push(request);
                    std::thread::sleep(Duration::from_millis(5));
                }
                slowest
            })
        })
        .collect();
    for round in 1..=10 {
        // However slow the machine is, each process has something to remember for the next.
        while captured.lock().unwrap().len() < 10 * round && !threads.iter().any(std::thread::JoinHandle::is_finished) {
            std::thread::sleep(Duration::from_millis(10));
        }
        let next = stage.next();
        assert_eq!((next.address, next.admin), (address, gateway.admin), "the same sockets");
        assert_eq!(gateway.wait(), Some(0));
        gateway = next;
    }
    stop.store(true, SeqCst);
    let slowest = threads.into_iter().map(|thread| thread.join().unwrap()).max().unwrap();
    let captured = captured.lock().unwrap();
    println!("{} requests through 10 restarts, the slowest took {slowest:?}", captured.len());
    assert!(captured.len() >= 100, "{}", captured.len());
    for request in captured.iter() {
        assert_eq!(ask(address, request), Ok(401), "a captured request passes no later process either");
    }
    let mode = stage.dir.path("countersign-data/handover.sock").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(gateway.end("-TERM"), Some(0));
    assert!(!stage.dir.path("countersign-data/handover.sock").exists());
    assert!(TcpStream::connect(address).is_err(), "and at the end nobody listens");
}

#[test]
fn an_answer_on_its_way_ends_where_it_began_and_holds_up_neither_this_restart_nor_the_next() {
    let (api, go_on) = slow();
    let stage = Stage::new(api, "");
    let mut first = Gateway::start(&stage.dir);
    let address = first.address;
    let mut at_hand = TcpStream::connect(address).unwrap();
    at_hand.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    at_hand.write_all(stage.request(address).as_bytes()).unwrap();
    let mut answer = String::new();
    while !answer.ends_with("half") {
        let mut part = [0; 1024];
        let count = at_hand.read(&mut part).unwrap();
        answer.push_str(std::str::from_utf8(&part[..count]).unwrap());
    }
    let second = stage.next();
    // While the first still answers, the lock is the second's alone.
    assert_eq!(second.end("-TERM"), Some(0));
    let third = Gateway::started(&stage.dir, {
        let mut command = stage.dir.command("gateway");
        command.env("COUNTERSIGN_GATEWAY__LISTEN", "127.0.0.1:0");
        command
    });
    assert!(!first.has_ended());
    go_on.send(()).unwrap();
    at_hand.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("halfdone"), "{answer}");
    assert_eq!(first.wait(), Some(0));
    drop(third);
}

#[test]
fn several_that_take_over_at_once_do_so_one_after_the_other() {
    let stage = Arc::new(Stage::new(upstream(), ""));
    let first = Gateway::start(&stage.dir);
    let address = first.address;
    let captured = stage.request(address);
    assert_eq!(ask(address, &captured), Ok(200));
    // One more that holds up all others for a while, and does not take over in the end.
    let mut dawdler = Successor::begin(&stage);
    let starting: Vec<_> = (0..3)
        .map(|_| {
            let stage = Arc::clone(&stage);
            std::thread::spawn(move || stage.next())
        })
        .collect();
    std::thread::sleep(Duration::from_millis(500));
    dawdler.say("stop");
    assert_eq!(dawdler.hear(), "stopped");
    drop(dawdler);
    // Each of them serves, and then the next does.
    let mut next: Vec<_> = starting.into_iter().map(|next| next.join().unwrap()).collect();
    assert_eq!(first.wait(), Some(0));
    let end = Instant::now() + Duration::from_secs(60);
    while next.len() > 1 {
        let ended = next.iter_mut().position(Gateway::has_ended);
        if let Some(ended) = ended {
            assert_eq!(next.swap_remove(ended).wait(), Some(0));
        }
        assert!(Instant::now() < end, "{} of them go on", next.len());
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(ask(address, &stage.request(address)), Ok(200));
    assert_eq!(ask(address, &captured), Ok(401));
    assert_eq!(next.remove(0).end("-TERM"), Some(0));
}

#[test]
fn a_successor_that_dies_before_it_took_over_costs_nothing() {
    let stage = Arc::new(Stage::new(upstream(), ""));
    let gateway = Gateway::start(&stage.dir);
    let address = gateway.address;
    let captured = stage.request(address);
    assert_eq!(ask(address, &captured), Ok(200));
    // Dead after it said hello; after it said stop; where it says other than it should.
    drop(Successor::begin(&stage));
    assert_eq!(ask(address, &stage.request(address)), Ok(200));
    for last in [None, Some("go"), Some("")] {
        let mut successor = Successor::begin(&stage);
        successor.say("stop");
        assert_eq!(successor.hear(), "stopped");
        let (waiting, other) = (stage.request(address), Arc::clone(&stage));
        let waiting = std::thread::spawn(move || (ask(address, &waiting), other));
        std::thread::sleep(Duration::from_millis(200));
        assert!(!waiting.is_finished(), "nobody decides, and the caller waits");
        if let Some(last) = last {
            successor.say(last);
        }
        drop(successor);
        assert_eq!(waiting.join().unwrap().0, Ok(200));
        assert_eq!(ask(address, &captured), Ok(401), "nothing was forgotten");
    }
    assert!(stage.dir.read("log").contains("\"event\":\"not handed over\""));
    // What was marked open again is an unclean end when it is killed.
    assert_eq!(gateway.end("-KILL"), None);
    let gateway = Gateway::start(&stage.dir);
    assert_eq!(send(gateway.admin, "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").0, 503);
}

#[test]
fn who_has_handed_over_waits_for_its_successor_and_leaves_it_its_socket() {
    let stage = Stage::new(upstream(), "");
    let mut gateway = Gateway::start(&stage.dir);
    let mut successor = Successor::begin(&stage);
    successor.say("stop");
    assert_eq!(successor.hear(), "stopped");
    successor.say("ready");
    assert_eq!(successor.hear(), "go");
    // Whoever watches a service has to hear of the new process before the old one ends. Meanwhile that one asks to be asked.
    let (path, new) = (stage.dir.path("countersign-data/handover.sock"), stage.dir.path("new"));
    let _door = UnixListener::bind(&new).unwrap();
    std::fs::rename(&new, &path).unwrap();
    std::thread::sleep(Duration::from_millis(500));
    assert!(!gateway.has_ended());
    drop(successor);
    assert_eq!(gateway.wait(), Some(0));
    assert!(UnixStream::connect(&path).is_ok());
}

#[test]
fn a_successor_that_can_t_serve_leaves_the_one_that_does_in_place() {
    let stage = Stage::new(upstream(), "");
    let gateway = Gateway::start(&stage.dir);
    let address = gateway.address;
    let config = stage.dir.read("countersign.toml");
    // One address more, which somebody else has: found out when the sockets are opened, after the other stood back.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let more = format!("[\"127.0.0.1:0\", \"{}\"]", taken.local_addr().unwrap());
    stage.dir.write("countersign.toml", &config.replacen("[\"127.0.0.1:0\"]", &more, 1));
    let failed = stage.dir.run("gateway --take-over");
    assert_eq!(failed.code, 2, "{failed:?}");
    assert_eq!(ask(address, &stage.request(address)), Ok(200));
    stage.dir.write("countersign.toml", &config.replace("/orders", "orders"));
    assert_eq!(stage.dir.run("gateway --take-over").code, 2);
    assert_eq!(ask(address, &stage.request(address)), Ok(200));
    // Without the word for it, nobody is replaced.
    stage.dir.write("countersign.toml", &config);
    assert_eq!(stage.dir.run("gateway").code, 2);
    let next = stage.next();
    assert_eq!(gateway.wait(), Some(0));
    assert_eq!(ask(address, &stage.request(address)), Ok(200));
    drop(next);
}

#[test]
fn a_registry_elsewhere_stays_locked_from_one_process_to_the_next() {
    let stage = Stage::new(upstream(), "");
    let config = stage.dir.read("countersign.toml");
    let data = stage.dir.path("countersign-data");
    std::fs::rename(&data, stage.dir.path("elsewhere")).unwrap();
    stage.dir.write("countersign.toml", &format!("{config}\n[registry]\nurl = \"sqlite:elsewhere/registry.db\"\n"));
    let other = stage.dir.read("countersign.toml").replacen("[gateway]", "data = \"other\"\n[gateway]", 1);
    stage.dir.write("other.toml", &other);
    let mut gateway = Gateway::start(&stage.dir);
    let captured = stage.request(gateway.address);
    assert_eq!(ask(gateway.address, &captured), Ok(200));
    for _ in 0..2 {
        let next = stage.next();
        assert_eq!(gateway.wait(), Some(0), "{}", stage.dir.read("log"));
        gateway = next;
        assert_eq!(ask(gateway.address, &captured), Ok(401));
        let beside = stage.dir.run("gateway --config other.toml");
        assert_eq!(beside.code, 2, "{beside:?}");
        assert!(beside.err.contains("is served by another gateway"), "{beside:?}");
    }
    assert_eq!(gateway.end("-TERM"), Some(0));
}

#[test]
fn a_successor_that_remembers_elsewhere_is_told_to_restart_plainly() {
    let stage = Stage::new(upstream(), "");
    let gateway = Gateway::start(&stage.dir);
    let mut command = stage.dir.command("gateway --take-over");
    let refused = command.env("COUNTERSIGN_REPLAY__URL", "redis://127.0.0.1:1/").output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains("remembers alone") && said.contains("without --take-over"), "{said}");
    assert_eq!(ask(gateway.address, &stage.request(gateway.address)), Ok(200));
}

#[test]
fn a_body_that_does_not_come_is_not_waited_for() {
    let stage = Stage::new(upstream(), "handover_timeout = \"500ms\"");
    let gateway = Gateway::start(&stage.dir);
    let address = gateway.address;
    let request = stage.request(address);
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(&request.as_bytes()[..request.len() - 1]).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    let began = Instant::now();
    let next = stage.next();
    // A body has a minute.
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    // Too late to be decided where it began, and never to be decided there again.
    stream.write_all(&request.as_bytes()[request.len() - 1..]).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("\"unavailable\""), "{answer}");
    assert_eq!(ask(next.address, &request), Ok(200), "its nonce was not spent");
    assert_eq!(gateway.wait(), Some(0));
}

#[test]
fn a_head_that_does_not_come_is_not_waited_for() {
    let stage = Stage::new(upstream(), "head_timeout = \"50s\"\nhandover_timeout = \"60s\"");
    let gateway = Gateway::start(&stage.dir);
    // One that was never heard, and one behind a request.
    let mut streams = ["", "GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n"].map(|before| {
        let mut stream = TcpStream::connect(gateway.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(before.as_bytes()).unwrap();
        let mut answer = Vec::new();
        while !before.is_empty() && !answer.ends_with(b"}") {
            answer.push(0);
            stream.read_exact(answer.last_mut().map(std::slice::from_mut).unwrap()).unwrap();
        }
        stream.write_all(b"GET /orders HTTP/1.1\r\n").unwrap();
        stream
    });
    std::thread::sleep(Duration::from_millis(200));
    let began = Instant::now();
    let next = stage.next();
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    for stream in &mut streams {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        // RFC 9110 §15.5.9: it was not heard, and may be sent again.
        assert!(answer.contains("HTTP/1.1 408 "), "{answer}");
    }
    assert_eq!(gateway.wait(), Some(0));
    drop(next);
}

#[test]
fn who_gets_nothing_is_told_why_and_fails_at_once() {
    let stage = Stage::new(upstream(), "");
    let gateway = Gateway::start(&stage.dir);
    // Another version: it is told so each time, and the log is once.
    for pid in 1..=20 {
        let stream = UnixStream::connect(stage.dir.path("countersign-data/handover.sock")).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        writeln!(&stream, "countersign take-over 2 {pid}").unwrap();
        let mut said = String::new();
        (&stream).read_to_string(&mut said).unwrap();
        assert_eq!(said, "unknown version\n");
    }
    assert_eq!(stage.dir.read("log").matches("\"event\":\"not handed over\"").count(), 1);
    // The other side: here one that says so before it is asked, and does not hear.
    let (path, new) = (stage.dir.path("countersign-data/handover.sock"), stage.dir.path("new"));
    let door = UnixListener::bind(&new).unwrap();
    std::fs::rename(&new, &path).unwrap();
    for line in ["not yours", "unknown version"] {
        let other = door.try_clone().unwrap();
        let refuses = std::thread::spawn(move || writeln!(other.accept().unwrap().0, "{line}").unwrap());
        let began = Instant::now();
        let refused = stage.dir.run("gateway --take-over");
        assert!(refused.code == 2 && refused.err.contains(line), "{refused:?}");
        assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
        refuses.join().unwrap();
    }
    assert_eq!(ask(gateway.address, &stage.request(gateway.address)), Ok(200));
}
