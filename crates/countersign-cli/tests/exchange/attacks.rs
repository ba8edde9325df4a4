//! What no site should send, and no stranger: of it nobody is created.

use serde_json::json;

use super::support::gateway::{send, upstream};
use super::support::site::{LOGIN, REGISTER, payload, post, post_text, seconds};
use super::{deployment, users};

/// The stamp has ten digits, so what was signed splits at its last `|` alone.
#[test]
fn mistake_23_a_payload_that_ends_in_another_timestamp_is_a_payload() {
    let (dir, gateway, [shop, ..]) = deployment("");
    let stamp = seconds();
    let inner = payload("ana@example.com");
    let signature = shop.signature(&inner, &stamp.to_string());
    // The stamp of before as part of the payload, and a new one: signed it was neither.
    let moved = json!({
        "payload": format!("{inner}|{stamp}"), "timestamp": stamp, "signature": signature, "site_id": shop.id,
    });
    assert_eq!(post(gateway.address, REGISTER, &moved).code(), "signature_invalid");
    // Signed so, it is no JSON, whatever it holds.
    let whole = shop.body(&format!("{inner}|{}", stamp - 4000));
    assert_eq!(post(gateway.address, REGISTER, &whole).code(), "malformed");
    // And cut off before the inner stamp, the signature is of other bytes.
    let cut =
        json!({ "payload": inner, "timestamp": stamp - 4000, "signature": whole["signature"], "site_id": shop.id });
    assert_ne!(post(gateway.address, REGISTER, &cut).status, 201);
    assert!(users(&dir).is_empty());
}

#[test]
fn mistake_23_a_timestamp_that_is_no_integer_of_seconds_is_refused() {
    let (dir, gateway, [shop, ..]) = deployment("");
    let stamp = seconds();
    let inner = payload("ana@example.com");
    let quoted = serde_json::to_string(&inner).unwrap();
    for (written, signed) in [
        (format!("\"{stamp}\""), stamp.to_string()),
        (format!("{stamp}.0"), format!("{stamp}.0")),
        (format!("{stamp}.0"), stamp.to_string()),
        (format!("{stamp}e0"), stamp.to_string()),
        (format!("{stamp}000"), format!("{stamp}000")),
        (format!("-{stamp}"), format!("-{stamp}")),
        ("null".to_owned(), stamp.to_string()),
    ] {
        let signature = shop.signature(&inner, &signed);
        let body = format!(
            "{{\"payload\":{quoted},\"timestamp\":{written},\"signature\":\"{signature}\",\"site_id\":\"shop-1\"}}"
        );
        let said = post_text(gateway.address, &format!("POST {REGISTER}"), &body);
        assert_eq!((said.status, said.code()), (400, "malformed"), "{written}");
    }
    for (far, code) in [(stamp - 302, "too_old"), (stamp + 310, "not_yet_valid")] {
        let signature = shop.signature(&inner, &far.to_string());
        let body = json!({ "payload": inner, "timestamp": far, "signature": signature, "site_id": "shop-1" });
        assert_eq!(post(gateway.address, REGISTER, &body).code(), code);
    }
    assert!(users(&dir).is_empty());
}

#[test]
fn mistake_23_a_site_id_that_climbs_is_refused() {
    let (dir, gateway, [shop, ..]) = deployment("");
    for id in ["../shop-1", "a/shop-1", "shop-1/", "..%2fshop-1", "shop%2d1", "shop-1\0", "shop 1", "", "shop-1\n"] {
        let mut body = shop.body(&payload("ana@example.com"));
        body["site_id"] = id.into();
        let said = post(gateway.address, REGISTER, &body);
        assert_eq!((said.status, said.code()), (400, "malformed"), "{id:?}");
    }
    // Of the right form, it is told from no other key that is not there.
    for id in ["..", "shop-1_public", "SHOP-1", "shop"] {
        let mut body = shop.body(&payload("ana@example.com"));
        body["site_id"] = id.into();
        assert_eq!(post(gateway.address, REGISTER, &body).code(), "signature_invalid", "{id:?}");
    }
    assert!(users(&dir).is_empty());
}

#[test]
fn what_is_signed_for_one_path_is_taken_at_no_other() {
    let (dir, gateway, [shop, ..]) = deployment("");
    let meant = |path: &str| json!({ "email": "ana@example.com", "for": path, "n": payload("") }).to_string();
    for (to, path) in [(REGISTER, LOGIN), (LOGIN, REGISTER), (REGISTER, "/"), (REGISTER, "/auth/trusted/register/")] {
        let said = post(gateway.address, to, &shop.body(&meant(path)));
        assert_eq!((said.status, said.code()), (400, "malformed"), "{path} at {to}");
    }
    assert!(users(&dir).is_empty());
    assert_eq!(post(gateway.address, REGISTER, &shop.body(&meant(REGISTER))).status, 201);
    assert_eq!(post(gateway.address, LOGIN, &shop.body(&meant(LOGIN))).status, 200);
    // Captured at one path and sent to the other: it was used.
    let captured = shop.body(&payload("ana@example.com"));
    assert_eq!(post(gateway.address, LOGIN, &captured).status, 200);
    for path in [LOGIN, REGISTER] {
        assert_eq!(post(gateway.address, path, &captured).code(), "replayed", "{path}");
    }
}

