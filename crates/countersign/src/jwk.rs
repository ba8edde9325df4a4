//! JSON Web Keys (RFC 7517) of the kinds in RFC 7518, RFC 8037 and RFC 9964, read strictly: no member stands twice, numbers
//! and points have their one length, and what a key says it is for is believed.

mod claims;
mod secret;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::der::Kind;
use crate::json::{Document, Kind as Json, Value};
use crate::key::InvalidKey;
use crate::key_file::Purpose;
use crate::primitive;

pub(crate) use secret::{private, shared};

/// Whether `file` is meant as a JWK. What is, and is not a good one, is an error, and never a shared secret instead.
pub(crate) fn looks_like_one(file: &[u8]) -> bool {
    file.trim_ascii_start().starts_with(b"{") && file.windows(5).any(|window| window == b"\"kty\"")
}

/// The SubjectPublicKeyInfo of a public JWK.
pub(crate) fn public(text: &[u8]) -> Result<(Vec<u8>, Purpose), InvalidKey> {
    let document = parse(text)?;
    let jwk = Jwk::of(&document)?;
    if jwk.kind == Type::Oct {
        return Err(InvalidKey::found("a shared secret (a JWK of kty oct)", "a public key"));
    }
    if jwk.is_private() {
        return Err(InvalidKey::found("a private JWK", "the public half, without d or priv"));
    }
    let purpose = claims::check(jwk, "verify")?;
    Ok((jwk.spki()?, purpose))
}

fn parse(text: &[u8]) -> Result<Document<'_>, InvalidKey> {
    Document::parse(text).map_err(|fault| InvalidKey::found(format_args!("no JWK ({})", fault.0), "one JSON object"))
}

/// One key, whose `kty` and `crv` are known.
#[derive(Clone, Copy)]
struct Jwk<'d, 'a> {
    members: Value<'d, 'a>,
    kind: Type,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    Asymmetric(Kind),
    Oct,
}

impl<'d, 'a> Jwk<'d, 'a> {
    fn of(document: &'d Document<'a>) -> Result<Self, InvalidKey> {
        let members = document.root();
        if members.kind() != Json::Object {
            return Err(InvalidKey::found("JSON that is no object", "a JWK"));
        }
        if members.member("keys").is_some() {
            return Err(InvalidKey::found("a set of JWKs", "one of them in a file of its own"));
        }
        let word = |name: &str| members.member(name).and_then(Value::as_str).unwrap_or_default();
        let unknown = |what: &str, found: &str| {
            let wanted = "OKP with Ed25519, EC with P-256 or P-384, RSA, AKP with ML-DSA-44, -65 or -87, or oct";
            Err(InvalidKey::found(format_args!("a JWK with {what} {found:.40?}"), wanted))
        };
        let kind = match word("kty").as_ref() {
            "RSA" => Type::Asymmetric(Kind::Rsa),
            "EC" => match word("crv").as_ref() {
                "P-256" => Type::Asymmetric(Kind::P256),
                "P-384" => Type::Asymmetric(Kind::P384),
                other => return unknown("crv", other),
            },
            "OKP" => match word("crv").as_ref() {
                "Ed25519" => Type::Asymmetric(Kind::Ed25519),
                other => return unknown("crv", other),
            },
            // RFC 9964: the parameter set stands in `alg`, which is required.
            "AKP" => match word("alg").as_ref() {
                "ML-DSA-44" => Type::Asymmetric(Kind::MlDsa44),
                "ML-DSA-65" => Type::Asymmetric(Kind::MlDsa65),
                "ML-DSA-87" => Type::Asymmetric(Kind::MlDsa87),
                other => return unknown("alg", other),
            },
            "oct" => Type::Oct,
            other => return unknown("kty", other),
        };
        Ok(Self { members, kind })
    }

    fn is_private(self) -> bool {
        ["d", "p", "q", "dp", "dq", "qi", "oth", "priv", "k"].iter().any(|name| self.members.member(name).is_some())
    }

    fn spki(self) -> Result<Vec<u8>, InvalidKey> {
        let Type::Asymmetric(kind) = self.kind else {
            return Err(InvalidKey::found("a shared secret (a JWK of kty oct)", "a public key"));
        };
        let key = match kind {
            Kind::Rsa => {
                let (n, e) = (self.number("n")?, self.number("e")?);
                return primitive::rsa_spki_of(&n, &e).ok_or(InvalidKey::new("the JWK's n and e make no RSA key"));
            }
            Kind::P256 | Kind::P384 => self.point()?,
            Kind::Ed25519 => self.bytes("x")?.to_vec(),
            _ => self.bytes("pub")?.to_vec(),
        };
        kind.spki(&key).ok_or_else(|| {
            InvalidKey::found(format_args!("a JWK of another length than {} key has", kind.name()), "a whole one")
        })
    }

    /// The uncompressed point (SEC 1 §2.3.3). RFC 7518 §6.2.1.2: "The length of this octet string MUST be the full size of a
    /// coordinate for the curve".
    fn point(self) -> Result<Vec<u8>, InvalidKey> {
        let (x, y) = (self.bytes("x")?, self.bytes("y")?);
        if x.len() != y.len() {
            return Err(InvalidKey::found(
                "a JWK with x and y of two lengths",
                "the full size of a coordinate in both",
            ));
        }
        Ok([&[0x04], &x[..], &y[..]].concat())
    }

    /// A Base64urlUInt, RFC 7518 §2: "MUST utilize the minimum number of octets needed to represent the value".
    fn number(self, name: &str) -> Result<Zeroizing<Vec<u8>>, InvalidKey> {
        let bytes = self.bytes(name)?;
        if bytes.first().is_none_or(|first| *first == 0) {
            let wanted = "the shortest form of the number (RFC 7518 section 6.3.1)";
            return Err(InvalidKey::found(
                format_args!("a JWK whose {name} is empty or begins with a zero byte"),
                wanted,
            ));
        }
        Ok(bytes)
    }

    /// A member in base64url without padding, unused bits zero.
    fn bytes(self, name: &str) -> Result<Zeroizing<Vec<u8>>, InvalidKey> {
        let text = self.members.member(name).and_then(Value::as_str).map(|text| Zeroizing::new(text.into_owned()));
        let text = text.ok_or_else(|| InvalidKey::found(format_args!("a JWK without {name}"), "a whole one"))?;
        URL_SAFE_NO_PAD.decode(text.as_bytes()).map(Zeroizing::new).map_err(|_| {
            InvalidKey::found(
                format_args!("a JWK whose {name} is not base64url"),
                "base64url without padding or blanks",
            )
        })
    }
}
