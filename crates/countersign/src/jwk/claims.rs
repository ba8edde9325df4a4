//! What a JWK says it is for: `use`, `key_ops` and `alg` (RFC 7517 §4.2 to §4.4). A key that is for something else is not taken.

use crate::algorithm::Algorithm;
use crate::der::Kind;
use crate::json::{Kind as Json, Value};
use crate::key::InvalidKey;
use crate::key_file::Purpose;

use super::{Jwk, Type};

/// Checks `use` and `key_ops` against the `operation` at hand, and reads `alg`.
pub(super) fn check(jwk: Jwk<'_, '_>, operation: &str) -> Result<Purpose, InvalidKey> {
    let found = |what: String, wanted: &str| Err(InvalidKey::found(what, wanted));
    let signs = match jwk.members.member("use") {
        None => false,
        Some(usage) if usage.as_str().as_deref() == Some("sig") => true,
        Some(usage) => {
            let usage = usage.as_str().unwrap_or_default();
            return found(format!("a JWK with use {usage:.40?}"), "use \"sig\", or none");
        }
    };
    if let Some(operations) = jwk.members.member("key_ops") {
        let operations = strings(operations)?;
        if !operations.iter().any(|it| it == operation) {
            return found(format!("a JWK whose key_ops are without {operation:?}"), "a key for that, or no key_ops");
        }
        // §4.3: "if both are used, the information they convey MUST be consistent".
        if signs && operations.iter().any(|it| !matches!(it.as_str(), "sign" | "verify")) {
            return found(
                "a JWK with use \"sig\" and key_ops of another use".to_owned(),
                "one of the two, or both alike",
            );
        }
    }
    let Some(alg) = jwk.members.member("alg") else { return Ok(Purpose::Any) };
    let alg = alg.as_str().unwrap_or_default();
    let algorithm = algorithm(&alg);
    let fits = |algorithm| match jwk.kind {
        Type::Asymmetric(kind) => Kind::for_algorithm(algorithm) == Some(kind),
        Type::Oct => algorithm == Algorithm::HmacSha256,
    };
    match algorithm {
        Some(algorithm) if fits(algorithm) => Ok(Purpose::Only(algorithm)),
        _ => found(format!("a JWK with alg {alg:.40?}"), "an algorithm of ours that fits the key, or no alg"),
    }
}

/// The algorithm that an `alg` of JOSE means; RFC 9421's own names are understood as well.
fn algorithm(name: &str) -> Option<Algorithm> {
    Some(match name {
        // RFC 8037 §3.1, RFC 9864 §2.2.
        "EdDSA" | "Ed25519" => Algorithm::Ed25519,
        "ES256" => Algorithm::EcdsaP256Sha256,
        "ES384" => Algorithm::EcdsaP384Sha384,
        "PS512" => Algorithm::RsaPssSha512,
        "PS256" => Algorithm::RsaPssSha256,
        "RS256" => Algorithm::RsaV15Sha256,
        "HS256" => Algorithm::HmacSha256,
        "ML-DSA-44" => Algorithm::MlDsa44,
        "ML-DSA-65" => Algorithm::MlDsa65,
        "ML-DSA-87" => Algorithm::MlDsa87,
        name => return name.parse().ok(),
    })
}

fn strings(list: Value<'_, '_>) -> Result<Vec<String>, InvalidKey> {
    let bad = || InvalidKey::found("a JWK whose key_ops are no list of names", "a list, each name once");
    if list.kind() != Json::Array || list.len() > 16 {
        return Err(bad());
    }
    let mut names: Vec<String> = Vec::with_capacity(list.len());
    for element in list.elements() {
        let name = element.as_str().ok_or_else(bad)?.into_owned();
        // §4.3: "Duplicate key operation values MUST NOT be present in the array."
        if names.contains(&name) {
            return Err(bad());
        }
        names.push(name);
    }
    Ok(names)
}
