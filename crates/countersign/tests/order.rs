//! With several faults the first of the contract's order is told: framing and target, route, form, scheme, signer known,
//! time, coverage, key usable, algorithm, signature, partner allowed, channel, digest, replay.

mod support;

use std::time::Duration;

use countersign::*;
use support::{Memory, NOW, Pair, Request, policy};

const RFC: Scheme = Scheme::HttpMessageSignatures;

fn pair() -> Pair {
    Pair::new(RFC, Algorithm::Ed25519, "key-1", "acme")
}

fn order() -> Request {
    Request::post("/orders?a=b", "application/json", b"{\"amount\": 12}")
}

/// An order whose `Signature-Input` says something else than what was signed.
fn saying(input: &str) -> Request {
    let mut request = order().sign(&pair(), "nonce", NOW);
    request.headers.insert("signature-input", format!("sig1={input}").parse().unwrap());
    request
}

fn told(request: &Request, change: impl FnOnce(&mut Demands)) -> Option<Code> {
    request.pass(&pair().keys(), &policy(change), &Memory::default(), NOW).err()
}

const ALL: &str = r#"("@method" "@authority" "@path" "@query" "content-type" "content-digest")"#;
const FRESH: i64 = NOW.as_secs();
const STALE: i64 = NOW.as_secs() - 1000;

#[test]
fn form_comes_before_the_scheme_and_the_scheme_before_the_signer() {
    let elsewhere = |d: &mut Demands| d.schemes = vec![Scheme::Pki];
    let broken = format!("{ALL};created=1;keyid=\"nobody\"");
    assert_eq!(told(&saying(&broken), elsewhere), Some(Code::Malformed));
    let fine = format!("{ALL};created={STALE};keyid=\"nobody\"");
    assert_eq!(told(&saying(&fine), elsewhere), Some(Code::SchemeNotAllowed));
    assert_eq!(told(&saying(&fine), |_| {}), Some(Code::UnknownSigner));
}

#[test]
fn time_comes_before_coverage() {
    let coverage = Some(Code::CoverageTooSmall);
    for (input, expected) in [
        // No key is named: nobody is unknown, so time is next.
        (format!("{ALL};created={STALE}"), Some(Code::TooOld)),
        (format!("{ALL};created={FRESH}"), coverage),
        (format!("(\"@method\");created={STALE};keyid=\"key-1\""), Some(Code::TooOld)),
        (format!("(\"@method\");created={FRESH};keyid=\"key-1\""), coverage),
        (format!("{ALL};keyid=\"key-1\";nonce=\"n\""), coverage),
        (format!("{ALL};keyid=\"key-1\";nonce=\"n\";expires={STALE}"), Some(Code::TooOld)),
        (format!("{ALL};keyid=\"nobody\";nonce=\"n\""), Some(Code::UnknownSigner)),
        (format!("{ALL};created={FRESH};keyid=\"key-1\""), coverage),
        (format!("{ALL};created={};keyid=\"key-1\"", FRESH + 31), Some(Code::NotYetValid)),
    ] {
        assert_eq!(told(&saying(&input), |_| {}), expected, "{input}");
    }
}

#[test]
fn a_missing_tag_is_told_where_coverage_is() {
    let tagged = |d: &mut Demands| d.http_message_signatures.tag = Some("orders".to_owned());
    for (input, expected) in [
        (format!("{ALL};created={FRESH};keyid=\"nobody\";nonce=\"n\""), Code::UnknownSigner),
        (format!("{ALL};created={STALE};keyid=\"key-1\";nonce=\"n\""), Code::TooOld),
        (format!("{ALL};created={FRESH};keyid=\"key-1\";nonce=\"n\""), Code::CoverageTooSmall),
        (format!("{ALL};created={FRESH};keyid=\"key-1\";nonce=\"n\";tag=\"other\""), Code::CoverageTooSmall),
        (format!("{ALL};created={FRESH};keyid=\"key-1\";nonce=\"n\";tag=\"orders\""), Code::BadSignature),
    ] {
        assert_eq!(told(&saying(&input), tagged), Some(expected), "{input}");
    }
}

