use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use countersign::{
    BoxFuture, Identity, Keys, Openers, Refusal, ReplayStore, Timestamp, TokenKeys, Unavailable, Vouched,
};

use crate::clock::Clock;
use crate::sockets::Sockets;

/// What a gateway needs of the world: everything that is not HTTP.
pub struct Handles {
    /// The keys at this moment: a snapshot, read for every request, so it has to be cheap. An error is answered with 503;
    /// whoever knows that the snapshot is too stale to judge by gives one.
    pub keys: KeySource,
    /// The keys that user tokens are signed with, at this moment, and what was revoked; `None` where no tokens are issued or taken.
    /// As cheap, and an error means the same.
    pub token_keys: Option<TokenKeySource>,
    /// What opens sealed fields at this moment, in place of the settings' own: keys that come and go while the gateway runs.
    /// Asked for every request, so it has to be cheap.
    pub openers: Option<OpenerSource>,
    /// The memory of what was admitted.
    pub replay: Arc<dyn ReplayStore>,
    /// The clock of all verdicts.
    pub clock: Clock,
    /// Where decisions are written, one JSON line each.
    pub log: Box<dyn Write + Send>,
    /// What else `/readyz` asks for.
    pub checks: Vec<ReadyCheck>,
    /// The age of the key snapshot, for the metrics.
    pub snapshot_age: Option<Arc<dyn Fn() -> Duration + Send + Sync>>,
    /// Numbers of what is behind these handles, for the metrics.
    pub measures: Vec<Measure>,
    /// Told who signed each request that is admitted, and when it came. Called on the path: must neither block nor fail.
    pub used: Option<Used>,
    /// Where the users are for whom trusted sites vouch; needed where the settings have an exchange.
    pub users: Option<Arc<dyn UserStore>>,
    /// Sockets that listen already, in place of new ones. Those whose address is not asked for are closed.
    pub sockets: Sockets,
}

impl Handles {
    /// Handles with the system's clock and standard error as log.
    pub fn new(keys: KeySource, replay: Arc<dyn ReplayStore>) -> Self {
        Self {
            keys,
            token_keys: None,
            openers: None,
            replay,
            clock: Clock::system(),
            log: Box::new(std::io::stderr()),
            checks: Vec::new(),
            snapshot_age: None,
            measures: Vec::new(),
            used: None,
            users: None,
            sockets: Sockets::default(),
        }
    }
}

/// Where the keys come from.
pub type KeySource = Arc<dyn Fn(Timestamp) -> Result<Arc<Keys>, Unavailable> + Send + Sync>;

/// Where the keys of user tokens come from.
pub type TokenKeySource = Arc<dyn Fn(Timestamp) -> Result<Arc<TokenKeys>, Unavailable> + Send + Sync>;

/// Where the keys come from that open sealed fields.
pub type OpenerSource = Arc<dyn Fn() -> Arc<Openers> + Send + Sync>;

/// Whom an admitted request is told of.
pub type Used = Arc<dyn Fn(&Identity, Timestamp) + Send + Sync>;

/// Users for whom trusted sites vouch. Every call may come from any thread, any number of them at once.
pub trait UserStore: Send + Sync {
    /// Registers whom a site vouches for; `by` is who signed. When this returns a user, that user is durable: no crash and no
    /// power cut takes it back, for the site is told so. Of all calls for one e-mail address, in whatever spelling and at
    /// whichever gateway, one gets a user. An answer that comes too early makes sites believe in users who are gone; two users
    /// of one address make one of them the other's.
    ///
    /// # Errors
    /// `user_invalid` for what is no address, `user_exists`; [`Unavailable`] where the store does not do it: then there is no
    /// such user.
    fn register<'a>(
        &'a self,
        vouched: &'a Vouched,
        by: &'a Identity,
        credits: u64,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<User, Refusal>>;

    /// Finds a user whom a key of the same partner registered, or of any where users are `shared`. One of another partner is
    /// as good as none: who is told of them could be logged in as them.
    ///
    /// # Errors
    /// `user_invalid`, `no_user`; [`Unavailable`] where the store does not answer.
    fn login<'a>(
        &'a self,
        vouched: &'a Vouched,
        by: &'a Identity,
        shared: bool,
    ) -> BoxFuture<'a, Result<User, Refusal>>;
}

/// A user, as a site is told of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Whom tokens speak of.
    pub id: String,
    /// The e-mail address, in its one form.
    pub email: String,
    /// What is left of what a user starts with.
    pub credits_remaining: u64,
    /// The key of the site that registered the user.
    pub registered_via: String,
}

/// Something without which a gateway is not ready.
#[derive(Clone)]
pub struct ReadyCheck {
    /// Its name, for `/readyz`.
    pub name: &'static str,
    /// An error says in words what is missing. Called for every `/readyz`; must not block.
    pub check: Arc<dyn Fn() -> Result<(), String> + Send + Sync>,
}

/// A number for `/metrics`.
#[derive(Clone)]
pub struct Measure {
    /// Its name, with `countersign_` in front and its unit at the end.
    pub name: &'static str,
    /// Whether it only ever grows.
    pub counter: bool,
    /// What it is, in a sentence.
    pub help: &'static str,
    /// Called for every `/metrics`; must not block.
    pub read: Arc<dyn Fn() -> f64 + Send + Sync>,
}
