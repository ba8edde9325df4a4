//! `-F`: a `multipart/form-data` body (RFC 7578), in the notation of curl.

use std::path::Path;

use super::request::content;
use crate::exit::Failure;
use crate::random;

/// A body, and the Content-Type that names its boundary.
pub(super) struct Form {
    pub(super) body: Vec<u8>,
    pub(super) content_type: String,
}

impl Form {
    /// `name=text`, `name=@FILE` for a file, `name=<FILE` for a text out of one; behind a file `;type=` and `;filename=`.
    pub(super) fn read(given: &[String]) -> Result<Self, Failure> {
        let boundary = format!("countersign-{}", random::nonce()?);
        let mut body = Vec::new();
        for given in given {
            let (head, content) = part(given)?;
            body.extend_from_slice(format!("--{boundary}\r\n{head}\r\n").as_bytes());
            body.extend_from_slice(&content);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
        Ok(Self { body, content_type: format!("multipart/form-data; boundary={boundary}") })
    }
}

/// The head of a part, and what stands in it.
fn part(given: &str) -> Result<(String, Vec<u8>), Failure> {
    let (name, value) = given.split_once('=').ok_or_else(|| {
        Failure::usage("a part of a form is not of the form `name=text` or `name=@FILE`").hint("-F file=@invoice.pdf")
    })?;
    let disposition = format!("Content-Disposition: form-data; name=\"{}\"", quoted(name));
    let Some(kind @ ('@' | '<')) = value.chars().next() else {
        return Ok((format!("{disposition}\r\n"), value.as_bytes().to_vec()));
    };
    let mut words = value[1..].split(';');
    let path = words.next().unwrap_or_default();
    let (mut media_type, mut file_name) = (None, None);
    for word in words {
        match word.trim_start().split_once('=') {
            Some(("type", value)) if plain(value) => media_type = Some(value),
            Some(("filename", value)) => file_name = Some(value),
            _ => {
                return Err(Failure::usage(format!("`{word}` behind a file is neither ;type=a/b nor ;filename=NAME"))
                    .hint("-F 'file=@scan;type=image/png;filename=invoice.png'"));
            }
        }
    }
    let content = content(&format!("@{path}"))?;
    let usual = || Path::new(path).file_name().map_or_else(|| path.into(), |name| name.to_string_lossy());
    let file = (kind == '@').then(|| file_name.map_or_else(usual, Into::into));
    let mut head = disposition;
    if let Some(file) = &file {
        head.push_str(&format!("; filename=\"{}\"", quoted(file)));
    }
    if let Some(media_type) = media_type.or_else(|| file.as_deref().map(guessed)) {
        head.push_str(&format!("\r\nContent-Type: {media_type}"));
    }
    Ok((head + "\r\n", content))
}

/// As browsers and curl write a name between quotes.
fn quoted(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

fn plain(media_type: &str) -> bool {
    media_type.contains('/') && media_type.bytes().all(|byte| byte.is_ascii_graphic())
}

/// What the end of a file's name says of it.
fn guessed(file: &str) -> &'static str {
    let end = file.rsplit_once('.').map(|(_, end)| end.to_ascii_lowercase()).unwrap_or_default();
    match end.as_str() {
        "txt" => "text/plain",
        "html" | "htm" => "text/html",
        "csv" => "text/csv",
        "json" => "application/json",
        "xml" => "application/xml",
        "pdf" => "application/pdf",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "svg" => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_written_as_curl_writes_them() {
        let head = |given: &str| part(given).map(|(head, _)| head).unwrap();
        assert_eq!(
            part("a=b=c;d").unwrap(),
            ("Content-Disposition: form-data; name=\"a\"\r\n".to_owned(), b"b=c;d".to_vec())
        );
        assert_eq!(head("a\"b=x"), "Content-Disposition: form-data; name=\"a%22b\"\r\n");
        let here = file!().rsplit_once("src/").map_or_else(|| file!().to_owned(), |(_, rest)| format!("src/{rest}"));
        assert_eq!(
            head(&format!("f=@{here}")),
            "Content-Disposition: form-data; name=\"f\"; filename=\"form.rs\"\r\nContent-Type: application/octet-stream\r\n"
        );
        assert_eq!(
            head(&format!("f=@{here};type=text/x-rust;filename=a.pdf")),
            "Content-Disposition: form-data; name=\"f\"; filename=\"a.pdf\"\r\nContent-Type: text/x-rust\r\n"
        );
        assert_eq!(head(&format!("f=<{here}")), "Content-Disposition: form-data; name=\"f\"\r\n");
        for bad in ["a", "f=@absent", &format!("f=@{here};size=3"), &format!("f=@{here};type=a/b\r\nX: y")] {
            assert!(part(bad).is_err(), "{bad}");
        }
        assert_eq!(
            (guessed("a.TXT"), guessed("txt"), guessed("a.b.jpeg")),
            ("text/plain", "application/octet-stream", "image/jpeg")
        );
    }

    #[test]
    fn a_line_of_ones_own_can_not_be_put_into_a_part() {
        let (head, _) = part("a\r\nX-Evil: 1=b").unwrap();
        assert_eq!(head.matches("\r\n").count(), 1, "{head}");
    }
}
