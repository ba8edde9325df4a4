use std::time::Duration;

use super::*;

const LIMITS: Limits = Limits {
    bytes: 400,
    fields: 8,
    head_time: Duration::from_secs(1),
    idle_time: Duration::from_secs(1),
    write_time: Duration::from_secs(1),
};

/// What went on, the fault if there was one, and the phase at the end.
type Outcome = (Vec<u8>, Option<Fault>, Phase);

fn scan(parts: &[&[u8]]) -> Outcome {
    let mut scanner = Scanner::new(LIMITS);
    let mut passed = Vec::new();
    for part in parts {
        let mut part = part.to_vec();
        if let Err((at, fault)) = scanner.scan(&mut part) {
            passed.extend_from_slice(&part[..at]);
            return (passed, Some(fault), scanner.phase());
        }
        passed.extend_from_slice(&part);
    }
    (passed, None, scanner.phase())
}

/// The outcome, which has to be the same whatever the reads were split into.
fn scan_in_every_split(bytes: &str) -> Outcome {
    let bytes = bytes.as_bytes();
    let whole = scan(&[bytes]);
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    let judged = |outcome: &Outcome| (outcome.1, outcome.2);
    assert_eq!(judged(&scan(&single)), judged(&whole), "in single bytes");
    for at in 1..bytes.len() {
        let split = scan(&[&bytes[..at], &bytes[at..]]);
        assert_eq!(judged(&split), judged(&whole), "split at {at}");
        if whole.1.is_none() {
            assert_eq!(split.0, whole.0, "split at {at}");
        }
    }
    whole
}

fn passes(bytes: &str) {
    let (passed, fault, phase) = scan_in_every_split(bytes);
    assert_eq!((fault, phase), (None, Phase::Idle), "{bytes:?}");
    assert_eq!(passed, bytes.as_bytes());
}

/// The head never gets to its end, so that nothing above ever sees it.
fn refused_in_head(bytes: &str) {
    let (passed, fault, _) = scan_in_every_split(bytes);
    assert!(fault.is_some(), "{bytes:?}");
    assert!(!String::from_utf8_lossy(&passed).contains("\r\n\r\n"), "{bytes:?}");
}

fn refused_in_body(bytes: &str) {
    let (_, fault, phase) = scan_in_every_split(bytes);
    assert!(matches!(fault, Some(Fault::Bad(_))), "{bytes:?}");
    assert_eq!(phase, Phase::Body, "{bytes:?}");
}

