//! The heart of the gateway: one short chain, in which each step consumes the proof that the step before produced.

use std::sync::Arc;
use std::time::Instant;

use countersign::{
    Authentic, Claim, Code, Count, Fresh, Head, Keys, Open, Openers, Ready, Refusal, Rejection, Tally, Timestamp,
    Unavailable,
};
use http::Response;

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
        let authentic = finish(open, &keys, now).await?;
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

/// Ends a body. A large document is read on a thread of its own, so that nobody else's request waits for it.
pub(crate) async fn finish(open: Open, keys: &Arc<Keys>, now: Timestamp) -> Result<Authentic, Refusal> {
    if !open.takes_long() {
        return Ok(open.finish(keys, now)?);
    }
    let keys = Arc::clone(keys);
    let finished = tokio::task::spawn_blocking(move || open.finish(&keys, now)).await;
    Ok(finished.map_err(|fault| Unavailable::new("gateway", fault))??)
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
