use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rsa;
use countersign::{Algorithm, Material};

use super::Refused;

/// The material of a key that was found good, in the one form under which it is compared. "The same key" is judged by
/// bytes, here and in the replay memory, so a key that could be written in two ways (a compressed point, another name
/// for RSA) must not be.
pub(super) fn canonical(algorithm: Algorithm, material: Material) -> Result<Material, Refused> {
    let spki = match material {
        // RFC 2104 §2 pads a key with zeros: with and without it is the same key.
        Material::Shared(secret) if secret.expose().last() == Some(&0) => return Err(Refused::SecretEndsInNul),
        Material::Shared(_) => return Ok(material),
        Material::Public(spki) => spki,
    };
    let usual = |prefix: &[u8], length: usize| spki.len() == length && spki.starts_with(prefix);
    let fine = match algorithm {
        Algorithm::Ed25519 => usual(&ED25519, 44),
        Algorithm::EcdsaP256Sha256 => usual(&P256, 91),
        Algorithm::EcdsaP384Sha384 => usual(&P384, 120),
        Algorithm::MlDsa44 => usual(&ml_dsa([0x05, 0x32], 0x11, [0x05, 0x21]), 22 + 1312),
        Algorithm::MlDsa65 => usual(&ml_dsa([0x07, 0xb2], 0x12, [0x07, 0xa1]), 22 + 1952),
        Algorithm::MlDsa87 => usual(&ml_dsa([0x0a, 0x32], 0x13, [0x0a, 0x21]), 22 + 2592),
        Algorithm::RsaPssSha512 | Algorithm::RsaV15Sha256 | Algorithm::RsaPssSha256 => {
            return rsa_spki(&spki).map(Material::Public).ok_or(Refused::UnusualForm);
        }
        // A public key for a MAC: the key itself says why not.
        Algorithm::HmacSha256 => true,
    };
    if fine { Ok(Material::Public(spki)) } else { Err(Refused::UnusualForm) }
}

/// An RSA key in whatever form it came, as SubjectPublicKeyInfo; anything else as it is.
pub(super) fn usual_rsa(algorithm: Algorithm, material: Material) -> Material {
    match (&material, algorithm) {
        (Material::Public(der), Algorithm::RsaPssSha512 | Algorithm::RsaV15Sha256 | Algorithm::RsaPssSha256) => {
            rsa_spki(der).map_or(material, Material::Public)
        }
        _ => material,
    }
}

/// RFC 8017 §A.1 names RSA keys in several ways; this is what a fresh encoding of the same modulus and exponent says.
fn rsa_spki(spki: &[u8]) -> Option<Vec<u8>> {
    let key = rsa::PublicKey::from_der(spki).ok()?;
    let der: PublicKeyX509Der<'_> = key.as_der().ok()?;
    Some(der.as_ref().to_vec())
}

/// RFC 8410 §4.
const ED25519: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// RFC 5480 §2, to the 04 of an uncompressed point.
const P256: [u8; 27] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
];
/// The same for P-384.
const P384: [u8; 24] = [
    0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00,
    0x22, 0x03, 0x62, 0x00, 0x04,
];

/// RFC 9881 §4: lengths of the whole and of the key, and the last byte of the OID.
const fn ml_dsa(whole: [u8; 2], set: u8, key: [u8; 2]) -> [u8; 22] {
    [
        0x30, 0x82, whole[0], whole[1], 0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, set,
        0x03, 0x82, key[0], key[1], 0x00,
    ]
}
