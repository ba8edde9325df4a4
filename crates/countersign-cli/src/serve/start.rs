use std::net::TcpListener;
use std::time::Duration;

use countersign_proxy::Sockets;
use countersign_store::{DataLock, LockError};
use listenfd::ListenFd;
use tokio::time::{Instant, sleep};

use super::Locks;
use crate::exit::Failure;
use crate::handover::{self, Found, Handed, Predecessor};
use crate::place::Place;
use crate::{output, replay};

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
    /// With locks of its own, until its end, and sockets of its own where no service manager listens for it.
    pub(crate) fn alone(place: &Place) -> Result<Self, Failure> {
        let (locks, sockets) = (Locks::acquire(place)?, of_service_manager(place));
        Ok(Self { locks, sockets, predecessor: None, may_be_taken_over: false })
    }

    /// The same at a socket that is open already, so that nobody else gets its port.
    pub(crate) fn at(place: &Place, listener: Option<TcpListener>) -> Result<Self, Failure> {
        let mut start = Self::alone(place)?;
        start.sockets.listen.extend(listener);
        Ok(start)
    }

    /// The same, until another process takes over.
    pub(crate) fn replaceable(place: &Place) -> Result<Self, Failure> {
        Ok(Self { may_be_taken_over: true, ..Self::alone(place)? })
    }

    /// With all that the gateway has which serves on this data directory; as [`Start::replaceable`] where there is none.
    pub(crate) async fn taking_over(place: &Place) -> Result<Self, Failure> {
        let data = &place.config.data;
        let (mut patience, mut told) = (Patience::new(Instant::now()), false);
        let handed = loop {
            let asked = Instant::now();
            match handover::find(data).await? {
                Found::Estate(handed) => break handed,
                Found::Left => patience.left(asked, Instant::now()),
                Found::Nobody => {}
            }
            // One that has itself just taken over, or that is just starting, has the lock and does not offer anything yet.
            // What is got by asking is let go of at once, or it would stand in our own way.
            let held = matches!(DataLock::acquire(data), Err(LockError::Held { .. }));
            if !held || patience.is_over(Instant::now()) {
                return Self::replaceable(place);
            }
            if !told && patience.is_tried(Instant::now()) {
                let hints = ["it may be starting or ending; this process waits".to_owned()];
                output::warning(
                    format!("the gateway on {} does not let anybody take over yet", data.display()),
                    &hints,
                );
                told = true;
            }
            sleep(Duration::from_millis(20)).await;
        };
        let Handed { shared_memory, locks, sockets, predecessor } = *handed;
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

/// How long to wait for a gateway that has the lock and hands nothing over.
struct Patience {
    began: Instant,
    /// The same, or when another one had taken over from whom was asked: then the next one may settle.
    since: Instant,
}

impl Patience {
    fn new(now: Instant) -> Self {
        Self { began: now, since: now }
    }

    /// Who was asked has left. One that closes at once, whatever its reason, is no other than before.
    fn left(&mut self, asked: Instant, now: Instant) {
        if now - asked >= TAKING {
            self.since = now;
        }
    }

    /// Whether it is time to say that this process waits.
    fn is_tried(&self, now: Instant) -> bool {
        now - self.since >= SETTLING / 10
    }

    fn is_over(&self, now: Instant) -> bool {
        now - self.since >= SETTLING || now - self.began >= LONGEST
    }
}

/// What a service manager listens on for us (sd_listen_fds(3)): it keeps them open, so that callers wait while one process ends
/// and the next begins. Told apart by their addresses.
fn of_service_manager(place: &Place) -> Sockets {
    let mut handed = ListenFd::from_env();
    let mut sockets = Sockets { kept_open: handed.len() > 0, ..Sockets::default() };
    let admin = place.config.admin.listen;
    for at in 0..handed.len() {
        match handed.take_tcp_listener(at) {
            Ok(Some(listener)) => match listener.local_addr() {
                Ok(own) if own == admin => sockets.admin = Some(listener),
                Ok(own) if place.config.gateway.listen.contains(&own) => sockets.listen.push(listener),
                own => {
                    let own = own.map_or_else(|fault| fault.to_string(), |own| own.to_string());
                    let hint = "make ListenStream= of the .socket unit and `listen` of [gateway] or [admin] the same";
                    output::warning(
                        format!("the service manager listens on {own}, which is not asked for"),
                        &[hint.to_owned()],
                    );
                }
            },
            Ok(None) => {}
            Err(fault) => output::warning(format!("a socket of the service manager is no TCP listener: {fault}"), &[]),
        }
    }
    sockets
}

/// For a gateway that begins or ends: as long as it takes to read or to write millions of marks.
const SETTLING: Duration = Duration::from_secs(60);
/// As long as one takes at least that has another one take over.
const TAKING: Duration = Duration::from_millis(100);
/// However many take over before this one.
const LONGEST: Duration = Duration::from_secs(240);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateway_that_closes_at_once_is_not_waited_for_for_ever_and_neither_are_many_that_take_over() {
        let began = Instant::now();
        let after = |millis| began + Duration::from_millis(millis);
        let mut patience = Patience::new(began);
        for at in (0..60_000).step_by(20) {
            assert!(!patience.is_over(after(at)));
            assert_eq!(patience.is_tried(after(at)), at >= 6_000);
            patience.left(after(at), after(at + 1));
        }
        assert!(patience.is_over(after(60_000)));

        let mut patience = Patience::new(began);
        for at in (0..240_000).step_by(2_000) {
            assert!(!patience.is_over(after(at)) && !patience.is_tried(after(at)));
            patience.left(after(at), after(at + 1_000));
        }
        assert!(patience.is_over(after(240_000)));
    }
}
