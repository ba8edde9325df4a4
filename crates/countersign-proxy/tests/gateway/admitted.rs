//! What passes, and what of it arrives.

use countersign::{Algorithm, Demands, KeyRecord, KeyState, Keys, Material, Scheme, SigningKey, VerifyingKey};
use serde_json::Value;

use crate::client::{ask, next};
use crate::stage::{Setting, Stage};
use crate::upstream::Upstream;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// The values of a header that arrived at the upstream.
pub(crate) fn arrived<'a>(echo: &'a Value, name: &str) -> Vec<&'a str> {
    let fields = echo["headers"].as_array().unwrap().iter();
    fields.filter(|field| field[0] == name).map(|field| field[1].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_signed_request_arrives_under_the_name_of_its_signer() {
    let stage = Stage::start().await;
    let message = stage
        .partner
        .post("/orders/7?a=b&a=%20c", "{\"amount\": 1}")
        .field("Content-Type", "application/json")
        .field("X-Mine", "1");
    let answer = ask(stage.address, &message.bytes().await).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let echo = answer.json();
    assert_eq!(echo["method"], "POST");
    assert_eq!(echo["target"], "/orders/7?a=b&a=%20c");
    assert_eq!(echo["body"], "{\"amount\": 1}");
    assert_eq!(arrived(&echo, "countersign-partner"), ["acme"]);
    assert_eq!(arrived(&echo, "countersign-key"), ["acme-2026"]);
    assert_eq!(arrived(&echo, "countersign-scheme"), ["http-message-signatures"]);
    assert_eq!(arrived(&echo, "countersign-trace"), [answer.header("countersign-trace").unwrap()]);
    assert_eq!(arrived(&echo, "host"), ["api.test"]);
    assert_eq!(arrived(&echo, "content-length"), ["13"]);
    assert_eq!(arrived(&echo, "x-mine"), ["1"]);
    assert_eq!(arrived(&echo, "signature-input").len(), 1);
    assert!(arrived(&echo, "connection").is_empty());
    assert_eq!(arrived(&echo, "x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(arrived(&echo, "x-forwarded-proto"), ["http"]);
    assert_eq!(answer.header("x-from-upstream"), Some("yes"));
    assert_eq!(answer.header("countersign-partner"), None, "the upstream can't speak for us");
    let trace = answer.header("countersign-trace").unwrap();
    assert!((26..=36).contains(&trace.len()) && trace.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'));
}

#[tokio::test]
async fn identity_headers_sent_by_the_caller_never_arrive() {
    let stage = Stage::start().await;
    let mut request = stage.partner.get("/orders").sign().await;
    for name in [
        "Countersign-Partner",
        "COUNTERSIGN-PARTNER",
        "Countersign_Partner",
        "countersign-key",
        "Countersign-Scheme",
        "countersign_trace",
    ] {
        request = request.with(name, "mallory");
    }
    for name in [
        "Countersign-User",
        "Client-Cert",
        "client_cert",
        "Client-Cert-Chain",
        "X-Forwarded-For",
        "Forwarded",
        "x_forwarded_host",
        "X-Real-IP",
    ] {
        request = request.with(name, "mallory");
    }
    let request = request.with("Connection", "Countersign-Partner, Countersign-Key, Content-Length, Host");
    let answer = ask(stage.address, &request.bytes()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(!answer.body.contains("mallory"), "{}", answer.body);
    let echo = answer.json();
    assert_eq!(arrived(&echo, "countersign-partner"), ["acme"]);
    assert_eq!(arrived(&echo, "countersign-key"), ["acme-2026"]);
    assert_eq!(arrived(&echo, "host"), ["api.test"]);
}

#[tokio::test]
async fn identity_headers_in_a_trailer_never_arrive() {
    let stage = Stage::start().await;
    let request = stage.partner.post("/orders", "abc").sign().await;
    let mut bytes = request.chunked(2);
    bytes.truncate(bytes.len() - 2);
    bytes.extend_from_slice(b"Countersign-Partner: mallory\r\nX-Trailer: 1\r\n\r\n");
    let answer = ask(stage.address, &bytes).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(!answer.body.contains("mallory") && !answer.body.contains("x-trailer"));
    assert_eq!(arrived(&answer.json(), "countersign-partner"), ["acme"]);
}

#[tokio::test]
async fn a_signed_trailer_arrives_as_one_and_no_other_does() {
    let stage = Stage::before(Upstream::raw().await, Setting::default());
    let cover = ["@method", "@authority", "@path", "@query", "content-digest", "\"x-total\";tr"];
    let request = stage.partner.post("/orders", "abc").cover(&cover).trailer("x-total", "3").sign().await;
    let mut bytes = request.chunked(2);
    bytes.truncate(bytes.len() - 2);
    let with = |lines: &str| [&bytes[..], lines.as_bytes(), b"\r\n"].concat();
    let answer = ask(stage.address, &with("X-Total: 4\r\n")).await;
    assert_eq!((answer.status, answer.code()), (401, "bad_signature".to_owned()), "{answer:?}");
    let answer = ask(stage.address, &with("X-Total: 3\r\nX-Other: 1\r\nCountersign-Partner: mallory\r\n")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let arrived = answer.body.to_ascii_lowercase();
    assert!(
        arrived.contains("trailer: x-total\r\n") && arrived.contains("transfer-encoding: chunked\r\n"),
        "{arrived}"
    );
    assert!(arrived.ends_with("3\r\nabc\r\n0\r\nx-total: 3\r\n\r\n"), "{arrived}");
    assert!(!arrived.contains("x-other") && !arrived.contains("mallory") && !arrived.contains("content-length"));
}

#[tokio::test]
async fn connection_strips_what_is_of_this_hop_but_not_what_was_signed() {
    let stage = Stage::start().await;
    let message = stage.partner.get("/orders").field("X-Signed", "1").cover(&[
        "@method",
        "@authority",
        "@path",
        "@query",
        "x-signed",
    ]);
    let request =
        message.sign().await.with("X-Hop", "1").with("Keep-Alive", "5").with("TE", "trailers").with("Upgrade", "h2c");
    let request = request.with("Connection", "X-Hop, X-Signed, Upgrade, TE, Signature, Signature-Input");
    let answer = ask(stage.address, &request.bytes()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let echo = answer.json();
    assert_eq!(arrived(&echo, "x-signed"), ["1"]);
    assert_eq!(arrived(&echo, "signature").len(), 1);
    for gone in ["x-hop", "keep-alive", "te", "upgrade", "connection"] {
        assert!(arrived(&echo, gone).is_empty(), "{gone}");
    }
}

#[tokio::test]
async fn method_overrides_pass_only_where_they_were_signed() {
    let stage = Stage::start().await;
    let message = stage.partner.get("/orders").field("X-HTTP-Method-Override", "DELETE");
    let echo = ask(stage.address, &message.bytes().await).await.json();
    assert!(arrived(&echo, "x-http-method-override").is_empty());
    let message = message.cover(&["@method", "@authority", "@path", "@query", "x-http-method-override"]);
    let echo = ask(stage.address, &message.bytes().await).await.json();
    assert_eq!(arrived(&echo, "x-http-method-override"), ["DELETE"]);
}

#[tokio::test]
async fn a_chunked_body_arrives_whole_and_with_its_length() {
    let stage = Stage::start().await;
    let body = "x".repeat(100_000);
    let request = stage.partner.post("/orders", &body).sign().await;
    let answer = ask(stage.address, &request.chunked(777)).await;
    assert_eq!(answer.status, 200);
    let echo = answer.json();
    assert_eq!(echo["body"].as_str().unwrap().len(), body.len());
    assert_eq!(arrived(&echo, "content-length"), ["100000"]);
    assert!(arrived(&echo, "transfer-encoding").is_empty());
}

#[tokio::test]
async fn a_chunked_body_does_not_cost_the_connection() {
    let stage = Stage::start().await;
    let mut stream = TcpStream::connect(stage.address).await.unwrap();
    for _ in 0..3 {
        let request = stage.partner.post("/orders", "abc").sign().await.keep_alive();
        stream.write_all(&request.chunked(2)).await.unwrap();
        let answer = next(&mut stream).await;
        assert_eq!((answer.status, answer.header("connection")), (200, None));
    }
}

#[tokio::test]
async fn a_derived_body_arrives_with_its_own_length_and_digest() {
    let pair = SigningKey::generate(Algorithm::RsaPssSha256, 2048).unwrap();
    let demands = Demands { schemes: vec![Scheme::Pki], path: "/orders".to_owned(), ..Demands::default() };
    let stage = Stage::with(Setting { demands, ..Setting::default() }).await;
    let record = KeyRecord {
        partner: "acme".to_owned(),
        partner_active: true,
        id: "pki-1".to_owned(),
        version: 1,
        scheme: Scheme::Pki,
        algorithm: Algorithm::RsaPssSha256,
        state: KeyState::Active,
        not_before: None,
        not_after: None,
        form: None,
        material: Material::from_public_pem(pair.public.as_bytes()).unwrap(),
    };
    stage.keys.store(std::sync::Arc::new(Keys::new([VerifyingKey::new(record).unwrap()])));
    let body = format!("{{ \"timestamp\": {}, \"message_id\": \"1\", \"a\": [1,2] }}", crate::signer::now().as_secs());
    let fields = [("host", "api.test"), ("content-type", "application/json")];
    let headers = fields.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
    let origin = countersign::Origin::new(false, "api.test").unwrap();
    let head = countersign::Head::request(http::Method::POST, "/orders", origin, headers, true).unwrap();
    let mut draft = countersign::Draft::new(head, countersign::Form::new(Scheme::Pki, "pki-1"));
    draft.push(body.as_bytes());
    let key = SigningKey::from_file(pair.private.as_bytes(), Scheme::Pki, None).unwrap();
    let signed = draft.finish("unused", crate::signer::now()).unwrap().sign(&key).await.unwrap();
    let authorization = signed.headers().find(|(name, _)| *name == "authorization").unwrap().1.to_str().unwrap();
    let request = format!(
        "POST /orders HTTP/1.1\r\nHost: api.test\r\nContent-Type: application/json\r\nAuthorization: {authorization}\r\n\
         Content-Digest: sha-256=:AAAA:\r\nDigest: x\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let answer = ask(stage.address, request.as_bytes()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let echo = answer.json();
    let received = echo["body"].as_str().unwrap();
    assert_eq!(received.as_bytes(), signed.signed_bytes(), "what was signed, not what was sent");
    assert_ne!(received, body);
    assert_eq!(arrived(&echo, "content-length"), [received.len().to_string()]);
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, received.as_bytes());
    let digest = format!("sha-256=:{}:", base64::Engine::encode(&base64::engine::general_purpose::STANDARD, digest));
    assert_eq!(arrived(&echo, "content-digest"), [digest]);
    for gone in ["authorization", "digest"] {
        assert!(arrived(&echo, gone).is_empty(), "{gone}");
    }
    assert_eq!(arrived(&echo, "countersign-scheme"), ["pki"]);
}

#[tokio::test]
async fn many_requests_share_a_connection_on_both_sides() {
    let stage = Stage::with(Setting { workers: 1, ..Setting::default() }).await;
    let mut stream = TcpStream::connect(stage.address).await.unwrap();
    for number in 0..20 {
        let body = format!("number {number}");
        let request = stage.partner.post("/orders", &body).sign().await.keep_alive();
        stream.write_all(&request.bytes()).await.unwrap();
        let answer = next(&mut stream).await;
        assert_eq!((answer.status, answer.json()["body"].as_str()), (200, Some(body.as_str())));
    }
    assert_eq!(stage.upstream.connections(), 1);
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let stage = Stage::start().await;
    let mut bytes = Vec::new();
    for number in 0..5 {
        let request = stage.partner.post("/orders", &format!("number {number}")).sign().await;
        bytes.extend(if number < 4 { request.keep_alive().bytes() } else { request.bytes() });
    }
    let all = crate::client::send(stage.address, &bytes).await;
    let bodies: Vec<_> =
        crate::client::answers(&all).iter().map(|answer| answer.json()["body"].as_str().unwrap().to_owned()).collect();
    assert_eq!(bodies, ["number 0", "number 1", "number 2", "number 3", "number 4"]);
}

#[tokio::test]
async fn head_gets_a_head() {
    let stage = Stage::start().await;
    let mut stream = TcpStream::connect(stage.address).await.unwrap();
    let request = stage.partner.get("/orders").method("HEAD").sign().await;
    stream.write_all(&request.bytes()).await.unwrap();
    let all = String::from_utf8(crate::client::read_all(&mut stream).await).unwrap();
    assert!(all.starts_with("HTTP/1.1 200") && all.ends_with("\r\n\r\n"), "{all}");
    assert!(all.to_lowercase().contains("content-length: "), "{all}");
}

#[tokio::test]
async fn the_upstream_gets_the_believed_host() {
    let stage =
        Stage::with(Setting { public_url: vec!["https://api.example.com", "http://api.test"], ..Setting::default() })
            .await;
    let echo = ask(stage.address, &stage.partner.get("/orders").bytes().await).await.json();
    assert_eq!((arrived(&echo, "host"), arrived(&echo, "x-forwarded-proto")), (vec!["api.test"], vec!["http"]));
    // The caller signs what it means; that the hop to us is not TLS is between us and the hop.
    let mut message = stage.partner.get("/orders").cover(&["@method", "@authority", "@path", "@query"]);
    message.host = "API.Example.com:443".to_owned();
    let mut request = message.sign().await;
    request.fields[0].1 = "api.example.com".to_owned();
    let refused = ask(stage.address, &request.bytes()).await;
    assert_eq!(refused.status, 401, "signed for port 443 of http, which is another authority");
    message.host = "api.example.com".to_owned();
    let mut request = message.sign().await;
    request.fields[0].1 = "API.Example.com:443".to_owned();
    let echo = ask(stage.address, &request.bytes()).await.json();
    assert_eq!(arrived(&echo, "host"), ["api.example.com"]);
    assert_eq!(arrived(&echo, "x-forwarded-proto"), ["https"]);
    message.host = "other.example.com".to_owned();
    assert_eq!(ask(stage.address, &message.bytes().await).await.code(), "malformed");
}

#[tokio::test]
async fn a_key_that_is_retiring_still_passes() {
    let stage = Stage::start().await;
    let keys = countersign::Keys::new([stage.partner.key(countersign::KeyState::Retiring)]);
    stage.keys.store(std::sync::Arc::new(keys));
    assert_eq!(ask(stage.address, &stage.partner.get("/orders").bytes().await).await.status, 200);
}
