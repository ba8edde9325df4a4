//! `POST` with 1 KiB of body and five covered components: whole verifications and signings beside httpsig-hyper, and what
//! ours take beside the bare primitive.

use countersign::{Algorithm, Scheme};
use countersign_bench::message::{self, Pair};
use countersign_bench::primitive::{Primitive, RsaSigner};
use countersign_bench::rounds::{Contender, Measured, measure};
use countersign_bench::{ours, theirs};

/// What is asked of whole verifications: so many times as fast as httpsig-hyper.
const VERIFY: [(Algorithm, f64); 4] = [
    (Algorithm::HmacSha256, 3.5),
    (Algorithm::RsaPssSha512, 3.4),
    (Algorithm::EcdsaP256Sha256, 4.8),
    (Algorithm::Ed25519, 1.5),
];
/// The same of signing.
const SIGN: (Algorithm, f64) = (Algorithm::RsaPssSha512, 4.0);
/// What everything beside the primitive may take, in microseconds and allocations.
const BESIDE: (f64, f64) = (4.0, 12.0);

fn main() {
    // `cargo bench` hands a flag over; a name chooses algorithms.
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let chosen = |algorithm: Algorithm| wanted.is_empty() || wanted.iter().any(|name| name == algorithm.as_str());
    for (algorithm, factor) in VERIFY.into_iter().filter(|(algorithm, _)| chosen(*algorithm)) {
        verify(algorithm, factor);
    }
    if chosen(SIGN.0) {
        sign(SIGN.0, SIGN.1);
    }
}

fn verify(algorithm: Algorithm, factor: f64) {
    let pair = Pair::generate(algorithm);
    let (keys, policy, body) = (pair.keys(Scheme::HttpMessageSignatures), message::policy(), message::body());
    let (headers, base) = message::signed(&pair);
    let primitive = Primitive::new(&pair);
    let signature = {
        let ready = ours::verify(message::head(headers.clone()), body.clone(), &policy, &keys);
        assert_eq!(ready.signed_bytes(), Some(&base[..]));
        ready.signature().to_vec()
    };
    let ours = Contender::new(
        "countersign, whole",
        || (message::head(headers.clone()), body.clone()),
        |(head, body)| ours::verify(head, body, &policy, &keys),
    );
    let bare = Contender::new("the primitive alone", || (), |()| primitive.check(&base, &signature));
    let request = || theirs::request(&headers, &body);
    let theirs = if algorithm == Algorithm::HmacSha256 {
        let key = theirs::shared(&pair);
        Contender::new("httpsig-hyper, whole", request, move |request| theirs::verify(request, &key))
    } else {
        let key = theirs::public(&pair);
        Contender::new("httpsig-hyper, whole", request, move |request| theirs::verify(request, &key))
    };
    println!("\nverify {algorithm}");
    let measured = measure(vec![ours, bare, theirs]);
    measured.print();
    ratio(&measured, factor);
    let (median, least, allocations) = measured.beside("countersign, whole", "the primitive alone");
    let (most, many) = BESIDE;
    println!(
        "beside the primitive: {median:.2} µs (least {least:.2}; at most {most}), {allocations:.0} allocations (at most {many})"
    );
}

fn sign(algorithm: Algorithm, factor: f64) {
    let pair = Pair::generate(algorithm);
    let body = message::body();
    let signer = pair.signer(Scheme::HttpMessageSignatures);
    let secret = theirs::secret(&pair);
    let headers = message::headers();
    let nonce = "fedcba9876543210fedcba9876543210";
    let ours = Contender::new(
        "countersign, whole",
        || (message::head(headers.clone()), message::form()),
        |(head, form)| ours::sign(head, form, &body, nonce, &signer),
    );
    let theirs = Contender::new(
        "httpsig-hyper, whole",
        || theirs::request(&headers, &body),
        |request| theirs::sign(request, nonce, &secret),
    );
    let (key, base) = (RsaSigner::new(&pair), message::signed(&pair).1);
    let bare = Contender::new("the primitive alone", || (), |()| key.sign(&base));
    println!("\nsign {algorithm}");
    let measured = measure(vec![ours, bare, theirs]);
    measured.print();
    ratio(&measured, factor);
}

fn ratio(measured: &Measured, factor: f64) {
    let (median, least) = measured.ratio("httpsig-hyper, whole", "countersign, whole");
    let (limit, _) = measured.ratio("httpsig-hyper, whole", "the primitive alone");
    println!(
        "{median:.2} times as fast (by the least times {least:.2}; asked for: {factor}; the primitive alone: {limit:.2})"
    );
}
