//! `trusted-site`, `app-hmac` and uploaded forms under `pki`, from a raw message to the API behind a gateway.

mod support;

use support::Dir;
use support::gateway::{Gateway, send, upstream};

const ORDER: &[u8] =
    b"POST /orders HTTP/1.1\nHost: api.example.com\nContent-Type: application/json\n\n{\"amount\": 12}";

const FORMS: [(&str, &str); 6] = [
    ("", "--nonce a1b2c3d4"),
    ("--timestamp-unit milliseconds", "--nonce a1b2c3d4"),
    ("--nonce-form hex32", "--nonce 00112233445566778899aabbccddeeff"),
    ("--nonce-form uuid", "--nonce 00112233-4455-6677-8899-aabbccddeeff"),
    ("--layout payload-first", "--nonce a1b2c3d4"),
    ("--layout payload-first --timestamp-unit milliseconds --nonce-form uuid", ""),
];

fn form(at: &str, message_id: &str) -> String {
    let head = format!("POST {at} HTTP/1.1\r\nHost: HOST\r\nContent-Type: multipart/form-data; boundary=b\r\n\r\n");
    let part =
        |name: &str, text: &str| format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n");
    let file = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\nContent-Type: text/plain\r\n\r\n\
                Grüße\r\n--b--\r\n";
    let time = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    head + &part("message_id", message_id) + &part("timestamp", &time.to_string()) + file
}

#[test]
fn a_trusted_sites_message_is_signed_and_verified() {
    let dir = Dir::new();
    dir.fine("key generate --algorithm rsa-v1_5-sha256 --bits 2048 --out site");
    let sign = "sign --scheme trusted-site --key site --id drupal --created 1795000000";
    let ran = dir.run_with(&format!("{sign} --show-base"), ORDER);
    assert_eq!((ran.code, ran.err.as_str()), (0, "{\"amount\": 12}|1795000000\n"), "{ran:?}");
    let signed = ran.out;
    let (head, body) = signed.split_once("\r\n\r\n").unwrap();
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["payload"], "{\"amount\": 12}", "the body is the signed one now");
    assert_eq!((body["timestamp"].as_i64(), body["site_id"].as_str()), (Some(1_795_000_000), Some("drupal")));
    assert!(head.contains(&format!("Content-Length: {}", signed.len() - head.len() - 4)), "{head}");
    assert_eq!(dir.fine_with(sign, ORDER), signed, "this signature is the same every time");

    let verify = "verify --scheme trusted-site --public-key site.pub --now 1795000010";
    for line in [verify, &format!("{verify} --id drupal"), &format!("{verify} --algorithm rsa-v1_5-sha256")] {
        let out = dir.fine_with(line, signed.as_bytes());
        assert!(out.contains("trusted-site") && out.contains("drupal") && out.contains("10 s ago"), "{out}");
    }
    let exit = |line: &str, message: &str| dir.run_with(line, message.as_bytes()).code;
    assert_eq!(exit(verify, std::str::from_utf8(ORDER).unwrap()), 10);
    assert_eq!(exit(&format!("{verify} --id joomla"), &signed), 11);
    assert_eq!(exit(verify, &signed.replace("12", "13")), 12);
    assert_eq!(exit(&verify.replace("1795000010", "1795000301"), &signed), 13);
    assert_eq!(exit(verify, &signed.replace("POST /orders", "PUT /orders")), 13);
    assert_eq!(exit(verify, &signed.replace("/orders", "/orders?a")), 13);
    assert_eq!(exit(verify, &signed.replace("1795000000", "1795000000.0").replace("Content-Length", "X")), 2);
    let once = format!("{verify} --remember seen");
    assert_eq!((exit(&once, &signed), exit(&once, &signed)), (0, 14));
}

