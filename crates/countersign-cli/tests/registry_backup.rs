//! `registry backup`, beside a gateway that runs.

mod support;

use std::os::unix::fs::PermissionsExt;

use support::Dir;
use support::gateway::{Gateway, send, upstream};

#[test]
fn a_copy_made_while_a_gateway_runs_verifies_what_the_registry_does() {
    let dir = Dir::new();
    let config = format!(
        "[gateway]\nlisten = [\"127.0.0.1:0\"]\nworkers = 1\n[admin]\nlisten = \"127.0.0.1:0\"\n\n[[route]]\npath = \
         \"/orders\"\nupstream = \"http://{}\"\n",
        upstream()
    );
    dir.write("countersign.toml", &config);
    dir.fine("partner add acme");
    dir.fine("key generate --algorithm hmac-sha256 --out secret");
    dir.fine(
        "key add --partner acme --id h --scheme http-message-signatures --algorithm hmac-sha256 --secret-file secret",
    );
    let gateway = Gateway::start(&dir);
    let out = dir.fine("registry backup copy.db");
    let key = dir.path("countersign-data").join("secrets.key");
    assert!(out.contains("verified  1 partner, 1 key\n"), "{out}");
    assert!(out.contains("secrets.key") && out.contains("Not in the same place") && key.exists(), "{out}");
    assert_eq!(dir.path("copy.db").metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(gateway.end("-TERM"), Some(0));

    dir.fine("key revoke h --reason later");
    for name in ["registry.db", "registry.db-wal", "registry.db-shm"] {
        drop(std::fs::remove_file(dir.path("countersign-data").join(name)));
    }
    std::fs::rename(dir.path("copy.db"), dir.path("countersign-data").join("registry.db")).unwrap();
    let gateway = Gateway::start(&dir);
    let order = format!("GET /orders HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", gateway.address);
    let signed = dir.fine_with("sign --key secret --id h", order.as_bytes());
    assert_eq!(send(gateway.address, &signed).0, 200);
}

#[test]
fn a_backup_overwrites_nothing_and_makes_nothing_up() {
    let dir = Dir::new();
    let none = dir.run("registry backup copy.db");
    assert_eq!((none.code, dir.path("copy.db").exists()), (2, false), "{none:?}");
    dir.fine("partner add acme");
    dir.write("taken", "mine");
    for (line, says) in
        [("registry backup taken", "exists already"), ("registry backup no/copy.db", "hint: mkdir -p no")]
    {
        let ran = dir.run(line);
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.err.contains(says) && ran.err.contains("\nhint: "), "{ran:?}");
    }
    assert_eq!(dir.read("taken"), "mine");
    assert!(!dir.fine("registry backup copy.db").contains("secrets.key"), "there is no secret in it");
}
