use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How one upstream of a route is, as requests and probes find it. Shared by all workers, and kept across reloads.
#[derive(Default)]
pub(crate) struct Condition {
    down: AtomicBool,
    /// Failures in a row that speak of the upstream only when there are several.
    doubts: AtomicU32,
    outstanding: AtomicUsize,
    counts: [AtomicU64; Outcome::ALL.len()],
    retries: AtomicU64,
    state: Mutex<State>,
}

/// What came of handing a request to an upstream. Any answer is one: what it says is between the caller and the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It answered.
    Answered,
    /// There was no connection.
    Unreachable,
    /// The connection broke off before an answer.
    Broken,
    /// No answer came in time.
    Silent,
    /// Nobody waited for its answer any longer.
    Abandoned,
}

impl Outcome {
    pub(crate) const ALL: [Self; 5] = [Self::Answered, Self::Unreachable, Self::Broken, Self::Silent, Self::Abandoned];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Unreachable => "unreachable",
            Self::Broken => "broken",
            Self::Silent => "silent",
            Self::Abandoned => "abandoned",
        }
    }
}

#[derive(Default)]
struct State {
    /// Why it is down.
    down: Option<String>,
    /// How long it was left out last; none once it has answered.
    backoff: Option<Duration>,
    /// When it is probed next; `None` for never so far, or not while it is up.
    probe: Option<Instant>,
    probing: bool,
    /// Checks in a row that failed while it was up.
    failed_checks: u32,
    abandoned: Abandoned,
}

/// What callers that left say of it.
#[derive(Default)]
struct Abandoned {
    /// How many answers there were by then.
    answered: u64,
    /// Until when it has been awaited.
    until: Option<Instant>,
    /// For how long, all together, since the last answer or doubt.
    waited: Duration,
}

impl Condition {
    pub(crate) fn is_down(&self) -> bool {
        self.down.load(Relaxed)
    }

    /// Why it is down; `None` while it is not.
    pub(crate) fn why_down(&self) -> Option<String> {
        self.state().down.clone()
    }

    pub(crate) fn outstanding(&self) -> usize {
        self.outstanding.load(Relaxed)
    }

