use std::sync::{Arc, LazyLock};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign::{Algorithm, Form, KeyRecord, KeyState, Keys, Material, Policy, Scheme, SigningKey, VerifyingKey};
use http::HeaderMap;

use super::chain::{judge, lenient, sign};
use super::raw::Raw;

const RFC: Scheme = Scheme::HttpMessageSignatures;

static POLICY: LazyLock<Arc<Policy>> = LazyLock::new(|| lenient(RFC, |_| {}));

/// A key file, as a public, a private and a secret one.
///
/// # Panics
/// Where a private key passes for a public one, where a key in another form is another key, or where what signs does not
/// verify.
pub fn key_file(input: &[u8]) {
    if let Ok(material) = Material::from_public_file(input, None) {
        public(&material);
    }
    for scheme in [RFC, Scheme::Pki, Scheme::TrustedSite, Scheme::AppHmac] {
        let Ok(signer) = SigningKey::from_file(input, scheme, None) else { continue };
        let Some(pem) = signer.public_pem() else { continue };
        assert!(Material::from_public_file(input, None).is_err(), "a private key passes for a public one");
        let material = Material::from_public_file(pem.as_bytes(), None).expect("our own file");
        public(&material);
        if scheme == RFC {
            round(&signer, &material);
        }
    }
    secret(input);
}

fn public(material: &Material) {
    let Material::Public(spki) = material else { panic!("a public file gives a secret") };
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(spki));
    let forms = [Material::from_public_pem(pem.as_bytes()), Material::from_public_file(spki, None)];
    for form in forms {
        let form = form.unwrap_or_else(|fault| panic!("in another form: {fault}"));
        assert_eq!(form.fingerprint(), material.fingerprint(), "in another form it is another key");
        assert_eq!(form.thumbprint(), material.thumbprint());
    }
    for algorithm in RFC.algorithms() {
        let Ok(key) = VerifyingKey::new(record(*algorithm, material)) else { continue };
        assert!(!algorithm.is_symmetric(), "a public key is taken for a secret");
        assert!(key.thumbprint().is_some(), "a good key has a thumbprint");
        assert_eq!(key.thumbprint(), material.thumbprint());
    }
}

fn secret(input: &[u8]) {
    let verifies = Material::from_secret_file(input);
    let signs = SigningKey::from_file(input, RFC, Some(Algorithm::HmacSha256));
    let (Ok(verifies), Ok(signs)) = (verifies, signs) else { return };
    assert_eq!(verifies.thumbprint(), None);
    round(&signs, &verifies);
}

/// What the one signs, the other verifies, if it is good enough for that.
fn round(signer: &SigningKey, material: &Material) {
    let algorithm = countersign::Signer::algorithm(signer);
    let Ok(key) = VerifyingKey::new(record(algorithm, material)) else { return };
    let mut raw = Raw::request(b"GET /orders HTTP/1.1").expect("a request");
    let head = raw.head().expect("a head");
    let signed = sign(head, b"", &HeaderMap::new(), Form::new(RFC, "key-1"), signer).expect("a usual form");
    signed.apply(&mut raw.headers);
    let verdict = judge(raw.head(), b"", &HeaderMap::new(), &Keys::new([key]), &POLICY);
    assert_eq!(verdict.err(), None, "what we signed does not hold");
}

fn record(algorithm: Algorithm, material: &Material) -> KeyRecord {
    KeyRecord {
        partner: "acme".into(),
        partner_active: true,
        id: "key-1".into(),
        version: 1,
        scheme: RFC,
        algorithm,
        state: KeyState::Active,
        not_before: None,
        not_after: None,
        form: None,
        material: material.clone(),
    }
}
