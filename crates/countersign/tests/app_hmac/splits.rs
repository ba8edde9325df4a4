//! `method-first` has nothing between its parts: whose bytes they are is told by one rule.

use super::*;

#[test]
fn mistake_22_an_id_of_digits_and_hex_reads_as_stamp_and_nonce_of_one_request_only() {
    let pair = pair();
    // The contract's own example: one HMAC, two requests.
    let honest =
        method_first(&pair, bare(Method::DELETE, "/orders/1795000100a1b2c3d4/lines", b""), "1795000000", "0f0f0f0f");
    assert_eq!(pass(&pair, &honest).err(), None);
    let moved = Request { target: "/orders/".into(), body: b"/lines17950000000f0f0f0f".to_vec(), ..honest.clone() };
    let moved = method_first(&pair, moved, "1795000100", "a1b2c3d4");
    assert_eq!(moved.headers["signature"], honest.headers["signature"]);
    assert_eq!(pass(&pair, &moved).err(), Some(Code::Ambiguous));
}

#[test]
fn mistake_22_a_request_kept_until_the_stamp_in_its_path_is_no_other_request() {
    let mut pair = pair();
    for not_before in [None, Some(Timestamp::from_secs(1_790_000_000))] {
        pair.record.not_before = not_before;
        // Signed a month ago, when 1795000000 was far away; its path was chosen by whoever placed the order.
        let honest =
            method_first(&pair, bare(Method::DELETE, "/orders/1795000000a1b2c3d4/x", b""), "1792000000", "0f0f0f0f");
        let kept = Request { target: "/orders/".into(), body: b"/x17920000000f0f0f0f".to_vec(), ..honest.clone() };
        let kept = method_first(&pair, kept, "1795000000", "a1b2c3d4");
        assert_eq!(kept.headers["signature"], honest.headers["signature"]);
        assert_eq!(pass(&pair, &kept).err(), Some(Code::Ambiguous));
    }
}

#[test]
fn mistake_22_bytes_moved_between_the_parts() {
    let pair = pair();
    let to = |target: &str, stamp: &str, nonce: &str, body: &str| {
        pass(&pair, &method_first(&pair, bare(Method::POST, target, body.as_bytes()), stamp, nonce)).err()
    };
    // The same bytes, `/a` `1795000000` `1a1b2c3d` `4 …`, one place further: stamp 7950000001.
    assert_eq!(to("/a", "1795000000", "1a1b2c3d", "4&b"), Some(Code::Ambiguous));
    // What a user writes in a form reads as stamp and nonce.
    assert_eq!(to("/a", "1795000000", "a1b2c3d4", "name=1795000100ffffffff&b"), Some(Code::Ambiguous));
    // The other request may also be the one with the shorter target; without such a body this one could be no other's.
    assert_eq!(to("/a/1795000100ffffffff/b", "1795000000", "a1b2c3d4", "name=b"), Some(Code::Ambiguous));
    assert_eq!(to("/a/1795000100ffffffff/b", "1795000000", "a1b2c3d4", "{}"), None);
    // No stamp of ours, no nonce, not in reach of a target.
    assert_eq!(to("/a", "1795000000", "a1b2c3d4", "name=1234567890ffffffff&b"), None);
    assert_eq!(to("/a", "1795000000", "a1b2c3d4", "name=1795000100fffffffg&b"), None);
    assert_eq!(to("/a", "1795000000", "a1b2c3d4", "name=\"1795000100ffffffff"), None);
    assert_eq!(to("/a", "1795000000", "a1b2c3d4", "{1795000100ffffffff}"), None);
    assert_eq!(to("/a", "1795000000", "a1b2c3d4", "amount=1"), None);
}

