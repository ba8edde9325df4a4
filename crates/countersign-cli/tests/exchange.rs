//! Trusted sites that register users and log them in, at a gateway in a process of its own.

mod support;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;

use serde_json::{Value, json};
use support::Dir;
use support::gateway::{Gateway, send, upstream};
use support::site::{LOGIN, REGISTER, Site, payload, post, post_text, seconds};

/// A gateway with an exchange, and what else its configuration says; the partner `shop` with the sites `shop-1` and `shop-2`,
/// and the partner `blog` with the site `blog`.
fn deployment(more: &str) -> (Dir, Gateway, [Site; 3]) {
    let dir = Dir::new();
    let upstream = upstream();
    dir.write(
        "countersign.toml",
        &format!(
            "[gateway]\nlisten = [\"127.0.0.1:0\"]\nworkers = 2\n[admin]\nlisten = \"127.0.0.1:0\"\n[token]\nissuer = \
             \"https://api.example.com\"\n{more}\n[[route]]\npath = \"/orders\"\nupstream = \"http://{upstream}\"\n\
             [[route]]\npath = \"/me\"\nupstream = \"http://{upstream}\"\nschemes = []\nuser = \"required\"\n"
        ),
    );
    dir.fine("partner add shop");
    dir.fine("partner add blog");
    let sites = [("shop", "shop-1"), ("shop", "shop-2"), ("blog", "blog")];
    let sites = sites.map(|(partner, id)| Site::added(&dir, partner, id, ""));
    let gateway = Gateway::start(&dir);
    (dir, gateway, sites)
}

