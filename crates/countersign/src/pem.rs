use pem::Pem;

use crate::key::InvalidKey;
use crate::primitive::Secret;

/// Armour around `der`, lines of 64 characters, LF (RFC 7468).
pub(crate) fn armour(label: &str, der: &[u8]) -> String {
    let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
    pem::encode_config(&Pem::new(label, der), config)
}

/// Whether `text` is armoured at all; a key file without armour is a shared secret.
pub(crate) fn is_armoured(text: &[u8]) -> bool {
    text.windows(11).any(|window| window == b"-----BEGIN ")
}

/// The SubjectPublicKeyInfo of the first public (or private) key in `text`.
pub(crate) fn spki(text: &[u8]) -> Result<Vec<u8>, InvalidKey> {
    for block in blocks(text)? {
        match block.tag() {
            "PUBLIC KEY" => return Ok(block.into_contents()),
            "RSA PUBLIC KEY" => {
                let key = aws_lc_rs::rsa::PublicKey::from_der(block.contents())
                    .map_err(|_| InvalidKey("not an RSA public key"))?;
                let der: aws_lc_rs::encoding::PublicKeyX509Der<'_> =
                    aws_lc_rs::encoding::AsDer::as_der(&key).map_err(|_| InvalidKey("not an RSA public key"))?;
                return Ok(der.as_ref().to_vec());
            }
            "PRIVATE KEY" | "RSA PRIVATE KEY" | "EC PRIVATE KEY" => {
                return Err(InvalidKey("this is a private key: give the public half (the file that ends in .pub)"));
            }
            _ => {}
        }
    }
    Err(InvalidKey("no PUBLIC KEY block in this file"))
}

/// The first private key in `text`.
pub(crate) fn private(text: &[u8]) -> Result<Secret, InvalidKey> {
    for block in blocks(text)? {
        match block.tag() {
            "PRIVATE KEY" => return Secret::from_pkcs8(block.contents()),
            "RSA PRIVATE KEY" => return Secret::from_pkcs1(block.contents()),
            "EC PRIVATE KEY" => return Secret::from_sec1(block.contents()),
            "ENCRYPTED PRIVATE KEY" => return Err(InvalidKey("the private key is encrypted: decrypt it first")),
            "PUBLIC KEY" | "RSA PUBLIC KEY" => {
                return Err(InvalidKey("this is a public key: signing needs the private half"));
            }
            _ => {}
        }
    }
    Err(InvalidKey("no PRIVATE KEY block in this file"))
}

fn blocks(text: &[u8]) -> Result<Vec<Pem>, InvalidKey> {
    pem::parse_many(text).map_err(|_| InvalidKey("the PEM armour is broken"))
}
