//! A route that only watches: everything is judged as it would be, and what does not pass goes on all the same, as it came and
//! without a name. For the first days of a gateway, until senders sign as they should.

use std::sync::Arc;

use countersign::{
    Basis, Claim, Code, Fresh, Head, Keys, Open, Openers, Outcome, Permit, Refusal, Rejection, Unverified,
};
use http::Response;

use crate::chain::{Crossing, finish};
use crate::fault::Fault;
use crate::inbound::Inbound;
use crate::log::Entry;
use crate::pace::Pace;
use crate::spool::{Held, Spool};
use crate::upstream::Relay;

impl Crossing<'_> {
    /// As [`Crossing::pass`], but for what becomes of a refusal.
    ///
    /// # Errors
    /// What is refused here all the same: a body that is not framed as it should be, too large or too slow, or that there is
    /// no room for; what is the upstream's.
    pub(crate) async fn observe(
        &self,
        permit: Permit,
        head: Head,
        body: &mut Inbound,
        entry: &mut Entry,
    ) -> Result<Response<Relay>, Fault> {
        let Self { gate, limits, route, .. } = self;
        let alone = route.policy.is_by_token_alone();
        let claim = Claim::read(head.clone(), &route.policy);
        let basis = match claim {
            _ if alone => {
                let body = self.passing(body);
                match self.borne(head.clone()) {
                    Ok(bearer) => Basis::Bearer(bearer.carrying(body)),
                    Err(refusal) => observed(permit, head, body, refusal),
                }
            }
            Err(rejection) if rejection.code() == Code::Unsigned => {
                observed(permit, head, self.passing(body), rejection.into())
            }
            claim => {
                let (verdict, held) = self.judge(claim, body, entry).await?;
                match verdict.and_then(|fresh| self.accompanied(fresh)) {
                    Ok(fresh) => {
                        // What goes on is changed where it is, and not in a copy.
                        drop(head);
                        fresh.unpack(&Openers::default(), held)?.basis()
                    }
                    Err(refusal) => observed(permit, head, held, refusal),
                }
            }
        };
        let recorded = gate.recorder.record(basis, entry).await?;
        self.awaited.begin();
        self.upstreams.forward(recorded, &self.caller, route, limits).await
    }

    /// The verdict, and all of the body as it came. The outer error is one that observing does not forgive.
    async fn judge(
        &self,
        claim: Result<Claim, Rejection>,
        body: &mut Inbound,
        entry: &mut Entry,
    ) -> Result<(Result<Fresh, Refusal>, Held), Fault> {
        let Self { gate, limits, route, .. } = self;
        let now = gate.clock.now();
        let mut open = claim.map_err(Refusal::from).and_then(|claim| {
            let keys = gate.keys(now)?;
            Ok(claim.check(&keys, now)?)
        });
        let verified = open.as_ref().is_ok_and(Open::head_holds);
        let mut spool = Spool::new(&gate.room, limits, verified);
        spool.expect(body.length().unwrap_or_default(), open.as_ref().map_or(0, Open::weight))?;
        let (most, mut length) = (route.policy.demands().max_body, 0);
        while let Some(chunk) = body.next(Pace::of(limits)).await? {
            length += chunk.len() as u64;
            if length > most {
                return Err(Rejection::new(Code::BodyTooLarge, format!("the body is longer than {most} bytes")).into());
            }
            spool.make_room(chunk.len(), open.as_ref().map_or(0, Open::weight))?;
            spool.write(chunk.clone()).await?;
            if let Ok(claimed) = &mut open
                && let Err(rejection) = claimed.push(chunk)
            {
                open = Err(rejection.into());
            }
        }
        let held = spool.end().await?;
        let trailers = body.take_trailers();
        let now = gate.clock.now();
        self.channel_holds(now)?;
        let keys = gate.keys(now).map_err(Refusal::from);
        let finished = open.and_then(|mut open| {
            open.trailers(trailers);
            let keys: Arc<Keys> = keys?;
            Ok((open, keys))
        });
        let (open, keys) = match finished {
            Ok(finished) => finished,
            Err(refusal) => return Ok((Err(refusal), held)),
        };
        let (finished, held) = finish(open, held, &keys, now).await?;
        let authentic = match finished {
            Ok(authentic) => authentic,
            Err(rejection) => return Ok((Err(rejection.into()), held)),
        };
        entry.identity = Some(authentic.identity());
        let fresh = authentic.first_use(&keys, &*gate.replay, now).await;
        gate.replay_answered(!matches!(fresh, Err(Refusal::Unavailable(_))), now);
        Ok((fresh, held))
    }
}

fn observed(permit: Permit, head: Head, body: Held, refusal: Refusal) -> Basis<Held> {
    Basis::Observed(permit, Outcome { request: Unverified::new(head, body), refusal })
}
