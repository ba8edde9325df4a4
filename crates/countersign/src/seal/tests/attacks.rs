//! What is tried to read somebody else's fields, or to learn of a key by what it refuses.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::time::Instant;

use aws_lc_rs::rsa::{OAEP_SHA1_MGF1SHA1, OaepPublicEncryptingKey, Pkcs1PublicEncryptingKey, PublicEncryptingKey};

use super::forgery::{CONTENT_KEY, Forgery, document};
use super::*;

/// A ciphertext that is copied to another field would make the recipient read it aloud there.
#[test]
fn mistake_39_a_ciphertext_moved_to_another_field_does_not_open() {
    let key = key(Algorithm::EcdsaP256Sha256);
    let sealed = seal(DOCUMENT, &["/card/number"], &key);
    let stolen = compact(&sealed, "/card/number");
    let openers = Openers::new([key]);
    let pointers = ["/card/number", "/note", "/cards/*/number"];
    assert!(open(&openers, &sealed, &pointers[..1], "acme").is_ok());
    assert_refused(open(&openers, &format!(r#"{{"note": "{stolen}"}}"#), &pointers, "acme"), "/note");
    let listed = format!(r#"{{"cards": [{{"number": "{stolen}"}}]}}"#);
    assert_refused(open(&openers, &listed, &pointers, "acme"), "/cards/0/number");
    let unbound = openers.open(format!(r#"{{"note": "{stolen}"}}"#).as_bytes(), &fields(&pointers), "acme", true, NOW);
    assert!(unbound.is_err(), "one that names another place is not unbound");
}

#[test]
fn mistake_39_a_ciphertext_moved_to_another_element_of_its_array_does_not_open() {
    let key = key(Algorithm::EcdsaP256Sha256);
    let sealed = seal(r#"["first", "second"]"#, &["/*"], &key);
    let [first, second] = ["/0", "/1"].map(|at| compact(&sealed, at));
    let openers = Openers::new([key]);
    assert!(open(&openers, &sealed, &["/*"], "acme").is_ok());
    assert_refused(open(&openers, &format!(r#"["{second}", "{first}"]"#), &["/*"], "acme"), "/0");
}

/// A partner must not be able to use the recipient as an oracle for someone else's fields.
#[test]
fn mistake_39_a_ciphertext_used_by_another_partner_does_not_open() {
    let key = key(Algorithm::EcdsaP256Sha256);
    let sealed = seal(DOCUMENT, &["/card/number"], &key);
    let openers = Openers::new([key]);
    for other in ["globex", "acme2", "Acme", ""] {
        assert_refused(open(&openers, &sealed, &["/card/number"], other), "/card/number");
        let unbound = openers.open(sealed.as_bytes(), &fields(&["/card/number"]), other, true, NOW);
        assert!(unbound.is_err(), "one that names another partner is not unbound: {other}");
    }
}

/// `1, "amount": 0` in place of a number is a second member.
#[test]
fn mistake_39_a_plaintext_that_is_not_one_json_value_does_not_open() {
    for text in [
        "1,\"amount\":0",
        "1, \"amount\": 0",
        "1 2",
        "1}",
        "",
        " ",
        "\"open",
        "{\"a\": 1, \"a\": 2}",
        "NaN",
        "\u{feff}1",
    ] {
        let key = key(Algorithm::EcdsaP256Sha256);
        let sealed = Forgery::new(&key).text(text).document();
        assert_refused(open(&Openers::new([key]), &sealed, &["/n"], "acme"), "/n");
    }
}

/// What PKCS#1 v1.5 wrapped, as the oracle of Bleichenbacher wants it judged, is never looked at in that way.
#[test]
fn mistake_39_pkcs1_v1_5_padding_is_no_oracle() {
    let key = key(Algorithm::RsaPssSha512);
    let public = Pkcs1PublicEncryptingKey::new(PublicEncryptingKey::from_der(&key.public().spki).unwrap()).unwrap();
    let mut room = vec![0; public.ciphertext_size()];
    let wrapped = public.encrypt(&CONTENT_KEY, &mut room).unwrap().to_vec();
    let cases = [
        Forgery::new(&key).with("RSA-OAEP-256", "RSA1_5").wrapped(wrapped.clone()).document(),
        Forgery::new(&key).wrapped(wrapped.clone()).document(),
        Forgery::new(&key).with("RSA-OAEP-256", "RSA1_5").document(),
    ];
    let openers = Openers::new([key]);
    for sealed in cases {
        assert_refused(open(&openers, &sealed, &["/n"], "acme"), "/n");
    }
}

#[test]
fn mistake_39_oaep_with_sha_1_does_not_open() {
    let key = key(Algorithm::RsaPssSha512);
    let public = OaepPublicEncryptingKey::new(PublicEncryptingKey::from_der(&key.public().spki).unwrap()).unwrap();
    let mut room = vec![0; public.ciphertext_size()];
    let wrapped = public.encrypt(&OAEP_SHA1_MGF1SHA1, &CONTENT_KEY, &mut room, None).unwrap().to_vec();
    let cases = [
        Forgery::new(&key).with("RSA-OAEP-256", "RSA-OAEP").wrapped(wrapped.clone()).document(),
        Forgery::new(&key).wrapped(wrapped.clone()).document(),
    ];
    let openers = Openers::new([key]);
    for sealed in cases {
        assert_refused(open(&openers, &sealed, &["/n"], "acme"), "/n");
    }
}

/// Sealed for a key that is there, under the name of one that isn't, or of another one: nothing is tried.
#[test]
fn mistake_39_an_unknown_kid_is_not_tried_against_every_key() {
    let (one, other) = (key(Algorithm::EcdsaP256Sha256), key(Algorithm::EcdsaP256Sha256));
    let kid = one.public().id().to_owned();
    let reversed: String = kid.chars().rev().collect();
    let mut cases: Vec<String> = [other.public().id(), "", "*", &reversed, &format!("{kid} ")]
        .map(|named| Forgery::new(&one).with(&kid, named).document())
        .into();
    cases.push(Forgery::new(&one).with(&format!(r#""kid":"{kid}","#), "").document());
    cases.push(Forgery::new(&one).with(&format!(r#""kid":"{kid}""#), r#""kid":7"#).document());
    let good = Forgery::new(&one).document();
    let openers = Openers::new([one, other]);
    assert!(open(&openers, &good, &["/n"], "acme").is_ok());
    for sealed in cases {
        assert_refused(open(&openers, &sealed, &["/n"], "acme"), "/n");
    }
}

/// Whoever knows the stand-in that is opened where there is nothing to open could name its text as his own.
#[test]
fn nobodys_content_key_opens_nothing() {
    for algorithm in [Algorithm::RsaPssSha512, Algorithm::EcdsaP256Sha256] {
        let key = key(algorithm);
        let mut parts = Forgery::new(&key).parts();
        let aad = parts[0].clone();
        let mut body = b"7".to_vec();
        let tag = crate::primitive::encrypt(&Key256::new([0; 32]), [3; 12], aad.as_bytes(), &mut body).unwrap();
        (parts[1], parts[3], parts[4]) =
            ("AAAA".to_owned(), URL_SAFE_NO_PAD.encode(&body), URL_SAFE_NO_PAD.encode(tag));
        assert_refused(open(&Openers::new([key]), &document(&parts), &["/n"], "acme"), "/n");
    }
}

/// What the header says of other keys and places is neither fetched nor believed.
#[test]
fn a_key_that_the_message_brings_along_opens_nothing() {
    let (ours, theirs) = (key(Algorithm::EcdsaP256Sha256), key(Algorithm::EcdsaP256Sha256));
    let brought = format!(r#"{{"jwk":{},"jku":"http://127.0.0.1:1/","#, theirs.public().jwk());
    let good = Forgery::new(&ours).with("{", &brought).document();
    let bad = Forgery::new(&theirs).with("{", &brought).document();
    let openers = Openers::new([ours]);
    assert!(open(&openers, &good, &["/n"], "acme").is_ok(), "what is not understood is passed over");
    assert_refused(open(&openers, &bad, &["/n"], "acme"), "/n");
}

/// Least times, so that what else the machine does counts for nothing; how equal they are says `cargo bench --bench sealing`.
#[test]
#[expect(clippy::disallowed_methods, reason = "time is what is looked at")]
fn every_failure_takes_what_a_wrong_tag_takes() {
    let key = key(Algorithm::RsaPssSha512);
    let kid = key.public().id().to_owned();
    let other: String = kid.chars().rev().collect();
    let mut parts = Forgery::new(&key).parts();
    parts[4] = URL_SAFE_NO_PAD.encode([0; 16]);
    let wrong_tag = document(&parts);
    let wrapped = URL_SAFE_NO_PAD.decode(&parts[1]).unwrap();
    let changed = [&wrapped[..wrapped.len() - 1], &[wrapped[wrapped.len() - 1] ^ 1]].concat();
    let cases = [
        ("a wrong padding", Forgery::new(&key).wrapped(changed).document()),
        ("a number beyond the modulus", Forgery::new(&key).wrapped(vec![255; wrapped.len()]).document()),
        ("nothing wrapped", Forgery::new(&key).wrapped(Vec::new()).document()),
        ("an unknown kid", Forgery::new(&key).with(&kid, &other).document()),
        ("another place", Forgery::new(&key).with("/n", "/m").document()),
        ("another partner", Forgery::new(&key).with("acme", "globex").document()),
        ("another alg", Forgery::new(&key).with(key.public().algorithm(), "RSA1_5").document()),
        ("not sealed at all", r#"{"n": "4111"}"#.to_owned()),
        ("no string", r#"{"n": 4111}"#.to_owned()),
    ];
    let openers = Openers::new([key]);
    let least = |sealed: &str| {
        let run = || {
            let begun = Instant::now();
            assert_refused(open(&openers, sealed, &["/n"], "acme"), "/n");
            begun.elapsed()
        };
        (0..30).map(|_| run()).min().unwrap_or_default()
    };
    let expected = least(&wrong_tag);
    for (name, sealed) in cases {
        let took = least(&sealed);
        assert!(took * 3 > expected * 2 && took * 2 < expected * 3, "{name}: {took:?}, not {expected:?}");
    }
}
