use std::sync::atomic::{AtomicU8, Ordering};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::algorithm::Algorithm;
use crate::sign::SigningKey;

use super::*;

const DOCUMENT: &str =
    r#"{ "card": {"number": "4111 \u00e9", "cvc": 123}, "cards": [{"number": 1.0}, {"number": null}], "x": 1 }"#;

fn fields(pointers: &[&str]) -> Vec<Pointer> {
    pointers.iter().map(|pointer| pointer.parse().unwrap()).collect()
}

fn key(algorithm: Algorithm) -> OpeningKey {
    OpeningKey::from_file(SigningKey::generate(algorithm, 2048).unwrap().private.as_bytes()).unwrap()
}

/// Other bytes each time; that somebody could guess them is nobody's loss here.
#[expect(clippy::unnecessary_wraps, reason = "what fills in earnest may fail")]
fn random(bytes: &mut [u8]) -> Result<(), Unavailable> {
    static CALLS: AtomicU8 = AtomicU8::new(0);
    bytes.fill(CALLS.fetch_add(1, Ordering::Relaxed));
    Ok(())
}

fn seal(document: &str, pointers: &[&str], key: &OpeningKey) -> String {
    let sealer = FieldSealer { fields: &fields(pointers), to: key.public(), partner: "acme", expires: None };
    String::from_utf8(sealer.seal(document.as_bytes(), &mut random).unwrap().document).unwrap()
}

fn open(openers: &Openers, document: &str, pointers: &[&str], partner: &str) -> Result<String, Rejection> {
    let opened =
        openers.open(document.as_bytes(), &fields(pointers), partner, false, Timestamp::from_secs(1_800_000_000))?;
    Ok(String::from_utf8(opened.to_vec()).unwrap())
}

fn compact(document: &str, pointer: &str) -> String {
    let document = Document::parse(document.as_bytes()).unwrap();
    let mut found = String::new();
    let mut each = |_: &str, value: Value<'_, '_>| {
        found = value.as_str().unwrap().into_owned();
        Ok::<(), ()>(())
    };
    pointer.parse::<Pointer>().unwrap().each(&document, &mut each).unwrap();
    found
}

