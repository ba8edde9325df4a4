//! The chain from claim to ready, over messages that our own signers made and strangers changed.

mod support;

use std::time::Duration;

use countersign::*;
use support::{Memory, NOW, Pair, Request, policy};

const RFC: Scheme = Scheme::HttpMessageSignatures;

fn order() -> Request {
    Request::post("/orders?a=b", "application/json", b"{\"amount\": 12}")
}

#[test]
fn what_we_sign_we_verify_with_every_algorithm() {
    for &algorithm in RFC.algorithms() {
        let pair = Pair::new(RFC, algorithm, "key-1", "acme");
        let memory = Memory::default();
        for request in [order(), Request::get("/orders"), Request::get("/orders?"), Request::get("/orders?a=%2F&b")] {
            let request = request.sign(&pair, "nonce", NOW);
            let ready =
                request.pass(&pair.keys(), &policy(|_| {}), &Memory::default(), NOW).map_err(|code| (algorithm, code));
            let ready = ready.unwrap();
            assert_eq!((&*ready.identity().partner, ready.identity().algorithm), ("acme", algorithm));
        }
        let request = order().sign(&pair, "nonce", NOW);
        assert!(request.pass(&pair.keys(), &policy(|_| {}), &memory, NOW).is_ok());
        assert_eq!(request.pass(&pair.keys(), &policy(|_| {}), &memory, NOW).err(), Some(Code::Replayed));
    }
}

#[test]
fn anything_changed_is_refused() {
    let pair = Pair::new(RFC, Algorithm::Ed25519, "key-1", "acme");
    let keys = pair.keys();
    let refused = |change: &dyn Fn(&mut Request)| {
        let mut request = order().sign(&pair, "nonce", NOW);
        change(&mut request);
        request.pass(&keys, &policy(|_| {}), &Memory::default(), NOW).err()
    };
    let bad = Some(Code::BadSignature);
    assert_eq!(refused(&|_| {}), None);
    assert_eq!(refused(&|r| r.method = http::Method::PUT), bad);
    assert_eq!(refused(&|r| r.target = "/orders?a=c".into()), bad);
    assert_eq!(refused(&|r| r.target = "/orders/?a=b".into()), bad);
    assert_eq!(refused(&|r| r.target = "/orders".into()), bad);
    assert_eq!(refused(&|r| r.authority = "api.example.org".into()), bad);
    assert_eq!(refused(&|r| r.authority = "API.example.com:443".into()), None);
    assert_eq!(refused(&|r| r.headers.insert("content-type", "text/plain".parse().unwrap()).map(|_| ()).unwrap()), bad);
    assert_eq!(refused(&|r| r.body[2] ^= 1), Some(Code::DigestMismatch));
    assert_eq!(refused(&|r| r.body.push(b' ')), Some(Code::DigestMismatch));
    assert_eq!(refused(&|r| drop(r.headers.remove("signature-input"))), Some(Code::Unsigned));
    assert_eq!(refused(&|r| drop(r.headers.remove("signature"))), Some(Code::Malformed));
    assert_eq!(refused(&|r| drop(r.headers.remove("content-digest"))), Some(Code::Malformed));
    let rewrite = |from: &'static str, to: &'static str| {
        move |r: &mut Request| {
            let value = r.headers["signature-input"].to_str().unwrap().replace(from, to);
            r.headers.insert("signature-input", value.parse().unwrap());
        }
    };
    assert_eq!(refused(&rewrite("nonce=\"nonce\"", "nonce=\"other\"")), bad);
    assert_eq!(refused(&rewrite("created=17", "created= 17")), Some(Code::Malformed));
    assert_eq!(refused(&rewrite("created=1795000000", "created=1795000001")), bad);
    assert_eq!(refused(&rewrite("keyid=\"key-1\"", "keyid=\"key-2\"")), Some(Code::UnknownSigner));
    assert_eq!(refused(&rewrite("alg=\"ed25519\"", "alg=\"hmac-sha256\"")), Some(Code::AlgorithmMismatch));
    assert_eq!(refused(&rewrite("alg=\"ed25519\"", "alg=\"none\"")), Some(Code::AlgorithmMismatch));
    assert_eq!(refused(&rewrite(";nonce=\"nonce\"", "")), Some(Code::CoverageTooSmall));
    assert_eq!(refused(&rewrite(";keyid=\"key-1\"", "")), Some(Code::CoverageTooSmall));
    assert_eq!(refused(&rewrite(";created=1795000000", "")), Some(Code::CoverageTooSmall));
    assert_eq!(refused(&rewrite("\"@method\" ", "")), Some(Code::CoverageTooSmall));
    assert_eq!(refused(&rewrite("\"@method\"", "\"@path\"")), Some(Code::Malformed));
    assert_eq!(refused(&rewrite("sig1=", "sig2=")), Some(Code::Malformed));
}

