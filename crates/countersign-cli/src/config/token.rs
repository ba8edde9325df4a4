use std::path::PathBuf;
use std::time::Duration;

use super::forms;
use super::names::{SealAlgorithm, TokenAlgorithm};
use super::origin::Origin;
use super::section::Section;

/// `[token]`: user tokens that the gateway issues to trusted sites. Absent: no `/auth/trusted/…`.
#[derive(Clone, Debug)]
pub struct Token {
    /// With what they are signed; `EdDSA`.
    pub algorithm: TokenAlgorithm,
    /// `iss`; the first `public_url` of the gateway.
    pub issuer: String,
    /// `aud`; `api`.
    pub audience: String,
    /// From issue to expiry; 15 minutes.
    pub lifetime: Duration,
    /// What a new user starts with; 100.
    pub default_credits: u64,
    /// Whether a site may log in users whom another partner registered; false.
    pub shared_users: bool,
}

/// `[seal]`: sealed fields.
#[derive(Clone, Debug)]
pub struct Seal {
    /// Private keys that open them; the first is the one published as current. Empty (the default): the gateway makes its keys
    /// and keeps them in the registry.
    pub keys: Vec<PathBuf>,
    /// What the gateway makes its keys for; `ecdh-es`.
    pub algorithm: SealAlgorithm,
    /// How long a key is the current one before the gateway makes the next; a year.
    pub rotate: Duration,
    /// How long a key opens after that; 90 days.
    pub overlap: Duration,
}

impl Token {
    /// `public_url` is the issuer unless the section names one.
    pub(super) fn read(section: &mut Section<'_>, public_url: Option<&Origin>) -> Option<Self> {
        let issuer = match public_url {
            Some(origin) => section.value("issuer", forms::text).or(Some(origin.to_string())),
            None => section.required("issuer", forms::text),
        };
        let year = Duration::from_hours(365 * 24);
        Some(Self {
            algorithm: section.value("algorithm", forms::named).unwrap_or(TokenAlgorithm::EdDsa),
            audience: section.value("audience", forms::text).unwrap_or_else(|| "api".to_owned()),
            lifetime: section.duration("lifetime", Duration::from_secs(1)..=year).unwrap_or(Duration::from_mins(15)),
            default_credits: section.value("default_credits", forms::number).unwrap_or(100),
            shared_users: section.value("shared_users", forms::flag).unwrap_or(false),
            issuer: issuer?,
        })
    }
}

impl Seal {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let days = |days: u64| Duration::from_hours(days * 24);
        let range = days(1)..=days(3650);
        Self {
            keys: section.paths("keys").unwrap_or_default(),
            algorithm: section.value("algorithm", forms::named).unwrap_or(SealAlgorithm::EcdhEs),
            rotate: section.duration("rotate", range.clone()).unwrap_or(days(365)),
            overlap: section.duration("overlap", range).unwrap_or(days(90)),
        }
    }
}
