//! What was sent and what came, for people and for machines.

use std::io::IsTerminal;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign::Signed;
use countersign_proxy::{Answer, ClientError};
use http::{HeaderMap, HeaderName, Response, StatusCode, header};
use serde_json::{Value, json};

use super::Args;
use super::refused::Refused;
use super::request::Outgoing;
use crate::exit::Failure;
use crate::output::{self, note};

/// An answer as it was read. The body is here only where somebody looks into it: a problem, or all of it for JSON.
pub(super) struct Received {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// A problem longer than this is none of ours, and what is printed as JSON is not longer either.
const MAX_KEPT: usize = 64 << 20;

impl Received {
    /// Reads an answer to its end.
    pub(super) async fn whole(response: Response<Answer>) -> Result<Self, ClientError> {
        let (head, mut answer) = response.into_parts();
        let mut body = Vec::new();
        while let Some(part) = answer.next().await? {
            if body.len() + part.len() > MAX_KEPT {
                return Err(ClientError::Failed("the answer is longer than 64 MiB".to_owned()));
            }
            body.extend_from_slice(&part);
        }
        Ok(Self { status: head.status, headers: head.headers, body })
    }

    fn is_problem(headers: &HeaderMap) -> bool {
        headers.get(header::CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"application/problem+json"))
    }
}

/// Prints an answer as it comes, as the flags say.
pub(super) async fn answer(args: &Args, response: Response<Answer>) -> Result<Received, ClientError> {
    let start = format!("{:?} {}", response.version(), response.status());
    if args.verbose {
        note!("< {start}");
        for (name, value) in response.headers() {
            note!("< {name}: {}", shown(name, value.as_bytes(), false));
        }
        note!("<");
    }
    if args.json {
        return Received::whole(response).await;
    }
    if args.include {
        let mut head = format!("{start}\r\n").into_bytes();
        for (name, value) in response.headers() {
            head.extend_from_slice(&[name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
        }
        head.extend_from_slice(b"\r\n");
        print(&head)?;
    }
    let received = if Received::is_problem(response.headers()) {
        let received = Received::whole(response).await?;
        print(&received.body)?;
        received
    } else {
        let (head, mut answer) = response.into_parts();
        let mut last = None;
        while let Some(part) = answer.next().await? {
            print(&part)?;
            last = part.last().copied().or(last);
        }
        let body = last.into_iter().collect();
        Received { status: head.status, headers: head.headers, body }
    };
    // What is said next begins on a line of its own.
    if std::io::stdout().is_terminal() && received.body.last().is_some_and(|byte| *byte != b'\n') {
        print(b"\n")?;
    }
    Ok(received)
}

fn print(bytes: &[u8]) -> Result<(), ClientError> {
    output::bytes(bytes).map_err(|failure| ClientError::Failed(failure.message))
}

/// `-v`: the head that goes out.
pub(super) fn sent(outgoing: &Outgoing, signed: &Signed) -> Result<(), Failure> {
    note!("> {} {} HTTP/1.1", outgoing.method, outgoing.target);
    for (name, value) in &outgoing.fields()? {
        note!("> {name}: {}", shown(name, value.as_bytes(), is_signature(signed, name)));
    }
    note!(">");
    Ok(())
}

/// `--json`.
pub(super) fn object(
    outgoing: &Outgoing,
    signed: &Signed,
    received: &Received,
    refused: Option<&Refused>,
    tampered: Option<&str>,
) -> Result<Value, Failure> {
    let pairs = |headers: &HeaderMap, own: bool| -> Vec<Value> {
        let shown = |name: &HeaderName, value: &[u8]| shown(name, value, !own || is_signature(signed, name));
        headers.iter().map(|(name, value)| json!([name.as_str(), shown(name, value.as_bytes())])).collect()
    };
    let mut object = json!({
        "sent": {
            "method": outgoing.method.as_str(), "target": outgoing.target, "headers": pairs(&outgoing.fields()?, true),
            "tampered": tampered,
        },
        "status": received.status.as_u16(), "headers": pairs(&received.headers, false),
        "refusal": refused.map(Refused::object), "exit": refused.map_or(0, |refused| refused.code.exit()),
    });
    match std::str::from_utf8(&received.body) {
        Ok(text) => object["body"] = text.into(),
        Err(_) => object["body_base64"] = STANDARD.encode(&received.body).into(),
    }
    Ok(object)
}

/// A value as it may be shown: a credential that is not a signature of ours is not.
fn shown(name: &HeaderName, value: &[u8], signature: bool) -> String {
    if is_credential(name) && !signature {
        return "(not shown)".to_owned();
    }
    String::from_utf8_lossy(value).into_owned()
}

/// Whether the value of a field may be one that lets others in.
pub(super) fn is_credential(name: &HeaderName) -> bool {
    let named = |it: &&str| name.as_str().contains(*it) && !name.as_str().starts_with("countersign-");
    CREDENTIALS.contains(name) || ["key", "token", "secret", "password"].iter().any(named)
}

fn is_signature(signed: &Signed, name: &HeaderName) -> bool {
    signed.headers().any(|(own, _)| own == name)
}

const CREDENTIALS: [HeaderName; 4] =
    [header::AUTHORIZATION, header::PROXY_AUTHORIZATION, header::COOKIE, header::SET_COOKIE];
