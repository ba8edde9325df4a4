//! `AppId`, `Timestamp`, `Nonce`, `Signature`: a hexadecimal HMAC over parts with nothing between them.
//!
//! What the parts are is fixed per key, not by the message, so what is signed is known once the key is: a MAC runs for each
//! version of it that the message may be signed with, and with it goes what finds another way to split the bytes. Nothing of
//! the body is kept.

mod grammar;
mod same_secret;

use std::ops::RangeInclusive;
use std::sync::Arc;

use http::HeaderName;

use self::grammar::{Grammar, Splits, window};
pub(crate) use self::same_secret::SameSecret;
use super::{Signed, check_target_of_body_only, pki};
use crate::algorithm::{Algorithm, Scheme};
use crate::few::Few;
use crate::judge::{self, Claimed, Facts, Fault};
use crate::key::{AppHmacForm, Keys, Layout, NonceForm, TimestampUnit, VerifyingKey};
use crate::message::Head;
use crate::policy::Policy;
use crate::primitive::{RunningMac, Sha256, sha256};
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
    /// Finds the keys that it may be signed with, and begins their MACs.
    ///
    /// # Errors
    /// Of what the head shows only what is no sign of a key: `unsigned` without a body, `too_old`, `not_yet_valid`,
    /// `coverage_too_small`. The others come out of [`Running::finish`], behind the body and a MAC, as a bad signature does.
    pub(crate) fn begin(self, head: &Head, keys: &Keys, policy: &Policy, now: Timestamp) -> Result<Running, Rejection> {
        let versions = keys.versions(Scheme::AppHmac, &self.signer);
        let layout = |key: &VerifyingKey| key.record().form.map(|form| form.layout);
        let body_only = !versions.is_empty() && versions.iter().all(|key| layout(key) == Some(Layout::PayloadFirst));
        if body_only && !head.has_body() {
            return Err(bodiless());
        }
        let in_place = check_target_of_body_only(head, policy).is_ok();
        let missing = (body_only && !in_place).then(|| {
            "the target, so this key is taken with POST to exactly the route's path, without query".to_owned()
        });
        let Self { signer, stamp, unit, created, nonce, nonce_form, signature } = self;
        let facts = Facts {
            scheme: Scheme::AppHmac,
            signer,
            algorithm: Claimed::Known(Algorithm::HmacSha256),
            created: Some(created),
            expires: None,
            nonce: None,
            missing,
            timed: true,
        };
        // A message in another form than a key's is none of that key.
        let fits = |key: &VerifyingKey| {
            let layouts = |layout| layout == Layout::MethodFirst || (in_place && head.has_body());
            let form = key.record().form;
            form.is_some_and(|form| form.unit == unit && form.nonce == nonce_form && layouts(form.layout))
                && !keys.same_secret().has_another_form(key, now)
        };
        let target = head.target().unwrap_or_default();
        let (mut candidates, mut hidden) = (Few::default(), None);
        match judge::candidates(&facts, keys, policy, now, fits) {
            Ok(found) => {
                for key in found {
                    let (Some(form), Some(mac)) = (key.record().form, key.running_mac()) else { continue };
                    let splits = (form.layout == Layout::MethodFirst).then(|| {
                        Splits::new(
                            Grammar::new(unit, nonce_form),
                            [target, &stamp, &nonce],
                            window_of(key, form, created, keys),
                        )
                    });
                    candidates.push(Candidate { key: Arc::clone(key), form, mac, splits });
                }
            }
            Err(Fault::Plain(rejection)) => return Err(facts.blame(rejection)),
            Err(Fault::Hidden(rejection)) => hidden = Some((rejection, keys.decoy_mac())),
        }
        let signs = |layout| candidates.iter().any(|it: &Candidate| it.form.layout == layout);
        let (method_first, payload_first) =
            (signs(Layout::MethodFirst) || hidden.is_some(), signs(Layout::PayloadFirst));
        let mut running = Running {
            facts,
            signature,
            stamp,
            nonce,
            candidates,
            hidden,
            method_first: method_first.then(Sha256::new),
            payload_first: payload_first.then(Sha256::new),
            body_only,
            received: false,
        };
        running.start(head.method().map_or("", |method| method.as_str()), target);
        Ok(running)
    }
}

