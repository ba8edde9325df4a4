//! Two gateways on one registry: one user per address, and tokens that both take.

#[path = "../../countersign-store/tests/support/redis_server.rs"]
mod redis_server;
mod support;

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use redis_server::RedisServer;
use support::Dir;
use support::gateway::{Gateway, send, upstream};
use support::site::{LOGIN, REGISTER, Site, payload, post, seconds};

fn deployment(server: &RedisServer) -> (Dir, [Gateway; 2], Site) {
    let dir = Dir::new();
    dir.write("replay.url", &format!("{}/3\n", server.url()));
    let upstream = upstream();
    for name in ["one", "two"] {
        let config = format!(
            "data = \"{name}\"\n[gateway]\nlisten = [\"127.0.0.1:0\"]\nworkers = 2\n[admin]\nlisten = \"127.0.0.1:0\"\n\
             [registry]\nurl = \"sqlite:registry/registry.db\"\n[replay]\nurl_file = \"replay.url\"\n[token]\nissuer = \
             \"https://api.example.com\"\n[[route]]\npath = \"/me\"\nupstream = \"http://{upstream}\"\nschemes = []\nuser = \
             \"required\"\n"
        );
        dir.write(&format!("{name}.toml"), &config);
    }
    dir.fine("partner add shop --config one.toml");
    let site = Site::added(&dir, "shop", "shop-1", "--config one.toml");
    let start = |name: &str| Gateway::started(&dir, dir.command(&format!("gateway --config {name}.toml")));
    let one = start("one");
    // What seals the keys in the registry: who shares the one shares the other.
    std::fs::create_dir(dir.path("two")).unwrap();
    std::fs::copy(dir.path("one/secrets.key"), dir.path("two/secrets.key")).unwrap();
    let gateways = [one, start("two")];
    (dir, gateways, site)
}

#[test]
fn mistake_23_hundreds_of_registrations_at_two_gateways_make_one_user() {
    let server = RedisServer::start();
    let (dir, gateways, site) = deployment(&server);
    let (site, addresses) = (Arc::new(site), [gateways[0].address, gateways[1].address]);
    let mut users = Vec::new();
    for round in 0..3 {
        let email = format!("user{round}@example.com");
        let asking: Vec<_> = (0..200)
            .map(|number| {
                let (site, email) = (Arc::clone(&site), email.clone());
                thread::spawn(move || {
                    let said = site.ask(addresses[number % 2], REGISTER, &email);
                    (said.status, said.body["user"]["id"].as_str().map(str::to_owned))
                })
            })
            .collect();
        let said: Vec<_> = asking.into_iter().map(|it| it.join().unwrap()).collect();
        let new: Vec<_> = said.iter().filter(|(status, _)| *status == 201).collect();
        assert_eq!(new.len(), 1, "{said:?}");
        assert_eq!(said.iter().filter(|(status, _)| *status == 409).count(), 199, "{said:?}");
        for to in addresses {
            assert_eq!(Some(site.ask(to, LOGIN, &email).user()), new[0].1.as_deref());
        }
        users.push(email);
    }
    let list: serde_json::Value = serde_json::from_str(&dir.fine("user list --json --config two.toml")).unwrap();
    assert_eq!(list["users"].as_array().unwrap().len(), users.len());
}

#[test]
fn what_one_gateway_took_the_other_knows() {
    let server = RedisServer::start();
    let (_dir, [one, two], site) = deployment(&server);
    let captured = site.body(&payload("ana@example.com"));
    let new = post(one.address, REGISTER, &captured);
    assert_eq!(new.status, 201, "{new:?}");
    assert_eq!(post(two.address, REGISTER, &captured).code(), "replayed");
    for gateway in [&one, &two] {
        let (status, seen) = me(gateway, new.token());
        assert_eq!(status, 200, "{seen}");
        assert!(seen.to_ascii_lowercase().contains(&format!("countersign-user: {}\r\n", new.user())), "{seen}");
    }
}

/// By less than what the clocks of two gateways may differ: what it issued is dated after a revocation that came later.
#[test]
fn mistake_38_tokens_of_a_gateway_whose_clock_is_ahead_are_revoked_at_both() {
    let server = RedisServer::start();
    let (dir, [one, two], site) = deployment(&server);
    assert_eq!(two.end("-TERM"), Some(0));
    dir.write("two/clock", &format!("{:020}\n", (seconds() + 20) * 1000));
    let two = Gateway::started(&dir, dir.command("gateway --config two.toml"));
    let status = |token: &str| [&one, &two].map(|gateway| me(gateway, token).0);
    let new = site.register(&two, "ana@example.com");
    let other = site.register(&two, "bob@example.com");
    assert_eq!([status(new.token()), status(other.token())], [[200; 2]; 2]);
    dir.fine(&format!("token revoke --user {} --config one.toml", new.user()));
    let since = Instant::now();
    while status(new.token()) != [401; 2] {
        assert!(since.elapsed() < Duration::from_secs(1), "not within a second: {:?}", status(new.token()));
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(status(other.token()), [200; 2]);
    for gateway in [&one, &two] {
        let again = site.login(gateway, "ana@example.com");
        assert_eq!(status(again.token()), [200; 2], "who logs in again is in");
    }
}

fn me(to: &Gateway, token: &str) -> (u16, String) {
    let host = to.address;
    let request =
        format!("GET /me HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n");
    send(host, &request)
}
