//! A sealed field by somebody who has nothing of ours, only RFC 7516: it says neither where it belongs nor who sealed it.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::error::{KeyRejected, Unspecified};
use aws_lc_rs::rsa::{OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PublicEncryptingKey};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::json;

use crate::exit::Failure;
use crate::random;

/// `text` under `RSA-OAEP-256` and `A256GCM`, for the key of this PEM file, which is called `kid`.
pub(super) fn sealed(text: &str, public_pem: &str, kid: &str) -> Result<String, Failure> {
    let base64: String = public_pem.lines().filter(|line| !line.starts_with('-')).collect();
    let spki = STANDARD.decode(base64).map_err(Failure::ours)?;
    let (mut content_key, mut iv) = ([0; 32], [0; 12]);
    random::fill(&mut content_key)?;
    random::fill(&mut iv)?;
    let wrapped = wrapped(&content_key, &spki).map_err(Failure::ours)?;
    let header = json!({ "alg": "RSA-OAEP-256", "enc": "A256GCM", "kid": kid }).to_string();
    let mut compact = URL_SAFE_NO_PAD.encode(header);
    let mut text = text.as_bytes().to_vec();
    let key = UnboundKey::new(&AES_256_GCM, &content_key).map(LessSafeKey::new).map_err(Failure::ours)?;
    let (iv_of_it, aad) = (Nonce::assume_unique_for_key(iv), Aad::from(compact.as_bytes()));
    let tag = key.seal_in_place_separate_tag(iv_of_it, aad, &mut text).map_err(Failure::ours)?;
    for part in [&wrapped[..], &iv, &text, tag.as_ref()] {
        compact.push('.');
        URL_SAFE_NO_PAD.encode_string(part, &mut compact);
    }
    Ok(compact)
}

fn wrapped(content_key: &[u8], spki: &[u8]) -> Result<Vec<u8>, Unspecified> {
    let key = PublicEncryptingKey::from_der(spki).map_err(|_: KeyRejected| Unspecified)?;
    let key = OaepPublicEncryptingKey::new(key)?;
    let mut wrapped = vec![0; key.ciphertext_size()];
    let length = key.encrypt(&OAEP_SHA256_MGF1SHA256, content_key, &mut wrapped, None)?.len();
    wrapped.truncate(length);
    Ok(wrapped)
}
