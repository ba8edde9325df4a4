//! The heart of the gateway: one short chain, in which each step consumes the proof that the step before produced.

use std::sync::Arc;
use std::time::Instant;

use countersign::{
    Authentic, Claim, Code, Count, Fresh, Head, Keys, Open, Openers, Ready, Refusal, Rejection, Tally, Timestamp,
    Unavailable,
};
use http::Response;

use crate::awaited::Awaited;
use crate::channel::{Caller, Channel};
use crate::fault::Fault;
use crate::gate::Gate;
use crate::grant::Grant;
use crate::inbound::Inbound;
use crate::log::Entry;
use crate::pace::Pace;
use crate::rate::Standing;
use crate::record::Recorded;
use crate::settings::Limits;
use crate::spool::{Held, Spool};
use crate::table::Route;
use crate::upgrade::{Tunnel, Upgrade};
use crate::upstream::{Relay, Upstreams};

/// Where a request came in, and where it may go.
pub(crate) struct Crossing<'a> {
    pub(crate) gate: &'a Arc<Gate>,
    pub(crate) upstreams: &'a Upstreams,
    pub(crate) route: &'a Route,
    pub(crate) openers: Arc<Openers>,
    pub(crate) limits: &'a Limits,
    /// The connection, and who is at its other end.
    pub(crate) channel: &'a Arc<Channel>,
    pub(crate) caller: Caller,
    /// The protocol that is asked for, which only a signed request is given.
    pub(crate) upgrade: Option<Upgrade>,
    /// To be told when the caller may leave.
    pub(crate) awaited: Awaited,
}

/// What may go on.
pub(crate) struct Admitted {
    pub(crate) recorded: Recorded,
    /// What its quota leaves to its partner.
    pub(crate) standing: Option<Standing>,
    /// What a tunnel that outlives the request is granted for, where one is asked for.
    pub(crate) grant: Option<Grant>,
}

