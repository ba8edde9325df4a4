//! Well-known test keys, accepted in production: everybody has their private halves.

mod support;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use countersign::{Algorithm, Material, Scheme, SigningKey};
use countersign_store::registry::{KeyAdd, Refused};
use support::{Place, key, now, refused};

const RFC: Scheme = Scheme::HttpMessageSignatures;
/// The public exponent 65537, as every one of these keys has it.
const E: &str = "AQAB";

#[tokio::test]
async fn a_well_known_test_key_is_refused_whatever_its_form() {
    let place = Place::new();
    let registry = place.with_partners().await;
    for (name, algorithm, material) in public().into_iter().chain(secrets()) {
        let add = KeyAdd { scheme: RFC, algorithm, material, ..key("alice", "k") };
        let added = registry.add_key(add, now()).await;
        assert!(added.is_err(), "{name}");
        assert_eq!(refused(added), Refused::TestKey(name));
    }
    assert!(registry.keys(None).await.unwrap().is_empty());
    let (_, algorithm, material) = public().remove(0);
    let add = KeyAdd { scheme: RFC, algorithm, material, allow_test_keys: true, ..key("alice", "k") };
    registry.add_key(add, now()).await.unwrap();
}

#[tokio::test]
async fn an_rsa_test_key_is_refused_under_each_of_its_names_and_algorithms() {
    let place = Place::new();
    let registry = place.with_partners().await;
    let (name, n) = ("test-key-rsa-pss of RFC 9421", RSA[1].1);
    let spki = rsa(n);
    let Material::Public(der) = &spki else { panic!("public") };
    let pkcs1 = Material::Public(der[24..].to_vec());
    // `id-RSASSA-PSS` instead of `rsaEncryption`, and no parameters.
    let identifier = [0x30, 0x0b, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a];
    let pss = [&[0x30, 0x82, 0x01, 0x20], &identifier[..], &der[19..]].concat();
    let pss = Material::from_public_file(&pss, None).unwrap();
    for material in [spki, pkcs1, pss] {
        for (scheme, algorithm) in [
            (RFC, Algorithm::RsaPssSha512),
            (RFC, Algorithm::RsaV15Sha256),
            (Scheme::Pki, Algorithm::RsaPssSha256),
            (Scheme::TrustedSite, Algorithm::RsaV15Sha256),
        ] {
            let add = KeyAdd { scheme, algorithm, material: material.clone(), ..key("alice", "k") };
            assert_eq!(refused(registry.add_key(add, now()).await), Refused::TestKey(name));
        }
    }
}

