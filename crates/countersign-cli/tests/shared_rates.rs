//! What a partner may ask of two gateways together, counted in a real Redis.

#[path = "faults/load.rs"]
#[allow(dead_code, reason = "it brings a steady load, too")]
mod load;
#[path = "../../countersign-store/tests/support/redis_server.rs"]
mod redis_server;
mod support;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use load::Sender;
use redis_server::RedisServer;
use support::Dir;
use support::gateway::{Gateway, send_for_head, upstream};

#[test]
fn two_gateways_together_admit_the_rate_and_no_more() {
    let server = RedisServer::start();
    let stage = Stage::new(&format!("[replay]\nurl = \"{}\"\n", server.url()), "30/m");
    let began = Instant::now();
    let answers = stage.at_once(15);
    // One more comes back every two seconds.
    let back = began.elapsed().as_secs() / 2;
    let mut left: Vec<u64> = answers.iter().filter(|answer| answer.status == 200).map(|it| it.field("r")).collect();
    left.sort_unstable();
    assert!((30..=30 + back).contains(&(left.len() as u64)), "{} of {} passed", left.len(), answers.len());
    left.dedup();
    assert_eq!(left[left.len() - 30..], (0..30).collect::<Vec<_>>(), "each was told what all gateways leave");
    assert!(answers.len() >= 120);
    for answer in &answers {
        assert!(answer.head.contains("\r\nratelimit-policy: \"partner\";q=30;w=60\r\n"), "{}", answer.head);
        if answer.status != 200 {
            assert_eq!((answer.status, answer.field("r")), (429, 0), "{}", answer.head);
            assert!((1..=2).contains(&answer.field("t")), "{}", answer.head);
            assert!(answer.head.contains("\r\nretry-after: "), "{}", answer.head);
        }
    }
    // What was refused costs nothing.
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(stage.ask(1).status, 200);
}

#[test]
fn a_steady_flood_at_two_gateways_gets_the_rate_and_no_more() {
    let server = RedisServer::start();
    let stage = Stage::new(&format!("[replay]\nurl = \"{}\"\n", server.url()), "20/s");
    let began = Instant::now();
    let threads = (0..4).map(|number| {
        let (sender, to) = (stage.sender.clone(), stage.gateways[number % 2].address);
        std::thread::spawn(move || {
            let mut passed = 0;
            while began.elapsed() < Duration::from_secs(3) {
                passed += u32::from(ask(&sender, to).status == 200);
            }
            passed
        })
    });
    let passed: u32 = threads.collect::<Vec<_>>().into_iter().map(|it| it.join().unwrap()).sum();
    let most = 20.0 + 20.0 * began.elapsed().as_secs_f64();
    assert!(f64::from(passed) <= most && f64::from(passed) >= 76.0, "{passed} passed, {most} may");
}

#[test]
fn gateways_that_share_no_memory_count_for_themselves() {
    let stage = Stage::new("", "30/m");
    let one = stage.at_once(10).iter().filter(|answer| answer.status == 200).count();
    assert!((60..=64).contains(&one), "{one}");
}

/// Counted by nobody, it is refused: also where a message says nothing that could be remembered.
#[test]
fn a_store_that_is_down_lets_nobody_ask_without_end() {
    let mut server = RedisServer::start();
    let stage = Stage::new(&format!("[replay]\nurl = \"{}\"\n", server.url()), "30/m");
    assert_eq!(stage.ask(0).status, 200);
    server.kill();
    for number in 0..4 {
        let answer = stage.ask(number % 2);
        assert_eq!(answer.status, 503, "{}", answer.head);
        assert!(answer.head.contains("\r\nretry-after: "), "{}", answer.head);
    }
}

