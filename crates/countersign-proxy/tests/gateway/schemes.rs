//! The schemes beside RFC 9421: what of each the upstream receives, and where a message is not taken.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign::{
    Algorithm, AppHmacForm, Demands, Draft, Form, Head, KeyRecord, KeyState, Keys, Layout, Material, NonceForm, Origin,
    Scheme, SharedSecret, SigningKey, TimestampUnit, VerifyingKey,
};
use http::HeaderMap;
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::admitted::arrived;
use crate::client::{Answer, ask};
use crate::signer::now;
use crate::stage::{Setting, Stage};
use crate::upstream::Upstream;

const PAYLOAD: &str = "{\"email\": \"ana@example.com\", \"note\": \"Grüße | \\\"\"}";
const SECRET: &[u8] = b"a secret of the app, and of us";
const BODY_FORM: AppHmacForm =
    AppHmacForm { layout: Layout::PayloadFirst, unit: TimestampUnit::Milliseconds, nonce: NonceForm::Uuid };

/// One of each scheme, and of each layout.
pub(crate) async fn senders() -> Vec<Sender> {
    let method_first = AppHmacForm { layout: Layout::MethodFirst, ..BODY_FORM };
    vec![
        Sender::new(Scheme::HttpMessageSignatures, None, |_| {}).await,
        Sender::new(Scheme::Pki, None, |_| {}).await,
        Sender::new(Scheme::TrustedSite, None, |_| {}).await,
        Sender::new(Scheme::AppHmac, Some(method_first), |_| {}).await,
        Sender::new(Scheme::AppHmac, Some(BODY_FORM), |_| {}).await,
    ]
}

/// A gateway whose one route admits one scheme, and a signer of it.
pub(crate) struct Sender {
    pub(crate) stage: Stage,
    pub(crate) form: Form,
    key: SigningKey,
}

