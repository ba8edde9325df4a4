use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::primitive::{Sha256, Sha512, equal_in_constant_time};
use crate::rejection::{Code, Rejection};
use crate::structured;

/// The digests of a `Content-Digest` field (RFC 9530 §2) that a body has to match: each of the algorithms we know, none of
/// the broken ones (`md5`, `sha`, `unixsum`, `unixcksum`, `adler`, `crc32c`), which prove nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Expected {
    sha256: Option<[u8; 32]>,
    sha512: Option<[u8; 64]>,
}

impl Expected {
    /// # Errors
    /// `malformed` where the field is no dictionary of byte sequences or a digest has another length;
    /// `digest_mismatch` where no algorithm in it is one that we rely on.
    pub(crate) fn parse(field: &str) -> Result<Self, Rejection> {
        let malformed =
            || Rejection::new(Code::Malformed, "Content-Digest is not a dictionary of byte sequences (RFC 9530)");
        let mut expected = Self { sha256: None, sha512: None };
        for member in structured::dictionary(field, "Content-Digest", 16)? {
            let bytes = || structured::byte_sequence(member.raw).ok_or_else(malformed);
            match member.name {
                "sha-256" => expected.sha256 = Some(bytes()?.try_into().map_err(|_| malformed())?),
                "sha-512" => expected.sha512 = Some(bytes()?.try_into().map_err(|_| malformed())?),
                _ => {}
            }
        }
        if expected.sha256.is_none() && expected.sha512.is_none() {
            return Err(Rejection::new(Code::DigestMismatch, "Content-Digest has neither sha-256 nor sha-512"));
        }
        Ok(expected)
    }
}

/// A body on its way past: every digest that was signed is computed, and every one has to match.
pub(crate) struct Running {
    expected: Expected,
    sha256: Option<Sha256>,
    sha512: Option<Sha512>,
}

impl Running {
    pub(crate) fn new(expected: Expected) -> Self {
        let sha256 = expected.sha256.map(|_| Sha256::new());
        let sha512 = expected.sha512.map(|_| Sha512::new());
        Self { expected, sha256, sha512 }
    }

    pub(crate) fn update(&mut self, chunk: &[u8]) {
        if let Some(hash) = &mut self.sha256 {
            hash.update(chunk);
        }
        if let Some(hash) = &mut self.sha512 {
            hash.update(chunk);
        }
    }

    pub(crate) fn finish(self) -> Result<(), Rejection> {
        let sha256 = match (self.expected.sha256, self.sha256) {
            (Some(expected), Some(hash)) => equal_in_constant_time(&expected, &hash.finish()),
            _ => true,
        };
        let sha512 = match (self.expected.sha512, self.sha512) {
            (Some(expected), Some(hash)) => equal_in_constant_time(&expected, &hash.finish()),
            _ => true,
        };
        if sha256 && sha512 {
            return Ok(());
        }
        let which = if sha256 { "sha-512" } else { "sha-256" };
        Err(Rejection::new(Code::DigestMismatch, format!("the body does not match the signed {which} digest")))
    }
}

/// The `Content-Digest` field for a body with this SHA-256.
pub(crate) fn content_digest(sha256: &[u8; 32]) -> String {
    let mut field = String::with_capacity(60);
    field.push_str("sha-256=:");
    STANDARD.encode_string(sha256, &mut field);
    field.push(':');
    field
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHA256: &str = "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:";
    const SHA512: &str =
        "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:";
    const BODY: &[u8] = b"{\"hello\": \"world\"}";

    fn judge(field: &str) -> Result<(), Code> {
        let mut running = Running::new(Expected::parse(field).map_err(|e| e.code())?);
        running.update(&BODY[..5]);
        running.update(&BODY[5..]);
        running.finish().map_err(|e| e.code())
    }

    #[test]
    fn every_known_digest_has_to_match() {
        assert_eq!(judge(SHA256), Ok(()));
        assert_eq!(judge(&format!("{SHA256}, {SHA512}")), Ok(()));
        let wrong = SHA256.replace("X48", "X49");
        assert_eq!(judge(&wrong), Err(Code::DigestMismatch));
        assert_eq!(judge(&format!("{wrong}, {SHA512}")), Err(Code::DigestMismatch));
        let wrong = SHA512.replace("WZD", "WZE");
        assert_eq!(judge(&format!("{SHA256}, {wrong}")), Err(Code::DigestMismatch));
    }

    #[test]
    fn broken_algorithms_prove_nothing() {
        for field in ["md5=:Sd/dVLAcvNLSq16eXua5uQ==:", "sha=:07CavjDP4u3/TungoUHJO/Wzr4c=:", "crc32c=:Q3lHIA==:", ""] {
            assert_eq!(judge(field), Err(Code::DigestMismatch), "{field}");
        }
        assert_eq!(judge(&format!("md5=:AAAA:, {SHA256}")), Ok(()));
    }

    #[test]
    fn another_form_is_malformed() {
        for field in [
            "sha-256=X48E9q",
            "sha-256=:AAAA:",
            "sha-256=\"x\"",
            "sha-256",
            &format!("{SHA256}, {SHA256}"),
            "SHA-256=:AAAA:",
        ] {
            assert_eq!(judge(field), Err(Code::Malformed), "{field}");
        }
    }
}
