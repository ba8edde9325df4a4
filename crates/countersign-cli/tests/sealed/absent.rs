//! What a sidecar does with a body that lacks what it is to seal: it goes nowhere.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use super::support::Dir;
use super::support::gateway::{Gateway, upstream};
use super::support::sidecar::Sidecar;
use super::{JSON, ORDER, deployment, without_files};

/// An API without a gateway that counts what reaches it, and says what it got.
fn counting() -> (SocketAddr, Arc<AtomicUsize>) {
    let (listener, count) = (TcpListener::bind("127.0.0.1:0").unwrap(), Arc::<AtomicUsize>::default());
    let (address, api) = (listener.local_addr().unwrap(), upstream());
    let counted = Arc::clone(&count);
    std::thread::spawn(move || {
        for caller in listener.incoming() {
            let (mut from, mut to) = (caller.unwrap(), TcpStream::connect(api).unwrap());
            counted.fetch_add(1, SeqCst);
            let (mut back_from, mut back_to) = (to.try_clone().unwrap(), from.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut from, &mut to));
            std::thread::spawn(move || std::io::copy(&mut back_from, &mut back_to));
        }
    });
    (address, count)
}

fn sealing(dir: &Dir, to: SocketAddr, section: &str) -> Sidecar {
    dir.write(
        "sidecar.toml",
        &format!(
            "[sidecar]\nlisten = \"127.0.0.1:0\"\nto = \"http://{to}\"\nkey = \"acme.key\"\nid = \"acme-1\"\npartner = \"acme\"\n{section}"
        ),
    );
    Sidecar::start(dir, "--config sidecar.toml")
}

#[test]
fn a_field_that_one_side_spells_otherwise_is_not_sent_in_the_clear() {
    let dir = deployment();
    let (api, reached) = counting();
    let section = "[sidecar.seal]\nto = \"seal.pem.pub\"\nfields = [\"/card/number\"]\n";
    let sidecar = sealing(&dir, api, section);
    for body in [
        "{\"card\": {\"nummer\": \"4111 1111\"}}",
        "{\"Card\": {\"number\": \"4111 1111\"}}",
        "{\"card\": [{\"number\": \"4111 1111\"}]}",
        "{\"card\": null, \"n\": \"4111 1111\"}",
        "{\"amount\": \"4111 1111\"}",
        "[\"4111 1111\"]",
        "{}",
    ] {
        let (status, told) = sidecar.send("POST", "/orders", JSON, body);
        assert_eq!(status, 400, "{body}: {told}");
        assert!(told.contains("\"code\":\"malformed\"") && told.contains("the body has no /card/number"), "{told}");
        assert!(!told.contains("4111 1") && !told.contains("nummer"), "{told}");
    }
    for (fields, body) in [
        ("Content-Type: text/plain\r\n", "4111 1111"),
        (JSON, "{\"card\": {\"number\": \"4111 1111\""),
        ("Content-Type: application/x-www-form-urlencoded\r\n", "card%5Bnumber%5D=4111%201111"),
    ] {
        let (status, told) = sidecar.send("POST", "/orders", fields, body);
        assert!(status == 400 && !told.contains("4111 1") && !told.contains("4111%"), "{body}: {told}");
    }
    assert_eq!(reached.load(SeqCst), 0, "nothing was sent");
    assert!(!dir.read("sidecar.log").contains("4111 1") && !dir.read("sidecar.log").contains("4111%"));

    // What has nothing to hide goes on, and a value is a value.
    for (method, body) in [("GET", ""), ("DELETE", ""), ("POST", "")] {
        let (status, seen) = sidecar.send(method, "/orders", "", body);
        assert_eq!(status, 200, "{method}: {seen}");
    }
    let (status, seen) = sidecar.send("PUT", "/orders", JSON, "{\"card\": {\"number\": null}}");
    assert!(status == 200 && seen.contains("{\"number\": \"ey"), "{seen}");
}

