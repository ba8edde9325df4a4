use std::borrow::Cow;
use std::time::Duration;

use countersign::{Code, Refusal, Rejection, Scheme, Unavailable};

use crate::rate::Standing;

/// Why a request was not answered by its upstream: the sender's fault, ours, or the upstream's.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The sender's or ours.
    Refused(Refusal),
    /// The API behind: `upstream_failed` or `upstream_timeout`, and why, for the log.
    Upstream(Code, String),
    /// More than a source or a partner may ask for: `rate_limited`.
    Limited(Standing),
}

impl Fault {
    pub(crate) fn code(&self) -> Code {
        match self {
            Self::Refused(Refusal::Rejected(rejection)) => rejection.code(),
            Self::Refused(Refusal::Unavailable(_)) => Code::Unavailable,
            Self::Upstream(code, _) => *code,
            Self::Limited(_) => Code::RateLimited,
        }
    }

    /// What can be done about it.
    pub(crate) fn advice(&self, told: Code) -> &'static str {
        match self {
            // Of what was folded into another code nothing more is told.
            Self::Refused(Refusal::Rejected(rejection)) if rejection.code() == told => rejection.advice(),
            _ => told.advice(),
        }
    }

    /// For the operator's log.
    pub(crate) fn reason(&self) -> Cow<'_, str> {
        match self {
            Self::Refused(Refusal::Rejected(rejection)) => rejection.reason().into(),
            Self::Refused(Refusal::Unavailable(unavailable)) => unavailable.to_string().into(),
            Self::Upstream(_, reason) => reason.into(),
            Self::Limited(standing) => standing.to_string().into(),
        }
    }

    /// After how long asking again may help, where that is known.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused(Refusal::Unavailable(unavailable)) => unavailable.retry_after(),
            Self::Limited(standing) => Some(standing.wait()),
            _ => None,
        }
    }

    /// The scheme and the key that a refused message claims, for the operator's log.
    pub(crate) fn claimed(&self) -> Option<(Scheme, &str)> {
        match self {
            Self::Refused(Refusal::Rejected(rejection)) => rejection.claimed(),
            _ => None,
        }
    }

    /// Whether a sender is to blame, who is charged for it. A site that was told whether there is a user did nothing wrong.
    pub(crate) fn is_the_senders(&self) -> bool {
        matches!(self, Self::Refused(Refusal::Rejected(_))) && !matches!(self.code(), Code::UserExists | Code::NoUser)
    }

    /// Whether the detail is told at every level.
    pub(crate) fn names_field(&self) -> bool {
        matches!(self, Self::Refused(Refusal::Rejected(rejection)) if rejection.names_field())
    }

    /// What the caller may be told beyond the code: of the caller's own faults only.
    pub(crate) fn detail(&self) -> Option<&str> {
        match self {
            Self::Refused(Refusal::Rejected(rejection)) => Some(rejection.reason()),
            _ => None,
        }
    }
}

impl From<Rejection> for Fault {
    fn from(rejection: Rejection) -> Self {
        Self::Refused(rejection.into())
    }
}

impl From<Unavailable> for Fault {
    fn from(unavailable: Unavailable) -> Self {
        Self::Refused(unavailable.into())
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}
