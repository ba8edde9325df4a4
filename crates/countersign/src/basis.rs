use crate::claim::{Identity, Ready, drop_overrides};
use crate::coverage::Coverage;
use crate::message::Head;
use crate::policy::Permit;
use crate::rejection::Refusal;

/// The closed list of reasons to forward a request. Whoever forwards takes nothing weaker.
pub enum Basis<B> {
    /// It was signed, verified and fresh.
    Signed(Ready<B>),
    /// A valid user token came with it.
    Bearer(Token, Unverified<B>),
    /// Both.
    Both(Ready<B>, Token),
    /// The route only watches: it goes on although it did not pass.
    Observed(Permit, Outcome<B>),
}

impl<B> Basis<B> {
    /// Who signed; `None` for whatever was not verified, so that what was only observed can't carry a partner.
    #[must_use]
    pub fn identity(&self) -> Option<&Identity> {
        match self {
            Self::Signed(ready) | Self::Both(ready, _) => Some(ready.identity()),
            Self::Bearer(..) | Self::Observed(..) => None,
        }
    }
}

/// A user token that was checked. There is no way to make one yet: tokens come with the exchange of trusted sites.
#[derive(Debug)]
#[must_use]
pub struct Token {
    user: String,
}

impl Token {
    /// Whom the token speaks of.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }
}

/// A request of which nothing was verified.
#[derive(Debug)]
pub struct Unverified<B> {
    /// Its head.
    pub head: Head,
    /// Its body, as the caller kept it.
    pub body: B,
}

impl<B> Unverified<B> {
    /// A request of which nothing was verified. Fields by which some servers let it become another one (`X-HTTP-Method-Override`
    /// and its like) do not go on: they would have to be signed.
    pub fn new(mut head: Head, body: B) -> Self {
        drop_overrides(head.headers_mut(), &Coverage::default());
        Self { head, body }
    }
}

/// What came of a request that was only observed.
#[derive(Debug)]
pub struct Outcome<B> {
    /// The request itself.
    pub request: Unverified<B>,
    /// What it would have been refused for.
    pub refusal: Refusal,
}
