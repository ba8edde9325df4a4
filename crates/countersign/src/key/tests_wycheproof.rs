//! The vectors of project Wycheproof, for every algorithm: through the key as the registry loads it, and the check as every
//! message meets it. Each test says how many cases there are, and names those that we judge otherwise, and why.

use wycheproof::{HashFunction, TestResult, ecdsa, eddsa, mac, mldsa_verify, rsa_pkcs1_verify, rsa_pss_verify};

use super::*;

/// One signature under one key.
struct Case<'a> {
    key: &'a Result<VerifyingKey, InvalidKey>,
    id: usize,
    signed: &'a [u8],
    signature: &'a [u8],
    expected: TestResult,
}

/// What came of the cases of a file.
#[derive(Debug, Default, PartialEq, Eq)]
struct Score {
    valid: usize,
    invalid: usize,
    /// Cases that we judge otherwise, by their ids: valid ones that we refuse, …
    refused: Vec<usize>,
    /// … and invalid ones that we accept.
    accepted: Vec<usize>,
}

impl Score {
    fn add(&mut self, case: &Case<'_>) {
        let holds =
            case.key.as_ref().is_ok_and(|key| key.check(&HashedOnce::new(case.signed.to_vec()), case.signature));
        match case.expected {
            TestResult::Valid => {
                self.valid += 1;
                if !holds {
                    self.refused.push(case.id);
                }
            }
            // "Acceptable" is what a lenient verifier takes. Nothing here is lenient.
            TestResult::Invalid | TestResult::Acceptable => {
                self.invalid += 1;
                if holds {
                    self.accepted.push(case.id);
                }
            }
        }
    }
}

fn key(algorithm: Algorithm, material: Material) -> Result<VerifyingKey, InvalidKey> {
    let scheme = if algorithm == Algorithm::RsaPssSha256 { Scheme::Pki } else { Scheme::HttpMessageSignatures };
    VerifyingKey::new(KeyRecord {
        partner: "wycheproof".to_owned(),
        partner_active: true,
        id: "key".to_owned(),
        version: 1,
        scheme,
        algorithm,
        state: KeyState::Active,
        not_before: None,
        not_after: None,
        form: None,
        material,
    })
}

/// A test set of theirs, its keys in DER, and of its groups those that are of the algorithm.
macro_rules! score {
    ($set:ident, $name:ident, $algorithm:expr, $filter:expr) => {{
        let mut score = Score::default();
        let set = $set::TestSet::load($set::TestName::$name).unwrap();
        for group in set.test_groups.iter().filter($filter) {
            let key = key($algorithm, Material::Public(group.der.to_vec()));
            for test in &group.tests {
                score.add(&Case {
                    key: &key,
                    id: test.tc_id,
                    signed: &test.msg,
                    signature: &test.sig,
                    expected: test.result,
                });
            }
        }
        score
    }};
    ($set:ident, $name:ident, $algorithm:expr) => {
        score!($set, $name, $algorithm, |_| true)
    };
}

fn clean(valid: usize, invalid: usize) -> Score {
    Score { valid, invalid, ..Score::default() }
}

#[test]
fn ed25519() {
    assert_eq!(score!(eddsa, Ed25519, Algorithm::Ed25519), clean(88, 63));
}

#[test]
fn ecdsa_p256() {
    assert_eq!(score!(ecdsa, EcdsaSecp256r1Sha256P1363, Algorithm::EcdsaP256Sha256), clean(173, 89));
}

#[test]
fn ecdsa_p384() {
    assert_eq!(score!(ecdsa, EcdsaSecp384r1Sha384P1363, Algorithm::EcdsaP384Sha384), clean(193, 87));
}

#[test]
fn ecdsa_in_der_where_r_and_s_belong() {
    let p256 = score!(ecdsa, EcdsaSecp256r1Sha256, Algorithm::EcdsaP256Sha256);
    assert_eq!((p256.valid, p256.refused.len(), p256.accepted.len()), (174, 174, 0));
    let p384 = score!(ecdsa, EcdsaSecp384r1Sha384, Algorithm::EcdsaP384Sha384);
    assert_eq!((p384.valid, p384.refused.len(), p384.accepted.len()), (194, 194, 0));
}

#[test]
fn rsa_pkcs1() {
    let algorithm = Algorithm::RsaV15Sha256;
    assert_eq!(score!(rsa_pkcs1_verify, Rsa2048Sha256, algorithm), clean(9, 250));
    assert_eq!(score!(rsa_pkcs1_verify, Rsa3072Sha256, algorithm), clean(8, 251));
    assert_eq!(score!(rsa_pkcs1_verify, Rsa4096Sha256, algorithm), clean(7, 251));
    assert_eq!(score!(rsa_pkcs1_verify, Rsa8192Sha256, algorithm), clean(7, 251));
}

#[test]
fn rsa_pss_sha512() {
    let algorithm = Algorithm::RsaPssSha512;
    assert_eq!(score!(rsa_pss_verify, RsaPss4096Sha512Mgf1SaltLen64, algorithm), clean(132, 47));
    // RFC 9421 §3.3.1 wants a salt of 64 bytes: what is valid with another length is refused.
    let shorter = score!(rsa_pss_verify, RsaPss4096Sha512Mgf1SaltLen32, algorithm);
    assert_eq!((shorter.valid, shorter.refused.len()), (132, 132));
    assert_eq!((shorter.invalid, shorter.accepted.len()), (45, 0));
    let misc = |hash, salt| {
        score!(rsa_pss_verify, RsaPssmisc, algorithm, |group| group.hash == hash
            && group.mgf_hash == Some(hash)
            && group.salt_size == salt)
    };
    assert_eq!(misc(HashFunction::Sha2_512, 64), clean(1, 0));
    for (hash, salt) in [(HashFunction::Sha2_512, 0), (HashFunction::Sha2_512, 48), (HashFunction::Sha2_384, 64)] {
        assert_eq!((misc(hash, salt).valid, misc(hash, salt).refused.len()), (1, 1));
    }
}

