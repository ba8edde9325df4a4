//! No input takes more than linear time or memory: each made-up one is run at a size and at four times the size, and what
//! it takes may be little more than four times as much. A quadratic one would take sixteen times. Time is CPU time and
//! noisy, so its bound is generous; what was asked of the allocator is exact.

#[path = "growth/bodies.rs"]
mod bodies;
#[path = "growth/heads.rs"]
mod heads;

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use countersign::{Claim, Code, Demands, Head, Keys, Origin, Policy, Scheme};
use countersign_bench::allocations::Allocations;
use countersign_bench::message::{AUTHORITY, NOW};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

/// A made-up message of about so many bytes.
pub struct Case {
    name: &'static str,
    /// The smaller of the two sizes, in bytes.
    size: usize,
    message: fn(usize) -> Message,
}

/// A message before it is read.
pub struct Message {
    target: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Message {
    fn new(target: &str, fields: &[(&str, &str)], body: impl Into<Bytes>) -> Self {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            let name: HeaderName = name.parse().expect("a field name");
            headers.append(name, HeaderValue::from_str(value).expect("a field value"));
        }
        Self { target: target.to_owned(), headers, body: body.into() }
    }
}

/// What one run took.
struct Taken {
    time: Duration,
    bytes: u64,
    outcome: Option<Code>,
}

/// Four times the size may ask for so many times the memory. Vectors double, so a power of two between makes eight.
const MOST_BYTES: f64 = 9.0;
/// And for so many times the time.
const MOST_TIME: f64 = 9.0;

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let demands = Demands {
        schemes: vec![Scheme::HttpMessageSignatures, Scheme::Pki, Scheme::TrustedSite, Scheme::AppHmac],
        path: "/orders".to_owned(),
        max_body: 64 << 20,
        ..Demands::default()
    };
    let policy = Arc::new(Policy::new(demands).expect("a policy"));
    let keys = bodies::keys();
    let mut quadratic = Vec::new();
    println!("{:<58} {:>9} {:>9} {:>6} {:>10} {:>6}  outcome", "", "bytes", "µs", "×", "allocated", "×");
    for case in heads::CASES.iter().chain(bodies::CASES) {
        if !wanted.is_empty() && !wanted.iter().any(|word| case.name.contains(word.as_str())) {
            continue;
        }
        let small = least(&(case.message)(case.size), &policy, &keys);
        let large = least(&(case.message)(4 * case.size), &policy, &keys);
        let time = large.time.as_secs_f64() / small.time.as_secs_f64();
        let bytes = large.bytes as f64 / small.bytes.max(1) as f64;
        let outcome = large.outcome.map_or("passes", Code::as_str);
        println!(
            "{:<58} {:>9} {:>9.1} {time:>6.1} {:>10} {bytes:>6.1}  {outcome}",
            case.name,
            4 * case.size,
            large.time.as_secs_f64() * 1e6,
            large.bytes,
        );
        // What is over at once says nothing of growth.
        let grows = large.time > Duration::from_micros(100) && time > MOST_TIME;
        if grows || bytes > MOST_BYTES {
            quadratic.push(case.name);
        }
    }
    assert!(quadratic.is_empty(), "more than linear: {quadratic:#?}");
}

/// The least of several runs.
fn least(message: &Message, policy: &Arc<Policy>, keys: &Keys) -> Taken {
    let started = Instant::now();
    let mut least = run(message, policy, keys);
    for _ in 0..50 {
        let next = run(message, policy, keys);
        least = if next.time < least.time { next } else { least };
        if started.elapsed() > Duration::from_millis(300) {
            break;
        }
    }
    least
}

fn run(message: &Message, policy: &Arc<Policy>, keys: &Keys) -> Taken {
    let (headers, body) = (message.headers.clone(), message.body.clone());
    let origin = Origin::new(true, AUTHORITY).expect("an authority");
    let (asked, before) = (Allocations::now(), countersign_bench::rounds::cpu_time());
    let outcome = black_box(verify(message, origin, headers, body, policy, keys));
    Taken {
        time: countersign_bench::rounds::cpu_time().saturating_sub(before),
        bytes: Allocations::since(asked).bytes,
        outcome: outcome.err(),
    }
}

fn verify(
    message: &Message,
    origin: Origin,
    headers: HeaderMap,
    body: Bytes,
    policy: &Arc<Policy>,
    keys: &Keys,
) -> Result<(), Code> {
    let code = |rejection: countersign::Rejection| rejection.code();
    let head = Head::request(Method::POST, &message.target, origin, headers, !body.is_empty()).map_err(code)?;
    let mut open = Claim::read(head, policy).and_then(|claim| claim.check(keys, NOW)).map_err(code)?;
    open.push(body).map_err(code)?;
    open.finish(keys, NOW).map(drop).map_err(code)
}
