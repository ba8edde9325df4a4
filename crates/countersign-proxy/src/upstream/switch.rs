use countersign::Code;
use http::{Response, StatusCode};

use super::{Awaiting, Member, Outcome, Relay, Unanswered, Upstreams, failed, in_a_map, passable, send};
use crate::channel::Caller;
use crate::fault::Fault;
use crate::outgoing;
use crate::record::Recorded;
use crate::settings::Limits;
use crate::table::Route;
use crate::upgrade::{Tunnel, Upgrade};

impl Upstreams {
    /// Forwards what is on record and asks for another protocol, on a connection of its own. Where the upstream switches, the
    /// answer carries the [`Tunnel`]; else it is one like any other. It goes to the next upstream where there is no connection,
    /// and is sent once.
    ///
    /// # Errors
    /// As [`Upstreams::forward`]; `upstream_failed` also where it switches to what was not asked for.
    pub(crate) async fn switch(
        &self,
        recorded: Recorded,
        upgrade: Upgrade,
        caller: &Caller,
        route: &Route,
        limits: &Limits,
    ) -> Result<Response<Relay>, Fault> {
        let mut message = outgoing::message(recorded, caller, Some(&upgrade)).await?;
        let mut fault = failed("there is no upstream");
        for Member { destination, condition } in route.upstream.candidates() {
            let _one = condition.begin();
            let lease = match self.connect(destination, limits).await {
                Ok(lease) => lease,
                Err(error) => {
                    condition.note(Outcome::Unreachable, &error.reason());
                    condition.retried();
                    fault = error;
                    continue;
                }
            };
            let course = message.body().course().cloned();
            let awaiting = Awaiting::begin(condition, message.body(), course.as_ref());
            let answer = send(lease, &mut message, limits).await;
            awaiting.over();
            let (outcome, why) = match &answer {
                Ok(_) => (Outcome::Answered, String::new()),
                Err(Unanswered { fault: Fault::Upstream(Code::UpstreamTimeout, why), .. }) => {
                    (Outcome::Silent, why.clone())
                }
                Err(unanswered) => (Outcome::Broken, unanswered.fault.reason().into_owned()),
            };
            condition.note(outcome, &why);
            return switched(answer.map_err(|unanswered| unanswered.fault)?, upgrade);
        }
        Err(fault)
    }
}

fn switched(response: Response<Relay>, upgrade: Upgrade) -> Result<Response<Relay>, Fault> {
    let mut response = in_a_map(response);
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return passable(response);
    }
    if !upgrade.is_granted(response.headers()) {
        return Err(failed("the upstream switched to another protocol than was asked for"));
    }
    let far = response.body_mut().take_stream().ok_or_else(|| failed("the upstream kept its connection"))?;
    response.extensions_mut().insert(Tunnel::new(upgrade, far));
    Ok(response)
}
