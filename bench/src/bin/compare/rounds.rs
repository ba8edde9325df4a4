//! Contenders in turns, and what was measured of them.

use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;

use crate::drive::Field;
use crate::kernel::{Core, Usage};
use crate::messages::Author;
use crate::process::Process;

/// Somebody who is measured, under a name.
pub struct Contender<'a> {
    pub name: &'static str,
    pub process: &'a Process,
    pub address: std::net::SocketAddr,
    pub tls: Option<Arc<ClientConfig>>,
    pub load: Load<'a>,
    /// Whether origin and callers sleep where nothing is there, as they have to beside who runs on their core, too.
    pub asleep: bool,
}

/// What its callers send.
pub enum Load<'a> {
    /// The same request all the time.
    Same(Vec<u8>),
    /// One that was just signed, each time another, for this path.
    Signed(&'a Author, &'a str),
}

/// One contender in one round.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    /// CPU time per request, of all threads, user and system.
    pub each: Duration,
    /// Of its core: what it took itself.
    pub share: f64,
    /// Whether nobody came between.
    pub undisturbed: bool,
}

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Requests in a turn.
    pub requests: usize,
    /// Connections that are kept open.
    pub connections: usize,
}

impl Contender<'_> {
    /// Messages for a turn.
    pub fn messages(&self, count: usize) -> Vec<Vec<u8>> {
        match &self.load {
            Load::Same(message) => vec![message.clone()],
            Load::Signed(author, path) => sign(author, path, count),
        }
    }

    /// One turn: connections and caches warm, then so many requests.
    ///
    /// # Panics
    /// Where one of them is refused: what is measured then is not what was meant.
    pub fn turn(&self, field: &mut Field, size: Size) -> Turn {
        let (count, warm) = (size.requests, size.requests / 8);
        let messages = self.messages(count + warm);
        let (first, rest) = messages.split_at(if messages.len() > 1 { warm } else { 0 });
        let first = if first.is_empty() { rest } else { first };
        assert!(field.connect(self.address, self.tls.as_ref(), size.connections), "{}: turned away", self.name);
        field.awake = !self.asleep;
        self.send(field, first, warm);
        let processes = self.process.numbers();
        let core = self.process.cores.parse().ok();
        let core = || core.map(Core::of).unwrap_or_default();
        let (before, core_before) = (Usage::of(&processes), core());
        let elapsed = self.send(field, rest, count);
        let core_after = core();
        // A record that waits to be written is part of the request.
        field.rest(FINISH);
        let (ran, waited) = Usage::of(&processes).since(&before);
        field.disconnect();
        field.rest(FINISH);
        let (busy, stolen) = core_after.since(&core_before);
        let others = busy.saturating_sub(ran).saturating_sub(TICK);
        Turn {
            each: ran / u32::try_from(count).unwrap_or(u32::MAX),
            share: ran.as_secs_f64() / elapsed.as_secs_f64(),
            undisturbed: waited < ran / 20 && others < ran / 10 && stolen <= TICK,
        }
    }

    fn send(&self, field: &mut Field, messages: &[Vec<u8>], count: usize) -> Duration {
        let tally = field.send(messages, count).unwrap_or_else(|e| panic!("{}: {e}", self.name));
        assert!(tally.other.is_empty(), "{}: {} were refused: {:?}", self.name, tally.other.len(), tally.other.first());
        tally.elapsed
    }
}

/// Signs on both cores, while nothing is measured.
fn sign(author: &Author, path: &str, count: usize) -> Vec<Vec<u8>> {
    let half = |count: usize| (0..count).map(|_| author.write(path)).collect::<Vec<_>>();
    std::thread::scope(|scope| {
        let other = scope.spawn(|| {
            let mut every = rustix::thread::CpuSet::new();
            (0..rustix::thread::CpuSet::MAX_CPU).for_each(|core| every.set(core));
            let _ = rustix::thread::sched_setaffinity(None, &every);
            half(count / 2)
        });
        let mut messages = half(count - count / 2);
        messages.extend(other.join().expect("a signer"));
        messages
    })
}

/// How finely the kernel tells what cores do.
const TICK: Duration = Duration::from_millis(10);
const FINISH: Duration = Duration::from_millis(15);

/// The one in the middle.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    if values.is_empty() { f64::NAN } else { values[values.len() / 2] }
}
