//! The `app-hmac` scheme: nothing stands between its parts, and still no two requests that pass share signed bytes.

#[path = "app_hmac/passing.rs"]
mod passing;
#[path = "app_hmac/splits.rs"]
mod splits;
mod support;

use countersign::*;
use http::Method;
use support::{APP_HMAC, Memory, NOW, Pair, Request, policy};

const NONCE: &str = "a nonce of at least 16 bytes";
const FIELDS: [&str; 4] = ["appid", "timestamp", "nonce", "signature"];

fn pair() -> Pair {
    Pair::new(Scheme::AppHmac, Algorithm::HmacSha256, "app-1", "acme")
}

fn pair_of(form: AppHmacForm) -> Pair {
    let mut pair = pair();
    pair.record.form = Some(form);
    pair
}

fn payload_first() -> Pair {
    pair_of(AppHmacForm { layout: Layout::PayloadFirst, ..APP_HMAC })
}

fn order() -> Request {
    Request::post("/orders", "application/json", b"{\"amount\": 12}")
}

fn pass(pair: &Pair, request: &Request) -> Result<Ready<bytes::Bytes>, Code> {
    pass_where(pair, request, |_| {})
}

fn pass_where(pair: &Pair, request: &Request, change: impl FnOnce(&mut Demands)) -> Result<Ready<bytes::Bytes>, Code> {
    let policy = policy(|demands| {
        demands.schemes = vec![Scheme::AppHmac];
        change(demands);
    });
    request.pass(&pair.keys(), &policy, &Memory::default(), NOW)
}

/// A request as a sender of another make signs it: over `signed`, whatever that is.
fn by_hand(pair: &Pair, mut request: Request, stamp: &str, nonce: &str, signed: &[u8]) -> Request {
    let mac = run_mac(pair, signed);
    for (name, value) in FIELDS.into_iter().zip([pair.record.id.as_str(), stamp, nonce, &mac]) {
        request.headers.insert(name, value.parse().unwrap());
    }
    request
}

