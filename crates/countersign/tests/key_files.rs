//! Every form of a key file is the same key, and what is none says what was found.

#[path = "key_files/forms.rs"]
mod forms;
mod support;

use countersign::*;
use forms::{Forms, armour, body, json, url};
use support::{Memory, NOW, Pair, Request, policy};

const RFC: Scheme = Scheme::HttpMessageSignatures;

fn public_fault(file: &[u8], algorithm: Option<Algorithm>) -> String {
    Material::from_public_file(file, algorithm).unwrap_err().to_string()
}

fn private_fault(file: &[u8], algorithm: Option<Algorithm>) -> String {
    SigningKey::from_file(file, RFC, algorithm).map(|_| ()).unwrap_err().to_string()
}

#[test]
fn one_key_is_the_same_in_every_form() {
    for &algorithm in RFC.algorithms().iter().filter(|algorithm| !algorithm.is_symmetric()) {
        let forms = Forms::of(algorithm);
        let record = Pair::new(RFC, algorithm, "key-1", "acme").record;
        let first = Material::from_public_file(&forms.public[0].1, Some(algorithm)).unwrap();
        for (form, file) in &forms.public {
            let material = Material::from_public_file(file, Some(algorithm)).unwrap_or_else(|e| panic!("{form}: {e}"));
            assert_eq!(material.fingerprint(), first.fingerprint(), "{algorithm} {form}");
            assert_eq!(material.thumbprint(), first.thumbprint());
            assert!(material.thumbprint().is_some_and(|thumbprint| thumbprint.len() == 43));
        }
        let keys = Keys::new([VerifyingKey::new(KeyRecord { material: first.clone(), ..record.clone() }).unwrap()]);
        for (form, file) in &forms.private {
            let signer = SigningKey::from_file(file, RFC, Some(algorithm)).unwrap_or_else(|e| panic!("{form}: {e}"));
            assert_eq!(body(&signer.public_pem().unwrap()), forms.public[1].1, "{algorithm} {form}");
            let request = Request::get("/orders").sign(&Pair { signer, record: record.clone() }, "n", NOW);
            assert!(request.pass(&keys, &policy(|_| {}), &Memory::default(), NOW).is_ok(), "{algorithm} {form}");
            // The one is never taken for the other.
            let fault = public_fault(file, None);
            assert!(fault.contains("private"), "{form}: {fault}");
        }
        for (form, file) in &forms.public {
            let fault = private_fault(file, None);
            assert!(fault.contains("public") && fault.contains("the private half"), "{form}: {fault}");
        }
    }
}

#[test]
fn a_file_without_armour_that_is_no_key_is_a_secret() {
    let hmac = Some(Algorithm::HmacSha256);
    let spki = Forms::of(Algorithm::Ed25519).public[1].1.clone();
    let pkcs8 = Forms::of(Algorithm::Ed25519).private[1].1.clone();
    let looks_like_something = [
        b"0123456789abcdef".to_vec(),
        b"{\"a\": \"a JSON text\"}".to_vec(),
        b"\x30\x82\x01\x22\x30\x0d\x06\x09 and so on".to_vec(),
        b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5".to_vec(),
        vec![0xff; 64],
        spki,
        pkcs8,
    ];
    for secret in looks_like_something {
        let file = [&secret[..], b"\n"].concat();
        let material = Material::from_secret_file(&file).unwrap();
        let Material::Shared(shared) = &material else { panic!("a secret") };
        assert_eq!(shared.expose(), secret);
        let mut pair = Pair::new(RFC, Algorithm::HmacSha256, "key-1", "acme");
        pair.record.material = material;
        for (scheme, algorithm) in [(RFC, hmac), (Scheme::AppHmac, None)] {
            assert!(SigningKey::from_file(&file, scheme, algorithm).is_ok(), "{secret:02x?}");
        }
        pair.signer = SigningKey::from_file(&file, RFC, hmac).unwrap();
        let request = Request::get("/orders").sign(&pair, "n", NOW);
        assert!(request.pass(&pair.keys(), &policy(|_| {}), &Memory::default(), NOW).is_ok());
    }
    // Nobody said what it is for: a key is a key, the rest is a secret.
    assert_eq!(SigningKey::from_file(b"0123456789abcdef", RFC, None).unwrap().algorithm(), Algorithm::HmacSha256);
    let fault = private_fault(b"0123456789abcdef", Some(Algorithm::Ed25519));
    assert!(fault.contains("shared secret") && fault.contains("an Ed25519 private key"), "{fault}");
}