/// A request that can be bent before it is sent.
pub(crate) struct Post {
    pub(crate) line: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Sender {
    async fn new(scheme: Scheme, app_hmac: Option<AppHmacForm>, change: impl FnOnce(&mut Demands)) -> Self {
        Self::before(Upstream::echo().await, scheme, app_hmac, change)
    }

    fn before(
        upstream: Upstream,
        scheme: Scheme,
        app_hmac: Option<AppHmacForm>,
        change: impl FnOnce(&mut Demands),
    ) -> Self {
        let algorithm = scheme.algorithms()[0];
        let (private, material) = match algorithm {
            Algorithm::HmacSha256 => (SECRET.to_vec(), Material::Shared(SharedSecret::new(SECRET.to_vec()))),
            _ => {
                let pair = SigningKey::generate(algorithm, 2048).unwrap();
                let public = Material::from_public_pem(pair.public.as_bytes()).unwrap();
                (pair.private.as_bytes().to_vec(), public)
            }
        };
        let record = KeyRecord {
            partner: "acme".to_owned(),
            partner_active: true,
            id: "acme_v2".to_owned(),
            version: 2,
            scheme,
            algorithm,
            state: KeyState::Active,
            not_before: None,
            not_after: None,
            form: app_hmac,
            material,
        };
        let mut demands = Demands { schemes: vec![scheme], path: "/orders".to_owned(), ..Demands::default() };
        change(&mut demands);
        let stage = Stage::before(upstream, Setting { demands, ..Setting::default() });
        stage.keys.store(Arc::new(Keys::new([VerifyingKey::new(record).unwrap()])));
        let key = SigningKey::from_file(&private, scheme, None).unwrap();
        Self { stage, form: Form { app_hmac, ..Form::new(scheme, "acme_v2") }, key }
    }

    pub(crate) async fn sign(&self, target: &str, content_type: &str, body: &[u8]) -> Post {
        let mut headers = HeaderMap::new();
        headers.insert("host", "api.test".parse().unwrap());
        headers.insert("content-type", content_type.parse().unwrap());
        headers.insert("x-mine", "1".parse().unwrap());
        let origin = Origin::new(false, "api.test").unwrap();
        let head = Head::request(http::Method::POST, target, origin, headers.clone(), true).unwrap();
        let mut draft = Draft::new(head, self.form.clone());
        draft.push(body);
        let signed = draft.finish(&format!("{}", now().as_millis()), now()).unwrap().sign(&self.key).await.unwrap();
        signed.apply(&mut headers);
        let body = signed.body().map_or_else(|| body.to_vec(), |body| body.to_vec());
        Post { line: format!("POST {target} HTTP/1.1"), headers, body }
    }

    /// A message that passes.
    pub(crate) async fn any(&self) -> Post {
        let body = format!("{{\"timestamp\": {}, \"message_id\": \"1\"}}", now().as_secs());
        self.sign("/orders", "application/json", body.as_bytes()).await
    }

    async fn ask(&self, post: &Post) -> Answer {
        ask(self.stage.address, &post.bytes()).await
    }

    /// What the upstream received.
    async fn passes(&self, post: &Post) -> Value {
        let answer = self.ask(post).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let echo = answer.json();
        assert_eq!(arrived(&echo, "countersign-partner"), ["acme"]);
        assert_eq!(arrived(&echo, "countersign-key"), ["acme_v2"]);
        assert_eq!(arrived(&echo, "countersign-scheme"), [self.form.scheme.as_str()]);
        assert_eq!(arrived(&echo, "x-mine"), ["1"]);
        assert_eq!(arrived(&echo, "content-length"), [echo["body"].as_str().unwrap().len().to_string()]);
        echo
    }

    /// The code of the refusal, after which nothing has reached the upstream.
    async fn refused(&self, post: &Post) -> String {
        let before = self.stage.upstream.requests();
        let code = self.ask(post).await.code();
        assert_eq!(self.stage.upstream.requests(), before, "{code}, and forwarded all the same");
        code
    }
}

impl Post {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{}\r\n", self.line).into_bytes();
        for (name, value) in &self.headers {
            bytes.extend_from_slice(format!("{name}: ").as_bytes());
            bytes.extend_from_slice(value.as_bytes());
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(format!("Content-Length: {}\r\nConnection: close\r\n\r\n", self.body.len()).as_bytes());
        bytes.extend_from_slice(&self.body);
        bytes
    }

    pub(crate) fn bent(&self, bend: impl FnOnce(&mut Self)) -> Self {
        let mut post = Self { line: self.line.clone(), headers: self.headers.clone(), body: self.body.clone() };
        bend(&mut post);
        post
    }

    pub(crate) fn at(&self, line: &str) -> Self {
        self.bent(|post| line.clone_into(&mut post.line))
    }

