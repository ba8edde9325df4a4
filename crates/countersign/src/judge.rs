use std::sync::Arc;

use crate::algorithm::{Algorithm, Scheme};
use crate::key::{Keys, VerifyingKey};
use crate::policy::Policy;
use crate::primitive::HashedOnce;
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
/// algorithm, signature, partner admitted, channel. `channel` is the partner that the message's channel proved.
pub(crate) fn judge(
    facts: &Facts,
    signed: &HashedOnce,
    signature: &[u8],
    channel: Option<&str>,
    keys: &Keys,
    policy: &Policy,
    now: Timestamp,
) -> Result<Arc<VerifyingKey>, Rejection> {
    let found = match candidates(facts, keys, policy, now, |_| true) {
        Ok(mut candidates) => match candidates.find(|key| key.check(signed, signature)) {
            Some(key) => admitted(&key.record().partner, channel, policy).map(|()| Arc::clone(key)),
            None => Err(bad_signature()),
        },
        Err(Fault::Plain(rejection)) => Err(rejection),
        Err(Fault::Hidden(rejection)) => {
            keys.check_decoy(decoy_algorithm(facts, signature), signed, signature);
            Err(rejection)
        }
    };
    found.map_err(|rejection| facts.blame(rejection))
}

/// What stands against a message before its signature is checked.
pub(crate) enum Fault {
    /// To be told as it is.
    Plain(Rejection),
    /// What only a known key can have costs what a bad signature costs, so that the time of an answer says no more than it:
    /// to be told once a decoy was asked.
    Hidden(Rejection),
}

/// The keys that a message may be signed with, the newest first: those of its signer that are usable and for its algorithm,
/// and that `fits` takes.
pub(crate) fn candidates<'k, F: Fn(&VerifyingKey) -> bool + Clone + 'k>(
    facts: &'k Facts,
    keys: &'k Keys,
    policy: &'k Policy,
    now: Timestamp,
    fits: F,
) -> Result<impl Iterator<Item = &'k Arc<VerifyingKey>> + use<'k, F>, Fault> {
    let versions = keys.versions(facts.scheme, &facts.signer);
    // A message that names no key says less than is demanded of it, which is told in its place.
    let named = !(facts.scheme == Scheme::HttpMessageSignatures && facts.signer.is_empty());
    if versions.is_empty() && named {
        let rejection = Rejection::new(Code::UnknownSigner, "no key is known under this id and scheme");
        return Err(Fault::Hidden(rejection));
    }
    facts.check_time(policy, now).map_err(Fault::Plain)?;
    let unbound = policy.demands.user_token && facts.scheme != Scheme::HttpMessageSignatures;
    let missing = facts.missing.as_deref().or(unbound.then_some("authorization, which this scheme can't"));
    if let Some(missing) = missing {
        let reason = format!("the signature does not cover {missing}");
        return Err(Fault::Plain(Rejection::new(Code::CoverageTooSmall, reason)));
    }
    if !named || (facts.timed && facts.created.is_none()) {
        let reason = "the signature does not say who made it, or when";
        return Err(Fault::Plain(Rejection::new(Code::CoverageTooSmall, reason)));
    }
    let usable = versions.iter().filter(move |key| key.usable(now)).take(Keys::MAX_VERSIONS);
    if usable.clone().next().is_none() {
        return Err(Fault::Hidden(Rejection::new(Code::KeyNotUsable, why_not_usable(versions, now))));
    }
    let admits = &policy.demands.http_message_signatures.algorithms;
    let free = facts.scheme != Scheme::HttpMessageSignatures || admits.is_empty();
    let of_algorithm = usable.filter(move |key| {
        let algorithm = key.record().algorithm;
        (free || admits.contains(&algorithm))
            && (facts.algorithm == Claimed::Absent || facts.algorithm == Claimed::Known(algorithm))
            && fits(key)
    });
    if of_algorithm.clone().next().is_none() {
        return Err(Fault::Hidden(other_algorithm()));
    }
    Ok(of_algorithm)
}

/// Whether the route admits the partner who signed, or whose site vouched, and the channel that it came by.
pub(crate) fn admitted(partner: &str, channel: Option<&str>, policy: &Policy) -> Result<(), Rejection> {
    let partners = &policy.demands.partners;
    if !partners.is_empty() && !partners.iter().any(|admitted| admitted == partner) {
        return Err(Rejection::new(Code::PartnerNotAllowed, "the signer's partner is not admitted on this route"));
    }
    if policy.demands.same_partner_channel && channel != Some(partner) {
        let named = if channel.is_some() { "is another partner's" } else { "names no partner, or there is none" };
        return Err(Rejection::new(Code::ChannelMismatch, format!("the client certificate {named}")));
    }
    Ok(())
}

pub(crate) fn bad_signature() -> Rejection {
    Rejection::new(Code::BadSignature, "the signature does not hold under the key")
}

pub(crate) fn other_algorithm() -> Rejection {
    let reason = "the key is for another algorithm or form than the message has or the route admits";
    Rejection::new(Code::AlgorithmMismatch, reason)
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
