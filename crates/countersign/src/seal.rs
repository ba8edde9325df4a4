//! Sealed fields: single values of a JSON document that only their recipient can read, wherever TLS ends before.
//!
//! A sealed field is a string: a JWE in compact form (RFC 7516) whose text is exactly one JSON value. It is bound to its place and to
//! who sealed it, so that copied into another field, or sent by another partner, it does not open: nobody can use the recipient to
//! read what others sealed.

mod jwe;
mod key;
mod pointer;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::json::{Document, Malformed, Value};
use crate::primitive::Key256;
use crate::rejection::{Code, Rejection, Unavailable};
use crate::time::Timestamp;

use jwe::{Agreed, Binding, Sealed};
pub use key::{OpeningKey, SealingKey};
pub use pointer::{InvalidPointer, Pointer};

/// Fills bytes that nobody can guess.
pub type Randomness<'r> = &'r mut dyn FnMut(&mut [u8]) -> Result<(), Unavailable>;

/// Seals fields of a document, all for one recipient.
///
/// ```
/// use countersign::{FieldSealer, OpeningKey, Openers, Timestamp, Algorithm, SigningKey};
///
/// let pair = SigningKey::generate(Algorithm::EcdsaP256Sha256, 0)?;
/// let key = OpeningKey::from_file(pair.private.as_bytes())?;
/// let mut random = |bytes: &mut [u8]| Ok(bytes.fill(7)); // in earnest: of the operating system
/// let fields = ["/card/number".parse()?];
/// let sealer = FieldSealer { fields: &fields, to: key.public(), partner: "acme", expires: None };
/// let sealed = sealer.seal(br#"{"card": {"number": "4111"}}"#, &mut random)?;
/// assert_eq!(sealed.fields, ["/card/number"]);
///
/// let openers = Openers::new([key]);
/// let opened = openers.open(&sealed.document, &fields, "acme", false, Timestamp::from_secs(0))?;
/// assert_eq!(opened.as_slice(), br#"{"card": {"number": "4111"}}"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy)]
pub struct FieldSealer<'a> {
    /// What is sealed where it is there.
    pub fields: &'a [Pointer],
    /// For whom.
    pub to: &'a SealingKey,
    /// Who seals: the partner's name as the recipient knows it.
    pub partner: &'a str,
    /// After which it opens no more, in whole seconds.
    pub expires: Option<Timestamp>,
}

/// A document with sealed fields.
pub struct SealedDocument {
    /// As it came but for them.
    pub document: Vec<u8>,
    /// Which fields there were, each by a pointer without a star, in the order of the document.
    pub fields: Vec<String>,
    /// Which fields were not there: they went unsealed, whatever stands in their place.
    pub absent: Vec<AbsentField>,
}

/// A field that was to be sealed, and is not there, or not in each of the elements that `*` stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AbsentField {
    /// As it was asked for.
    pub field: Pointer,
    /// The first place that lacks it: a pointer in which the index of an element stands for `*`, as far as there are elements.
    pub place: String,
}

/// Why nothing was sealed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The document is no JSON that both sides read the same: one clause.
    #[error("the document is malformed: {0}")]
    Malformed(&'static str),
    /// A field lies inside another that is sealed, too.
    #[error("{0} lies inside another field that is to be sealed")]
    Nested(String),
    /// More than 256 fields.
    #[error("more than {MOST} fields are to be sealed")]
    TooMany,
    /// No randomness, or the provider failed.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl FieldSealer<'_> {
    /// Seals every one of the fields that is there. What is absent is told in [`SealedDocument::absent`], and has to be looked at
    /// before anything is sent: a field that one of both sides spells otherwise would go out in the clear. An array
    /// without elements has all that `*` asks for.
    ///
    /// # Errors
    /// [`SealError`]
    pub fn seal(&self, document: &[u8], random: Randomness<'_>) -> Result<SealedDocument, SealError> {
        let json = Document::parse(document).map_err(|Malformed(why)| SealError::Malformed(why))?;
        let places = places(&json, self.fields).map_err(|_| SealError::TooMany)?;
        let failed = || SealError::Unavailable(Unavailable::new("sealing", "the provider failed"));
        let agreed = Agreed::with(self.to).ok_or_else(failed)?;
        let (mut splices, mut end) = (Vec::new(), 0);
        for (pointer, value) in &places {
            if value.span().start < end {
                return Err(SealError::Nested(pointer.clone()));
            }
            end = value.span().end;
            let (mut key, mut iv) = (Key256::new([0; 32]), [0; 12]);
            random(key.as_mut_slice())?;
            random(&mut iv)?;
            let mut text = value.text().as_bytes().to_vec();
            let binding = Binding { pointer, partner: self.partner };
            let compact =
                jwe::seal(&mut text, self.to, &agreed, binding, self.expires, (&key, iv)).ok_or_else(failed)?;
            splices.push((value.span(), format!("\"{compact}\"").into_bytes()));
        }
        let document = spliced(document, splices.iter().map(|(span, text)| (span.clone(), text.as_slice())));
        let lacking = |field: &Pointer| Some(AbsentField { field: field.clone(), place: field.lacking(&json)? });
        let absent = self.fields.iter().filter_map(lacking).collect();
        Ok(SealedDocument { document, fields: places.into_iter().map(|(pointer, _)| pointer).collect(), absent })
    }
}