    fn typed(&self, content_type: &str) -> Self {
        self.bent(|post| drop(post.headers.insert("content-type", content_type.parse().unwrap())))
    }
}

fn upload(message_id: &str) -> Vec<u8> {
    let seconds = now().as_secs();
    format!(
        "--b\r\nContent-Disposition: form-data; name=\"timestamp\"\r\n\r\n{seconds}\r\n--b\r\nContent-Disposition: form-data; \
         name=file; filename=\"a b.txt\"\r\nContent-Transfer-Encoding: binary\r\nContent-Type: text/plain\r\n\r\nGrüße\r\n--b\r\n\
         Content-Disposition: form-data; name=\"message_id\"\r\n\r\n{message_id}\r\n--b--\r\n"
    )
    .into_bytes()
}

/// What a scheme that signs the body only is refused for, whichever it is.
async fn is_bound_to_its_place(sender: &Sender, post: &Post) {
    for line in [
        "PUT /orders HTTP/1.1",
        "DELETE /orders HTTP/1.1",
        "POST /orders/7 HTTP/1.1",
        "POST /orders/ HTTP/1.1",
        "POST /orders?admin=true HTTP/1.1",
        "POST /orders? HTTP/1.1",
    ] {
        assert_eq!(sender.refused(&post.at(line)).await, "coverage_too_small", "{line}");
    }
    assert_eq!(sender.refused(&post.at("POST /others HTTP/1.1")).await, "no_route");
    assert_eq!(sender.refused(&post.at("POST /./orders HTTP/1.1")).await, "malformed");
    assert_eq!(sender.refused(&post.bent(|post| post.body.clear())).await, "unsigned");
    // Nothing of that has spent it.
    sender.passes(post).await;
    assert_eq!(sender.refused(post).await, "replayed");
}

#[tokio::test]
async fn of_a_trusted_sites_message_the_payload_arrives() {
    let sender = Sender::new(Scheme::TrustedSite, None, |_| {}).await;
    let post = sender.sign("/orders", "application/json; charset=utf-8", PAYLOAD.as_bytes()).await;
    let post = post.bent(|post| {
        for (name, value) in [("content-digest", "sha-256=:AAAA:"), ("digest", "x"), ("content-encoding", "identity")] {
            post.headers.insert(name, value.parse().unwrap());
        }
    });
    let echo = sender.passes(&post).await;
    assert_eq!(echo["body"], PAYLOAD);
    assert_eq!(arrived(&echo, "content-type"), ["application/json"]);
    assert_ne!(arrived(&echo, "content-digest"), ["sha-256=:AAAA:"]);
    for gone in ["digest", "content-encoding", "signature"] {
        assert!(arrived(&echo, gone).is_empty(), "{gone}");
    }
    let next = sender.sign("/orders", "application/json", b"words").await;
    is_bound_to_its_place(&sender, &next).await;
    for content_type in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp"] {
        assert_eq!(sender.refused(&next.typed(content_type)).await, "unsigned", "{content_type}");
    }
}

#[tokio::test]
async fn of_a_pki_message_the_signed_printing_arrives() {
    let sender = Sender::new(Scheme::Pki, None, |_| {}).await;
    let body = |id: u8| format!("{{\"timestamp\": {}, \"message_id\": \"{id}\", \"a\": [1e2,\"é\"]}}", now().as_secs());
    let post = sender.sign("/orders", "application/json", body(1).as_bytes()).await;
    let echo = sender.passes(&post).await;
    let printed = echo["body"].as_str().unwrap();
    assert!(printed.starts_with("{\"a\": [100.0, \"\\u00e9\"], \"message_id\": \"1\", \"timestamp\": "), "{printed}");
    assert!(arrived(&echo, "authorization").is_empty());
    assert_eq!(arrived(&echo, "content-type"), ["application/json"]);
    let next = sender.sign("/orders", "application/json", body(2).as_bytes()).await;
    is_bound_to_its_place(&sender, &next).await;
    assert_eq!(sender.refused(&next.typed("text/plain")).await, "malformed");
}

#[tokio::test]
async fn a_large_document_is_read_beside_the_path() {
    let sender = Sender::new(Scheme::Pki, None, |_| {}).await;
    let text = "x".repeat(600 << 10);
    let body = format!("{{\"timestamp\": {}, \"message_id\": \"large\", \"text\": \"{text}\"}}", now().as_secs());
    let post = sender.sign("/orders", "application/json", body.as_bytes()).await;
    let echo = sender.passes(&post).await;
    assert!(echo["body"].as_str().unwrap().len() > 600 << 10);
    assert_eq!(sender.refused(&post).await, "replayed");
}

#[tokio::test]
async fn a_document_that_waits_for_its_upstream_has_its_share_of_the_room() {
    let silent = Upstream::impatient(0, "").await;
    let sender = Sender::before(silent, Scheme::Pki, None, |_| {});
    let text = "x".repeat(300_000);
    let body = format!("{{\"timestamp\": {}, \"message_id\": \"1\", \"text\": \"{text}\"}}", now().as_secs());
    let post = sender.sign("/orders", "application/json", body.as_bytes()).await;
    let mut stream = TcpStream::connect(sender.stage.address).await.unwrap();
    stream.write_all(&post.bytes()).await.unwrap();
    while sender.stage.upstream.requests() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let metrics = b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
    let told = ask(sender.stage.admin, metrics).await.body;
    let held = told.lines().find_map(|line| line.strip_prefix("countersign_held_bytes ")).unwrap();
    // Of what it took to read it nothing is left but what goes on.
    assert!((300_000..301_000).contains(&held.parse::<usize>().unwrap()), "{held}");
}

