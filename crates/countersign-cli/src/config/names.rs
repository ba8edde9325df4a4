//! The words that a setting chooses from, spelt as the contract spells them.

use std::fmt;
use std::str::FromStr;

/// A closed list of names.
pub(super) trait Named: Copy + 'static {
    const ALL: &'static [Self];
    fn as_str(self) -> &'static str;
}

/// A name that is none of a closed list's; holds the kind of name that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownName(&'static str);

impl fmt::Display for UnknownName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown {}", self.0)
    }
}

impl std::error::Error for UnknownName {}

macro_rules! names {
    ($($(#[$about:meta])* $what:literal $type:ident { $($(#[$doc:meta])* $name:ident = $text:literal,)* })*) => {$(
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $type { $($(#[$doc])* $name,)* }

        impl $type {
            /// All of them, in the order of the contract.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The name as it is written.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }
        }

        impl Named for $type {
            const ALL: &'static [Self] = Self::ALL;
            fn as_str(self) -> &'static str {
                self.as_str()
            }
        }

        impl FromStr for $type {
            type Err = UnknownName;

            fn from_str(text: &str) -> Result<Self, UnknownName> {
                Self::ALL.iter().copied().find(|it| it.as_str() == text).ok_or(UnknownName($what))
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    )*};
}

names! {
    /// How a message carries its signature.
    "scheme" Scheme {
        /// RFC 9421 with RFC 9530.
        HttpMessageSignatures = "http-message-signatures",
        /// `Authorization: PKI …` over the Python printing of the body.
        Pki = "pki",
        /// `{"payload", "timestamp", "signature", "site_id"}` in the body.
        TrustedSite = "trusted-site",
        /// `AppId`, `Timestamp`, `Nonce`, `Signature` headers.
        AppHmac = "app-hmac",
    }

    /// A signature algorithm.
    "algorithm" Algorithm {
        /// EdDSA on edwards25519.
        Ed25519 = "ed25519",
        /// ECDSA on P-256 with SHA-256.
        EcdsaP256Sha256 = "ecdsa-p256-sha256",
        /// ECDSA on P-384 with SHA-384.
        EcdsaP384Sha384 = "ecdsa-p384-sha384",
        /// RSASSA-PSS with SHA-512.
        RsaPssSha512 = "rsa-pss-sha512",
        /// RSASSA-PKCS1-v1_5 with SHA-256.
        RsaV15Sha256 = "rsa-v1_5-sha256",
        /// HMAC with SHA-256.
        HmacSha256 = "hmac-sha256",
        /// RSASSA-PSS with SHA-256, of `pki` only.
        RsaPssSha256 = "rsa-pss-sha256",
        /// ML-DSA-44.
        MlDsa44 = "ml-dsa-44",
        /// ML-DSA-65.
        MlDsa65 = "ml-dsa-65",
        /// ML-DSA-87.
        MlDsa87 = "ml-dsa-87",
    }

    /// What a route does with a message that does not pass.
    "mode" Mode {
        /// Refuses it.
        Enforce = "enforce",
        /// Forwards it without identity headers, and records what would have been.
        Observe = "observe",
    }

    /// Whether the TLS client certificate has to be the signer's.
    "channel" Channel {
        /// Any, or none.
        Any = "any",
        /// The certificate belongs to the partner that signed.
        SamePartner = "same-partner",
    }

    /// Whether a route asks for a user token.
    "user" User {
        /// No.
        Ignored = "ignored",
        /// A valid token of ours; `schemes` may then be empty.
        Required = "required",
    }

    /// How much a refusal tells the caller.
    "refusals" Refusals {
        /// The folded code only.
        Code = "code",
        /// The detailed code, and the components that are missing.
        Components = "components",
        /// Everything but secrets. For tests.
        Full = "full",
    }

    /// Whether a signature has to carry a `nonce`.
    "nonce" Nonce {
        /// Without one it is refused.
        Required = "required",
        /// Without one, replay goes by the hash of the signature base.
        Optional = "optional",
    }

    /// Whether a `pki` message has to show that it is new.
    "replay" PkiReplay {
        /// `timestamp` and `message_id` are demanded.
        Protected = "protected",
        /// Neither is: a captured message passes for ever.
        Unprotected = "unprotected",
    }

    /// What the zone of a `pki` timestamp is.
    "zone" Zone {
        /// `Z` or an offset has to be there.
        Required = "required",
        /// Without one it is UTC.
        Utc = "utc",
    }

    /// Whether the TLS handshake asks for a client certificate.
    "client_auth" ClientAuth {
        /// No.
        Off = "off",
        /// Checked where one is shown.
        Optional = "optional",
        /// No connection without one.
        Required = "required",
    }

    /// Which HTTP the sidecar speaks to where it sends.
    "http" Http {
        /// HTTP/2 where both agree on it over TLS, else HTTP/1.1.
        Auto = "auto",
        /// HTTP/1.1 only.
        One = "1.1",
        /// HTTP/2 only, in the clear by prior knowledge.
        Two = "2",
    }

    /// The unit of an `app-hmac` key's `Timestamp`.
    "timestamp_unit" Unit {
        /// 10 digits.
        Seconds = "seconds",
        /// 13 digits.
        Milliseconds = "milliseconds",
    }

    /// The form of an `app-hmac` key's `Nonce`.
    "nonce_form" NonceForm {
        /// 8 digits of lower-case hex.
        Hex8 = "hex8",
        /// 32 digits of lower-case hex.
        Hex32 = "hex32",
        /// A UUID.
        Uuid = "uuid",
    }

    /// The order of what an `app-hmac` key signs.
    "layout" Layout {
        /// Method, path, timestamp, nonce, body.
        MethodFirst = "method-first",
        /// Body, nonce, timestamp.
        PayloadFirst = "payload-first",
    }

    /// When a decision counts as kept.
    "durability" Durability {
        /// On disk before the request is forwarded.
        Strict = "strict",
        /// On disk within 100 ms.
        Buffered = "buffered",
        /// Nothing is kept.
        Off = "off",
    }

    /// With what user tokens are signed.
    "algorithm" TokenAlgorithm {
        /// Ed25519.
        EdDsa = "EdDSA",
        /// RSASSA-PKCS1-v1_5 with SHA-256.
        Rs256 = "RS256",
    }

    /// What a gateway makes its keys for that others seal with.
    "algorithm" SealAlgorithm {
        /// `ECDH-ES+A256KW` on P-256.
        EcdhEs = "ecdh-es",
        /// `RSA-OAEP-256`, 3072 bits.
        RsaOaep256 = "rsa-oaep-256",
    }
}

impl Scheme {
    /// The algorithms that a key of this scheme may be for, the scheme's own first.
    #[must_use]
    pub const fn algorithms(self) -> &'static [Algorithm] {
        use Algorithm::{
            EcdsaP256Sha256, EcdsaP384Sha384, Ed25519, HmacSha256, MlDsa44, MlDsa65, MlDsa87, RsaPssSha256,
            RsaPssSha512, RsaV15Sha256,
        };
        match self {
            Scheme::HttpMessageSignatures => &[
                Ed25519,
                EcdsaP256Sha256,
                EcdsaP384Sha384,
                RsaPssSha512,
                RsaV15Sha256,
                HmacSha256,
                MlDsa44,
                MlDsa65,
                MlDsa87,
            ],
            Scheme::Pki => &[RsaPssSha256],
            Scheme::TrustedSite => &[RsaV15Sha256],
            Scheme::AppHmac => &[HmacSha256],
        }
    }

    /// The key of this scheme's settings in a route.
    #[must_use]
    pub const fn section(self) -> &'static str {
        match self {
            Scheme::HttpMessageSignatures => "http_message_signatures",
            Scheme::Pki => "pki",
            Scheme::TrustedSite => "trusted_site",
            Scheme::AppHmac => "app_hmac",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip<T: Named + FromStr + PartialEq + fmt::Debug>() {
        for name in T::ALL {
            assert_eq!(name.as_str().parse().ok(), Some(*name));
        }
    }

    #[test]
    fn every_name_is_read_as_it_is_written() {
        round_trip::<Scheme>();
        round_trip::<Algorithm>();
        round_trip::<Durability>();
        round_trip::<Http>();
        assert_eq!("Ed25519".parse::<Algorithm>().unwrap_err().to_string(), "unknown algorithm");
    }

    #[test]
    fn every_algorithm_belongs_to_a_scheme() {
        for algorithm in Algorithm::ALL {
            assert!(Scheme::ALL.iter().any(|scheme| scheme.algorithms().contains(algorithm)), "{algorithm}");
        }
    }
}
