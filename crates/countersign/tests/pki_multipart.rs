//! Multipart bodies of `pki`: what is signed of them, what is refused, and what the upstream gets. What Python prints is
//! asked of the `python3` on the path.

#![allow(
    clippy::disallowed_methods,
    clippy::cast_possible_truncation,
    reason = "a test may start a process, and a random number may be cut"
)]

#[path = "pki_multipart/python.rs"]
mod python;
#[path = "pki_multipart/refused.rs"]
mod refused;
mod support;

use countersign::*;
use support::{Memory, NOW, Pair, Request, policy};

/// With `\n` for every line end.
const FORM: &str = r#"--b-1
Content-Disposition: form-data; name="timestamp"

1795000000
--b-1
Content-Disposition: form-data; name="message_id"
Content-Type: text/plain; charset=UTF-8

m-1
--b-1
content-disposition: FORM-DATA; name=sender

é "q" \
--b-1
Content-Disposition: form-data; name="file"; filename="ü %22.txt"
Content-Type: text/x-notes; charset=latin-1
Content-Length: 17
Content-Transfer-Encoding: binary

one
--b-
two
x
--b-1--
"#;

const SIGNED: &str = r#"{"content_type": "text/x-notes; charset=latin-1", "fields": {"message_id": "m-1", "sender": "\u00e9 \"q\" \\", "timestamp": "1795000000"}, "filename": "\u00fc %22.txt", "sha256": "b04986cec53beae00ad71ff4fca001092f6f73a9ee278578886f39d791f1d438", "size": 17}"#;

fn pair() -> Pair {
    Pair::new(Scheme::Pki, Algorithm::RsaPssSha256, "site", "acme")
}

fn request(body: impl AsRef<[u8]>) -> Request {
    Request::post("/orders", "multipart/form-data; boundary=b-1", body.as_ref())
}

fn lines(text: &str) -> Vec<u8> {
    text.replace('\n', "\r\n").into_bytes()
}

fn pass_with(pair: &Pair, request: &Request, change: impl FnOnce(&mut Demands)) -> Result<Ready<bytes::Bytes>, Code> {
    let policy = policy(|demands| {
        demands.schemes = vec![Scheme::Pki];
        change(demands);
    });
    request.pass(&pair.keys(), &policy, &Memory::default(), NOW)
}

fn pass(pair: &Pair, request: &Request) -> Result<Ready<bytes::Bytes>, Code> {
    pass_with(pair, request, |_| {})
}

/// The body and its content type as the upstream gets them.
fn delivered(ready: Ready<bytes::Bytes>) -> (String, Vec<u8>) {
    let (head, delivery, _) = ready.into_parts();
    assert!(matches!(delivery, Delivery::Reframed { .. }), "the body as it came");
    (head.headers()["content-type"].to_str().unwrap().to_owned(), delivery.into_bytes().to_vec())
}

/// What a sender is told who wants to sign this.
fn sign_error(request: &Request) -> Option<String> {
    let mut draft = Draft::new(request.head().unwrap(), Form::new(Scheme::Pki, "site"));
    draft.push(&request.body);
    draft.finish("", NOW).err().map(|error| error.to_string())
}

