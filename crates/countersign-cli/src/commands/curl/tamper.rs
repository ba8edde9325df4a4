//! Messages that are spoiled on purpose, so that one can see them refused.

use countersign::{Scheme, Signed};
use http::{HeaderName, HeaderValue, header};
use serde_json::Value;

use super::request::Outgoing;
use crate::exit::Failure;

/// Changes the body after it was signed, and says what was done.
pub(super) fn body(outgoing: &mut Outgoing, scheme: Scheme) -> Result<String, Failure> {
    if outgoing.body.is_empty() {
        return Err(Failure::usage("there is no body to change").hint("give it one: -d '{\"n\": 1}'"));
    }
    let media_type =
        outgoing.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (changed, how) = match (scheme, serde_json::from_slice(&outgoing.body)) {
        // The body carries the signature, too: what it was made over is changed.
        (Scheme::TrustedSite, Ok(Value::Object(mut members))) => {
            let payload = members.get("payload").and_then(Value::as_str).unwrap_or_default();
            let (payload, how) = other(payload.as_bytes(), "");
            members.insert("payload".to_owned(), String::from_utf8_lossy(&payload).into());
            (Value::Object(members).to_string().into_bytes(), how)
        }
        _ => other(&outgoing.body, media_type),
    };
    outgoing.body = changed.into();
    Ok(format!("the body was changed after it was signed: {how}"))
}

/// Changes a header that the signature covers, and says what was done.
pub(super) fn header(outgoing: &mut Outgoing, scheme: Scheme, signed: &Signed) -> Result<String, Failure> {
    let (name, value) = match scheme {
        Scheme::HttpMessageSignatures => match covered_field(outgoing, signed) {
            Some((name, value)) if name == CONTENT_DIGEST => (name, other_digest(&value)),
            Some((name, value)) => (name, format!("{value}; tampered=1")),
            None => (SIGNATURE_INPUT, earlier(&text(outgoing, &SIGNATURE_INPUT), "created=")),
        },
        Scheme::AppHmac => (TIMESTAMP, earlier(&text(outgoing, &TIMESTAMP), "")),
        Scheme::Pki | Scheme::TrustedSite => {
            return Err(Failure::usage(format!("{scheme} signs the body alone: a changed header would go unnoticed"))
                .hint("--tamper body, or --tamper replay"));
        }
    };
    let new = HeaderValue::from_str(&value).map_err(Failure::ours)?;
    outgoing.headers.insert(name.clone(), new);
    Ok(format!("{name} was changed after it was signed"))
}

/// Something that means almost the same, and is not the same.
fn other(body: &[u8], media_type: &str) -> (Vec<u8>, &'static str) {
    if let Ok(Value::Object(mut members)) = serde_json::from_slice(body) {
        members.insert("tampered".to_owned(), true.into());
        return (Value::Object(members).to_string().into_bytes(), "a member \"tampered\" was added");
    }
    let mut changed = body.to_vec();
    if media_type.starts_with("multipart/")
        && let Some(at) = body.windows(4).position(|four| four == b"\r\n\r\n")
    {
        changed.splice(at + 4..at + 4, *b"x");
        return (changed, "the first part begins with an x");
    }
    changed.extend_from_slice(if media_type.contains("form-urlencoded") { b"&tampered=1" } else { b" tampered" });
    (changed, "something was added at its end")
}

/// A field of the message that the signature covers: content-type if it does, the digest only if nothing else.
fn covered_field(outgoing: &Outgoing, signed: &Signed) -> Option<(HeaderName, String)> {
    let base = String::from_utf8_lossy(signed.signed_bytes());
    // A line of the base is `"name": value`; parameters stand behind the second quote.
    let names = base.lines().filter_map(|line| line.strip_prefix('"')?.split_once("\": ").map(|(name, _)| name));
    let mut names: Vec<HeaderName> = names.filter_map(|name| name.parse().ok()).collect();
    names.retain(|name| outgoing.headers.contains_key(name));
    names.sort_by_key(|name| (*name == CONTENT_DIGEST, *name != header::CONTENT_TYPE));
    names.into_iter().next().map(|name| (name.clone(), text(outgoing, &name)))
}

/// The same form, another digest.
fn other_digest(value: &str) -> String {
    let at = value.find(':').map_or(0, |at| at + 1);
    let first = if value[at..].starts_with('A') { "B" } else { "A" };
    let rest: String = value[at..].chars().skip(1).collect();
    format!("{}{first}{rest}", &value[..at])
}

/// The number behind `mark`, less one.
fn earlier(value: &str, mark: &str) -> String {
    let at = value.find(mark).map_or(0, |at| at + mark.len());
    let end = value[at..].find(|c: char| !c.is_ascii_digit()).map_or(value.len(), |length| at + length);
    let number = value[at..end].parse::<u64>().unwrap_or(1);
    format!("{}{}{}", &value[..at], number.saturating_sub(1), &value[end..])
}

fn text(outgoing: &Outgoing, name: &HeaderName) -> String {
    outgoing.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

const CONTENT_DIGEST: HeaderName = HeaderName::from_static("content-digest");
const SIGNATURE_INPUT: HeaderName = HeaderName::from_static("signature-input");
const TIMESTAMP: HeaderName = HeaderName::from_static("timestamp");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_spoiled_keeps_its_form() {
        assert_eq!(
            earlier("sig1=(\"@method\");created=1000;nonce=\"created=5\"", "created="),
            "sig1=(\"@method\");created=999;nonce=\"created=5\""
        );
        assert_eq!(earlier("1795000000", ""), "1794999999");
        assert_eq!(other_digest("sha-256=:AB==:"), "sha-256=:BB==:");
        assert_eq!(other_digest("sha-256=:QB==:"), "sha-256=:AB==:");
        assert_eq!(other(b"a=1", "application/x-www-form-urlencoded").0, b"a=1&tampered=1");
        assert_eq!(
            other(b"--b\r\nA: b\r\n\r\nc\r\n--b--", "multipart/form-data; boundary=b").0,
            b"--b\r\nA: b\r\n\r\nxc\r\n--b--"
        );
        assert_eq!(other(b"{\"a\":1}", "").0, b"{\"a\":1,\"tampered\":true}");
    }
}
