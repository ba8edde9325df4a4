//! The crate that reads user tokens, judged by what Wycheproof knows of attacks on signatures, set up as `TokenKeys` does it: the key
//! and its algorithm are ours, the token has no say.

mod support {
    pub mod published;
}

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::Value;
use wycheproof::{TestResult, eddsa, rsa_pkcs1_verify};

/// How many are valid and invalid; any that is judged otherwise fails.
#[derive(Debug, Default, PartialEq, Eq)]
struct Score {
    valid: usize,
    invalid: usize,
}

impl Score {
    fn add(&mut self, holds: bool, expected: bool, case: impl std::fmt::Display) {
        assert_eq!(holds, expected, "{case}");
        *if expected { &mut self.valid } else { &mut self.invalid } += 1;
    }
}

fn holds(key: &DecodingKey, algorithm: Algorithm, signed: &[u8], signature: &str) -> bool {
    jsonwebtoken::crypto::verify(signature, signed, key, algorithm).unwrap_or(false)
}

#[test]
fn rs256() {
    let mut score = Score::default();
    for group in rsa_pkcs1_verify::TestSet::load(rsa_pkcs1_verify::TestName::Rsa2048Sha256).unwrap().test_groups {
        let key = DecodingKey::from_rsa_der(&group.asn_key);
        for test in group.tests {
            let holds = holds(&key, Algorithm::RS256, &test.msg, &URL_SAFE_NO_PAD.encode(&test.sig));
            score.add(holds, test.result == TestResult::Valid, test.tc_id);
        }
    }
    assert_eq!(score, Score { valid: 9, invalid: 250 });
}

#[test]
fn eddsa() {
    let mut score = Score::default();
    for group in eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap().test_groups {
        let key = DecodingKey::from_ed_der(&group.key.pk);
        for test in group.tests {
            let holds = holds(&key, Algorithm::EdDSA, &test.msg, &URL_SAFE_NO_PAD.encode(&test.sig));
            score.add(holds, test.result == TestResult::Valid, test.tc_id);
        }
    }
    assert!(score.valid > 80 && score.invalid > 50, "{score:?}");
}

/// Whole tokens, their heads included. Of the algorithms there only RS256 is one of ours.
#[test]
fn published_tokens() {
    let Some(file) = support::published::published("wycheproof/testvectors_v1/json_web_signature_test.json") else {
        return;
    };
    let file: Value = serde_json::from_str(&file).unwrap();
    let mut score = Score::default();
    for group in file["testGroups"].as_array().unwrap() {
        let public = &group["public"];
        if public["alg"] != "RS256" {
            continue;
        }
        let number = |name: &str| public[name].as_str().unwrap().to_owned();
        let key = DecodingKey::from_rsa_components(&number("n"), &number("e")).unwrap();
        for test in group["tests"].as_array().unwrap() {
            let parts: Vec<_> = test["jws"].as_str().unwrap().split('.').collect();
            let holds = match parts[..] {
                [head, body, signature] => {
                    let head = URL_SAFE_NO_PAD.decode(head).unwrap_or_default();
                    let head: Value = serde_json::from_slice(&head).unwrap_or_default();
                    let signed = [parts[0], body].join(".");
                    head["alg"] == "RS256" && holds(&key, Algorithm::RS256, signed.as_bytes(), signature)
                }
                _ => false,
            };
            score.add(holds, test["result"] == "valid", &test["tcId"]);
        }
    }
    assert!(score.valid > 0 && score.invalid > 200, "{score:?}");
}