#[test]
fn a_captured_registration_registers_nobody_again() {
    let (dir, gateway, [shop, ..]) = deployment("");
    let captured = shop.body(&payload("ana@example.com"));
    assert_eq!(post(gateway.address, REGISTER, &captured).status, 201);
    dir.fine("user remove ana@example.com");
    assert_eq!(post(gateway.address, REGISTER, &captured).code(), "replayed");
    // Nor in another spelling of the same.
    let text = format!(" {} ", captured.to_string().replace("ana@", "an\\u0061@"));
    assert_eq!(post_text(gateway.address, &format!("POST {REGISTER}"), &text).code(), "replayed");
    let reversed = captured.as_object().unwrap().iter().rev().map(|(name, value)| format!("\"{name}\": {value}"));
    let text = format!("{{{}}}", reversed.collect::<Vec<_>>().join(", "));
    assert_eq!(post_text(gateway.address, &format!("POST {REGISTER}"), &text).code(), "replayed");
    assert!(users(&dir).is_empty());
}

#[test]
fn what_is_no_signed_post_to_the_very_path_creates_nobody() {
    let (dir, gateway, [shop, ..]) = deployment("");
    let at = |line: &str| post_text(gateway.address, line, &shop.body(&payload("ana@example.com")).to_string());
    for line in ["PUT /auth/trusted/register", "POST /auth/trusted/register?x=1", "POST /auth/trusted/register?"] {
        let said = at(line);
        assert_eq!((said.status, said.code()), (401, "coverage_too_small"), "{line}");
    }
    for line in
        ["POST /auth/trusted/register/", "POST /auth/trusted/Register", "POST /auth/trusted", "POST /auth/trusted/reg"]
    {
        assert_eq!((at(line).status, at(line).code()), (404, "no_route"), "{line}");
    }
    for line in ["POST /auth/trusted/%72egister", "POST /auth/trusted/register;x", "POST //auth/trusted/register"] {
        assert!(matches!(at(line).status, 400 | 404), "{line}");
    }
    let (status, body) = send(
        gateway.address,
        &format!("GET {REGISTER} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", gateway.address),
    );
    assert_eq!((status, body.contains("\"unsigned\"")), (401, true), "{body}");
    for body in ["{}", "", "[]", "{\"email\":\"ana@example.com\"}"] {
        let said = post_text(gateway.address, &format!("POST {REGISTER}"), body);
        assert!(matches!(said.status, 400 | 401), "{said:?}");
    }
    for payload in ["{}", "{\"email\":null}", "{\"email\":[\"ana@example.com\"]}", "{\"Email\":\"ana@example.com\"}"] {
        assert_eq!(post(gateway.address, REGISTER, &shop.body(payload)).code(), "user_invalid", "{payload}");
    }
    for payload in ["", "ana@example.com", "[]", "{\"email\":\"ana@example.com\",\"email\":\"eve@example.com\"}"] {
        assert_eq!(post(gateway.address, REGISTER, &shop.body(payload)).code(), "malformed", "{payload}");
    }
    let long = payload(&format!("{}@example.com", "a".repeat(70_000)));
    assert_eq!(post(gateway.address, REGISTER, &shop.body(&long)).status, 413);
    assert!(users(&dir).is_empty());
}

/// A key of another scheme speaks for no user, whoever has it.
#[test]
fn a_signature_of_another_scheme_registers_nobody() {
    let (dir, gateway, _) = deployment("");
    dir.fine("key generate --algorithm ed25519 --out other.key");
    dir.fine("key add --partner shop --id other --scheme http-message-signatures --algorithm ed25519 --public-key other.key.pub");
    let host = gateway.address;
    let message = format!(
        "POST {REGISTER} HTTP/1.1\nHost: {host}\nConnection: close\nContent-Type: application/json\n\n{{\"email\":\"ana@example.com\"}}"
    );
    let signed = dir.fine_with(&format!("sign --key other.key --id other --origin http://{host}"), message.as_bytes());
    let (status, body) = send(host, &signed);
    assert_eq!((status, body.contains("\"scheme_not_allowed\"")), (401, true), "{body}");
    assert!(users(&dir).is_empty());
}

/// Nothing beside the exchange decides for it: a route that would take its paths and only watches is another one.
#[test]
fn a_route_that_only_watches_lets_nobody_register_unsigned() {
    let more = format!("[[route]]\npath = \"/\"\nupstream = \"http://{}\"\nmode = \"observe\"", upstream());
    let (dir, gateway, [shop, ..]) = deployment(&more);
    let mut bent = shop.body(&payload("ana@example.com"));
    bent["payload"] = payload("eve@example.com").into();
    assert_eq!(post(gateway.address, REGISTER, &bent).code(), "signature_invalid");
    let unsigned = post_text(gateway.address, &format!("POST {REGISTER}"), "{\"email\":\"ana@example.com\"}");
    assert_eq!((unsigned.status, unsigned.code()), (401, "unsigned"));
    // No other spelling of the path gets around it to the API behind.
    for line in ["POST /auth/trusted/%72egister", "POST /auth/trusted/register;x"] {
        let said = post_text(gateway.address, line, &bent.to_string());
        assert_eq!((said.status, said.code()), (400, "malformed"), "{line}");
    }
    assert!(users(&dir).is_empty());
}
