//! `registry.trusted_sites` from outside: files come and go in one process, gateways in others go by them.

mod support;

use std::time::{Duration, Instant};

use support::Dir;
use support::gateway::{Gateway, send, upstream};

/// Two gateways, each with data of its own, over one directory of sites.
fn deployment() -> (Dir, [Gateway; 2]) {
    let dir = Dir::new();
    std::fs::create_dir(dir.path("keys")).unwrap();
    let route = |path: &str| {
        format!(
            "\n[[route]]\npath = \"{path}\"\nupstream = \"http://{}\"\nschemes = [\"trusted-site\"]\nrefusals = \"components\"\n",
            upstream()
        )
    };
    let start = |name: &str| {
        let config = format!(
            "data = \"{name}\"\n[gateway]\nlisten = [\"127.0.0.1:0\"]\nworkers = 1\n[admin]\nlisten = \"127.0.0.1:0\"\n\
             [registry]\ntrusted_sites = \"keys\"\n{}",
            route("/login")
        );
        dir.write("countersign.toml", &config);
        Gateway::start(&dir)
    };
    let gateways = [start("one"), start("two")];
    (dir, gateways)
}

fn key(dir: &Dir, name: &str) {
    dir.fine(&format!("key generate --algorithm rsa-v1_5-sha256 --bits 2048 --out {name}"));
}

/// Copies a public key into the directory, as an operator does.
fn put(dir: &Dir, key: &str, site: &str) {
    std::fs::copy(dir.path(&format!("{key}.pub")), dir.path(&format!("keys/{site}_public.pem"))).unwrap();
}

fn signed(dir: &Dir, gateway: &Gateway, key: &str, site: &str) -> String {
    let (host, unique) = (gateway.address, std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos());
    let message = format!(
        "POST /login HTTP/1.1\nHost: {host}\nConnection: close\nContent-Type: application/json\n\n{{\"email\": \"a@b.example\", \"n\": {unique}}}"
    );
    dir.fine_with(&format!("sign --scheme trusted-site --key {key} --id {site}"), message.as_bytes())
}

#[track_caller]
fn within_a_second(what: &str, holds: impl Fn() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < Duration::from_secs(1), "not within a second: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_file_lets_a_site_in_and_its_removal_ends_that_at_every_gateway() {
    let (dir, gateways) = deployment();
    key(&dir, "site");
    let passes = |gateway| send(gateway, &signed(&dir, &gateways[0], "site", "drupal_v2")).0 == 200;
    assert!(!passes(gateways[0].address));
    put(&dir, "site", "drupal_v2");
    for gateway in &gateways {
        within_a_second("added", || send(gateway.address, &signed(&dir, gateway, "site", "drupal_v2")).0 == 200);
    }
    let (status, seen) = send(gateways[0].address, &signed(&dir, &gateways[0], "site", "drupal_v2"));
    let lower = seen.to_ascii_lowercase();
    assert!(status == 200 && lower.contains("countersign-partner: drupal\r\n"), "{seen}");
    assert!(lower.contains("countersign-key: drupal_v2\r\n") && seen.contains("\r\n\r\n{\"email\""), "{seen}");
    let requests = gateways
        .each_ref()
        .map(|gateway| (0..50).map(|_| signed(&dir, gateway, "site", "drupal_v2")).collect::<Vec<_>>());
    std::fs::remove_file(dir.path("keys/drupal_v2_public.pem")).unwrap();
    let removed = Instant::now();
    for (gateway, requests) in gateways.iter().zip(requests) {
        let refused = requests.iter().any(|request| {
            std::thread::sleep(Duration::from_millis(10));
            send(gateway.address, request).0 == 401
        });
        assert!(refused && removed.elapsed() < Duration::from_secs(1), "{:?}", removed.elapsed());
    }
}

#[test]
fn the_same_key_under_two_names_is_one_to_the_replay_memory() {
    let (dir, [gateway, _other]) = deployment();
    key(&dir, "site");
    put(&dir, "site", "one_v1");
    put(&dir, "site", "one_v2");
    within_a_second("added", || send(gateway.address, &signed(&dir, &gateway, "site", "one_v2")).0 == 200);
    let message = signed(&dir, &gateway, "site", "one_v1");
    assert_eq!(send(gateway.address, &message).0, 200);
    let renamed = message.replace("\"one_v1\"", "\"one_v2\"");
    assert_ne!(message, renamed);
    let (status, refusal) = send(gateway.address, &renamed);
    assert_eq!((status, refusal.contains("\"replayed\"")), (401, true), "{refusal}");
}