type Known = (&'static str, Algorithm, Material);

fn public() -> Vec<Known> {
    let rsa = RSA.map(|(name, n)| (name, Algorithm::RsaPssSha512, rsa(n)));
    let ec = EC.map(|(name, x, y)| {
        let jwk = format!(r#"{{"kty":"EC","crv":"P-256","x":"{x}","y":"{y}"}}"#);
        (name, Algorithm::EcdsaP256Sha256, Material::from_public_file(jwk.as_bytes(), None).unwrap())
    });
    let ed = ED25519.map(|(name, x)| {
        let jwk = format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}"}}"#);
        (name, Algorithm::Ed25519, Material::from_public_file(jwk.as_bytes(), None).unwrap())
    });
    let ml = ML_DSA.map(|(name, algorithm, set, seed)| (name, algorithm, ml_dsa(set, seed)));
    rsa.into_iter().chain(ec).chain(ed).chain(ml).collect()
}

fn rsa(n: &str) -> Material {
    let jwk = format!(r#"{{"kty":"RSA","n":"{n}","e":"{E}"}}"#);
    Material::from_public_file(jwk.as_bytes(), None).unwrap()
}

/// The public half of a seed, by way of its PKCS#8 form (RFC 9881 §6).
fn ml_dsa(set: u8, seed: &str) -> Material {
    let head = [
        0x30, 0x34, 0x02, 0x01, 0x00, 0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, set,
        0x04, 0x22, 0x80, 0x20,
    ];
    let seed = (0..32).map(|at| u8::from_str_radix(&seed[2 * at..2 * at + 2], 16).unwrap());
    let pkcs8: Vec<u8> = head.into_iter().chain(seed).collect();
    let key = SigningKey::from_file(&pkcs8, RFC, None).unwrap();
    Material::from_public_pem(key.public_pem().unwrap().as_bytes()).unwrap()
}

/// Each as bytes, as a JWK, and as the text of its bytes.
fn secrets() -> Vec<Known> {
    let mut all = Vec::new();
    for (name, as_text, text) in [
        ("the HS256 key of RFC 7515", "the HS256 key of RFC 7515 in base64url", HS256),
        ("the A128KW key of RFC 7517", "the A128KW key of RFC 7517 in base64url", "GawgguFyGrWKav7AX4VKUg"),
    ] {
        let jwk = format!(r#"{{"kty":"oct","k":"{text}"}}"#);
        all.push((name, Algorithm::HmacSha256, Material::from_secret_file(jwk.as_bytes()).unwrap()));
        let bytes = URL_SAFE_NO_PAD.decode(text).unwrap();
        all.push((name, Algorithm::HmacSha256, Material::from_secret_file(&bytes).unwrap()));
        all.push((as_text, Algorithm::HmacSha256, Material::from_secret_file(text.as_bytes()).unwrap()));
    }
    let bytes = STANDARD.decode(SHARED_SECRET).unwrap();
    for (name, file) in [
        ("test-shared-secret of RFC 9421", &bytes[..]),
        ("test-shared-secret of RFC 9421 in Base64", SHARED_SECRET.as_bytes()),
    ] {
        all.push((name, Algorithm::HmacSha256, Material::from_secret_file(file).unwrap()));
    }
    all
}

const RSA: [(&str, &str); 5] = [
    (
        "test-key-rsa of RFC 9421",
        concat!(
            "hAKYdtoeoy8zcAcR874L8cnZxKzAGwd7v36APp7Pv6Q2jdsPBRrwWEBnez6d0UDKDwGbc6nxfEXAy5mbhgajzrw3MOEt8uA5txSKobBpKDeBLO",
            "sdJKFqMGmXCQvEG7YemcxDTRPxAleIAgYYRjTSd_QBwVW9OwNFhekro3RtlinV0a75jfZgkne_YiktSvLG34lw2zqXBDTC5NHROUqGTlML4PlN",
            "ZS5Ri2U4aCNx2rUPRcKIlE0PuKxI4T-HIaFpv8-rdV6eUgOrB2xeI1dSFFn_nnv5OoZJEIB-VmuKn3DCUcCZSFlQPSXSfBDiUGhwOw76WuSSsf",
            "1D4b_vLoJ10w",
        ),
    ),
    (
        "test-key-rsa-pss of RFC 9421",
        concat!(
            "r4tmm3r20Wd_PbqvP1s2-QEtvpuRaV8Yq40gjUR8y2Rjxa6dpG2GXHbPfvMs8ct-Lh1GH45x28Rw3Ry53mm-oAXjyQ86OnDkZ5N8lYbggD4O3w",
            "6M6pAvLkhk95AndTrifbIFPNU8PPMO7OyrFAHqgDsznjPFmTOtCEcN2Z1FpWgchwuYLPL-Wokqltd11nqqzi-bJ9cvSKADYdUAAN5WUtzdpiy6",
            "LbTgSxP7ociU4Tn0g5I6aDZJ7A8Lzo0KSyZYoA485mqcO0GVAdVw9lq4aOT9v6d-nb4bnNkQVklLQ3fVAvJm-xdDOp9LCNCN48V2pnDOkFV6-U",
            "9nV5oyc6XI2w",
        ),
    ),
    (
        "the RS256 key of RFC 7515",
        concat!(
            "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-",
            "pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2Ca",
            "pHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb5",
            "4h4FRWyuXpoQ",
        ),
    ),
    (
        "the RSA key of RFC 7517 and RFC 7638",
        concat!(
            "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3ok",
            "njhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu",
            "6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8a",
            "wapJzKnqDKgw",
        ),
    ),
    (
        "the RSA key of RFC 7517 appendix C",
        concat!(
            "t6Q8PWSi1dkJj9hTP8hNYFlvadM7DflW9mWepOJhJ66w7nyoK1gPNqFMSQRyO125Gp-TEkodhWr0iujjHVx7BcV0llS4w5ACGgPrcAd6ZcSR0-",
            "Iqom-QFcNP8Sjg086MwoqQU_LYywlAGZ21WSdS_PERyGFiNnj3QQlO8Yns5jCtLCRwLHL0Pb1fEv45AuRIuUfVcPySBWYnDyGxvjYGDSM-AqWS",
            "9zIQ2ZilgT-GqUmipg0XOC0Cc20rgLe2ymLHjpHciCKVAbY5-L32-lSeZO-Os6U15_aXrk9Gw8cPUaX1_I8sLGuSiVdt3C_Fn2PZ3Z8i744FPF",
            "GGcG1qs2Wz-Q",
        ),
    ),
];

const EC: [(&str, &str, &str); 3] = [
    (
        "test-key-ecc-p256 of RFC 9421",
        "qIVYZVLCrPZHGHjP17CTW0_-D9Lfw0EkjqF7xB4FivA",
        "Mc4nN9LTDOBhfoUeg8Ye9WedFRhnZXZJA12Qp0zZ6F0",
    ),
    (
        "the ES256 key of RFC 7515",
        "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    ),
    (
        "the EC key of RFC 7517",
        "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
    ),
];

const ED25519: [(&str, &str); 6] = [
    ("test-key-ed25519 of RFC 9421", "JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs"),
    ("the key of RFC 8037 and of RFC 8032 test 1", "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"),
    ("the key of RFC 8032 test 2", "PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw"),
    ("the key of RFC 8032 test 3", "_FHNjmIYoaONpH7QAjDwWAgW7RO6MwOsXeuRFUiQgCU"),
    ("the key of RFC 8032 test 1024", "J4EX_BRMcjQPZ9DyMW6Dhs7_vyskKMnFH-98WX8dQm4"),
    ("the key of RFC 8032 test SHA(abc)", "7Bcrk61eVjv0kyxw4SRQNMNUZ-8u_U1k6_gZaDRn4r8"),
];

const ML_DSA: [(&str, Algorithm, u8, &str); 3] = [
    (
        "ml-dsa-44 of C2SP httpsig-pq",
        Algorithm::MlDsa44,
        0x11,
        "c80d699b2daa47d54b8697f5a917c696400d7063b30a234d18ad672250ae42d9",
    ),
    (
        "ml-dsa-65 of C2SP httpsig-pq",
        Algorithm::MlDsa65,
        0x12,
        "40342eccce31032955f04c14256fa8cb6b6269bdc22d6ee62fd00d9338759773",
    ),
    (
        "ml-dsa-87 of C2SP httpsig-pq",
        Algorithm::MlDsa87,
        0x13,
        "0cd2f7cc3f9772ad23031ef37aea63b3825fb46bdb5d5cc4fb620ecccc5e630b",
    ),
];

const HS256: &str = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
const SHARED_SECRET: &str = "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==";
