//! Trusted sites that register users and log them in, at a gateway in a process of its own.

#[path = "exchange/attacks.rs"]
mod attacks;
#[path = "exchange/faults.rs"]
mod faults;
mod support;

use std::process::Command;
use std::thread;

use serde_json::{Value, json};
use support::Dir;
use support::gateway::{Gateway, send, upstream};
use support::site::{LOGIN, REGISTER, Site};

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
    let said =
        ["\"route\":\"/auth/trusted/register\"", "\"status\":201", "\"code\":\"user_exists\"", "\"key\":\"shop-1\""];
    // It is written behind the answers.
    let (begin, mut log) = (std::time::Instant::now(), dir.read("log"));
    while !said.iter().all(|said| log.contains(said)) {
        assert!(begin.elapsed() < std::time::Duration::from_secs(5), "{log}");
        thread::sleep(std::time::Duration::from_millis(20));
        log = dir.read("log");
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
fn mistake_40_any_site_of_a_partner_logs_in_the_partners_users_and_no_other_partner_does() {
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

/// Admitted by an earlier version. Whoever did not register it is told the same as where nobody had.
#[test]
fn a_user_whose_address_is_admitted_no_more_logs_in_by_the_partner_and_is_seen_by_no_other() {
    let (dir, gateway, [shop, _, blog]) = deployment("");
    let user = shop.register(&gateway, "muller@example.com");
    let change = "import sqlite3\nc = sqlite3.connect('countersign-data/registry.db')\n\
                  c.execute(\"UPDATE site_user SET email = 'k\u{131}l\u{131}ç@example.com'\")\nc.commit()";
    let python = Command::new("python3").args(["-c", change]).current_dir(dir.here()).status();
    assert!(python.unwrap().success());
    for spelled in ["kılıç@example.com", "Kılıç@Example.com"] {
        let login = shop.login(&gateway, spelled);
        assert_eq!((login.status, login.user()), (200, user.user()), "{login:?}");
        let foreign = blog.login(&gateway, spelled);
        let nobody = blog.login(&gateway, "çılgın@example.com");
        assert_eq!([(foreign.status, foreign.code()), (nobody.status, nobody.code())], [(400, "user_invalid"); 2]);
    }
    let again = shop.register(&gateway, "kılıç@example.com");
    assert_eq!((again.status, again.code()), (400, "user_invalid"));
}

#[test]
fn mistake_23_one_address_in_another_spelling_is_the_same_user_and_one_that_looks_like_it_is_none() {
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
    // Beyond ASCII: small letters of Cyrillic, and of Latin.
    assert_eq!(shop.register(&gateway, "ёре@example.com").status, 201);
    let alike = shop.register(&gateway, "ëpe@example.com");
    assert_eq!((alike.status, alike.code()), (409, "user_exists"));
    let alike = shop.login(&gateway, "ëpe@example.com");
    assert_eq!((alike.status, alike.code()), (404, "no_user"));
    assert_eq!(users(&dir), ["alice+shop@example.com", "alice@example.com", "ёре@example.com"]);
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

/// By one command, and its users with it.
#[test]
fn a_site_that_is_known_by_its_file_alone_is_cut_off() {
    let (dir, gateway, _) = deployment("[registry]\ntrusted_sites = \"keys\"");
    dir.fine("key generate --algorithm rsa-v1_5-sha256 --bits 2048 --out drupal_v2.key");
    std::fs::create_dir(dir.path("keys")).unwrap();
    std::fs::rename(dir.path("drupal_v2.key.pub"), dir.path("keys/drupal_v2_public.pem")).unwrap();
    let drupal = Site::of(&dir, "drupal_v2");
    let until = |what: &str, holds: &dyn Fn() -> bool| {
        let begin = std::time::Instant::now();
        while !holds() {
            assert!(begin.elapsed() < std::time::Duration::from_secs(1), "not within a second: {what}");
            thread::sleep(std::time::Duration::from_millis(20));
        }
    };
    let me = |gateway: &Gateway, token: &str| {
        let host = gateway.address;
        send(
            host,
            &format!("GET /me HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\r\n"),
        )
        .0
    };
    until("the file", &|| drupal.login(&gateway, "ana@example.com").status == 404);
    let ana = drupal.register(&gateway, "ana@example.com");
    assert_eq!(me(&gateway, ana.token()), 200);
    let ran = dir.run("partner suspend drupal_v2");
    assert!(ran.code == 2 && ran.err.contains("it is a site of the partner drupal\n"), "{ran:?}");
    assert!(dir.fine("partner resume drupal").starts_with("unchanged  partner drupal: active already"));
    assert!(dir.fine("partner suspend drupal").starts_with("suspended  partner drupal: "));
    until("suspended", &|| me(&gateway, ana.token()) == 401);
    let said = drupal.login(&gateway, "ana@example.com");
    assert_eq!((said.status, said.code()), (401, "signature_invalid"));
    let list = dir.fine("partner list");
    let row: Vec<_> = list.lines().find(|line| line.starts_with("drupal")).unwrap().split_whitespace().collect();
    assert_eq!(row[..3], ["drupal", "suspended", "1"], "{list}");
    drop(gateway);
    let gateway = Gateway::start(&dir);
    assert_eq!(me(&gateway, ana.token()), 401);
    dir.fine("partner resume drupal");
    until("resumed", &|| me(&gateway, ana.token()) == 200);
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
