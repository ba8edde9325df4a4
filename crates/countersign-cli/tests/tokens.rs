//! User tokens at a real gateway: what counts, what does not, and how it stops counting.

mod support;

use std::time::{Duration, Instant, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::{Algorithm, Scheme, Signer, SigningKey};
use countersign_store::registry::OwnUse;
use countersign_store::{Registry, Snapshots};
use serde_json::{Value, json};
use support::Dir;
use support::gateway::{Gateway, send, send_for_head, upstream};

/// A gateway with a route that asks for a token alone and one that asks for both; the site `shop` is of `acme`, who also signs, and
/// `mall` of `rival`.
fn deployment() -> (Dir, Gateway) {
    let dir = Dir::new();
    let api = upstream();
    let route = |path: &str, schemes: &str| {
        format!(
            "\n[[route]]\npath = \"{path}\"\nupstream = \"http://{api}\"\nschemes = [{schemes}]\nuser = \"required\"\n\
             refusals = \"components\"\n"
        )
    };
    let config = format!(
        "[gateway]\nlisten = [\"127.0.0.1:0\"]\nworkers = 1\n[admin]\nlisten = \"127.0.0.1:0\"\n\
         [token]\nissuer = \"https://api.example.com\"\n{}{}",
        route("/me", ""),
        route("/orders", "\"http-message-signatures\"")
    );
    dir.write("countersign.toml", &config);
    dir.fine("key generate --algorithm rsa-v1_5-sha256 --bits 2048 --out site");
    dir.fine("key generate --algorithm ed25519 --out acme");
    for (partner, site) in [("acme", "shop"), ("rival", "mall")] {
        dir.fine(&format!("partner add {partner}"));
        dir.fine(&format!(
            "key add --partner {partner} --id {site} --scheme trusted-site --algorithm rsa-v1_5-sha256 --public-key site.pub --shared"
        ));
    }
    dir.fine(
        "key add --partner acme --id acme --scheme http-message-signatures --algorithm ed25519 --public-key acme.pub",
    );
    let gateway = Gateway::start(&dir);
    (dir, gateway)
}

/// The key that the gateway signs tokens with, as whoever stole it from the registry and the data directory would have it.
struct Mint {
    kid: String,
    public: Vec<u8>,
    key: SigningKey,
}

impl Mint {
    fn of(dir: &Dir) -> Self {
        let millis = i64::try_from(UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap();
        let (data, now) = (dir.path("countersign-data"), countersign::Timestamp::from_millis(millis));
        wait(async {
            let url = format!("sqlite:{}", data.join("registry.db").display());
            let registry = Registry::open(&url, &data).await.unwrap();
            let snapshots = Snapshots::follow(&registry, Duration::from_secs(60), move || now).await.unwrap();
            let keys = snapshots.own_keys(now).unwrap();
            let own = keys.of(OwnUse::Token).find(|key| key.entry.state(now).as_str() == "active").unwrap();
            let key = SigningKey::from_file(&own.private, Scheme::HttpMessageSignatures, None).unwrap();
            Self { kid: own.entry.id.clone(), public: own.entry.public.clone(), key }
        })
    }

    fn header(&self) -> Value {
        json!({"typ": "JWT", "alg": "EdDSA", "kid": self.kid})
    }

    fn token(&self) -> String {
        self.signed(&self.header(), &claims())
    }

    #[allow(clippy::needless_pass_by_value, reason = "what is handed in is written on the spot")]
    fn with(&self, changes: Value) -> String {
        self.signed(&self.header(), &changed(claims(), &changes))
    }

    fn signed(&self, header: &Value, claims: &Value) -> String {
        signed(&self.key, header, claims)
    }
}

fn signed(key: &SigningKey, header: &Value, claims: &Value) -> String {
    let message = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
    let signature = wait(key.sign(message.as_bytes())).unwrap();
    format!("{message}.{}", encode(signature))
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn wait<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn now() -> i64 {
    i64::try_from(UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap()
}

/// The id of somebody who was removed.
const USER: &str = "5f0c6a3e-1d2b-4c4d-8e5f-60718293a4b5";

/// What a token issued now says.
fn claims() -> Value {
    issued_at(now())
}

fn issued_at(iat: i64) -> Value {
    let unique = UNIX_EPOCH.elapsed().unwrap().subsec_nanos();
    let millis = format!("{:012x}", iat * 1000);
    // By an issuer who knew all that the registry says: what is revoked is so by its time.
    let (high, middle, low) = (unique >> 20, unique >> 8 & 0xfff, unique & 0xff);
    let jti = format!("{}-{}-7{high:03x}-8{middle:03x}-00{low:02x}ffffffff", &millis[..8], &millis[8..]);
    json!({
        "iss": "https://api.example.com", "sub": "u-1", "aud": "api", "exp": iat + 900, "nbf": iat, "iat": iat, "jti": jti,
        "site": "shop", "email": "ann@example.com",
    })
}

/// With some claims other, or, by null, gone.
fn changed(mut claims: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
            value => claims[name] = value.clone(),
        }
    }
    claims
}

fn me(gateway: &Gateway, token: &str) -> (u16, String) {
    let host = gateway.address;
    let request =
        format!("GET /me HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\r\n");
    send(gateway.address, &request)
}

#[track_caller]
fn refused((status, body): (u16, String), expected: u16, code: &str) {
    let problem: Value = serde_json::from_str(&body).unwrap_or_else(|_| panic!("{status} {body}"));
    assert_eq!((status, problem["code"].as_str()), (expected, Some(code)), "{body}");
}

#[track_caller]
fn within_a_second(what: &str, holds: impl Fn() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < Duration::from_secs(1), "not within a second: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn keys(dir: &Dir) -> Vec<Value> {
    let listed: Value = serde_json::from_str(&dir.fine("token key list --json")).unwrap();
    listed["keys"].as_array().unwrap().clone()
}

fn published(gateway: &Gateway) -> Vec<Value> {
    let request =
        format!("GET /.well-known/jwks.json HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", gateway.address);
    let (status, head, body) = send_for_head(gateway.address, &request);
    assert!(status == 200 && head.contains("cache-control: public, max-age=300"), "{head}");
    let set: Value = serde_json::from_str(&body).unwrap();
    set["keys"].as_array().unwrap().clone()
}

#[test]
fn mistake_38_tokens_that_must_not_count() {
    let (dir, gateway) = deployment();
    let mint = Mint::of(&dir);
    let (status, seen) = me(&gateway, &mint.token());
    assert_eq!(status, 200, "{seen}");
    let seen = seen.to_ascii_lowercase();
    assert!(seen.contains("countersign-user: u-1\r\n") && !seen.contains("countersign-partner"), "{seen}");

    // `alg` none.
    let body = encode(claims().to_string());
    for alg in ["none", "None", "nOnE"] {
        let header = encode(json!({"typ": "JWT", "alg": alg, "kid": mint.kid}).to_string());
        refused(me(&gateway, &format!("{header}.{body}.")), 401, "token_invalid");
    }
    // HS256 with the public key, in every form in which others have it.
    let x = published(&gateway)[0]["x"].as_str().unwrap().to_owned();
    let raw = URL_SAFE_NO_PAD.decode(&x).unwrap();
    for secret in [x.as_bytes(), &raw, &mint.public] {
        let key = SigningKey::from_file(secret, Scheme::AppHmac, Some(Algorithm::HmacSha256)).unwrap();
        let header = json!({"typ": "JWT", "alg": "HS256", "kid": mint.kid});
        refused(me(&gateway, &signed(&key, &header, &claims())), 401, "token_invalid");
    }
    // Another issuer's token: by a key of its own under our name, and ours for another.
    let pair = SigningKey::generate(Algorithm::Ed25519, 0).unwrap();
    let other = SigningKey::from_file(pair.private.as_bytes(), Scheme::HttpMessageSignatures, None).unwrap();
    refused(me(&gateway, &signed(&other, &mint.header(), &claims())), 401, "token_invalid");
    let theirs = json!({"typ": "JWT", "alg": "EdDSA", "kid": "theirs"});
    refused(me(&gateway, &signed(&other, &theirs, &claims())), 401, "token_invalid");
    refused(me(&gateway, &mint.with(json!({"iss": "https://other.example.com"}))), 401, "token_invalid");
    // Expired, and not yet valid.
    refused(me(&gateway, &mint.signed(&mint.header(), &issued_at(now() - 901))), 401, "token_expired");
    refused(me(&gateway, &mint.with(json!({"exp": now() - 1}))), 401, "token_expired");
    refused(me(&gateway, &mint.with(json!({"exp": null}))), 401, "token_invalid");
    refused(me(&gateway, &mint.signed(&mint.header(), &issued_at(now() + 120))), 401, "token_invalid");
    refused(me(&gateway, &mint.with(json!({"nbf": now() + 120}))), 401, "token_invalid");
    // Audience missing.
    for audience in [json!(null), json!([]), json!("other"), json!(["api", "other"])] {
        refused(me(&gateway, &mint.with(json!({"aud": audience}))), 401, "token_invalid");
    }
    // Subject of a suspended site.
    let token = mint.token();
    assert_eq!(me(&gateway, &token).0, 200);
    dir.fine("partner suspend acme");
    within_a_second("suspended", || me(&gateway, &token).0 == 401);
    refused(me(&gateway, &token), 401, "token_invalid");
    dir.fine("partner resume acme");
    within_a_second("resumed", || me(&gateway, &token).0 == 200);
    dir.fine("key revoke shop --reason stolen");
    within_a_second("revoked", || me(&gateway, &token).0 == 401);
    assert!(!dir.read("log").contains(&token), "a token stands in the log");
}

#[test]
fn mistake_40_a_users_token_riding_on_another_partners_signature() {
    let (dir, gateway) = deployment();
    let mint = Mint::of(&dir);
    let orders = |token: &str, cover: &str| {
        let message = format!(
            "GET /orders HTTP/1.1\nHost: {}\nConnection: close\nAuthorization: Bearer {token}\n\n",
            gateway.address
        );
        let signed = dir.fine_with(&format!("sign --key acme --id acme {cover}"), message.as_bytes());
        send(gateway.address, &signed)
    };
    let cover = "--cover \"@method @authority @path @query authorization\"";
    let (status, seen) = orders(&mint.token(), cover);
    assert_eq!(status, 200, "{seen}");
    let seen = seen.to_ascii_lowercase();
    assert!(seen.contains("countersign-user: u-1\r\n") && seen.contains("countersign-partner: acme\r\n"), "{seen}");
    refused(orders(&mint.with(json!({"site": "mall"})), cover), 403, "partner_not_allowed");
    // Put in its place by somebody on the way.
    refused(orders(&mint.token(), "--cover \"@method @authority @path @query\""), 401, "coverage_too_small");
    refused(orders("x", cover), 401, "token_invalid");
}

#[test]
fn tokens_are_revoked_within_a_second_by_one_command() {
    let (dir, gateway) = deployment();
    let mint = Mint::of(&dir);
    // Issued before, by a second that has passed.
    let before = |site: &str| changed(issued_at(now() - 2), &json!({"site": site}));
    let token = |site: &str| mint.signed(&mint.header(), &before(site));
    let one = before("shop");
    let named = mint.signed(&mint.header(), &one);
    let (other, elsewhere) = (token("shop"), token("mall"));
    assert_eq!([&named, &other, &elsewhere].map(|token| me(&gateway, token).0), [200; 3]);
    let id = one["jti"].as_str().unwrap();
    dir.fine(&format!("token revoke --jti {} --reason stolen", id.to_uppercase()));
    within_a_second("by jti", || me(&gateway, &named).0 == 401);
    assert_eq!([&other, &elsewhere].map(|token| me(&gateway, token).0), [200; 2]);
    dir.fine("token revoke --site shop");
    within_a_second("by site", || me(&gateway, &other).0 == 401);
    assert_eq!(me(&gateway, &elsewhere).0, 200);
    dir.fine("token revoke --partner rival");
    within_a_second("by partner", || me(&gateway, &elsewhere).0 == 401);
    // Who logs in again is in.
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(me(&gateway, &mint.token()).0, 200);
    let of = |user: &str| mint.signed(&mint.header(), &changed(claims(), &json!({"sub": user})));
    let (gone, later) = (of(USER), of("5f0c6a3e-1d2b-4c4d-8e5f-60718293a4b6"));
    assert_eq!(me(&gateway, &gone).0, 200);
    dir.fine(&format!("token revoke --user {}", USER.to_uppercase()));
    within_a_second("by user", || me(&gateway, &gone).0 == 401);
    assert_eq!(me(&gateway, &later).0, 200);
    let listed: Value = serde_json::from_str(&dir.fine("token revoked --json")).unwrap();
    let kinds: Vec<_> = listed["revoked"].as_array().unwrap().iter().map(|one| one["kind"].clone()).collect();
    assert_eq!(kinds, ["user", "partner", "site", "jti"]);
    // What would be in vain is said.
    for (line, what) in [
        ("token revoke", "--jti"),
        ("token revoke --site nowhere", "there is no key \"nowhere\""),
        ("token revoke --partner nobody", "there is no partner \"nobody\""),
        ("token revoke --user \"a b\"", "is no e-mail address, and no user's id"),
        ("token revoke --user u-1", "is no e-mail address, and no user's id"),
        ("token revoke --user alice@example.com", "there is no user alice@example.com"),
        // Of version 4, as users' ids are, and with a digit missing.
        (&format!("token revoke --jti {USER}"), "is no token's id"),
        (&format!("token revoke --jti {}", &id[1..]), "is no token's id"),
    ] {
        let ran = dir.run(line);
        assert!(ran.code == 2 && ran.err.contains(what), "{line}: {ran:?}");
    }
}

#[test]
fn a_key_gives_way_with_overlap_and_a_leaked_one_at_once() {
    let (dir, gateway) = deployment();
    let first = keys(&dir);
    assert_eq!((first.len(), &first[0]["state"], &first[0]["algorithm"]), (1, &json!("active"), &json!("EdDSA")));
    let kids = |gateway: &Gateway| -> Vec<Value> { published(gateway).iter().map(|key| key["kid"].clone()).collect() };
    assert_eq!(kids(&gateway), [first[0]["id"].clone()]);
    let said = dir.fine("token key rotate");
    assert!(said.contains("published within a second") && said.contains("signs     from"), "{said}");
    let two = keys(&dir);
    assert_eq!([&two[0]["state"], &two[1]["state"]], [&json!("pending"), &json!("active")]);
    within_a_second("published", || kids(&gateway).len() == 2);
    // The one that signs is still the first.
    let mint = Mint::of(&dir);
    assert_eq!(mint.kid, first[0]["id"]);
    let token = mint.token();
    assert_eq!(me(&gateway, &token).0, 200);
    dir.fine(&format!("token key revoke {} --reason leaked", mint.kid));
    within_a_second("revoked", || me(&gateway, &token).0 == 401);
    assert_eq!(kids(&gateway), [two[0]["id"].clone()]);
    assert_eq!(Mint::of(&dir).kid, two[0]["id"]);
    assert_eq!(me(&gateway, &Mint::of(&dir).token()).0, 200);
    let ran = dir.run("token key revoke nothing --reason x");
    assert!(ran.code == 2 && ran.err.contains("countersign token key list"), "{ran:?}");
    // A restart makes no other key, and another algorithm a successor.
    drop(gateway);
    let config = dir.read("countersign.toml").replace("[token]\n", "[token]\nalgorithm = \"RS256\"\n");
    let gateway = Gateway::start(&dir);
    assert_eq!(keys(&dir).len(), 2);
    dir.write("countersign.toml", &config);
    gateway.signal("-HUP");
    let newest = || keys(&dir).into_iter().find(|key| key["algorithm"] == "RS256");
    let begin = Instant::now();
    while newest().is_none() {
        assert!(begin.elapsed() < Duration::from_secs(10), "{}", dir.read("log"));
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(newest().unwrap()["state"], "pending");
}