impl Crossing<'_> {
    /// Verifies a request and forwards it.
    ///
    /// # Errors
    /// The first fault, in the order of the contract; then nothing was forwarded, unless it is the upstream's.
    pub(crate) async fn pass(
        &self,
        head: Head,
        body: &mut Inbound,
        entry: &mut Entry,
    ) -> Result<Response<Relay>, Fault> {
        let Self { route, limits, .. } = self;
        if let Some(permit) = route.policy.permit() {
            self.announced_length_fits(body)?;
            return self.observe(permit, head, body, entry).await;
        }
        let Admitted { recorded, standing, grant } = if route.policy.is_by_token_alone() {
            self.bear(head, body, entry).await?
        } else {
            self.admit(head, body, entry).await?
        };
        self.awaited.begin();
        let mut response = match &self.upgrade {
            None => self.upstreams.forward(recorded, &self.caller, route, limits).await?,
            Some(upgrade) => {
                let mut response =
                    self.upstreams.switch(recorded, upgrade.clone(), &self.caller, route, limits).await?;
                Tunnel::bind(&mut response, self.still_granted(grant));
                response
            }
        };
        if let Some(standing) = standing {
            standing.tell(response.headers_mut());
        }
        Ok(response)
    }

    /// Verifies a request, and puts it on record.
    ///
    /// # Errors
    /// The first fault, in the order of the contract; then nothing came of the request.
    pub(crate) async fn admit(&self, head: Head, body: &mut Inbound, entry: &mut Entry) -> Result<Admitted, Fault> {
        let Self { gate, route, limits, .. } = self;
        self.announced_length_fits(body)?;
        let claim = Claim::read(head, &route.policy)?;
        let now = gate.clock.now();
        let mut open = claim.check(&*gate.keys(now)?, now)?;

        let mut spool = Spool::new(&gate.room, limits, open.head_holds());
        spool.expect(body.length().unwrap_or_default(), open.weight())?;
        while let Some(chunk) = body.next(Pace::of(limits)).await.map_err(|fault| open.blame(fault))? {
            spool.make_room(chunk.len(), open.weight())?;
            spool.write(open.push(chunk)?).await?;
        }
        let held = spool.end().await?;
        open.trailers(body.take_trailers());

        // The body may have taken long: what is judged from here on is judged by the keys and the time of now.
        let now = gate.clock.now();
        let keys = gate.keys(now)?;
        self.channel_holds(now)?;
        let (finished, held) = finish(open, held, &keys, now).await?;
        let authentic = finished?;
        entry.identity = Some(authentic.identity());
        let limit = route.rate.as_ref().map(|(quota, _)| (&*route.name, *quota));
        let fresh = authentic.first_use_counted(&keys, &*gate.replay, limit, now).await;
        gate.replay_answered(!matches!(fresh, Err(Refusal::Unavailable(_))), now);
        let (fresh, tally) = fresh?;
        let signer = self.upgrade.is_some().then(|| fresh.signer());
        let standing = self.told(tally, &fresh.identity().partner)?;
        let fresh = self.accompanied(fresh)?;
        let ready = unpack(fresh, &self.openers, held).await?;
        let basis = ready.basis();
        let grant = signer.map(|signer| Grant::of(Some(signer), basis.token()));
        let recorded = gate.recorder.record(basis, entry).await?;
        Ok(Admitted { recorded, standing, grant })
    }

    /// Whether a tunnel may go on: what it was granted for and its caller's certificate are judged as they would be for a request.
    fn still_granted(&self, grant: Option<Grant>) -> impl Fn() -> bool + Send + Sync + 'static {
        let (gate, channel) = (Arc::clone(self.gate), Arc::clone(self.channel));
        move || {
            let now = gate.clock.now();
            let stands = grant.as_ref().is_some_and(|grant| grant.stands(&gate, now));
            stands && channel.caller(gate.table.load().client_auth(), now).is_ok()
        }
    }

    /// Counts a request that spends no use, as [`Crossing::told`] does.
    pub(crate) async fn within_rate(&self, partner: &str) -> Result<Option<Standing>, Fault> {
        let Some((quota, _)) = &self.route.rate else { return Ok(None) };
        let count = Count { route: &self.route.name, partner, quota: *quota };
        let counted = self.gate.replay.first_use_counted(None, &count, self.gate.clock.now()).await;
        self.told(counted?.1, partner)
    }

    /// Counts the request for its partner, whose signature or token held, so that nobody else can spend what it may ask for; or
    /// hears what those who share the memory counted together.
    fn told(&self, tally: Option<Tally>, partner: &str) -> Result<Option<Standing>, Fault> {
        let Some((quota, partners)) = &self.route.rate else { return Ok(None) };
        let now = self.gate.rates.time(Instant::now());
        let standing = partners.take(partner, *quota, tally, now);
        if standing.is_over() { Err(Fault::Limited(standing)) } else { Ok(Some(standing)) }
    }

    /// The caller's certificate may have been revoked while the body came.
    pub(crate) fn channel_holds(&self, now: Timestamp) -> Result<(), Rejection> {
        self.channel.caller(self.gate.table.load().client_auth(), now).map(drop)
    }

    /// What is announced to be too large is refused before a byte of it is asked for.
    pub(crate) fn announced_length_fits(&self, body: &Inbound) -> Result<(), Rejection> {
        let most = self.route.policy.demands().max_body;
        match body.length() {
            Some(length) if length > most => {
                Err(Rejection::new(Code::BodyTooLarge, format!("the body is longer than {most} bytes")))
            }
            _ => Ok(()),
        }
    }
}

/// Ends a body. A large document is read on a thread of its own, so that nobody else's request waits for it. What is held of it
/// goes there, too: should the caller leave, nobody waits for the thread, and the room is taken for as long as the bytes are.
///
/// # Errors
/// [`Unavailable`] where that thread failed, and with it what was held.
pub(crate) async fn finish(
    open: Open,
    held: Held,
    keys: &Arc<Keys>,
    now: Timestamp,
) -> Result<(Result<Authentic, Rejection>, Held), Unavailable> {
    if !open.takes_long() {
        return Ok((open.finish(keys, now), held));
    }
    let keys = Arc::clone(keys);
    let finished = tokio::task::spawn_blocking(move || (open.finish(&keys, now), held)).await;
    finished.map_err(|fault| Unavailable::new("gateway", fault))
}