#[test]
fn a_signature_over_nothing_proves_nothing() {
    let pair = Pair::new(RFC, Algorithm::Ed25519, "key-1", "acme");
    for cover in [vec![], vec!["@method"], vec!["date"], vec!["@authority"]] {
        let mut request = order();
        request.headers.insert("date", "today".parse().unwrap());
        let cover = Some(cover.into_iter().map(str::to_owned).collect());
        request.sign_as(&pair, Form { cover, ..Form::new(RFC, "key-1") }, "n", NOW);
        assert_eq!(
            request.pass(&pair.keys(), &policy(|_| {}), &Memory::default(), NOW).err(),
            Some(Code::CoverageTooSmall)
        );
    }
}

#[test]
fn time_is_judged_from_inside_the_signature() {
    let pair = Pair::new(RFC, Algorithm::HmacSha256, "key-1", "acme");
    let at = |offset: i64| {
        let created = Timestamp::from_secs(NOW.as_secs() + offset);
        order().sign(&pair, "n", created).pass(&pair.keys(), &policy(|_| {}), &Memory::default(), NOW).err()
    };
    assert_eq!(at(-300), None);
    assert_eq!(at(-301), Some(Code::TooOld));
    assert_eq!(at(30), None);
    assert_eq!(at(31), Some(Code::NotYetValid));
    let mut request = order();
    let form = Form { expires_after: Some(Duration::from_secs(10)), ..Form::new(RFC, "key-1") };
    let mut in_time = order();
    in_time.sign_as(&pair, form.clone(), "n", Timestamp::from_secs(NOW.as_secs() - 10));
    assert_eq!(in_time.pass(&pair.keys(), &policy(|_| {}), &Memory::default(), NOW).err(), None);
    request.sign_as(&pair, form, "n", Timestamp::from_secs(NOW.as_secs() - 11));
    assert_eq!(request.pass(&pair.keys(), &policy(|_| {}), &Memory::default(), NOW).err(), Some(Code::TooOld));
}

#[test]
fn the_state_of_a_key_is_judged_by_now() {
    let pair = Pair::new(RFC, Algorithm::Ed25519, "key-1", "acme");
    let with = |change: &dyn Fn(&mut KeyRecord)| {
        let mut record = pair.record.clone();
        change(&mut record);
        let keys = Keys::new([VerifyingKey::new(record).unwrap()]);
        order()
            .sign(&pair, "n", Timestamp::from_secs(NOW.as_secs() - 60))
            .pass(&keys, &policy(|_| {}), &Memory::default(), NOW)
            .err()
    };
    let unusable = Some(Code::KeyNotUsable);
    assert_eq!(with(&|k| k.state = KeyState::Retiring), None);
    for state in [KeyState::Pending, KeyState::Retired, KeyState::Revoked] {
        assert_eq!(with(&|k| k.state = state), unusable);
    }
    assert_eq!(with(&|k| k.partner_active = false), unusable);
    assert_eq!(with(&|k| k.not_after = Some(NOW)), unusable);
    assert_eq!(with(&|k| k.not_before = Some(Timestamp::from_secs(NOW.as_secs() + 1))), unusable);
    assert_eq!(with(&|k| k.scheme = Scheme::HttpMessageSignatures), None);
}