#[test]
fn coverage_comes_before_the_key_and_the_signature_before_the_partner() {
    let mut revoked = pair();
    revoked.record.state = KeyState::Revoked;
    let told_of = |input: String| saying(&input).pass(&revoked.keys(), &policy(|_| {}), &Memory::default(), NOW).err();
    assert_eq!(told_of(format!("(\"@path\");created={FRESH};keyid=\"key-1\"")), Some(Code::CoverageTooSmall));
    let whole = format!("{ALL};created={FRESH};keyid=\"key-1\";nonce=\"n\";alg=\"hmac-sha256\"");
    assert_eq!(told_of(whole.clone()), Some(Code::KeyNotUsable));
    assert_eq!(told(&saying(&whole), |_| {}), Some(Code::AlgorithmMismatch));
    let others = |d: &mut Demands| d.partners = vec!["globex".to_owned()];
    assert_eq!(told(&saying(&whole.replace("hmac-sha256", "ed25519")), others), Some(Code::BadSignature));
    // The key of another run: the same id, so the signature does not hold; with the right one the partner is judged.
    let own = pair();
    let mut request = order().sign(&own, "nonce", NOW);
    request.body.push(b' ');
    let pass = |change: &dyn Fn(&mut Demands)| {
        request.pass(&own.keys(), &policy(|d| change(d)), &Memory::default(), NOW).err()
    };
    assert_eq!(pass(&others), Some(Code::PartnerNotAllowed));
    assert_eq!(pass(&|_| {}), Some(Code::DigestMismatch));
}

#[test]
fn the_channel_is_judged_after_the_partner_and_before_the_digest() {
    let own = pair();
    let mut request = order().sign(&own, "nonce", NOW);
    request.body.push(b' ');
    let pass = |channel: Option<&str>, change: &dyn Fn(&mut Demands)| {
        let policy = policy(|d| {
            d.same_partner_channel = true;
            change(d);
        });
        request.pass_by(channel, &own.keys(), &policy, &Memory::default(), NOW).err()
    };
    let others = |d: &mut Demands| d.partners = vec!["globex".to_owned()];
    assert_eq!(pass(None, &others), Some(Code::PartnerNotAllowed));
    for channel in [None, Some("globex"), Some(""), Some("Acme"), Some("acme ")] {
        assert_eq!(pass(channel, &|_| {}), Some(Code::ChannelMismatch), "{channel:?}");
        assert_eq!(pass(channel, &|d| d.same_partner_channel = false), Some(Code::DigestMismatch));
    }
    assert_eq!(pass(Some("acme"), &|_| {}), Some(Code::DigestMismatch));
    assert_eq!(Code::ChannelMismatch.public(), Code::SignatureInvalid);
}

#[test]
fn the_channel_is_judged_in_every_scheme() {
    for (scheme, algorithm) in [
        (RFC, Algorithm::Ed25519),
        (Scheme::Pki, Algorithm::RsaPssSha256),
        (Scheme::TrustedSite, Algorithm::RsaV15Sha256),
        (Scheme::AppHmac, Algorithm::HmacSha256),
    ] {
        let own = Pair::new(scheme, algorithm, "key-1", "acme");
        let body = br#"{"message_id": "m-1", "timestamp": 1795000000}"#;
        let request = Request::post("/orders", "application/json", body).sign(&own, "0a1b2c3d", NOW);
        let pass = |channel| {
            let policy = policy(|d| {
                d.schemes = vec![scheme];
                d.same_partner_channel = true;
            });
            request.pass_by(channel, &own.keys(), &policy, &Memory::default(), NOW).err()
        };
        assert_eq!(pass(Some("acme")), None, "{scheme}");
        assert_eq!(pass(Some("globex")), Some(Code::ChannelMismatch), "{scheme}");
        assert_eq!(pass(None), Some(Code::ChannelMismatch), "{scheme}");
    }
}

