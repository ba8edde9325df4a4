//! RFC 9421, HTTP Message Signatures.

mod input;

use std::borrow::Cow;

use http::HeaderName;

use crate::algorithm::Scheme;
use crate::component::{Name, Parameter, Values};
use crate::coverage::Coverage;
use crate::digest::Expected;
use crate::few::Few;
use crate::judge::{Claimed, Facts};
use crate::key::Keys;
use crate::message::Head;
use crate::policy::Policy;
use crate::rejection::{Code, Rejection};
use crate::structured;
use crate::time::Timestamp;

pub(crate) use input::Input;

pub(crate) static SIGNATURE_INPUT: HeaderName = HeaderName::from_static("signature-input");
pub(crate) static SIGNATURE: HeaderName = HeaderName::from_static("signature");
pub(crate) static CONTENT_DIGEST: HeaderName = HeaderName::from_static("content-digest");

/// At most so many labels in one message.
const MAX_LABELS: usize = 16;
/// A signature base is at most so long, in bytes.
const MAX_BASE: usize = 128 << 10;

/// The signatures of a message, of which one is meant.
pub(crate) struct Candidates(Vec<Candidate>);

/// One signature: what it says, and what it is over.
pub(crate) struct Candidate {
    pub(crate) facts: Facts,
    pub(crate) signature: Vec<u8>,
    pub(crate) coverage: Coverage,
    pub(crate) base: Base,
    tagged: bool,
}

/// The signature base, or what it will be made of.
pub(crate) enum Base {
    Built(Built),
    /// The member of `Signature-Input` as it came: there are several signatures, or this one covers trailers.
    Pending(String),
}

/// A signature base, and what it says of the body.
pub(crate) struct Built {
    pub(crate) bytes: Vec<u8>,
    /// The signed digests of the body; an error that is told after all others where one names no algorithm we rely on.
    pub(crate) digests: Few<Result<Expected, Rejection>>,
}

/// Reads the signatures of a message; no key is looked up.
pub(crate) fn read(head: &Head, policy: &Policy) -> Result<Candidates, Rejection> {
    let inputs = head.joined(&SIGNATURE_INPUT)?.unwrap_or_default();
    let signatures = head.joined(&SIGNATURE)?.ok_or_else(|| malformed("Signature-Input without Signature"))?;
    let signatures = structured::dictionary(&signatures, "Signature", MAX_LABELS)?;
    let inputs = Input::parse_all(&inputs, MAX_LABELS)?;
    // RFC 9421 §4.1: "The presence of a label in one field but not the other is an error."
    if inputs.len() != signatures.len() {
        return Err(malformed("Signature-Input and Signature have other labels"));
    }
    let mut candidates = Vec::with_capacity(inputs.len());
    for (label, input) in inputs.iter() {
        let signature = signatures.iter().find(|signature| signature.name == *label);
        let signature = signature.ok_or_else(|| malformed("Signature-Input and Signature have other labels"))?;
        let signature = structured::byte_sequence(signature.raw)
            .ok_or_else(|| malformed("a signature is not a byte sequence in strict base64"))?;
        // A fault in the form of the only signature there is comes before every other.
        let base = if inputs.len() == 1 && !input.has_trailers() {
            Base::Built(build(head, input)?)
        } else {
            Base::Pending(input.raw.to_owned())
        };
        candidates.push(candidate(head, policy, input, signature, base));
    }
    Ok(Candidates(candidates))
}

fn malformed(why: &'static str) -> Rejection {
    Rejection::new(Code::Malformed, why)
}

