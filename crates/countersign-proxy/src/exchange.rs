//! What trusted sites are answered by the gateway itself: a site vouches for a user, and gets a token for the user's requests.
//!
//! It walks through the same chain as what is forwarded, and always enforces: it has no route that could only watch. What it
//! acts upon is on record, so nothing is made for what was not verified and fresh.

use std::sync::Arc;

use bytes::Bytes;
use countersign::{Basis, Delivery, Demands, Head, Identity, Policy, Scheme, Unavailable, Vouched};
use http::{HeaderValue, Response, StatusCode, header};
use serde_json::json;

use crate::chain::Crossing;
use crate::fault::Fault;
use crate::handles::User;
use crate::inbound::Inbound;
use crate::log::Entry;
use crate::metrics::Metrics;
use crate::record::Recorded;
use crate::reply::Reply;
use crate::settings::{ExchangeSettings, InvalidSettings};
use crate::table::Route;

/// The two paths, and what they give.
pub(crate) struct Exchange {
    register: Arc<Route>,
    login: Arc<Route>,
    default_credits: u64,
    shared_users: bool,
}

/// What a site asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// A user who is new.
    Register,
    /// A token for one whom the same partner registered.
    Login,
}

impl Exchange {
    pub(crate) fn new(settings: &ExchangeSettings, metrics: &Metrics) -> Result<Self, InvalidSettings> {
        let policy = |path: &str| {
            let demands = Demands {
                schemes: vec![Scheme::TrustedSite],
                require: Vec::new(),
                memory: settings.memory.clone(),
                max_age: ExchangeSettings::WINDOW,
                max_skew: Some(ExchangeSettings::WINDOW),
                max_body: MAX_BODY,
                path: path.to_owned(),
                ..Demands::default()
            };
            Policy::new(demands).map(Arc::new).map_err(|fault| InvalidSettings(format!("{path}: {fault}")))
        };
        let route = |path| Ok(Arc::new(Route::answered_here(path, policy(path)?, metrics)));
        let ExchangeSettings { default_credits, shared_users, .. } = *settings;
        Ok(Self { register: route(REGISTER)?, login: route(LOGIN)?, default_credits, shared_users })
    }

    /// What is asked for at this path, as it came: no other spelling of it is one of them.
    pub(crate) fn at(&self, path: &str) -> Option<(Act, &Arc<Route>)> {
        match path {
            REGISTER => Some((Act::Register, &self.register)),
            LOGIN => Some((Act::Login, &self.login)),
            _ => None,
        }
    }
}

impl Crossing<'_> {
    /// Verifies what a site says of a user, and answers it.
    ///
    /// # Errors
    /// As [`Crossing::pass`] up to the record, in the same order; then `malformed` and `user_invalid` for what the payload
    /// says, `user_exists`, `no_user`, and `unavailable` where users or keys for tokens are.
    pub(crate) async fn vouch(
        &self,
        (exchange, act): (&Exchange, Act),
        head: Head,
        body: &mut Inbound,
        entry: &mut Entry,
    ) -> Result<Response<Reply>, Fault> {
        let recorded = self.admit(head, body, entry).await?.recorded;
        let (payload, site) = signed(recorded)?;
        let vouched = Vouched::read(&payload, act.path())?;
        let gate = self.gate;
        let users = gate.users.as_ref().ok_or_else(|| Unavailable::new("user store", "this gateway has none"))?;
        // Before anything is made: whoever is registered is told so with a token.
        let now = gate.clock.now();
        let tokens = gate.tokens(now)?;
        tokens.can_issue(now)?;
        let (status, user) = match act {
            Act::Register => {
                (StatusCode::CREATED, users.register(&vouched, &site, exchange.default_credits, now).await?)
            }
            Act::Login => (StatusCode::OK, users.login(&vouched, &site, exchange.shared_users).await?),
        };
        let token = tokens.issue(&user.id, &user.email, &site.key, gate.clock.now())?;
        Ok(answered(status, &token, &user))
    }
}

impl Act {
    fn path(self) -> &'static str {
        match self {
            Self::Register => REGISTER,
            Self::Login => LOGIN,
        }
    }
}

/// The payload as it was signed, and by whom.
fn signed(recorded: Recorded) -> Result<(Bytes, Identity), Unavailable> {
    let (basis, _) = recorded.into_parts();
    let Basis::Signed(ready) = basis else {
        return Err(Unavailable::new("gateway", "the exchange admitted what was not signed"));
    };
    match ready.into_parts() {
        (_, Delivery::Derived { payload, .. }, identity) => Ok((payload, identity)),
        _ => Err(Unavailable::new("gateway", "a signed payload was lost")),
    }
}

fn answered(status: StatusCode, token: &str, user: &User) -> Response<Reply> {
    let User { id, email, credits_remaining, registered_via } = user;
    let body = json!({
        "access_token": token,
        "token_type": "bearer",
        "user": { "id": id, "email": email, "credits_remaining": credits_remaining, "registered_via": registered_via },
    });
    let mut response = Response::new(Reply::own(body.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    // RFC 6749 §5.1: whatever holds a token is kept by nobody on the way.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

pub(crate) const REGISTER: &str = "/auth/trusted/register";
pub(crate) const LOGIN: &str = "/auth/trusted/login";

/// An address, a signature of 16384 bits, and what else a site has to say.
const MAX_BODY: u64 = 64 << 10;
