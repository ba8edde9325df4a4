//! What `pki` signs of Message2, 2 KiB: read strictly and printed as Python prints it. And the whole verification.

use bytes::Bytes;
use countersign::{Algorithm, Demands, Policy, Scheme};
use countersign_bench::message::Pair;
use countersign_bench::primitive::Primitive;
use countersign_bench::rounds::{Contender, measure};
use countersign_bench::{ours, printing, ready};
use std::sync::Arc;

/// Printing may take so many microseconds.
const PRINTING: f64 = 6.0;

fn main() {
    for rich in [false, true] {
        message2(rich);
    }
}

fn message2(rich: bool) {
    let body = printing::message2(rich);
    let pair = Pair::generate(Algorithm::RsaPssSha256);
    let (keys, signer, primitive) = (pair.keys(Scheme::Pki), pair.signer(Scheme::Pki), Primitive::new(&pair));
    let signed = ready(printing::print(printing::head(), &body).sign(&signer)).expect("a signature");
    let demands = Demands { schemes: vec![Scheme::Pki], path: "/orders".to_owned(), ..Demands::default() };
    let policy = Arc::new(Policy::new(demands).expect("a policy"));
    let head = || {
        let mut headers = printing::head().into_headers();
        signed.apply(&mut headers);
        printing::head_of(headers)
    };
    let received = Bytes::from(body.clone());
    let unstamped = body.replace("timestamp", "timestomp");
    let example = ours::verify(head(), received.clone(), &policy, &keys);
    let (bytes, signature) =
        (example.signed_bytes().expect("a printing is kept").to_vec(), example.signature().to_vec());

    let kind = if rich { "rich in escapes" } else { "ordinary" };
    println!("\npki, a body {kind}, of {} bytes, printed in {}", body.len(), bytes.len());
    let measured = measure(vec![
        Contender::new("read and print", printing::head, |head| printing::print(head, &body)),
        Contender::new("read", printing::head, |head| assert!(printing::read(head, &unstamped))),
        Contender::new(
            "verify, whole",
            || (head(), received.clone()),
            |(head, body)| ours::verify(head, body, &policy, &keys),
        ),
        Contender::new("the primitive alone", || (), |()| primitive.check(&bytes, &signature)),
    ]);
    measured.print();
    let (median, least, allocations) = measured.beside("verify, whole", "the primitive alone");
    let (print, least_print, _) = measured.beside("read and print", "read");
    println!("printing: {print:.2} µs (least {least_print:.2}; asked for: below {PRINTING})");
    println!("beside the primitive: {median:.2} µs (least {least:.2}), {allocations:.0} allocations");
}
