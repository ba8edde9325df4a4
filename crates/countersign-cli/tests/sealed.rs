//! A field that is sealed beside its sender and opened in front of its API, in two processes: nobody in between reads it.

mod support;

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
    assert!(!dir.read("log").contains("4111"));

    // What goes over the wire: here to an API without a gateway.
    let network = sidecar(&dir, upstream());
    let (_, seen) =
        network.send("POST", "/orders", "Content-Type: application/json\r\nContent-Digest: sha-256=:AA==:\r\n", ORDER);
    assert!(!seen.contains("4111") && seen.contains("\"number\": \"ey") && seen.contains("12.50"), "{seen}");
    assert!(!seen.contains(":AA==:"), "{seen}");
    let (_, seen) = network.send("POST", "/orders", "Content-Type: application/json\r\n", "{\"amount\": 1}");
    assert!(seen.ends_with("{\"amount\": 1}"), "{seen}");
    let (status, seen) = network.send("POST", "/orders", "Content-Type: text/plain\r\n", "4111 1111");
    assert_eq!(status, 400, "{seen}");
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
