//! `Authorization: PKI …`: RSA-PSS over what Python prints for the body.
//!
//! `body` has the two kinds of bodies; JSON is read by the crate's `json`, a form by `multipart` of `part`s, whose headers
//! have `parameters`.

mod body;
mod multipart;
mod parameters;
mod part;

use std::borrow::Cow;

pub(crate) use body::to_sign;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header;

use super::{Reading, Signed, Stream, Whole, check_target_of_body_only};
use crate::algorithm::{Algorithm, Scheme};
use crate::json::{self, Malformed, Value};
use crate::judge::{Claimed, Facts};
use crate::message::Head;
use crate::policy::{Pki, Policy};
use crate::rejection::{Code, Rejection};
use crate::time::Timestamp;

/// The members of the printing that is signed for a multipart body: a JSON body must not read as one.
const MULTIPART_PRINTING: [&str; 5] = ["content_type", "fields", "filename", "sha256", "size"];

/// Reads the head; the rest stands in the body.
pub(crate) fn read(head: &Head, policy: &Policy) -> Result<Reading, Rejection> {
    if !head.has_body() {
        return Err(Rejection::new(Code::Unsigned, "this scheme signs the body, and there is none"));
    }
    let (key_id, signature) = credentials(head)?;
    // Where nobody is named it is nobody: no key has an empty id.
    let signer = key_id.or_else(|| policy.demands.pki.signer.clone()).unwrap_or_default();
    match body::Kind::of(head)? {
        Some(body::Kind::Json) => Ok(Reading::Whole(Box::new(SignedJson { signer, signature }))),
        Some(body::Kind::Multipart(boundary)) => {
            let reader = multipart::Reader::new(&boundary);
            Ok(Reading::Stream(Box::new(SignedForm { signer, signature, reader })))
        }
        None => Err(malformed("this scheme takes application/json or multipart/form-data")),
    }
}

/// `PKI <base64>` or `PKI <keyid>:<base64>`.
fn credentials(head: &Head) -> Result<(Option<String>, Vec<u8>), Rejection> {
    let form = || malformed("the Authorization header is not PKI <base64> or PKI <keyid>:<base64>");
    let value = head.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).ok_or_else(form)?;
    let credentials = value.strip_prefix("PKI ").ok_or_else(form)?;
    let (key_id, signature) = match credentials.split_once(':') {
        Some((id, signature)) if is_id(id) => (Some(id.to_owned()), signature),
        Some(_) => return Err(form()),
        None => (None, credentials),
    };
    let signature = STANDARD.decode(signature).map_err(|_| form())?;
    if signature.is_empty() {
        return Err(form());
    }
    Ok((key_id, signature))
}

/// Ids of partners, keys and sites: `[A-Za-z0-9._-]{1,64}`.
pub(crate) fn is_id(id: &str) -> bool {
    (1..=64).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

fn malformed(reason: &'static str) -> Rejection {
    Rejection::new(Code::Malformed, reason)
}

struct SignedJson {
    signer: String,
    signature: Vec<u8>,
}

impl Whole for SignedJson {
    fn finish(self: Box<Self>, head: &Head, body: &Bytes, policy: &Policy) -> Result<Box<Signed>, Rejection> {
        body::Body::read(&body::Kind::Json, body)?.signed(self.signer, self.signature, head, policy)
    }
}

/// A form, which is read as it passes.
struct SignedForm {
    signer: String,
    signature: Vec<u8>,
    reader: multipart::Reader,
}

impl Stream for SignedForm {
    fn push(&mut self, chunk: &[u8]) -> Result<(), Rejection> {
        Ok(self.reader.push(chunk)?)
    }

    fn weight(&self) -> usize {
        self.reader.weight()
    }

    fn finish(self: Box<Self>, head: &Head, policy: &Policy) -> Result<Box<Signed>, Rejection> {
        body::Body::Form(self.reader.finish()?).signed(self.signer, self.signature, head, policy)
    }
}

impl body::Body<'_> {
    fn signed(
        self,
        signer: String,
        signature: Vec<u8>,
        head: &Head,
        policy: &Policy,
    ) -> Result<Box<Signed>, Rejection> {
        let body = self;
        let settings = &policy.demands.pki;
        let (created, nonce) =
            if settings.replay_unprotected { (None, None) } else { (body.timestamp(settings)?, body.nonce()?) };
        let missing = match check_target_of_body_only(head, policy) {
            Err(_) => Some(
                "the target, so this scheme is taken with POST to exactly the route's path, without query".to_owned(),
            ),
            Ok(()) if settings.replay_unprotected => None,
            Ok(()) if created.is_none() => Some("a member or field timestamp".to_owned()),
            Ok(()) if nonce.is_none() => Some("a member or field message_id".to_owned()),
            Ok(()) => None,
        };
        let bytes = body.printed();
        let payload = body.rebuilt(&bytes)?;
        let facts = Facts {
            scheme: Scheme::Pki,
            signer,
            algorithm: Claimed::Known(Algorithm::RsaPssSha256),
            created,
            expires: None,
            nonce,
            missing,
            timed: !settings.replay_unprotected,
        };
        Ok(Signed::body(facts, bytes, signature, payload))
    }
}

fn refuse_multipart_printing(root: Value<'_, '_>) -> Result<(), Malformed> {
    let same = root.kind() == json::Kind::Object
        && root.len() == MULTIPART_PRINTING.len()
        && MULTIPART_PRINTING.iter().all(|name| root.member(name).is_some());
    if same {
        return Err(Malformed("the document reads as the printing of a multipart body"));
    }
    Ok(())
}

