//! The vectors of project Wycheproof for all that a sealed field is made of. It has none for JWE in the forms that we take: how
//! these parts are put together, the other tests here attack.

use ::wycheproof::{HashFunction, TestResult, aead, ecdh, keywrap, rsa_oaep};
use aws_lc_rs::agreement::{ECDH_P256, PrivateKey};

use super::forgery::Forgery;
use super::*;
use crate::primitive::{Unwrapping, decrypt, encrypt, unwrap, wrap};

/// How many cases are valid and invalid, and those that we judge otherwise.
#[derive(Debug, Default, PartialEq, Eq)]
struct Score {
    valid: usize,
    invalid: usize,
    otherwise: Vec<usize>,
}

impl Score {
    fn add(&mut self, id: usize, expected: bool, held: bool) {
        *(if expected { &mut self.valid } else { &mut self.invalid }) += 1;
        if expected != held {
            self.otherwise.push(id);
        }
    }
}

fn clean(valid: usize, invalid: usize) -> Score {
    Score { valid, invalid, otherwise: Vec::new() }
}

/// A file of OAEP, each case by the primitive alone, and as what wraps the content key of a sealed field.
fn oaep(name: rsa_oaep::TestName) -> Score {
    let mut score = Score::default();
    for group in rsa_oaep::TestSet::load(name).unwrap().test_groups {
        // Keys below 2048 bits open nothing here.
        let Ok(key) = OpeningKey::from_file(&group.pkcs8) else {
            assert!(group.key_size < 2048, "{}", group.key_size);
            continue;
        };
        let ours = group.hash == HashFunction::Sha2_256 && group.mgf_hash == HashFunction::Sha2_256;
        let openers = Openers::new([OpeningKey::from_file(&group.pkcs8).unwrap()]);
        for test in group.tests {
            // JWE has no label (RFC 7518 §4.3): what was encrypted with one is nothing to us.
            let expected = test.result == TestResult::Valid && ours && test.label.is_empty();
            let mut room = Vec::new();
            let text = key.unwrapping.rsa_oaep_into(&test.ct, &mut room);
            score.add(test.tc_id, expected, text == Some(&test.pt[..]));
            let sealed = Forgery::new(&key).wrapped(test.ct.to_vec()).document();
            assert_refused(open(&openers, &sealed, &["/n"], "acme"), "/n");
        }
    }
    score
}

#[test]
fn rsa_oaep_with_sha_256_in_both_places() {
    use rsa_oaep::TestName::{Rsa2048Sha256Mgf1Sha256, Rsa3072Sha256Mgf1Sha256, Rsa4096Sha256Mgf1Sha256};
    assert_eq!(oaep(Rsa2048Sha256Mgf1Sha256), clean(10, 27));
    assert_eq!(oaep(Rsa3072Sha256Mgf1Sha256), clean(10, 27));
    assert_eq!(oaep(Rsa4096Sha256Mgf1Sha256), clean(10, 27));
}

#[test]
fn rsa_oaep_with_any_other_hash_is_refused() {
    use rsa_oaep::TestName::{Rsa2048Sha1Mgf1Sha1, Rsa2048Sha256Mgf1Sha1, Rsa2048Sha512Mgf1Sha512, RsaMisc};
    assert_eq!(oaep(Rsa2048Sha1Mgf1Sha1), clean(0, 36));
    assert_eq!(oaep(Rsa2048Sha256Mgf1Sha1), clean(0, 31));
    assert_eq!(oaep(Rsa2048Sha512Mgf1Sha512), clean(0, 33));
    // Of many hashes, ours among them.
    assert_eq!(oaep(RsaMisc), clean(12, 263));
}

#[test]
fn aes_256_gcm() {
    let mut score = Score::default();
    for group in aead::TestSet::load(aead::TestName::AesGcm).unwrap().test_groups {
        for test in group.tests.iter().filter(|_| group.key_size == 256) {
            let key = Key256::new(test.key[..].try_into().unwrap());
            let mut body = [&test.ct[..], &test.tag[..]].concat();
            // Other lengths can't be written down: they are refused where a field is read.
            let Ok(iv) = <[u8; 12]>::try_from(&test.nonce[..]) else {
                assert_ne!(group.nonce_size, 96);
                continue;
            };
            let expected = test.result == TestResult::Valid;
            score.add(test.tc_id, expected, decrypt(&key, iv, &test.aad, &mut body) == Some(&test.pt[..]));
            if expected {
                let mut text = test.pt.to_vec();
                let tag = encrypt(&key, iv, &test.aad, &mut text).unwrap();
                assert_eq!((&text[..], &tag[..]), (&test.ct[..], &test.tag[..]), "{}", test.tc_id);
            }
        }
    }
    assert_eq!(score, clean(39, 27));
}

#[test]
fn aes_256_key_wrap() {
    let mut score = Score::default();
    for group in keywrap::TestSet::load(keywrap::TestName::AesKeyWrap).unwrap().test_groups {
        for test in group.tests.iter().filter(|_| group.key_size == 256) {
            let with = Key256::new(test.key[..].try_into().unwrap());
            // Content keys have 32 bytes here: what wraps others is refused.
            let expected = test.result == TestResult::Valid && test.pt.len() == 32;
            score.add(test.tc_id, expected, unwrap(&with, &test.ct).is_some_and(|key| key[..] == test.pt[..]));
            if expected {
                let content_key = Key256::new(test.pt[..].try_into().unwrap());
                assert_eq!(wrap(&with, &content_key).unwrap(), test.ct[..]);
            }
        }
    }
    assert_eq!(score, clean(4, 64));
}

#[test]
fn ecdh_on_p_256() {
    let mut score = Score::default();
    for group in ecdh::TestSet::load(ecdh::TestName::EcdhSecp256r1Ecpoint).unwrap().test_groups {
        for test in group.tests {
            let scalar = &test.private_key[test.private_key.len().saturating_sub(32)..];
            let scalar = [&vec![0; 32 - scalar.len()][..], scalar].concat();
            let key = Unwrapping::P256(PrivateKey::from_private_key(&ECDH_P256, &scalar).unwrap());
            // An `epk` has both coordinates (RFC 7518 §6.2.1): a compressed point can't be written down.
            let expected = test.result == TestResult::Valid && test.public_key.len() == 65;
            let point = Some(&test.public_key[..]).filter(|point| point.len() == 65);
            let agreed = point.and_then(|point| key.agree(point));
            score.add(test.tc_id, expected, agreed.is_some_and(|shared| shared[..] == test.shared_secret[..]));
        }
    }
    assert_eq!(score, clean(330, 25));
}
