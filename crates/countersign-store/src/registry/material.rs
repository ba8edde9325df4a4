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

/// The name of the specification's key whose material this is.
pub(super) fn public_test_key(material: &Material) -> Option<&'static str> {
    let fingerprint = material.fingerprint();
    let hex: String = fingerprint.iter().map(|byte| format!("{byte:02x}")).collect();
    TEST_KEYS.iter().find(|(hash, _)| *hash == hex).map(|(_, name)| *name)
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

/// Keys whose private halves are printed in specifications, by [`Material::fingerprint`].
const TEST_KEYS: &[(&str, &str)] = &[
    ("c73eecd318bd3813f2402a660d8a90010ca35d609d19377d5ee7af200713229f", "test-key-rsa of RFC 9421"),
    ("72859cbaf21a0b398b1f25712bbed148b1d85a0c6b824176eb306405caa6f0b2", "test-key-rsa-pss of RFC 9421"),
    ("55f96361b78cbb84f1fc604b0718e82bd91abb46d8fc25ae871b35fbbf8b7974", "test-key-ecc-p256 of RFC 9421"),
    ("34571606cb7a0d71be377e671ddcccae2a169ed7733598214129231cd30c4a3c", "test-key-ed25519 of RFC 9421"),
    ("57ca14d520f889be5bc6d9313b442f62a4a71d63fceac507c914683a8944b4a0", "test-shared-secret of RFC 9421"),
    ("89688c7f424385267587839435be813b8958f337cc6e23f773dc5035d19305fe", "test-shared-secret of RFC 9421 in Base64"),
    ("d7a46c86b4572dd32cb6662d651331959c3782c05b3a7eddf2b787bd545ef53e", "ml-dsa-44 of C2SP httpsig-pq"),
    ("9cd1cc868e3e3c97e9c1d43552abe47ee16838701e52b0f6946b04a2734f4732", "ml-dsa-65 of C2SP httpsig-pq"),
    ("fcf5805bcc363b0861d89531431e066eee7ce240e2a591f7cc3d10780ae2cc46", "ml-dsa-87 of C2SP httpsig-pq"),
];
