//! The private half of a JWK, and shared secrets.

use crate::der::Kind;
use crate::key::InvalidKey;
use crate::key_file::Purpose;
use crate::primitive::{RsaParts, Secret};

use super::{Jwk, Type, claims, parse};

/// The private key or shared secret of a JWK, to sign with.
pub(crate) fn private(text: &[u8]) -> Result<(Secret, Purpose), InvalidKey> {
    let document = parse(text)?;
    let jwk = Jwk::of(&document)?;
    let purpose = claims::check(jwk, "sign")?;
    let Type::Asymmetric(kind) = jwk.kind else {
        return Ok((Secret::from_secret(&jwk.bytes("k")?)?, purpose));
    };
    let half = if matches!(kind, Kind::MlDsa44 | Kind::MlDsa65 | Kind::MlDsa87) { "priv" } else { "d" };
    if jwk.members.member(half).is_none() {
        return Err(InvalidKey::found("a public JWK", "the private half: only that signs"));
    }
    let secret = match kind {
        Kind::Rsa => rsa(jwk)?,
        Kind::P256 | Kind::P384 => Secret::from_ec_scalar(kind, &jwk.bytes("d")?, &jwk.point()?)?,
        Kind::Ed25519 => Secret::from_ed25519_seed(&jwk.bytes("d")?, &jwk.bytes("x")?)?,
        _ => {
            // The seed alone makes the key; `pub` has to be the public half of that one.
            let secret = Secret::from_ml_dsa_seed(kind, &jwk.bytes("priv")?)?;
            if secret.spki().as_deref() != Some(jwk.spki()?.as_slice()) {
                return Err(InvalidKey::new("the pub of the JWK is not the public half of its priv"));
            }
            secret
        }
    };
    Ok((secret, purpose))
}

fn rsa(jwk: Jwk<'_, '_>) -> Result<Secret, InvalidKey> {
    if jwk.members.member("oth").is_some() {
        return Err(InvalidKey::found("an RSA key of more than two primes", "one of two"));
    }
    let public = [jwk.number("n")?, jwk.number("e")?];
    let private = ["d", "p", "q", "dp", "dq", "qi"].map(|name| jwk.bytes(name));
    let [d, p, q, dp, dq, qi] = private;
    Secret::from_rsa_parts(&RsaParts {
        n: &public[0],
        e: &public[1],
        d: &d?,
        p: &p?,
        q: &q?,
        dp: &dp?,
        dq: &dq?,
        qi: &qi?,
    })
}

/// The `k` of a JWK of kty `oct`, to verify with.
pub(crate) fn shared(text: &[u8]) -> Result<Vec<u8>, InvalidKey> {
    let document = parse(text)?;
    let jwk = Jwk::of(&document)?;
    if jwk.kind != Type::Oct {
        return Err(InvalidKey::found("a JWK that is no shared secret", "kty oct, or the bare secret"));
    }
    claims::check(jwk, "verify")?;
    jwk.bytes("k").map(|secret| secret.to_vec())
}
