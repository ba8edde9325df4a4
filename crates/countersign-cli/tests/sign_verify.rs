//! `sign | verify` for every algorithm, and what a change in between comes to.

mod support;

use support::Dir;

const ORDER: &[u8] =
    b"POST /orders?a=b HTTP/1.1\nHost: api.example.com\nContent-Type: application/json\n\n{\"amount\": 12}";

const ALGORITHMS: [&str; 9] = [
    "ed25519",
    "ecdsa-p256-sha256",
    "ecdsa-p384-sha384",
    "rsa-pss-sha512",
    "rsa-v1_5-sha256",
    "hmac-sha256",
    "ml-dsa-44",
    "ml-dsa-65",
    "ml-dsa-87",
];

#[test]
fn what_is_signed_verifies_with_every_algorithm() {
    let dir = Dir::new();
    for algorithm in ALGORITHMS {
        dir.fine(&format!("key generate --algorithm {algorithm} --out {algorithm}"));
        let signed = dir.fine_with(&format!("sign --key {algorithm} --id k --algorithm {algorithm}"), ORDER);
        let key = if algorithm == "hmac-sha256" { "--secret-file hmac-sha256" } else { "--public-key {}.pub" };
        let key = key.replace("{}", algorithm);
        let verify = format!("verify {key} --algorithm {algorithm}");
        assert!(dir.fine_with(&verify, signed.as_bytes()).starts_with("verified\n"), "{algorithm}");
        let refused = dir.run_with(&verify, signed.replace("/orders", "/others").as_bytes());
        assert_eq!(refused.code, 12, "{algorithm}: {refused:?}");
    }
}

#[test]
fn a_wrong_content_digest_is_refused_with_a_hint_and_a_right_one_stays() {
    let dir = Dir::new();
    dir.fine("key generate --algorithm ed25519 --out key");
    let message =
        |digest: &str| format!("POST /a HTTP/1.1\nHost: a\nContent-Digest: {digest}\n\n{{\"hello\": \"world\"}}");
    let right = "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:";
    let signed = dir.fine_with("sign --key key --id k", message(right).as_bytes());
    assert_eq!(signed.matches("Content-Digest").count(), 1);
    assert!(signed.contains(&format!("Content-Digest: {right}\r\n")), "{signed}");
    dir.fine_with("verify --public-key key.pub", signed.as_bytes());
    let wrong = dir.run_with("sign --key key --id k", message(&right.replace("WZD", "XZD")).as_bytes());
    assert_eq!((wrong.code, wrong.out.as_str()), (2, ""), "{wrong:?}");
    assert!(wrong.err.contains("not the digest of its body\nhint: leave Content-Digest out"), "{wrong:?}");
}

#[test]
fn a_pki_message_verifies_in_both_forms_of_its_header() {
    let dir = Dir::new();
    dir.fine("key generate --algorithm rsa-pss-sha256 --bits 2048 --out key");
    let body = r#"{"timestamp": 1795000000, "message_id": "m", "sender": "é"}"#;
    let message = format!("POST /m HTTP/1.1\nHost: a\nContent-Type: application/json\n\n{body}\n");
    let signed = dir.fine_with("sign --key key --id site --scheme pki --show-base", message.as_bytes());
    let verify = "verify --public-key key.pub --scheme pki --now 1795000010";
    dir.fine_with(verify, signed.as_bytes());
    dir.fine_with(&format!("{verify} --id site"), signed.as_bytes());
    dir.fine_with(verify, signed.replace("PKI site:", "PKI ").as_bytes());
    assert_eq!(dir.run_with(&format!("{verify} --id other"), signed.as_bytes()).code, 11);
    assert_eq!(dir.run_with(verify, signed.replace("sender", "Sender").as_bytes()).code, 12);
}

