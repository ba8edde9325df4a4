//! Attacks on keys: each is refused when the key is loaded, before any message meets it.

#[path = "key_files/forms.rs"]
#[allow(dead_code, reason = "half of it is for the test of the forms")]
mod forms;
#[path = "key_attacks/rsa.rs"]
mod rsa;
mod support;

use countersign::*;
use forms::{Forms, armour, body, elements};
use rsa::{der, number};
use support::{Memory, NOW, Pair, Request, policy};

const RFC: Scheme = Scheme::HttpMessageSignatures;

fn record(algorithm: Algorithm, material: Material) -> KeyRecord {
    let scheme = if algorithm == Algorithm::RsaPssSha256 { Scheme::Pki } else { RFC };
    KeyRecord {
        partner: "mallory".into(),
        partner_active: true,
        id: "key-1".into(),
        version: 1,
        scheme,
        algorithm,
        state: KeyState::Active,
        not_before: None,
        not_after: None,
        form: None,
        material,
    }
}

/// What comes of a public key in whatever form: refused by the file, or by the key.
fn load(algorithm: Algorithm, file: &[u8]) -> Result<VerifyingKey, InvalidKey> {
    VerifyingKey::new(record(algorithm, Material::from_public_file(file, Some(algorithm))?))
}

/// The same where the bytes come from a registry, without the checks of a file.
fn load_spki(algorithm: Algorithm, spki: &[u8]) -> Result<VerifyingKey, InvalidKey> {
    VerifyingKey::new(record(algorithm, Material::Public(spki.to_vec())))
}

fn fault(key: Result<VerifyingKey, InvalidKey>) -> String {
    key.map(drop).unwrap_err().to_string()
}

/// The points of order 1, 2, 4 and 8 on edwards25519: y, little-endian, and whether there is one of each sign. Below them the
/// encodings of the same points that RFC 8032 §5.1.3 does not admit, since y is not below p or x is 0 and has a sign.
const SMALL_ORDER: [&str; 14] = [
    "0100000000000000000000000000000000000000000000000000000000000000", // order 1
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // order 2
    "0000000000000000000000000000000000000000000000000000000000000000", // order 4
    "0000000000000000000000000000000000000000000000000000000000000080", // order 4
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", // order 8
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85", // order 8
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", // order 8
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa", // order 8
    "0100000000000000000000000000000000000000000000000000000000000080", // 1, x = 0 with a sign
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", // -1, x = 0 with a sign
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // p, which is 0
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", // p, the other sign
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // p + 1, which is 1
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", // p + 1, the other sign
];

fn ed25519_spki(point: &[u8]) -> Vec<u8> {
    [&[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00], point].concat()
}

#[test]
fn an_ed25519_key_of_small_order_under_which_one_signature_fits_any_message_is_refused() {
    for hex in SMALL_ORDER {
        let point: Vec<u8> = (0..32).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap()).collect();
        let jwk = format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{}"}}"#, forms::url(&point));
        for file in [ed25519_spki(&point), jwk.into_bytes()] {
            assert!(load(Algorithm::Ed25519, &file).is_err(), "{hex}");
        }
        assert!(load_spki(Algorithm::Ed25519, &ed25519_spki(&point)).is_err(), "{hex}");
    }
}

#[test]
fn an_ed25519_key_whose_y_is_written_in_a_second_way_is_refused() {
    // y from p to 2^255 - 1 is y - p once more: what is one key would be two in the replay memory.
    for above in 0..19 {
        for sign in [0x7f, 0xff] {
            let mut point = [0xff; 32];
            point[0] = 0xed + above;
            point[31] = sign;
            assert!(load_spki(Algorithm::Ed25519, &ed25519_spki(&point)).is_err(), "p + {above}, {sign:02x}");
        }
    }
}

#[test]
fn a_point_that_is_not_on_its_curve_is_refused() {
    for algorithm in [Algorithm::EcdsaP256Sha256, Algorithm::EcdsaP384Sha384] {
        let spki = Forms::of(algorithm).public[1].1.clone();
        let point = if algorithm == Algorithm::EcdsaP256Sha256 { 27 } else { 24 };
        let mut other = spki.clone();
        *other.last_mut().unwrap() ^= 1;
        assert!(load_spki(algorithm, &other).is_err());
        let zero = [&spki[..point], &vec![0; spki.len() - point][..]].concat();
        assert!(load_spki(algorithm, &zero).is_err());
    }
}

#[test]
fn a_p_256_key_offered_as_p_384_and_every_other_mix_up_is_refused() {
    let kinds = [
        Algorithm::Ed25519,
        Algorithm::EcdsaP256Sha256,
        Algorithm::EcdsaP384Sha384,
        Algorithm::RsaPssSha512,
        Algorithm::MlDsa44,
        Algorithm::MlDsa65,
        Algorithm::MlDsa87,
    ];
    for made in kinds {
        let forms = Forms::of(made);
        for offered in kinds.into_iter().filter(|offered| *offered != made) {
            for (form, file) in &forms.public {
                let fault = fault(load(offered, file));
                assert!(fault.contains("found") && fault.contains("wanted"), "{form} of {made} as {offered}: {fault}");
            }
            for (form, file) in &forms.private {
                assert!(SigningKey::from_file(file, RFC, Some(offered)).is_err(), "{form} of {made} as {offered}");
            }
        }
    }
    // The coordinates of one curve under the name of another.
    let jwk = String::from_utf8(Forms::of(Algorithm::EcdsaP256Sha256).public.pop().unwrap().1).unwrap();
    assert!(load(Algorithm::EcdsaP384Sha384, jwk.replace("P-256", "P-384").as_bytes()).is_err());
}