/// The MACs of a message while its body passes: one for each key that it may be signed with.
pub(crate) struct Running {
    facts: Facts,
    signature: Vec<u8>,
    stamp: String,
    nonce: String,
    candidates: Few<Candidate>,
    /// Why there are none, and a MAC that costs what theirs would.
    hidden: Option<(Rejection, Option<RunningMac>)>,
    /// The hash of the signed bytes in either layout, where a key is in it.
    method_first: Option<Sha256>,
    payload_first: Option<Sha256>,
    /// Whether all keys of the signer sign the body alone.
    body_only: bool,
    received: bool,
}

/// One of them.
struct Candidate {
    key: Arc<VerifyingKey>,
    form: AppHmacForm,
    mac: RunningMac,
    /// Whether the bytes split in one way only; where the layout asks that.
    splits: Option<Splits>,
}

impl Running {
    /// `method-first` begins with the head.
    fn start(&mut self, method: &str, target: &str) {
        let Self { candidates, hidden, method_first, stamp, nonce, .. } = self;
        for part in [method, target, stamp, nonce].map(str::as_bytes) {
            let of_head = candidates.iter_mut().filter(|it| it.form.layout == Layout::MethodFirst);
            of_head.for_each(|it| it.mac.update(part));
            if let Some((_, Some(decoy))) = hidden {
                decoy.update(part);
            }
            if let Some(hash) = method_first {
                hash.update(part);
            }
        }
    }

    /// Takes the next part of the body. Nothing of it is kept.
    pub(crate) fn push(&mut self, part: &[u8]) {
        self.received |= !part.is_empty();
        for candidate in self.candidates.iter_mut() {
            candidate.mac.update(part);
            if let Some(splits) = &mut candidate.splits {
                splits.push(part);
            }
        }
        if let Some((_, Some(decoy))) = &mut self.hidden {
            decoy.update(part);
        }
        for hash in [&mut self.method_first, &mut self.payload_first].into_iter().flatten() {
            hash.update(part);
        }
    }

    /// The body has ended: finds the key whose MAC it is. `keys` and `now` are those of this moment.
    pub(crate) fn finish(
        self,
        head: &Head,
        keys: &Keys,
        policy: &Policy,
        now: Timestamp,
    ) -> Result<(Box<Signed>, Arc<VerifyingKey>), Rejection> {
        let Self { facts, signature, stamp, nonce, candidates, hidden, method_first, payload_first, .. } = self;
        if self.body_only && !self.received {
            return Err(bodiless());
        }
        let blame = |rejection| facts.blame(rejection);
        let hidden = hidden.map(|(rejection, decoy)| {
            if let Some(decoy) = decoy {
                std::hint::black_box(decoy.is(&signature));
            }
            rejection
        });
        // Nobody's message has no age.
        if let Some(rejection) = hidden.as_ref().filter(|it| it.code() == Code::UnknownSigner) {
            return Err(blame(rejection.clone()));
        }
        facts.check_time(policy, now).map_err(blame)?;
        if let Some(rejection) = hidden {
            return Err(blame(rejection));
        }
        let mut fault = judge::other_algorithm();
        let mut found = None;
        for Candidate { key, form, mut mac, splits } in candidates {
            // Without a body there is nothing that this layout would have signed.
            if form.layout == Layout::PayloadFirst && !self.received {
                continue;
            }
            if form.layout == Layout::PayloadFirst {
                mac.update(nonce.as_bytes());
                mac.update(stamp.as_bytes());
            }
            fault = judge::bad_signature();
            if mac.is(&signature) {
                found = Some((key, form, splits));
                break;
            }
        }
        let (key, form, splits) = found.ok_or_else(|| blame(fault))?;
        judge::admitted(&key.record().partner, head.channel(), policy).map_err(blame)?;
        still_the_same(&key, form, splits.as_ref(), &facts, keys, now).map_err(blame)?;
        // Told to whoever has the secret only: that the bytes split twice says which form the key has.
        if let Some(splits) = splits {
            check_target(head)?;
            check_one_split(&splits)?;
        }
        let hash = match form.layout {
            Layout::MethodFirst => method_first,
            Layout::PayloadFirst => payload_first.map(|mut hash| {
                hash.update(nonce.as_bytes());
                hash.update(stamp.as_bytes());
                hash
            }),
        };
        let hash = hash.ok_or_else(|| malformed("the key has no form"))?.finish();
        Ok((Signed::passed(facts, hash, signature), key))
    }
}

