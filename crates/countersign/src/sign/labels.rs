//! The signatures that a message carries before it is signed. One that can't be read is left to its sender: beside it, ours
//! would be of a message that nobody takes.

use http::header;

use super::SignError;
use crate::algorithm::Scheme;
use crate::message::Head;
use crate::structured;

/// The labels of the signatures that are there.
///
/// # Errors
/// [`SignError`] where they can't be read, or a label stands in one of the two fields alone (RFC 9421 §4: they go together).
pub(super) fn there(head: &Head) -> Result<Vec<String>, SignError> {
    let [inputs, signatures] = ["signature-input", "signature"].map(|name| labels(head, name));
    let (mut inputs, mut signatures) = (inputs?, signatures?);
    inputs.sort_unstable();
    signatures.sort_unstable();
    if inputs == signatures { Ok(inputs) } else { Err(HALF) }
}

fn labels(head: &Head, name: &'static str) -> Result<Vec<String>, SignError> {
    let there = head.joined(name).map_err(|_| BROKEN)?.unwrap_or_default();
    let members = structured::dictionary(&there, name, 16).map_err(|_| BROKEN)?;
    Ok(members.iter().map(|member| member.name.to_owned()).collect())
}

/// Whether the message carries the mark of another scheme, or what ours would overwrite.
pub(super) fn another_scheme(head: &Head, scheme: Scheme) -> bool {
    let fields = head.headers();
    let ours = |value: &http::HeaderValue| value.as_bytes().starts_with(b"PKI ");
    fields.contains_key("signature-input")
        || (scheme == Scheme::Pki && !fields.get_all(header::AUTHORIZATION).iter().all(ours))
}

/// What to do about an error of here.
pub(super) fn hint(error: &SignError) -> Option<&'static str> {
    match error {
        it if *it == BROKEN || *it == HALF => {
            Some("leave Signature and Signature-Input out, or send both as they were made")
        }
        it if *it == ANOTHER => Some("one message carries one scheme: leave Signature-Input and Authorization out"),
        _ => None,
    }
}

const BROKEN: SignError = SignError::new("the message carries a Signature or Signature-Input that can't be read");
const HALF: SignError = SignError::new("the message carries a label in only one of Signature and Signature-Input");
pub(super) const ANOTHER: SignError =
    SignError::new("the message carries the credentials of another scheme, beside which this one is ambiguous");
