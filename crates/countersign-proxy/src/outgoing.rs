//! What the upstream receives: built from the basis alone.

use std::collections::HashSet;
use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use countersign::{Basis, Delivery, Head, Unavailable};
use http::{HeaderName, header};

use crate::channel::Caller;
use crate::headers::{self, Connection, Word};
use crate::record::Recorded;
use crate::sent::Sent;
use crate::spool::{Held, Share};
use crate::trace::TraceId;
use crate::upgrade::Upgrade;
use crate::upstream::{Draft, Message, Unwritable};

/// Takes a recorded request apart and makes of it what goes on, where `upgrade` says so with the question for another
/// protocol.
///
/// # Errors
/// [`Unavailable`] where an identity can't be written as a header: nothing goes on under half a name.
pub(crate) async fn message(
    recorded: Recorded,
    caller: &Caller,
    upgrade: Option<&Upgrade>,
) -> Result<Message, Unavailable> {
    let (basis, trace) = recorded.into_parts();
    let from = head(&basis);
    let (Some(method), Some(path), Some(origin)) = (from.method(), from.path(), from.origin()) else {
        return Err(Unavailable::new("gateway", "a response was about to be forwarded as a request"));
    };
    let covered = |name: &HeaderName| match &basis {
        Basis::Signed(ready) => ready.covers(name),
        Basis::Both(both) => both.ready().covers(name),
        Basis::Bearer(..) | Basis::Observed(..) => false,
    };
    let named: HashSet<HeaderName> = Connection::of(from.headers()).names().filter(|name| !covered(name)).collect();
    let announced = from.headers().contains_key(header::CONTENT_LENGTH) || from.has_body();
    let mut trailers = from.trailers().clone();
    headers::remove_incoming(&mut trailers, &named);
    headers::remove_words_of_proxies(&mut trailers);
    let may_be_said = |name: &HeaderName| match headers::word_of_a_proxy(name) {
        None => true,
        Some(word) => covered(name) || (caller.by_proxy && word == Word::Certificate),
    };

    let mut head = Draft::new(method, path, from.query()).map_err(unwritable)?;
    head.text(&header::HOST, &[origin.authority()]).map_err(unwritable)?;
    for (name, value) in from.headers() {
        if !headers::is_for_us_alone(name, &named) && may_be_said(name) {
            head.field(name, value);
        }
    }
    headers::tell_origin(&mut head, caller.address, origin).map_err(unwritable)?;
    if let Some(certificate) = &caller.certificate {
        head.field(&headers::CLIENT_CERT, certificate);
    }
    identify(&mut head, &basis, trace).map_err(unwritable)?;
    if let Some(upgrade) = upgrade {
        upgrade.ask(|name, value| head.field(name, value));
    }
    let delivery = match basis {
        Basis::Signed(ready) => ready.into_parts().1,
        Basis::Both(both) => both.into_ready().into_parts().1,
        Basis::Bearer(bearer) => Delivery::AsReceived(bearer.into_request().body),
        Basis::Observed(_, outcome) => Delivery::AsReceived(outcome.request.body),
    };
    let (body, share): (_, Option<Share>) = match delivery {
        Delivery::AsReceived(Held::Memory(body, share)) => (Sent::Kept(body, trailers), Some(share)),
        Delivery::AsReceived(Held::File(body)) => (Sent::Spooled(body, trailers), None),
        Delivery::AsReceived(Held::Passing(body)) => (Sent::Passing(body), None),
        Delivery::Received(body, held) => {
            let share = held.replaced_by(body.len());
            (Sent::Kept(body, trailers), share)
        }
        Delivery::Derived { payload, sha256, body } => {
            head.text(&CONTENT_DIGEST, &["sha-256=:", &STANDARD.encode(sha256), ":"]).map_err(unwritable)?;
            let share = body.replaced_by(payload.len());
            (Sent::Kept(payload, trailers), share)
        }
        Delivery::Reframed { before, kept, after, body } => match body {
            Held::Memory(body, share) => {
                let part = part_of(&body, &kept)?;
                let body = Bytes::from([&before[..], part, &after].concat());
                head.text(&CONTENT_DIGEST, &["sha-256=:", &sha_256(&body), ":"]).map_err(unwritable)?;
                let share = Held::Memory(Bytes::new(), share).replaced_by(body.len());
                (Sent::Kept(body, trailers), share)
            }
            Held::File(body) => {
                let body = body.reframed(before, kept, after)?;
                let digest = STANDARD.encode(body.sha256().await?);
                head.text(&CONTENT_DIGEST, &["sha-256=:", &digest, ":"]).map_err(unwritable)?;
                (Sent::Spooled(Box::new(body), trailers), None)
            }
            Held::Passing(_) => {
                return Err(Unavailable::new("gateway", "what nobody verified was about to be framed anew"));
            }
        },
    };
    Ok(head.end(body, announced).with(share))
}