#[test]
fn each_element_has_the_field_and_an_empty_array_lacks_none() {
    let dir = deployment();
    let section = "[sidecar.seal]\nto = \"seal.pem.pub\"\nfields = [\"/cards/*/number\"]\nif_present = [\"/cards/*/cvc\", \"/note\"]\n";
    let sidecar = sealing(&dir, upstream(), section);
    let send = |body: &str| sidecar.send("POST", "/orders", JSON, body);
    let (status, seen) = send("{\"cards\": []}");
    assert!(status == 200 && seen.ends_with("{\"cards\": []}"), "{seen}");
    let (status, seen) = send(
        "{\"cards\": [{\"number\": \"4111 1\", \"cvc\": 777.125}, {\"number\": \"4222 2\"}], \"note\": \"4333 3\"}",
    );
    assert_eq!(status, 200, "{seen}");
    // In what is sealed any three or four letters may stand.
    assert!(["4111 1", "777.125", "4222 2", "4333 3"].iter().all(|secret| !seen.contains(secret)), "{seen}");
    assert_eq!(seen.matches("\"ey").count(), 4, "{seen}");
    for (body, place) in [
        ("{\"cards\": [{\"number\": \"4111 1\"}, {\"nummer\": \"4222 2\"}]}", "/cards/1/number"),
        ("{\"cards\": {\"number\": \"4111 1\"}}", "/cards/*/number"),
        ("{\"note\": \"4111 1\"}", "/cards/*/number"),
        ("{\"cards\": [[]]}", "/cards/0/number"),
    ] {
        let (status, told) = send(body);
        assert!(status == 400 && told.contains(&format!("the body has no {place},")), "{body}: {told}");
        assert!(!told.contains("4111 1") && !told.contains("4222 2"), "{told}");
    }
}

/// As the short list says it: the key is that of the gateway, and nothing else is to be known.
#[test]
fn a_list_of_fields_and_the_partners_name_are_enough() {
    let dir = without_files();
    let gateway = Gateway::start(&dir);
    let sidecar = sealing(&dir, gateway.address, "seal = [\"/card/number\"]\n");
    let (status, seen) = sidecar.send("POST", "/orders", JSON, ORDER);
    assert!(status == 200 && seen.ends_with(ORDER), "{seen}");
    dir.write("sidecar.toml", &dir.read("sidecar.toml").replace("partner = \"acme\"", "partner = \"globex\""));
    let other = Sidecar::start(&dir, "--config sidecar.toml");
    let (status, told) = other.send("POST", "/orders", JSON, ORDER);
    assert!(status == 400 && told.contains("/card/number can't be opened"), "{told}");
    dir.write("sidecar.toml", &dir.read("sidecar.toml").replace("partner = \"globex\"\n", ""));
    let ran = dir.run("sidecar --config sidecar.toml");
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.err.contains("[sidecar] lacks \"partner\"") && ran.err.contains("hint: partner = \"acme\""), "{ran:?}");
}

/// Fetched over TLS the key is as good as whoever ends it; in the clear it is anybody's.
#[test]
fn lint_tells_who_could_hand_out_another_key_to_seal_for() {
    let dir = Dir::new();
    let with =
        |to: &str| dir.write("s.toml", &format!("[sidecar]\nto = \"{to}\"\npartner = \"acme\"\nseal = [\"/n\"]\n"));
    with("https://api.example.com");
    let fine = dir.fine("lint --config s.toml");
    assert!(
        fine.contains("note: whoever ends TLS in front of the gateway") && fine.contains("nothing to report"),
        "{fine}"
    );
    let json: serde_json::Value = serde_json::from_str(&dir.fine("lint --config s.toml --json")).unwrap();
    assert!(json["notes"][0].as_str().is_some_and(|note| note.starts_with("whoever ends TLS")), "{json}");
    with("http://api.example.com");
    let found = dir.run("lint --config s.toml");
    assert_eq!(found.code, 20, "{found:?}");
    assert!(found.out.contains("(seal-recipient-clear)") && found.out.contains("s.toml:2:6"), "{found:?}");
}
