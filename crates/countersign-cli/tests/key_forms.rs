//! Keys in PEM, DER and JWK, by every command that takes a key.

mod support;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use support::Dir;

const GET: &[u8] = b"GET /orders HTTP/1.1\nHost: api.example.com\n\n";

fn der(pem: &str) -> Vec<u8> {
    STANDARD.decode(pem.lines().filter(|line| !line.starts_with("---")).collect::<String>()).unwrap()
}

/// The keys of RFC 8037, appendix A: a JWK pair, and what its thumbprint is.
const JWK: &str = r#"{"kty":"OKP","crv":"Ed25519",
    "d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A", "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
const PUBLIC: &str = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
const THUMBPRINT: &str = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k";

#[test]
fn sign_verify_and_key_add_take_every_form() {
    let dir = Dir::new();
    dir.fine("partner add acme");
    dir.fine("key generate --algorithm ed25519 --out pem");
    std::fs::write(dir.path("der"), der(&dir.read("pem"))).unwrap();
    std::fs::write(dir.path("der.pub"), der(&dir.read("pem.pub"))).unwrap();
    dir.write("jwk", JWK);
    dir.write("jwk.pub", PUBLIC);
    for form in ["pem", "der", "jwk"] {
        let signed = dir.fine_with(&format!("sign --key {form} --id k"), GET);
        for flags in ["", " --algorithm ed25519"] {
            dir.fine_with(&format!("verify --public-key {form}.pub{flags}"), signed.as_bytes());
        }
    }
    let add = "key add --partner acme --scheme http-message-signatures --algorithm ed25519";
    dir.fine(&format!("{add} --id der --public-key der.pub"));
    let same = dir.run(&format!("{add} --id der --public-key pem.pub"));
    assert!(same.code == 2 && same.err.contains("there already"), "{same:?}");
    dir.fine(&format!("{add} --id jwk --public-key jwk.pub --allow-test-key"));
    let keys: serde_json::Value = serde_json::from_str(&dir.fine("key list --json")).unwrap();
    assert_eq!(keys["keys"][1]["thumbprint"], THUMBPRINT);
    assert!(dir.fine("key show jwk").contains(&format!("thumbprint   {THUMBPRINT}\n")));
}

#[test]
fn an_oct_jwk_goes_where_secrets_go() {
    let dir = Dir::new();
    dir.fine("partner add acme");
    dir.write("bare", "0123456789abcdefghij");
    dir.write("jwk", &format!(r#"{{"kty":"oct","k":"{}"}}"#, URL_SAFE_NO_PAD.encode("0123456789abcdefghij")));
    for (signs, verifies) in [("bare", "jwk"), ("jwk", "bare")] {
        let signed = dir.fine_with(&format!("sign --key {signs} --id k"), GET);
        dir.fine_with(&format!("verify --secret-file {verifies}"), signed.as_bytes());
    }
    let add = "key add --partner acme --scheme http-message-signatures --algorithm hmac-sha256 --id h";
    dir.fine(&format!("{add} --secret-file jwk"));
    let wrong = dir.run(&format!("{add}2 --public-key jwk"));
    assert!(wrong.code == 2 && wrong.err.contains("hint: --secret-file jwk"), "{wrong:?}");
    let keys: serde_json::Value = serde_json::from_str(&dir.fine("key list --json")).unwrap();
    assert_eq!(keys["keys"][0]["thumbprint"], serde_json::Value::Null);
}

#[test]
fn a_key_that_does_not_fit_says_what_was_found_and_what_is_wanted() {
    let dir = Dir::new();
    dir.fine("partner add acme");
    dir.fine("key generate --algorithm ecdsa-p256-sha256 --out key");
    dir.write("enc", &PUBLIC.replace('{', r#"{"use":"enc","#));
    let add = "key add --partner acme --scheme http-message-signatures --id k --algorithm";
    for (line, said) in [
        (
            format!("{add} ecdsa-p384-sha384 --public-key key.pub"),
            "found a P-256 public key; wanted a P-384 public key for ecdsa-p384-sha384",
        ),
        (format!("{add} ecdsa-p256-sha256 --public-key key"), "found a P-256 private key; wanted the public half"),
        (format!("{add} ed25519 --public-key enc"), "found a JWK with use \"enc\"; wanted use \"sig\", or none"),
        (format!("{add} hmac-sha256 --secret-file key.pub"), "found a PEM file; wanted a shared secret"),
        ("sign --id k --algorithm ed25519 --key key".into(), "found a P-256 private key; wanted a key for ed25519"),
        ("sign --id k --key key.pub".into(), "found a P-256 public key; wanted the private half"),
        ("sign --id k --key enc".into(), "found a JWK with use \"enc\""),
    ] {
        let ran = dir.run_with(&line, GET);
        assert!(ran.code == 2 && ran.err.contains(said), "{line}: {ran:?}");
    }
}

#[test]
fn vectors_have_keys_in_every_form() {
    let dir = Dir::new();
    dir.write("jwk", JWK);
    let signed = dir.fine_with("sign --key jwk --id k --nonce n --created 1795000000", GET);
    dir.fine("key generate --algorithm ed25519 --out pem");
    let spki =
        STANDARD.encode([&der(&dir.read("pem.pub"))[..12], &URL_SAFE_NO_PAD.decode(&PUBLIC[34..77]).unwrap()].concat());
    let private: serde_json::Value = serde_json::from_str(JWK).unwrap();
    let public: serde_json::Value = serde_json::from_str(PUBLIC).unwrap();
    for (member, key) in [
        ("public_key", public),
        ("public_key", PUBLIC.into()),
        ("public_key", spki.into()),
        ("private_key", private),
        ("private_key", JWK.into()),
    ] {
        std::fs::create_dir_all(dir.path("case")).unwrap();
        let entry = serde_json::json!([{ "id": "k", "scheme": "http-message-signatures", "algorithm": "ed25519", member: key }]);
        dir.write("case/keys.json", &entry.to_string());
        let head = "scheme: http-message-signatures\nnow: 1795000010\nexpect: accepted\n\n";
        dir.write("case/one.txt", &format!("{head}{signed}"));
        dir.fine("vectors run case");
    }
}
