//! What a JWK says it is for: `use`, `key_ops` and `alg` (RFC 7517 §4.2 to §4.4). A key that is for something else is not taken.

use crate::algorithm::Algorithm;
use crate::der::Kind;
use crate::json::{Kind as Json, Value};
use crate::key::InvalidKey;
use crate::key_file::Purpose;

use super::{Jwk, Type};

/// Checks `use` and `key_ops` against the `operation` at hand, and reads `alg`.
pub(super) fn check(jwk: Jwk<'_, '_>, operation: &str) -> Result<Purpose, InvalidKey> {
    if seals(jwk) {
        return check_sealing(jwk);
    }
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

/// Whether it says that it is to seal with.
fn seals(jwk: Jwk<'_, '_>) -> bool {
    let word = |name: &str| jwk.members.member(name).and_then(Value::as_str);
    let could = SEALING.iter().any(|&(kind, _)| jwk.kind == Type::Asymmetric(kind));
    let sealing = |alg: &str| SEALING.iter().any(|&(_, it)| alg == it);
    could && (word("use").is_some_and(|usage| usage == "enc") || word("alg").is_some_and(|alg| sealing(&alg)))
}

/// Then it has to be for that alone.
fn check_sealing(jwk: Jwk<'_, '_>) -> Result<Purpose, InvalidKey> {
    let alg = jwk.members.member("alg").map(|alg| alg.as_str().unwrap_or_default());
    let usage = jwk.members.member("use").map(|usage| usage.as_str().unwrap_or_default());
    let fits = |alg: &str| SEALING.iter().any(|&(kind, it)| jwk.kind == Type::Asymmetric(kind) && it == alg);
    let operations = jwk.members.member("key_ops").map(strings).transpose()?.unwrap_or_default();
    let sound = alg.is_none_or(|alg| fits(&alg))
        && usage.is_none_or(|usage| usage == "enc")
        && !operations.iter().any(|it| matches!(it.as_str(), "sign" | "verify"));
    if sound {
        return Ok(Purpose::Seal);
    }
    Err(InvalidKey::found(
        "a JWK for sealing that is for something else, too",
        "RSA with RSA-OAEP-256, or P-256 with ECDH-ES+A256KW, and use \"enc\"",
    ))
}

/// How each kind of key is sealed with (RFC 7518 §4.1).
const SEALING: [(Kind, &str); 2] = [(Kind::Rsa, "RSA-OAEP-256"), (Kind::P256, "ECDH-ES+A256KW")];

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
