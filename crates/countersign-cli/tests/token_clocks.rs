//! User tokens at a gateway whose clock the test sets: one key gives way to the next, and what is revoked stays so.

mod support;

use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use support::Dir;
use support::gateway::{Gateway, send};
use support::site::{LOGIN, REGISTER, Said, Site, payload, post, seconds};

/// A gateway that issues tokens and takes them, one run of it after the other.
struct Deployment {
    dir: Dir,
    site: Site,
    gateway: Gateway,
    now: u64,
}

impl Deployment {
    fn start() -> Self {
        let dir = Dir::new();
        let upstream = support::gateway::upstream();
        let config = format!(
            "[gateway]\nlisten = [\"127.0.0.1:0\"]\nworkers = 1\n[admin]\nlisten = \"127.0.0.1:0\"\n[token]\nissuer = \
             \"https://api.example.com\"\n[[route]]\npath = \"/me\"\nupstream = \"http://{upstream}\"\nschemes = []\nuser = \
             \"required\"\n"
        );
        dir.write("countersign.toml", &config);
        dir.fine("partner add shop");
        let site = Site::added(&dir, "shop", "shop-1", "");
        let gateway = Gateway::start(&dir);
        Self { dir, site, gateway, now: seconds() }
    }

    /// Goes on at a later time: the clock of a gateway never goes back to an earlier one.
    fn later(self, now: u64) -> Self {
        let Self { dir, site, gateway, .. } = self;
        assert_eq!(gateway.end("-TERM"), Some(0));
        dir.write("countersign-data/clock", &format!("{:020}\n", now * 1000));
        let gateway = Gateway::start(&dir);
        Self { dir, site, gateway, now }
    }

    /// Asks for a token, signed at the time of the gateway.
    #[track_caller]
    fn ask(&self, path: &str, email: &str) -> Said {
        let (payload, stamp) = (payload(email), self.now);
        let signature = self.site.signature(&payload, &stamp.to_string());
        let body = json!({ "payload": payload, "timestamp": stamp, "signature": signature, "site_id": self.site.id });
        let said = post(self.gateway.address, path, &body);
        assert!(matches!(said.status, 200 | 201), "{said:?}");
        said
    }

    fn get(&self, path: &str, fields: &str) -> (u16, Value) {
        let host = self.gateway.address;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{fields}\r\n");
        let (status, body) = send(host, &request);
        (status, serde_json::from_str(&body).unwrap_or_default())
    }

    /// Status and code of a request with this token.
    fn me(&self, token: &str) -> (u16, String) {
        let (status, problem) = self.get("/me", &format!("Authorization: Bearer {token}\r\n"));
        (status, problem["code"].as_str().unwrap_or_default().to_owned())
    }

    /// The keys in the published set, in some order of their own.
    fn published(&self) -> Vec<String> {
        let (status, set) = self.get("/.well-known/jwks.json", "");
        assert_eq!(status, 200);
        let mut kids: Vec<_> =
            set["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect();
        kids.sort();
        kids
    }
}

/// The key that signed a token.
fn kid(token: &str) -> String {
    let head = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    serde_json::from_slice::<Value>(&head).unwrap()["kid"].as_str().unwrap().to_owned()
}

#[track_caller]
fn within_a_second(what: &str, holds: impl Fn() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < Duration::from_secs(1), "not within a second: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// `max-age` of the set and a second, then the lifetime and what clocks may differ.
#[test]
fn the_next_key_is_published_before_it_signs_and_the_former_verifies_until_its_last_token_has_ended() {
    let gateway = Deployment::start();
    let good = (200, String::new());
    let early = gateway.ask(REGISTER, "ana@example.com").token().to_owned();
    let first = kid(&early);
    assert_eq!(gateway.published(), [first.as_str()]);

    gateway.dir.fine("token key rotate");
    let rotated = seconds();
    within_a_second("published", || gateway.published().len() == 2);
    let both = gateway.published();
    let next = both.iter().find(|kid| **kid != first).unwrap().clone();
    assert_eq!(kid(gateway.ask(LOGIN, "ana@example.com").token()), first, "not everybody can have seen the next");

    let gateway = gateway.later(rotated + 299);
    let last = gateway.ask(LOGIN, "ana@example.com").token().to_owned();
    assert_eq!((kid(&last), gateway.published()), (first.clone(), both.clone()));

    let gateway = gateway.later(rotated + 302);
    let new = gateway.ask(LOGIN, "ana@example.com").token().to_owned();
    assert_eq!((kid(&new), gateway.published()), (next.clone(), both.clone()));
    for token in [&early, &last, &new] {
        assert_eq!(gateway.me(token), good);
    }

    // The last that the former signed lives as long as any other.
    let gateway = gateway.later(rotated + 299 + 898);
    assert_eq!((gateway.me(&last), gateway.me(&new)), (good.clone(), good.clone()));
    assert_eq!(gateway.published(), both);
    let gateway = gateway.later(rotated + 1210);
    assert_eq!((gateway.me(&last).1.as_str(), gateway.published()), ("token_expired", both));

    // Nothing is taken any more that it signs, whatever that says of its time.
    let gateway = gateway.later(rotated + 302 + 930);
    assert_eq!((gateway.me(&last).1.as_str(), gateway.published()), ("token_invalid", vec![next.clone()]));
    assert_eq!(kid(gateway.ask(LOGIN, "ana@example.com").token()), next);
}

/// It never goes back, so it is ahead of one that did. What it issued is dated after the revocation, and who logs in again is in at once.
#[test]
fn mistake_38_tokens_of_a_gateway_that_is_ahead_of_the_command_are_revoked() {
    let gateway = Deployment::start();
    let gateway = gateway.later(seconds() + 240);
    let new = gateway.ask(REGISTER, "ana@example.com");
    assert_eq!(gateway.me(new.token()).0, 200);
    for what in [format!("--user {}", new.user()), "--site shop-1".to_owned(), "--partner shop".to_owned()] {
        let token = gateway.ask(LOGIN, "ana@example.com").token().to_owned();
        assert_eq!(gateway.me(&token).0, 200);
        gateway.dir.fine(&format!("token revoke {what}"));
        within_a_second(&what, || gateway.me(&token).0 == 401);
        assert_eq!(gateway.me(gateway.ask(LOGIN, "ana@example.com").token()).0, 200, "{what}");
    }
}