#[test]
fn an_rsa_public_key_used_as_an_hmac_secret_is_refused() {
    let forms = Forms::of(Algorithm::RsaV15Sha256);
    for (form, file) in &forms.public {
        assert!(load(Algorithm::HmacSha256, file).is_err(), "{form}");
    }
    assert!(load_spki(Algorithm::HmacSha256, &forms.public[1].1).is_err());
    // A message that is signed with the public key as a secret, and says so: the key decides, and is none for that.
    let rsa = Pair::new(RFC, Algorithm::RsaV15Sha256, "key-1", "acme");
    let Material::Public(spki) = &rsa.record.material else { panic!("public") };
    for secret in [spki.clone(), armour("PUBLIC KEY", spki).into_bytes()] {
        let mut forged = Pair::new(RFC, Algorithm::HmacSha256, "key-1", "acme");
        forged.record.material = Material::Shared(SharedSecret::new(secret.clone()));
        if let Ok(signer) = SigningKey::from_file(&secret, RFC, Some(Algorithm::HmacSha256)) {
            forged.signer = signer;
        }
        let request = Request::get("/orders").sign(&forged, "n", NOW);
        let refused = request.pass(&rsa.keys(), &policy(|_| {}), &Memory::default(), NOW).err();
        assert_eq!(refused, Some(Code::AlgorithmMismatch));
    }
}

#[test]
fn trailing_bytes_behind_a_key_make_it_another_key_and_are_refused() {
    for &algorithm in RFC.algorithms().iter().filter(|algorithm| !algorithm.is_symmetric()) {
        let forms = Forms::of(algorithm);
        for (form, file) in forms.public.iter().filter(|(form, _)| form.ends_with("DER")) {
            for more in [&[0][..], &[0x05, 0x00], &file.clone()] {
                let file = [&file[..], more].concat();
                assert!(load(algorithm, &file).is_err(), "{algorithm} {form}");
                assert!(load_spki(algorithm, &file).is_err(), "{algorithm} {form}");
                assert!(load(algorithm, armour("PUBLIC KEY", &file).as_bytes()).is_err(), "{algorithm} {form}");
            }
        }
        // Inside the outermost element, where its length still fits.
        let spki = &forms.public[1].1;
        let inner = [&elements(spki)[0].1[..], &[0x05, 0x00]].concat();
        assert!(load_spki(algorithm, &der(0x30, &inner)).is_err(), "{algorithm}");
        // A length in more bytes than it takes.
        let content = &elements(spki)[0].1;
        let length = u16::try_from(content.len()).unwrap().to_be_bytes();
        let long = [&[0x30, 0x83, 0x00], &length[..], &content[..]].concat();
        assert!(load_spki(algorithm, &long).is_err(), "{algorithm}");
        for cut in [0, 1, spki.len() / 2, spki.len() - 1] {
            assert!(load_spki(algorithm, &spki[..cut]).is_err(), "{algorithm} cut at {cut}");
        }
    }
}

#[test]
fn der_where_r_and_s_belong_is_a_bad_signature() {
    for (algorithm, half) in [(Algorithm::EcdsaP256Sha256, 32), (Algorithm::EcdsaP384Sha384, 48)] {
        let pair = Pair::new(RFC, algorithm, "key-1", "acme");
        let request = Request::get("/orders").sign(&pair, "n", NOW);
        let value = request.headers["signature"].to_str().unwrap().to_owned();
        let signature = body(&value[6..value.len() - 1]);
        assert_eq!(signature.len(), 2 * half);
        let (r, s) = signature.split_at(half);
        let minimal = |bytes: &[u8]| number(&bytes[bytes.iter().position(|byte| *byte > 0).unwrap()..]);
        let in_der = der(0x30, &[minimal(r), minimal(s)].concat());
        let longer = [&[0], r, &[0], s].concat();
        for (other, expected) in
            [(&signature, None), (&in_der, Some(Code::BadSignature)), (&longer, Some(Code::BadSignature))]
        {
            let mut request = request.clone();
            let armoured = armour("", other);
            let value = format!("sig1=:{}:", armoured.lines().nth(1).unwrap());
            request.headers.insert("signature", value.parse().unwrap());
            assert_eq!(
                request.pass(&pair.keys(), &policy(|_| {}), &Memory::default(), NOW).err(),
                expected,
                "{algorithm}"
            );
        }
    }
}

#[test]
fn a_key_file_of_nothing_but_depth_or_length_costs_little() {
    let deep = format!("{{\"kty\":{}", "[".repeat(200_000));
    let long = format!("{{\"kty\":\"RSA\",{}\"e\":\"AQAB\"}}", "\"x\":1,".repeat(20_000));
    let nested = der(0x30, &der(0x30, &vec![0x30; 60_000]));
    for file in [deep.as_bytes(), long.as_bytes(), &nested, &vec![0x30; 200_000]] {
        assert!(Material::from_public_file(file, None).is_err());
    }
}