#[test]
fn each_way_to_fail_has_its_exit_code_its_check_and_its_fix() {
    let dir = Dir::new();
    for key in ["key", "other"] {
        dir.fine(&format!("key generate --algorithm ed25519 --out {key}"));
    }
    let signed = dir.fine_with("sign --key key --id k --nonce n --created 1795000000", ORDER);
    let short = dir.fine_with("sign --key key --id k --created 1795000000 --cover @method,@path", ORDER);
    let verify = "verify --public-key key.pub --now 1795000010";
    let refused = |line: &str, message: &str, code: &str, exit: i32| {
        let ran = dir.run_with(line, message.as_bytes());
        assert!(ran.out.starts_with(&format!("refused: {code}\ncheck  ")), "{code}: {ran:?}");
        assert!(ran.out.contains("\nfix  "), "{ran:?}");
        assert_eq!((ran.code, ran.err.as_str()), (exit, ""), "{code}: {ran:?}");
        let json = dir.run_with(&format!("{line} --json"), message.as_bytes());
        let json: serde_json::Value = serde_json::from_str(&json.out).unwrap();
        assert_eq!((json["code"].as_str(), json["exit"].as_i64()), (Some(code), Some(exit.into())));
    };
    dir.fine_with(verify, signed.as_bytes());
    refused(verify, std::str::from_utf8(ORDER).unwrap(), "unsigned", 10);
    refused(&format!("{verify} --id k2"), &signed, "unknown_signer", 11);
    refused("verify --public-key other.pub --now 1795000010", &signed, "bad_signature", 12);
    refused(verify, &signed.replace("created=1795000000", "created=1795000001"), "bad_signature", 12);
    refused("verify --public-key key.pub --now 1795000301", &signed, "too_old", 13);
    refused("verify --public-key key.pub --now 1794999969", &signed, "not_yet_valid", 13);
    refused(&format!("{verify} --max-age 9s"), &signed, "too_old", 13);
    refused(verify, &short, "coverage_too_small", 13);
    refused(&format!("{verify} --require date"), &signed, "coverage_too_small", 13);
    refused(verify, &signed.replace("12}", "13}"), "digest_mismatch", 15);
    refused(verify, &signed.replace("Host:", "Host"), "malformed", 2);
    refused(verify, &signed.replace("/orders", "/a/../orders"), "malformed", 2);
    // A weaker demand is met by what a stronger one refused.
    dir.fine_with(&format!("{verify} --require \"@path\""), short.as_bytes());
}

#[test]
fn what_is_remembered_is_refused_the_second_time() {
    let dir = Dir::new();
    dir.fine("key generate --algorithm ed25519 --out key");
    let signed = dir.fine_with("sign --key key --id k", ORDER);
    let verify = "verify --public-key key.pub --remember seen";
    dir.fine_with(verify, signed.as_bytes());
    let again = dir.run_with(verify, signed.as_bytes());
    assert_eq!(again.code, 14, "{again:?}");
    let other = dir.fine_with("sign --key key --id k", ORDER);
    dir.fine_with(verify, other.as_bytes());
    // Without a memory a message can be looked at as often as one likes.
    dir.fine_with("verify --public-key key.pub", signed.as_bytes());
}