#[test]
fn a_key_that_ends_has_fewer_splits() {
    let mut pair = pair();
    let request = method_first(&pair, bare(Method::POST, "/a", b"name=1799000000ffffffff"), "1795000000", "a1b2c3d4");
    assert_eq!(pass(&pair, &request).err(), Some(Code::Ambiguous));
    pair.record.not_after = Some(Timestamp::from_secs(1_796_000_000));
    assert_eq!(pass(&pair, &request).err(), None);
    // The secret goes on under another id, and there the other reading would pass.
    let other = |not_after| KeyRecord { id: "app-2".to_owned(), not_after, ..pair.record.clone() };
    let at = |other: KeyRecord| {
        let keys = Keys::new([pair.record.clone(), other].map(|record| VerifyingKey::new(record).unwrap()));
        let policy = policy(|demands| demands.schemes = vec![Scheme::AppHmac]);
        request.pass(&keys, &policy, &Memory::default(), NOW).err()
    };
    assert_eq!(at(other(None)), Some(Code::Ambiguous));
    assert_eq!(at(other(Some(Timestamp::from_secs(1_799_500_000)))), Some(Code::Ambiguous));
    assert_eq!(at(other(Some(Timestamp::from_secs(1_795_500_000)))), None);
}

#[test]
fn the_split_is_told_to_whoever_has_the_secret() {
    let pair = pair();
    let mut request = method_first(&pair, bare(Method::POST, "/a", b"n=1795000100ffffffff"), "1795000000", "a1b2c3d4");
    request.headers.insert("signature", "0".repeat(64).parse().unwrap());
    assert_eq!(pass(&pair, &request).err(), Some(Code::BadSignature));
}

#[test]
fn a_target_is_in_origin_form_and_of_rfc_3986_only() {
    let pair = pair();
    for (target, expected) in [
        ("/orders?a=b", None),
        ("/orders?a=[b]", Some(Code::Ambiguous)),
        ("/orders?a=\"b", Some(Code::Ambiguous)),
        ("/orders?a={b", Some(Code::Ambiguous)),
        ("https://api.example.com/orders", Some(Code::Ambiguous)),
    ] {
        let request = method_first(&pair, bare(Method::GET, target, b""), "1795000000", "a1b2c3d4");
        assert_eq!(pass(&pair, &request).err(), expected, "{target}");
    }
    let star = method_first(&pair, bare(Method::OPTIONS, "*", b""), "1795000000", "a1b2c3d4");
    assert_eq!(pass(&pair, &star).err(), Some(Code::Ambiguous));
}

/// Of each form, and of keys without and with an end: all strings of up to five pieces behind a `/`, read in every way there
/// is, each at the time of its own stamp, when it would be let in, and by the code that would let it in.
#[test]
fn no_two_requests_that_pass_at_any_time_share_signed_bytes() {
    let ended = Some(Timestamp::from_secs(1_798_000_000));
    for (form, not_after) in forms().filter(|form| form.layout == Layout::MethodFirst).zip([None, ended].repeat(3)) {
        let mut pair = pair_of(form);
        pair.record.not_after = not_after;
        let (keys, policy) = (pair.keys(), policy(|d| d.schemes = vec![Scheme::AppHmac]));
        // A month between the stamps; nonces that could continue one, and that could not.
        let (stamps, digits) = match form.unit {
            TimestampUnit::Seconds => (["1795000000", "1797600000"], 10),
            TimestampUnit::Milliseconds => (["1795000000000", "1797600000000"], 13),
        };
        let nonces = match form.nonce {
            NonceForm::Hex8 => ["17950000", "a1b2c3d4"],
            NonceForm::Hex32 => ["17950000001795000000179500000017", "a1b2c3d4a1b2c3d4a1b2c3d4a1b2c3d4"],
            NonceForm::Uuid => ["17950000-1795-4000-8000-000000001795", "a1b2c3d4-a1b2-4c3d-8a1b-a1b2c3d4a1b2"],
        };
        let pieces = ["/", stamps[0], stamps[1], nonces[0], nonces[1], "1", "b", "{"];
        let (mut passed, mut ambiguous) = (0, 0);
        for bytes in strings(&pieces, 5) {
            let mut ways = 0;
            for at in 1..bytes.len() {
                let Some((stamp, rest)) = bytes[at..].split_at_checked(digits) else { break };
                let Some((nonce, body)) = rest.split_at_checked(nonces[0].len()) else { break };
                let Some(now) = time(stamp, form.unit) else { continue };
                let request = method_first(&pair, bare(Method::PUT, &bytes[..at], body.as_bytes()), stamp, nonce);
                if request.head().is_err() {
                    continue;
                }
                match request.pass(&keys, &policy, &Memory::default(), now) {
                    Ok(_) => ways += 1,
                    Err(Code::Ambiguous) => ambiguous += 1,
                    Err(_) => {}
                }
            }
            assert!(ways <= 1, "{form:?}: {bytes} passes in {ways} ways");
            passed += ways;
        }
        // Neither a rule that admits nothing nor strings that are all plain would tell anything.
        assert!(passed > 500 && ambiguous > 100, "{form:?}: {passed} passed, {ambiguous} were ambiguous");
    }
}