fn users(dir: &Dir) -> Vec<String> {
    let list: Value = serde_json::from_str(&dir.fine("user list --limit 100000 --json")).unwrap();
    list["users"].as_array().unwrap().iter().map(|user| user["email"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_site_registers_a_user_and_logs_the_user_in() {
    let (dir, gateway, [shop, ..]) = deployment("default_credits = 7");
    let new = shop.register(&gateway, "Ana@Example.com");
    assert_eq!(new.status, 201, "{new:?}");
    let user =
        json!({ "id": new.user(), "email": "ana@example.com", "credits_remaining": 7, "registered_via": "shop-1" });
    assert_eq!((&new.body["user"], &new.body["token_type"]), (&user, &json!("bearer")));
    assert!(!new.token().is_empty());
    for field in ["content-type: application/json\r\n", "cache-control: no-store\r\n", "countersign-trace: "] {
        assert!(new.head.contains(field), "{field}: {}", new.head);
    }
    let again = shop.register(&gateway, "ana@example.com");
    assert_eq!((again.status, again.code()), (409, "user_exists"));
    let login = shop.login(&gateway, "ANA@example.com");
    assert_eq!((login.status, &login.body["user"]), (200, &user), "{login:?}");
    assert_ne!(login.token(), new.token());
    let nobody = shop.login(&gateway, "bob@example.com");
    assert_eq!((nobody.status, nobody.code()), (404, "no_user"));
    assert_eq!(users(&dir), ["ana@example.com"]);
    // What the operator sees of it, where the token must not be.
    let log = dir.read("log");
    for said in
        ["\"route\":\"/auth/trusted/register\"", "\"status\":201", "\"code\":\"user_exists\"", "\"key\":\"shop-1\""]
    {
        assert!(log.contains(said), "{said}: {log}");
    }
    assert!(!log.contains(new.token()) && !log.contains("@example.com"), "{log}");
    let (_, metrics) = send(gateway.admin, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    for counted in [
        "{route=\"/auth/trusted/register\",code=\"accepted\"} 1\n",
        "{route=\"/auth/trusted/register\",code=\"user_exists\"} 1\n",
        "{route=\"/auth/trusted/login\",code=\"no_user\"} 1\n",
    ] {
        assert!(metrics.contains(counted), "{counted}: {metrics}");
    }
}

#[test]
fn any_site_of_a_partner_logs_in_the_partners_users_and_no_other_partner_does() {
    let (_dir, gateway, [one, other, blog]) = deployment("");
    let ana = one.register(&gateway, "ana@example.com");
    let login = other.login(&gateway, "ana@example.com");
    assert_eq!((login.status, login.user()), (200, ana.user()));
    assert_eq!(login.body["user"]["registered_via"], "shop-1");
    // As if there were no such user: the code, the status and all else.
    let foreign = blog.login(&gateway, "ana@example.com");
    assert_eq!((foreign.status, foreign.code()), (404, "no_user"));
    assert_eq!((blog.register(&gateway, "ana@example.com").status), 409);
}

#[test]
fn where_users_are_shared_any_partner_logs_them_in() {
    let (_dir, gateway, [shop, _, blog]) = deployment("shared_users = true");
    let ana = shop.register(&gateway, "ana@example.com");
    assert_eq!(blog.login(&gateway, "ana@example.com").user(), ana.user());
}

#[test]
fn hundreds_of_registrations_at_once_make_one_user() {
    let (dir, gateway, sites) = deployment("");
    let sites = Arc::new(sites);
    let address = gateway.address;
    let asking: Vec<_> = (0..300)
        .map(|number| {
            let sites = Arc::clone(&sites);
            thread::spawn(move || {
                let email = ["ana@example.com", "ANA@example.com", "Ana@Example.COM"][number % 3];
                let said = sites[number % 3].ask(address, REGISTER, email);
                (said.status, said.body["user"]["id"].as_str().map(str::to_owned))
            })
        })
        .collect();
    let said: Vec<_> = asking.into_iter().map(|it| it.join().unwrap()).collect();
    let ids: Vec<_> = said.iter().filter(|(status, _)| *status == 201).collect();
    assert_eq!(ids.len(), 1, "{said:?}");
    assert_eq!(said.iter().filter(|(status, _)| *status == 409).count(), 299, "{said:?}");
    assert_eq!(users(&dir), ["ana@example.com"]);
}

#[test]
fn one_address_in_another_spelling_is_the_same_user_and_one_that_looks_like_it_is_none() {
    let (dir, gateway, [shop, ..]) = deployment("");
    let alice = shop.register(&gateway, "alice@example.com");
    for same in ["ALICE@example.com", "alice@EXAMPLE.com", "alice@\u{ff45}xample.com"] {
        assert_eq!(shop.register(&gateway, same).status, 409, "{same}");
        assert_eq!(shop.login(&gateway, same).user(), alice.user(), "{same}");
    }
    for alike in [
        "\u{430}lice@example.com",
        "alıce@example.com",
        "\u{ff41}lice@example.com",
        "alice\u{200b}@example.com",
        " alice@example.com",
        "alice@example.com ",
        "alice@example.com.",
        "alice",
        "",
        "a@b@example.com",
        "\"alice\"@example.com",
    ] {
        for path in [REGISTER, LOGIN] {
            let said = shop.ask(gateway.address, path, alike);
            assert_eq!((said.status, said.code()), (400, "user_invalid"), "{alike:?}");
        }
    }
    let tagged = shop.register(&gateway, "alice+shop@example.com");
    assert!(tagged.status == 201 && tagged.user() != alice.user(), "{tagged:?}");
    assert_eq!(users(&dir), ["alice+shop@example.com", "alice@example.com"]);
}

/// The stamp has ten digits, so what was signed splits at its last `|` alone.
#[test]
fn a_payload_that_ends_in_another_timestamp_is_a_payload() {
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
fn a_timestamp_that_is_no_integer_of_seconds_is_refused() {
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
fn a_site_id_that_climbs_is_refused() {
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
    let text = format!(" {} ", captured.to_string().replace("ana@", "an\\\\u0061@"));
    assert_ne!(post_text(gateway.address, &format!("POST {REGISTER}"), &text).status, 201);
    let mut reversed = captured.as_object().unwrap().iter().rev().map(|(name, value)| format!("\"{name}\": {value}"));
    let text = format!("{{{}}}", reversed.by_ref().collect::<Vec<_>>().join(", "));
    assert_eq!(post_text(gateway.address, &format!("POST {REGISTER}"), &text).code(), "replayed");
    assert!(users(&dir).is_empty());
}

#[test]
fn a_site_that_is_suspended_or_revoked_gets_no_token() {
    let (dir, gateway, [one, other, blog]) = deployment("");
    assert_eq!(one.register(&gateway, "ana@example.com").status, 201);
    dir.fine("partner suspend shop");
    dir.fine("key revoke blog --reason stolen");
    thread::sleep(std::time::Duration::from_secs(1));
    for site in [&one, &other] {
        assert_eq!(site.login(&gateway, "ana@example.com").code(), "signature_invalid");
        assert_eq!(site.register(&gateway, "eve@example.com").code(), "signature_invalid");
    }
    assert_eq!(blog.register(&gateway, "eve@example.com").code(), "signature_invalid");
    assert_eq!(users(&dir), ["ana@example.com"]);
    dir.fine("partner resume shop");
    thread::sleep(std::time::Duration::from_secs(1));
    assert_eq!(other.login(&gateway, "ana@example.com").status, 200);
}

#[test]
fn a_user_who_is_suspended_is_logged_in_by_no_site() {
    let (dir, gateway, [shop, ..]) = deployment("shared_users = true");
    shop.register(&gateway, "ana@example.com");
    dir.fine("user suspend ana@example.com");
    assert_eq!(shop.login(&gateway, "ana@example.com").code(), "no_user");
    dir.fine("user resume ana@example.com");
    assert_eq!(shop.login(&gateway, "ana@example.com").status, 200);
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

#[test]
fn without_tokens_there_is_no_exchange() {
    let (dir, gateway, [shop, ..]) = deployment("");
    drop(gateway);
    let text = dir.read("countersign.toml");
    let text = text.replace("[token]\nissuer = \"https://api.example.com\"\n", "");
    dir.write("countersign.toml", text.split("[[route]]\npath = \"/me\"").next().unwrap());
    let gateway = Gateway::start(&dir);
    assert_eq!(shop.register(&gateway, "ana@example.com").code(), "no_route");
}

#[test]
fn a_token_says_to_the_api_behind_which_user_comes() {
    let (dir, gateway, [shop, ..]) = deployment("");
    let new = shop.register(&gateway, "ana@example.com");
    let me = |token: &str| {
        let host = gateway.address;
        let head =
            format!("GET /me HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n");
        send(host, &head)
    };
    for token in [new.token(), shop.login(&gateway, "ana@example.com").token()] {
        let (status, seen) = me(token);
        let told = seen.to_ascii_lowercase().contains(&format!("countersign-user: {}\r\n", new.user()));
        assert!(status == 200 && told, "{status}: {seen}");
    }
    let mut bent = new.token().to_owned();
    let last = if bent.ends_with('A') { 'Q' } else { 'A' };
    bent.pop();
    bent.push(last);
    assert_eq!(me(&bent).0, 401);
    // What the site vouched for ends with the site.
    dir.fine("key revoke shop-1 --reason stolen");
    thread::sleep(std::time::Duration::from_secs(1));
    assert_eq!(me(new.token()).0, 401);
}

#[test]
fn with_the_database_held_by_another_registrations_are_unavailable_and_nobody_is_created() {
    let (dir, gateway, [shop, ..]) = deployment("");
    assert_eq!(shop.register(&gateway, "ana@example.com").status, 201);
    let hold = "import sqlite3, sys\nc = sqlite3.connect('countersign-data/registry.db', isolation_level=None)\n\
                c.execute('BEGIN IMMEDIATE')\nprint('held', flush=True)\nsys.stdin.read()";
    let mut holder = Command::new("python3")
        .args(["-c", hold])
        .current_dir(dir.here())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "held\n");
    let said = shop.register(&gateway, "bob@example.com");
    assert_eq!((said.status, said.code()), (503, "unavailable"));
    assert!(said.head.contains("retry-after: "), "{}", said.head);
    // Who is there already is found all the same.
    assert_eq!(shop.login(&gateway, "ana@example.com").status, 200);
    drop(holder.stdin.take());
    holder.wait().unwrap();
    assert_eq!(users(&dir), ["ana@example.com"]);
    assert_eq!(shop.register(&gateway, "bob@example.com").status, 201);
}

/// What was answered 201 is there, whenever the process ends: of everyone else nobody was told anything.
#[test]
fn a_kill_under_load_loses_no_user_who_was_answered_201() {
    let (dir, gateway, sites) = deployment("");
    let (sites, address) = (Arc::new(sites), gateway.address);
    let asking: Vec<_> = (0..24)
        .map(|thread| {
            let sites = Arc::clone(&sites);
            thread::spawn(move || {
                let mut registered = Vec::new();
                for number in 0.. {
                    let email = format!("user-{thread}-{number}@example.com");
                    // A connection that broke off says nothing.
                    let said = std::panic::catch_unwind(|| sites[thread % 3].ask(address, REGISTER, &email));
                    match said.map(|said| said.status) {
                        Ok(201) => registered.push(email),
                        Ok(status) => panic!("{status}"),
                        Err(_) => break,
                    }
                }
                registered
            })
        })
        .collect();
    thread::sleep(std::time::Duration::from_millis(1500));
    gateway.end("-KILL");
    let told: BTreeSet<String> = asking.into_iter().flat_map(|it| it.join().unwrap()).collect();
    assert!(told.len() > 100, "{} registrations are no load", told.len());
    let there: BTreeSet<String> = users(&dir).into_iter().collect();
    let lost: Vec<_> = told.difference(&there).collect();
    assert!(lost.is_empty(), "{} of {} are lost: {lost:?}", lost.len(), told.len());
}
