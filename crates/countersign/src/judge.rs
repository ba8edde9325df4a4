use std::sync::Arc;

use crate::algorithm::{Algorithm, Scheme};
use crate::key::{Keys, VerifyingKey};
use crate::policy::Policy;
use crate::rejection::{Code, Rejection};
use crate::time::Timestamp;

/// What every scheme boils down to: what a message says of its signature. A scheme is a codec; time, coverage, key choice
/// and errors are judged here, once for all.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub(crate) scheme: Scheme,
    pub(crate) signer: String,
    pub(crate) algorithm: Claimed,
    pub(crate) created: Option<Timestamp>,
    pub(crate) expires: Option<Timestamp>,
    pub(crate) nonce: Option<Vec<u8>>,
    /// What the route demands and the signature does not cover, in words.
    pub(crate) missing: Option<String>,
    /// Whether age is judged at all; not so on a `pki` route that says `replay = "unprotected"`.
    pub(crate) timed: bool,
}

/// The algorithm that a message names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claimed {
    /// None: the key's.
    Absent,
    /// One that we know.
    Known(Algorithm),
    /// One that no key of ours is for.
    Unknown,
}

/// Finds the key whose signature this is, in the order in which faults are told: signer known, time, coverage, key usable,
/// algorithm, signature, partner admitted.
pub(crate) fn judge(
    facts: &Facts,
    signed: &[u8],
    signature: &[u8],
    keys: &Keys,
    policy: &Policy,
    now: Timestamp,
) -> Result<Arc<VerifyingKey>, Rejection> {
    judge_form(facts, signature, keys, policy, now, |_| Some(signed))
}

/// As [`judge`], where the key says what was signed: `signed` gives the bytes in the form of a key, none where the message is
/// not in that form, and for nobody's key those that a decoy is checked with.
pub(crate) fn judge_form<'a>(
    facts: &Facts,
    signature: &[u8],
    keys: &Keys,
    policy: &Policy,
    now: Timestamp,
    signed: impl Fn(Option<&VerifyingKey>) -> Option<&'a [u8]>,
) -> Result<Arc<VerifyingKey>, Rejection> {
    find(facts, signature, keys, policy, now, signed).map_err(|rejection| facts.blame(rejection))
}

fn find<'a>(
    facts: &Facts,
    signature: &[u8],
    keys: &Keys,
    policy: &Policy,
    now: Timestamp,
    signed: impl Fn(Option<&VerifyingKey>) -> Option<&'a [u8]>,
) -> Result<Arc<VerifyingKey>, Rejection> {
    let versions = keys.versions(facts.scheme, &facts.signer);
    // What only a known key can have costs what a bad signature costs, so that the time of an answer says no more than it.
    let spend = || keys.check_decoy(decoy_algorithm(facts, signature), signed(None).unwrap_or_default(), signature);
    // A message that names no key says less than is demanded of it, which is told in its place.
    let named = !(facts.scheme == Scheme::HttpMessageSignatures && facts.signer.is_empty());
    if versions.is_empty() && named {
        spend();
        return Err(Rejection::new(Code::UnknownSigner, "no key is known under this id and scheme"));
    }
    facts.check_time(policy, now)?;
    if let Some(missing) = &facts.missing {
        return Err(Rejection::new(Code::CoverageTooSmall, format!("the signature does not cover {missing}")));
    }
    if !named || (facts.timed && facts.created.is_none()) {
        return Err(Rejection::new(Code::CoverageTooSmall, "the signature does not say who made it, or when"));
    }
    let usable = || versions.iter().filter(|key| key.usable(now)).take(Keys::MAX_VERSIONS);
    if usable().next().is_none() {
        spend();
        return Err(Rejection::new(Code::KeyNotUsable, why_not_usable(versions, now)));
    }
    let admitted = &policy.demands.http_message_signatures.algorithms;
    let admitted = |algorithm| {
        facts.scheme != Scheme::HttpMessageSignatures || admitted.is_empty() || admitted.contains(&algorithm)
    };
    let of_algorithm = || {
        usable().filter(|key| {
            let algorithm = key.record().algorithm;
            admitted(algorithm)
                && (facts.algorithm == Claimed::Absent || facts.algorithm == Claimed::Known(algorithm))
                && signed(Some(key)).is_some()
        })
    };
    if of_algorithm().next().is_none() {
        spend();
        return Err(Rejection::new(
            Code::AlgorithmMismatch,
            "the key is for another algorithm or form than the message has or the route admits",
        ));
    }
    let key = of_algorithm()
        .find(|key| signed(Some(key)).is_some_and(|signed| key.check(signed, signature)))
        .ok_or_else(|| Rejection::new(Code::BadSignature, "the signature does not hold under the key"))?;
    let partners = &policy.demands.partners;
    if !partners.is_empty() && !partners.contains(&key.record().partner) {
        return Err(Rejection::new(Code::PartnerNotAllowed, "the signer's partner is not admitted on this route"));
    }
    Ok(Arc::clone(key))
}

impl Facts {
    /// Says in a rejection whose message it claims to be.
    pub(crate) fn blame(&self, rejection: Rejection) -> Rejection {
        rejection.of(self.scheme, &self.signer)
    }

    /// Age and expiry at `now`.
    pub(crate) fn check_time(&self, policy: &Policy, now: Timestamp) -> Result<(), Rejection> {
        if !self.timed {
            return Ok(());
        }
        // Where there is none, coverage is too small, which is told later.
        if let Some(created) = self.created {
            if created > now.after(policy.max_skew(self.scheme)) {
                return Err(Rejection::new(
                    Code::NotYetValid,
                    format!("signed at {created}, and it is {now}: compare the clocks"),
                ));
            }
            if created.after(policy.max_age_of(created)) < now {
                return Err(Rejection::new(
                    Code::TooOld,
                    format!("signed at {created}, and it is {now}: sign anew for every attempt"),
                ));
            }
        }
        if let Some(expires) = self.expires
            && expires < now
        {
            return Err(Rejection::new(Code::TooOld, format!("expired at {expires}, and it is {now}")));
        }
        Ok(())
    }
}

fn why_not_usable(versions: &[Arc<VerifyingKey>], now: Timestamp) -> String {
    // The newest version is the one that its owner will ask about.
    let Some(record) = versions.first().map(|key| key.record()) else { return "no version of the key".to_owned() };
    if !record.partner_active {
        return "the key's partner is suspended".to_owned();
    }
    if record.not_before.is_some_and(|from| now < from) {
        return "the key's validity has not begun".to_owned();
    }
    if record.not_after.is_some_and(|until| until <= now) {
        return "the key's validity has ended".to_owned();
    }
    format!("the key is {}", record.state)
}

/// The algorithm that an unknown signer claims, or the likeliest for a signature of this length.
fn decoy_algorithm(facts: &Facts, signature: &[u8]) -> Algorithm {
    if let Claimed::Known(algorithm) = facts.algorithm {
        return algorithm;
    }
    match (facts.scheme, signature.len()) {
        (Scheme::HttpMessageSignatures, 32) => Algorithm::HmacSha256,
        (Scheme::HttpMessageSignatures, 96) => Algorithm::EcdsaP384Sha384,
        (Scheme::HttpMessageSignatures, 256..) => Algorithm::RsaPssSha512,
        (scheme, _) => scheme.algorithms().first().copied().unwrap_or(Algorithm::Ed25519),
    }
}