#[tokio::test]
async fn an_uploaded_form_arrives_built_anew() {
    let sender = Sender::new(Scheme::Pki, None, |_| {}).await;
    let post = sender.sign("/orders", "multipart/form-data; boundary=b", &upload("1")).await;
    let echo = sender.passes(&post).await;
    let content_type = arrived(&echo, "content-type").concat();
    let boundary = content_type.strip_prefix("multipart/form-data; boundary=").unwrap();
    assert_ne!(boundary, "b");
    let seconds =
        echo["body"].as_str().unwrap().split("\r\n").find(|line| line.starts_with("17") || line.starts_with("18"));
    let expected = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"message_id\"\r\n\r\n1\r\n--{boundary}\r\nContent-Disposition: \
         form-data; name=\"timestamp\"\r\n\r\n{}\r\n--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; \
         filename=\"a b.txt\"\r\nContent-Type: text/plain\r\n\r\nGrüße\r\n--{boundary}--\r\n",
        seconds.unwrap()
    );
    assert_eq!(echo["body"], expected);
    assert!(arrived(&echo, "authorization").is_empty());
    let next = sender.sign("/orders", "multipart/form-data; boundary=b", &upload("2")).await;
    is_bound_to_its_place(&sender, &next).await;
    assert_eq!(sender.refused(&next.typed("multipart/form-data; boundary=c")).await, "malformed");
    assert_eq!(sender.refused(&next.typed("application/json")).await, "malformed");
    // The same form under another boundary is the same message.
    let text = String::from_utf8(next.body.clone()).unwrap().replace("--b", "--c");
    let other = next.typed("multipart/form-data; boundary=c").bent(|post| post.body = text.into_bytes());
    assert_eq!(sender.refused(&other).await, "replayed");
}

/// Beyond what is kept in memory the file of a form lies in a file, and goes on out of it.
#[tokio::test]
async fn a_large_form_is_built_anew_around_its_file() {
    let sender = Sender::new(Scheme::Pki, None, |demands| demands.max_body = 4 << 20).await;
    for size in [100, 63 << 10, 65 << 10, 300_000, 1 << 20] {
        let file: String = "a\r\n--\r\n--c".chars().cycle().take(size).collect();
        let form = String::from_utf8(upload(&format!("m-{size}"))).unwrap().replace("Grüße", &file);
        let echo =
            sender.passes(&sender.sign("/orders", "multipart/form-data; boundary=b", form.as_bytes()).await).await;
        let body = echo["body"].as_str().unwrap();
        let content_type = arrived(&echo, "content-type").concat();
        let boundary = content_type.strip_prefix("multipart/form-data; boundary=").unwrap();
        // The fields come first now, and the file is as it was.
        assert!(body.find("name=\"message_id\"").unwrap() < body.find("name=\"file\"").unwrap());
        assert!(body.ends_with(&format!("\r\n\r\n{file}\r\n--{boundary}--\r\n")), "{size}");
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, body.as_bytes());
        assert_eq!(arrived(&echo, "content-digest"), [format!("sha-256=:{}:", STANDARD.encode(digest))]);
    }
    let mut spoilt = sender.sign("/orders", "multipart/form-data; boundary=b", &upload("x")).await;
    let at = spoilt.body.windows(4).position(|four| four == "Grü".as_bytes()).unwrap();
    spoilt.body[at] ^= 1;
    assert_eq!(sender.refused(&spoilt).await, "bad_signature");
    assert_eq!(sender.stage.upstream.requests(), 5);
}