#[test]
fn what_is_no_good_is_named_in_the_log_while_the_gateway_runs() {
    let (dir, _gateways) = deployment();
    dir.write("keys/torn_public.pem", "-----BEGIN PUBLIC KEY-----\n");
    dir.write("keys/a%2f_public.pem", "");
    within_a_second("named", || {
        let log = dir.read("log");
        ["torn_public.pem: ", "a%2f_public.pem: "].iter().all(|name| log.contains(name))
    });
    std::thread::sleep(Duration::from_millis(600));
    assert_eq!(dir.read("log").matches("torn_public.pem: ").count(), 2, "once at each gateway");
}

#[test]
fn a_sites_key_is_listed_and_revoking_it_outlives_its_file() {
    let (dir, [_one, gateway]) = deployment();
    key(&dir, "site");
    put(&dir, "site", "drupal_v2");
    dir.write("keys/torn_public.pem", "");
    within_a_second("added", || send(gateway.address, &signed(&dir, &gateway, "site", "drupal_v2")).0 == 200);
    let ran = dir.run("key list");
    let row = ["drupal_v2", "2", "drupal", "trusted-site", "rsa-v1_5-sha256", "active"];
    let listed = |line: &str| line.split_whitespace().take(6).eq(row);
    assert!(ran.out.lines().any(listed) && ran.err.contains("torn_public.pem: "), "{ran:?}");
    assert!(dir.fine("key list --partner drupal").contains("drupal_v2"));
    assert_eq!(dir.run("key list --partner joomla").code, 2);
    assert!(dir.fine("key show drupal_v2").contains("partner      drupal"));
    assert_eq!(dir.run("key show drupal_v3").code, 2);
    assert_eq!(dir.run("key revoke drupal_v3 --reason stolen").code, 2);
    assert_eq!(dir.run("key revoke drupal_v2 --scheme pki --reason stolen").code, 2);

    for change in ["retire", "activate"] {
        let ran = dir.run(&format!("key {change} drupal_v2"));
        assert!(ran.code == 2 && ran.err.contains("a file of trusted sites has it: remove that"), "{ran:?}");
    }
    let out = dir.fine("key revoke drupal_v2 --reason stolen");
    assert!(out.contains("revoked    key drupal_v2") && out.contains("partner drupal"), "{out}");
    within_a_second("revoked", || send(gateway.address, &signed(&dir, &gateway, "site", "drupal_v2")).0 == 401);
    assert!(dir.fine("key show drupal_v2").contains("stolen"));
    // The same key under another name, and another key under this name.
    put(&dir, "site", "drupal_v3");
    key(&dir, "other");
    put(&dir, "other", "drupal_v2");
    std::thread::sleep(Duration::from_millis(700));
    assert_eq!(send(gateway.address, &signed(&dir, &gateway, "site", "drupal_v3")).0, 401);
    assert_eq!(send(gateway.address, &signed(&dir, &gateway, "other", "drupal_v2")).0, 401);
}

#[test]
fn a_message_is_verified_offline_by_the_directory_and_the_registry_wins() {
    let (dir, [gateway, _other]) = deployment();
    key(&dir, "site");
    put(&dir, "site", "drupal");
    let message = signed(&dir, &gateway, "site", "drupal");
    let verify = "verify --config countersign.toml";
    let out = dir.fine_with(verify, message.as_bytes());
    assert!(out.contains("partner    drupal, version 1"), "{out}");
    key(&dir, "other");
    dir.fine("partner add joomla");
    dir.fine(
        "key add --partner joomla --id drupal --scheme trusted-site --algorithm rsa-v1_5-sha256 --public-key other.pub",
    );
    assert_eq!(dir.run_with(verify, message.as_bytes()).code, 12);
    dir.fine("key revoke drupal --reason stolen");
    assert_eq!(dir.run_with(verify, message.as_bytes()).code, 11);
    assert!(dir.run("lint").out.contains("trusted-site signs payload and timestamp alone"));
}
