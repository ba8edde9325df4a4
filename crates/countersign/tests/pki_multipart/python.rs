//! What Python prints for a form, of what came and of what goes on, asked of the `python3` on the path: over 4 000
//! generated forms, or as many as `COUNTERSIGN_PRINTING_FORMS` says.

use std::collections::HashSet;
use std::io::{Read, Write};
use std::process::{Command, Stdio};

use super::support::{NOW, Request};
use super::{Random, delivered, pair, pass};

const PYTHON: &str = include_str!("signed.py");

#[test]
fn python_signs_the_same_bytes_for_what_came_and_for_what_goes_on() {
    let mut python = Command::new("python3")
        .args(["-I", "-c", PYTHON])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("this test asks `python3`: put a CPython (3.11 or later) on the path");
    let (mut asked, mut answers) = (python.stdin.take().unwrap(), python.stdout.take().unwrap());
    let mut ask = |content_type: &str, body: &[u8]| {
        for frame in [content_type.as_bytes(), body] {
            asked.write_all(&u32::try_from(frame.len()).unwrap().to_le_bytes()).unwrap();
            asked.write_all(frame).unwrap();
        }
        let mut length = [0; 4];
        answers.read_exact(&mut length).unwrap();
        let mut answer = vec![0; u32::from_le_bytes(length) as usize];
        answers.read_exact(&mut answer).unwrap();
        String::from_utf8(answer).unwrap()
    };
    let pair = pair();
    let mut random = Random(0x5eed_2026);
    let forms = std::env::var("COUNTERSIGN_PRINTING_FORMS").map_or(4_000, |number| number.parse().unwrap());
    for nth in 0..forms {
        let request = form(&mut random, nth).sign(&pair, "", NOW);
        let ready = pass(&pair, &request).unwrap_or_else(|code| panic!("form {nth}: {code}"));
        let ours = std::str::from_utf8(ready.signed_bytes().unwrap()).unwrap().to_owned();
        assert_eq!(ask(request.headers["content-type"].to_str().unwrap(), &request.body), ours, "form {nth}");
        let (content_type, body) = delivered(ready);
        assert_eq!(ask(&content_type, &body), ours, "form {nth} as it goes on");
    }
    drop(asked);
    assert!(python.wait().unwrap().success());
}

/// Any form that a sender may send: parts in any order, with and without what may be left out, and content that begins
/// like a boundary.
fn form(random: &mut Random, nth: usize) -> Request {
    let boundary = format!("b{}Q", random.text(&["b", "-", "0", "_", "'"], 9));
    let own = format!("\r\n--{}", &boundary[..boundary.len() - 1]);
    let text = ["a", " ", "\"", "\\", "\r", "\r\n", "\0", "\u{7f}", "é", "\u{2028}", "💶", "--", "%22", &own];
    let name = ["a", "B", " ", "é", "💶", "%22", "'", ";", "=", "ﬀ", ".", "["];
    let content: Vec<u8> = (0..random.below(60))
        .flat_map(|_| match random.below(3) {
            0 => vec![random.below(256) as u8].into_iter().filter(|&byte| byte != b'Q').collect(),
            1 => own.clone().into_bytes(),
            _ => b"\r\n-"[random.below(3)..].to_vec(),
        })
        .collect();
    let mut file = b"name=\"file\"".to_vec();
    if random.below(4) > 0 {
        write!(file, "; filename=\"x{}\"", random.text(&name, 12)).unwrap();
    }
    if random.below(4) > 0 {
        file.extend([&b"\r\ncontent-type: text/plain"[..], b"\r\nContent-Type:a/b; c=\"d; e\"; f=g"][random.below(2)]);
    }
    let mut parts = vec![(file, content)];
    let mut names = HashSet::new();
    for _ in 0..random.below(6) {
        let name = format!("f{}", random.text(&name, 5));
        if names.insert(name.clone()) && name != "file" {
            parts.push((format!("name=\"{name}\"").into_bytes(), random.text(&text, 30).into_bytes()));
        }
    }
    parts.push((b"name=\"timestamp\"".to_vec(), b"1795000000".to_vec()));
    parts.push((b"name=\"message_id\"".to_vec(), format!("m-{nth}").into_bytes()));
    let mut body = Vec::new();
    while !parts.is_empty() {
        let (header, content) = parts.swap_remove(random.below(parts.len()));
        write!(body, "--{boundary}\r\nContent-Disposition: form-data; ").unwrap();
        body.extend([&header[..], b"\r\n\r\n", &content, b"\r\n"].concat());
    }
    write!(body, "--{boundary}--{}", ["", "\r\n"][random.below(2)]).unwrap();
    Request::post("/orders", &format!("multipart/form-data; boundary=\"{boundary}\""), &body)
}
