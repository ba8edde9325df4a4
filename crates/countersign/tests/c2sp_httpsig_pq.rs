//! The vectors of C2SP httpsig-pq: keys from seeds, signature bases, and signatures that verify through the chain; where they
//! are not at hand, messages of our own in the same form.

#[path = "rfc9421/examples.rs"]
#[allow(dead_code, reason = "the reader of pages is for RFC 9421")]
mod examples;
#[path = "rfc9421/message.rs"]
#[allow(dead_code, reason = "as above")]
mod message;
mod support;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use countersign::*;
use examples::Example;
use message::Text;
use support::Pair;
use support::published::published;

const RFC: Scheme = Scheme::HttpMessageSignatures;

/// A key as JWK, the base that is signed under it, and a signature.
struct Vector {
    algorithm: Algorithm,
    jwk: String,
    public_jwk: String,
    base: String,
    signature: Option<Vec<u8>>,
}

fn jwk(algorithm: Algorithm, public: &[u8], seed: &[u8]) -> (String, String) {
    let (alg, public) = (algorithm.as_str().to_uppercase(), URL_SAFE_NO_PAD.encode(public));
    let public = format!(r#"{{"kty":"AKP","alg":"{alg}","pub":"{public}""#);
    (format!(r#"{public},"priv":"{}"}}"#, URL_SAFE_NO_PAD.encode(seed)), format!("{public}}}"))
}

fn theirs() -> Option<Vec<Vector>> {
    let text = published("c2sp-httpsig-pq/vectors.json")?;
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    let vector = |vector: &serde_json::Value| {
        let text = |name: &str| vector[name].as_str().unwrap();
        let bytes = |name: &str| STANDARD.decode(text(name)).unwrap();
        let hex = text("private_key_seed_hex");
        let seed: Vec<_> =
            (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap()).collect();
        let algorithm = text("algorithm").parse().unwrap();
        let (jwk, public_jwk) = jwk(algorithm, &bytes("public_key_base64"), &seed);
        let base = String::from_utf8(bytes("signature_base_base64")).unwrap();
        assert_eq!(base.len() as u64, vector["signature_base_length"].as_u64().unwrap());
        assert!(text("serialized_signature_input").ends_with(base.rsplit_once(": ").unwrap().1));
        Vector { algorithm, jwk, public_jwk, base, signature: Some(bytes("deterministic_signature_base64")) }
    };
    Some(document["vectors"].as_array().unwrap().iter().map(vector).collect())
}

/// The same forms, with keys made here.
fn our_own() -> Vec<Vector> {
    let made = [Algorithm::MlDsa44, Algorithm::MlDsa65, Algorithm::MlDsa87].map(|algorithm| {
        let pair = SigningKey::generate(algorithm, 0).unwrap();
        let [private, public] = [pair.private.as_str(), &pair.public].map(|pem| {
            let lines = pem.lines().filter(|line| !line.starts_with("---"));
            STANDARD.decode(lines.collect::<String>()).unwrap()
        });
        // A seed of 32 bytes ends the PKCS#8 form (RFC 9881 §6).
        let (jwk, public_jwk) = jwk(algorithm, &public[22..], private.last_chunk::<32>().unwrap());
        let input = format!(
            "(\"@method\" \"@target-uri\" \"host\" \"date\");created=1795000000;keyid=\"k\";alg=\"{algorithm}\""
        );
        let base = format!(
            "\"@method\": GET\n\"@target-uri\": https://example.com/a?b=c\n\"host\": example.com\n\"date\": today\n\
             \"@signature-params\": {input}"
        );
        Vector { algorithm, jwk, public_jwk, base, signature: None }
    });
    made.into()
}

/// The message that a base stands for: a request without a body.
fn message(base: &str) -> Text {
    let value = |name: &str| {
        let line = base.lines().find_map(|line| line.strip_prefix(&format!("\"{name}\": ")));
        line.unwrap().to_owned()
    };
    let target = value("@target-uri");
    let target = target.strip_prefix(&format!("https://{}", value("host"))).unwrap();
    Text::parse(&format!(
        "{} {target} HTTP/1.1\nHost: {}\nDate: {}\nSignature-Input: sig1={}\nSignature: sig1=:AAAA:\n",
        value("@method"),
        value("host"),
        value("date"),
        value("@signature-params"),
    ))
}

fn check(vectors: &[Vector]) {
    assert_eq!(vectors.len(), 3);
    for vector in vectors {
        let algorithm = vector.algorithm;
        let mut example = Example { label: "sig1".to_owned(), message: message(&vector.base), request: None };
        let material = Material::from_public_file(vector.public_jwk.as_bytes(), Some(algorithm)).unwrap();
        let record = Pair::new(RFC, algorithm, &example.key_id(), "c2sp").record;
        let keys = Keys::new([VerifyingKey::new(KeyRecord { material, ..record }).unwrap()]);

        // The seed is the key's, and our base is theirs. The signature differs: ours is hedged (FIPS 204 §3.4).
        let signer = SigningKey::from_file(vector.jwk.as_bytes(), RFC, None).unwrap();
        assert_eq!(signer.algorithm(), algorithm);
        let signed = example.sign(&signer);
        assert_eq!(signed.base, vector.base);
        for signature in vector.signature.iter().chain([&signed.signature]) {
            example.message.set_signature("sig1", signature);
            assert_eq!(example.verify(&keys), Ok(()), "{algorithm}");
            example.message.flip_signature_bit("sig1");
            assert_eq!(example.verify(&keys), Err(Code::BadSignature), "{algorithm}");
        }
    }
}

/// RFC 7638 over `alg`, `kty` and `pub` (RFC 9964 §6), computed apart from this crate.
#[test]
fn the_thumbprints_of_the_published_keys() {
    let Some(vectors) = theirs() else { return check(&our_own()) };
    let thumbprints = vectors
        .iter()
        .map(|vector| Material::from_public_file(vector.public_jwk.as_bytes(), None).unwrap().thumbprint().unwrap());
    let expected = [
        "vuvZ0cSeZkrEAk59kaY-8kLu82ywbfLJ84NIAZWlwmE",
        "lFpzhrLvB_ssQCpGeDun4Jlx1txhrgh_fo6OW0CeHwU",
        "HSH2GosULGMv8i9Fu10X7KGH0dChHZlAS5GIxp_gijw",
    ];
    assert_eq!(thumbprints.collect::<Vec<_>>(), expected);
}

#[test]
fn the_published_vectors_verify() {
    check(&theirs().unwrap_or_else(our_own));
}

#[test]
fn our_own_in_the_same_form_verify() {
    check(&our_own());
}
