use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use countersign::{
    Claim, Demands, Head, HttpMessageSignatures, Identity, Origin, Pki, Policy, Refusal, Rejection, ReplayStore,
    Scheme, Timestamp, Unavailable,
};

use crate::exit::Failure;
use crate::message::Message;

use super::keys::Keyring;

/// One case: a header of lines, an empty line, a raw message.
pub(super) struct Case {
    pub(super) name: String,
    pub(super) expect: String,
    pub(super) after: Option<String>,
    pub(super) answers: Option<String>,
    now: Timestamp,
    origin: Option<Origin>,
    demands: Demands,
    covers_nothing: bool,
    path: Option<String>,
    /// The body that the upstream is to get.
    delivers: Option<String>,
    message: Bytes,
}

impl Case {
    /// The lines that a case may have: `scheme`, `now`, `expect` (these three have to be there), `require`, `max-age`,
    /// `max-skew`, `max-body`, `nonce`, `tag`, `algorithms`, `partners`, `signer`, `replay`, `zone`, `unsigned-target`,
    /// `path`, `origin`, `open`, `unbound`, `delivers`, `after`, and for a response `answers`: the case that holds its
    /// request. A message in HTTP/2 is written with its pseudo-header fields in front, one a line.
    pub(super) fn parse(file: &Path, name: &str, text: &[u8]) -> Result<Self, Failure> {
        let fault = |what: String| Failure::usage(format!("{}: {what}", file.display()));
        let mut rest = text;
        let mut demands = Demands { schemes: Vec::new(), ..Demands::default() };
        let mut http = HttpMessageSignatures::default();
        let mut pki = Pki::default();
        let (mut now, mut expect, mut after, mut answers, mut origin, mut path, mut covers_nothing) =
            (None, None, None, None, None, None, false);
        let mut delivers = None;
        while let Some((line, behind)) = split_line(rest) {
            rest = behind;
            if line.is_empty() {
                break;
            }
            let line = std::str::from_utf8(line).map_err(|_| fault("a header line is not UTF-8".into()))?;
            let (key, value) = line.split_once(':').ok_or_else(|| fault(format!("no colon in {line:?}")))?;
            let (key, value) = (key.trim(), value.trim());
            let bad = || fault(format!("{key}: {value:?} is not understood"));
            let seconds = || value.parse().map(Duration::from_secs).map_err(|_| bad());
            match key {
                "scheme" => demands.schemes = vec![value.parse::<Scheme>().map_err(|_| bad())?],
                "now" => now = Some(Timestamp::from_secs(value.parse().map_err(|_| bad())?)),
                "expect" => expect = Some(value.to_owned()),
                "require" if value == "none" => covers_nothing = true,
                "require" => demands.require = words(value),
                "max-age" => demands.max_age = seconds()?,
                "max-skew" => demands.max_skew = Some(seconds()?),
                "max-body" => demands.max_body = value.parse().map_err(|_| bad())?,
                "nonce" => http.nonce_optional = value == "optional",
                "tag" => http.tag = Some(value.to_owned()),
                "algorithms" => {
                    http.algorithms =
                        words(value).iter().map(|name| name.parse()).collect::<Result<_, _>>().map_err(|_| bad())?;
                }
                "partners" => demands.partners = words(value),
                "signer" => pki.signer = Some(value.to_owned()),
                "replay" => pki.replay_unprotected = value == "unprotected",
                "zone" => pki.zone_utc = value == "utc",
                "unsigned-target" => demands.unsigned_target = value == "true",
                "path" => path = Some(value.to_owned()),
                "open" => {
                    demands.open =
                        words(value).iter().map(|field| field.parse()).collect::<Result<_, _>>().map_err(|_| bad())?;
                }
                "unbound" => demands.unbound = value == "true",
                "delivers" => delivers = Some(value.to_owned()),
                "origin" => origin = Some(Origin::parse(value).map_err(|_| bad())?),
                "after" => after = Some(value.to_owned()),
                "answers" => answers = Some(value.to_owned()),
                _ => return Err(fault(format!("unknown line {key}"))),
            }
        }
        if demands.schemes.is_empty() {
            return Err(fault("no scheme".into()));
        }
        demands.http_message_signatures = http;
        demands.pki = pki;
        Ok(Self {
            name: name.to_owned(),
            expect: expect.ok_or_else(|| fault("no expect".into()))?,
            after,
            answers,
            now: now.ok_or_else(|| fault("no now".into()))?,
            origin,
            demands,
            covers_nothing,
            path,
            delivers,
            message: Bytes::copy_from_slice(rest),
        })
    }

    /// The head of its message, a response's with that of the request which `answered` holds.
    fn head(&self, message: &Message, answered: Option<&Case>) -> Result<Head, Rejection> {
        if !message.is_response() {
            return message.head(self.origin.clone().map_or_else(|| message.origin(), Ok)?);
        }
        let request = answered.map(|case| case.head(&Message::parse(&case.message)?, None)).transpose()?;
        message.response_head(request)
    }

    /// The chain, to its end or its first refusal.
    pub(super) async fn pass(
        &self,
        answered: Option<&Case>,
        Keyring { keys, openers }: &Keyring,
        replay: &dyn ReplayStore,
    ) -> Result<Identity, Refusal> {
        let message = Message::parse(&self.message)?;
        let head = self.head(&message, answered)?;
        let mut demands = self.demands.clone();
        // A vector speaks of one route: where it does not say which, it is the message's own.
        demands.path = self.path.clone().unwrap_or_else(|| head.path().unwrap_or("/").to_owned());
        if self.covers_nothing {
            demands.require.clear();
        }
        let policy =
            if self.covers_nothing { Policy::dangerous_without_coverage(demands) } else { Policy::new(demands) };
        let policy = policy.map_err(|fault| Unavailable::new("policy", fault))?;
        let mut open = Claim::read(head, &Arc::new(policy))?.check(keys, self.now)?;
        let kept = open.push(message.body().clone())?;
        open.trailers(message.trailers());
        let fresh = open.finish(keys, self.now)?.first_use(keys, replay, self.now).await?;
        let (_, delivery, identity) = fresh.unpack(openers, kept)?.into_parts();
        if let Some(wanted) = &self.delivers {
            let body = delivery.into_bytes();
            if body != wanted.as_bytes() {
                let found = String::from_utf8_lossy(&body).into_owned();
                return Err(Unavailable::new("delivered", format!("{found}, not {wanted}")).into());
            }
        }
        Ok(identity)
    }
}

/// A line without its end, and what stands behind it.
fn split_line(text: &[u8]) -> Option<(&[u8], &[u8])> {
    if text.is_empty() {
        return None;
    }
    let end = text.iter().position(|&byte| byte == b'\n').unwrap_or(text.len());
    let line = &text[..end];
    Some((line.strip_suffix(b"\r").unwrap_or(line), text.get(end + 1..).unwrap_or_default()))
}

/// Words between blanks, with or without quotes.
fn words(value: &str) -> Vec<String> {
    value.split_whitespace().map(|word| word.trim_matches('"').to_owned()).collect()
}