    /// One request more, until what is given back is dropped.
    pub(crate) fn begin(&self) -> OnTheWay<'_> {
        self.outstanding.fetch_add(1, Relaxed);
        OnTheWay(self)
    }

    /// Counts what came of a request. Without a connection it is down at once, since nothing of the request can be to blame;
    /// a broken connection or silence may be the request's own doing, and counts only in a row. Up again it is by a probe
    /// alone: what is answered on an old connection does not say that there are new ones.
    pub(crate) fn note(&self, outcome: Outcome, why: &str) {
        self.counts[outcome as usize].fetch_add(1, Relaxed);
        match outcome {
            Outcome::Answered if self.doubts.load(Relaxed) == 0 => {}
            Outcome::Answered => {
                let mut state = self.state();
                if state.down.is_none() {
                    self.doubts.store(0, Relaxed);
                    state.backoff = None;
                }
            }
            Outcome::Unreachable => self.take_down(why),
            Outcome::Broken | Outcome::Silent => self.doubt(why),
            Outcome::Abandoned => {}
        }
    }

    /// Counts a request of which nobody awaits the answer any longer; the upstream had all of it. `waited` is how long it said
    /// nothing, `answered` how many answers there were when the request `began`.
    ///
    /// Callers may be impatient, and no fault of the upstream's: where it has answered anybody since, it does. What counts is for how
    /// long it was awaited in vain, by however many at once: those who leave together say no more than one, and those who
    /// leave at once say nothing.
    pub(super) fn abandon(&self, began: Instant, waited: Duration, answered: u64) {
        self.note(Outcome::Abandoned, "");
        if self.count(Outcome::Answered) != answered {
            return;
        }
        let mut state = self.state();
        let abandoned = &mut state.abandoned;
        if abandoned.answered != answered {
            *abandoned = Abandoned { answered, ..Abandoned::default() };
        }
        let left = began + waited;
        let since = abandoned.until.map_or(began, |until| until.max(began));
        abandoned.until = Some(abandoned.until.map_or(left, |until| until.max(left)));
        abandoned.waited += left.saturating_duration_since(since);
        let counts = abandoned.waited >= SILENCE;
        if counts {
            abandoned.waited = Duration::ZERO;
        }
        drop(state);
        if counts {
            self.doubt("callers left without an answer");
        }
    }

    fn doubt(&self, why: &str) {
        if self.doubts.fetch_add(1, Relaxed) + 1 >= DOUBTS {
            self.take_down(why);
        }
    }

    /// A request went on to be tried once more.
    pub(crate) fn retried(&self) {
        self.retries.fetch_add(1, Relaxed);
    }

    pub(crate) fn count(&self, outcome: Outcome) -> u64 {
        self.counts[outcome as usize].load(Relaxed)
    }

    pub(crate) fn retries(&self) -> u64 {
        self.retries.load(Relaxed)
    }

    /// Whether a probe is due. If so it counts as running until [`Condition::probed`]. `interval` is that of checks which go
    /// on while it is up.
    pub(crate) fn take_probe(&self, now: Instant, interval: Option<Duration>) -> bool {
        if interval.is_none() && !self.is_down() {
            return false;
        }
        let mut state = self.state();
        let due = state.probe.is_none_or(|due| due <= now) && !state.probing;
        state.probing |= due;
        due
    }

    /// What a probe found.
    pub(crate) fn probed(&self, found: Result<(), String>, interval: Option<Duration>) {
        let mut state = self.state();
        state.probing = false;
        state.probe = interval.map(|interval| Instant::now() + interval);
        let Err(why) = found else {
            state.failed_checks = 0;
            if state.down.take().is_some() {
                // One failure is enough now, until it has answered.
                self.doubts.store(DOUBTS - 1, Relaxed);
                state.abandoned = Abandoned::default();
                self.down.store(false, Relaxed);
            }
            return;
        };
        state.failed_checks += 1;
        if state.down.is_some() || state.failed_checks >= FAILED_CHECKS {
            self.leave_out(&mut state, why);
        }
    }

    /// Requests that fail together are one reason.
    fn take_down(&self, why: &str) {
        let mut state = self.state();
        if state.down.is_none() {
            self.leave_out(&mut state, why.to_owned());
        }
    }

    /// Probed again soon, and less often the longer it lasts.
    fn leave_out(&self, state: &mut State, why: String) {
        let backoff = state.backoff.map_or(FIRST_BACKOFF, |before| (before * 2).min(LONGEST_BACKOFF));
        state.down = Some(why);
        state.backoff = Some(backoff);
        state.probe = Some(Instant::now() + backoff);
        self.doubts.store(DOUBTS, Relaxed);
        self.down.store(true, Relaxed);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that an upstream has not answered yet.
pub(crate) struct OnTheWay<'a>(&'a Condition);

impl Drop for OnTheWay<'_> {
    fn drop(&mut self) {
        self.0.outstanding.fetch_sub(1, Relaxed);
    }
}

