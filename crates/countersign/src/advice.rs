//! What a sender is told to do about a refusal.

use crate::rejection::Code;

impl Code {
    /// What the sender can do so that the next attempt passes: one clause of at most 60 characters, no full stop. It says
    /// nothing that the code does not say, so it can be told wherever that is told.
    ///
    /// ```
    /// use countersign::Code;
    ///
    /// assert_eq!(Code::Replayed.advice(), "sign each attempt anew: new time, new nonce or message_id");
    /// ```
    #[must_use]
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Malformed => "correct the form of the message, then sign it again",
            Self::Ambiguous => "write it so that it reads in one way only, then sign again",
            Self::UserInvalid => "sign a payload that is JSON with an email",
            Self::Unsigned => "sign it, in a form that WWW-Authenticate names",
            Self::SchemeNotAllowed => "sign in a form that WWW-Authenticate names",
            Self::CoverageTooSmall => "sign all that the route demands: see Accept-Signature",
            Self::DigestMismatch => "send the body byte for byte as it was signed",
            Self::TooOld => "sign each attempt anew; compare clocks by server_time",
            Self::NotYetValid => "set the clock by server_time, then sign again",
            Self::Replayed => "sign each attempt anew: new time, new nonce or message_id",
            Self::TokenMissing => "log the user in, and send the token in Authorization",
            Self::TokenInvalid => "log the user in again, by the partner that signs",
            Self::TokenExpired => "log the user in again",
            Self::SignatureInvalid => "check key id, key and algorithm, then the signed bytes",
            Self::UnknownSigner => "register this key, or send the id that it is registered by",
            Self::KeyNotUsable => "sign with an active key; the API's owner knows its state",
            Self::AlgorithmMismatch => "sign with the algorithm that the key is registered for",
            Self::ChannelMismatch => "connect with the client certificate of who signs",
            Self::BadSignature => "sign what arrives, byte for byte, with the registered key",
            Self::PartnerNotAllowed => "have the caller admitted here, or call as one who is",
            Self::NoRoute => "correct the path, or have a route added for it",
            Self::NoUser => "register the user first",
            Self::TooSlow => "send head and body without pauses",
            Self::UserExists => "log the user in instead",
            Self::BodyTooLarge => "send less at a time, or have max_body raised",
            Self::RateLimited | Self::Unavailable => "wait as Retry-After says, then sign anew",
            Self::HeadTooLarge => "send fewer or shorter headers",
            Self::UpstreamFailed => "sign anew and try later: the API behind is down",
            Self::UpstreamTimeout => "find out whether it was done before you send it again",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_says_what_to_do_in_a_clause_that_fits_a_terminal() {
        for code in Code::ALL {
            let advice = code.advice();
            assert!((15..=60).contains(&advice.chars().count()), "{code}: {advice}");
            assert!(advice.starts_with(|first: char| first.is_ascii_lowercase()) && !advice.ends_with('.'), "{code}");
        }
    }
}