/// Takes out what goes on. Where many fields may be sealed they are opened on a thread of their own.
async fn unpack(fresh: Fresh, openers: &Arc<Openers>, held: Held) -> Result<Ready<Held>, Refusal> {
    if !fresh.takes_long() {
        return Ok(fresh.unpack(openers, held)?);
    }
    let openers = Arc::clone(openers);
    let unpacked = tokio::task::spawn_blocking(move || fresh.unpack(&openers, held)).await;
    Ok(unpacked.map_err(|fault| Unavailable::new("gateway", fault))??)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use bytes::Bytes;
    use countersign::{
        Algorithm, Claim, Demands, KeyRecord, KeyState, Material, Origin, Policy, Scheme, SigningKey, VerifyingKey,
    };
    use http::{HeaderMap, HeaderValue, Method, header};

    use super::*;
    use crate::spool::Room;

    fn keys() -> Keys {
        let pair = SigningKey::generate(Algorithm::RsaPssSha256, 2048).unwrap();
        let record = KeyRecord {
            partner: "acme".to_owned(),
            partner_active: true,
            id: "acme-pki".to_owned(),
            version: 1,
            scheme: Scheme::Pki,
            algorithm: Algorithm::RsaPssSha256,
            state: KeyState::Active,
            not_before: None,
            not_after: None,
            form: None,
            material: Material::from_public_pem(pair.public.as_bytes()).unwrap(),
        };
        Keys::new([VerifyingKey::new(record).unwrap()])
    }

    /// A document whose signature does not hold, as far as it is known before it is read.
    async fn document(room: &Arc<Room>, keys: &Keys, now: Timestamp) -> (Open, Held) {
        let demands = Demands { schemes: vec![Scheme::Pki], path: "/a".to_owned(), ..Demands::default() };
        let headers = HeaderMap::from_iter([
            (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (header::AUTHORIZATION, format!("PKI acme-pki:{}", "AAAA".repeat(85) + "AA==").parse().unwrap()),
        ]);
        let head = Head::request(Method::POST, "/a", Origin::parse("http://api.test").unwrap(), headers, true).unwrap();
        let policy = Arc::new(Policy::new(demands).unwrap());
        let mut open = Claim::read(head, &policy).unwrap().check(keys, now).unwrap();
        let text = "x".repeat(300 << 10);
        let body = format!("{{\"timestamp\": {}, \"message_id\": \"1\", \"text\": \"{text}\"}}", now.as_secs());
        let mut spool = Spool::new(room, &Limits::default(), false);
        spool.make_room(body.len(), open.weight()).unwrap();
        spool.write(open.push(Bytes::from(body)).unwrap()).await.unwrap();
        (open, spool.end().await.unwrap())
    }

    /// Else whoever sends documents and leaves finds the room empty each time, while all of them are still in memory.
    #[test]
    fn a_document_has_its_share_of_the_room_until_it_is_read_also_where_its_caller_has_left() {
        let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).enable_time().build();
        runtime.unwrap().block_on(async {
            let (room, keys, now) = (Arc::new(Room::default()), Arc::new(keys()), Timestamp::from_secs(1_700_000_000));
            let (open, held) = document(&room, &keys, now).await;
            assert!(open.takes_long());
            let taken = room.held();
            assert!(taken > 300 << 10);
            let (release, busy) = mpsc::channel::<()>();
            let blocking = tokio::task::spawn_blocking(move || busy.recv());
            let left = tokio::time::timeout(Duration::from_millis(50), finish(open, held, &keys, now)).await;
            assert!(left.is_err());
            assert_eq!(room.held(), taken, "it is still in memory");
            drop(release);
            assert!(blocking.await.is_ok());
            for _ in 0..1000 {
                if room.held() == 0 {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            panic!("{} bytes are held", room.held());
        });
    }
}
