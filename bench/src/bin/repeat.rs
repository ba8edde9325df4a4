//! Verifies, signs or prints one message so many times and nothing else, for callgrind and perf:
//! `repeat verify|sign ALGORITHM TIMES`, `repeat print TIMES`.

use countersign::{Algorithm, Scheme};
use countersign_bench::message::{self, Pair};
use countersign_bench::{ours, printing};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["verify", algorithm, times] => verify(&pair(algorithm), count(times)),
        ["sign", algorithm, times] => sign(&pair(algorithm), count(times)),
        ["print", times] => {
            let body = printing::message2(false);
            for _ in 0..count(times) {
                drop(std::hint::black_box(printing::print(printing::head(), &body)));
            }
        }
        _ => eprintln!("repeat verify|sign ALGORITHM TIMES, repeat print TIMES"),
    }
}

fn pair(algorithm: &str) -> Pair {
    let algorithm: Algorithm = algorithm.parse().expect("an algorithm");
    Pair::generate(algorithm)
}

fn count(times: &str) -> usize {
    times.parse().expect("a number")
}

fn verify(pair: &Pair, times: usize) {
    let (keys, policy, body) = (pair.keys(Scheme::HttpMessageSignatures), message::policy(), message::body());
    let (headers, _) = message::signed(pair);
    for _ in 0..times {
        let head = message::head(headers.clone());
        drop(std::hint::black_box(ours::verify(head, body.clone(), &policy, &keys)));
    }
}

fn sign(pair: &Pair, times: usize) {
    let (signer, body) = (pair.signer(Scheme::HttpMessageSignatures), message::body());
    for _ in 0..times {
        let head = message::head(message::headers());
        drop(std::hint::black_box(ours::sign(head, message::form(), &body, "0123456789abcdef", &signer)));
    }
}
