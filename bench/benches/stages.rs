//! Where the time of one verification goes: the chain cut off behind each step.

use countersign::{Algorithm, Claim, Openers, Scheme};
use countersign_bench::message::{self, NOW, Pair};
use countersign_bench::ours::Forgetful;
use countersign_bench::ready;
use countersign_bench::rounds::{Contender, measure};

fn main() {
    let pair = Pair::generate(Algorithm::HmacSha256);
    let (keys, policy, body) = (pair.keys(Scheme::HttpMessageSignatures), message::policy(), message::body());
    let (headers, _) = message::signed(&pair);
    let head = || message::head(headers.clone());
    let read = |head| Claim::read(head, &policy).expect("the form holds");
    let check = |head| read(head).check(&keys, NOW).expect("the head holds");
    let push = |head| {
        let mut open = check(head);
        drop(open.push(body.clone()).expect("the body fits"));
        open
    };
    let finish = |head| push(head).finish(&keys, NOW).expect("the body holds");
    let first = |head| ready(finish(head).first_use(&keys, &Forgetful, NOW)).expect("it is new");
    let unpack = |head| first(head).unpack(&Openers::default(), ()).expect("it goes on");

    println!("\nverify {}, up to", pair.algorithm);
    measure(vec![
        Contender::new("a head made of fields", || headers.clone(), message::head),
        Contender::new("a head dropped", head, |head| head),
        Contender::new("read", head, read),
        Contender::new("check", head, check),
        Contender::new("push", head, push),
        Contender::new("finish", head, finish),
        Contender::new("first use", head, first),
        Contender::new("unpack", head, unpack),
    ])
    .print();
}
