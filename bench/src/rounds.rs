//! Contenders that take turns: each round runs a batch of every one, so that what disturbs the machine disturbs all alike.

use std::hint::black_box;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::allocations::Allocations;

/// Something that is measured, under a name.
pub struct Contender<'a> {
    name: String,
    batch: Box<dyn FnMut(usize) -> Batch + 'a>,
}

#[derive(Clone, Copy)]
struct Batch {
    time: Duration,
    asked: Allocations,
}

impl<'a> Contender<'a> {
    /// `run` is measured, `prepare` makes what it consumes and is not. Dropping what `run` returns is measured too.
    pub fn new<I, O>(
        name: impl Into<String>,
        mut prepare: impl FnMut() -> I + 'a,
        mut run: impl FnMut(I) -> O + 'a,
    ) -> Self {
        let batch = move |size: usize| {
            let inputs: Vec<I> = (0..size).map(|_| prepare()).collect();
            let asked = Allocations::now();
            let before = cpu_time();
            for input in inputs {
                drop(black_box(run(black_box(input))));
            }
            Batch { time: cpu_time().saturating_sub(before), asked: Allocations::since(asked) }
        };
        Self { name: name.into(), batch: Box::new(batch) }
    }
}

/// CPU time of this thread: what others run on the same core does not count, only what they do to its caches.
#[must_use]
pub fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// What was measured of all contenders, round by round.
pub struct Measured {
    rows: Vec<Row>,
}

struct Row {
    name: String,
    /// Microseconds per run, in the order of the rounds.
    times: Vec<f64>,
    allocations: f64,
    bytes: f64,
}

const ROUNDS: usize = 400;
/// A batch takes about so long: far more than reading the clock, far less than a time slice.
const BATCH: Duration = Duration::from_micros(500);
/// Inputs of a batch lie in memory together; more than this would measure the caches.
const LARGEST: usize = 64;

/// Runs all contenders in turns.
pub fn measure(mut contenders: Vec<Contender<'_>>) -> Measured {
    let sizes: Vec<usize> = contenders.iter_mut().map(size).collect();
    let mut rows: Vec<Row> = contenders
        .iter()
        .map(|one| Row { name: one.name.clone(), times: Vec::new(), allocations: 0.0, bytes: 0.0 })
        .collect();
    for round in 0..ROUNDS {
        for turn in 0..contenders.len() {
            // Nobody always runs behind the same one.
            let at = (turn + round) % contenders.len();
            let batch = (contenders[at].batch)(sizes[at]);
            let each = sizes[at] as f64;
            rows[at].times.push(batch.time.as_secs_f64() * 1e6 / each);
            rows[at].allocations = batch.asked.count as f64 / each;
            rows[at].bytes = batch.asked.bytes as f64 / each;
        }
    }
    Measured { rows }
}

/// How many runs make a batch. Warms up on the way.
fn size(contender: &mut Contender<'_>) -> usize {
    let mut size = 1;
    while size < LARGEST && (contender.batch)(size).time < BATCH {
        size *= 2;
    }
    size
}

impl Measured {
    /// A line per contender.
    pub fn print(&self) {
        println!("{:<44} {:>9} {:>9} {:>12} {:>10}", "", "median µs", "least µs", "allocations", "bytes");
        for row in &self.rows {
            let (median, least) = (median(row.times.clone()), least(&row.times));
            println!("{:<44} {median:>9.2} {least:>9.2} {:>12.1} {:>10.0}", row.name, row.allocations, row.bytes);
        }
    }

    /// How many times as long `slow` takes as `fast`: the median over the rounds, and the quotient of the least times.
    #[must_use]
    pub fn ratio(&self, slow: &str, fast: &str) -> (f64, f64) {
        let (slow, fast) = (self.row(slow), self.row(fast));
        let pairs = slow.times.iter().zip(&fast.times);
        (median(pairs.map(|(slow, fast)| slow / fast).collect()), least(&slow.times) / least(&fast.times))
    }

    /// What `whole` takes beside `part`: microseconds, as the median over the rounds and as the difference of the least
    /// times, and allocations.
    #[must_use]
    pub fn beside(&self, whole: &str, part: &str) -> (f64, f64, f64) {
        let (whole, part) = (self.row(whole), self.row(part));
        let pairs = whole.times.iter().zip(&part.times);
        let difference = median(pairs.map(|(whole, part)| whole - part).collect());
        (difference, least(&whole.times) - least(&part.times), whole.allocations - part.allocations)
    }

    fn row(&self, name: &str) -> &Row {
        self.rows.iter().find(|row| row.name == name).unwrap_or_else(|| panic!("nothing is called {name}"))
    }
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn least(times: &[f64]) -> f64 {
    times.iter().copied().fold(f64::INFINITY, f64::min)
}