const DOUBTS: u32 = 3;
/// How long one has to say nothing for that to count, where nobody awaits it to the end.
const SILENCE: Duration = Duration::from_secs(2);
const FAILED_CHECKS: u32 = 2;
const FIRST_BACKOFF: Duration = Duration::from_millis(250);
const LONGEST_BACKOFF: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_connection_it_is_down_at_once_and_one_slow_request_takes_nobody_down() {
        let condition = Condition::default();
        condition.note(Outcome::Silent, "slow");
        condition.note(Outcome::Broken, "broken");
        condition.note(Outcome::Answered, "");
        condition.note(Outcome::Silent, "slow");
        condition.note(Outcome::Silent, "slow");
        assert!(!condition.is_down());
        condition.note(Outcome::Silent, "slow");
        assert_eq!(condition.why_down().as_deref(), Some("slow"));
        condition.note(Outcome::Answered, "");
        assert!(condition.is_down(), "an old connection says nothing of new ones");
        let condition = Condition::default();
        condition.note(Outcome::Unreachable, "refused");
        assert!(condition.is_down());
    }

    /// Callers that leave, one after the other, each after so long, unless an answer came meanwhile.
    fn leave(condition: &Condition, count: u32, each: Duration, answers: bool) {
        let begun = Instant::now();
        for number in 0..count {
            let answered = condition.count(Outcome::Answered);
            if answers {
                condition.note(Outcome::Answered, "");
            }
            condition.abandon(begun + each * number, each, answered);
        }
    }

    #[test]
    fn a_hung_upstream_is_left_out_although_no_caller_waits_to_the_end() {
        let condition = Condition::default();
        leave(&condition, 2, Duration::from_secs(3), false);
        assert!(!condition.is_down());
        leave(&condition, 3, Duration::from_secs(3), true);
        leave(&condition, 2, Duration::from_secs(3), false);
        assert!(!condition.is_down(), "it answered between");
        let condition = Condition::default();
        leave(&condition, 3, Duration::from_secs(3), false);
        assert_eq!(condition.why_down().as_deref(), Some("callers left without an answer"));
        assert_eq!(condition.count(Outcome::Abandoned), 3);
        let condition = Condition::default();
        leave(&condition, 59, Duration::from_millis(100), false);
        assert!(!condition.is_down());
        let condition = Condition::default();
        leave(&condition, 60, Duration::from_millis(100), false);
        assert!(condition.is_down());
        condition.probed(Ok(()), None);
        leave(&condition, 19, Duration::from_millis(100), false);
        assert!(!condition.is_down(), "it is awaited anew");
    }

    /// Five requests taken back in the moment in which they were sent, again and again: HTTP/2 lets anybody do it.
    #[test]
    fn callers_who_leave_at_once_take_no_upstream_down() {
        let condition = Condition::default();
        leave(&condition, 10_000, Duration::from_micros(20), false);
        assert!(!condition.is_down());
    }

    #[test]
    fn impatient_callers_leave_out_no_upstream_that_answers_and_neither_does_one_connection_that_ends() {
        let condition = Condition::default();
        leave(&condition, 100, Duration::from_secs(3), true);
        assert!(!condition.is_down());
        let began = Instant::now();
        for _ in 0..100 {
            condition.abandon(began, Duration::from_secs(3), condition.count(Outcome::Answered));
        }
        assert!(!condition.is_down());
    }

    #[test]
    fn what_is_down_is_probed_one_at_a_time_and_less_and_less_often() {
        let condition = Condition::default();
        let soon = |millis| Instant::now() + Duration::from_millis(millis);
        assert!(!condition.take_probe(soon(100_000), None), "it is up");
        condition.note(Outcome::Unreachable, "refused");
        condition.note(Outcome::Unreachable, "refused");
        assert!(!condition.take_probe(soon(0), None));
        assert!(condition.take_probe(soon(260), None));
        assert!(!condition.take_probe(soon(100_000), None), "one at a time");
        condition.probed(Err("refused".to_owned()), None);
        assert!(!condition.take_probe(soon(400), None));
        assert!(condition.take_probe(soon(510), None));
        condition.probed(Ok(()), None);
        assert!(!condition.is_down() && !condition.take_probe(soon(100_000), None));
        condition.note(Outcome::Silent, "takes connections and says nothing");
        assert!(condition.is_down(), "nothing came since: one is enough");
        assert!(!condition.take_probe(soon(900), None) && condition.take_probe(soon(1010), None));
        condition.probed(Ok(()), None);
        condition.note(Outcome::Answered, "");
        condition.note(Outcome::Silent, "slow");
        assert!(!condition.is_down());
        condition.note(Outcome::Unreachable, "refused");
        assert!(condition.take_probe(soon(260), None), "and it begins anew");
    }

    #[test]
    fn checks_go_on_while_it_is_up_and_one_that_fails_is_not_enough() {
        let condition = Condition::default();
        let interval = Some(Duration::from_secs(5));
        let soon = |secs| Instant::now() + Duration::from_secs(secs);
        assert!(condition.take_probe(soon(0), interval));
        condition.probed(Err("503".to_owned()), interval);
        assert!(!condition.is_down() && !condition.take_probe(soon(4), interval));
        assert!(condition.take_probe(soon(6), interval));
        condition.probed(Err("503".to_owned()), interval);
        assert!(condition.is_down());
    }
}
