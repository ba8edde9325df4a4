//! Thumbprints of public keys, RFC 7638.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::der::{Form, Kind};
use crate::primitive::{self, sha256};

/// §3: the hash of a JSON object with the required members of the JWK only, in lexicographic order, without white space.
pub(super) fn of(spki: &[u8]) -> Option<String> {
    let Form::Spki(kind, key) = Form::of(spki)? else { return None };
    let base64 = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let jwk = match kind {
        Kind::Rsa => {
            let (n, e) = primitive::rsa_numbers(spki)?;
            format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, base64(&e), base64(&n))
        }
        Kind::P256 => elliptic("P-256", key, 32)?,
        Kind::P384 => elliptic("P-384", key, 48)?,
        // RFC 8037 §2.
        Kind::Ed25519 => format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, base64(key)),
        // RFC 9964 §6.
        Kind::MlDsa44 => parameter_set("ML-DSA-44", key),
        Kind::MlDsa65 => parameter_set("ML-DSA-65", key),
        Kind::MlDsa87 => parameter_set("ML-DSA-87", key),
        Kind::RsaPss | Kind::Other(_) => return None,
    };
    Some(base64(&sha256(jwk.as_bytes())))
}

/// An uncompressed point, `04 x y` (SEC 1 §2.3.3).
fn elliptic(curve: &str, key: &[u8], coordinate: usize) -> Option<String> {
    let point = key.strip_prefix(&[0x04]).filter(|point| point.len() == 2 * coordinate)?;
    let (x, y) = point.split_at(coordinate);
    let [x, y] = [x, y].map(|number| URL_SAFE_NO_PAD.encode(number));
    Some(format!(r#"{{"crv":"{curve}","kty":"EC","x":"{x}","y":"{y}"}}"#))
}

fn parameter_set(alg: &str, key: &[u8]) -> String {
    format!(r#"{{"alg":"{alg}","kty":"AKP","pub":"{}"}}"#, URL_SAFE_NO_PAD.encode(key))
}

#[cfg(test)]
mod tests {
    use crate::key::Material;

    fn thumbprint(jwk: &str) -> Option<String> {
        Material::from_public_file(jwk.as_bytes(), None).unwrap().thumbprint()
    }

    #[test]
    fn the_example_of_rfc_7638() {
        let jwk = concat!(
            r#"{"kty": "RSA", "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJEC"#,
            "PebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnY",
            "b9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFC",
            r#"ur-kEgU8awapJzKnqDKgw", "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"}"#,
        );
        assert_eq!(thumbprint(jwk).as_deref(), Some("NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"));
    }

    #[test]
    fn the_example_of_rfc_8037() {
        let jwk = r#"{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
        assert_eq!(thumbprint(jwk).as_deref(), Some("kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"));
    }

    #[test]
    fn an_elliptic_key_has_both_coordinates_in_it() {
        let jwk = r#"{"y": "Mc4nN9LTDOBhfoUeg8Ye9WedFRhnZXZJA12Qp0zZ6F0", "crv": "P-256", "kty": "EC",
            "x": "qIVYZVLCrPZHGHjP17CTW0_-D9Lfw0EkjqF7xB4FivA"}"#;
        assert_eq!(thumbprint(jwk).as_deref(), Some("ydQXMtvbsOsZyFir-Y7A8t7fKEM1gbKPvyFkdpu4fvI"));
    }

    #[test]
    fn what_is_no_public_key_has_none() {
        let secret = Material::from_secret_file(b"0123456789abcdef").unwrap();
        assert_eq!(secret.thumbprint(), None);
        assert_eq!(Material::Public(vec![0x30, 0x00]).thumbprint(), None);
    }
}
