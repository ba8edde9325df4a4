//! User tokens on the way through: beside a signature, or alone where a route asks for nothing else.

use countersign::{Basis, Bearer, Fresh, Head, Refusal};

use crate::chain::{Admitted, Crossing};
use crate::fault::Fault;
use crate::grant::Grant;
use crate::inbound::Inbound;
use crate::log::Entry;
use crate::pace::Pace;
use crate::spool::Held;

impl Crossing<'_> {
    /// Checks the token that came with a signed request, where the route asks for one. By the keys and the time of now: the replay
    /// store may have taken its time.
    pub(crate) fn accompanied(&self, fresh: Fresh) -> Result<Fresh, Refusal> {
        if !self.route.policy.demands().user_token {
            return Ok(fresh);
        }
        let now = self.gate.clock.now();
        let (tokens, keys) = (self.gate.tokens(now)?, self.gate.keys(now)?);
        Ok(fresh.accompanied(&tokens.judge(&keys, now))?)
    }

    /// Admits a request by its token alone, and puts that on record. Its body is nobody's word: it is passed on as it comes.
    ///
    /// # Errors
    /// What [`Bearer::check`] says; `rate_limited`, which only a token that holds can tell whom to count for.
    pub(crate) async fn bear(&self, head: Head, body: &mut Inbound, entry: &mut Entry) -> Result<Admitted, Fault> {
        self.announced_length_fits(body)?;
        let bearer = self.borne(head)?;
        let standing = self.within_rate(bearer.token().partner()).await?;
        let grant = self.upgrade.is_some().then(|| Grant::of(None, Some(bearer.token())));
        let held = self.passing(body);
        let recorded = self.gate.recorder.record(Basis::Bearer(bearer.carrying(held)), entry).await?;
        Ok(Admitted { recorded, standing, grant })
    }

    /// A request with a token that holds.
    pub(crate) fn borne(&self, head: Head) -> Result<Bearer<()>, Refusal> {
        let now = self.gate.clock.now();
        let (tokens, keys) = (self.gate.tokens(now)?, self.gate.keys(now)?);
        Ok(Bearer::check(head, &self.route.policy, &tokens.judge(&keys, now))?)
    }

    /// A body that goes on as it comes, at most as much of it as the route takes.
    pub(crate) fn passing(&self, body: &mut Inbound) -> Held {
        let most = self.route.policy.demands().max_body;
        let passing = body.pass_on(most, Pace::of(self.limits));
        passing.map_or_else(|| Held::nothing(&self.gate.room), |body| Held::Passing(Box::new(body)))
    }
}