fn head(basis: &Basis<Held>) -> &Head {
    match basis {
        Basis::Signed(ready) => ready.head(),
        Basis::Both(both) => both.ready().head(),
        Basis::Bearer(bearer) => &bearer.request().head,
        Basis::Observed(_, outcome) => &outcome.request.head,
    }
}

/// The only place where identity headers are made, and they are made of the basis: what was only observed carries no partner.
fn identify(head: &mut Draft, basis: &Basis<Held>, trace: TraceId) -> Result<(), Unwritable> {
    head.written(&headers::TRACE, |value| value.extend_from_slice(trace.as_bytes()))?;
    if let Some(identity) = basis.identity() {
        head.text(&headers::PARTNER, &[&identity.partner])?;
        head.text(&headers::KEY, &[&identity.key])?;
        head.text(&headers::SCHEME, &[identity.scheme.as_str()])?;
    }
    match basis.token() {
        Some(token) => head.text(&headers::USER, &[token.user()]),
        None => Ok(()),
    }
}

/// RFC 9530 §2.
fn sha_256(body: &Bytes) -> String {
    STANDARD.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, body))
}

fn part_of<'a>(body: &'a Bytes, place: &Range<u64>) -> Result<&'a [u8], Unavailable> {
    let place = usize::try_from(place.start).ok().zip(usize::try_from(place.end).ok());
    let part = place.and_then(|(begin, end)| body.get(begin..end));
    part.ok_or_else(|| Unavailable::new("gateway", "a part of a body is not where it was"))
}

const CONTENT_DIGEST: HeaderName = HeaderName::from_static("content-digest");

fn unwritable(error: Unwritable) -> Unavailable {
    Unavailable::new("gateway", error)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Arc;

    use countersign::{Code, Demands, Origin, Outcome, Policy, Rejection, Timestamp, Unverified};
    use http::{HeaderMap, HeaderValue, Method};

    use super::*;
    use crate::log::{Entry, Log};
    use crate::record::Recorder;
    use crate::settings::Limits;
    use crate::spool::{Room, Spool};

    #[tokio::test]
    async fn what_was_only_observed_carries_no_partner() {
        let policy = Policy::new(Demands { observe: true, ..Demands::default() }).unwrap();
        let headers = HeaderMap::from_iter([
            (headers::PARTNER, HeaderValue::from_static("mallory")),
            (header::CONNECTION, HeaderValue::from_static("x-hop")),
            (HeaderName::from_static("x-hop"), HeaderValue::from_static("1")),
        ]);
        let origin = Origin::parse("http://api.test").unwrap();
        let head = Head::request(Method::POST, "/a?b", origin, headers, true).unwrap();
        let room = Arc::new(Room::default());
        let mut body = Spool::new(&room, &Limits::default(), true);
        body.write(Bytes::from_static(b"abc")).await.unwrap();
        let body = body.end().await.unwrap();
        let refusal = Rejection::new(Code::Unsigned, "no signature").into();
        let outcome = Outcome { request: Unverified { head, body }, refusal };
        let now = Timestamp::from_secs(1);
        let log = Log::start(Box::new(std::io::sink()), Arc::default()).unwrap();
        let mut entry = Entry::new(&log, TraceId::new(now), now);
        let basis = Basis::Observed(policy.permit().unwrap(), outcome);
        let caller = Caller { address: [127, 0, 0, 1].into(), partner: None, certificate: None, by_proxy: false };
        let recorded = Recorder::default().record(basis, &mut entry).await.unwrap();
        let message = message(recorded, &caller, None).await.unwrap();
        let text = std::str::from_utf8(message.head()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let mut lines = head.split("\r\n");
        assert_eq!((lines.next(), body), (Some("POST /a?b HTTP/1.1"), "abc"));
        let fields: HashMap<_, _> = lines.map(|line| line.split_once(": ").unwrap()).collect();
        let names: Vec<_> = fields.keys().copied().collect();
        assert!(
            !names.iter().any(|name| name.starts_with("countersign-") && *name != "countersign-trace"),
            "{names:?}"
        );
        assert_eq!(fields["countersign-trace"], entry.trace.as_str());
        assert!(!names.contains(&"x-hop"));
        assert_eq!((fields["host"], fields["content-length"]), ("api.test", "3"));
        assert_eq!(room.held(), 3);
        drop(message);
        assert_eq!(room.held(), 0);
    }
}
