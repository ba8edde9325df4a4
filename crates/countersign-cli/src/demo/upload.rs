//! A File as it travels: `multipart/form-data` with one part `file` and text parts, written and read.

use bytes::Bytes;
use countersign::Timestamp;
use http::{HeaderMap, HeaderValue, header};

use super::http::Letter;

/// A File of its own.
pub(super) fn letter(target: &str, message_id: &str, at: Timestamp) -> Letter {
    let fields = [
        ("message_id", message_id),
        ("timestamp", &at.to_string()),
        ("sender", "sender-api"),
        ("description", "größer als nichts"),
    ];
    let mut body = String::new();
    for (name, text) in fields {
        body += &format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n");
    }
    body += &format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"hello.txt\"\r\nContent-Type: \
         text/plain\r\n\r\nHello, receiver\r\n--{BOUNDARY}--\r\n"
    );
    let content_type = HeaderValue::from_static("multipart/form-data; boundary=----demo");
    let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, content_type)]);
    Letter { headers, ..Letter::post_json(target, body) }
}

const BOUNDARY: &str = "----demo";

/// One part: its name, its file name, its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) name: String,
    pub(super) file_name: Option<String>,
    pub(super) content: Bytes,
}

/// The parts of a form, as a receiver without a care reads them; `None` where it is none.
pub(super) fn parts(letter: &Letter) -> Option<Vec<Part>> {
    let content_type = letter.headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let (essence, boundary) = content_type.split_once(';')?;
    let boundary = boundary.trim().strip_prefix("boundary=")?.trim_matches('"');
    if !essence.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let delimiter = format!("\r\n--{boundary}");
    let body = [b"\r\n", &letter.body[..]].concat();
    let mut parts = Vec::new();
    let mut rest = after(&body, delimiter.as_bytes())?;
    while let Some(part) = rest.strip_prefix(b"\r\n") {
        let next = after(part, delimiter.as_bytes())?;
        let part = &part[..part.len() - next.len() - delimiter.len()];
        let content = after(part, b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&part[..part.len() - content.len()]).into_owned();
        let parameter = |name: &str| {
            let (_, rest) = head.split_once(&format!("; {name}=\""))?;
            rest.split('"').next().map(str::to_owned)
        };
        parts.push(Part {
            name: parameter("name")?,
            file_name: parameter("filename"),
            content: Bytes::copy_from_slice(content),
        });
        rest = next;
    }
    rest.starts_with(b"--").then_some(parts)
}

/// What stands behind the first `mark`.
fn after<'a>(text: &'a [u8], mark: &[u8]) -> Option<&'a [u8]> {
    let at = text.windows(mark.len()).position(|window| window == mark)?;
    Some(&text[at + mark.len()..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let letter = letter("/file", "m-1", Timestamp::from_secs(1_795_000_000));
        let parts = parts(&letter).unwrap();
        let names: Vec<_> = parts.iter().map(|part| part.name.as_str()).collect();
        assert_eq!(names, ["message_id", "timestamp", "sender", "description", "file"]);
        assert_eq!((&parts[0].content[..], &parts[4].content[..]), (&b"m-1"[..], &b"Hello, receiver"[..]));
        assert_eq!(parts[4].file_name.as_deref(), Some("hello.txt"));
        for (content_type, read) in [
            ("multipart/form-data;boundary=\"----demo\"", true),
            ("Multipart/Form-Data; boundary=----demo", true),
            ("multipart/mixed; boundary=----demo", false),
            ("multipart/form-data", false),
        ] {
            let mut other = letter.clone();
            other.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
            assert_eq!(super::parts(&other).is_some(), read, "{content_type}");
        }
        let torn = Letter { body: letter.body.slice(..letter.body.len() - 4), ..letter };
        assert_eq!(super::parts(&torn), None);
    }
}
