//! `key generate`: modes, forms, and that nothing is ever overwritten.

mod support;

use std::os::unix::fs::PermissionsExt;

use support::Dir;

fn mode(dir: &Dir, name: &str) -> u32 {
    std::fs::metadata(dir.path(name)).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_private_key_is_for_its_owner_alone() {
    let dir = Dir::new();
    let out = dir.fine("key generate --algorithm ed25519 --out key");
    assert_eq!((mode(&dir, "key"), mode(&dir, "key.pub")), (0o600, 0o644));
    assert!(dir.read("key").starts_with("-----BEGIN PRIVATE KEY-----\n"));
    assert!(dir.read("key.pub").starts_with("-----BEGIN PUBLIC KEY-----\n"));
    assert!(out.contains("countersign key add --partner NAME --id ID --scheme http-message-signatures"), "{out}");
}

#[test]
fn a_secret_is_43_characters_in_one_file() {
    let dir = Dir::new();
    dir.fine("key generate --algorithm hmac-sha256 --out secret");
    let secret = dir.read("secret");
    assert_eq!((secret.len(), mode(&dir, "secret")), (43, 0o600));
    assert!(secret.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'), "{secret}");
    assert!(!dir.path("secret.pub").exists());
}

#[test]
fn nothing_is_overwritten_and_nothing_is_left_behind() {
    let dir = Dir::new();
    for there in ["a", "b.pub"] {
        dir.write(there, "mine");
    }
    for out in ["a", "b"] {
        let ran = dir.run(&format!("key generate --algorithm ed25519 --out {out}"));
        assert_eq!(ran.code, 2);
        assert!(ran.err.contains("exists already") && ran.err.contains("\nhint: "), "{ran:?}");
    }
    assert_eq!((dir.read("a"), dir.read("b.pub")), ("mine".into(), "mine".into()));
    let bits = dir.run("key generate --algorithm rsa-pss-sha512 --bits 1024 --out c");
    assert_eq!(bits.code, 2, "{bits:?}");
    assert_eq!(dir.run("key generate --algorithm ed25519 --bits 2048 --out c").code, 2);
    assert_eq!(dir.run("key generate --algorithm hmac-sha256 --out a").code, 2);
    let mut left: Vec<_> = std::fs::read_dir(dir.here()).unwrap().map(|it| it.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["a", "b.pub"]);
}

#[test]
fn an_rsa_key_has_the_length_that_was_asked_for() {
    let dir = Dir::new();
    for (line, length) in [("--bits 2048", 451), ("", 625)] {
        let name = format!("key{length}");
        dir.fine(&format!("key generate --algorithm rsa-v1_5-sha256 {line} --out {name}"));
        assert_eq!(dir.read(&format!("{name}.pub")).len(), length);
    }
    for algorithm in ["rsa-oaep-256", "ecdh-es"] {
        dir.fine(&format!("key generate --algorithm {algorithm} --out {algorithm}"));
        assert_eq!(mode(&dir, algorithm), 0o600);
    }
}