fn run_mac(pair: &Pair, signed: &[u8]) -> String {
    support::run(pair.signer.sign(signed)).unwrap().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// As [`by_hand`], over the bytes of `method-first`.
fn method_first(pair: &Pair, request: Request, stamp: &str, nonce: &str) -> Request {
    let start = format!("{}{}{stamp}{nonce}", request.method, request.target);
    let signed = [start.as_bytes(), &request.body].concat();
    by_hand(pair, request, stamp, nonce, &signed)
}

fn bare(method: Method, target: &str, body: &[u8]) -> Request {
    Request { method, body: body.to_vec(), ..Request::get(target) }
}

fn forms() -> impl Iterator<Item = AppHmacForm> {
    [Layout::MethodFirst, Layout::PayloadFirst].into_iter().flat_map(|layout| {
        [TimestampUnit::Seconds, TimestampUnit::Milliseconds].into_iter().flat_map(move |unit| {
            [NonceForm::Hex8, NonceForm::Hex32, NonceForm::Uuid].map(move |nonce| AppHmacForm { layout, unit, nonce })
        })
    })
}

#[test]
fn what_we_sign_we_verify_in_every_form_and_under_no_key_of_another() {
    for form in forms() {
        let pair = pair_of(form);
        let signed = order().sign(&pair, NONCE, NOW);
        let ready = pass(&pair, &signed).unwrap();
        assert_eq!(ready.identity().created, Some(NOW), "{form:?}");
        let (head, delivery, identity) = ready.into_parts();
        assert!(FIELDS.iter().all(|name| !head.headers().contains_key(*name)), "credentials go on");
        assert!(matches!(delivery, Delivery::AsReceived(body) if body == signed.body));
        assert_eq!(&*identity.partner, "acme");
        for other in forms().filter(|other| *other != form) {
            let code = if (other.unit, other.nonce) == (form.unit, form.nonce) {
                Code::BadSignature
            } else {
                Code::AlgorithmMismatch
            };
            assert_eq!(pass(&pair_of(other), &signed).err(), Some(code), "{form:?} under {other:?}");
        }
    }
}

#[test]
fn a_uuid_that_we_make_is_one_of_version_4() {
    let pair = pair_of(AppHmacForm { nonce: NonceForm::Uuid, ..APP_HMAC });
    let nonces = (0..64).map(|at| order().sign(&pair, &format!("{NONCE} {at}"), NOW).headers["nonce"].clone());
    let nonces: Vec<_> = nonces.collect();
    let at =
        |place: usize| nonces.iter().map(|nonce| nonce.as_bytes()[place]).collect::<std::collections::BTreeSet<_>>();
    // RFC 9562 section 5.4: four bits of version, two of variant, all others random.
    assert_eq!((at(14), at(19)), ([b'4'].into(), [b'8', b'9', b'a', b'b'].into()));
    assert!(at(15).len() > 8 && at(20).len() > 8);
}

#[test]
fn both_layouts_sign_what_their_text_says() {
    let signed = |pair: &Pair, request: Request| {
        let request = request.sign(pair, NONCE, NOW);
        let nonce = request.headers["nonce"].to_str().unwrap().to_owned();
        let ready = pass(pair, &request).unwrap();
        assert_eq!(ready.signed_bytes(), None, "the body is in them, and is not kept");
        (ready.signed_hash(), nonce)
    };
    let hash = |text: String| {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
        <[u8; 32]>::try_from(digest.as_ref()).unwrap()
    };
    let (signed_hash, nonce) = signed(&pair(), Request { target: "/orders?a=b".into(), ..order() });
    assert_eq!(signed_hash, hash(format!("POST/orders?a=b1795000000{nonce}{{\"amount\": 12}}")));
    let (signed_hash, nonce) = signed(&pair(), Request::get("/orders?"));
    assert_eq!(signed_hash, hash(format!("GET/orders?1795000000{nonce}")));
    let (signed_hash, nonce) = signed(&payload_first(), order());
    assert_eq!(signed_hash, hash(format!("{{\"amount\": 12}}{nonce}1795000000")));
}

#[test]
fn every_changed_part_is_refused() {
    for pair in [pair(), payload_first()] {
        let changed = |change: &dyn Fn(&mut Request)| {
            let mut request = order().sign(&pair, NONCE, NOW);
            change(&mut request);
            pass_where(&pair, &request, |d| d.unsigned_target = true).err()
        };
        let set = |name: &'static str, value: &'static str| {
            move |r: &mut Request| drop(r.headers.insert(name, value.parse().unwrap()))
        };
        let bad = Some(Code::BadSignature);
        let by_layout = if pair.record.form == Some(APP_HMAC) { bad } else { None };
        assert_eq!(changed(&|_| {}), None);
        assert_eq!(changed(&|r| r.method = Method::PUT), by_layout);
        assert_eq!(changed(&|r| r.target = "/orders/2".into()), by_layout);
        assert_eq!(changed(&|r| r.target = "/orders?".into()), by_layout);
        assert_eq!(changed(&|r| r.body[2] ^= 1), bad);
        assert_eq!(changed(&|r| r.body.push(b' ')), bad);
        assert_eq!(changed(&set("timestamp", "1795000001")), bad);
        assert_eq!(changed(&set("nonce", "00000000")), bad);
        assert_eq!(changed(&set("signature", "0000000000000000000000000000000000000000000000000000000000000000")), bad);
        assert_eq!(changed(&set("appid", "app-2")), Some(Code::UnknownSigner));
    }
}

#[test]
fn each_field_stands_once_in_its_form() {
    let pair = pair();
    let request = order().sign(&pair, NONCE, NOW);
    let malformed = Some(Code::Malformed);
    for name in FIELDS {
        let mut twice = request.clone();
        let value = twice.headers[name].clone();
        twice.headers.append(name, value);
        assert_eq!(pass(&pair, &twice).err(), malformed, "{name} twice");
        let mut absent = request.clone();
        absent.headers.remove(name);
        let expected = if name == "appid" { Code::Unsigned } else { Code::Malformed };
        assert_eq!(pass(&pair, &absent).err(), Some(expected), "no {name}");
    }
    let with = |name: &'static str, value: &str| {
        let mut request = request.clone();
        request.headers.insert(name, value.parse().unwrap());
        pass(&pair, &request).err()
    };
    let upper = request.headers["signature"].to_str().unwrap().to_uppercase();
    for value in [upper.as_str(), "", "ab", &"g".repeat(64)] {
        assert_eq!(with("signature", value), malformed, "{value}");
    }
    for value in ["", "a/b", "a b", &"a".repeat(65)] {
        assert_eq!(with("appid", value), malformed, "{value}");
    }
    for value in ["", "abc", "A1B2C3D4", "a1b2c3d", "00112233-4455-6677-8899-AABBCCDDEEFF"] {
        assert_eq!(with("nonce", value), malformed, "{value}");
    }
    assert_eq!(with("signature-input", "sig1=()"), Some(Code::Ambiguous));
}

