//! A field that is sealed beside its sender and opened in front of its API, in two processes: nobody in between reads it.

#[path = "sealed/absent.rs"]
mod absent;
mod support;

use std::time::{Duration, Instant};

use support::Dir;
use support::gateway::{Gateway, send, upstream};
use support::sidecar::Sidecar;

const ORDER: &str = "{\"card\": {\"number\": \"4111 1111\"}, \"amount\": 12.50}";

fn deployment() -> Dir {
    let dir = Dir::new();
    dir.write(
        "countersign.toml",
        &format!(
            "[gateway]\nlisten = [\"127.0.0.1:0\"]\n[admin]\nlisten = \"127.0.0.1:0\"\n[seal]\nkeys = [\"seal.pem\"]\n[[route]]\npath \
             = \"/orders\"\nupstream = \"http://{}\"\nrefusals = \"full\"\nopen = [\"/card/number\"]\n",
            upstream()
        ),
    );
    dir.fine("key generate --algorithm ecdh-es --out seal.pem");
    dir.fine("partner add acme");
    dir.fine("key generate --algorithm ed25519 --out acme.key");
    dir.fine("key add --partner acme --id acme-1 --scheme http-message-signatures --algorithm ed25519 --public-key acme.key.pub");
    dir
}

fn sidecar(dir: &Dir, to: std::net::SocketAddr) -> Sidecar {
    dir.write(
        "sidecar.toml",
        &format!(
            "[sidecar]\nlisten = \"127.0.0.1:0\"\nto = \"http://{to}\"\nkey = \"acme.key\"\nid = \"acme-1\"\n[sidecar.seal]\nfields = \
             [\"/card/number\"]\nto = \"seal.pem.pub\"\npartner = \"acme\"\n"
        ),
    );
    Sidecar::start(dir, "--config sidecar.toml")
}

#[test]
fn a_card_number_is_read_by_the_api_alone() {
    let dir = deployment();
    let gateway = Gateway::start(&dir);
    let (status, seen) =
        sidecar(&dir, gateway.address).send("POST", "/orders", "Content-Type: application/json\r\n", ORDER);
    assert_eq!(status, 200, "{seen}");
    assert!(seen.ends_with(ORDER) && seen.to_ascii_lowercase().contains("countersign-partner: acme"), "{seen}");
    assert!(!dir.read("log").contains("4111 1"));

    // What goes over the wire: here to an API without a gateway.
    let network = sidecar(&dir, upstream());
    let (_, seen) =
        network.send("POST", "/orders", "Content-Type: application/json\r\nContent-Digest: sha-256=:AA==:\r\n", ORDER);
    assert!(!seen.contains("4111 1") && seen.contains("\"number\": \"ey") && seen.contains("12.50"), "{seen}");
    assert!(!seen.contains(":AA==:"), "{seen}");
}

#[test]
fn what_was_sealed_by_hand_is_opened_and_the_key_to_seal_with_is_published() {
    let dir = deployment();
    let gateway = Gateway::start(&dir);
    let get = format!("GET /.well-known/jwks.json HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", gateway.address);
    let (status, jwks) = send(gateway.address, &get);
    assert_eq!(status, 200, "{jwks}");
    let jwk = jwks.strip_prefix("{\"keys\":[").and_then(|rest| rest.strip_suffix("]}")).unwrap();
    dir.write("published.jwk", jwk);
    let body = dir.fine_with("seal --field /card/number --to published.jwk --partner acme", ORDER.as_bytes());
    let request = format!(
        "POST /orders HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n{body}",
        gateway.address
    );
    let signed = dir.fine_with("sign --key acme.key --id acme-1", request.as_bytes());
    let (status, seen) = send(gateway.address, &signed);
    assert_eq!(status, 200, "{seen}");
    assert!(seen.ends_with(ORDER), "{seen}");
}

/// A gateway that keeps its own keys, and a sidecar that asks it for whom to seal.
fn without_files() -> Dir {
    let dir = deployment();
    let config = dir.read("countersign.toml").replace("keys = [\"seal.pem\"]\n", "");
    dir.write("countersign.toml", &config);
    dir
}

