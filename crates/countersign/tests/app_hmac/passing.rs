//! The body passes and nothing of it is kept: what is told before it came and what behind it, and what may change meanwhile.

use super::*;

fn admits() -> std::sync::Arc<Policy> {
    policy(|demands| demands.schemes = vec![Scheme::AppHmac])
}

fn check(request: &Request, keys: &Keys, now: Timestamp) -> Result<Open, Rejection> {
    Claim::read(request.head().unwrap(), &admits()).unwrap().check(keys, now)
}

/// The code that `finish` ends with, its keys and time being others than those before the body.
fn finish(request: &Request, before: &Keys, after: &Keys, now: Timestamp) -> Option<Code> {
    let mut open = check(request, before, NOW).unwrap();
    assert_eq!((open.weight(), open.takes_long(), open.head_holds()), (0, false, false));
    for part in request.body.chunks(3) {
        // All of it may be kept outside.
        assert_eq!(open.push(bytes::Bytes::copy_from_slice(part)).unwrap(), part);
    }
    open.finish(after, now).err().map(|rejection| rejection.code())
}

#[test]
fn mistake_32_whether_a_key_exists_is_told_no_sooner_than_a_bad_signature() {
    let pair = pair();
    let request = order().sign(&pair, NONCE, NOW);
    let keys = |change: &dyn Fn(&mut KeyRecord)| {
        let mut record = pair.record.clone();
        change(&mut record);
        Keys::new([VerifyingKey::new(record).unwrap()])
    };
    for (keys, code) in [
        (Keys::default(), Code::UnknownSigner),
        (keys(&|it| it.state = KeyState::Revoked), Code::KeyNotUsable),
        (keys(&|it| it.form = Some(AppHmacForm { nonce: NonceForm::Uuid, ..APP_HMAC })), Code::AlgorithmMismatch),
        (keys(&|it| it.material = Material::Shared(SharedSecret::new(vec![7; 32]))), Code::BadSignature),
    ] {
        // No early answer, and the body is read.
        assert_eq!(finish(&request, &keys, &keys, NOW), Some(code));
    }
}

#[test]
fn what_tells_nothing_of_keys_is_told_before_the_body() {
    let code = |pair: &Pair, request: &Request| check(request, &pair.keys(), NOW).err().map(|it| it.code());
    let pair = pair();
    for (stamp, expected) in
        [("1795000000", None), ("1795000301", Some(Code::NotYetValid)), ("1794999699", Some(Code::TooOld))]
    {
        assert_eq!(code(&pair, &method_first(&pair, order(), stamp, "a1b2c3d4")), expected);
    }
    let pair = payload_first();
    let signed = order().sign(&pair, NONCE, NOW);
    assert_eq!(code(&pair, &Request { target: "/orders/1".into(), ..signed.clone() }), Some(Code::CoverageTooSmall));
    assert_eq!(code(&pair, &Request { body: Vec::new(), ..signed }), Some(Code::Unsigned));
}

#[test]
fn mistake_18_age_and_key_are_judged_again_behind_the_body() {
    let pair = pair();
    let request = order().sign(&pair, NONCE, NOW);
    let keys = pair.keys();
    let changed = |change: &dyn Fn(&mut KeyRecord)| {
        let mut record = pair.record.clone();
        change(&mut record);
        finish(&request, &keys, &Keys::new([VerifyingKey::new(record).unwrap()]), NOW)
    };
    assert_eq!(finish(&request, &keys, &keys, NOW.after(std::time::Duration::from_secs(301))), Some(Code::TooOld));
    assert_eq!(finish(&request, &keys, &Keys::default(), NOW), Some(Code::KeyNotUsable));
    assert_eq!(changed(&|it| it.state = KeyState::Revoked), Some(Code::KeyNotUsable));
    assert_eq!(changed(&|it| it.partner_active = false), Some(Code::KeyNotUsable));
    assert_eq!(
        changed(&|it| it.form = Some(AppHmacForm { layout: Layout::PayloadFirst, ..APP_HMAC })),
        Some(Code::KeyNotUsable)
    );
    // An end that comes nearer leaves fewer splits, and those were looked for.
    assert_eq!(changed(&|it| it.not_after = Some(Timestamp::from_secs(1_796_000_000))), None);
    assert_eq!(changed(&|_| {}), None);
}

#[test]
fn mistake_22_a_key_that_is_prolonged_while_the_body_comes_opens_no_second_split() {
    let mut pair = pair();
    pair.record.not_after = Some(Timestamp::from_secs(1_796_000_000));
    let ended = pair.keys();
    // Beyond the end of the key there is a stamp; the message passes only as long as that is so.
    let request = method_first(&pair, bare(Method::POST, "/a", b"name=1799000000ffffffff"), "1795000000", "a1b2c3d4");
    assert_eq!(finish(&request, &ended, &ended, NOW), None);
    pair.record.not_after = None;
    assert_eq!(finish(&request, &ended, &pair.keys(), NOW), Some(Code::KeyNotUsable));
    assert_eq!(finish(&request, &pair.keys(), &pair.keys(), NOW), Some(Code::Ambiguous));
}