#[test]
fn an_app_hmac_message_is_signed_and_verified_in_every_form_and_under_no_other() {
    let dir = Dir::new();
    dir.fine("key generate --algorithm hmac-sha256 --out secret");
    for (flags, nonce) in FORMS {
        let sign = format!("sign --scheme app-hmac --key secret --id app-1 {flags} {nonce}");
        let signed = dir.fine_with(&sign, ORDER);
        assert!(signed.contains("\r\nAppId: app-1\r\n") && signed.ends_with("\r\n\r\n{\"amount\": 12}"), "{signed}");
        if let Some(nonce) = nonce.strip_prefix("--nonce ") {
            assert!(signed.contains(&format!("\r\nNonce: {nonce}\r\n")), "{signed}");
        }
        for (others, _) in FORMS {
            let verify = format!("verify --scheme app-hmac --secret-file secret {others}");
            let ran = dir.run_with(&verify, signed.as_bytes());
            let expected = match () {
                () if others == flags => 0,
                // The same stamp and nonce in another order: only the MAC can tell.
                () if others.replace("--layout payload-first", "") == flags.replace("--layout payload-first", "") => 12,
                () => 13,
            };
            assert_eq!(ran.code, expected, "{flags} as {others}: {ran:?}");
        }
        let verify = format!("verify --scheme app-hmac --secret-file secret {flags}");
        let exit = |line: &str, message: &str| dir.run_with(line, message.as_bytes()).code;
        assert_eq!(exit(&verify, &signed.replace("12", "13")), 12, "{flags}");
        assert_eq!(exit(&format!("{verify} --id app-2"), &signed), 11);
        let moved = if flags.contains("payload-first") { 13 } else { 12 };
        assert_eq!(exit(&verify, &signed.replace("/orders", "/others/1?a")), moved);
        let once = format!("{verify} --remember {}", flags.len());
        assert_eq!((exit(&once, &signed), exit(&once, &signed)), (0, 14));
    }
    let base = dir.run_with(
        "sign --scheme app-hmac --key secret --id a --created 1795000000 --nonce a1b2c3d4 --show-base",
        ORDER,
    );
    assert_eq!(base.err, "POST/orders1795000000a1b2c3d4{\"amount\": 12}\n");
}

#[test]
fn what_the_forms_can_not_say_is_told_with_a_fix() {
    let dir = Dir::new();
    dir.fine("key generate --algorithm hmac-sha256 --out secret");
    dir.fine("key generate --algorithm rsa-v1_5-sha256 --bits 2048 --out site");
    let failed = |line: &str, stdin: &[u8], text: &str| {
        let ran = dir.run_with(line, stdin);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{line}: {ran:?}");
        assert!(ran.err.starts_with("countersign: error: ") && ran.err.contains(text), "{line}: {ran:?}");
    };
    failed("sign --scheme app-hmac --key secret --id a --nonce A1B2C3D4", ORDER, "hint: 8 or 32 hexadecimal digits");
    failed("sign --scheme app-hmac --key secret --id a/b", ORDER, "letters, digits, dots");
    failed(
        "sign --scheme app-hmac --key secret --id a --layout payload-first",
        b"GET / HTTP/1.1\nHost: a\n\n",
        "there is none",
    );
    let two = b"POST /orders HTTP/1.1\nHost: a\nContent-Type: text/plain\n\nn=1795000100ffffffff";
    failed("sign --scheme app-hmac --key secret --id a", two, "ambiguous");
    failed("sign --scheme trusted-site --key site --id a", b"POST / HTTP/1.1\nHost: a\n\n", "not empty");
    failed("sign --scheme trusted-site --key secret --id a", ORDER, "hint: countersign key generate");
    failed("sign --scheme trusted-site --key site --id a --layout payload-first", ORDER, "hint: leave --layout out");
    let verify = "verify --public-key site.pub --scheme trusted-site";
    failed(&format!("{verify} --nonce-form uuid"), ORDER, "--nonce-form is for --scheme app-hmac only");
    failed("verify --scheme app-hmac --public-key site.pub", ORDER, "hint: say what the key is for");
    failed(
        "key add --partner p --id i --scheme pki --algorithm rsa-pss-sha256 --public-key site.pub --layout payload-first",
        b"",
        "app-hmac",
    );
    dir.fine("init");
    failed("verify --config countersign.toml --timestamp-unit seconds", ORDER, "the route decides");
}