#[test]
fn the_upstream_gets_the_form_anew() {
    let pair = pair();
    let request = request(lines(FORM)).sign(&pair, "", NOW);
    let ready = pass(&pair, &request).unwrap();
    assert_eq!(ready.signed_bytes(), Some(SIGNED.as_bytes()));
    let (content_type, body) = delivered(ready);
    let boundary = content_type.strip_prefix("multipart/form-data; boundary=").unwrap();
    let part =
        |header: &str, content: &str| format!("--{boundary}\nContent-Disposition: form-data; {header}\n\n{content}\n");
    let expected = [
        part(r#"name="message_id""#, "m-1"),
        part(r#"name="sender""#, r#"é "q" \"#),
        part(r#"name="timestamp""#, "1795000000"),
        part("name=\"file\"; filename=\"ü %22.txt\"\nContent-Type: text/x-notes; charset=latin-1", "one\n--b-\ntwo\nx"),
        format!("--{boundary}--\n"),
    ];
    assert_eq!(String::from_utf8(body), String::from_utf8(lines(&expected.concat())));
}

#[test]
fn another_spelling_of_the_same_form_verifies_and_another_form_does_not() {
    let pair = pair();
    let signed = request(lines(FORM)).sign(&pair, "", NOW);
    let before = delivered(pass(&pair, &signed).unwrap());
    let with = |from: &str, to: &str| {
        assert!(FORM.contains(from), "{from}");
        let mut request = signed.clone();
        request.body = lines(&FORM.replacen(from, to, 1));
        pass(&pair, &request).map(|ready| delivered(ready) == before)
    };
    for (from, to) in [
        ("Content-Length: 17\n", ""),
        ("Content-Transfer-Encoding: binary\n", ""),
        ("Content-Type: text/plain; charset=UTF-8\n", "Content-Type:text/plain\n"),
        ("name=sender", " NAME=\"sender\"\t"),
        ("--b-1--\n", "--b-1--"),
    ] {
        assert_eq!(with(from, to), Ok(true), "{from} {to}");
    }
    for (from, to) in [
        // The content and not its metadata, each of the metadata and not the content.
        ("two", "twO"),
        ("ü %22.txt", "u.txt"),
        ("; filename=\"ü %22.txt\"", ""),
        ("latin-1", "utf-8"),
        ("Content-Type: text/x-notes; charset=latin-1\n", ""),
        ("\"q\"", "\"Q\""),
        ("m-1", "m-2"),
        ("name=sender", "name=Sender"),
        ("", "--b-1\nContent-Disposition: form-data; name=\"more\"\n\n\n"),
    ] {
        assert_eq!(with(from, to), Err(Code::BadSignature), "{from} {to}");
    }
}

#[test]
fn time_stamp_and_message_id_are_fields() {
    let pair = pair();
    let with = |from: &str, to: &str| {
        let mut request = request(lines(FORM)).sign(&pair, "", NOW);
        request.body = lines(&FORM.replacen(from, to, 1));
        assert_eq!(sign_error(&request).is_none(), to.starts_with("17949") || to.ends_with('Z'), "{to}");
        pass(&pair, &request).err()
    };
    let (stamp, small, malformed) = ("1795000000", Some(Code::CoverageTooSmall), Some(Code::Malformed));
    assert_eq!(with("name=\"timestamp\"", "name=\"time\""), small);
    assert_eq!(with("name=\"message_id\"", "name=\"id\""), small);
    assert_eq!(with("m-1\n", "\n"), malformed);
    assert_eq!(with("m-1\n", &format!("{}\n", "m".repeat(129))), malformed);
    for bad in ["", "yesterday", "179500000", "1795000000000", " 1795000000", "1795000000.0", "0795000000"] {
        assert_eq!(with(stamp, bad), malformed, "{bad}");
    }
    assert_eq!(with(stamp, "1794999000"), Some(Code::TooOld));
    assert_eq!(with(stamp, "2026-11-18T11:06:30Z"), Some(Code::BadSignature));
}

#[test]
fn both_forms_of_the_header_and_one_use() {
    let pair = pair();
    let mut request = request(lines(FORM)).sign(&pair, "", NOW);
    let signature = request.headers["authorization"].to_str().unwrap().replace("PKI site:", "PKI ");
    let policy = policy(|d| {
        d.schemes = vec![Scheme::Pki];
        d.pki.signer = Some("site".into());
    });
    let memory = Memory::default();
    assert!(request.pass(&pair.keys(), &policy, &memory, NOW).is_ok());
    request.headers.insert("authorization", signature.parse().unwrap());
    assert_eq!(request.pass(&pair.keys(), &policy, &memory, NOW).err(), Some(Code::Replayed));
    assert!(request.pass(&pair.keys(), &policy, &Memory::default(), NOW).is_ok());
    assert_eq!(pass(&pair, &request).err(), Some(Code::UnknownSigner));
    request.target = "/orders/1".into();
    assert_eq!(pass_with(&pair, &request, |d| d.pki.signer = Some("site".into())).err(), Some(Code::CoverageTooSmall));
}

#[test]
fn no_change_of_bytes_makes_it_panic_or_pass_as_another_form() {
    let pair = pair();
    let signed = request(lines(FORM)).sign(&pair, "", NOW);
    let (keys, policy) = (pair.keys(), policy(|d| d.schemes = vec![Scheme::Pki]));
    let before = delivered(pass(&pair, &signed).unwrap());
    let mut random = Random(0x2026_1123);
    for nth in 0..20_000 {
        let mut request = signed.clone();
        for _ in 0..=random.below(3) {
            let at = random.below(request.body.len());
            let to = (at + random.below(20)).min(request.body.len());
            let piece = request.body[at..to].to_vec();
            match random.below(5) {
                0 => request.body[at] = random.below(256) as u8,
                1 => request.body[at] = b"\r\n-;:\"= b"[random.below(9)],
                2 => drop(request.body.drain(at..to)),
                3 => drop(request.body.splice(at..at, piece)),
                _ => request.body.truncate(at + 1),
            }
            if request.body.is_empty() {
                request.body.push(b'-');
            }
        }
        match request.pass(&keys, &policy, &Memory::default(), NOW) {
            Ok(ready) => assert_eq!(delivered(ready), before, "mutation {nth}"),
            Err(Code::Malformed | Code::BadSignature | Code::CoverageTooSmall | Code::TooOld | Code::NotYetValid) => {}
            Err(code) => panic!("mutation {nth}: {code}"),
        }
    }
}

/// xorshift64* (Vigna).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        ((u128::from(self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)) * end as u128) >> 64) as usize
    }

    fn text(&mut self, alphabet: &[&str], most: usize) -> String {
        (0..self.below(most + 1)).map(|_| alphabet[self.below(alphabet.len())]).collect()
    }
}