#[test]
fn foreign_signatures_verify_without_nonce_where_that_is_said() {
    // RFC 9421 Appendix B.2.6, with the key of B.1.4.
    let dir = Dir::new();
    dir.write(
        "rfc.pub",
        "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=\n-----END PUBLIC KEY-----\n",
    );
    let message = "POST /foo?param=Value&Pet=dog HTTP/1.1
Host: example.com
Date: Tue, 20 Apr 2021 02:07:55 GMT
Content-Type: application/json
Content-Digest: sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:
Content-Length: 18
Signature-Input: sig-b26=(\"date\" \"@method\" \"@path\" \"@authority\" \"content-type\" \"content-length\");created=1618884473;keyid=\"test-key-ed25519\"
Signature: sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:

{\"hello\": \"world\"}
";
    let verify = "verify --public-key rfc.pub --algorithm ed25519 --now 1618884475";
    let weak = format!("{verify} --nonce optional --require \"@method @path @authority content-length\"");
    let out = dir.fine_with(&weak, message.as_bytes());
    assert!(out.contains("test-key-ed25519") && out.contains("2 s ago"), "{out}");
    dir.fine_with(&format!("{verify} --nonce optional --require none"), message.as_bytes());
    assert_eq!(dir.run_with(verify, message.as_bytes()).code, 13);
    assert_eq!(dir.run_with(&weak, message.replace("foo", "fou").as_bytes()).code, 12);
}

#[test]
fn a_signature_can_be_made_again_byte_for_byte() {
    let dir = Dir::new();
    dir.fine("key generate --algorithm ed25519 --out key");
    let line = "sign --key key --id k --nonce n --created 2026-11-18T11:06:40Z --expires 60s --tag app --show-base";
    let first = dir.run_with(line, ORDER);
    assert_eq!(first.out, dir.run_with(line, ORDER).out);
    let base = "\"@method\": POST\n\"@authority\": api.example.com\n\"@path\": /orders\n\"@query\": ?a=b\n";
    assert!(first.err.starts_with(base), "{first:?}");
    assert!(first.err.contains(";created=1795000000;expires=1795000060;nonce=\"n\""), "{first:?}");
    assert!(first.out.contains("\r\nContent-Length: 14\r\n"), "{first:?}");
}

#[test]
fn what_is_signed_is_shown_byte_for_byte_also_where_it_is_no_text() {
    let dir = Dir::new();
    dir.fine("key generate --algorithm hmac-sha256 --out secret");
    let body = b"{\xff\x00\xfe}\n";
    let message = [b"PUT /a?b HTTP/1.1\nHost: api.example.com\nContent-Length: 6\n\n".as_slice(), body].concat();
    dir.write_bytes("message", &message);
    let output = dir
        .command("sign --scheme app-hmac --key secret --id app --show-base")
        .stdin(std::fs::File::open(dir.path("message")).unwrap())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let shown = output.stderr.strip_suffix(b"\n").unwrap();
    assert!(shown.starts_with(b"PUT/a?b") && shown.ends_with(body), "{output:?}");
    assert_eq!(shown.len(), "PUT/a?b".len() + 10 + 8 + body.len());
    assert!(output.stdout.windows(12).any(|line| line == b"\r\nAppId: app"), "spelt as its text has it");
}

#[test]
fn signing_fails_with_a_fix() {
    let dir = Dir::new();
    dir.fine("key generate --algorithm ed25519 --out key");
    let failed = |line: &str, stdin: &[u8]| {
        let ran = dir.run_with(line, stdin);
        assert!(ran.err.starts_with("countersign: error: ") && ran.out.is_empty(), "{ran:?}");
        assert_eq!(ran.code, 2, "{ran:?}");
        ran.err
    };
    assert!(failed("sign --key absent --id k", ORDER).contains("absent: no such file"));
    assert!(failed("sign --key key.pub --id k", ORDER).contains("private half"));
    assert!(failed("sign --key key --id k --scheme pki", ORDER).contains("hint: countersign key generate"));
    assert!(failed("sign --key key --id k", b"").contains("hint: printf"));
    assert!(failed("sign --key key --id k", b"GET / HTTP/1.1\n\n").contains("Host"));
    assert!(failed("sign --key key", ORDER).contains("--id"));
    assert!(failed("sing", ORDER).contains("hint: a similar subcommand exists: 'sign'"));
    assert!(
        failed("sign --key key --id k --cover date", ORDER)
            .contains("not in the message, or not of its form: \"date\"")
    );
}

#[test]
fn what_would_be_worth_nothing_is_not_signed() {
    let dir = Dir::new();
    dir.fine("key generate --algorithm ed25519 --out key");
    for (flags, says) in [
        ("--cover \"\"", "it names nothing"),
        ("--cover \" , \"", "it names nothing"),
        ("--cover \"@method x-absent\"", "not in the message, or not of its form: \"x-absent\"\nhint: "),
        ("--expires 0s", "would expire as it is made"),
        ("--expires 999ms", "would expire as it is made"),
    ] {
        let ran = dir.run_with(&format!("sign --key key --id k {flags}"), ORDER);
        assert!(ran.code == 2 && ran.out.is_empty() && ran.err.contains(says), "{flags}: {ran:?}");
    }
    let half = b"GET / HTTP/1.1\nHost: a\nSignature-Input: sig1=(\"@method\");created=1;keyid=\"x\"\n\n";
    let ran = dir.run_with("sign --key key --id k", half);
    assert!(ran.code == 2 && ran.out.is_empty() && ran.err.contains("\nhint: leave Signature"), "{ran:?}");
}