/// Every string of up to `longest` of the pieces, behind a `/`.
fn strings(pieces: &[&str], longest: u32) -> impl Iterator<Item = String> {
    (0..=longest).flat_map(move |length| {
        (0..pieces.len().pow(length)).map(move |mut number| {
            let mut text = String::from("/");
            for _ in 0..length {
                text.push_str(pieces[number % pieces.len()]);
                number /= pieces.len();
            }
            text
        })
    })
}

/// The time of a stamp that a gateway could have seen, or could see in the next ten years.
fn time(stamp: &str, unit: TimestampUnit) -> Option<Timestamp> {
    let number: i64 = stamp.parse().ok()?;
    let time = match unit {
        TimestampUnit::Seconds => Timestamp::from_secs(number),
        TimestampUnit::Milliseconds => Timestamp::from_millis(number),
    };
    (1_767_225_600..2_082_758_400).contains(&time.as_secs()).then_some(time)
}

#[test]
fn what_our_verifier_would_refuse_is_not_signed() {
    let draft = |request: &Request, layout, nonce: &str| {
        let app_hmac = Some(AppHmacForm { layout, ..APP_HMAC });
        let mut draft = Draft::new(request.head().unwrap(), Form { app_hmac, ..Form::new(Scheme::AppHmac, "app-1") });
        draft.push(&request.body);
        draft.finish(nonce, NOW).is_ok()
    };
    let form = |body: &[u8]| Request::post("/orders", "application/x-www-form-urlencoded", body);
    // A nonce that would continue the stamp is passed over.
    for number in 0..64 {
        let nonce = format!("nonce {number} of 16 bytes");
        assert!(draft(&form(b"amount=1"), Layout::MethodFirst, &nonce));
        assert_eq!(pass(&pair(), &form(b"amount=1").sign(&pair(), &nonce, NOW)).err(), None);
    }
    assert!(!draft(&form(b"n=1795000100ffffffff"), Layout::MethodFirst, NONCE));
    assert!(draft(&form(b"n=1795000100ffffffff"), Layout::PayloadFirst, NONCE));
    assert!(!draft(&Request::get("/orders?a=[b]"), Layout::MethodFirst, NONCE));
    assert!(draft(&Request::get("/orders"), Layout::MethodFirst, NONCE));
    // A nonce in the key's form is taken as it is, and not exchanged for a better one.
    assert!(draft(&form(b"amount=1"), Layout::MethodFirst, "a1b2c3d4"));
    assert!(!draft(&form(b"4&b"), Layout::MethodFirst, "1a1b2c3d"));
    let mut twice = Request::get("/orders");
    twice.headers.insert("signature-input", "sig1=()".parse().unwrap());
    assert!(!draft(&twice, Layout::MethodFirst, NONCE));
    assert!(!draft(&Request::get("/orders"), Layout::PayloadFirst, NONCE));
}
