use std::sync::LazyLock;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::{Algorithm, Code, FieldSealer, Openers, OpeningKey, Pointer, SigningKey, Timestamp, Unavailable};
use serde_json::Value;

/// A sealed field with any header, any text and a true tag, and any document with fields to seal and to open.
///
/// The input is a protected header, in which `$KID` and `$EPK` stand for those of the key, and behind the first line feed the
/// text; as a whole it is a document as well.
///
/// # Panics
/// Where something opens that its header does not allow, or that is not one JSON value; where more than the sealed string is
/// replaced; where what was sealed does not open to the byte; where a refusal says more than the place.
pub fn sealed_fields(input: &[u8]) {
    let (header, text) = match input.iter().position(|&byte| byte == b'\n') {
        Some(at) => (&input[..at], &input[at + 1..]),
        None => (input, &b"7"[..]),
    };
    forged(header, text);
    sealed(input);
    opened(input);
}

fn forged(header: &[u8], text: &[u8]) {
    let Ok(header) = std::str::from_utf8(header) else { return };
    let header = header.replace("$KID", ACME.key.public().id()).replace("$EPK", &ACME.epk);
    let aad = URL_SAFE_NO_PAD.encode(&header);
    let mut body = text.to_vec();
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &RANDOM).expect("a key"));
    let nonce = Nonce::assume_unique_for_key([7; 12]);
    let tag = key.seal_in_place_separate_tag(nonce, Aad::from(aad.as_bytes()), &mut body).expect("a tag");
    let [iv, body, tag] = [&[7; 12], &body[..], tag.as_ref()].map(|part| URL_SAFE_NO_PAD.encode(part));
    let field = format!("{aad}.{}.{iv}.{body}.{tag}", ACME.wrapped);
    let document = format!(r#"{{ "n": "{field}", "m": "n" }}"#);
    for unbound in [false, true] {
        let Ok(opened) = OPENERS.open(document.as_bytes(), &FIELDS[..1], "acme", unbound, NOW) else { continue };
        let header: Value = serde_json::from_str(&header).expect("what opens has a header");
        let says = |name: &str, wanted: &str| {
            assert!(header.get(name).map_or(unbound, |found| found == wanted), "{name} is not {wanted}: {header}");
        };
        says("cty", "json");
        says("ptr", "/n");
        says("sub", "acme");
        assert_eq!((&header["alg"], &header["enc"]), (&"ECDH-ES+A256KW".into(), &"A256GCM".into()));
        assert_eq!(header["kid"], ACME.key.public().id());
        assert!(["zip", "crit"].iter().all(|name| header.get(name).is_none()), "{header}");
        let text = std::str::from_utf8(text).expect("what opens is text");
        assert_eq!(std::str::from_utf8(&opened), Ok(format!(r#"{{ "n": {text}, "m": "n" }}"#).as_str()));
        let whole: Value = serde_json::from_slice(&opened).expect("what goes on is JSON");
        assert_eq!((whole.as_object().map_or(0, serde_json::Map::len), &whole["m"]), (2, &"n".into()));
    }
}

/// What can be sealed opens to the byte.
fn sealed(document: &[u8]) {
    let sealer = FieldSealer { fields: &*FIELDS, to: ACME.key.public(), partner: "acme", expires: Some(NOW) };
    let Ok(sealed) = sealer.seal(document, &mut filled) else { return };
    let now = Timestamp::from_secs(NOW.as_secs() - 1);
    let opened = OPENERS.open(&sealed.document, &*FIELDS, "acme", false, now).expect("what we sealed opens");
    assert_eq!(&opened[..], document);
    if !sealed.fields.is_empty() {
        assert!(OPENERS.open(&sealed.document, &*FIELDS, "globex", true, now).is_err(), "another partner's opens");
        assert!(OPENERS.open(&sealed.document, &*FIELDS, "acme", true, NOW).is_err(), "what expired opens");
    }
}

fn opened(document: &[u8]) {
    let Err(refused) = OPENERS.open(document, &*FIELDS, "acme", true, NOW) else { return };
    assert_eq!(refused.code(), Code::Malformed);
    if let Some(pointer) = refused.reason().strip_suffix(" can't be opened") {
        assert!(pointer == "/n" || pointer.starts_with("/a/"), "{pointer} was not asked for");
    }
}

/// A key, and what a content key of [`RANDOM`] becomes when it is wrapped for it.
struct Sealing {
    key: OpeningKey,
    private: String,
    wrapped: String,
    epk: String,
}

static ACME: LazyLock<Sealing> = LazyLock::new(|| {
    let pair = SigningKey::generate(Algorithm::EcdsaP256Sha256, 0).expect("a key");
    let key = OpeningKey::from_file(pair.private.as_bytes()).expect("a key to open with");
    let sealer = FieldSealer { fields: &FIELDS[..1], to: key.public(), partner: "acme", expires: None };
    let sealed = sealer.seal(br#"{"n":7}"#, &mut filled).expect("it can be sealed").document;
    let sealed: Value = serde_json::from_slice(&sealed).expect("JSON");
    let mut parts = sealed["n"].as_str().expect("a sealed field").split('.');
    let header = URL_SAFE_NO_PAD.decode(parts.next().unwrap_or_default()).expect("base64url");
    let header: Value = serde_json::from_slice(&header).expect("a header");
    let wrapped = parts.next().expect("a wrapped key").to_owned();
    Sealing { wrapped, epk: header["epk"].to_string(), key, private: pair.private.as_str().to_owned() }
});

static OPENERS: LazyLock<Openers> = LazyLock::new(|| {
    let other = SigningKey::generate(Algorithm::EcdsaP256Sha256, 0).expect("a key");
    let keys = [other.private.as_str(), &ACME.private].map(|file| OpeningKey::from_file(file.as_bytes()));
    Openers::new(keys.map(|key| key.expect("a key to open with")))
});

static FIELDS: LazyLock<[Pointer; 2]> = LazyLock::new(|| ["/n", "/a/*"].map(|text| text.parse().expect("a pointer")));
const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const RANDOM: [u8; 32] = [7; 32];

/// Content keys that anybody can guess.
#[allow(clippy::unnecessary_wraps)] // as whoever asks for them has it
fn filled(bytes: &mut [u8]) -> Result<(), Unavailable> {
    bytes.fill(7);
    Ok(())
}