#[test]
fn a_refusal_says_for_the_log_whose_message_it_claims_to_be() {
    let request = saying(&format!("{ALL};created={STALE};keyid=\"key-1\""));
    let claim = Claim::read(request.head().unwrap(), &policy(|_| {})).unwrap();
    let rejection = claim.check(&pair().keys(), NOW).err().unwrap();
    assert_eq!((rejection.code(), rejection.claimed()), (Code::TooOld, Some((RFC, "key-1"))));
}

#[test]
fn of_ten_labels_the_one_whose_key_is_known_is_meant() {
    let own = pair();
    let mut request = order().sign(&own, "nonce", NOW);
    for at in 0..9 {
        // What a stranger covers need not be there: nobody looks at it.
        let input = format!("other{at}=(\"x-absent\");keyid=\"stranger-{at}\"");
        request.headers.append("signature-input", input.parse().unwrap());
        request.headers.append("signature", format!("other{at}=:AAAA:").parse().unwrap());
    }
    assert!(request.pass(&own.keys(), &policy(|_| {}), &Memory::default(), NOW).is_ok());
    // RFC 9421 section 4.1: a label in one field but not in the other is an error.
    request.headers.append("signature", "lonely=:AAAA:".parse().unwrap());
    assert_eq!(request.pass(&own.keys(), &policy(|_| {}), &Memory::default(), NOW).err(), Some(Code::Malformed));
}

#[test]
fn a_stranger_does_not_learn_by_two_labels_which_keys_there_are() {
    let two_of = |id: &str| {
        let mut request = order().sign(&pair(), "nonce", NOW);
        let input = format!("{ALL};created={FRESH};keyid=\"{id}\";nonce=\"n\"");
        request.headers.insert("signature-input", format!("a={input}, b={input}").parse().unwrap());
        request.headers.insert("signature", "a=:AAAA:, b=:AAAA:".parse().unwrap());
        told(&request, |_| {})
    };
    assert_eq!((two_of("key-1"), two_of("nobody")), (Some(Code::Ambiguous), Some(Code::Ambiguous)));
}

#[test]
fn one_key_may_sign_twice_if_one_tag_is_the_routes() {
    let own = pair();
    let pass = |tags: [Option<&str>; 2]| {
        let mut request = order();
        for tag in tags {
            request.sign_as(&own, Form { tag: tag.map(str::to_owned), ..Form::new(RFC, "key-1") }, "n", NOW);
        }
        let tagged = policy(|d| d.http_message_signatures.tag = Some("orders".to_owned()));
        request.pass(&own.keys(), &tagged, &Memory::default(), NOW).err()
    };
    assert_eq!(pass([Some("orders"), Some("other")]), None);
    assert_eq!(pass([None, Some("orders")]), None);
    assert_eq!(pass([Some("orders"), Some("orders")]), Some(Code::Ambiguous));
    assert_eq!(pass([Some("other"), Some("other")]), Some(Code::CoverageTooSmall));
}

#[test]
fn two_signatures_that_name_no_key_are_not_ambiguous_but_too_little() {
    let mut request = order().sign(&pair(), "nonce", NOW);
    let input = format!("{ALL};created={FRESH};nonce=\"n\"");
    request.headers.insert("signature-input", format!("a={input}, b={input}").parse().unwrap());
    request.headers.insert("signature", "a=:AAAA:, b=:AAAA:".parse().unwrap());
    assert_eq!(told(&request, |_| {}), Some(Code::CoverageTooSmall));
}