/// `message_id`: a string of 1 to 128 bytes.
fn nonce(text: Option<Cow<'_, str>>) -> Result<Vec<u8>, Rejection> {
    match text {
        Some(text) if (1..=128).contains(&text.len()) => Ok(text.into_owned().into_bytes()),
        _ => Err(malformed("message_id is not a string of 1 to 128 bytes")),
    }
}

/// `timestamp`: RFC 3339 with a zone, or an integer of seconds in exactly 10 digits.
fn timestamp(value: Value<'_, '_>, settings: &Pki) -> Result<Timestamp, Rejection> {
    if let Some(digits) = value.as_integer() {
        return seconds(digits);
    }
    match value.as_str() {
        Some(text) => rfc3339(&text, settings.zone_utc),
        None => Err(malformed("timestamp is neither a string nor an integer")),
    }
}

/// Seconds since the epoch in exactly 10 digits: no sign, no exponent, no leading zero.
pub(crate) fn seconds(digits: &str) -> Result<Timestamp, Rejection> {
    let exact = digits.len() == 10 && digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    match digits.parse() {
        Ok(seconds) if exact => Ok(Timestamp::from_secs(seconds)),
        _ => Err(malformed("the timestamp is not seconds since the epoch in exactly 10 digits")),
    }
}

/// `2026-11-23T10:00:00Z`, with an optional fraction and with `Z` or `±hh:mm`; without either where the route says so.
pub(crate) fn rfc3339(text: &str, zone_utc: bool) -> Result<Timestamp, Rejection> {
    let bad = || malformed("the timestamp is not RFC 3339 with a zone");
    let bytes = text.as_bytes();
    let digits = |from: usize, to: usize| bytes.get(from..to).is_some_and(|part| part.iter().all(u8::is_ascii_digit));
    let sign = |at: usize, any: &[u8]| bytes.get(at).is_some_and(|byte| any.contains(byte));
    let date = digits(0, 4) && sign(4, b"-") && digits(5, 7) && sign(7, b"-") && digits(8, 10) && sign(10, b"Tt");
    let time = digits(11, 13) && sign(13, b":") && digits(14, 16) && sign(16, b":") && digits(17, 19);
    if !date || !time {
        return Err(bad());
    }
    let mut at = 19;
    if sign(at, b".") {
        let length = bytes[at + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        if !(1..=9).contains(&length) {
            return Err(bad());
        }
        at += 1 + length;
    }
    let zoned = match &bytes[at..] {
        b"Z" | b"z" => text.to_owned(),
        // RFC 3339 §5.6: time-numoffset has an hour of 00 to 23 and a minute of 00 to 59.
        [b'+' | b'-', hour, _, b':', minute, _]
            if digits(at + 1, at + 3)
                && digits(at + 4, at + 6)
                && (*hour < b'2' || &text[at + 1..at + 3] <= "23")
                && *minute < b'6' =>
        {
            text.to_owned()
        }
        [] if zone_utc => format!("{text}Z"),
        _ => return Err(bad()),
    };
    let moment: jiff::Timestamp = zoned.parse().map_err(|_| bad())?;
    Ok(Timestamp::from_millis(moment.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_stamps_have_one_form() {
        let at = |text: &str| rfc3339(text, false).map(Timestamp::as_millis).ok();
        assert_eq!(at("2021-04-20T02:07:53Z"), Some(1_618_884_473_000));
        assert_eq!(at("2021-04-20t02:07:53.5z"), Some(1_618_884_473_500));
        assert_eq!(at("2021-04-20T04:07:53+02:00"), Some(1_618_884_473_000));
        assert_eq!(at("2021-04-19T22:07:53.123456-04:00"), Some(1_618_884_473_123));
        assert_eq!(at("2021-04-20T02:07:53-00:00"), Some(1_618_884_473_000));
        assert_eq!(at("2021-04-21T02:06:53+23:59"), Some(1_618_884_473_000));
        for bad in [
            "2021-04-20T02:07:53",
            "2021-04-20 02:07:53Z",
            "20210420T020753Z",
            "2021-04-20T02:07Z",
            "2021-04-20T02:07:",
            "2021-04-20T02:07:5",
            "2021-04-20T02:07:53+02",
            "2021-04-20T02:07:53+0200",
            "2021-04-20T02:07:53Z[UTC]",
            "2021-04-20T02:07:53.Z",
            "2021-13-20T02:07:53Z",
            "",
            "é",
            "2021-04-20T25:07:53Z",
            " 2021-04-20T02:07:53Z",
            "2021-04-20T02:07:53,5Z",
            "+002021-04-20T02:07:53Z",
            "2021-04-20T24:00:00Z",
            "2021-04-20T02:60:53Z",
            "2021-04-20T02:07:61Z",
            "2021-04-31T02:07:53Z",
            "2021-02-29T02:07:53Z",
            "2021-04-20T02:07:53+24:00",
            "2021-04-20T02:07:53+02:60",
            "2021-04-20T02:07:53+02:00Z",
            "2021-04-20T02:07:53.1234567890Z",
        ] {
            assert_eq!(at(bad), None, "{bad}");
        }
        assert!(rfc3339("2021-04-20T02:07:53.123456", true).is_ok());
    }

    #[test]
    fn seconds_are_exactly_ten_digits() {
        assert_eq!(seconds("1618884473").map(Timestamp::as_secs), Ok(1_618_884_473));
        for bad in [
            "0618884473",
            "161888447",
            "16188844730",
            "-161888447",
            "+161888447",
            "1618884473000",
            "1.61888447",
            "١٢٣٤٥",
        ] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }
}