#[tokio::test]
async fn an_app_hmac_message_arrives_as_it_came_without_its_credentials() {
    let form = AppHmacForm { layout: Layout::MethodFirst, unit: TimestampUnit::Seconds, nonce: NonceForm::Hex8 };
    let sender = Sender::new(Scheme::AppHmac, Some(form), |_| {}).await;
    let post = sender.sign("/orders/7?a=%20b", "application/json", b"{\"n\": 1}\n").await;
    let echo = sender.passes(&post).await;
    assert_eq!((echo["target"].as_str(), echo["body"].as_str()), (Some("/orders/7?a=%20b"), Some("{\"n\": 1}\n")));
    for gone in ["appid", "timestamp", "nonce", "signature"] {
        assert!(arrived(&echo, gone).is_empty(), "{gone}");
    }
    assert_eq!(sender.refused(&post).await, "replayed");
    for line in ["PUT /orders/7?a=%20b HTTP/1.1", "POST /orders/8?a=%20b HTTP/1.1", "POST /orders/7 HTTP/1.1"] {
        assert_eq!(sender.refused(&post.at(line)).await, "bad_signature", "{line}");
    }
    assert_eq!(sender.refused(&post.bent(|post| post.body.clear())).await, "bad_signature");
    let bare = post.bent(|post| drop(post.headers.remove("appid")));
    assert_eq!(sender.refused(&bare).await, "unsigned");
}

#[tokio::test]
async fn an_app_hmac_message_of_its_body_alone_is_bound_to_its_place() {
    let sender = Sender::new(Scheme::AppHmac, Some(BODY_FORM), |_| {}).await;
    let post = sender.sign("/orders", "text/plain", b"any text").await;
    let echo = sender.passes(&post).await;
    assert_eq!((echo["body"].as_str(), arrived(&echo, "content-type")), (Some("any text"), vec!["text/plain"]));
    assert!(["appid", "timestamp", "nonce", "signature"].iter().all(|name| arrived(&echo, name).is_empty()));
    let next = sender.sign("/orders", "text/plain", b"other text").await;
    is_bound_to_its_place(&sender, &next).await;
}

#[tokio::test]
async fn a_route_can_take_a_body_only_scheme_anywhere() {
    for (scheme, form) in [(Scheme::TrustedSite, None), (Scheme::AppHmac, Some(BODY_FORM))] {
        let sender = Sender::new(scheme, form, |demands| demands.unsigned_target = true).await;
        let post = sender.sign("/orders", "application/json", PAYLOAD.as_bytes()).await;
        let echo = sender.passes(&post.at("PUT /orders/7?a=b HTTP/1.1")).await;
        assert_eq!((echo["method"].as_str(), echo["target"].as_str()), (Some("PUT"), Some("/orders/7?a=b")));
        assert_eq!(sender.refused(&post).await, "replayed", "wherever it goes, it is one message");
    }
}

#[tokio::test]
async fn the_signer_is_whom_the_message_names_and_no_path() {
    let form = AppHmacForm { layout: Layout::MethodFirst, unit: TimestampUnit::Seconds, nonce: NonceForm::Hex8 };
    for (scheme, form) in [(Scheme::TrustedSite, None), (Scheme::AppHmac, Some(form)), (Scheme::Pki, None)] {
        let sender = Sender::new(scheme, form, |_| {}).await;
        let body = format!("{{\"timestamp\": {}, \"message_id\": \"1\"}}", now().as_secs());
        let post = sender.sign("/orders", "application/json", body.as_bytes()).await;
        let renamed = |id: &str| {
            post.bent(|post| {
                let text = String::from_utf8(post.body.clone()).unwrap();
                post.body = text.replace("acme_v2", id).into_bytes();
                for name in ["appid", "authorization"] {
                    if let Some(value) = post.headers.get(name) {
                        let value = value.to_str().unwrap().replace("acme_v2", id);
                        post.headers.insert(name, value.parse().unwrap());
                    }
                }
            })
        };
        assert_eq!(sender.refused(&renamed("nobody7")).await, "unknown_signer", "{scheme}");
        assert_eq!(sender.refused(&renamed("../acme")).await, "malformed", "{scheme}");
        sender.passes(&post).await;
    }
}
