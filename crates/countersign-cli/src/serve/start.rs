use countersign_proxy::Sockets;

use super::Locks;
use crate::exit::Failure;
use crate::handover::{self, Handed, Predecessor};
use crate::place::Place;
use crate::replay;

/// What a gateway begins with: its locks, and what another hands to it.
pub(crate) struct Start {
    pub(super) locks: Locks,
    pub(super) sockets: Sockets,
    /// Who serves so far.
    pub(super) predecessor: Option<Predecessor>,
    /// Whether another process may take over later.
    pub(super) may_be_taken_over: bool,
}

impl Start {
    /// With locks and sockets of its own, until its end.
    pub(crate) fn alone(place: &Place) -> Result<Self, Failure> {
        let (locks, sockets) = (Locks::acquire(place)?, Sockets::default());
        Ok(Self { locks, sockets, predecessor: None, may_be_taken_over: false })
    }

    /// The same, until another process takes over.
    pub(crate) fn replaceable(place: &Place) -> Result<Self, Failure> {
        Ok(Self { may_be_taken_over: true, ..Self::alone(place)? })
    }

    /// With all that the gateway has which serves on this data directory; as [`Start::replaceable`] where there is none.
    pub(crate) async fn taking_over(place: &Place) -> Result<Self, Failure> {
        let Some(handed) = handover::find(&place.config.data).await? else {
            return Self::replaceable(place);
        };
        let Handed { shared_memory, locks, sockets, predecessor } = handed;
        // Nobody can hand on what the other does not have: neither the memory nor the right to be alone with the registry.
        if shared_memory != replay::is_shared(&place.config.replay)? {
            let [its, ours] = if shared_memory { ["in Redis", "alone"] } else { ["alone", "in Redis"] };
            let what = format!("the gateway that serves remembers {its}, and this configuration {ours}");
            let plainly = "stop it, and start this one without --take-over: [replay] changes by a plain restart only";
            return Err(Failure::usage(what).hint(plainly));
        }
        let locks = Locks::take_over(place, locks)?;
        Ok(Self { locks, sockets, predecessor: Some(predecessor), may_be_taken_over: true })
    }
}
