//! `AppId`, `Timestamp`, `Nonce`, `Signature`: a hexadecimal HMAC over parts with nothing between them.
//!
//! What the parts are is fixed per key, not by the message, so the signed bytes are made once the key is known. The body is
//! kept in memory as a whole: several versions of a key may differ in layout, and whether the bytes split in one way only
//! can be told at their end.

mod grammar;
mod same_secret;

use std::cell::OnceCell;

use bytes::Bytes;
use http::HeaderName;

use self::grammar::{Grammar, window};
pub(crate) use self::same_secret::SameSecret;
use super::{Payload, Signed, check_target_of_body_only, pki};
use crate::algorithm::{Algorithm, Scheme};
use crate::judge::{self, Claimed, Facts};
use crate::key::{AppHmacForm, Keys, Layout, NonceForm, TimestampUnit, VerifyingKey};
use crate::message::Head;
use crate::policy::Policy;
use crate::primitive::sha256;
use crate::rejection::{Code, Rejection};
use crate::time::Timestamp;

/// The header fields that carry the signature. They do not go on.
pub(crate) static APP_ID: HeaderName = HeaderName::from_static("appid");
pub(crate) const CREDENTIALS: [&str; 4] = ["appid", "timestamp", "nonce", "signature"];

const NONCES: [NonceForm; 3] = [NonceForm::Hex8, NonceForm::Hex32, NonceForm::Uuid];

/// What the head says. Without the key nobody knows what was signed.
pub(crate) struct Credentials {
    signer: String,
    stamp: String,
    unit: TimestampUnit,
    created: Timestamp,
    nonce: String,
    nonce_form: NonceForm,
    signature: Vec<u8>,
}

/// Reads the four fields. Of each form that any key may have one is demanded here, the key's own where the key is known.
pub(crate) fn read(head: &Head) -> Result<Credentials, Rejection> {
    let [signer, stamp, nonce, signature] = CREDENTIALS.map(|name| single(head, name));
    let (signer, stamp, nonce, signature) = (signer?, stamp?, nonce?, signature?);
    if !pki::is_id(signer) {
        return Err(malformed("AppId is not 1 to 64 letters, digits, dots, dashes and underscores"));
    }
    let unit = match stamp.len() {
        10 => TimestampUnit::Seconds,
        13 => TimestampUnit::Milliseconds,
        _ => return Err(malformed("Timestamp is neither 10 digits of seconds nor 13 of milliseconds")),
    };
    let number = Grammar::new(unit, NonceForm::Hex8)
        .stamp(stamp.as_bytes())
        .ok_or_else(|| malformed("Timestamp is not made of digits, or begins with 0"))?;
    let created = match unit {
        TimestampUnit::Seconds => Timestamp::from_secs(number),
        TimestampUnit::Milliseconds => Timestamp::from_millis(number),
    };
    let nonce_form = NONCES
        .into_iter()
        .find(|form| Grammar::new(unit, *form).is_nonce(nonce.as_bytes()))
        .ok_or_else(|| malformed("Nonce is neither 8 or 32 hexadecimal digits nor a UUID, in lower case"))?;
    let signature =
        unhex(signature).ok_or_else(|| malformed("Signature is not 64 hexadecimal digits in lower case"))?;
    Ok(Credentials {
        signer: signer.to_owned(),
        stamp: stamp.to_owned(),
        unit,
        created,
        nonce: nonce.to_owned(),
        nonce_form,
        signature,
    })
}

fn single<'a>(head: &'a Head, name: &'static str) -> Result<&'a str, Rejection> {
    let mut lines = head.headers().get_all(name).iter();
    match (lines.next(), lines.next()) {
        (Some(value), None) => {
            value.to_str().map_err(|_| malformed("a field of the signature holds a byte beyond ASCII"))
        }
        _ => Err(malformed("AppId, Timestamp, Nonce and Signature stand exactly once each")),
    }
}

fn malformed(reason: &'static str) -> Rejection {
    Rejection::new(Code::Malformed, reason)
}