#[test]
fn rsa_pss_sha256_with_the_four_salts_of_pki() {
    let algorithm = Algorithm::RsaPssSha256;
    // A file is for one salt length. We accept four, so what is invalid there for its length alone is valid here: salts of 0
    // and 20 bytes and of the most that there is room for (and of 32 in the file for 0). Lengths 1, 31 and 33 stay invalid.
    let with = |valid, invalid, accepted: &[usize]| Score { accepted: accepted.to_vec(), ..clean(valid, invalid) };
    assert_eq!(score!(rsa_pss_verify, RsaPss2048Sha256Mgf1SaltLen32, algorithm), with(63, 45, &[67, 69, 72]));
    assert_eq!(score!(rsa_pss_verify, RsaPss3072Sha256Mgf1SaltLen32, algorithm), with(63, 45, &[67, 69, 72]));
    assert_eq!(score!(rsa_pss_verify, RsaPss4096Sha256Mgf1SaltLen32, algorithm), with(63, 45, &[67, 69, 72]));
    assert_eq!(score!(rsa_pss_verify, RsaPss2048Sha256Mgf1SaltLen0, algorithm), with(61, 42, &[68, 69, 70]));
    let misc = |salt| {
        score!(rsa_pss_verify, RsaPssmisc, algorithm, |group| group.hash == HashFunction::Sha2_256
            && group.mgf_hash == Some(HashFunction::Sha2_256)
            && group.salt_size == salt)
    };
    for salt in [0, 20, 32] {
        assert_eq!(misc(salt), clean(1, 0), "{salt}");
    }
    for salt in [28, 48, 64] {
        assert_eq!((misc(salt).valid, misc(salt).refused.len()), (1, 1), "{salt}");
    }
    // MGF1 with SHA-1, as OpenSSL's command line has it where nobody says otherwise: all refused.
    let sha1 = score!(rsa_pss_verify, RsaPss2048Sha256Mgf1Sha1_20, algorithm);
    assert_eq!((sha1.valid, sha1.refused.len(), sha1.accepted.len()), (63, 63, 0));
}

#[test]
fn hmac_sha256() {
    let mut whole = Score::default();
    let mut cut = Score::default();
    let set = mac::TestSet::load(mac::TestName::HmacSha256).unwrap();
    for group in &set.test_groups {
        for test in &group.tests {
            let key = key(Algorithm::HmacSha256, Material::Shared(SharedSecret::new(test.key.to_vec())));
            let case =
                Case { key: &key, id: test.tc_id, signed: &test.msg, signature: &test.tag, expected: test.result };
            if group.tag_size == 256 { &mut whole } else { &mut cut }.add(&case);
        }
    }
    assert_eq!(whole, clean(33, 54));
    // RFC 9421 §3.3.3 has the whole MAC: a tag of 16 bytes is none, however good they are.
    assert_eq!((cut.valid, cut.refused.len(), cut.invalid, cut.accepted.len()), (33, 33, 54, 0));
}

#[test]
fn ml_dsa() {
    for (algorithm, name, plain, with_context, invalid) in [
        (Algorithm::MlDsa44, mldsa_verify::TestName::MlDsa44Verify, 75, 2, 103),
        (Algorithm::MlDsa65, mldsa_verify::TestName::MlDsa65Verify, 77, 2, 131),
        (Algorithm::MlDsa87, mldsa_verify::TestName::MlDsa87Verify, 69, 2, 170),
    ] {
        let mut ours = Score::default();
        let mut other = Score::default();
        let set = mldsa_verify::TestSet::load(name).unwrap();
        for group in &set.test_groups {
            let key = key(algorithm, Material::Public(group.der.to_vec()));
            for test in &group.tests {
                let case =
                    Case { key: &key, id: test.tc_id, signed: &test.msg, signature: &test.sig, expected: test.result };
                let context = test.ctx.as_ref().is_some_and(|context| !context.is_empty());
                if context && !test.result.must_fail() { &mut other } else { &mut ours }.add(&case);
            }
        }
        assert_eq!(ours, clean(plain, invalid), "{algorithm}");
        // C2SP httpsig-pq has the empty context, and a signature made under another is none.
        assert_eq!((other.valid, other.refused.len()), (with_context, with_context), "{algorithm}");
    }
}

#[test]
fn keys_that_are_none() {
    // Not keys of ours at all: too short, too long, for another algorithm.
    let set = mldsa_verify::TestSet::load(mldsa_verify::TestName::MlDsa44Verify).unwrap();
    let wrong = set.test_groups.iter().filter(|group| group.pubkey.len() != 1312);
    let wrong: Vec<_> = wrong.map(|group| key(Algorithm::MlDsa44, Material::Public(group.der.to_vec()))).collect();
    assert!(wrong.len() >= 2 && wrong.iter().all(Result::is_err), "{wrong:?}");
    let set = ecdsa::TestSet::load(ecdsa::TestName::EcdsaSecp256k1Sha256P1363).unwrap();
    for group in &set.test_groups {
        let fault = key(Algorithm::EcdsaP256Sha256, Material::Public(group.der.to_vec())).unwrap_err();
        assert!(fault.to_string().starts_with("found a secp256k1 public key"), "{fault}");
    }
    assert!(set.test_groups.len() > 50);
}
