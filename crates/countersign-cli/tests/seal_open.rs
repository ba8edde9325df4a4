//! `seal | open`, and what comes of a wrong key, place or partner.

mod support;

use support::Dir;

const ORDER: &[u8] = b"{\"card\": {\"number\": \"4111 1111\", \"name\": \"A. Jones\"}, \"amount\": 12.50}\n";

/// A directory with a key pair of each kind.
fn keys() -> Dir {
    let dir = Dir::new();
    dir.fine("key generate --algorithm ecdh-es --out ec.pem");
    dir.fine("key generate --algorithm rsa-oaep-256 --out rsa.pem");
    dir
}

#[test]
fn what_was_sealed_is_opened_to_the_byte() {
    let dir = keys();
    for key in ["ec.pem", "rsa.pem"] {
        let sealed = dir.fine_with(&format!("seal --field /card/number --to {key}.pub --partner acme"), ORDER);
        assert!(!sealed.contains("4111 1") && sealed.contains("A. Jones") && sealed.ends_with("12.50}\n"), "{sealed}");
        let open = "open --key ec.pem --key rsa.pem --field /card/number --partner acme";
        assert_eq!(dir.fine_with(open, sealed.as_bytes()).as_bytes(), ORDER);
    }
}

#[test]
fn a_field_that_can_not_be_opened_is_named_and_nothing_else() {
    let dir = keys();
    let sealed = dir.fine_with("seal --field /card/number --to ec.pem.pub --partner acme --expires 1h", ORDER);
    let moved = sealed.replace("number", "code");
    for (command, document) in [
        ("open --key rsa.pem --field /card/number --partner acme", &sealed),
        ("open --key ec.pem --field /card/number --partner globex", &sealed),
        ("open --key ec.pem --field /card/number --partner acme --now +2h", &sealed),
        ("open --key ec.pem --field /card/code --partner acme", &moved),
        ("open --key ec.pem --field /card/name --partner acme", &sealed),
        ("open --key ec.pem --field /amount --partner acme --unbound", &sealed),
    ] {
        let ran = dir.run_with(command, document.as_bytes());
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{command}: {ran:?}");
        assert!(ran.err.starts_with("countersign: error: /") && ran.err.contains(" can't be opened"), "{ran:?}");
    }
}

/// Spelled wrong, it would go out in the clear.
#[test]
fn a_field_that_is_not_there_is_no_field_that_was_sealed() {
    let dir = keys();
    let ran = dir.run_with("seal --field /card/nubmer --to ec.pem.pub --partner acme", ORDER);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{ran:?}");
    assert!(ran.err.contains("the document has no /card/nubmer, and nothing was written"), "{ran:?}");
    let seal = "seal --field /cards/*/number --to ec.pem.pub --partner acme";
    let ran = dir.run_with(seal, b"{\"cards\": [{\"number\": 1}, {\"nummer\": 4111}]}");
    assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{ran:?}");
    assert!(ran.err.contains("the document has no /cards/1/number") && !ran.err.contains("4111"), "{ran:?}");
    assert_eq!(dir.fine_with(seal, b"{\"cards\": []}"), "{\"cards\": []}");
}

#[test]
fn keys_and_documents_that_are_none_are_said() {
    let dir = keys();
    dir.fine("key generate --algorithm ed25519 --out sign.pem");
    for (command, document, said) in [
        ("seal --field /a --to sign.pem.pub --partner acme", "{}", "found a key of another kind"),
        ("open --field /a --key sign.pem --partner acme", "{}", "a private key to open with"),
        ("seal --field a --to ec.pem.pub --partner acme", "{}", "begins with a slash"),
        ("seal --field /a --to ec.pem.pub --partner acme", "{\"a\": 1, \"a\": 2}", "malformed"),
        ("open --field /a --key ec.pem --partner acme", "", "the text ends early"),
    ] {
        let ran = dir.run_with(command, document.as_bytes());
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{command}: {ran:?}");
        assert!(ran.err.contains(said), "{command}: {ran:?}");
    }
}
