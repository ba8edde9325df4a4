//! The digest fields printed in RFC 9530; where the text is not at hand, the values that everybody can compute.

use super::*;
use crate::published::{blocks, published};

/// The content of most examples, and what of it is sent in a few.
const CONTENTS: [&[u8]; 4] = [b"{\"hello\": \"world\"}\n", b"{\"hello\": \"world\"}", b"\"world\"}\n", b""];

fn matches(field: &str) -> Result<bool, Code> {
    let expected = Expected::parse(field).map_err(|rejection| rejection.code())?;
    Ok(CONTENTS.iter().any(|content| {
        let expected = Few::from(Ok(expected.clone()));
        let mut running = Running::new(&expected);
        running.update(&Bytes::from_static(content));
        running.finish(expected).is_ok()
    }))
}

#[test]
fn every_printed_field_is_read_and_matches_what_it_was_printed_for() {
    let Some(page) = published("rfc9530/digest-headers-draft.md") else { return our_own() };
    let (mut fields, mut matched, mut padded) = (0, 0, 0);
    for (_, block) in blocks(&page) {
        let lines = block.lines().map(|line| line.trim_end_matches("\\r\\n"));
        for line in lines.filter(|line| line.starts_with("Content-Digest: ") || line.starts_with("Repr-Digest: ")) {
            let (_, field) = line.split_once(": ").unwrap();
            fields += 1;
            match matches(field) {
                Ok(holds) => matched += usize::from(holds),
                // Four of them end in one `=` too many, which strict base64 does not know.
                Err(code) => {
                    assert!(code == Code::Malformed && field.ends_with("==:") && field.len() == 55, "{field}");
                    padded += 1;
                }
            }
        }
    }
    assert_eq!((fields, matched, padded), (28, 12, 4));
}

#[test]
fn of_the_sample_values_two_algorithms_count_and_six_are_refused() {
    let Some(page) = published("rfc9530/digest-headers-draft.md") else { return our_own() };
    let samples = blocks(&page).into_iter().find(|(_, block)| block.contains("unixcksum -")).unwrap().1;
    let mut verdicts = Vec::new();
    for line in samples.lines().filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(" -").unwrap();
        verdicts.push((name.to_owned(), matches(&format!("{name}={}", value.trim()))));
    }
    let refused = ["md5", "sha", "unixsum", "unixcksum", "adler", "crc32c"];
    let refused = refused.map(|name| (name.to_owned(), Err(Code::DigestMismatch)));
    let good = ["sha-512", "sha-256"].map(|name| (name.to_owned(), Ok(true)));
    assert_eq!(verdicts, good.into_iter().chain(refused).collect::<Vec<_>>());
}

fn our_own() {
    for content in CONTENTS {
        let mut hash = Sha256::new();
        hash.update(content);
        let field = content_digest(&hash.finish());
        assert_eq!(matches(&field), Ok(true));
        assert_eq!(matches(&format!("{}=:", &field[..field.len() - 1])), Err(Code::Malformed));
        assert_eq!(matches(&field.replace("sha-256", "sha")), Err(Code::DigestMismatch));
    }
}

#[test]
fn our_own_fields_in_the_same_forms() {
    our_own();
}
