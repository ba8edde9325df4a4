use http::HeaderName;
use http::header::InvalidHeaderName;

/// The name of a field, in whatever case it came. Those that carry signatures share one text each; of others that the crate
/// `http` does not know each has its own, which is allocated.
///
/// # Errors
/// Where it is none, or too long.
pub(super) fn field_name(name: &[u8]) -> Result<HeaderName, InvalidHeaderName> {
    match CARRIERS.iter().find(|(text, _)| text.as_bytes().eq_ignore_ascii_case(name)) {
        Some((_, carrier)) => Ok(carrier.clone()),
        None => HeaderName::from_bytes(name),
    }
}

/// Of RFC 9421 and RFC 9530, and of `app-hmac`. Their texts stand beside them, since most names have another length, which is
/// all that is looked at then.
static CARRIERS: [(&str, HeaderName); 6] = [
    carrier("content-digest"),
    carrier("signature"),
    carrier("signature-input"),
    carrier("appid"),
    carrier("timestamp"),
    carrier("nonce"),
];

const fn carrier(name: &'static str) -> (&'static str, HeaderName) {
    (name, HeaderName::from_static(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_same_whether_it_is_known_or_not() {
        for name in
            ["Signature-Input", "SIGNATURE", "content-digest", "AppId", "Nonces", "Signature_Input", "Host", "x"]
        {
            assert_eq!(field_name(name.as_bytes()).ok(), HeaderName::from_bytes(name.as_bytes()).ok(), "{name}");
        }
        assert!(field_name(b"").is_err() && field_name(b"a b").is_err());
    }
}