#[test]
fn a_digest_without_form_comes_before_the_signature_and_one_that_proves_nothing_behind_it() {
    let told_of = |digest: &str| {
        let mut request = saying(&format!("{ALL};created={FRESH};keyid=\"key-1\";nonce=\"n\""));
        request.headers.insert("content-digest", digest.parse().unwrap());
        told(&request, |_| {})
    };
    assert_eq!(told_of("sha-256=:AAAA:"), Some(Code::Malformed));
    assert_eq!(told_of("md5=:AAAA:"), Some(Code::BadSignature));
}

#[test]
fn a_signature_base_without_end_is_refused() {
    let of = |length: usize| {
        let mut request = saying(&format!("(\"x-long\");created={FRESH};keyid=\"nobody\";nonce=\"n\""));
        request.headers.insert("x-long", "x".repeat(length).parse().unwrap());
        told(&request, |_| {})
    };
    assert_eq!((of(120 << 10), of(200 << 10)), (Some(Code::UnknownSigner), Some(Code::Malformed)));
}

#[test]
fn a_type_that_nobody_signed_is_refused_also_without_a_body() {
    let own = pair();
    let demands = |d: &mut Demands| d.require = vec!["@method".to_owned(), "content-type".to_owned()];
    let mut request = Request::get("/orders").sign(&own, "nonce", NOW);
    assert!(request.pass(&own.keys(), &policy(demands), &Memory::default(), NOW).is_ok());
    request.headers.insert("content-type", "text/html".parse().unwrap());
    let told = request.pass(&own.keys(), &policy(demands), &Memory::default(), NOW).err();
    assert_eq!(told, Some(Code::CoverageTooSmall));
}

#[test]
fn a_route_takes_the_algorithms_that_it_names_and_asks_it_of_rfc_9421_only() {
    let own = pair();
    let with = |algorithms: &[Algorithm]| {
        let algorithms = algorithms.to_vec();
        let request = order().sign(&own, "nonce", NOW);
        let policy = policy(|d| d.http_message_signatures.algorithms = algorithms);
        request.pass(&own.keys(), &policy, &Memory::default(), NOW).err()
    };
    assert_eq!(with(&[]), None);
    assert_eq!(with(&[Algorithm::MlDsa44, Algorithm::Ed25519]), None);
    assert_eq!(with(&[Algorithm::MlDsa44]), Some(Code::AlgorithmMismatch));
    let other = Pair::new(Scheme::AppHmac, Algorithm::HmacSha256, "app-1", "acme");
    let request = order().sign(&other, "nonce", NOW);
    let policy = policy(|d| {
        d.schemes = vec![Scheme::AppHmac];
        d.http_message_signatures.algorithms = vec![Algorithm::Ed25519];
    });
    assert_eq!(request.pass(&other.keys(), &policy, &Memory::default(), NOW).err(), None);
}

#[test]
fn a_raised_age_applies_to_what_is_signed_after_it_was_raised() {
    let own = pair();
    let minute = |minutes: u64| Duration::from_secs(60 * minutes);
    let raised_at = NOW;
    let raised = |d: &mut Demands| {
        d.max_age = minute(60);
        d.memory = countersign::Memory {
            window: minute(61),
            raised: vec![Raised { before: raised_at.after(Duration::from_secs(30)), max_age: minute(5) }],
        };
    };
    let at = |signed: Timestamp, now: Timestamp| {
        let request = order().sign(&own, "nonce", signed);
        request.pass(&own.keys(), &policy(raised), &Memory::default(), now).err()
    };
    // Signed before, and perhaps admitted before: only for as long as that was remembered.
    assert_eq!(at(raised_at, raised_at.after(minute(5))), None);
    assert_eq!(at(raised_at, raised_at.after(minute(6))), Some(Code::TooOld));
    // Signed in the future of that moment, within the skew, it may have been admitted before it, too.
    let ahead = raised_at.after(Duration::from_secs(29));
    assert_eq!(at(ahead, raised_at.after(minute(6))), Some(Code::TooOld));
    let after = raised_at.after(Duration::from_secs(30));
    assert_eq!(at(after, raised_at.after(minute(60))), None);
}