#[test]
fn messages_follow_each_other() {
    passes("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    passes("GET / HTTP/1.0\r\n\r\n");
    passes("\r\nGET / HTTP/1.1\r\n\r\n");
    passes("POST /a?b=|c HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\n\r\n");
    passes("POST / HTTP/1.1\r\ncontent-length:\t 0  \r\nX:\r\nY: \t\r\nZ: \u{e9}\r\n\r\nGET / HTTP/1.1\r\n\r\n");
    passes(
        "POST / HTTP/1.1\r\nTransfer-Encoding: Chunked \r\n\r\n3\r\nabc\r\n00A\r\n0123456789\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
    );
    passes("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 5\r\nX: y\r\n\r\n");
    passes("POST http://[::1]:80/a HTTP/1.1\r\nContent-Lengthy: 5\r\nX-Transfer-Encoding: x\r\n\r\n");
}

#[test]
fn smuggling_by_content_length_beside_transfer_encoding() {
    refused_in_head("POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    refused_in_head("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n");
}

#[test]
fn smuggling_by_two_lengths() {
    refused_in_head("POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd");
    refused_in_head("POST / HTTP/1.1\r\nContent-Length: 3\r\nX: y\r\ncontent-LENGTH: 3\r\n\r\nabc");
    for value in [
        "3, 3",
        "3,4",
        "+3",
        "-1",
        "0x3",
        "3 3",
        "",
        " ",
        "3;",
        "1e1",
        "9999999999999999999",
        "99999999999999999999999999999",
        "\u{663}",
    ] {
        refused_in_head(&format!("POST / HTTP/1.1\r\nContent-Length: {value}\r\n\r\nabc"));
    }
    refused_in_head(&format!("POST / HTTP/1.1\r\nContent-Length: 3{}\r\n\r\nabc", " ".repeat(20)));
}

#[test]
fn smuggling_by_an_odd_transfer_encoding() {
    for value in [
        "chunked, chunked",
        "gzip, chunked",
        "identity",
        "xchunked",
        "chunked;q=1",
        "\"chunked\"",
        "",
        "chunke d",
        "chunked,",
        "gzip",
    ] {
        refused_in_head(&format!("POST / HTTP/1.1\r\nTransfer-Encoding: {value}\r\n\r\n0\r\n\r\n"));
    }
    refused_in_head("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    refused_in_head("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
}

#[test]
fn smuggling_by_line_ends_blanks_and_folding() {
    for head in [
        "GET / HTTP/1.1\nHost: a\n\n",
        "GET / HTTP/1.1\r\nHost: a\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\n",
        "GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n",
        "GET / HTTP/1.1\r\nX: a\r\r\n\r\n",
        "GET / HTTP/1.1\r\n\rX\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length : 3\r\n\r\nabc",
        "POST / HTTP/1.1\r\n Content-Length: 3\r\n\r\nabc",
        "POST / HTTP/1.1\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nX: a\r\n\tb\r\n\r\n",
        "GET / HTTP/1.1\r\nX: a\u{0}b\r\n\r\n",
        "GET / HTTP/1.1\r\nX: a\u{1b}b\r\n\r\n",
        "GET / HTTP/1.1\r\nX: a\u{7f}b\r\n\r\n",
        "GET / HTTP/1.1\r\nX\u{0}: a\r\n\r\n",
        "GET / HTTP/1.1\r\nX(: a\r\n\r\n",
        "GET / HTTP/1.1\r\n: a\r\n\r\n",
        "GET / HTTP/1.1\r\nno colon\r\n\r\n",
        "GET / HTTP/1.1\r\nX\r\n\r\n",
    ] {
        refused_in_head(head);
    }
}

#[test]
fn a_request_line_has_one_form() {
    for line in [
        "GET  / HTTP/1.1",
        "GET /  HTTP/1.1",
        "GET\t/ HTTP/1.1",
        " GET / HTTP/1.1",
        "GET / HTTP/1.1 ",
        "GET /",
        "GET / HTTP/2.0",
        "GET / HTTP/0.9",
        "GET / HTTP/1.2",
        "GET / http/1.1",
        "GET / HTTP/1.1x",
        "G\u{0}T / HTTP/1.1",
        "GET /\u{0} HTTP/1.1",
        "GET /\u{7f} HTTP/1.1",
        "GET / HTTP/1.",
        "G@T / HTTP/1.1",
        "\r\n\r\nGET / HTTP/1.1",
        "\nGET / HTTP/1.1",
        "PRI * HTTP/2.0",
        "GET ?a HTTP/1.1",
        "GET # HTTP/1.1",
        "GET \u{e9} HTTP/1.1",
    ] {
        refused_in_head(&format!("{line}\r\nHost: a\r\n\r\n"));
    }
}

#[test]
fn a_fragment_is_made_unreadable_instead_of_being_cut_off() {
    for (target, readable) in [
        ("/a#b", "/a%%"),
        ("/a?b#41", "/a?b%%%"),
        ("/a#", "/a%"),
        ("/\u{e9}41", "/%%%%"),
        ("/a|b", "/a%%"),
        ("/a?<41", "/a?%%%"),
    ] {
        let (passed, fault, _) = scan_in_every_split(&format!("GET {target} HTTP/1.1\r\n\r\n"));
        assert_eq!(fault, None, "{target}");
        assert_eq!(String::from_utf8(passed).unwrap(), format!("GET {readable} HTTP/1.1\r\n\r\n"));
    }
}

#[test]
fn smuggling_by_chunks() {
    for body in [
        "3\nabc\r\n0\r\n\r\n",
        "3\r\nabc\n0\r\n\r\n",
        "3\r\nabcd\r\n0\r\n\r\n",
        "0x3\r\nabc\r\n0\r\n\r\n",
        "+3\r\nabc\r\n0\r\n\r\n",
        " 3\r\nabc\r\n0\r\n\r\n",
        "3 \r\nabc\r\n0\r\n\r\n",
        "-3\r\nabc\r\n",
        "g\r\n",
        "\r\n",
        "1234567890abc\r\n",
        "0000000000003\r\nabc\r\n",
        "3;a=b\r\nabc\r\n0\r\n\r\n",
        "3;\r\nabc\r\n",
        "3;a=\"\n\"\r\nabc\r\n",
        "3\r\r\nabc\r\n",
        "0\r\nX : y\r\n\r\n",
        "0\r\nX: y\n\r\n",
        "0\r\n\n",
        "0\r\n folded\r\n\r\n",
        "3\r\nab\u{0}\rx\r\n",
    ] {
        refused_in_body(&format!("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{body}"));
    }
}

#[test]
fn behind_the_limit_nothing_is_judged_and_nothing_goes_on_whatever_the_split() {
    let judged = |bytes: &str| {
        let (passed, fault, phase) = scan(&[bytes.as_bytes()]);
        let single: Vec<&[u8]> = bytes.as_bytes().chunks(1).collect();
        assert_eq!(scan(&single), (passed.clone(), fault, phase), "{bytes:?}");
        (passed.len(), fault)
    };
    let long = "x".repeat(LIMITS.bytes);
    let too_large = (LIMITS.bytes, Some(Fault::TooLarge));
    assert_eq!(judged(&format!("GET / HTTP/1.1\r\nX: {long}\r\nY : z\r\n\r\n")), too_large);
    assert_eq!(judged(&format!("GET / HTTP/1.1\r\nX: {long}\r\n\r\n")), too_large);
    assert_eq!(judged(&format!("GET /{long} \r\n")), too_large);
    let head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n";
    let too_long = (head.len() + LIMITS.bytes, Some(Fault::Bad("a trailer section that is too long")));
    assert_eq!(judged(&format!("{head}X: {long}\r\nY : z\r\n\r\n")), too_long);
    assert_eq!(judged(&format!("{head}X: {long}\r\n\r\n")), too_long);
}

#[test]
fn heads_and_trailers_are_bounded() {
    let too_large = |bytes: &str| {
        let (passed, fault, _) = scan(&[bytes.as_bytes()]);
        assert_eq!(fault, Some(Fault::TooLarge));
        assert!(!String::from_utf8_lossy(&passed).contains("\r\n\r\n"));
        assert_eq!(scan(&bytes.as_bytes().chunks(1).collect::<Vec<_>>()).1, Some(Fault::TooLarge));
    };
    too_large(&format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(400)));
    too_large(&format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "a".repeat(400)));
    too_large(&format!("GET / HTTP/1.1\r\n{}\r\n", "a:\r\n".repeat(9)));
    passes(&format!("GET / HTTP/1.1\r\n{}\r\n", "a:\r\n".repeat(8)));
    let trailers = format!("0\r\n{}\r\n", "a:\r\n".repeat(9));
    assert!(scan(&[format!("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{trailers}").as_bytes()]).1.is_some());
    let long = format!("0\r\nx: {}\r\n\r\n", "y".repeat(400));
    refused_in_body(&format!("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{long}"));
}

#[test]
fn phases_are_told_apart() {
    let phase = |bytes: &str| scan(&[bytes.as_bytes()]).2;
    assert_eq!(phase(""), Phase::Idle);
    assert_eq!(phase("\r"), Phase::Head);
    assert_eq!(phase("G"), Phase::Head);
    assert_eq!(phase("GET / HTTP/1.1\r\n\r"), Phase::Head);
    assert_eq!(phase("GET / HTTP/1.1\r\n\r\n"), Phase::Idle);
    assert_eq!(phase("GET / HTTP/1.1\r\nContent-Length: 1\r\n\r\n"), Phase::Body);
    assert_eq!(phase("GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"), Phase::Body);
}

/// A small fuzzer that runs with every test: whatever the bytes, the split of the reads changes nothing.
#[test]
fn no_split_of_spoilt_messages_is_read_differently() {
    const SEED: &str = "POST /a?b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\n\
                        POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nabGET / HTTP/1.0\r\n\r\n";
    const SPOILERS: &[u8] = b"\r\n\t :;,0123456789abcGT/#%\0\x7f\xff";
    let mut state = 1_u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    for _ in 0..20_000 {
        let mut bytes = SEED.as_bytes().to_vec();
        for _ in 0..=random(3) {
            let (at, spoiler) = (random(bytes.len()), SPOILERS[random(SPOILERS.len())]);
            match random(3) {
                0 => bytes[at] = spoiler,
                1 => bytes.insert(at, spoiler),
                _ => drop(bytes.remove(at)),
            }
        }
        let (passed, fault, phase) = scan(&[&bytes]);
        let at = random(bytes.len() + 1);
        let (_, fault_in_two, phase_in_two) = scan(&[&bytes[..at], &bytes[at..]]);
        assert_eq!((fault, phase), (fault_in_two, phase_in_two), "{:?} at {at}", String::from_utf8_lossy(&bytes));
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        let (passed_singly, fault_singly, phase_singly) = scan(&single);
        assert_eq!((fault, phase), (fault_singly, phase_singly), "{:?}", String::from_utf8_lossy(&bytes));
        assert_eq!(passed, passed_singly);
    }
}

#[test]
fn a_request_line_that_is_too_long_has_begun_whether_it_came_at_once_or_in_parts() {
    let line = format!("POST /{} HTTP/1.1\r\n", "x".repeat(LIMITS.bytes));
    let (_, fault, phase) = scan(&[line.as_bytes()]);
    assert_eq!((fault, phase), (Some(Fault::TooLarge), Phase::Head));
    let single: Vec<&[u8]> = line.as_bytes().chunks(1).collect();
    assert_eq!(scan(&single).2, Phase::Head);
}
