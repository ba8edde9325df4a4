//! Every document that CPython prints, we print alike; every other we refuse, and of those that CPython accepts only
//! what is on our list. Asked of the `python3` on the path, over generated documents: 100 000, or as many as
//! `COUNTERSIGN_PRINTING_DOCS` says, from a fixed seed or from `COUNTERSIGN_PRINTING_SEED`.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    clippy::cast_possible_truncation,
    reason = "a test may ask the environment and start a process, and a random number may be cut"
)]

mod documents;
mod floats;
mod random;

use std::collections::BTreeMap;
use std::io::{BufReader, BufWriter, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use super::{Document, Kind, Malformed, Value, float, print_python_str};
use documents::document;
use random::Random;

const JUDGE: &str = include_str!("tests_python/judge.py");
const BATCH: usize = 2_000;
const SEED: u64 = 0x2026_1123_c0de_5167;

#[test]
fn what_python_prints_is_what_we_print_and_all_else_is_refused() {
    let documents = setting("COUNTERSIGN_PRINTING_DOCS", 100_000) as usize;
    let seed = setting("COUNTERSIGN_PRINTING_SEED", SEED);
    let mut python = Python::start();
    let mut verdicts = BTreeMap::new();
    for first in (0..documents).step_by(BATCH) {
        let batch: Vec<_> = (first..documents.min(first + BATCH)).map(|nth| document(Random::new(seed, nth))).collect();
        python.ask(&batch);
        let ours: Vec<_> = batch.iter().map(|body| printed(body)).collect();
        for (nth, (body, ours)) in batch.iter().zip(ours).enumerate() {
            let (verdict, theirs) = python.answer();
            *verdicts.entry(verdict).or_insert(0usize) += 1;
            let expected = (verdict == '=').then_some(theirs);
            assert!(
                ours.as_ref().ok() == expected.as_ref(),
                "document {} of seed {seed}: {}\nCPython ({verdict}): {}\nours: {}",
                first + nth,
                shown(body),
                shown(&expected.unwrap_or_default()),
                ours.map_or_else(|Malformed(why)| format!("refused, {why}"), |ours| shown(&ours)),
            );
        }
    }
    println!("{verdicts:?}");
    if documents >= 100_000 {
        assert!(verdicts[&'='] > documents / 2, "too few documents are accepted: {verdicts:?}");
        for verdict in ['-', 'u', 'd', 'c', 'r', 's', 'n'] {
            assert!(verdicts.get(&verdict) > Some(&(documents / 1000)), "{verdict} is hardly tried: {verdicts:?}");
        }
    }
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is not a number")))
}

/// What we print, after a look that the values seen one by one print the same.
fn printed(body: &[u8]) -> Result<Vec<u8>, Malformed> {
    let document = Document::parse(body)?;
    let (mut whole, mut by_values) = (Vec::new(), Vec::new());
    document.print_python(&mut whole);
    print_by_values(document.root(), &mut by_values);
    assert!(whole == by_values, "{}\nby values: {}", shown(body), shown(&by_values));
    Ok(whole)
}

/// The printing once more, the long way: through what a [`Value`] tells about itself.
fn print_by_values(value: Value<'_, '_>, out: &mut Vec<u8>) {
    let before = out.len();
    match value.kind() {
        Kind::Null | Kind::Bool(_) => out.extend(value.text().bytes()),
        Kind::Integer => {
            out.extend(value.as_integer().map(|text| if text == "-0" { "0" } else { text }).unwrap().bytes());
        }
        Kind::Float => float::print_repr(float::nearest(value.text()).unwrap(), out),
        Kind::String => print_python_str(&value.as_str().unwrap(), out),
        Kind::Array => {
            for element in value.elements() {
                out.extend(if out.len() == before { "[" } else { ", " }.bytes());
                print_by_values(element, out);
            }
            out.extend(if value.len() == 0 { "[]" } else { "]" }.bytes());
        }
        Kind::Object => {
            for (name, member) in value.members() {
                assert_eq!(value.member(&name).unwrap().span(), member.span());
                out.extend(if out.len() == before { "{" } else { ", " }.bytes());
                print_python_str(&name, out);
                out.extend(b": ");
                print_by_values(member, out);
            }
            out.extend(if value.len() == 0 { "{}" } else { "}" }.bytes());
        }
    }
}

fn shown(bytes: &[u8]) -> String {
    bytes[..bytes.len().min(2_000)].escape_ascii().to_string()
}

/// A long-lived CPython that runs [`JUDGE`].
struct Python {
    process: Child,
    documents: Option<BufWriter<ChildStdin>>,
    verdicts: BufReader<ChildStdout>,
}

impl Python {
    fn start() -> Self {
        let mut process = Command::new("python3")
            .args(["-I", "-c", JUDGE])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this test asks `python3`: put a CPython (3.11 or later) on the path");
        let documents = process.stdin.take().map(BufWriter::new);
        let verdicts = BufReader::new(process.stdout.take().unwrap());
        Self { process, documents, verdicts }
    }

    /// Sends a batch. Python takes all of it before it answers, so neither side waits for the other.
    fn ask(&mut self, batch: &[Vec<u8>]) {
        let pipe = self.documents.as_mut().unwrap();
        let length = |length: usize| u32::try_from(length).unwrap().to_le_bytes();
        pipe.write_all(&length(batch.len())).unwrap();
        for body in batch {
            pipe.write_all(&length(body.len())).unwrap();
            pipe.write_all(body).unwrap();
        }
        pipe.flush().unwrap();
    }

    fn answer(&mut self) -> (char, Vec<u8>) {
        let [verdict, length @ ..] = self.take::<5>();
        let mut printed = vec![0; u32::from_le_bytes(length) as usize];
        self.verdicts.read_exact(&mut printed).unwrap();
        (verdict.into(), printed)
    }

    fn take<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.verdicts.read_exact(&mut bytes).expect("CPython ended; what it said stands above");
        bytes
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        self.documents = None; // the end of its input ends it
        if std::thread::panicking() {
            let _ = self.process.kill(); // it may still be writing answers that nobody reads
        }
        let _ = self.process.wait();
    }
}
