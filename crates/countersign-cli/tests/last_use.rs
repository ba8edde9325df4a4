//! When a key was last used: written behind the data path of a gateway that runs.

mod support;

use std::time::{Duration, Instant};

use support::Dir;
use support::gateway::{Gateway, send, upstream};

fn deployment() -> Dir {
    let dir = Dir::new();
    let config = format!(
        "[gateway]\nlisten = [\"127.0.0.1:0\"]\nworkers = 1\n[admin]\nlisten = \"127.0.0.1:0\"\n\n[[route]]\npath = \
         \"/orders\"\nupstream = \"http://{}\"\n",
        upstream()
    );
    dir.write("countersign.toml", &config);
    dir.fine("partner add acme");
    for key in ["used", "idle"] {
        dir.fine(&format!("key generate --algorithm ed25519 --out {key}"));
        dir.fine(&format!(
            "key add --partner acme --id {key} --scheme http-message-signatures --algorithm ed25519 --public-key {key}.pub"
        ));
    }
    dir
}

fn order(dir: &Dir, gateway: &Gateway, key: &str) -> String {
    let order = format!("GET /orders HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", gateway.address);
    dir.fine_with(&format!("sign --key {key} --id {key}"), order.as_bytes())
}

fn last_used(dir: &Dir, key: &str) -> Option<String> {
    let shown: serde_json::Value = serde_json::from_str(&dir.fine(&format!("key show {key} --json"))).unwrap();
    shown["keys"][0]["last_used"].as_str().map(str::to_owned)
}

#[test]
fn a_key_that_signs_what_is_admitted_is_seen_in_use_while_the_gateway_runs() {
    let dir = deployment();
    let gateway = Gateway::start(&dir);
    let captured = order(&dir, &gateway, "used");
    assert_eq!(send(gateway.address, &captured).0, 200);
    assert_eq!(send(gateway.address, &order(&dir, &gateway, "idle").replace("/orders", "/orders/1")).0, 401);
    let from = Instant::now();
    while last_used(&dir, "used").is_none() {
        assert!(from.elapsed() < Duration::from_secs(10), "{}", dir.read("log"));
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(last_used(&dir, "idle"), None, "a refused message uses no key");
    let list = dir.fine("key list");
    let day = last_used(&dir, "used").unwrap()[..10].to_owned();
    assert!(list.lines().any(|line| line.starts_with("used ") && line.ends_with(&day)), "{list}");
    assert!(dir.fine("key show used").contains(&format!("\nused         {day}")));
}

#[test]
fn a_use_of_the_last_moment_survives_an_orderly_end() {
    let dir = deployment();
    let gateway = Gateway::start(&dir);
    // The first batch is due at once, the next seconds later.
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(send(gateway.address, &order(&dir, &gateway, "used")).0, 200);
    assert_eq!(last_used(&dir, "used"), None, "not written per request");
    assert_eq!(gateway.end("-TERM"), Some(0));
    assert!(last_used(&dir, "used").is_some());
}

#[test]
fn a_trusted_site_known_by_its_file_alone_is_seen_in_use_too() {
    let dir = Dir::new();
    let config = format!(
        "[gateway]\nlisten = [\"127.0.0.1:0\"]\nworkers = 1\n[admin]\nlisten = \"127.0.0.1:0\"\n[registry]\ntrusted_sites = \
         \"keys\"\n[[route]]\npath = \"/site\"\nupstream = \"http://{}\"\nschemes = [\"trusted-site\"]\n",
        upstream()
    );
    dir.write("countersign.toml", &config);
    dir.fine("key generate --algorithm rsa-v1_5-sha256 --bits 2048 --out site");
    std::fs::create_dir(dir.path("keys")).unwrap();
    std::fs::copy(dir.path("site.pub"), dir.path("keys").join("drupal_public.pem")).unwrap();
    let gateway = Gateway::start(&dir);
    let shown = dir.fine("partner show drupal");
    assert!(shown.contains("known by files of trusted sites alone") && shown.contains("\ndrupal  1 "), "{shown}");
    assert!(dir.fine("partner list").contains("\ndrupal  active  1     by its file"));
    let message = format!("POST /site HTTP/1.1\nHost: {}\nConnection: close\n\n{{}}", gateway.address);
    let signed = dir.fine_with("sign --scheme trusted-site --key site --id drupal", message.as_bytes());
    assert_eq!(send(gateway.address, &signed).0, 200);
    assert_eq!(gateway.end("-TERM"), Some(0));
    assert!(last_used(&dir, "drupal").is_some());
    dir.fine("key revoke drupal --reason gone");
    let list = dir.fine("key list");
    assert!(list.lines().any(|line| line.starts_with("drupal ") && line.contains("revoked")), "{list}");
}