#[test]
fn what_is_sealed_is_opened_to_the_byte_and_the_rest_is_as_it_came() {
    for algorithm in [Algorithm::RsaPssSha512, Algorithm::EcdsaP256Sha256] {
        let key = key(algorithm);
        let pointers = ["/card/number", "/cards/*/number", "/cards/0/number", "/absent"];
        let sealed = seal(DOCUMENT, &pointers, &key);
        assert!(!sealed.contains("4111") && !sealed.contains("1.0") && !sealed.contains("null"), "{sealed}");
        assert!(sealed.starts_with(r#"{ "card": {"number": "ey"#) && sealed.ends_with(r#", "x": 1 }"#), "{sealed}");
        assert_eq!(open(&Openers::new([key]), &sealed, &pointers, "acme").unwrap(), DOCUMENT);
    }
}

#[test]
fn a_whole_object_is_a_field_as_well() {
    let key = key(Algorithm::EcdsaP256Sha256);
    let sealed = seal(DOCUMENT, &["/card", "/cards"], &key);
    assert!(!sealed.contains("number"));
    assert_eq!(open(&Openers::new([key]), &sealed, &["/card", "/cards"], "acme").unwrap(), DOCUMENT);
}

/// A ciphertext that is copied to another field, or sent by another partner, would make the recipient read it aloud.
#[test]
fn a_ciphertext_moved_to_another_field_or_partner_does_not_open() {
    let key = key(Algorithm::EcdsaP256Sha256);
    let sealed = seal(DOCUMENT, &["/card/number"], &key);
    let stolen = compact(&sealed, "/card/number");
    let openers = Openers::new([key]);
    let pointers = ["/card/number", "/note", "/cards/*/number"];
    assert!(open(&openers, &sealed, &pointers[..1], "acme").is_ok());
    assert_refused(open(&openers, &sealed, &pointers[..1], "globex"), "/card/number");
    assert_refused(open(&openers, &format!(r#"{{"note": "{stolen}"}}"#), &pointers, "acme"), "/note");
    let listed = format!(r#"{{"cards": [{{"number": "{stolen}"}}]}}"#);
    assert_refused(open(&openers, &listed, &pointers, "acme"), "/cards/0/number");
    let unbound = openers.open(format!(r#"{{"note": "{stolen}"}}"#).as_bytes(), &fields(&pointers), "acme", true, NOW);
    assert!(unbound.is_err(), "one that names another place is not unbound");
}

/// `1, "amount": 0` in place of a number is a second member.
#[test]
fn a_text_that_is_not_one_json_value_does_not_open() {
    for text in ["1, \"amount\": 0", "1 2", "", "\"open", "{\"a\": 1, \"a\": 2}", "NaN", "\u{feff}1"] {
        let key = key(Algorithm::EcdsaP256Sha256);
        let sealed = forged(&key, text, &usual(&key, "/n"));
        assert_refused(open(&Openers::new([key]), &format!(r#"{{"n": "{sealed}"}}"#), &["/n"], "acme"), "/n");
    }
}

#[test]
fn depth_is_that_of_the_whole() {
    let key = key(Algorithm::EcdsaP256Sha256);
    let deep = "[".repeat(128) + &"]".repeat(128);
    let sealed = forged(&key, &deep, &usual(&key, "/n"));
    assert!(open(&Openers::new([key]), &format!(r#"{{"n": "{sealed}"}}"#), &["/n"], "acme").is_err());
}

/// Every fault looks the same, and none of them is tried with another key or in another way.
#[test]
fn what_its_header_does_not_allow_does_not_open() {
    let key = key(Algorithm::EcdsaP256Sha256);
    let usual = usual(&key, "/n");
    let good = format!(r#"{{"n": "{}"}}"#, forged(&key, "7", &usual));
    let change = |from: &str, to: &str| {
        let header = usual.replacen(from, to, 1);
        assert_ne!(header, usual, "{from}");
        format!(r#"{{"n": "{}"}}"#, forged(&key, "7", &header))
    };
    let kid = key.public().id().to_owned();
    let cases = [
        ("alg none", change("ECDH-ES+A256KW", "none")),
        ("direct agreement", change("ECDH-ES+A256KW", "ECDH-ES")),
        ("an algorithm of another key", change("ECDH-ES+A256KW", "RSA-OAEP-256")),
        ("RSA with SHA-1", change("ECDH-ES+A256KW", "RSA-OAEP")),
        ("PKCS#1 v1.5", change("ECDH-ES+A256KW", "RSA1_5")),
        ("another enc", change("A256GCM", "A128CBC-HS256")),
        ("zip", change("{", r#"{"zip":"DEF","#)),
        ("crit", change("{", r#"{"crit":["exp"],"#)),
        ("a member twice", change("{", r#"{"enc":"A256GCM","#)),
        ("unknown kid", change(&kid, &kid.chars().rev().collect::<String>())),
        ("no kid", change(&format!(r#""kid":"{kid}","#), "")),
        ("no ptr", change(r#""ptr":"/n","#, "")),
        ("no sub", change(r#","sub":"acme""#, "")),
        ("no cty", change(r#""cty":"json","#, "")),
        ("expired", change(r#""sub""#, r#""exp":1700000000,"sub""#)),
        ("expires in words", change(r#""sub""#, r#""exp":"never","sub""#)),
        ("off the curve", change(r#""y":"Y""#, r#""y":"X""#)),
        ("another curve", change("P-256", "P-384")),
        ("not sealed at all", r#"{"n": 7}"#.to_owned()),
        ("an object", r#"{"n": {"a": 7}}"#.to_owned()),
        ("any text", r#"{"n": "a.b.c.d.e"}"#.to_owned()),
        ("six parts", good.replace("\"}", ".\"}")),
        ("padding", good.replace("\"}", "=\"}")),
        (
            "a shorter tag",
            good.replace("\"}", "").rsplit_once('.').map(|(rest, tag)| format!("{rest}.{}\"}}", &tag[..16])).unwrap(),
        ),
    ];
    let openers = Openers::new([key]);
    assert_eq!(open(&openers, &good, &["/n"], "acme").unwrap(), r#"{"n": 7}"#);
    for (name, document) in cases {
        let refused = open(&openers, &document, &["/n"], "acme").expect_err(name);
        assert_eq!((refused.code(), refused.reason()), (Code::Malformed, "/n can't be opened"), "{name}");
    }
}

#[test]
fn every_changed_byte_is_noticed() {
    for algorithm in [Algorithm::RsaPssSha512, Algorithm::EcdsaP256Sha256] {
        let key = key(algorithm);
        let sealed = seal(r#"{"n": 12}"#, &["/n"], &key);
        let openers = Openers::new([key]);
        let compact = compact(&sealed, "/n");
        for at in 0..compact.len() {
            let mut changed = compact.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let document = format!(r#"{{"n": "{}"}}"#, String::from_utf8(changed).unwrap());
            assert!(open(&openers, &document, &["/n"], "acme").is_err(), "{algorithm}: {at} of {compact}");
        }
    }
}

#[test]
fn foreign_jwe_without_a_binding_opens_only_where_that_is_said() {
    let key = key(Algorithm::EcdsaP256Sha256);
    let foreign = usual(&key, "/n").replace(r#""cty":"json","ptr":"/n","sub":"acme""#, r#""typ":"JWE""#);
    let document = format!(r#"{{"n": "{}"}}"#, forged(&key, "7", &foreign));
    let openers = Openers::new([key]);
    assert_refused(open(&openers, &document, &["/n"], "acme"), "/n");
    let opened = openers.open(document.as_bytes(), &fields(&["/n"]), "globex", true, NOW).unwrap();
    assert_eq!(opened.as_slice(), br#"{"n": 7}"#);
}

#[test]
fn of_several_keys_the_named_one_opens() {
    let (old, new, lost) =
        (key(Algorithm::RsaPssSha512), key(Algorithm::EcdsaP256Sha256), key(Algorithm::EcdsaP256Sha256));
    let [by_old, by_new, by_lost] = [&old, &new, &lost].map(|key| seal(DOCUMENT, &["/x"], key));
    let openers = Openers::new([new, old]);
    for sealed in [by_old, by_new] {
        assert_eq!(open(&openers, &sealed, &["/x"], "acme").unwrap(), DOCUMENT);
    }
    assert_refused(open(&openers, &by_lost, &["/x"], "acme"), "/x");
}

#[test]
fn fields_that_lie_in_each_other_or_are_too_many_are_refused() {
    let key = key(Algorithm::EcdsaP256Sha256);
    let many = format!("[{}]", vec!["1"; 257].join(","));
    let sealed = |document: &str, pointers: &[&str]| {
        let sealer = FieldSealer { fields: &fields(pointers), to: key.public(), partner: "acme", expires: None };
        sealer.seal(document.as_bytes(), &mut random).err()
    };
    assert_eq!(sealed(DOCUMENT, &["/card/number", "/card"]), Some(SealError::Nested("/card/number".to_owned())));
    assert_eq!(sealed(&many, &["/*"]), Some(SealError::TooMany));
    assert!(matches!(sealed("{", &["/a"]), Some(SealError::Malformed(_))));
    assert!(matches!(sealed(r#"{"a": 1, "a": 2}"#, &["/a"]), Some(SealError::Malformed(_))));
}

#[test]
fn keys_of_another_kind_seal_nothing() {
    for algorithm in [Algorithm::Ed25519, Algorithm::EcdsaP384Sha384, Algorithm::MlDsa44] {
        let pair = SigningKey::generate(algorithm, 0).unwrap();
        assert!(OpeningKey::from_file(pair.private.as_bytes()).is_err(), "{algorithm}");
        assert!(SealingKey::from_file(pair.public.as_bytes()).is_err(), "{algorithm}");
    }
    let key = key(Algorithm::EcdsaP256Sha256);
    let published = key.public().jwk();
    assert_eq!(SealingKey::from_file(published.as_bytes()).unwrap().id(), key.public().id());
    for (from, to) in [("\"enc\"", "\"sig\""), ("ECDH-ES+A256KW", "ES256"), ("ECDH-ES+A256KW", "RSA-OAEP-256")] {
        assert!(SealingKey::from_file(published.replace(from, to).as_bytes()).is_err(), "{to}");
    }
    let material = crate::key::Material::from_public_file(published.as_bytes(), Some(Algorithm::EcdsaP256Sha256));
    assert!(material.is_err(), "what is to seal with signs nothing");
}

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

fn assert_refused(opened: Result<String, Rejection>, pointer: &str) {
    let refused = opened.expect_err(pointer);
    assert_eq!((refused.code(), refused.reason()), (Code::Malformed, format!("{pointer} can't be opened").as_str()));
}

/// The header as we write it for a key on P-256; its `epk` is filled in by [`forged`].
fn usual(key: &OpeningKey, pointer: &str) -> String {
    let kid = key.public().id();
    format!(
        r#"{{"alg":"ECDH-ES+A256KW","enc":"A256GCM","kid":"{kid}","cty":"json","ptr":"{pointer}","sub":"acme","epk":{{"kty":"EC","crv":"P-256","x":"X","y":"Y"}}}}"#
    )
}

/// A JWE with a true tag over any header and any text, as whoever knows the public key can make it.
fn forged(key: &OpeningKey, text: &str, header: &str) -> String {
    use crate::primitive::{concat_kdf, encrypt, wrap};
    let (point, shared) = key.public().wrapping.agree().unwrap();
    let base64 = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let header = header.replace(r#""X""#, &format!("\"{}\"", base64(&point[1..33])));
    let header = header.replace(r#""Y""#, &format!("\"{}\"", base64(&point[33..])));
    let content_key = Key256::new([9; 32]);
    let wrapped = wrap(&concat_kdf(&shared, "ECDH-ES+A256KW", b"", b""), &content_key).unwrap();
    let aad = base64(header.as_bytes());
    let mut body = text.as_bytes().to_vec();
    let tag = encrypt(&content_key, [3; 12], aad.as_bytes(), &mut body).unwrap();
    [aad, base64(&wrapped), base64(&[3; 12]), base64(&body), base64(&tag)].join(".")
}
