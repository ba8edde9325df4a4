//! RFC 9421, HTTP Message Signatures.

mod input;

use crate::algorithm::Scheme;
use crate::component::Name;
use crate::digest::Expected;
use crate::judge::{Claimed, Facts};
use crate::key::Keys;
use crate::message::Head;
use crate::policy::{Coverage, Policy};
use crate::rejection::{Code, Rejection};
use crate::structured;
use crate::time::Timestamp;

pub(crate) use input::Input;

/// At most so many labels in one message.
const MAX_LABELS: usize = 16;
/// At most so many signatures that a route may be meant by.
const MAX_CANDIDATES: usize = 8;
/// A signature base is at most so long, in bytes.
const MAX_BASE: usize = 128 << 10;

/// The signatures of a message that carry the tag which the route asks for.
pub(crate) struct Candidates(Vec<Candidate>);

struct Candidate {
    facts: Facts,
    parts: Result<Parts, Rejection>,
}

/// A signature and what it is over.
pub(crate) struct Parts {
    pub(crate) base: Vec<u8>,
    pub(crate) signature: Vec<u8>,
    pub(crate) coverage: Coverage,
    /// The signed digest of the body; an error that is told after all others where it names no algorithm we rely on.
    pub(crate) digest: Option<Result<Expected, Rejection>>,
}

/// Reads the signatures of a message; no key is looked up.
pub(crate) fn read(head: &Head, policy: &Policy) -> Result<Candidates, Rejection> {
    let malformed = |why| Rejection::new(Code::Malformed, why);
    let inputs = head.joined("signature-input")?.unwrap_or_default();
    let signatures = head.joined("signature")?.ok_or_else(|| malformed("Signature-Input without Signature"))?;
    let signatures = structured::dictionary(&signatures, "Signature", MAX_LABELS)?;
    let members = structured::dictionary(&inputs, "Signature-Input", MAX_LABELS)?;
    if members.is_empty() {
        return Err(malformed("Signature-Input is empty"));
    }
    let mut candidates = Vec::with_capacity(1);
    for member in &members {
        let input = Input::parse(member.raw)?;
        let signature = signatures.iter().find(|signature| signature.name == member.name);
        let signature = signature.ok_or_else(|| malformed("a label of Signature-Input has no Signature"))?;
        let signature = structured::byte_sequence(signature.raw)
            .ok_or_else(|| malformed("a signature is not a byte sequence in strict base64"))?;
        let wanted = policy.demands.http_message_signatures.tag.as_deref();
        if wanted.is_some() && wanted != input.tag.as_deref() {
            continue;
        }
        if candidates.len() == MAX_CANDIDATES {
            return Err(malformed("too many signatures"));
        }
        candidates.push(candidate(head, policy, &input, signature));
    }
    match candidates.as_mut_slice() {
        [] => Err(Rejection::new(Code::CoverageTooSmall, "no signature carries the tag that this route asks for")),
        // A fault in the form of the only signature there is comes before every other.
        [Candidate { parts: Err(rejection), .. }] => Err(rejection.clone()),
        _ => Ok(Candidates(candidates)),
    }
}

fn candidate(head: &Head, policy: &Policy, input: &Input<'_>, signature: Vec<u8>) -> Candidate {
    let parts = parts(head, input, signature);
    let coverage = parts.as_ref().ok().map(|parts| &parts.coverage);
    let missing = if input.keyid.is_none() {
        Some("keyid".to_owned())
    } else if input.nonce.is_none() && !policy.demands.http_message_signatures.nonce_optional {
        Some("nonce".to_owned())
    } else {
        coverage.and_then(|coverage| policy.unmet(coverage, head))
    };
    let facts = Facts {
        scheme: Scheme::HttpMessageSignatures,
        signer: input.keyid.as_deref().unwrap_or_default().to_owned(),
        algorithm: match input.alg.as_deref() {
            None => Claimed::Absent,
            Some(name) => name.parse().map_or(Claimed::Unknown, Claimed::Known),
        },
        created: input.created.map(Timestamp::from_secs),
        expires: input.expires.map(Timestamp::from_secs),
        nonce: input.nonce.as_deref().map(|nonce| nonce.as_bytes().to_vec()),
        missing,
        timed: true,
    };
    Candidate { facts, parts }
}

/// Builds the signature base (RFC 9421 §2.5).
fn parts(head: &Head, input: &Input<'_>, signature: Vec<u8>) -> Result<Parts, Rejection> {
    let mut base = String::with_capacity(512);
    let mut coverage = Coverage::default();
    let mut digest = None;
    for component in &input.components {
        component.write_identifier(&mut base);
        base.push_str(": ");
        component.write_value(head, &mut base)?;
        base.push('\n');
        if base.len() > MAX_BASE {
            return Err(Rejection::new(Code::Malformed, "the signature base is too long"));
        }
        coverage.add(component);
        // However the digest of this message's own body is covered, the body has to match it.
        let of_this_message = |p: &crate::component::Parameter<'_>| *p == crate::component::Parameter::Request;
        if matches!(&component.name, Name::Field(name) if name == "content-digest")
            && !component.parameters.iter().any(of_this_message)
        {
            let field = head.joined("content-digest")?.unwrap_or_default();
            digest = Some(match Expected::parse(&field) {
                Err(rejection) if rejection.code() == Code::Malformed => return Err(rejection),
                judged => judged,
            });
        }
    }
    // §2.3: the signature parameters are part of what is signed, here in the very bytes they came in.
    base.push_str("\"@signature-params\": ");
    base.push_str(input.raw);
    Ok(Parts { base: base.into_bytes(), signature, coverage, digest })
}

impl Candidates {
    /// The one signature that is meant: the only one, or of several the one whose key is known.
    pub(crate) fn choose(mut self, keys: &Keys) -> Result<(Facts, Parts), Rejection> {
        if self.0.len() > 1 {
            let known = |candidate: &Candidate| {
                !keys.versions(Scheme::HttpMessageSignatures, &candidate.facts.signer).is_empty()
            };
            let mut meant = self.0.iter().enumerate().filter(|(_, candidate)| known(candidate)).map(|(at, _)| at);
            let at = match (meant.next(), meant.next()) {
                (Some(_), Some(_)) => {
                    return Err(Rejection::new(Code::Ambiguous, "two signatures qualify: give them tags, or send one"));
                }
                (Some(at), None) => at,
                // None is known: the first stands for all.
                (None, _) => 0,
            };
            self.0.swap(0, at);
        }
        let chosen = self.0.into_iter().next().ok_or_else(|| Rejection::new(Code::Unsigned, "no signature"))?;
        if chosen.facts.signer.is_empty() {
            return Err(Rejection::new(Code::CoverageTooSmall, "the signature does not name its key (keyid)"));
        }
        Ok((chosen.facts, chosen.parts?))
    }
}
