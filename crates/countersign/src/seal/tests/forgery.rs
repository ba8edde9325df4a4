use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::primitive::{Key256, concat_kdf, wrap};
use crate::seal::OpeningKey;
use crate::seal::key::KeyManagement;

/// A JWE with a true tag over any header and any text, as whoever knows the public key can make it.
pub(super) struct Forgery<'k> {
    key: &'k OpeningKey,
    pub(super) header: String,
    pub(super) text: String,
    /// In place of the content key as the key's algorithm wraps it.
    pub(super) wrapped: Option<Vec<u8>>,
}

impl<'k> Forgery<'k> {
    /// One of `7` for `/n` by `acme` that opens.
    pub(super) fn new(key: &'k OpeningKey) -> Self {
        let (kid, alg) = (key.public().id(), key.public().algorithm());
        let epk = match key.public().management {
            KeyManagement::RsaOaep256 => "",
            KeyManagement::EcdhEsA256Kw => r#","epk":{"kty":"EC","crv":"P-256","x":"X","y":"Y"}"#,
        };
        let header =
            format!(r#"{{"alg":"{alg}","enc":"A256GCM","kid":"{kid}","cty":"json","ptr":"/n","sub":"acme"{epk}}}"#);
        Self { key, header, text: "7".to_owned(), wrapped: None }
    }

    pub(super) fn text(self, text: &str) -> Self {
        Self { text: text.to_owned(), ..self }
    }

    /// With a part of the header replaced.
    pub(super) fn with(self, from: &str, to: &str) -> Self {
        let header = self.header.replacen(from, to, 1);
        assert_ne!(header, self.header, "{from}");
        Self { header, ..self }
    }

    pub(super) fn wrapped(self, wrapped: Vec<u8>) -> Self {
        Self { wrapped: Some(wrapped), ..self }
    }

    /// Its five parts.
    pub(super) fn parts(&self) -> [String; 5] {
        let base64 = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let content_key = Key256::new(CONTENT_KEY);
        let (header, wrapped) = match self.key.public().management {
            KeyManagement::RsaOaep256 => {
                (self.header.clone(), self.key.public().wrapping.rsa_oaep(&content_key).unwrap())
            }
            KeyManagement::EcdhEsA256Kw => {
                let (point, shared) = self.key.public().wrapping.agree().unwrap();
                let header = self.header.replace(r#""X""#, &format!("\"{}\"", base64(&point[1..33])));
                let header = header.replace(r#""Y""#, &format!("\"{}\"", base64(&point[33..])));
                (header, wrap(&concat_kdf(&shared, "ECDH-ES+A256KW", b"", b""), &content_key).unwrap())
            }
        };
        let aad = base64(header.as_bytes());
        let mut body = self.text.clone().into_bytes();
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &CONTENT_KEY).unwrap());
        let nonce = Nonce::assume_unique_for_key([3; 12]);
        let tag = key.seal_in_place_separate_tag(nonce, Aad::from(aad.as_bytes()), &mut body).unwrap();
        let wrapped = self.wrapped.as_ref().unwrap_or(&wrapped);
        [aad, base64(wrapped), base64(&[3; 12]), base64(&body), base64(tag.as_ref())]
    }

    /// `{"n": …}` with it.
    pub(super) fn document(&self) -> String {
        document(&self.parts())
    }
}

pub(super) fn document(parts: &[String]) -> String {
    format!(r#"{{"n": "{}"}}"#, parts.join("."))
}

pub(super) const CONTENT_KEY: [u8; 32] = [9; 32];
