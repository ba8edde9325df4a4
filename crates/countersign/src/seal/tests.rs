mod attacks;
mod contract;
mod forgery;
mod limits;
mod wycheproof;

use std::sync::atomic::{AtomicU8, Ordering};

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
        // In what is sealed any few letters may stand.
        let rest: String = sealed.split('"').filter(|text| !text.starts_with("ey")).collect();
        assert!(!rest.contains("4111") && !rest.contains("1.0") && !rest.contains("null"), "{sealed}");
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
    assert!(Openers::default().open(br#"{"n": "a.b.c.d.e"}"#, &fields(&["/n"]), "acme", true, NOW).is_err());
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
fn fields_that_lie_in_each_other_or_are_too_many_are_refused() {
    let key = key(Algorithm::EcdsaP256Sha256);
    let many = format!("[{}]", vec!["1"; 257].join(","));
    let sealed = |document: &str, pointers: &[&str]| {
        let sealer = FieldSealer { fields: &fields(pointers), to: key.public(), partner: "acme", expires: None };
        sealer.seal(document.as_bytes(), &mut random).err()
    };
    assert_eq!(sealed(DOCUMENT, &["/card/number", "/card"]), Some(SealError::Nested("/card/number".to_owned())));
    assert_eq!(sealed(&many, &["/*"]), Some(SealError::TooMany));
    // One that two of the pointers name is one.
    let most = format!("[{}]", vec!["1"; 256].join(","));
    assert_eq!(sealed(&most, &["/*", "/*", "/0", "/255"]), None);
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

#[test]
fn of_a_set_what_can_be_sealed_for_is_taken_in_its_order_and_by_its_own_name() {
    let (one, other) = (key(Algorithm::EcdsaP256Sha256), key(Algorithm::RsaPssSha512));
    let [first, second] = [&one, &other].map(|key| key.public().jwk());
    let named = second.replace(&format!("\"kid\":\"{}\"", other.public().id()), r#""kid":"2026 \"b\"""#);
    assert_ne!(named, second);
    let signs = first.replace("\"enc\"", "\"sig\"").replace("ECDH-ES+A256KW", "ES256");
    let set = format!(r#"{{"keys": [{signs}, {{"kty": "oct", "k": "AA"}}, 7, {named}, {first}], "more": 1}}"#);
    let keys = SealingKey::from_set(set.as_bytes()).unwrap();
    assert_eq!(keys.iter().map(SealingKey::id).collect::<Vec<_>>(), ["2026 \"b\"", one.public().id()]);
    let sealer = FieldSealer { fields: &fields(&["/n"]), to: &keys[0], partner: "acme", expires: None };
    let sealed = sealer.seal(br#"{"n": 7}"#, &mut random).unwrap().document;
    let sealed = compact(std::str::from_utf8(&sealed).unwrap(), "/n");
    assert_eq!(contract::header(&sealed)["kid"], "2026 \"b\"");
    assert!(SealingKey::from_set(br#"{"keys": []}"#).unwrap().is_empty());
    for none in ["", "[]", r#"{"keys": 7}"#, &first, r#"{"keys": [], "keys": []}"#] {
        assert!(SealingKey::from_set(none.as_bytes()).is_err(), "{none}");
    }
}

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

/// Named, and nothing else.
#[track_caller]
fn assert_refused(opened: Result<String, Rejection>, pointer: &str) {
    let refused = opened.expect_err(pointer);
    assert_eq!((refused.code(), refused.reason()), (Code::Malformed, format!("{pointer} can't be opened").as_str()));
}
