//! The bare primitive in the same run: one check of a signature over its bytes, by a parsed key.

use countersign_bench::primitive::Primitive;
use countersign_bench::rounds::cpu_time;

use crate::messages::Author;

/// Microseconds per check, by author.
pub fn measure(authors: &[Author]) -> Vec<f64> {
    let of = |author: &Author| {
        let (signed, signature) = author.bare();
        let primitive = Primitive::new(&author.pair);
        let before = cpu_time();
        for _ in 0..TIMES {
            primitive.check(std::hint::black_box(&signed), std::hint::black_box(&signature));
        }
        cpu_time().saturating_sub(before).as_secs_f64() * 1e6 / f64::from(TIMES)
    };
    authors.iter().map(of).collect()
}

const TIMES: u32 = 200;
