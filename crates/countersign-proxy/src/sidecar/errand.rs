//! One request: who asks, its body, its signature, and the way to where it goes.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use countersign::{Code, Draft, Head, Origin, Rejection, SignError, Unavailable};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri, header};

use super::{Desk, guard, sealing};
use crate::arrival::Opening;
use crate::fault::Fault;
use crate::headers::{self, Connection};
use crate::inbound::Inbound;
use crate::log::Entry;
use crate::pace::Pace;
use crate::sent::Sent;
use crate::spool::{Held, Share, Spool};
use crate::upstream::Relay;

impl Desk {
    /// Signs a request and sends it, of which `entry` has a line from then on. What is left of its body comes back in `left`.
    ///
    /// # Errors
    /// `partner_not_allowed`, `no_route`, `malformed`, `body_too_large`, `too_slow`: what is not signed; `unavailable` where
    /// signing fails; what is the destination's.
    pub(super) async fn run(
        &self,
        opening: Opening,
        left: &mut Option<Inbound>,
        entry: &mut Entry,
    ) -> Result<Response<Relay>, Fault> {
        let body = left.insert(opening.body);
        let (settings, limits) = (&self.settings, &self.settings.limits);
        guard::check(&opening.headers, &opening.host?, &settings.to, self.own_port)?;
        let target = own_target(&opening.target, &settings.to)?;
        let mut fields = opening.headers;
        let named: HashSet<_> = Connection::of(&fields).names().collect();
        headers::remove_incoming(&mut fields, &named);
        if settings.seal.is_some() {
            sealing::remove_digests(&mut fields);
        }
        let head = Head::request(opening.method, &target, settings.to.clone(), fields, opening.has_body)?;
        let method = head.method().cloned().unwrap_or_default();
        guard::check_allowed(&settings.allow, &method, head.path().unwrap_or_default())?;

        let (content, share) = self.read(body).await?;
        let content = match &settings.seal {
            Some(seal) => sealing::sealed(seal, content, self.clock.now()).await?,
            None => content,
        };
        opening.awaited.begin();
        let order = Order { head, method, target, content, share: Arc::new(share) };
        if let Some(lease) = self.upstreams.unused(&self.to, limits)
            && let Some(answer) = self.upstreams.send_on(lease, self.sign(&order, entry).await?, limits).await?
        {
            return Ok(answer);
        }
        self.upstreams.send_anew(self.sign(&order, entry).await?, &self.to, limits).await
    }

    /// The request for one attempt, with a nonce and a time of its own: a verifier may have spent the one before.
    async fn sign(&self, order: &Order, entry: &mut Entry) -> Result<Request<Sent>, Fault> {
        let Order { head, method, target, content, share } = order;
        let mut draft = Draft::new(head.clone(), self.settings.form.clone());
        draft.push(content);
        let unsigned = draft.finish(&(self.nonce)()?, self.clock.now()).map_err(|error| unsignable(&error))?;
        let signer = (self.signer)();
        let signed = unsigned.sign(&*signer).await.map_err(failed)?;
        entry.owe();
        let body = signed.body().cloned().unwrap_or_else(|| content.clone());
        let mut fields = head.headers().clone();
        signed.apply(&mut fields);
        outgoing(method, target, fields, accounted(body, share), self.settings.to.authority())
    }

    async fn read(&self, body: &mut Inbound) -> Result<(Bytes, Share), Fault> {
        let (limits, most) = (&self.settings.limits, self.settings.max_body);
        let too_large = || Rejection::new(Code::BodyTooLarge, format!("the body is longer than {most} bytes"));
        if body.length().is_some_and(|length| length > most) {
            return Err(too_large().into());
        }
        let mut spool = Spool::new(&self.room, limits, true);
        let mut length = 0;
        while let Some(chunk) = body.next(Pace::of(limits)).await? {
            length += chunk.len() as u64;
            if length > most {
                return Err(too_large().into());
            }
            spool.write(chunk).await?;
        }
        match spool.end().await? {
            Held::Memory(bytes, share) => Ok((bytes, share)),
            Held::File(_) | Held::Passing(_) => Err(Unavailable::new("sidecar", "a body is not in memory").into()),
        }
    }
}

/// What is to be signed and sent, once or twice.
struct Order {
    head: Head,
    method: Method,
    target: String,
    content: Bytes,
    /// The room that the content takes.
    share: Arc<Share>,
}

/// The same bytes, whose share of the room is taken for as long as any of them is there: an answer may begin before they are sent.
fn accounted(body: Bytes, share: &Arc<Share>) -> Bytes {
    Bytes::from_owner(Accounted { body, _share: Arc::clone(share) })
}

struct Accounted {
    body: Bytes,
    _share: Arc<Share>,
}

impl AsRef<[u8]> for Accounted {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

/// The target as it goes on: a sender that takes us for its proxy names the destination in it.
fn own_target(target: &str, to: &Origin) -> Result<String, Rejection> {
    let absolute = ["http://", "https://"].iter().find_map(|scheme| target.strip_prefix(scheme));
    let Some(rest) = absolute else { return Ok(target.to_owned()) };
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let theirs = Origin::new(to.scheme() == "https", authority).is_ok_and(|origin| origin == *to);
    if !theirs {
        return Err(Rejection::new(Code::Malformed, "the target is another host than this sidecar signs for"));
    }
    Ok(if path.starts_with('/') { path.to_owned() } else { format!("/{path}") })
}

fn outgoing(
    method: &Method,
    target: &str,
    mut fields: HeaderMap,
    body: Bytes,
    authority: &str,
) -> Result<Request<Sent>, Fault> {
    let unwritable = |what: String| Unavailable::new("sidecar", what);
    let host = HeaderValue::from_str(authority).map_err(|e| unwritable(e.to_string()))?;
    fields.insert(header::HOST, host);
    if !body.is_empty() || matches!(*method, Method::POST | Method::PUT | Method::PATCH) {
        fields.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    }
    let path = PathAndQuery::try_from(target).map_err(|e| unwritable(e.to_string()))?;
    let mut request = Request::new(Sent::Kept(body, HeaderMap::new()));
    *request.method_mut() = method.clone();
    *request.uri_mut() = Uri::from(path);
    *request.headers_mut() = fields;
    Ok(request)
}

/// The sender's message can't be carried by the scheme.
fn unsignable(error: &SignError) -> Fault {
    Rejection::new(Code::Malformed, error.to_string()).into()
}

/// The signer did not do its part.
fn failed(error: SignError) -> Fault {
    Unavailable::new("signer", error).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Limits;
    use crate::spool::Room;

    /// Else many whose answers begin early hold more than there is room for.
    #[tokio::test]
    async fn a_body_that_is_not_sent_yet_has_its_share_of_the_room_whatever_was_answered() {
        let room = Arc::new(Room::default());
        let mut spool = Spool::new(&room, &Limits::default(), true);
        spool.write(Bytes::from(vec![b'x'; 50_000])).await.unwrap();
        let Held::Memory(content, share) = spool.end().await.unwrap() else { panic!("it is not in memory") };
        let share = Arc::new(share);
        let sent = accounted(content.clone(), &share);
        assert_eq!(sent, content);
        let rest = sent.slice(40_000..);
        drop((content, share, sent));
        assert!(room.held() >= 50_000, "{} bytes", room.held());
        drop(rest);
        assert_eq!(room.held(), 0);
    }
}
