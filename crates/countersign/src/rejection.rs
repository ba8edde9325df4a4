use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use crate::algorithm::Scheme;

/// Why a message was turned away: the sender's fault, never ours.
///
/// `code` is for machines and stable, `reason` is for people: one clause that names the check and what would satisfy it.
/// A reason never holds a body, a MAC, an expected signature or the value of a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    code: Code,
    reason: Cow<'static, str>,
    claimed: Option<Box<(Scheme, String)>>,
    /// In place of the code's.
    advice: Option<&'static str>,
    names_field: bool,
}

impl Rejection {
    /// A rejection with its reason: one clause, no full stop.
    pub fn new(code: Code, reason: impl Into<Cow<'static, str>>) -> Self {
        Self { code, reason: reason.into(), claimed: None, advice: None, names_field: false }
    }

    /// A sealed field that does not open: its place, and nothing else of it.
    pub(crate) fn closed(pointer: &str) -> Self {
        Self { names_field: true, ..Self::new(Code::Malformed, format!("{pointer} can't be opened")) }
    }

    /// Whether the reason is the place of a sealed field and nothing more. Its sender, whose signature held, may know it whatever
    /// else is told.
    #[must_use]
    pub fn names_field(&self) -> bool {
        self.names_field
    }

    /// The stable code, at full detail. [`Code::public`] folds it for callers that are told only the code.
    #[must_use]
    pub fn code(&self) -> Code {
        self.code
    }

    /// The same with better advice than [`Code::advice`] has, in its form. It may be told to everybody, as that is.
    #[must_use]
    pub fn advising(mut self, advice: &'static str) -> Self {
        self.advice = Some(advice);
        self
    }

    /// What the sender can do about it.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        self.advice.unwrap_or(self.code.advice())
    }

    /// Which check failed, and on what.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// The same, to be kept: most are known beforehand, and cost nothing.
    #[must_use]
    pub fn reason_to_keep(&self) -> Cow<'static, str> {
        self.reason.clone()
    }

    /// The scheme and the key id that the message claims, where it was read so far. For logs: it may be a lie.
    #[must_use]
    pub fn claimed(&self) -> Option<(Scheme, &str)> {
        self.claimed.as_deref().map(|(scheme, key)| (*scheme, key.as_str()))
    }

    pub(crate) fn of(mut self, scheme: Scheme, key: &str) -> Self {
        self.claimed = Some(Box::new((scheme, key.to_owned())));
        self
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.reason)
    }
}

impl std::error::Error for Rejection {}

/// Our fault: something that we need did not answer. Answered with 503 and `Retry-After`, and nothing is forwarded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unavailable {
    what: &'static str,
    detail: String,
    retry_after: Option<Duration>,
}

impl Unavailable {
    /// `what` names the part (`replay store`, `registry`), `detail` is for our own log only.
    pub fn new(what: &'static str, detail: impl fmt::Display) -> Self {
        Self { what, detail: detail.to_string(), retry_after: None }
    }

    /// The same, with the time after which asking again may help.
    #[must_use]
    pub fn for_the_next(self, time: Duration) -> Self {
        Self { retry_after: Some(time), ..self }
    }

    /// After how long asking again may help, where that is known.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// The part that did not answer.
    #[must_use]
    pub fn what(&self) -> &'static str {
        self.what
    }

    /// What went wrong, for the operator's log. Never sent to a caller.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} unavailable: {}", self.what, self.detail)
    }
}

impl std::error::Error for Unavailable {}

/// A message that did not pass: either the sender's fault or ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The sender's fault.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// Our fault.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $status:literal, $exit:literal, $public:ident, $title:literal;)*) => {
        /// The closed list of refusal codes, in one table with what each becomes on the wire.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// Every code, in the order of the table.
            pub const ALL: &'static [Code] = &[$(Code::$name),*];

            /// The code as it stands on the wire, in logs, in metrics and in vectors.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Code::$name => $text),* }
            }

            /// The HTTP status.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $(Code::$name => $status),* }
            }

            /// The exit code of a command that ends with this refusal.
            #[must_use]
            pub const fn exit(self) -> u8 {
                match self { $(Code::$name => $exit),* }
            }

            /// What a caller is told who may know the code only: every fault that only a known key can have is
            /// `signature_invalid`, so that an answer does not say which keys exist.
            #[must_use]
            pub const fn public(self) -> Code {
                match self { $(Code::$name => Code::$public),* }
            }

            /// A short sentence for people, the same for every refusal of this code.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Code::$name => $title),* }
            }
        }
    };
}