#[test]
fn old_and_new_version_verify_side_by_side() {
    let old = Pair::new(RFC, Algorithm::Ed25519, "key-1", "acme");
    let mut new = Pair::new(RFC, Algorithm::Ed25519, "key-1", "acme");
    new.record.version = 2;
    let keys = Keys::new([old.record.clone(), new.record.clone()].map(|record| VerifyingKey::new(record).unwrap()));
    for pair in [&old, &new] {
        let ready = order().sign(pair, "n", NOW).pass(&keys, &policy(|_| {}), &Memory::default(), NOW).unwrap();
        assert_eq!(ready.identity().version, pair.record.version);
    }
}

#[test]
fn a_nonce_of_one_partner_does_not_block_anothers() {
    let a = Pair::new(RFC, Algorithm::Ed25519, "a", "acme");
    let b = Pair::new(RFC, Algorithm::Ed25519, "b", "bolt");
    let keys = Keys::new([&a, &b].map(|pair| VerifyingKey::new(pair.record.clone()).unwrap()));
    let memory = Memory::default();
    for pair in [&a, &b] {
        assert!(order().sign(pair, "same", NOW).pass(&keys, &policy(|_| {}), &memory, NOW).is_ok());
        assert_eq!(
            order().sign(pair, "same", NOW).pass(&keys, &policy(|_| {}), &memory, NOW).err(),
            Some(Code::Replayed)
        );
    }
}

#[test]
fn of_several_signatures_the_one_that_is_meant_counts() {
    let a = Pair::new(RFC, Algorithm::Ed25519, "a", "acme");
    let b = Pair::new(RFC, Algorithm::EcdsaP256Sha256, "b", "bolt");
    let both = Keys::new([&a, &b].map(|pair| VerifyingKey::new(pair.record.clone()).unwrap()));
    let mut request = order().sign(&a, "n", NOW);
    request.sign_as(&b, Form { tag: Some("app".into()), ..Form::new(RFC, "b") }, "n", NOW);
    let pass = |request: &Request, keys: &Keys, tag: Option<&str>| {
        let policy = policy(|d| d.http_message_signatures.tag = tag.map(str::to_owned));
        request.pass(keys, &policy, &Memory::default(), NOW).map(|ready| ready.identity().partner.clone())
    };
    assert_eq!(pass(&request, &both, None), Err(Code::Ambiguous));
    assert_eq!(pass(&request, &a.keys(), None).as_deref(), Ok("acme"));
    assert_eq!(pass(&request, &b.keys(), None).as_deref(), Ok("bolt"));
    assert_eq!(pass(&request, &both, Some("app")).as_deref(), Ok("bolt"));
    assert_eq!(pass(&request, &both, Some("other")), Err(Code::CoverageTooSmall));
    // A bad signature is not hidden by a good one, nor the other way round.
    let broken = request.headers["signature"].to_str().unwrap().replacen("sig1=:", "sig1=:AAAA", 1);
    let mut lines = request.headers.get_all("signature").iter().cloned().collect::<Vec<_>>();
    lines[0] = broken.parse().unwrap();
    request.headers.remove("signature");
    for line in lines {
        request.headers.append("signature", line);
    }
    assert_eq!(pass(&request, &a.keys(), None), Err(Code::BadSignature));
    assert_eq!(pass(&request, &both, None), Err(Code::Ambiguous));
}

#[test]
fn the_marks_of_two_schemes_are_ambiguous_and_none_is_tried_after_another() {
    let pair = Pair::new(RFC, Algorithm::Ed25519, "key-1", "acme");
    let mut request = order().sign(&pair, "n", NOW);
    request.headers.insert("authorization", "PKI AAAA".parse().unwrap());
    let policy = policy(|d| d.schemes = vec![RFC, Scheme::Pki]);
    assert_eq!(request.pass(&pair.keys(), &policy, &Memory::default(), NOW).err(), Some(Code::Ambiguous));
    for other in ["Bearer x", "Key x", "PKIX x", "x", ""] {
        request.headers.insert("authorization", other.parse().unwrap());
        assert!(request.pass(&pair.keys(), &policy, &Memory::default(), NOW).is_ok(), "{other}");
    }
}