#[test]
fn lint_says_where_rates_are_counted() {
    let dir = Dir::new();
    let config = |replay: &str, rate: &str| {
        format!("{replay}[[route]]\npath = \"/orders\"\nupstream = \"http://127.0.0.1:1\"\n{rate}")
    };
    let shared = "[replay]\nurl = \"redis://127.0.0.1\"\n";
    for (replay, rate, says, json) in [
        ("", "rate = \"1/s\"", "by each gateway for itself", "\"own\""),
        (shared, "rate = \"1/s\"", "in the replay store", "\"shared\""),
        (shared, "", "", "null"),
    ] {
        dir.write("countersign.toml", &config(replay, rate));
        let said = dir.run("lint");
        assert!(said.out.contains(says) && said.out.contains("rates are counted") != says.is_empty(), "{said:?}");
        let said = dir.run("lint --json").out.replace(' ', "");
        assert!(said.contains(&format!("\"rates\":{json}")), "{said}");
    }
}

/// Two gateways with a data directory each, in front of one API.
struct Stage {
    gateways: [Gateway; 2],
    sender: Sender,
    _dir: Dir,
}

struct Answer {
    status: u16,
    head: String,
}

impl Stage {
    fn new(replay: &str, rate: &str) -> Self {
        let (dir, upstream) = (Dir::new(), upstream());
        for name in ["one", "two"] {
            let registry = if replay.is_empty() { name } else { "registry" };
            let config = format!(
                "data = \"{name}\"\n[gateway]\nlisten = [\"127.0.0.1:0\"]\nworkers = 1\n[admin]\nlisten = \"127.0.0.1:0\"\n\
                 [registry]\nurl = \"sqlite:{registry}/registry.db\"\n{replay}[[route]]\npath = \"/orders\"\nupstream = \
                 \"http://{upstream}\"\nrequire = [\"@method\", \"@authority\", \"@path\", \"@query\", \"content-digest\"]\n\
                 rate = \"{rate}\"\n"
            );
            dir.write(&format!("{name}.toml"), &config);
        }
        dir.fine("key generate --algorithm ed25519 --out acme.key");
        for name in if replay.is_empty() { &["one", "two"][..] } else { &["one"] } {
            dir.fine(&format!("partner add acme --config {name}.toml"));
            let key = "--scheme http-message-signatures --algorithm ed25519 --public-key acme.key.pub";
            dir.fine(&format!("key add --partner acme --id acme-1 {key} --config {name}.toml"));
        }
        let sender = Sender::new(dir.read("acme.key").as_bytes(), "acme-1");
        let start = |name| Gateway::started(&dir, dir.command(&format!("gateway --config {name}.toml")));
        Self { gateways: [start("one"), start("two")], sender, _dir: dir }
    }

    fn ask(&self, gateway: usize) -> Answer {
        ask(&self.sender, self.gateways[gateway].address)
    }

    /// Asks so often on each of eight threads, in turn at both.
    fn at_once(&self, each: usize) -> Vec<Answer> {
        let threads = (0..8).map(|number| {
            let (sender, to) = (self.sender.clone(), [0, 1].map(|it| self.gateways[(number + it) % 2].address));
            std::thread::spawn(move || (0..each).map(|turn| ask(&sender, to[turn % 2])).collect::<Vec<_>>())
        });
        threads.collect::<Vec<_>>().into_iter().flat_map(|it| it.join().unwrap()).collect()
    }
}

impl Answer {
    /// A parameter of `RateLimit`.
    #[track_caller]
    fn field(&self, name: &str) -> u64 {
        let line = self.head.split("\r\nratelimit: ").nth(1).unwrap_or_else(|| panic!("{}", self.head));
        let value = line.lines().next().unwrap().split(';').find_map(|it| it.strip_prefix(&format!("{name}=")));
        value.unwrap().parse().unwrap()
    }
}

fn ask(sender: &Sender, to: SocketAddr) -> Answer {
    let request = sender.request(to, "/orders", "{}").replacen("\r\n", "\r\nConnection: close\r\n", 1);
    let (status, head, _) = send_for_head(to, &request);
    Answer { status, head: head + "\r\n" }
}
