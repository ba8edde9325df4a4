//! Every sentence of what a sealed field is, through a gateway: what does not hold never reaches the API, and is told by its place
//! alone.

use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::rsa::{OAEP_SHA1_MGF1SHA1, OaepPublicEncryptingKey, Pkcs1PublicEncryptingKey, PublicEncryptingKey};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use countersign::{Algorithm, Demands, FieldSealer, Openers, OpeningKey, Pointer, SigningKey};
use countersign_proxy::Disclosure;

use crate::client::ask;
use crate::stage::{Setting, Stage};

const RSA: Algorithm = Algorithm::RsaPssSha256;
const P256: Algorithm = Algorithm::EcdsaP256Sha256;
const CONTENT_KEY: [u8; 32] = [7; 32];

/// A recipient, and what a field sealed for it is made of.
struct Recipient {
    private: String,
    public: String,
    kid: String,
    header: String,
    wrapped: String,
}

impl Recipient {
    fn new(algorithm: Algorithm) -> Self {
        let pair = SigningKey::generate(algorithm, 2048).unwrap();
        let key = OpeningKey::from_file(pair.private.as_bytes()).unwrap();
        let sealer = FieldSealer { fields: &number(), to: key.public(), partner: "acme", expires: None };
        let mut random = |bytes: &mut [u8]| {
            bytes.fill(7);
            Ok(())
        };
        let sealed = sealer.seal(br#"{"n":7}"#, &mut random).unwrap().document;
        let mut parts = std::str::from_utf8(&sealed).unwrap()[6..].split('.');
        let header = String::from_utf8(URL_SAFE_NO_PAD.decode(parts.next().unwrap()).unwrap()).unwrap();
        let (kid, wrapped) = (key.public().id().to_owned(), parts.next().unwrap().to_owned());
        Self { private: pair.private.to_string(), public: pair.public, kid, header, wrapped }
    }

    /// The five parts of a field with a true tag over this header and text.
    fn parts(&self, header: &str, text: &str) -> [String; 5] {
        let base64 = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let aad = base64(header.as_bytes());
        let mut body = text.as_bytes().to_vec();
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &CONTENT_KEY).unwrap());
        let nonce = Nonce::assume_unique_for_key([7; 12]);
        let tag = key.seal_in_place_separate_tag(nonce, Aad::from(aad.as_bytes()), &mut body).unwrap();
        [aad, self.wrapped.clone(), base64(&[7; 12]), base64(&body), base64(tag.as_ref())]
    }

    fn sealed(&self, text: &str) -> String {
        document(&self.parts(&self.header, text))
    }

    /// With a part of its header replaced.
    fn with(&self, from: &str, to: &str) -> String {
        let header = self.header.replacen(from, to, 1);
        assert_ne!(header, self.header, "{from}");
        document(&self.parts(&header, "7"))
    }

    async fn stage(&self, setting: Setting) -> Stage {
        let key = OpeningKey::from_file(self.private.as_bytes()).unwrap();
        Stage::with(Setting { openers: Arc::new(Openers::new([key])), ..setting }).await
    }
}