#[test]
fn mistake_17_stamps_have_one_form_and_the_unit_of_the_key() {
    let pair = pair();
    let with = |stamp: &str| pass(&pair, &method_first(&pair, order(), stamp, "a1b2c3d4")).err();
    assert_eq!(with("1795000000"), None);
    for bad in [
        "0795000000",
        "-179500000",
        "+179500000",
        "1.79500000",
        "179500000",
        "17950000000",
        "1795000000e3",
        "9007199254740993",
    ] {
        assert_eq!(with(bad), Some(Code::Malformed), "{bad}");
    }
    assert_eq!(with("1795000000000"), Some(Code::AlgorithmMismatch));
    assert_eq!(with("1795000301"), Some(Code::NotYetValid));
    assert_eq!(with("1794999699"), Some(Code::TooOld));
}

#[test]
fn mistake_16_no_other_header_tells_the_time() {
    let pair = pair();
    let mut request = method_first(&pair, order(), "1794990000", "a1b2c3d4");
    for name in ["date", "x-date", "x-timestamp"] {
        request.headers.insert(name, "1795000000".parse().unwrap());
    }
    assert_eq!(pass(&pair, &request).err(), Some(Code::TooOld));
}

#[test]
fn mistake_22_payload_first_is_bound_to_its_route() {
    let pair = payload_first();
    let moved = |change: &dyn Fn(&mut Request)| {
        let mut request = order().sign(&pair, NONCE, NOW);
        change(&mut request);
        (pass(&pair, &request).err(), pass_where(&pair, &request, |d| d.unsigned_target = true).err())
    };
    let small = Some(Code::CoverageTooSmall);
    let unsigned = Some(Code::Unsigned);
    assert_eq!(moved(&|_| {}), (None, None));
    assert_eq!(moved(&|r| r.target = "/orders/1".into()), (small, None));
    assert_eq!(moved(&|r| r.target = "/orders?".into()), (small, None));
    assert_eq!(moved(&|r| r.method = Method::PUT), (small, None));
    assert_eq!(moved(&|r| r.body.clear()), (unsigned, unsigned));
    // The body of one and nonce and stamp of another: nothing moves over their borders.
    assert_eq!(moved(&|r| r.body.truncate(5)).0, Some(Code::BadSignature));
}

#[test]
fn two_versions_of_a_key_may_differ_in_form() {
    let old = pair();
    let mut new = payload_first();
    new.record.version = 2;
    let secret = b"a second secret of the same app".to_vec();
    new.record.material = Material::Shared(SharedSecret::new(secret.clone()));
    new.signer = SigningKey::from_file(&secret, Scheme::AppHmac, None).unwrap();
    let keys = || Keys::new([&old, &new].map(|pair| VerifyingKey::new(pair.record.clone()).unwrap()));
    let policy = policy(|d| d.schemes = vec![Scheme::AppHmac]);
    let at = |request: &Request| {
        request.pass(&keys(), &policy, &Memory::default(), NOW).map(|ready| ready.identity().version)
    };
    assert_eq!(at(&order().sign(&old, NONCE, NOW)).ok(), Some(1));
    let mut request = order().sign(&new, NONCE, NOW);
    assert_eq!(at(&request).ok(), Some(2));
    request.target = "/orders/1".into();
    assert_eq!(at(&request).err(), Some(Code::BadSignature));
}

#[test]
fn mistake_22_one_secret_under_two_forms_signs_in_neither() {
    let pair = pair();
    let mut second = payload_first().record;
    second.version = 2;
    let policy = policy(|d| d.schemes = vec![Scheme::AppHmac]);
    let at = |second: &KeyRecord| {
        let keys = Keys::new([&pair.record, second].map(|record| VerifyingKey::new(record.clone()).unwrap()));
        order().sign(&pair, NONCE, NOW).pass(&keys, &policy, &Memory::default(), NOW).err()
    };
    assert_eq!(at(&second), Some(Code::AlgorithmMismatch));
    // Under another id, or of another partner, it signs the same two grammars.
    (second.id, second.version) = ("app-2".to_owned(), 1);
    assert_eq!(at(&second), Some(Code::AlgorithmMismatch));
    second.partner = "other".to_owned();
    assert_eq!(at(&second), Some(Code::AlgorithmMismatch));
    second.form = pair.record.form;
    assert_eq!(at(&second), None);
    second.form = payload_first().record.form;
    second.state = KeyState::Revoked;
    assert_eq!(at(&second), None);
}

#[test]
fn a_request_passes_once() {
    let pair = pair();
    let (keys, memory, policy) = (pair.keys(), Memory::default(), policy(|d| d.schemes = vec![Scheme::AppHmac]));
    let request = order().sign(&pair, NONCE, NOW);
    assert_eq!(request.pass(&keys, &policy, &memory, NOW).err(), None);
    assert_eq!(request.pass(&keys, &policy, &memory, NOW).err(), Some(Code::Replayed));
    let next = order().sign(&pair, "another nonce of 16 bytes", NOW);
    assert_eq!(next.pass(&keys, &policy, &memory, NOW).err(), None);
}