#[test]
fn an_oct_jwk_is_the_secret_inside() {
    let secret = b"a secret of thirty-two bytes ...";
    let file = json(&[("kty", "oct".into()), ("k", url(secret)), ("alg", "HS256".into())]);
    let Material::Shared(shared) = Material::from_secret_file(&file).unwrap() else { panic!("a secret") };
    assert_eq!(shared.expose(), secret);
    for algorithm in [None, Some(Algorithm::HmacSha256)] {
        let pair = Pair { signer: SigningKey::from_file(&file, RFC, algorithm).unwrap(), ..hmac(secret) };
        let request = Request::get("/orders").sign(&pair, "n", NOW);
        assert!(request.pass(&pair.keys(), &policy(|_| {}), &Memory::default(), NOW).is_ok());
    }
    assert!(public_fault(&file, None).contains("found a shared secret"));
    let other = json(&[("kty", "oct".into()), ("k", url(secret)), ("alg", "HS512".into())]);
    assert!(Material::from_secret_file(&other).unwrap_err().to_string().contains("HS512"));
    let rsa = Forms::of(Algorithm::Ed25519).public.pop().unwrap().1;
    assert!(Material::from_secret_file(&rsa).unwrap_err().to_string().contains("no shared secret"));
    assert!(SigningKey::from_file(&rsa, RFC, Some(Algorithm::HmacSha256)).is_err());
}

fn hmac(secret: &[u8]) -> Pair {
    let mut pair = Pair::new(RFC, Algorithm::HmacSha256, "key-1", "acme");
    pair.record.material = Material::Shared(SharedSecret::new(secret.to_vec()));
    pair
}