fn document(parts: &[String]) -> String {
    format!(r#"{{ "n": "{}", "amount": 12.50 }}"#, parts.join("."))
}

fn number() -> Vec<Pointer> {
    vec!["/n".parse().unwrap()]
}

fn opening(unbound: bool) -> Setting {
    let demands =
        Demands { path: "/orders".to_owned(), max_body: 1 << 20, open: number(), unbound, ..Demands::default() };
    // The least that a route tells.
    Setting { demands, refusals: Disclosure::Code, ..Setting::default() }
}

/// None of them reaches the API, all look the same, and the log holds no more than the answer.
#[track_caller]
fn assert_closed(seen: &[(u16, serde_json::Value)], stage: &Stage) {
    for (status, answer) in seen {
        assert_eq!(
            (*status, &answer["code"], &answer["detail"]),
            (400, &"malformed".into(), &"/n can't be opened".into())
        );
    }
    let told = |answer: &serde_json::Value| {
        let mut members: Vec<_> = answer.as_object().unwrap().clone().into_iter().collect();
        members.retain(|(name, _)| name != "trace" && name != "server_time");
        members
    };
    assert!(seen.iter().all(|(_, answer)| told(answer) == told(&seen[0].1)));
    assert_eq!(stage.upstream.requests(), 0);
    assert!(
        !stage.log.text().contains("\"4111")
            && !stage.log.text().contains("4111x")
            && !stage.log.text().contains("eyJ"),
        "{}",
        stage.log.text()
    );
}

async fn send(stage: &Stage, bodies: &[String]) -> Vec<(u16, serde_json::Value)> {
    let mut seen = Vec::new();
    for body in bodies {
        let answer = ask(stage.address, &stage.partner.post("/orders", body).bytes().await).await;
        seen.push((answer.status, answer.json()));
    }
    seen
}

async fn assert_all_closed(to: &Recipient, bodies: &[String]) {
    let stage = to.stage(opening(false)).await;
    assert_closed(&send(&stage, bodies).await, &stage);
}

#[tokio::test]
async fn a_sealed_field_is_a_string_whose_plaintext_is_exactly_one_json_value() {
    for algorithm in [RSA, P256] {
        let to = Recipient::new(algorithm);
        let stage = to.stage(opening(false)).await;
        for text in ["7", "\"4111\"", "null", "{\"a\": [1]}"] {
            let (status, echo) = send(&stage, &[to.sealed(text)]).await.remove(0);
            assert_eq!((status, &echo["body"]), (200, &format!(r#"{{ "n": {text}, "amount": 12.50 }}"#).into()));
        }
        let mut bodies: Vec<String> =
            ["", "1 2", "1,\"amount\":0", "{\"a\":1,\"a\":2}", "NaN", "4111x"].map(|text| to.sealed(text)).into();
        bodies.extend(
            ["4111", "null", "\"4111\"", "{\"n\": 4111}", "[4111]"].map(|value| format!(r#"{{"n": {value}}}"#)),
        );
        assert_all_closed(&to, &bodies).await;
    }
}

#[tokio::test]
async fn zip_crit_and_any_other_alg_or_enc_are_refused() {
    for (algorithm, alg) in [(RSA, "RSA-OAEP-256"), (P256, "ECDH-ES+A256KW")] {
        let to = Recipient::new(algorithm);
        let mut bodies: Vec<String> =
            ["none", "dir", "RSA1_5", "RSA-OAEP", "RSA-OAEP-512", "ECDH-ES", "ECDH-ES+A128KW", "A256KW"]
                .map(|other| to.with(alg, other))
                .into();
        bodies.extend(["A128GCM", "A256CBC-HS512"].map(|other| to.with("A256GCM", other)));
        bodies
            .extend([r#"{"zip":"DEF","#, r#"{"crit":["exp"],"#, r#"{"enc":"A256GCM","#].map(|with| to.with("{", with)));
        assert_all_closed(&to, &bodies).await;
    }
}

#[tokio::test]
async fn without_kid_cty_ptr_or_sub_it_does_not_open_nor_with_those_of_another() {
    let to = Recipient::new(P256);
    let kid = to.kid.clone();
    let reversed: String = kid.chars().rev().collect();
    let cases = [
        (format!(r#""kid":"{kid}","#), String::new()),
        (kid, reversed),
        (r#""cty":"json","#.to_owned(), String::new()),
        (r#""ptr":"/n","#.to_owned(), String::new()),
        (r#""ptr":"/n""#.to_owned(), r#""ptr":"/m""#.to_owned()),
        (r#""sub":"acme","#.to_owned(), String::new()),
        (r#""sub":"acme""#.to_owned(), r#""sub":"globex""#.to_owned()),
    ];
    assert_all_closed(&to, &cases.map(|(from, member)| to.with(&from, &member))).await;
}

#[tokio::test]
async fn exp_is_checked_when_there() {
    let to = Recipient::new(P256);
    let stage = to.stage(opening(false)).await;
    let lives = to.with(r#""sub""#, r#""exp":4102444800,"sub""#);
    assert_eq!(send(&stage, &[lives]).await[0].0, 200);
    let ended = ["1700000000", "0", "\"never\"", "4102444800.5"]
        .map(|exp| to.with(r#""sub""#, &format!(r#""exp":{exp},"sub""#)));
    assert_all_closed(&to, &ended).await;
}

#[tokio::test]
async fn a_tag_that_is_not_16_bytes_an_iv_that_is_not_12_and_an_epk_off_the_curve_are_refused() {
    let to = Recipient::new(P256);
    let parts = to.parts(&to.header, "7");
    let with = |at: usize, part: &str| {
        let mut parts = parts.clone();
        part.clone_into(&mut parts[at]);
        document(&parts)
    };
    let x = to.header.split(r#""x":""#).nth(1).unwrap()[..43].to_owned();
    let mut bodies =
        vec![with(4, &parts[4][..16]), with(4, ""), with(4, &format!("{}AA", parts[4])), with(2, &parts[2][..12])];
    bodies.extend([
        with(2, &format!("{}AAAA", parts[2])),
        with(1, ""),
        with(1, &parts[1][4..]),
        with(3, "AAAA"),
        document(&parts[..4]),
    ]);
    bodies.push(to.with(&x, &format!("{}AAA", &x[..40])));
    bodies.push(to.with("P-256", "P-384"));
    assert_all_closed(&to, &bodies).await;
}

#[tokio::test]
async fn unbound_admits_foreign_jwe_without_ptr_and_sub_and_no_others() {
    let to = Recipient::new(P256);
    let foreign = to.with(r#""cty":"json","kid""#, r#""kid""#);
    let bare = |header: &str| document(&to.parts(header, "7"));
    let header = to.header.replace(r#""cty":"json","#, "").replace(r#""ptr":"/n","sub":"acme","#, "");
    let stage = to.stage(opening(true)).await;
    for body in [bare(&header), foreign, to.sealed("7")] {
        let (status, echo) = send(&stage, &[body]).await.remove(0);
        assert_eq!((status, &echo["body"]), (200, &r#"{ "n": 7, "amount": 12.50 }"#.into()));
    }
    let others = [to.with("/n", "/m"), to.with("acme", "globex")];
    let stage = to.stage(opening(true)).await;
    assert_closed(&send(&stage, &others).await, &stage);
    assert_all_closed(&to, &[bare(&header)]).await;
}

#[tokio::test]
async fn the_whole_body_is_parsed_under_the_rules_of_pki() {
    let to = Recipient::new(P256);
    let stage = to.stage(opening(false)).await;
    let good = to.sealed("7");
    let bodies = [r#""a": 1, "a": 2, "#, r#""a": NaN, "#, r#""a": 1e999, "#, r#""a": "\ud800", "#]
        .map(|with| good.replacen('{', &format!("{{{with}"), 1));
    for (status, answer) in send(&stage, &bodies).await {
        assert_eq!((status, &answer["code"]), (400, &"malformed".into()));
    }
    assert_eq!(stage.upstream.requests(), 0);
}

/// What PKCS#1 v1.5 or OAEP with SHA-1 wrapped is never unwrapped, whatever its header calls it.
#[tokio::test]
async fn mistake_39_pkcs1_v1_5_padding_and_sha_1_oaep_are_no_oracle() {
    let mut to = Recipient::new(RSA);
    let armoured: String = to.public.lines().filter(|line| !line.starts_with('-')).collect();
    let der = STANDARD.decode(armoured).unwrap();
    let public = || PublicEncryptingKey::from_der(&der).unwrap();
    let mut room = vec![0; 256];
    let pkcs1 = Pkcs1PublicEncryptingKey::new(public()).unwrap().encrypt(&CONTENT_KEY, &mut room).unwrap().to_vec();
    let oaep = OaepPublicEncryptingKey::new(public()).unwrap();
    let sha1 = oaep.encrypt(&OAEP_SHA1_MGF1SHA1, &CONTENT_KEY, &mut room, None).unwrap().to_vec();
    let mut bodies = Vec::new();
    for (wrapped, name) in [(pkcs1, "RSA1_5"), (sha1, "RSA-OAEP")] {
        to.wrapped = URL_SAFE_NO_PAD.encode(wrapped);
        bodies.extend([to.sealed("7"), to.with("RSA-OAEP-256", name)]);
    }
    assert_all_closed(&to, &bodies).await;
}

/// Sealed for a key that is there, under the name of another: it is not tried with the one that would open it.
#[tokio::test]
async fn mistake_39_an_unknown_kid_is_not_tried_against_every_key() {
    let (to, other) = (Recipient::new(P256), Recipient::new(P256));
    let keys = [&to, &other].map(|it| OpeningKey::from_file(it.private.as_bytes()).unwrap());
    let stage = Stage::with(Setting { openers: Arc::new(Openers::new(keys)), ..opening(false) }).await;
    let bodies = [to.with(&to.kid, &other.kid), to.with(&to.kid, "A"), to.with(&to.kid, "")];
    assert_closed(&send(&stage, &bodies).await, &stage);
}

#[tokio::test]
async fn mistake_39_nothing_is_opened_of_a_replay() {
    let to = Recipient::new(P256);
    let stage = to.stage(opening(false)).await;
    let once = stage.partner.post("/orders", &to.with("/n", "/m")).bytes().await;
    assert_eq!(ask(stage.address, &once).await.code(), "malformed");
    assert_eq!(ask(stage.address, &once).await.code(), "replayed");
}
