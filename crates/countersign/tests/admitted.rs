//! Behind the signature: the key may be withdrawn, the message may be a replay, and not all of the head goes on.

mod support;

use std::time::Duration;

use countersign::*;
use support::{Memory, NOW, Pair, Request, policy};

const RFC: Scheme = Scheme::HttpMessageSignatures;

fn order() -> Request {
    Request::post("/orders?a=b", "application/json", b"{\"amount\": 12}")
}

#[test]
fn a_key_that_is_withdrawn_while_the_body_comes_admits_nothing() {
    let pair = Pair::new(RFC, Algorithm::Ed25519, "key-1", "acme");
    let first_use = |keys: &Keys| {
        let request = order().sign(&pair, "n", NOW);
        let mut open = Claim::read(request.head().unwrap(), &policy(|_| {})).unwrap().check(&pair.keys(), NOW).unwrap();
        open.push(request.body.clone().into()).unwrap();
        let authentic = open.finish(&pair.keys(), NOW).unwrap();
        match support::run(authentic.first_use(keys, &Memory::default(), NOW)) {
            Ok(_) => None,
            Err(Refusal::Rejected(rejection)) => Some(rejection.code()),
            Err(Refusal::Unavailable(_)) => Some(Code::Unavailable),
        }
    };
    let key = |record: KeyRecord| VerifyingKey::new(record).unwrap();
    let revoked = || key(KeyRecord { state: KeyState::Revoked, ..pair.record.clone() });
    // Under the same id, and good for what it signs itself.
    let next = || key(KeyRecord { version: 2, ..Pair::new(RFC, Algorithm::Ed25519, "key-1", "acme").record });
    assert_eq!(first_use(&pair.keys()), None);
    for keys in [Keys::default(), Keys::new([revoked()]), Keys::new([next()]), Keys::new([revoked(), next()])] {
        assert_eq!(first_use(&keys), Some(Code::KeyNotUsable));
    }
    assert_eq!(first_use(&Keys::new([next(), key(pair.record.clone())])), None);
}

#[test]
fn an_unsigned_override_never_reaches_the_upstream_and_a_signed_one_does() {
    let pair = Pair::new(RFC, Algorithm::Ed25519, "key-1", "acme");
    let mut request = order();
    request.headers.insert("x-http-method-override", "DELETE".parse().unwrap());
    let mut covered = request.clone();
    let request = request.sign(&pair, "n", NOW);
    let (head, ..) = request.pass(&pair.keys(), &policy(|_| {}), &Memory::default(), NOW).unwrap().into_parts();
    assert!(!head.headers().contains_key("x-http-method-override"));
    let cover = ["@method", "@target-uri", "content-digest", "x-http-method-override"].map(str::to_owned).to_vec();
    covered.sign_as(&pair, Form { cover: Some(cover), ..Form::new(RFC, "key-1") }, "n", NOW);
    let (head, ..) = covered.pass(&pair.keys(), &policy(|_| {}), &Memory::default(), NOW).unwrap().into_parts();
    assert!(head.headers().contains_key("x-http-method-override"));
}

#[test]
fn whoever_forwards_is_told_which_fields_are_signed() {
    let pair = Pair::new(RFC, Algorithm::Ed25519, "key-1", "acme");
    let mut request = order().sign(&pair, "n", NOW);
    request.headers.insert("x-unsigned", "x".parse().unwrap());
    let ready = request.pass(&pair.keys(), &policy(|_| {}), &Memory::default(), NOW).unwrap();
    let covers =
        ["content-digest", "content-type", "signature", "x-unsigned"].map(|name| ready.covers(&name.parse().unwrap()));
    assert_eq!(covers, [true, true, false, false]);
}

#[test]
fn what_was_signed_is_told_from_the_proof_to_the_end() {
    let pair = Pair::new(RFC, Algorithm::Ed25519, "key-1", "acme");
    let request = order().sign(&pair, "n", NOW);
    let mut open = Claim::read(request.head().unwrap(), &policy(|_| {})).unwrap().check(&pair.keys(), NOW).unwrap();
    open.push(request.body.clone().into()).unwrap();
    let authentic = open.finish(&pair.keys(), NOW).unwrap();
    let base = authentic.signed_bytes().unwrap().to_vec();
    assert!(base.starts_with(b"\"@method\": POST\n"));
    let hash = authentic.signed_hash();
    let fresh = support::run(authentic.first_use(&pair.keys(), &Memory::default(), NOW)).unwrap();
    let ready = fresh.unpack(&Openers::default(), ()).unwrap();
    assert_eq!((ready.signed_bytes(), ready.signed_hash()), (Some(&base[..]), hash));
}

#[test]
fn an_override_is_one_in_every_spelling_that_servers_take_for_it_and_nothing_else_is() {
    let pair = Pair::new(RFC, Algorithm::Ed25519, "key-1", "acme");
    let goes_on = |name: &'static str| {
        let mut request = order().sign(&pair, "n", NOW);
        request.headers.insert(name, "x".parse().unwrap());
        let (head, ..) = request.pass(&pair.keys(), &policy(|_| {}), &Memory::default(), NOW).unwrap().into_parts();
        head.headers().contains_key(name)
    };
    for name in ["x-http-method", "x_http_method", "x-http_method-override", "x-original_url", "x_rewrite-url"] {
        assert!(!goes_on(name), "{name}");
    }
    for name in ["x-original-uri", "x-http", "x-http-methods", "y-http-method", "x-http.method"] {
        assert!(goes_on(name), "{name}");
    }
}

/// Keeps until when a use is to be remembered.
#[derive(Default)]
struct Asked(std::sync::Mutex<Vec<Timestamp>>);

impl ReplayStore for Asked {
    fn first_use<'a>(&'a self, once: &'a Use, _: Timestamp) -> BoxFuture<'a, Result<Seen, Unavailable>> {
        self.0.lock().unwrap().push(once.until());
        Box::pin(std::future::ready(Ok(Seen::First)))
    }
}

#[test]
fn a_use_is_remembered_as_long_as_it_could_verify_anywhere_and_a_minute() {
    let pair = Pair::new(RFC, Algorithm::Ed25519, "key-1", "acme");
    let signed = Timestamp::from_secs(NOW.as_secs() - 20);
    let until = |change: &dyn Fn(&mut Demands)| {
        let request = order().sign(&pair, "n", signed);
        let policy = policy(|d| change(d));
        let mut open = Claim::read(request.head().unwrap(), &policy).unwrap().check(&pair.keys(), NOW).unwrap();
        open.push(request.body.clone().into()).unwrap();
        let (authentic, asked) = (open.finish(&pair.keys(), NOW).unwrap(), Asked::default());
        assert!(support::run(authentic.first_use(&pair.keys(), &asked, NOW)).is_ok());
        let asked = asked.0.lock().unwrap();
        asked[0].as_secs() - signed.as_secs()
    };
    assert_eq!(until(&|_| {}), 300 + 30 + 60);
    assert_eq!(until(&|d| d.max_skew = Some(Duration::from_secs(100))), 300 + 100 + 60);
    // As long as the longest of all that share the memory, and never shorter than this one's own.
    assert_eq!(until(&|d| d.memory.window = Duration::from_secs(1000)), 1000 + 60);
    assert_eq!(until(&|d| d.memory.window = Duration::from_secs(10)), 300 + 30 + 60);
}
