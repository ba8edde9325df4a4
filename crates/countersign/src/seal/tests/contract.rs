//! Every sentence of what a sealed field is, each as a test of its own.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::forgery::{Forgery, document};
use super::*;

const BOTH: [Algorithm; 2] = [Algorithm::RsaPssSha512, Algorithm::EcdsaP256Sha256];

pub(super) fn header(compact: &str) -> serde_json::Value {
    let header = URL_SAFE_NO_PAD.decode(compact.split('.').next().unwrap()).unwrap();
    serde_json::from_slice(&header).unwrap()
}

#[test]
fn a_sealed_field_is_a_string_a_jwe_in_compact_form_whose_plaintext_is_exactly_one_json_value() {
    for algorithm in BOTH {
        let key = key(algorithm);
        let values = ["7", "\"4111\"", "null", "true", "[1, {}]", "{\"a\": {\"b\": []}}", " 7 "];
        let good = values.map(|value| Forgery::new(&key).text(value).document());
        let sealed = compact(&seal(r#"{"n": 7}"#, &["/n"], &key), "/n");
        assert_eq!(sealed.split('.').count(), 5);
        let openers = Openers::new([key]);
        for (value, sealed) in values.iter().zip(good) {
            assert_eq!(open(&openers, &sealed, &["/n"], "acme").unwrap(), format!("{{\"n\": {value}}}"));
        }
        for other in ["7", "null", "{\"a\": 1}", "\"\"", "\"a.b.c.d.e\"", "\"....\"", &format!("[\"{sealed}\"]")] {
            assert_refused(open(&openers, &format!("{{\"n\": {other}}}"), &["/n"], "acme"), "/n");
        }
    }
}

#[test]
fn its_header_holds_alg_enc_kid_cty_ptr_and_sub_and_ours_writes_exp() {
    for (algorithm, alg) in BOTH.into_iter().zip(["RSA-OAEP-256", "ECDH-ES+A256KW"]) {
        let key = key(algorithm);
        let pointers = fields(&["/a~1b/0"]);
        let sealer = FieldSealer {
            fields: &pointers,
            to: key.public(),
            partner: "acme",
            expires: Some(Timestamp::from_secs(5)),
        };
        let sealed = sealer.seal(r#"{"a/b": [7]}"#.as_bytes(), &mut random).unwrap().document;
        let mut header = header(&compact(std::str::from_utf8(&sealed).unwrap(), "/a~1b/0"));
        let epk = header.as_object_mut().unwrap().remove("epk");
        assert_eq!(epk.is_some(), alg == "ECDH-ES+A256KW");
        assert!(epk.is_none_or(|epk| epk["kty"] == "EC" && epk["crv"] == "P-256" && epk.get("d").is_none()));
        let expected = serde_json::json!({"alg": alg, "enc": "A256GCM", "kid": key.public().id(), "cty": "json",
            "ptr": "/a~1b/0", "sub": "acme", "exp": 5});
        assert_eq!(header, expected);
    }
}

#[test]
fn without_kid_cty_ptr_or_sub_in_the_protected_header_it_does_not_open() {
    let key = key(Algorithm::EcdsaP256Sha256);
    let kid = format!(r#""kid":"{}","#, key.public().id());
    let cases = [kid.as_str(), r#""cty":"json","#, r#""ptr":"/n","#, r#","sub":"acme""#]
        .map(|member| Forgery::new(&key).with(member, "").document());
    let others =
        [(r#""cty":"json""#, r#""cty":"text""#), (r#""ptr":"/n""#, r#""ptr":null"#), (r#""acme""#, r#"["acme"]"#)]
            .map(|(from, to)| Forgery::new(&key).with(from, to).document());
    let openers = Openers::new([key]);
    for sealed in cases.into_iter().chain(others) {
        assert_refused(open(&openers, &sealed, &["/n"], "acme"), "/n");
    }
}

#[test]
fn exp_is_checked_when_there() {
    let at = |exp: &str| {
        let key = key(Algorithm::EcdsaP256Sha256);
        let sealed = Forgery::new(&key).with(r#""sub""#, &format!(r#""exp":{exp},"sub""#)).document();
        open(&Openers::new([key]), &sealed, &["/n"], "acme")
    };
    assert!(at("1800000001").is_ok());
    for ended in
        ["1800000000", "1799999999", "0", "-1", "\"never\"", "1800000001.5", "1e99", "null", "99999999999999999999"]
    {
        assert_refused(at(ended), "/n");
    }
}

#[test]
fn zip_and_crit_are_refused() {
    let key = key(Algorithm::EcdsaP256Sha256);
    let cases = [
        r#"{"zip":"DEF","#,
        r#"{"zip":null,"#,
        r#"{"crit":["exp"],"#,
        r#"{"crit":[],"#,
        r#"{"b64":true,"crit":["b64"],"#,
    ]
    .map(|with| Forgery::new(&key).with("{", with).document());
    let openers = Openers::new([key]);
    for sealed in cases {
        assert_refused(open(&openers, &sealed, &["/n"], "acme"), "/n");
    }
}

#[test]
fn any_other_alg_or_enc_is_refused() {
    for algorithm in BOTH {
        let key = key(algorithm);
        let alg = key.public().algorithm();
        let mut cases = Vec::new();
        for other in [
            "none",
            "dir",
            "RSA1_5",
            "RSA-OAEP",
            "RSA-OAEP-384",
            "RSA-OAEP-512",
            "ECDH-ES",
            "ECDH-ES+A128KW",
            "A256KW",
            "A256GCMKW",
            "PBES2-HS512+A256KW",
            "rsa-oaep-256",
            "RSA-OAEP-256",
            "ECDH-ES+A256KW",
            "",
        ] {
            if other != alg {
                cases.push(Forgery::new(&key).with(alg, other).document());
            }
        }
        for other in ["A128GCM", "A192GCM", "A256CBC-HS512", "A128CBC-HS256", "a256gcm", ""] {
            cases.push(Forgery::new(&key).with("A256GCM", other).document());
        }
        cases.push(Forgery::new(&key).with(&format!(r#""alg":"{alg}","#), "").document());
        cases.push(Forgery::new(&key).with(r#""enc":"A256GCM","#, "").document());
        cases.push(Forgery::new(&key).with("{", r#"{"enc":"A256GCM","#).document());
        cases.push(Forgery::new(&key).with(&format!(r#""{alg}""#), &format!(r#"["{alg}"]"#)).document());
        let good = Forgery::new(&key).document();
        let openers = Openers::new([key]);
        assert!(open(&openers, &good, &["/n"], "acme").is_ok());
        for sealed in cases {
            assert_refused(open(&openers, &sealed, &["/n"], "acme"), "/n");
        }
    }
}

#[test]
fn a_tag_that_is_not_16_bytes_and_an_iv_that_is_not_12_are_refused() {
    let key = key(Algorithm::EcdsaP256Sha256);
    let parts = Forgery::new(&key).parts();
    let with = |at: usize, part: &str| {
        let mut parts = parts.clone();
        parts[at] = part.to_owned();
        document(&parts)
    };
    let long = |part: &str| URL_SAFE_NO_PAD.encode([&URL_SAFE_NO_PAD.decode(part).unwrap()[..], &[0]].concat());
    let short = |part: &str, by: usize| {
        let bytes = URL_SAFE_NO_PAD.decode(part).unwrap();
        URL_SAFE_NO_PAD.encode(&bytes[..bytes.len() - by])
    };
    let (iv, tag) = (&parts[2], &parts[4]);
    let mut cases = vec![with(2, ""), with(2, &long(iv)), with(2, &short(iv, 1)), with(2, &short(iv, 4)), with(4, "")];
    cases.extend([with(4, &long(tag)), with(4, &short(tag, 1)), with(4, &short(tag, 4)), with(4, &short(tag, 12))]);
    // One spelling each: neither padding, nor the other alphabet, nor bits that no byte holds.
    cases.extend([with(4, &format!("{tag}==")), with(2, "AwMDAwMDAwMDAwM+"), with(3, "AB"), with(1, ""), with(3, "")]);
    cases.push(document(&parts[..4]));
    cases.push(document(&[&parts[..], &[String::new()]].concat()));
    let openers = Openers::new([key]);
    assert!(open(&openers, &document(&parts), &["/n"], "acme").is_ok());
    for sealed in cases {
        assert_refused(open(&openers, &sealed, &["/n"], "acme"), "/n");
    }
}

#[test]
fn an_epk_off_the_curve_is_refused() {
    let key = key(Algorithm::EcdsaP256Sha256);
    let zeros = "A".repeat(43);
    let mut cases: Vec<String> = [
        (r#""y":"Y""#.to_owned(), r#""y":"X""#.to_owned()),
        (r#""x":"X","y":"Y""#.to_owned(), format!(r#""x":"{zeros}","y":"{zeros}""#)),
        (r#""x":"X""#.to_owned(), r#""x":"""#.to_owned()),
        (r#""x":"X""#.to_owned(), r#""x":"_____wAAAAEAAAAAAAAAAAAAAAD_______________8""#.to_owned()),
        ("P-256".to_owned(), "P-384".to_owned()),
        (r#""kty":"EC""#.to_owned(), r#""kty":"OKP""#.to_owned()),
    ]
    .map(|(from, to)| Forgery::new(&key).with(&from, &to).document())
    .into();
    cases.push(Forgery::new(&key).with(r#","epk":{"kty":"EC","crv":"P-256","x":"X","y":"Y"}"#, "").document());
    cases.push(Forgery::new(&key).with(r#"{"kty":"EC","crv":"P-256","x":"X","y":"Y"}"#, "7").document());
    let openers = Openers::new([key]);
    for sealed in cases {
        assert_refused(open(&openers, &sealed, &["/n"], "acme"), "/n");
    }
}

#[test]
fn what_seals_is_published_with_use_enc_and_nothing_that_opens() {
    for algorithm in BOTH {
        let key = key(algorithm);
        let jwk: serde_json::Value = serde_json::from_str(&key.public().jwk()).unwrap();
        assert_eq!(
            (&jwk["use"], &jwk["alg"], &jwk["kid"]),
            (&"enc".into(), &key.public().algorithm().into(), &key.public().id().into())
        );
        assert!(["d", "p", "q", "dp", "dq", "qi", "k"].iter().all(|private| jwk.get(private).is_none()), "{jwk}");
        assert_eq!(SealingKey::from_file(jwk.to_string().as_bytes()).unwrap().id(), key.public().id());
    }
}

#[test]
fn unbound_admits_foreign_jwe_without_ptr_and_sub_and_nothing_else_does() {
    for algorithm in BOTH {
        let key = key(algorithm);
        let foreign = |to: &str| Forgery::new(&key).with(r#""cty":"json","ptr":"/n","sub":"acme""#, to).document();
        let open = [
            foreign(r#""typ":"JWE""#),
            foreign(r#""cty":"json""#),
            foreign(r#""ptr":"/n""#),
            foreign(r#""sub":"acme""#),
        ];
        let closed = [
            foreign(r#""ptr":"/m""#),
            foreign(r#""sub":"globex""#),
            foreign(r#""cty":"text/plain""#),
            foreign(r#""exp":1800000000"#),
            foreign(r#""ptr":null"#),
        ];
        let openers = Openers::new([key]);
        let unbound = |sealed: &str| openers.open(sealed.as_bytes(), &fields(&["/n"]), "acme", true, NOW);
        for sealed in open {
            assert_refused(super::open(&openers, &sealed, &["/n"], "acme"), "/n");
            assert_eq!(unbound(&sealed).unwrap().as_slice(), br#"{"n": 7}"#);
        }
        for sealed in closed {
            assert!(unbound(&sealed).is_err(), "{sealed}");
        }
    }
}

#[test]
fn the_whole_body_is_parsed_under_the_rules_of_pki() {
    let key = key(Algorithm::EcdsaP256Sha256);
    let good = Forgery::new(&key).document();
    let openers = Openers::new([key]);
    assert!(open(&openers, &good, &["/n"], "acme").is_ok());
    for beside in [
        r#""a": 1, "a": 2"#,
        r#""a": NaN"#,
        r#""a": Infinity"#,
        r#""a": 1e999"#,
        r#""a": "\ud800""#,
        r#""a": 1,"#,
        r#""n": 1"#,
        r#""\u006e": 1"#,
    ] {
        let refused = open(&openers, &good.replacen('{', &format!("{{{beside}, "), 1), &["/n"], "acme").unwrap_err();
        assert_eq!(refused.code(), Code::Malformed, "{beside}");
        assert!(!refused.reason().contains("opened"), "{beside}: {}", refused.reason());
    }
    for whole in ["", "\u{feff}{}", "{} {}", "{", &("[".repeat(129) + &"]".repeat(129))] {
        assert_eq!(open(&openers, whole, &["/n"], "acme").unwrap_err().code(), Code::Malformed);
    }
}

#[test]
fn depth_is_that_of_the_whole() {
    let key = key(Algorithm::EcdsaP256Sha256);
    let deep = |levels: usize| Forgery::new(&key).text(&("[".repeat(levels) + &"]".repeat(levels))).document();
    let (fits, deeper) = (deep(127), deep(128));
    let openers = Openers::new([key]);
    assert!(open(&openers, &fits, &["/n"], "acme").is_ok());
    assert_refused(open(&openers, &deeper, &["/n"], "acme"), "/n");
}

#[test]
fn only_the_sealed_strings_are_replaced() {
    let document = "\t{ \"b\":1.50 , \"n\" :\"4111 \u{1f4b3}\",\r\n\"a\": [ ], \"\\u00e9\": 1e2 }  ";
    for algorithm in BOTH {
        let key = key(algorithm);
        let sealed = seal(document, &["/n"], &key);
        assert_eq!(open(&Openers::new([key]), &sealed, &["/n"], "acme").unwrap(), document);
    }
}

#[test]
fn an_absent_pointer_is_fine() {
    let key = key(Algorithm::EcdsaP256Sha256);
    let openers = Openers::new([key]);
    for document in ["{}", "7", "[]", r#"{"n": {}, "m": []}"#, r#"{"m": "4111"}"#] {
        assert_eq!(open(&openers, document, &["/n/x", "/m/*", "/o"], "acme").unwrap(), document);
    }
}

#[test]
fn a_present_value_that_can_not_be_opened_is_malformed_naming_the_pointer_and_nothing_else() {
    let key = key(Algorithm::EcdsaP256Sha256);
    let good = Forgery::new(&key).document();
    let document = format!(r#"{{"a": "secret", {}"#, &good[1..]);
    let refused = open(&Openers::new([key]), &document, &["/n", "/a"], "acme").unwrap_err();
    assert_eq!((refused.code(), refused.reason()), (Code::Malformed, "/a can't be opened"));
    assert!(!format!("{refused:?} {refused}").contains("secret"));
}