/// The private keys that sealed fields are opened with, each found by its `kid` and by nothing else.
#[derive(Default)]
pub struct Openers {
    keys: Vec<Arc<OpeningKey>>,
}

impl fmt::Debug for Openers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.public().map(SealingKey::id)).finish()
    }
}

impl Openers {
    /// The first is the one that others seal for; the rest open what was sealed for them before.
    pub fn new<K: Into<Arc<OpeningKey>>>(keys: impl IntoIterator<Item = K>) -> Self {
        Self { keys: keys.into_iter().map(Into::into).collect() }
    }

    /// The keys, in their order.
    #[must_use]
    pub fn keys(&self) -> &[Arc<OpeningKey>] {
        &self.keys
    }

    /// What seals for each of them.
    pub fn public(&self) -> impl Iterator<Item = &SealingKey> {
        self.keys.iter().map(|key| key.public())
    }

    /// The document with these of its fields opened: only the sealed strings are replaced, everything else is as it came. What
    /// is absent stays so. `partner` is the one whose signature held; `unbound` takes foreign JWE, too, that name neither
    /// place nor partner.
    ///
    /// # Errors
    /// `malformed`, naming the field and nothing else: every fault in a sealed field looks the same and takes the same time.
    pub fn open(
        &self,
        document: &[u8],
        fields: &[Pointer],
        partner: &str,
        unbound: bool,
        now: Timestamp,
    ) -> Result<Zeroizing<Vec<u8>>, Rejection> {
        let malformed = |why: &'static str| Rejection::new(Code::Malformed, why);
        let json = Document::parse(document).map_err(|Malformed(why)| malformed(why))?;
        let places = places(&json, fields).map_err(|_| malformed("more than 256 sealed fields"))?;
        let mut splices = Vec::new();
        for (pointer, value) in places {
            let binding = Binding { pointer: &pointer, partner };
            let text = self.open_one(&value.as_str().unwrap_or_default(), binding, unbound, now);
            let text = text.ok_or_else(|| Rejection::closed(&pointer))?;
            splices.push((value.span(), text));
        }
        let opened = spliced(document, splices.iter().map(|(span, text)| (span.clone(), text.as_slice())));
        Ok(Zeroizing::new(opened))
    }

    /// `compact` is empty where the field is no string.
    fn open_one(
        &self,
        compact: &str,
        binding: Binding<'_>,
        unbound: bool,
        now: Timestamp,
    ) -> Option<Zeroizing<Vec<u8>>> {
        let sealed = Sealed::read(compact);
        let holds = sealed.holds(binding, unbound, now);
        let find = |is: &dyn Fn(&SealingKey) -> bool| self.keys.iter().find(|key| is(key.public()));
        let named = find(&|key| sealed.names(key));
        // Without one that is named the work is done all the same, and what comes of it is thrown away.
        let decoy = named.or_else(|| find(&|key| sealed.claims(key))).or(self.keys.first())?;
        let text = sealed.open(decoy).filter(|_| holds && named.is_some())?;
        is_value_at(&text, binding.pointer).then_some(text)
    }
}

/// Whether a text is one value, with nothing behind it (`1, "amount": 0` would be a member more), that at this place makes the
/// document no deeper than one may be.
fn is_value_at(text: &[u8], pointer: &str) -> bool {
    let depth = pointer.bytes().filter(|&byte| byte == b'/').count();
    let nested = || Zeroizing::new([&b"[".repeat(depth)[..], text, &b"]".repeat(depth)].concat());
    // `1], [2` is no value, and would be one in there.
    Document::parse(text).is_ok_and(|text| text.root().len() == 0 || Document::parse(&nested()).is_ok())
}

/// Where the fields stand, in the order of the document, each once.
fn places<'d, 'a>(document: &'d Document<'a>, fields: &[Pointer]) -> Result<Vec<(String, Value<'d, 'a>)>, TooMany> {
    let (mut places, mut seen) = (Vec::new(), HashSet::new());
    for field in fields {
        field.each(document, &mut |pointer, value| {
            if seen.contains(pointer) {
                return Ok(());
            }
            if places.len() == MOST {
                return Err(TooMany);
            }
            seen.insert(pointer.to_owned());
            places.push((pointer.to_owned(), value));
            Ok(())
        })?;
    }
    // What contains another begins before it, or at the same place.
    places.sort_by_key(|(pointer, value)| (value.span().start, pointer.len()));
    Ok(places)
}

struct TooMany;

/// The text with some of its parts replaced, which stand in order and apart.
fn spliced<'s>(text: &[u8], splices: impl Iterator<Item = (Range<usize>, &'s [u8])> + Clone) -> Vec<u8> {
    // Room for all of it: what grows leaves copies of what was opened behind.
    let length = splices.clone().fold(text.len(), |length, (_, new)| length + new.len());
    let (mut out, mut at) = (Vec::with_capacity(length), 0);
    for (span, new) in splices {
        out.extend_from_slice(&text[at..span.start]);
        out.extend_from_slice(new);
        at = span.end;
    }
    out.extend_from_slice(&text[at..]);
    out
}

/// Fields of one document: each costs a private operation to open.
const MOST: usize = 256;