#[test]
fn an_uploaded_form_is_signed_and_verified() {
    let dir = Dir::new();
    dir.fine("key generate --algorithm rsa-pss-sha256 --bits 2048 --out key");
    let message = form("/file", "m-1").replace("HOST", "api.example.com");
    let ran = dir.run_with("sign --scheme pki --key key --id sender --show-base", message.as_bytes());
    let base = ran.err.as_str();
    assert!(base.starts_with("{\"content_type\": \"text/plain\", \"fields\": {\"message_id\": \"m-1\", "), "{base}");
    assert!(
        base.contains("}, \"filename\": \"a.txt\", \"sha256\": \"") && base.ends_with(", \"size\": 7}\n"),
        "{base}"
    );
    let signed = ran.out;
    let verify = "verify --scheme pki --public-key key.pub";
    dir.fine_with(verify, signed.as_bytes());
    let exit = |message: &str| dir.run_with(verify, message.as_bytes()).code;
    assert_eq!(exit(&signed.replace("Grüße", "grüße")), 12, "the content changed and the metadata not");
    assert_eq!(exit(&signed.replace("a.txt", "b.txt")), 12);
    assert_eq!(exit(&signed.replace("--b--", "--b--\r\nepilogue").replace("Content-Length", "X-Length")), 2);
}

/// A gateway with a route per scheme, and a key per scheme of the partner `acme`.
fn deployment() -> (Dir, Gateway) {
    let dir = Dir::new();
    let mut config =
        "[gateway]\nlisten = [\"127.0.0.1:0\"]\nworkers = 1\n[admin]\nlisten = \"127.0.0.1:0\"\n".to_owned();
    for (path, scheme) in
        [("/site", "trusted-site"), ("/app", "app-hmac"), ("/body", "app-hmac"), ("/file", "pki"), ("/message", "pki")]
    {
        config += &format!(
            "\n[[route]]\npath = \"{path}\"\nupstream = \"http://{}\"\nschemes = [\"{scheme}\"]\nrefusals = \"components\"\n",
            upstream()
        );
    }
    dir.write("countersign.toml", &config);
    dir.fine("partner add acme");
    dir.fine("key generate --algorithm hmac-sha256 --out app");
    dir.fine("key generate --algorithm hmac-sha256 --out body");
    dir.fine("key generate --algorithm rsa-v1_5-sha256 --bits 2048 --out site");
    dir.fine("key generate --algorithm rsa-pss-sha256 --bits 2048 --out pki");
    let add = |line: &str| dir.fine(&format!("key add --partner acme {line}"));
    add("--id drupal --scheme trusted-site --algorithm rsa-v1_5-sha256 --public-key site.pub");
    add("--id app --scheme app-hmac --algorithm hmac-sha256 --secret-file app");
    add(
        "--id body --scheme app-hmac --algorithm hmac-sha256 --secret-file body --layout payload-first --nonce-form uuid",
    );
    add("--id pki --scheme pki --algorithm rsa-pss-sha256 --public-key pki.pub");
    let gateway = Gateway::start(&dir);
    (dir, gateway)
}

