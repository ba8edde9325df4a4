use pem::Pem;
use zeroize::Zeroizing;

use crate::key::InvalidKey;

/// Armour around `der`, lines of 64 characters, LF (RFC 7468).
pub(crate) fn armour(label: &str, der: &[u8]) -> String {
    let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
    pem::encode_config(&Pem::new(label, der), config)
}

/// Whether `text` is armoured at all.
pub(crate) fn is_armoured(text: &[u8]) -> bool {
    text.windows(11).any(|window| window == b"-----BEGIN ")
}

/// What the first block in `text` that is a key or a certificate holds. Others, like the `EC PARAMETERS` that OpenSSL
/// writes before a key, are passed over.
pub(crate) fn first_key(text: &[u8]) -> Result<Zeroizing<Vec<u8>>, InvalidKey> {
    let blocks = pem::parse_many(text).map_err(|_| InvalidKey::new("the PEM armour is broken"))?;
    let mut others = None;
    for block in blocks {
        let encrypted = block.headers().get("Proc-Type").is_some_and(|kind| kind.contains("ENCRYPTED"));
        match block.tag() {
            "PUBLIC KEY"
            | "RSA PUBLIC KEY"
            | "PRIVATE KEY"
            | "RSA PRIVATE KEY"
            | "EC PRIVATE KEY"
            | "ENCRYPTED PRIVATE KEY"
            | "CERTIFICATE"
                if !encrypted =>
            {
                return Ok(Zeroizing::new(block.into_contents()));
            }
            "RSA PRIVATE KEY" | "EC PRIVATE KEY" => {
                return Err(InvalidKey::found("an encrypted private key", "a decrypted one (openssl pkey -in FILE)"));
            }
            "OPENSSH PRIVATE KEY" => {
                return Err(InvalidKey::found(
                    "a private key in OpenSSH's own form",
                    "PEM (ssh-keygen -p -m PKCS8 -f FILE)",
                ));
            }
            tag => others = others.or_else(|| Some(tag.to_owned())),
        }
    }
    let others = others.unwrap_or_else(|| "no whole block".to_owned());
    Err(InvalidKey::found(format_args!("{others:.40}"), "a PUBLIC KEY or PRIVATE KEY block"))
}
