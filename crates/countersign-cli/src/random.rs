//! Randomness of the operating system.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::Unavailable;
use zeroize::Zeroizing;

use crate::exit::Failure;

/// Fills bytes that nobody can guess.
pub(crate) fn fill(bytes: &mut [u8]) -> Result<(), Unavailable> {
    getrandom::fill(bytes).map_err(|fault| Unavailable::new("randomness", fault))
}

/// So many random bytes, as unpadded base64url.
fn text<const N: usize>() -> Result<Zeroizing<String>, Failure> {
    let mut bytes = Zeroizing::new([0; N]);
    fill(bytes.as_mut_slice())?;
    Ok(Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes.as_slice())))
}

/// A shared secret of 256 bits. It is text, so that it can be handed on by every means; what it decodes to means nothing.
pub(crate) fn secret() -> Result<Zeroizing<String>, Failure> {
    text::<32>()
}

/// A nonce that no message had before: 128 bits.
pub(crate) fn nonce() -> Result<String, Failure> {
    text::<16>().map(|text| text.to_string())
}
