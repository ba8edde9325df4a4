use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{self, ECDH_P256, UnparsedPublicKey};
use aws_lc_rs::encoding::{AsBigEndian, AsDer, EcPrivateKeyBin, EcPublicKeyUncompressedBin, Pkcs8V1Der};
use aws_lc_rs::key_wrap::{AES_256, AesKek, KeyWrap};
use aws_lc_rs::rsa::{
    OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, OaepPublicEncryptingKey, PrivateDecryptingKey,
    PublicEncryptingKey,
};
use zeroize::Zeroizing;

use super::{Secret, sha256};

/// A content key, or one that wraps such.
pub(crate) type Key256 = Zeroizing<[u8; 32]>;

/// The half of a recipient's key that opens.
pub(crate) enum Unwrapping {
    Rsa(OaepPrivateDecryptingKey),
    P256(agreement::PrivateKey),
}

impl Unwrapping {
    /// `None` for a kind of key that nothing is sealed for.
    pub(crate) fn of(secret: &Secret) -> Option<Self> {
        match secret {
            Secret::Rsa(pair) => {
                let der: Pkcs8V1Der<'_> = pair.as_der().ok()?;
                let key = PrivateDecryptingKey::from_pkcs8(der.as_ref()).ok()?;
                Some(Self::Rsa(OaepPrivateDecryptingKey::new(key).ok()?))
            }
            Secret::P256(pair) => {
                let scalar: EcPrivateKeyBin<'_> = pair.private_key().as_be_bytes().ok()?;
                agreement::PrivateKey::from_private_key(&ECDH_P256, scalar.as_ref()).ok().map(Self::P256)
            }
            _ => None,
        }
    }

    /// RSAES-OAEP with SHA-256 in both places (RFC 8017 §7.1.2). The padding is judged in constant time by the provider.
    pub(crate) fn rsa_oaep(&self, encrypted: &[u8]) -> Option<Key256> {
        let mut room = Zeroizing::new(Vec::new());
        key_of(self.rsa_oaep_into(encrypted, &mut room)?)
    }

    /// Whatever was encrypted, at the beginning of `room`.
    pub(crate) fn rsa_oaep_into<'r>(&self, encrypted: &[u8], room: &'r mut Vec<u8>) -> Option<&'r [u8]> {
        let Self::Rsa(key) = self else { return None };
        room.resize(key.min_output_size(), 0);
        key.decrypt(&OAEP_SHA256_MGF1SHA256, encrypted, room, None).ok().map(|text| &*text)
    }

    /// What both sides of an ECDH on P-256 know; `None` for a point that is not on the curve.
    pub(crate) fn agree(&self, point: &[u8]) -> Option<Key256> {
        let Self::P256(key) = self else { return None };
        agree(key, point)
    }
}

/// The half of a recipient's key that seals, in the form that its algorithm takes it.
pub(crate) enum Wrapping {
    Rsa(OaepPublicEncryptingKey),
    /// The uncompressed point.
    P256(Vec<u8>),
}

impl Wrapping {
    /// From a SubjectPublicKeyInfo of RSA.
    pub(crate) fn rsa(spki: &[u8]) -> Option<Self> {
        let key = PublicEncryptingKey::from_der(spki).ok()?;
        OaepPublicEncryptingKey::new(key).map(Self::Rsa).ok()
    }

    pub(crate) fn rsa_oaep(&self, content_key: &Key256) -> Option<Vec<u8>> {
        let Self::Rsa(key) = self else { return None };
        let mut out = vec![0; key.ciphertext_size()];
        let length = key.encrypt(&OAEP_SHA256_MGF1SHA256, content_key.as_slice(), &mut out, None).ok()?.len();
        out.truncate(length);
        Some(out)
    }

    /// A new pair on P-256: its point, and what both sides know.
    pub(crate) fn agree(&self) -> Option<(Vec<u8>, Key256)> {
        let Self::P256(point) = self else { return None };
        let own = agreement::PrivateKey::generate(&ECDH_P256).ok()?;
        let public: EcPublicKeyUncompressedBin<'_> = own.compute_public_key().ok()?.as_be_bytes().ok()?;
        Some((public.as_ref().to_vec(), agree(&own, point)?))
    }
}

fn agree(own: &agreement::PrivateKey, point: &[u8]) -> Option<Key256> {
    agreement::agree(own, UnparsedPublicKey::new(&ECDH_P256, point), (), |shared| key_of(shared).ok_or(())).ok()
}

/// The key that wraps content keys: the one round of the Concat KDF that 256 bits take (RFC 7518 §4.6.2).
pub(crate) fn concat_kdf(shared: &Key256, algorithm: &str, apu: &[u8], apv: &[u8]) -> Key256 {
    let mut input = Zeroizing::new(vec![0, 0, 0, 1]);
    input.extend_from_slice(shared.as_slice());
    for part in [algorithm.as_bytes(), apu, apv] {
        input.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        input.extend_from_slice(part);
    }
    input.extend_from_slice(&256_u32.to_be_bytes());
    Zeroizing::new(sha256(&input))
}

/// AES key wrap, RFC 3394.
pub(crate) fn wrap(with: &Key256, content_key: &Key256) -> Option<Vec<u8>> {
    let mut out = [0; WRAPPED];
    let wrapped = AesKek::new(&AES_256, with.as_slice()).ok()?.wrap(content_key.as_slice(), &mut out).ok()?;
    Some(wrapped.to_vec())
}

pub(crate) fn unwrap(with: &Key256, wrapped: &[u8]) -> Option<Key256> {
    let mut out = Zeroizing::new([0; WRAPPED]);
    let key = AesKek::new(&AES_256, with.as_slice()).ok()?.unwrap(wrapped, out.as_mut_slice()).ok()?;
    key_of(key)
}

/// AES-256-GCM: turns `text` into ciphertext, and gives the tag.
pub(crate) fn encrypt(key: &Key256, iv: [u8; 12], aad: &[u8], text: &mut [u8]) -> Option<[u8; 16]> {
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key.as_slice()).ok()?);
    let tag = key.seal_in_place_separate_tag(Nonce::assume_unique_for_key(iv), Aad::from(aad), text).ok()?;
    tag.as_ref().try_into().ok()
}

/// The reverse, over ciphertext and tag, one behind the other.
pub(crate) fn decrypt<'t>(key: &Key256, iv: [u8; 12], aad: &[u8], sealed: &'t mut [u8]) -> Option<&'t [u8]> {
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key.as_slice()).ok()?);
    key.open_in_place(Nonce::assume_unique_for_key(iv), Aad::from(aad), sealed).ok().map(|text| &*text)
}

fn key_of(bytes: &[u8]) -> Option<Key256> {
    <[u8; 32]>::try_from(bytes).ok().map(Zeroizing::new)
}

/// 32 bytes, wrapped.
const WRAPPED: usize = 40;
