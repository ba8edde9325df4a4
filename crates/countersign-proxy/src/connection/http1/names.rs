use http::HeaderName;
use http::header::InvalidHeaderName;

/// The name of a field, in whatever case it came. Those that carry signatures share one text each; of others that the crate
/// `http` does not know each has its own, which is allocated.
///
/// # Errors
/// Where it is none, or too long.
pub(super) fn field_name(name: &[u8]) -> Result<HeaderName, InvalidHeaderName> {
    let carrier = CARRIERS.iter().find(|carrier| carrier.as_str().as_bytes().eq_ignore_ascii_case(name));
    carrier.map_or_else(|| HeaderName::from_bytes(name), |carrier| Ok(carrier.clone()))
}

/// Of RFC 9421 and RFC 9530, and of `app-hmac`.
static CARRIERS: [HeaderName; 6] = [
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("signature"),
    HeaderName::from_static("signature-input"),
    HeaderName::from_static("appid"),
    HeaderName::from_static("timestamp"),
    HeaderName::from_static("nonce"),
];

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