/// 32 bytes in their one spelling.
fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    if text.len() != 64 {
        return None;
    }
    text.as_bytes().chunks_exact(2).map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Credentials {
    /// The body has ended: finds the key, and with it what was signed.
    pub(crate) fn finish(
        self,
        head: &Head,
        body: &Bytes,
        keys: &Keys,
        policy: &Policy,
        now: Timestamp,
    ) -> Result<(Box<Signed>, std::sync::Arc<VerifyingKey>), Rejection> {
        let versions = keys.versions(Scheme::AppHmac, &self.signer);
        let layout = |key: &VerifyingKey| key.record().form.map(|form| form.layout);
        let body_only = !versions.is_empty() && versions.iter().all(|key| layout(key) == Some(Layout::PayloadFirst));
        let in_place = check_target_of_body_only(head, policy).is_ok();
        if body_only && body.is_empty() {
            return Err(Rejection::new(Code::Unsigned, "this key signs the body only, and there is none"));
        }
        let missing = (body_only && !in_place).then(|| {
            "the target, so this key is taken with POST to exactly the route's path, without query".to_owned()
        });
        let facts = Facts {
            scheme: Scheme::AppHmac,
            signer: self.signer,
            algorithm: Claimed::Known(Algorithm::HmacSha256),
            created: Some(self.created),
            expires: None,
            nonce: None,
            missing,
            timed: true,
        };
        let parts = Parts { head, stamp: &self.stamp, nonce: &self.nonce, body };
        let (method_first, payload_first) = (OnceCell::new(), OnceCell::new());
        let signed = |layout| match layout {
            Layout::MethodFirst => method_first.get_or_init(|| parts.signed(Layout::MethodFirst)).as_slice(),
            Layout::PayloadFirst => payload_first.get_or_init(|| parts.signed(Layout::PayloadFirst)).as_slice(),
        };
        // One secret under two forms would sign two grammars, so under neither of them.
        let of_one_form = |key: &VerifyingKey| !keys.same_secret().has_another_form(key, now);
        // A message in another form than a key's is none of that key, and its MAC is not computed.
        let of_key = |form: &AppHmacForm| {
            form.unit == self.unit
                && form.nonce == self.nonce_form
                && (form.layout == Layout::MethodFirst || (in_place && !body.is_empty()))
        };
        let key = judge::judge_form(&facts, &self.signature, keys, policy, now, |key| match key {
            Some(key) => {
                key.record().form.filter(|form| of_one_form(key) && of_key(form)).map(|form| signed(form.layout))
            }
            None => Some(signed(Layout::MethodFirst)),
        })?;
        let form = key.record().form.ok_or_else(|| malformed("the key has no form"))?;
        // Told to whoever has the secret only: that the bytes split twice says which form the key has.
        if form.layout == Layout::MethodFirst {
            let (from, until) = keys.same_secret().validity(&key);
            parts.check_one_split(form, window(form, self.created, from, until))?;
        }
        let bytes = match form.layout {
            Layout::MethodFirst => method_first.into_inner(),
            Layout::PayloadFirst => payload_first.into_inner(),
        };
        let bytes = bytes.unwrap_or_default();
        Ok((Signed::body(facts, bytes, self.signature, Payload::AsReceived), key))
    }
}

/// The parts that are signed.
struct Parts<'a> {
    head: &'a Head,
    stamp: &'a str,
    nonce: &'a str,
    body: &'a [u8],
}

