//! One key in every form that a file can have it in, made from the PKCS#8 form by a small reader of DER.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use countersign::{Algorithm, SigningKey};

/// A form's name, and the file.
pub(crate) type Form = (&'static str, Vec<u8>);

pub(crate) struct Forms {
    pub(crate) private: Vec<Form>,
    pub(crate) public: Vec<Form>,
    /// The private JWK, by the members.
    pub(crate) jwk: Vec<(&'static str, String)>,
}

impl Forms {
    pub(crate) fn of(algorithm: Algorithm) -> Self {
        let pair = SigningKey::generate(algorithm, 2048).unwrap();
        let pkcs8 = body(&pair.private);
        let spki = body(&pair.public);
        // Version, AlgorithmIdentifier, key.
        let inner = elements(&elements(&pkcs8)[0].1)[2].1.clone();
        let mut private = vec![("PKCS#8 PEM", pair.private.as_bytes().to_vec()), ("PKCS#8 DER", pkcs8)];
        let mut public = vec![("SPKI PEM", pair.public.clone().into_bytes()), ("SPKI DER", spki.clone())];
        let jwk = match algorithm {
            Algorithm::Ed25519 => {
                let seed = elements(&inner)[0].1.clone();
                vec![("kty", "OKP".into()), ("crv", "Ed25519".into()), ("x", url(&spki[12..])), ("d", url(&seed))]
            }
            Algorithm::EcdsaP256Sha256 | Algorithm::EcdsaP384Sha384 => {
                private.push(("SEC1 PEM", armour("EC PRIVATE KEY", &inner).into_bytes()));
                private.push(("SEC1 DER", inner.clone()));
                let scalar = elements(&elements(&inner)[0].1)[1].1.clone();
                let (crv, point) = if scalar.len() == 32 { ("P-256", &spki[27..]) } else { ("P-384", &spki[24..]) };
                let (x, y) = point.split_at(scalar.len());
                vec![("kty", "EC".into()), ("crv", crv.into()), ("x", url(x)), ("y", url(y)), ("d", url(&scalar))]
            }
            Algorithm::RsaPssSha512 | Algorithm::RsaV15Sha256 | Algorithm::RsaPssSha256 => {
                private.push(("PKCS#1 PEM", armour("RSA PRIVATE KEY", &inner).into_bytes()));
                private.push(("PKCS#1 DER", inner.clone()));
                public.push(("PKCS#1 PEM", armour("RSA PUBLIC KEY", &spki[24..]).into_bytes()));
                public.push(("PKCS#1 DER", spki[24..].to_vec()));
                let numbers = elements(&elements(&inner)[0].1);
                let names = ["n", "e", "d", "p", "q", "dp", "dq", "qi"];
                let number = |number: &[u8]| url(number.strip_prefix(&[0]).unwrap_or(number));
                let numbers = numbers[1..].iter().map(|(_, bytes)| number(bytes));
                std::iter::once(("kty", "RSA".to_owned())).chain(names.into_iter().zip(numbers)).collect()
            }
            Algorithm::MlDsa44 | Algorithm::MlDsa65 | Algorithm::MlDsa87 => {
                let alg = algorithm.as_str().to_uppercase();
                vec![
                    ("kty", "AKP".into()),
                    ("alg", alg),
                    ("pub", url(&spki[22..])),
                    ("priv", url(&elements(&inner)[0].1)),
                ]
            }
            Algorithm::HmacSha256 => unreachable!("a secret has no pair"),
        };
        private.push(("JWK", json(&jwk)));
        let halves: Vec<_> = jwk.iter().filter(|(name, _)| is_public(name)).cloned().collect();
        public.push(("JWK", json(&halves)));
        Self { private, public, jwk }
    }
}

pub(crate) fn is_public(name: &str) -> bool {
    ["kty", "crv", "alg", "n", "e", "x", "y", "pub"].contains(&name)
}

pub(crate) fn json(members: &[(&'static str, String)]) -> Vec<u8> {
    let members: Vec<_> = members.iter().map(|(name, value)| format!("{name:?}: {value:?}")).collect();
    format!("{{{}}}\n", members.join(", ")).into_bytes()
}

pub(crate) fn armour(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}

/// What stands in the armour.
pub(crate) fn body(pem: &str) -> Vec<u8> {
    STANDARD.decode(pem.lines().filter(|line| !line.starts_with("---")).collect::<String>()).unwrap()
}

pub(crate) fn url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Tag and content of one element after the other.
pub(crate) fn elements(mut der: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut out = Vec::new();
    while let [tag, first, rest @ ..] = der {
        let more = usize::from(first.saturating_sub(0x80));
        let length =
            if more == 0 { usize::from(*first) } else { rest[..more].iter().fold(0, |n, b| n << 8 | usize::from(*b)) };
        out.push((*tag, rest[more..more + length].to_vec()));
        der = &rest[more + length..];
    }
    out
}