#[test]
fn a_jwk_that_is_for_something_else_is_refused() {
    let forms = Forms::of(Algorithm::RsaV15Sha256);
    let [private, public] = [true, false].map(|private| {
        let members = forms.jwk.iter().filter(|(name, _)| private || forms::is_public(name));
        String::from_utf8(json(&members.cloned().collect::<Vec<_>>())).unwrap()
    });
    let with = |jwk: &str, more: &str| jwk.replace('{', &format!("{{{more}, ")).into_bytes();
    let v15 = Some(Algorithm::RsaV15Sha256);
    for (more, operation) in [
        (r#""use": "sig""#, "both"),
        (r#""alg": "RS256""#, "both"),
        (r#""use": "sig", "key_ops": ["verify"], "alg": "rsa-v1_5-sha256""#, "verify"),
        (r#""key_ops": ["sign"]"#, "sign"),
        (r#""key_ops": ["sign", "verify"]"#, "both"),
        (r#""kid": "1", "x5c": ["MII"], "unknown": {"a": [1]}"#, "both"),
        (r#""use": "enc""#, "none"),
        (r#""use": 1"#, "none"),
        (r#""key_ops": []"#, "none"),
        (r#""key_ops": "sign""#, "none"),
        (r#""key_ops": ["sign", "sign"]"#, "none"),
        (r#""key_ops": ["encrypt"]"#, "none"),
        (r#""use": "sig", "key_ops": ["sign", "verify", "encrypt"]"#, "none"),
        (r#""alg": "PS256""#, "none"),
        (r#""alg": "PS512""#, "none"),
        (r#""alg": "RSA-OAEP-256""#, "none"),
        (r#""alg": "HS256""#, "none"),
        (r#""alg": "none""#, "none"),
        (r#""alg": 5"#, "none"),
        (r#""kty": "RSA""#, "none"),
        (r#""n": "AQAB""#, "none"),
        (r#""\u006e": "AQAB""#, "none"),
    ] {
        let verifies = Material::from_public_file(&with(&public, more), v15);
        assert_eq!(verifies.is_ok(), ["both", "verify"].contains(&operation), "{more}: {:?}", verifies.err());
        let signs = SigningKey::from_file(&with(&private, more), RFC, v15);
        assert_eq!(signs.is_ok(), ["both", "sign"].contains(&operation), "{more}: {:?}", signs.err());
    }
    // Of several algorithms the one that the file names.
    let named = SigningKey::from_file(&with(&private, r#""alg": "RS256""#), RFC, None).unwrap();
    assert_eq!(named.algorithm(), Algorithm::RsaV15Sha256);
    assert_eq!(SigningKey::from_file(private.as_bytes(), RFC, None).unwrap().algorithm(), Algorithm::RsaPssSha512);
    assert!(SigningKey::from_file(&with(&private, r#""alg": "RS256""#), Scheme::Pki, None).is_err());
}

#[test]
fn a_broken_jwk_is_refused_and_never_a_secret() {
    let of = |algorithm| Forms::of(algorithm).jwk;
    let broken = |jwk: &[(&'static str, String)], name: &str, value: &str| {
        let mut jwk = jwk.to_vec();
        jwk.iter_mut().find(|(it, _)| *it == name).unwrap().1 = value.to_owned();
        json(&jwk)
    };
    let (ed, ec, rsa) = (of(Algorithm::Ed25519), of(Algorithm::EcdsaP256Sha256), of(Algorithm::RsaPssSha512));
    let (ml, other_ed, other_ec) = (of(Algorithm::MlDsa44), of(Algorithm::Ed25519), of(Algorithm::EcdsaP256Sha256));
    let zero_first = url(&[&[0], &modulus(&rsa)[..]].concat());
    let padded = format!("{}=", ed[2].1);
    for bad in [
        broken(&ed, "crv", "X25519"),
        broken(&ed, "crv", "Ed448"),
        broken(&ed, "kty", "EC"),
        broken(&ed, "x", &other_ed[2].1),
        broken(&ed, "x", &padded),
        broken(&ed, "x", "AAAA"),
        broken(&ed, "d", "AAAA"),
        broken(&ec, "crv", "P-384"),
        broken(&ec, "crv", "secp256k1"),
        broken(&ec, "x", &other_ec[2].1),
        broken(&ec, "y", "AAAA"),
        broken(&rsa, "n", &zero_first),
        broken(&rsa, "e", "AQ"),
        broken(&rsa, "p", "AQAB"),
        broken(&rsa, "d", "AQAB"),
        broken(&ml, "alg", "ML-DSA-65"),
        broken(&ml, "priv", &url(&[7; 32])),
        broken(&ml, "priv", &url(&[7; 31])),
        json(&ed[..3]),
        json(&rsa[..4]),
        json(&[("kty", "dir".into())]),
        json(&[("kty", "oct".into()), ("k", "AAAA".into())]),
        b"{\"kty\": \"OKP\"".to_vec(),
        b"{\"keys\": [{\"kty\": \"OKP\"}]}".to_vec(),
    ] {
        let text = String::from_utf8_lossy(&bad).chars().take(60).collect::<String>();
        for algorithm in [None, Some(Algorithm::HmacSha256)] {
            assert!(SigningKey::from_file(&bad, RFC, algorithm).is_err(), "{text}");
        }
    }
    let fault = private_fault(&broken(&ed, "crv", "X25519"), None);
    assert_eq!(
        fault,
        "found a JWK with crv \"X25519\"; wanted OKP with Ed25519, EC with P-256 or P-384, RSA, AKP with ML-DSA-44, -65 or \
         -87, or oct"
    );
}

fn modulus(rsa: &[(&'static str, String)]) -> Vec<u8> {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(&rsa[1].1).unwrap()
}

#[test]
fn other_files_are_told_by_their_names() {
    let x25519 = [&[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x6e, 0x03, 0x21, 0x00][..], &[9; 32]].concat();
    let forms = Forms::of(Algorithm::Ed25519);
    let pkcs8 = &forms.private[1].1;
    // EncryptedPrivateKeyInfo: an AlgorithmIdentifier and an OCTET STRING.
    let encrypted = [&[0x30, 0x0c, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x03][..], b"abc"].concat();
    let legacy = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n\
                  -----END RSA PRIVATE KEY-----\n";
    for (file, found) in [
        (armour("PUBLIC KEY", &x25519).into_bytes(), "found an X25519 public key"),
        (x25519.clone(), "found an X25519 public key"),
        (armour("PRIVATE KEY", pkcs8).into_bytes(), "found an Ed25519 private key"),
        (armour("PUBLIC KEY", b"abc").into_bytes(), "found something else"),
        (
            armour("DH PARAMETERS", &[0x30, 0x06, 0x02, 0x01, 0x17, 0x02, 0x01, 0x02]).into_bytes(),
            "found DH PARAMETERS",
        ),
        (armour("OPENSSH PRIVATE KEY", b"abc").into_bytes(), "OpenSSH"),
        (armour("ENCRYPTED PRIVATE KEY", &encrypted).into_bytes(), "found an encrypted private key"),
        (legacy.as_bytes().to_vec(), "found an encrypted private key"),
        (b"-----BEGIN PUBLIC KEY-----\nA".to_vec(), "found no whole block"),
        (b"ssh-ed25519 AAAA".to_vec(), "OpenSSH's own form"),
        (b"[]".to_vec(), "found something else"),
        ([&forms.public[1].1[..], &[0]].concat(), "found something else"),
        (Vec::new(), "found something else"),
    ] {
        let fault = public_fault(&file, None);
        assert!(fault.contains(found), "{fault}");
    }
    let certificate = [0x30, 0x07, 0x30, 0x00, 0x30, 0x00, 0x03, 0x01, 0x00];
    assert!(public_fault(&armour("CERTIFICATE", &certificate).into_bytes(), None).contains("found a certificate"));
    let at = pkcs8.windows(3).position(|it| it == [0x2b, 0x65, 0x70]).unwrap();
    let mut x25519 = pkcs8.clone();
    x25519[at + 2] = 0x6e;
    assert!(private_fault(&x25519, None).contains("found an X25519 private key"));
}

#[test]
fn an_rsassa_pss_key_never_signs_or_verifies_pkcs1() {
    let forms = Forms::of(Algorithm::RsaPssSha512);
    let pkcs1 = &forms.public.iter().find(|(form, _)| *form == "PKCS#1 DER").unwrap().1;
    let inner = &forms.private.iter().find(|(form, _)| *form == "PKCS#1 DER").unwrap().1;
    let pss = [0x30, 0x0b, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a];
    let wrap = |tag: u8, content: &[u8]| {
        let [a, b] = u16::try_from(content.len()).unwrap().to_be_bytes();
        [&[tag, 0x82, a, b], content].concat()
    };
    let spki = wrap(0x30, &[&pss[..], &wrap(0x03, &[&[0], &pkcs1[..]].concat())].concat());
    let pkcs8 = wrap(0x30, &[&[0x02, 0x01, 0x00], &pss[..], &wrap(0x04, inner)].concat());
    for algorithm in [Algorithm::RsaPssSha512, Algorithm::RsaPssSha256] {
        let material = Material::from_public_file(&spki, Some(algorithm)).unwrap();
        assert_eq!(material.fingerprint(), Material::from_public_file(pkcs1, None).unwrap().fingerprint());
    }
    assert!(SigningKey::from_file(&pkcs8, RFC, Some(Algorithm::RsaPssSha512)).is_ok());
    assert!(SigningKey::from_file(&pkcs8, Scheme::Pki, None).is_ok());
    assert!(public_fault(&spki, Some(Algorithm::RsaV15Sha256)).contains("RSASSA-PSS only"));
    assert!(private_fault(&pkcs8, Some(Algorithm::RsaV15Sha256)).contains("RSASSA-PSS only"));
    assert!(SigningKey::from_file(&pkcs8, Scheme::TrustedSite, None).is_err());
}

#[test]
fn no_damage_to_a_file_makes_a_panic_or_the_same_key_again() {
    for algorithm in [Algorithm::Ed25519, Algorithm::EcdsaP256Sha256, Algorithm::RsaPssSha512] {
        let forms = Forms::of(algorithm);
        let whole = Material::from_public_file(&forms.public[1].1, None).unwrap().fingerprint();
        for (form, file) in forms.public.iter().chain(&forms.private) {
            for at in 0..file.len() {
                for damage in [0x01, 0x80, 0xff] {
                    let mut damaged = file.clone();
                    damaged[at] ^= damage;
                    let public = Material::from_public_file(&damaged, Some(algorithm));
                    if form.ends_with("DER") {
                        assert!(public.is_err() || public.unwrap().fingerprint() != whole, "{form} at {at}");
                    }
                    if algorithm == Algorithm::Ed25519 {
                        drop(SigningKey::from_file(&damaged, RFC, Some(algorithm)));
                    }
                }
                drop(Material::from_public_file(&file[..at], Some(algorithm)));
            }
        }
    }
}