fn asking(dir: &Dir, to: std::net::SocketAddr) -> Sidecar {
    dir.write(
        "sidecar.toml",
        &format!(
            "[sidecar]\nlisten = \"127.0.0.1:0\"\nto = \"http://{to}\"\nkey = \"acme.key\"\nid = \"acme-1\"\n[sidecar.seal]\nfields = \
             [\"/card/number\"]\npartner = \"acme\"\n"
        ),
    );
    Sidecar::start(dir, "--config sidecar.toml")
}

fn published(gateway: &Gateway) -> Vec<String> {
    let get = format!("GET /.well-known/jwks.json HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", gateway.address);
    let (status, jwks) = send(gateway.address, &get);
    assert_eq!(status, 200, "{jwks}");
    let jwks: serde_json::Value = serde_json::from_str(&jwks).unwrap();
    jwks["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

#[track_caller]
fn until<T>(what: &str, mut is: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = is() {
            return found;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "not in time: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

const JSON: &str = "Content-Type: application/json\r\n";

#[test]
fn a_gateway_makes_its_own_key_and_the_sidecar_seals_for_it() {
    let dir = without_files();
    let gateway = Gateway::start(&dir);
    let kids = published(&gateway);
    assert_eq!(kids.len(), 1);
    let listed = dir.fine("seal-key list --json");
    assert!(listed.contains(&kids[0]) && listed.contains("ECDH-ES+A256KW") && listed.contains("\"current\": true"));
    let (status, seen) = asking(&dir, gateway.address).send("POST", "/orders", JSON, ORDER);
    assert_eq!(status, 200, "{seen}");
    assert!(seen.ends_with(ORDER), "{seen}");
    drop(gateway);
    let again = Gateway::start(&dir);
    assert_eq!(published(&again), kids, "a start makes no other key where there is one");
}

#[test]
fn a_key_that_is_revoked_opens_no_more_and_the_sidecar_takes_the_next() {
    let dir = without_files();
    let gateway = Gateway::start(&dir);
    let former = published(&gateway).remove(0);
    let sidecar = asking(&dir, gateway.address);
    assert_eq!(sidecar.send("POST", "/orders", JSON, ORDER).0, 200);
    dir.fine(&format!("seal-key revoke {former} --reason lost"));
    let begun = Instant::now();
    let next = until("another key", || published(&gateway).into_iter().next().filter(|kid| *kid != former));
    assert!(begun.elapsed() < Duration::from_millis(1500), "{:?}", begun.elapsed());
    assert_eq!(published(&gateway), [next.as_str()]);
    until("the sidecar seals for it", || (sidecar.send("POST", "/orders", JSON, ORDER).0 == 200).then_some(()));
    assert!(dir.read("sidecar.log").contains(&format!("sealing for the new key {next}")));
    assert!(!dir.read("log").contains("4111 1") && !dir.read("sidecar.log").contains("4111 1"));
}

#[test]
fn a_key_that_is_rotated_goes_on_opening_and_the_next_is_published_behind_it() {
    let dir = without_files();
    let gateway = Gateway::start(&dir);
    let first = published(&gateway).remove(0);
    let sidecar = asking(&dir, gateway.address);
    let said = dir.fine("seal-key rotate --algorithm rsa-oaep-256");
    assert!(said.contains("RSA-OAEP-256"), "{said}");
    let kids = until("two keys", || Some(published(&gateway)).filter(|kids| kids.len() == 2));
    assert_eq!(kids[0], first, "nobody seals for the next before everybody has it");
    assert_eq!(sidecar.send("POST", "/orders", JSON, ORDER).0, 200);
    let ran = dir.run(&format!("seal-key retire {first}"));
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("in use"), "{ran:?}");
}

#[test]
fn files_stand_before_the_keys_of_the_registry_and_both_open() {
    let dir = without_files();
    let gateway = Gateway::start(&dir);
    let own = published(&gateway).remove(0);
    let config = dir.read("countersign.toml").replace("[seal]\n", "[seal]\nkeys = [\"seal.pem\"]\n");
    let sidecar = asking(&dir, gateway.address);
    assert_eq!(sidecar.send("POST", "/orders", JSON, ORDER).0, 200);
    dir.write("countersign.toml", &config);
    let kids = until("the file's key", || Some(published(&gateway)).filter(|kids| kids.len() == 2));
    assert_eq!(kids[1], own);
    assert_eq!(sidecar.send("POST", "/orders", JSON, ORDER).0, 200, "sealed for the one before");
}

#[test]
fn a_route_that_opens_only_after_a_reload_has_its_key_then() {
    let dir = without_files();
    let config = dir.read("countersign.toml");
    dir.write("countersign.toml", &config.replace("open = [\"/card/number\"]\n", ""));
    let gateway = Gateway::start(&dir);
    let get = format!("GET /.well-known/jwks.json HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", gateway.address);
    assert_eq!(send(gateway.address, &get).0, 404);
    dir.write("countersign.toml", &config);
    until("a key", || (send(gateway.address, &get).0 == 200).then_some(()));
    assert_eq!(asking(&dir, gateway.address).send("POST", "/orders", JSON, ORDER).0, 200);
}

/// Until its recipient has told whom to seal for, nothing goes out: least of all in the clear.
#[test]
fn without_a_key_to_seal_for_nothing_is_sent() {
    let dir = deployment();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (status, seen) = asking(&dir, nobody).send("POST", "/orders", JSON, ORDER);
    assert_eq!(status, 503, "{seen}");
    let (status, seen) = asking(&dir, upstream()).send("POST", "/orders", JSON, ORDER);
    assert_eq!(status, 503, "{seen}");
    assert!(dir.read("sidecar.log").contains("nothing is sent") && !dir.read("sidecar.log").contains("4111 1"));
}

#[test]
fn of_a_directory_the_last_name_is_sealed_for_and_a_new_one_is_noticed() {
    let dir = deployment();
    dir.fine("key generate --algorithm rsa-oaep-256 --bits 2048 --out new.pem");
    std::fs::create_dir(dir.path("recipient")).unwrap();
    std::fs::copy(dir.path("seal.pem.pub"), dir.path("recipient/2025.pub")).unwrap();
    let config = dir.read("countersign.toml").replace("\"seal.pem\"", "\"new.pem\", \"seal.pem\"");
    dir.write("countersign.toml", &config);
    let gateway = Gateway::start(&dir);
    let kids = published(&gateway);
    let sidecar = sidecar(&dir, gateway.address);
    drop(sidecar);
    dir.write("sidecar.toml", &dir.read("sidecar.toml").replace("seal.pem.pub", "recipient"));
    let sidecar = Sidecar::start(&dir, "--config sidecar.toml");
    assert_eq!(sidecar.send("POST", "/orders", JSON, ORDER).0, 200);
    std::fs::copy(dir.path("new.pem.pub"), dir.path("recipient/.2026.pub")).unwrap();
    std::fs::rename(dir.path("recipient/.2026.pub"), dir.path("recipient/2026.pub")).unwrap();
    let told = format!("sealing for the new key {}", kids[0]);
    until("the new key", || dir.read("sidecar.log").contains(&told).then_some(()));
    assert_eq!(sidecar.send("POST", "/orders", JSON, ORDER).0, 200);
    std::fs::remove_dir_all(dir.path("recipient")).unwrap();
    until("told", || dir.read("sidecar.log").contains("sealing on for the key before").then_some(()));
    assert_eq!(sidecar.send("POST", "/orders", JSON, ORDER).0, 200);
}

/// Ten minutes, where nobody says otherwise.
#[test]
fn what_the_sidecar_seals_ends() {
    let dir = deployment();
    let network = sidecar(&dir, upstream());
    let (_, seen) = network.send("POST", "/orders", JSON, ORDER);
    let sealed = seen.rsplit("\r\n").next().unwrap();
    let open = "open --field /card/number --key seal.pem --partner acme";
    assert_eq!(dir.fine_with(open, sealed.as_bytes()), ORDER);
    assert_eq!(dir.fine_with(&format!("{open} --now +9m"), sealed.as_bytes()), ORDER);
    assert_eq!(dir.run_with(&format!("{open} --now +11m"), sealed.as_bytes()).code, 2);
}
