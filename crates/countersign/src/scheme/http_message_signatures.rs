//! RFC 9421, HTTP Message Signatures.

mod input;

use std::borrow::Cow;
use std::collections::HashSet;

use http::HeaderName;

use crate::algorithm::Scheme;
use crate::component::{Name, Parameter, Values};
use crate::coverage::Coverage;
use crate::digest::{Digests, Expected};
use crate::few::Few;
use crate::judge::{Claimed, Facts};
use crate::key::Keys;
use crate::message::Head;
use crate::policy::Policy;
use crate::rejection::{Code, Rejection};
use crate::scheme::{Payload, Signed, SignedBytes};
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
pub(crate) struct Candidates(Few<Candidate>);

/// One signature: what it says, and what it is over.
pub(crate) struct Candidate {
    pub(crate) signed: Box<Signed>,
    pub(crate) base: Base,
    tagged: bool,
}

/// Whether the signature base stands among what was signed.
pub(crate) enum Base {
    /// It does, and these are the digests in it.
    Built(Digests),
    /// The member of `Signature-Input` as it came: there are several signatures, or this one covers trailers.
    Pending(String),
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
    let read = |(label, input): &(&str, Input<'_>)| {
        let signature = signatures.iter().find(|signature| signature.name == *label);
        let signature = signature.ok_or_else(|| malformed("Signature-Input and Signature have other labels"))?;
        let signature = structured::byte_sequence(signature.raw)
            .ok_or_else(|| malformed("a signature is not a byte sequence in strict base64"))?;
        // A fault in the form of the only signature there is comes before every other.
        let (bytes, base) = if inputs.len() == 1 && !input.has_trailers() {
            let (bytes, digests) = build(head, input)?;
            (bytes, Base::Built(digests))
        } else {
            (Vec::new(), Base::Pending(input.raw.to_owned()))
        };
        let (facts, coverage, tagged) = facts(head, policy, input);
        let bytes = SignedBytes::of(bytes);
        let signed = Box::new(Signed { facts, coverage, bytes, signature, payload: Payload::AsReceived });
        Ok(Candidate { signed, base, tagged })
    };
    inputs.iter().map(read).collect::<Result<_, _>>().map(Candidates)
}

fn malformed(why: &'static str) -> Rejection {
    Rejection::new(Code::Malformed, why)
}

/// What one signature says, what it covers, and whether it carries the tag that the route asks for.
fn facts(head: &Head, policy: &Policy, input: &Input<'_>) -> (Facts, Coverage, bool) {
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
    (facts, coverage, tagged)
}

/// Builds the signature base (RFC 9421 §2.5), and gives the signed digests of the body.
fn build(head: &Head, input: &Input<'_>) -> Result<(Vec<u8>, Digests), Rejection> {
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
    Ok((base.into_bytes(), digests))
}

/// Builds the base of a signature that could not be built while the message was read.
pub(crate) fn build_pending(head: &Head, raw: &str) -> Result<(Vec<u8>, Digests), Rejection> {
    build(head, &Input::parse(raw)?)
}

impl Candidate {
    fn signer(&self) -> &str {
        &self.signed.facts.signer
    }
}

impl Candidates {
    /// The one signature that is meant: of several the one that carries the route's tag and whose key is known. Its base is
    /// built unless it waits for trailers.
    pub(crate) fn choose(self, head: &Head, keys: &Keys) -> Result<Candidate, Rejection> {
        let at = if self.0.len() > 1 { self.meant(keys)? } else { 0 };
        let chosen = self.0.into_iter().nth(at);
        let mut chosen = chosen.ok_or_else(|| Rejection::new(Code::Unsigned, "no signature"))?;
        if let Base::Pending(raw) = &chosen.base {
            let input = Input::parse(raw)?;
            if !input.has_trailers() {
                let (bytes, digests) = build(head, &input)?;
                chosen.signed.bytes = SignedBytes::of(bytes);
                chosen.base = Base::Built(digests);
            }
        }
        Ok(chosen)
    }

    fn meant(&self, keys: &Keys) -> Result<usize, Rejection> {
        let two = || Rejection::new(Code::Ambiguous, "two signatures qualify: give them tags, or send one");
        // Two of one key qualify or don't whether it is known or not, and are told alike.
        let named = |it: &&Candidate| it.tagged && !it.signer().is_empty();
        let mut signers = HashSet::new();
        if !self.0.iter().filter(named).all(|it| signers.insert(it.signer())) {
            return Err(two());
        }
        let known = |it: &Candidate| !keys.versions(Scheme::HttpMessageSignatures, it.signer()).is_empty();
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
