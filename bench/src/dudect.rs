//! Whether two inputs can be told apart by the time that they take, after the method of dudect (Reparaz, Balasch and Verbauwhede,
//! 2016): classes of inputs in a random order, and Welch's t-test over their times.

use std::hint::black_box;
use std::time::Duration;

use crate::rounds::cpu_time;

/// Inputs of one kind, under a name.
pub struct Class<T> {
    /// The name.
    pub name: &'static str,
    /// Several, so that what is peculiar to one of them does not count for the kind.
    pub inputs: Vec<T>,
}

/// What the times of a class say beside those of the first.
pub struct Told {
    /// The class.
    pub name: &'static str,
    /// Nanoseconds, the median.
    pub median: f64,
    /// The largest absolute t over all ways to cut the slow runs off.
    pub t: f64,
}

/// Above it the times differ; below they have not been told apart.
pub const THRESHOLD: f64 = 4.5;

/// Runs each class `times` times, in another order each round. The first one is what the others are compared with.
pub fn compare<T, O>(classes: &[Class<T>], times: usize, mut run: impl FnMut(&T) -> O) -> Vec<Told> {
    let mut taken: Vec<Vec<f64>> = classes.iter().map(|_| Vec::with_capacity(times)).collect();
    let mut order: Vec<usize> = (0..classes.len()).collect();
    let mut dice = 0x9e37_79b9_7f4a_7c15_u64;
    for round in 0..times + WARM_UP {
        for at in (1..order.len()).rev() {
            order.swap(at, roll(&mut dice) % (at + 1));
        }
        for &class in &order {
            let inputs = &classes[class].inputs;
            let input = &inputs[roll(&mut dice) % inputs.len()];
            let before = cpu_time();
            drop(black_box(run(black_box(input))));
            let took = cpu_time().saturating_sub(before);
            if round >= WARM_UP {
                taken[class].push(nanoseconds(took));
            }
        }
    }
    let reference = taken[0].clone();
    classes.iter().zip(taken).map(|(class, times)| tell(class.name, times, &reference)).collect()
}

fn tell(name: &'static str, mut times: Vec<f64>, reference: &[f64]) -> Told {
    // What both take together says where to cut: the slow runs are somebody else's doing.
    let mut all = [&times[..], reference].concat();
    all.sort_by(f64::total_cmp);
    let cut = |share: f64| all[((all.len() - 1) as f64 * share) as usize];
    let t = CUTS.iter().map(|&share| welch(&times, reference, cut(share)).abs()).fold(0.0, f64::max);
    times.sort_by(f64::total_cmp);
    Told { name, median: times[times.len() / 2], t }
}

/// Welch's t over what lies below `most`.
fn welch(one: &[f64], other: &[f64], most: f64) -> f64 {
    let [(n, mean, variance), (m, mean2, variance2)] = [one, other].map(|times| {
        let kept: Vec<f64> = times.iter().copied().filter(|&time| time <= most).collect();
        let n = kept.len() as f64;
        let mean = kept.iter().sum::<f64>() / n;
        (n, mean, kept.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / (n - 1.0))
    });
    if n < 2.0 || m < 2.0 { 0.0 } else { (mean - mean2) / (variance / n + variance2 / m).sqrt() }
}

fn nanoseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e9
}

/// xorshift64: an order that nobody planned is all that is asked.
fn roll(state: &mut u64) -> usize {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    usize::try_from(*state >> 33).unwrap_or(0)
}

/// Shares of the runs that are kept.
const CUTS: [f64; 4] = [0.5, 0.9, 0.99, 1.0];
/// Rounds that don't count.
const WARM_UP: usize = 200;
