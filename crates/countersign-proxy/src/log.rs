//! The log of decisions: one JSON line each.
//!
//! Lines go through a bounded queue to a thread that writes them, so that a slow writer never holds up the path. A request
//! that is admitted takes its place in the queue before it is forwarded: where there is none, or where the last write
//! failed, it is not forwarded ("a decision that could not be recorded was not made"). Lines of refusals that find no place
//! are dropped and counted, since otherwise strangers could stop the gateway with them.

mod line;
mod queue;

use std::borrow::Cow;
use std::io::Write;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use countersign::{Code, Identity, Refusal, Scheme, Timestamp, Unavailable};
use tokio::time::Instant;

use crate::deciding::Undecided;
use crate::metrics::{ACCEPTED, Metrics};
use crate::trace::TraceId;
use crate::turn;
pub(crate) use line::date;
use line::{Line, member};
use queue::Queue;

const LAST_WAIT: Duration = Duration::from_secs(2);

/// The way to the writer. Clones lead to the same one.
#[derive(Clone)]
pub(crate) struct Log(Arc<(Queue, Arc<Metrics>)>);

impl Log {
    /// Starts the writing thread, which ends when the last [`Log`] is gone.
    pub(crate) fn start(writer: Box<dyn Write + Send>, metrics: Arc<Metrics>) -> std::io::Result<Self> {
        Ok(Self(Arc::new((Queue::start(writer)?, metrics))))
    }

    /// Whether lines are written.
    pub(crate) fn is_working(&self) -> bool {
        self.queue().is_working()
    }

    /// A line about the gateway itself.
    pub(crate) fn note(&self, now: Timestamp, event: &str, detail: &str) {
        let mut line = Line::new(now);
        line.text(member!("event"), Some(event));
        line.text(member!("detail"), Some(detail));
        self.send(line);
    }

    /// Waits until all lines so far are written, but not for ever.
    pub(crate) async fn flush(&self) {
        let _ = tokio::time::timeout(LAST_WAIT, self.queue().flushed()).await;
    }

    fn send(&self, line: Line) {
        self.push(line, false);
    }

    fn push(&self, mut line: Line, placed: bool) {
        let Self(both) = self;
        if !both.0.push(line.end(), placed) {
            both.1.lost_lines.fetch_add(1, Relaxed);
        }
    }

    fn queue(&self) -> &Queue {
        &self.0.0
    }
}

/// What is to be written of one request. Written when it is answered; of an admitted one, and of one that a
/// sidecar signed, at the latest when it is dropped, so that none is without its line.
pub(crate) struct Entry {
    log: Log,
    pub(crate) trace: TraceId,
    pub(crate) time: Timestamp,
    pub(crate) started: Instant,
    /// The address that it came from.
    pub(crate) source: Option<IpAddr>,
    pub(crate) route: Option<Arc<str>>,
    /// Who signed, once that is proved.
    pub(crate) identity: Option<Identity>,
    /// Whose token came with it, and its `jti`, once that is proved.
    pub(crate) token: Option<(String, String)>,
    /// The scheme and the key that a refused message claims, which may be a lie.
    pub(crate) claimed: Option<(Scheme, String)>,
    /// Why a request would have been refused that was only observed.
    pub(crate) observed: Option<(Code, Cow<'static, str>)>,
    /// What it says of a request that was not refused here.
    pub(crate) passed: &'static str,
    /// The trace of who answered, by which the same request is found in that log.
    pub(crate) answer_trace: Option<String>,
    /// Until it is decided.
    pub(crate) undecided: Option<Undecided>,
    /// Whether there is a place for its line.
    place: bool,
    /// Whether it has a line even where nobody hears an answer.
    owed: bool,
    written: bool,
}

impl Entry {
    pub(crate) fn new(log: &Log, trace: TraceId, time: Timestamp) -> Self {
        let started = turn::look();
        Self {
            log: log.clone(),
            trace,
            time,
            started,
            source: None,
            route: None,
            identity: None,
            token: None,
            claimed: None,
            observed: None,
            passed: ACCEPTED,
            answer_trace: None,
            undecided: None,
            place: false,
            owed: false,
            written: false,
        }
    }

    /// Takes the place of the line in the queue.
    pub(crate) fn take_place(&mut self) -> Result<(), Unavailable> {
        if !self.log.is_working() {
            return Err(Unavailable::new("log", "the last lines could not be written"));
        }
        self.place = self.place || self.log.queue().take_place();
        if self.place { Ok(()) } else { Err(Unavailable::new("log", "the queue is full")) }
    }

    /// What cannot be taken back was done: it has a line, like a refusal's, also where nobody waits for the answer any more.
    pub(crate) fn owe(&mut self) {
        self.owed = true;
    }