/// What was known of the key when the body began still holds: it is usable, its secret signs in one form, and in no stamp
/// that was not looked for.
fn still_the_same(
    key: &VerifyingKey,
    form: AppHmacForm,
    splits: Option<&Splits>,
    facts: &Facts,
    keys: &Keys,
    now: Timestamp,
) -> Result<(), Rejection> {
    let known = keys.versions(Scheme::AppHmac, &facts.signer).iter().find(|it| it.fingerprint() == key.fingerprint());
    let known = known.filter(|known| known.usable(now) && known.record().form == Some(form));
    let same = known.is_some_and(|known| {
        let looked_for = splits.zip(facts.created).is_none_or(|(splits, created)| {
            let (now, then) = (window_of(known, form, created, keys), splits.window());
            then.contains(now.start()) && then.contains(now.end())
        });
        looked_for && !keys.same_secret().has_another_form(known, now)
    });
    if same { Ok(()) } else { Err(Rejection::new(Code::KeyNotUsable, "the key was changed while the body came")) }
}

/// The stamps that a message of this secret, under whatever key, may ever have carried.
fn window_of(key: &VerifyingKey, form: AppHmacForm, created: Timestamp, keys: &Keys) -> RangeInclusive<i64> {
    let (from, until) = keys.same_secret().validity(key);
    window(form, created, from, until)
}

fn bodiless() -> Rejection {
    Rejection::new(Code::Unsigned, "this key signs the body only, and there is none")
}

fn ambiguous(reason: &'static str) -> Rejection {
    Rejection::new(Code::Ambiguous, reason)
}

/// What `method-first` signs of a target has to be told apart from what follows.
fn check_target(head: &Head) -> Result<(), Rejection> {
    let plain = head.parsed_target().is_some_and(crate::target::Target::is_rfc3986);
    if !plain || !head.target().unwrap_or_default().starts_with('/') {
        return Err(ambiguous("this key signs a target in origin form, of the characters of RFC 3986 only"));
    }
    Ok(())
}

/// Whether the signed bytes of `method-first` are those of this request only.
fn check_one_split(splits: &Splits) -> Result<(), Rejection> {
    if splits.is_one() {
        return Ok(());
    }
    Err(ambiguous("the signed bytes are also those of another request: stamp and nonce could stand elsewhere"))
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
        let target = head.target().unwrap_or_default();
        let (start, end) = (stamp.as_bytes(), nonce.as_bytes());
        if form.layout == Layout::PayloadFirst {
            let bytes = [body, end, start].concat();
            return Ok(Prepared { stamp, nonce, bytes });
        }
        // The verifier may know the key's beginning and end and look less far; whoever signs doesn't.
        let grammar = Grammar::new(form.unit, form.nonce);
        let mut splits = Splits::new(grammar, [target, &stamp, &nonce], window(form, now, None, None));
        splits.push(body);
        if splits.is_one() && check_target(head).is_ok() {
            let method = head.method().map_or("", |method| method.as_str());
            let bytes = [method.as_bytes(), target.as_bytes(), start, end, body].concat();
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
