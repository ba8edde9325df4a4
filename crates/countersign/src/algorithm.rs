use std::fmt;
use std::str::FromStr;

/// How a message carries its signature. A closed list: a new scheme is a variant, a file, a vector folder and a page in
/// `spec/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scheme {
    /// RFC 9421 with RFC 9530: `Signature-Input`, `Signature`, `Content-Digest`.
    HttpMessageSignatures,
    /// `Authorization: PKI …` over the Python printing of the body.
    Pki,
    /// `{"payload", "timestamp", "signature", "site_id"}` in the body.
    TrustedSite,
    /// `AppId`, `Timestamp`, `Nonce`, `Signature` headers.
    AppHmac,
}

impl Scheme {
    /// Every scheme, the default first.
    pub const ALL: [Scheme; 4] = [Scheme::HttpMessageSignatures, Scheme::Pki, Scheme::TrustedSite, Scheme::AppHmac];

    /// The name in configuration, registry, logs and vectors.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Scheme::HttpMessageSignatures => "http-message-signatures",
            Scheme::Pki => "pki",
            Scheme::TrustedSite => "trusted-site",
            Scheme::AppHmac => "app-hmac",
        }
    }

    /// The only table of legal pairs: the algorithms that a key of this scheme may be for, the scheme's own first.
    #[must_use]
    pub const fn algorithms(self) -> &'static [Algorithm] {
        match self {
            Scheme::HttpMessageSignatures => &[
                Algorithm::Ed25519,
                Algorithm::EcdsaP256Sha256,
                Algorithm::EcdsaP384Sha384,
                Algorithm::RsaPssSha512,
                Algorithm::RsaV15Sha256,
                Algorithm::HmacSha256,
                Algorithm::MlDsa44,
                Algorithm::MlDsa65,
                Algorithm::MlDsa87,
            ],
            Scheme::Pki => &[Algorithm::RsaPssSha256],
            Scheme::TrustedSite => &[Algorithm::RsaV15Sha256],
            Scheme::AppHmac => &[Algorithm::HmacSha256],
        }
    }
}

/// A signature algorithm by the name that stands in the RFC 9421 registry, in C2SP httpsig-pq, or in the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// EdDSA on edwards25519, RFC 9421 §3.3.6.
    Ed25519,
    /// ECDSA on P-256 with SHA-256, `r‖s`, RFC 9421 §3.3.4.
    EcdsaP256Sha256,
    /// ECDSA on P-384 with SHA-384, `r‖s`, RFC 9421 §3.3.5.
    EcdsaP384Sha384,
    /// RSASSA-PSS with SHA-512 and a salt of 64 bytes, RFC 9421 §3.3.1.
    RsaPssSha512,
    /// RSASSA-PKCS1-v1_5 with SHA-256, RFC 9421 §3.3.2.
    RsaV15Sha256,
    /// HMAC with SHA-256, RFC 9421 §3.3.3.
    HmacSha256,
    /// RSASSA-PSS with SHA-256, of the `pki` scheme only.
    RsaPssSha256,
    /// ML-DSA-44, C2SP httpsig-pq.
    MlDsa44,
    /// ML-DSA-65, C2SP httpsig-pq.
    MlDsa65,
    /// ML-DSA-87, C2SP httpsig-pq.
    MlDsa87,
}

impl Algorithm {
    /// Every algorithm.
    pub const ALL: [Algorithm; 10] = [
        Algorithm::Ed25519,
        Algorithm::EcdsaP256Sha256,
        Algorithm::EcdsaP384Sha384,
        Algorithm::RsaPssSha512,
        Algorithm::RsaV15Sha256,
        Algorithm::HmacSha256,
        Algorithm::RsaPssSha256,
        Algorithm::MlDsa44,
        Algorithm::MlDsa65,
        Algorithm::MlDsa87,
    ];

    /// The registered name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Algorithm::Ed25519 => "ed25519",
            Algorithm::EcdsaP256Sha256 => "ecdsa-p256-sha256",
            Algorithm::EcdsaP384Sha384 => "ecdsa-p384-sha384",
            Algorithm::RsaPssSha512 => "rsa-pss-sha512",
            Algorithm::RsaV15Sha256 => "rsa-v1_5-sha256",
            Algorithm::HmacSha256 => "hmac-sha256",
            Algorithm::RsaPssSha256 => "rsa-pss-sha256",
            Algorithm::MlDsa44 => "ml-dsa-44",
            Algorithm::MlDsa65 => "ml-dsa-65",
            Algorithm::MlDsa87 => "ml-dsa-87",
        }
    }

    /// Whether both sides hold the same secret, so that a signature proves no origin to a third party.
    #[must_use]
    pub const fn is_symmetric(self) -> bool {
        matches!(self, Algorithm::HmacSha256)
    }
}

macro_rules! by_name {
    ($type:ident, $what:literal) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $type {
            type Err = UnknownName;

            fn from_str(text: &str) -> Result<Self, UnknownName> {
                Self::ALL.into_iter().find(|it| it.as_str() == text).ok_or(UnknownName($what))
            }
        }
    };
}

by_name!(Scheme, "scheme");
by_name!(Algorithm, "algorithm");

/// A name that is none of a closed list's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown {0}")]
pub struct UnknownName(pub(crate) &'static str);