codes! {
    /// Not one well-framed message in the form of its scheme.
    Malformed = "malformed", 400, 2, Malformed, "The request is not well-formed";
    /// Readable in more than one way: two schemes, two signatures that qualify, bytes that split twice.
    Ambiguous = "ambiguous", 400, 2, Ambiguous, "The request can be read in more than one way";
    /// The signed content does not describe a user.
    UserInvalid = "user_invalid", 400, 2, UserInvalid, "The user is not valid";
    /// No signature.
    Unsigned = "unsigned", 401, 10, Unsigned, "The request carries no signature";
    /// Signed, under a scheme that the route does not admit.
    SchemeNotAllowed = "scheme_not_allowed", 401, 13, SchemeNotAllowed, "This signature scheme is not admitted here";
    /// The signature holds for less than the route demands.
    CoverageTooSmall = "coverage_too_small", 401, 13, CoverageTooSmall, "The signature does not cover what this route demands";
    /// The body is not the one whose digest was signed.
    DigestMismatch = "digest_mismatch", 401, 15, DigestMismatch, "The body does not match its signed digest";
    /// Signed too long ago, or `expires` has passed.
    TooOld = "too_old", 401, 13, TooOld, "The signature is too old";
    /// Signed in the future.
    NotYetValid = "not_yet_valid", 401, 13, NotYetValid, "The signature is not yet valid";
    /// Admitted before.
    Replayed = "replayed", 401, 14, Replayed, "The request was used before";
    /// No user token where the route demands one.
    TokenMissing = "token_missing", 401, 10, TokenMissing, "A user token is needed";
    /// A user token that is not ours, or not bound to this partner.
    TokenInvalid = "token_invalid", 401, 12, TokenInvalid, "The user token is not valid";
    /// A user token past its time.
    TokenExpired = "token_expired", 401, 13, TokenExpired, "The user token has expired";
    /// What is told at level `code` for every fault that only a known key can have.
    SignatureInvalid = "signature_invalid", 401, 12, SignatureInvalid, "The signature is not valid";
    /// No key of this id and scheme.
    UnknownSigner = "unknown_signer", 401, 11, SignatureInvalid, "The key is not known";
    /// A key that is pending, retired, revoked, outside its validity, or of a suspended partner.
    KeyNotUsable = "key_not_usable", 401, 11, SignatureInvalid, "The key is not usable";
    /// The message names another algorithm than the key's.
    AlgorithmMismatch = "algorithm_mismatch", 401, 13, SignatureInvalid, "The algorithm is not the key's";
    /// The TLS client certificate belongs to another partner.
    ChannelMismatch = "channel_mismatch", 401, 12, SignatureInvalid, "The client certificate is not the signer's";
    /// The signature does not hold under the key.
    BadSignature = "bad_signature", 401, 12, SignatureInvalid, "The signature does not verify";
    /// A partner that this route does not admit.
    PartnerNotAllowed = "partner_not_allowed", 403, 13, PartnerNotAllowed, "This partner is not admitted here";
    /// No route for this path.
    NoRoute = "no_route", 404, 2, NoRoute, "No such route";
    /// No such user of this partner.
    NoUser = "no_user", 404, 2, NoUser, "No such user";
    /// Head or body came too slowly.
    TooSlow = "too_slow", 408, 2, TooSlow, "The request came too slowly";
    /// The e-mail is registered already.
    UserExists = "user_exists", 409, 2, UserExists, "The user exists already";
    /// The body is larger than the route takes.
    BodyTooLarge = "body_too_large", 413, 2, BodyTooLarge, "The body is too large";
    /// Too many requests.
    RateLimited = "rate_limited", 429, 13, RateLimited, "Too many requests";
    /// The head is larger than the gateway takes.
    HeadTooLarge = "head_too_large", 431, 2, HeadTooLarge, "The request head is too large";
    /// The API behind did not answer properly.
    UpstreamFailed = "upstream_failed", 502, 1, UpstreamFailed, "The service behind did not answer";
    /// Something that we need is down.
    Unavailable = "unavailable", 503, 1, Unavailable, "Temporarily unavailable";
    /// The API behind did not answer in time.
    UpstreamTimeout = "upstream_timeout", 504, 1, UpstreamTimeout, "The service behind did not answer in time";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Code {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.iter().copied().find(|code| code.as_str() == text).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_a_known_key_can_have_reads_the_same_outside() {
        let folded: Vec<_> =
            Code::ALL.iter().filter(|code| code.public() != **code).map(|code| code.as_str()).collect();
        assert_eq!(
            folded,
            ["unknown_signer", "key_not_usable", "algorithm_mismatch", "channel_mismatch", "bad_signature"]
        );
        assert!(Code::ALL.iter().all(|code| code.public().status() == code.status()));
    }

    #[test]
    fn every_code_is_found_by_its_text() {
        assert!(Code::ALL.iter().all(|code| code.as_str().parse() == Ok(*code)));
    }
}
