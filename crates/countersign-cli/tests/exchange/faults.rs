//! Many at once, and a database that somebody holds. A process that is killed: `registrations.rs`.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::support::gateway::{Gateway, send};
use super::support::site::REGISTER;
use super::{deployment, users};

#[test]
fn mistake_23_hundreds_of_registrations_at_once_make_one_user() {
    let (dir, gateway, sites) = deployment("");
    let sites = Arc::new(sites);
    let address = gateway.address;
    let asking: Vec<_> = (0..300)
        .map(|number| {
            let sites = Arc::clone(&sites);
            thread::spawn(move || {
                let email = ["ana@example.com", "ANA@example.com", "Ana@Example.COM"][number % 3];
                let said = sites[number % 3].ask(address, REGISTER, email);
                (said.status, said.body["user"]["id"].as_str().map(str::to_owned))
            })
        })
        .collect();
    let said: Vec<_> = asking.into_iter().map(|it| it.join().unwrap()).collect();
    let ids: Vec<_> = said.iter().filter(|(status, _)| *status == 201).collect();
    assert_eq!(ids.len(), 1, "{said:?}");
    assert_eq!(said.iter().filter(|(status, _)| *status == 409).count(), 299, "{said:?}");
    assert_eq!(users(&dir), ["ana@example.com"]);
}

#[test]
fn with_the_database_held_by_another_registrations_are_unavailable_and_nobody_is_created() {
    let (dir, gateway, [shop, ..]) = deployment("");
    assert_eq!(shop.register(&gateway, "ana@example.com").status, 201);
    let hold = "import sqlite3, sys\nc = sqlite3.connect('countersign-data/registry.db', isolation_level=None)\n\
                c.execute('BEGIN IMMEDIATE')\nprint('held', flush=True)\nsys.stdin.read()";
    let mut holder = Command::new("python3")
        .args(["-c", hold])
        .current_dir(dir.here())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "held\n");
    let said = shop.register(&gateway, "bob@example.com");
    assert_eq!((said.status, said.code()), (503, "unavailable"));
    assert!(said.head.contains("retry-after: "), "{}", said.head);
    // Who is there already is found all the same.
    assert_eq!(shop.login(&gateway, "ana@example.com").status, 200);
    drop(holder.stdin.take());
    holder.wait().unwrap();
    assert_eq!(users(&dir), ["ana@example.com"]);
    assert_eq!(shop.register(&gateway, "bob@example.com").status, 201);
}

/// The sites' five minutes are no reason to refuse what everybody else signs.
#[test]
fn after_kill_9_only_the_exchange_waits_for_the_skew_of_the_sites() {
    let (dir, gateway, [shop, ..]) = deployment("");
    dir.fine("key generate --algorithm ed25519 --out order.key");
    dir.fine(
        "key add --partner shop --id orders --scheme http-message-signatures --algorithm ed25519 --public-key order.key.pub",
    );
    let config =
        dir.read("countersign.toml").replace("path = \"/orders\"\n", "path = \"/orders\"\nmax_skew = \"2s\"\n");
    dir.write("countersign.toml", &config);
    let ready = |gateway: &Gateway| {
        send(gateway.admin, "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").0 == 200
    };
    gateway.end("-TERM");
    // As if it had never admitted under the longer skew: that would count for half a minute.
    for file in ["replay.state", "clock"] {
        std::fs::remove_file(dir.path(&format!("countersign-data/{file}"))).unwrap();
    }
    let gateway = Gateway::start(&dir);
    assert!(ready(&gateway));
    assert_eq!(shop.register(&gateway, "ana@example.com").status, 201);
    gateway.end("-KILL");
    let gateway = Gateway::start(&dir);
    assert!(!ready(&gateway));
    let begun = Instant::now();
    while !ready(&gateway) {
        assert!(begun.elapsed() < Duration::from_secs(60), "not ready in time: {}", dir.read("log"));
        thread::sleep(Duration::from_millis(200));
    }
    let order = format!("GET /orders HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", gateway.address);
    // Stamps are of whole seconds: that of a moment ago may lie before the floor.
    let passes =
        || send(gateway.address, &dir.fine_with("sign --key order.key --id orders", order.as_bytes())).0 == 200;
    while !passes() {
        assert!(begun.elapsed() < Duration::from_secs(60), "refused beyond its own skew: {}", dir.read("log"));
        thread::sleep(Duration::from_millis(200));
    }
    let said = shop.login(&gateway, "ana@example.com");
    assert_eq!((said.status, said.code()), (503, "unavailable"), "{said:?}");
    let wait = said.head.lines().find_map(|line| line.strip_prefix("retry-after: ")?.parse::<u64>().ok());
    assert!(wait.is_some_and(|wait| (200..=300).contains(&wait)), "{}", said.head);
    let warned = dir.read("log");
    assert!(warned.contains("(http-message-signatures)") && warned.contains("(trusted-site)"), "{warned}");
    assert!(!warned.contains("(app-hmac)"), "no route takes it: {warned}");
}