    /// Whether it goes on, and its line is still to be written.
    pub(crate) fn is_admitted(&self) -> bool {
        self.place && !self.written
    }

    /// The code of [`Entry::observe`].
    pub(crate) fn observed_code(&self) -> Option<Code> {
        self.observed.as_ref().map(|(code, _)| *code)
    }

    /// It goes on, although it would have been refused.
    pub(crate) fn observe(&mut self, refusal: &Refusal) {
        let (code, reason) = match refusal {
            Refusal::Rejected(rejection) => {
                self.claimed = rejection.claimed().map(|(scheme, key)| (scheme, key.to_owned()));
                (rejection.code(), rejection.reason_to_keep())
            }
            Refusal::Unavailable(unavailable) => (Code::Unavailable, unavailable.to_string().into()),
        };
        self.observed = Some((code, reason));
    }

    /// The request was answered: admitted where there is no code.
    pub(crate) fn answered(&mut self, status: Option<u16>, code: Option<Code>, reason: Option<&str>) {
        self.written = true;
        let line = self.line(status, code, reason);
        self.log.push(line, std::mem::take(&mut self.place));
    }

    fn line(&self, status: Option<u16>, code: Option<Code>, reason: Option<&str>) -> Line {
        let mut line = Line::new(self.time);
        line.word(member!("trace"), self.trace.as_str());
        if let Some(source) = self.source {
            line.address(member!("source"), source);
        }
        // A partner is named only where the signature held; key and scheme are what the message says of itself.
        let (identity, claimed) = (self.identity.as_ref(), self.claimed.as_ref());
        if identity.is_none() && claimed.is_none() {
            line.push(concat!(member!("partner"), "null", member!("key"), "null", member!("scheme"), "null"));
        } else {
            let key = identity.map(|it| &*it.key).or(claimed.map(|(_, key)| key.as_str()));
            let scheme = identity.map(|it| it.scheme).or(claimed.map(|(scheme, _)| *scheme));
            line.text(member!("partner"), identity.map(|it| &*it.partner));
            line.text(member!("key"), key.filter(|key| !key.is_empty()));
            line.text(member!("scheme"), scheme.map(Scheme::as_str));
        }
        if let Some((user, token)) = &self.token {
            line.text(member!("user"), Some(user));
            line.text(member!("token"), Some(token));
        }
        line.text(member!("route"), self.route.as_deref());
        line.number(member!("status"), status.map(u64::from));
        let observed = self.observed.as_ref().filter(|_| code.is_none());
        let (said, reason) = match observed {
            Some((code, reason)) => (Some(*code), Some(&**reason)),
            None => (code, reason),
        };
        line.word(member!("code"), said.map_or(self.passed, Code::as_str));
        if observed.is_some() {
            line.truth(member!("observed"));
        }
        if self.answer_trace.is_some() {
            line.text(member!("answer_trace"), self.answer_trace.as_deref());
        }
        // Who was answered in a later turn was answered in the moment of that. All else may have been done in one.
        let now = Some(turn::now()).filter(|now| *now > self.started && code.is_none());
        let took = now.unwrap_or_else(Instant::now).duration_since(self.started);
        line.thousandths(member!("ms"), u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        if reason.is_some() {
            line.text(member!("reason"), reason);
        }
        line
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if self.is_admitted() || (self.owed && !self.written) {
            self.answered(None, None, Some("the caller went away before it was answered"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Broken;
    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn nothing_is_admitted_while_nothing_can_be_written() {
        let log = Log::start(Box::new(Broken), Arc::default()).unwrap();
        log.note(Timestamp::from_secs(1), "started", "");
        for _ in 0..200 {
            if !log.is_working() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        let mut entry = Entry::new(&log, TraceId::new(Timestamp::from_secs(1)), Timestamp::from_secs(1));
        assert!(entry.take_place().is_err());
    }

    struct Stuck(std::sync::mpsc::Receiver<()>);
    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let _ = self.0.recv();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_writer_that_hangs_blocks_nobody_and_admits_nobody() {
        let (release, stuck) = std::sync::mpsc::channel();
        let metrics = Arc::new(Metrics::default());
        let log = Log::start(Box::new(Stuck(stuck)), Arc::clone(&metrics)).unwrap();
        for _ in 0..queue::QUEUE * 2 {
            log.note(Timestamp::from_secs(1), "x", "");
        }
        assert!(metrics.lost_lines.load(Relaxed) > 0);
        let mut entry = Entry::new(&log, TraceId::new(Timestamp::from_secs(1)), Timestamp::from_secs(1));
        assert!(entry.take_place().is_err());
        drop(release);
    }
}