#[test]
fn each_scheme_reaches_the_api_through_the_gateway_once() {
    let (dir, gateway) = deployment();
    let time = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let json = |at: &str| {
        format!(
            "POST {at} HTTP/1.1\nHost: {}\nContent-Type: application/json\nConnection: close\n\n{{\"timestamp\": {time}, \"message_id\": \"1\", \"a\": \"é\"}}",
            gateway.address
        )
    };
    let file = form("/file", "2").replace("HOST", &gateway.address.to_string());
    let file = file.replacen("\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1);
    for (sign, message, scheme, arrives, gone) in [
        ("--scheme trusted-site --key site --id drupal", json("/site"), "trusted-site", "\"a\": \"é\"}", "site_id"),
        ("--scheme app-hmac --key app --id app", json("/app"), "app-hmac", "\"a\": \"é\"}", "\nappid"),
        (
            "--scheme app-hmac --key body --id body --layout payload-first --nonce-form uuid",
            json("/body"),
            "app-hmac",
            "\"a\": \"é\"}",
            "\nnonce",
        ),
        ("--scheme pki --key pki --id pki", json("/message"), "pki", "{\"a\": \"\\u00e9\", ", "\nauthorization"),
        ("--scheme pki --key pki --id pki", file, "pki", "\r\n\r\nGrüße\r\n--Z", "boundary=b"),
    ] {
        let signed = dir.fine_with(&format!("sign {sign}"), message.as_bytes());
        let (status, seen) = send(gateway.address, &signed);
        assert_eq!(status, 200, "{sign}: {seen}");
        let lower = seen.to_ascii_lowercase();
        for header in [format!("countersign-scheme: {scheme}"), "countersign-partner: acme".to_owned()] {
            assert!(lower.contains(&format!("\r\n{header}\r\n")), "{header}: {seen}");
        }
        assert!(seen.contains(arrives) && !lower.contains(gone), "{sign}: {seen}");
        let (status, refusal) = send(gateway.address, &signed);
        assert_eq!((status, refusal.contains("\"replayed\"")), (401, true), "{refusal}");
        let changed = signed.replace('é', "è").replace("u00e9", "u00e8").replace("Grüße", "grüße");
        let (status, refusal) = send(gateway.address, &changed);
        assert_eq!((status, refusal.contains("\"bad_signature\"")), (401, true), "{sign}: {refusal}");
    }
}

#[test]
fn a_second_key_under_the_id_is_its_next_version_and_both_verify() {
    let (dir, gateway) = deployment();
    dir.fine("key generate --algorithm rsa-v1_5-sha256 --bits 2048 --out site2");
    dir.fine("key generate --algorithm hmac-sha256 --out app2");
    for line in [
        "--id drupal --scheme trusted-site --algorithm rsa-v1_5-sha256 --public-key site2.pub",
        // A version may have another form: a message is of the version whose form it has.
        "--id app --scheme app-hmac --algorithm hmac-sha256 --secret-file app2 --timestamp-unit milliseconds",
    ] {
        let out = dir.fine(&format!("key add --partner acme {line}"));
        assert!(out.contains("version 2") && out.contains("retiring     version 1"), "{out}");
    }
    std::thread::sleep(std::time::Duration::from_secs(1));
    for (at, sign, version) in [
        ("/site", "--scheme trusted-site --key site --id drupal", 1),
        ("/site", "--scheme trusted-site --key site2 --id drupal", 2),
        ("/app", "--scheme app-hmac --key app --id app", 1),
        ("/app", "--scheme app-hmac --key app2 --id app --timestamp-unit milliseconds", 2),
    ] {
        let message = format!(
            "POST {at} HTTP/1.1\nHost: {}\nConnection: close\nContent-Type: application/json\n\n{{}}",
            gateway.address
        );
        let signed = dir.fine_with(&format!("sign {sign}"), message.as_bytes());
        let judged = dir.fine_with("verify --config countersign.toml", signed.as_bytes());
        assert!(judged.contains(&format!("version {version} of the key")), "{sign}: {judged}");
        assert_eq!(send(gateway.address, &signed).0, 200, "{sign}");
    }
}

#[test]
fn a_method_first_key_without_an_end_is_added_with_a_warning() {
    let dir = Dir::new();
    dir.fine("partner add acme");
    dir.fine("key generate --algorithm hmac-sha256 --out a.key");
    let add = "key add --partner acme --scheme app-hmac --algorithm hmac-sha256 --secret-file a.key --id";
    let ran = dir.run(&format!("{add} app-1"));
    assert!(ran.code == 0 && ran.err.contains("without an end") && ran.err.contains("--not-after"), "{ran:?}");
    dir.fine("key generate --algorithm hmac-sha256 --out b.key");
    let ran = dir.run(&format!("{} app-2 --not-after 2030-01-01T00:00:00Z", add.replace("a.key", "b.key")));
    assert!(ran.code == 0 && !ran.err.contains("without an end"), "{ran:?}");
}
