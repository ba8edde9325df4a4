//! Signing under a `Signature-Input` to the byte.

use crate::algorithm::Algorithm;
use crate::component::Values;
use crate::message::Head;
use crate::scheme::http_message_signatures::Input;

use super::SignError;

/// The input as it was given, and the signature base over it (RFC 9421 §2.5).
pub(super) fn base(
    head: &Head,
    given: &str,
    key_id: &str,
    algorithm: Algorithm,
) -> Result<(String, Vec<u8>), SignError> {
    // What we would not verify we do not sign.
    let input = Input::parse(given)
        .map_err(|_| SignError::new("what is to be covered is no list of components, or one stands twice"))?;
    if given.trim_matches([' ', '\t']) != given {
        return Err(SignError::new("the given Signature-Input has blanks around it, which no member has"));
    }
    if input.keyid.as_deref().is_some_and(|keyid| keyid != key_id) {
        return Err(SignError::new("the given Signature-Input names another key"));
    }
    if input.alg.as_deref().is_some_and(|alg| alg != algorithm.as_str()) {
        return Err(SignError::new("the given Signature-Input names another algorithm"));
    }
    let mut base = String::with_capacity(512);
    let mut values = Values::new(head, &input.components);
    for component in &input.components {
        component.write_identifier(&mut base);
        base.push_str(": ");
        values.write(component, &mut base).map_err(|_| {
            let mut identifier = String::new();
            component.write_identifier(&mut identifier);
            SignError { component: Some(identifier), ..ABSENT }
        })?;
        base.push('\n');
    }
    base.push_str("\"@signature-params\": ");
    base.push_str(given);
    Ok((given.to_owned(), base.into_bytes()))
}

/// What to do about an error of here.
pub(super) fn hint(error: &SignError) -> Option<&'static str> {
    (error.text == ABSENT.text).then_some("leave it out of what is covered, or give the message what is named there")
}

const ABSENT: SignError = SignError::new("what is to be covered is not in the message, or not of its form");