impl Parts<'_> {
    fn signed(&self, layout: Layout) -> Vec<u8> {
        let (stamp, nonce) = (self.stamp.as_bytes(), self.nonce.as_bytes());
        match layout {
            Layout::MethodFirst => {
                let method = self.head.method().map_or("", |method| method.as_str());
                [method.as_bytes(), self.target().as_bytes(), stamp, nonce, self.body].concat()
            }
            Layout::PayloadFirst => [self.body, nonce, stamp].concat(),
        }
    }

    /// The target, whose `?` stays also before an empty query.
    fn target(&self) -> &str {
        self.head.target().unwrap_or_default()
    }

    /// Whether the signed bytes of `method-first` are those of this request only.
    fn check_one_split(&self, form: AppHmacForm, window: std::ops::RangeInclusive<i64>) -> Result<(), Rejection> {
        let ambiguous = |reason: &'static str| Err(Rejection::new(Code::Ambiguous, reason));
        let target = self.target();
        let plain = self.head.parsed_target().is_some_and(crate::target::Target::is_rfc3986);
        if !plain || !target.starts_with('/') {
            return ambiguous("this key signs a target in origin form, of the characters of RFC 3986 only");
        }
        let parts = [target.as_bytes(), self.stamp.as_bytes(), self.nonce.as_bytes(), self.body];
        if !Grammar::new(form.unit, form.nonce).is_only_split(parts, &window) {
            return ambiguous(
                "the signed bytes are also those of another request: stamp and nonce could stand elsewhere",
            );
        }
        Ok(())
    }
}

impl NonceForm {
    /// Whether `nonce` is in this form, and so goes on the wire as it stands.
    #[must_use]
    pub fn fits(self, nonce: &str) -> bool {
        Grammar::new(TimestampUnit::Seconds, self).is_nonce(nonce.as_bytes())
    }
}

/// A message to be signed: the text of its stamp and nonce, and the bytes that the signature is over.
pub(crate) struct Prepared {
    pub(crate) stamp: String,
    pub(crate) nonce: String,
    pub(crate) bytes: Vec<u8>,
}

/// So many nonces are tried. One that begins with a letter can't continue the stamp, so a few are enough where the body is
/// not itself ambiguous.
const ATTEMPTS: u8 = 32;

/// What to sign for this message, with `random` itself as nonce where it has the key's form, and else with one made from it;
/// the error is in words for the sender.
pub(crate) fn prepare(
    head: &Head,
    body: &[u8],
    form: AppHmacForm,
    random: &str,
    now: Timestamp,
) -> Result<Prepared, &'static str> {
    let grammar = Grammar::new(form.unit, form.nonce);
    let stamp = match form.unit {
        TimestampUnit::Seconds => now.as_secs().to_string(),
        TimestampUnit::Milliseconds => now.as_millis().to_string(),
    };
    if grammar.stamp(stamp.as_bytes()).is_none() {
        return Err("the time has no form in this scheme");
    }
    if form.layout == Layout::PayloadFirst && body.is_empty() {
        return Err("this layout signs the body only, and there is none");
    }
    if head.headers().contains_key("signature-input") {
        return Err("the message is signed under RFC 9421: with a second Signature it would be ambiguous");
    }
    let given = form.nonce.fits(random);
    for attempt in 0..if given { 1 } else { ATTEMPTS } {
        let nonce = if given { random.to_owned() } else { derive_nonce(form.nonce, random, attempt) };
        let parts = Parts { head, stamp: &stamp, nonce: &nonce, body };
        // The verifier may know the key's beginning and end and look less far; whoever signs doesn't.
        let one_split =
            form.layout == Layout::PayloadFirst || parts.check_one_split(form, window(form, now, None, None)).is_ok();
        if one_split {
            let bytes = parts.signed(form.layout);
            return Ok(Prepared { stamp, nonce, bytes });
        }
    }
    Err(
        "in this layout the message would be ambiguous: its target holds a character beyond RFC 3986, or its body reads as \
         part of a target, with a stamp and a nonce",
    )
}

fn derive_nonce(form: NonceForm, random: &str, attempt: u8) -> String {
    let mut hash = sha256(&[random.as_bytes(), &[0, attempt]].concat());
    match form {
        NonceForm::Hex8 => hex(&hash[..4]),
        NonceForm::Hex32 => hex(&hash[..16]),
        NonceForm::Uuid => {
            // RFC 9562 §5.4: version 4, variant 10.
            hash[6] = hash[6] & 0x0f | 0x40;
            hash[8] = hash[8] & 0x3f | 0x80;
            let text = hex(&hash[..16]);
            [&text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]].join("-")
        }
    }
}