fn candidate(head: &Head, policy: &Policy, input: &Input<'_>, signature: Vec<u8>, base: Base) -> Candidate {
    let settings = &policy.demands.http_message_signatures;
    let coverage = Coverage::of(&input.components);
    let tagged = settings.tag.is_none() || settings.tag.as_deref() == input.tag.as_deref();
    let missing = if input.keyid.is_none() {
        Some("its key (keyid)".to_owned())
    } else if !tagged {
        Some("the tag that this route asks for".to_owned())
    } else if input.created.is_none() {
        Some("the time it was made at (created)".to_owned())
    } else if input.nonce.is_none() && !settings.nonce_optional {
        Some("a nonce".to_owned())
    } else {
        policy.unmet(&coverage, head)
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
    Candidate { facts, signature, coverage, base, tagged }
}

/// Builds the signature base (RFC 9421 §2.5).
fn build(head: &Head, input: &Input<'_>) -> Result<Built, Rejection> {
    let mut base = String::with_capacity(512);
    let mut digests = Few::default();
    let mut values = Values::new(head, &input.components);
    for component in &input.components {
        component.write_identifier(&mut base);
        base.push_str(": ");
        let value = base.len();
        values.write(component, &mut base)?;
        if base.len() > MAX_BASE {
            return Err(malformed("the signature base is too long"));
        }
        // However a digest of this message's own body is covered, the body has to match it.
        if matches!(&component.name, Name::Field(name) if name == "content-digest")
            && !component.parameters.contains(&Parameter::Request)
        {
            let field = match component.parameters.as_slice() {
                [] => Cow::Borrowed(&base[value..]),
                _ => head.joined_of(component.section(), &CONTENT_DIGEST)?.unwrap_or_default(),
            };
            match Expected::parse(&field) {
                Err(rejection) if rejection.code() == Code::Malformed => return Err(rejection),
                judged => digests.push(judged),
            }
        }
        base.push('\n');
    }
    // §2.3: the signature parameters are part of what is signed, here in the very bytes they came in.
    base.push_str("\"@signature-params\": ");
    base.push_str(input.raw);
    Ok(Built { bytes: base.into_bytes(), digests })
}

/// Builds the base of a signature that could not be built while the message was read.
pub(crate) fn build_pending(head: &Head, raw: &str) -> Result<Built, Rejection> {
    build(head, &Input::parse(raw)?)
}

impl Candidates {
    /// The one signature that is meant: of several the one that carries the route's tag and whose key is known. Its base is
    /// built unless it waits for trailers.
    pub(crate) fn choose(mut self, head: &Head, keys: &Keys) -> Result<Candidate, Rejection> {
        let mut chosen = match self.0.len() {
            0 | 1 => self.0.pop(),
            _ => {
                let at = self.meant(keys)?;
                Some(self.0.swap_remove(at))
            }
        }
        .ok_or_else(|| Rejection::new(Code::Unsigned, "no signature"))?;
        if let Base::Pending(raw) = &chosen.base {
            let input = Input::parse(raw)?;
            if !input.has_trailers() {
                chosen.base = Base::Built(build(head, &input)?);
            }
        }
        Ok(chosen)
    }

    fn meant(&self, keys: &Keys) -> Result<usize, Rejection> {
        let two = || Rejection::new(Code::Ambiguous, "two signatures qualify: give them tags, or send one");
        // Two of one key qualify or don't whether it is known or not, and are told alike.
        let tagged = |at: usize| self.0[at].tagged && !self.0[at].facts.signer.is_empty();
        let twins =
            |at: usize| (0..at).any(|other| tagged(other) && self.0[other].facts.signer == self.0[at].facts.signer);
        if (0..self.0.len()).any(|at| tagged(at) && twins(at)) {
            return Err(two());
        }
        let known = |it: &Candidate| !keys.versions(Scheme::HttpMessageSignatures, &it.facts.signer).is_empty();
        let mut meant = self.0.iter().enumerate().filter(|(_, it)| it.tagged && known(it)).map(|(at, _)| at);
        match (meant.next(), meant.next()) {
            (Some(_), Some(_)) => Err(two()),
            (Some(at), None) => Ok(at),
            // None qualifies: the one that comes closest stands for all.
            (None, _) => {
                let first = |wanted: &dyn Fn(&Candidate) -> bool| self.0.iter().position(wanted);
                Ok(first(&|it| it.tagged).or_else(|| first(&known)).unwrap_or(0))
            }
        }
    }
}
