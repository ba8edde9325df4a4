use crate::claim::{Identity, Ready, drop_overrides};
use crate::coverage::Coverage;
use crate::message::Head;
use crate::policy::{Permit, Policy};
use crate::rejection::{Refusal, Rejection};
use crate::token::{Token, TokenJudge};
use crate::{judge, scheme};

/// The closed list of reasons to forward a request. Whoever forwards takes nothing weaker.
pub enum Basis<B> {
    /// It was signed, verified and fresh.
    Signed(Ready<B>),
    /// A valid user token came with it, on a route that asks for no signature.
    Bearer(Bearer<B>),
    /// Both, of one partner.
    Both(Accompanied<B>),
    /// The route only watches: it goes on although it did not pass.
    Observed(Permit, Outcome<B>),
}

impl<B> Basis<B> {
    /// Who signed; `None` for whatever was not verified, so that what was only observed can't carry a partner.
    #[must_use]
    pub fn identity(&self) -> Option<&Identity> {
        match self {
            Self::Signed(ready) => Some(ready.identity()),
            Self::Both(both) => Some(both.ready.identity()),
            Self::Bearer(..) | Self::Observed(..) => None,
        }
    }

    /// The token that was checked.
    #[must_use]
    pub fn token(&self) -> Option<&Token> {
        match self {
            Self::Bearer(bearer) => Some(&bearer.token),
            Self::Both(both) => Some(&both.token),
            Self::Signed(_) | Self::Observed(..) => None,
        }
    }
}

/// A signed request, and a token for a user of the same partner: see [`Ready::basis`].
#[must_use]
pub struct Accompanied<B> {
    pub(crate) ready: Ready<B>,
    pub(crate) token: Box<Token>,
}

impl<B> Accompanied<B> {
    /// The signed request.
    pub fn ready(&self) -> &Ready<B> {
        &self.ready
    }

    /// The signed request, leaving the token behind.
    pub fn into_ready(self) -> Ready<B> {
        self.ready
    }
}

/// A request with a token that was checked, of which nothing else was verified.
#[derive(Debug)]
#[must_use]
pub struct Bearer<B> {
    token: Token,
    request: Unverified<B>,
}

impl Bearer<()> {
    /// Checks a request to a route that asks for a token and no signature. Costs no body.
    ///
    /// # Errors
    /// `scheme_not_allowed` where it carries the mark of a signature, since none is admitted, and `ambiguous` with two of them;
    /// what [`TokenJudge::check`] says; `partner_not_allowed` and `channel_mismatch` by the partner whose site vouched.
    pub fn check(head: Head, policy: &Policy, judge: &TokenJudge<'_>) -> Result<Self, Rejection> {
        scheme::refuse_marked(&head, policy)?;
        let token = judge.check(&head)?;
        judge::admitted(token.partner(), head.channel(), policy)?;
        Ok(Self { token, request: Unverified::new(head, ()) })
    }

    /// With its body, as the caller keeps it.
    pub fn carrying<B>(self, body: B) -> Bearer<B> {
        let Self { token, request: Unverified { head, body: () } } = self;
        Bearer { token, request: Unverified { head, body } }
    }
}

impl<B> Bearer<B> {
    /// The token.
    pub fn token(&self) -> &Token {
        &self.token
    }

    /// The request.
    #[must_use]
    pub fn request(&self) -> &Unverified<B> {
        &self.request
    }

    /// The request, leaving the token behind.
    #[must_use]
    pub fn into_request(self) -> Unverified<B> {
        self.request
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