#[test]
fn a_scheme_that_the_route_does_not_admit_is_refused() {
    let pair = Pair::new(RFC, Algorithm::Ed25519, "key-1", "acme");
    let request = order().sign(&pair, "n", NOW);
    let policy = policy(|d| d.schemes = vec![Scheme::Pki]);
    assert_eq!(request.pass(&pair.keys(), &policy, &Memory::default(), NOW).err(), Some(Code::SchemeNotAllowed));
}

#[test]
fn a_partner_that_the_route_does_not_admit_is_refused_after_the_signature() {
    let pair = Pair::new(RFC, Algorithm::Ed25519, "key-1", "acme");
    let policy = policy(|d| d.partners = vec!["bolt".into()]);
    let mut request = order().sign(&pair, "n", NOW);
    assert_eq!(request.pass(&pair.keys(), &policy, &Memory::default(), NOW).err(), Some(Code::PartnerNotAllowed));
    request.target = "/other".into();
    assert_eq!(request.pass(&pair.keys(), &policy, &Memory::default(), NOW).err(), Some(Code::BadSignature));
}

#[test]
fn a_body_beyond_the_limit_is_refused_while_it_comes() {
    let pair = Pair::new(RFC, Algorithm::Ed25519, "key-1", "acme");
    let request = order().sign(&pair, "n", NOW);
    let judged = |most| {
        let policy = policy(|d| d.max_body = most);
        request.pass(&pair.keys(), &policy, &Memory::default(), NOW).err()
    };
    // The body has 14 bytes.
    assert_eq!(judged(13), Some(Code::BodyTooLarge));
    assert_eq!(judged(14), None);
}

#[test]
fn what_a_body_costs_while_it_is_judged_is_told_by_its_scheme() {
    let open = |scheme, algorithm, length: usize| {
        let pair = Pair::new(scheme, algorithm, "key-1", "acme");
        let body = format!("{{\"message_id\": \"m\", \"timestamp\": 1795000000, \"x\": \"{}\"}}", "x".repeat(length));
        let request = Request::post("/orders", "application/json", body.as_bytes()).sign(&pair, "n", NOW);
        let admits = policy(|d| d.schemes = vec![scheme]);
        let mut open = Claim::read(request.head().unwrap(), &admits).unwrap().check(&pair.keys(), NOW).unwrap();
        open.push(request.body.clone().into()).unwrap();
        (open.weight(), open.takes_long(), open.head_holds())
    };
    assert_eq!(open(RFC, Algorithm::Ed25519, 1 << 20), (0, false, true));
    assert_eq!(open(Scheme::Pki, Algorithm::RsaPssSha256, 1 << 20), (8, true, false));
    assert_eq!(open(Scheme::Pki, Algorithm::RsaPssSha256, 1 << 10), (8, false, false));
    assert_eq!(open(Scheme::AppHmac, Algorithm::HmacSha256, 1 << 20), (0, false, false));
}

#[test]
fn the_log_is_told_why_a_key_is_not_usable() {
    let pair = Pair::new(RFC, Algorithm::Ed25519, "key-1", "acme");
    let second = Duration::from_secs(1);
    let why = |change: &dyn Fn(&mut KeyRecord)| {
        let mut record = pair.record.clone();
        change(&mut record);
        let keys = Keys::new([VerifyingKey::new(record).unwrap()]);
        let request = order().sign(&pair, "n", NOW);
        let rejection = Claim::read(request.head().unwrap(), &policy(|_| {})).unwrap().check(&keys, NOW).err().unwrap();
        assert_eq!(rejection.code(), Code::KeyNotUsable);
        rejection.reason().to_owned()
    };
    assert_eq!(why(&|r| r.partner_active = false), "the key's partner is suspended");
    assert_eq!(why(&|r| r.not_before = Some(NOW.after(second))), "the key's validity has not begun");
    assert_eq!(why(&|r| r.not_after = Some(NOW)), "the key's validity has ended");
    assert_eq!(why(&|r| r.not_after = Some(NOW.before(second))), "the key's validity has ended");
    let valid = |r: &mut KeyRecord| (r.not_before, r.not_after) = (Some(NOW), Some(NOW.after(second)));
    let revoked = |r: &mut KeyRecord| {
        valid(r);
        r.state = KeyState::Revoked;
    };
    assert_eq!(why(&revoked), "the key is revoked");
}
