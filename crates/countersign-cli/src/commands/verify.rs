//! `countersign verify`.

mod deployment;
mod one_key;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use countersign::{
    Algorithm, Claim, Head, Identity, Keys, Openers, Origin, Policy, Refusal, Rejection, ReplayStore, Scheme,
    Timestamp, TokenJudge, TokenKeys, TokenSettings,
};

use super::wait;
use crate::app_hmac_form::FormFlags;
use crate::exit::{Exit, Failure};
use crate::message::Message;
use crate::moment::{self, Moment};
use crate::remember::{Nothing, Remembered};
use crate::{arguments, verdict};

/// Says whether the raw HTTP request on stdin passes, and if not why
///
/// The verdict names the check that failed first, and what would make the message pass. The exit code is that of the verdict. With a configuration the keys are those of its registry and the demands those of
/// the route; with --public-key or --secret-file there is one key, and the usual demands: created, keyid, nonce, at most five
/// minutes old, over @method @authority @path @query and the digest of the body.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Verify as a gateway with this configuration would [default: countersign.toml]
    #[arg(long, value_name = "FILE", conflicts_with_all = ["public_key", "secret_file"])]
    config: Option<PathBuf>,
    /// Verify with this public key: PEM, DER or JWK
    #[arg(long, value_name = "FILE", conflicts_with = "secret_file")]
    public_key: Option<PathBuf>,
    /// Verify with this shared secret
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// The key's algorithm [default: the scheme's for this kind of key]
    #[arg(long, value_name = "A", value_parser = arguments::algorithm())]
    algorithm: Option<Algorithm>,
    /// The key's scheme
    #[arg(long, value_name = "S", default_value = "http-message-signatures", value_parser = arguments::scheme())]
    scheme: Scheme,
    /// The key's id [default: whatever the message names]
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    #[command(flatten)]
    form: FormFlags,
    /// What has to be covered, e.g. "@method @path content-digest", or none
    #[arg(long, value_name = "COMPONENTS")]
    require: Option<String>,
    /// Whether a message without nonce passes
    #[arg(long, value_name = "NONCE", value_parser = ["required", "optional"])]
    nonce: Option<String>,
    /// The tag that the signature has to carry
    #[arg(long, value_name = "TAG")]
    tag: Option<String>,
    /// How old it may be, e.g. 5m
    #[arg(long, value_name = "DURATION", value_parser = moment::duration)]
    max_age: Option<Duration>,
    /// How far in the future it may lie, e.g. 30s
    #[arg(long, value_name = "DURATION", value_parser = moment::duration)]
    max_skew: Option<Duration>,
    /// Judge as of this time: 2026-11-23T10:00:00Z, seconds since 1970, or -10m [default: now]
    #[arg(long, value_name = "T", value_parser = Moment::parse, allow_hyphen_values = true)]
    now: Option<Moment>,
    /// What @scheme and @authority mean to the sender [default: Host over https, over http on loopback]
    #[arg(long, value_name = "URL", value_parser = arguments::origin)]
    origin: Option<Origin>,
    /// Keep in FILE what passed, and refuse it the second time
    #[arg(long, value_name = "FILE")]
    remember: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<Exit, Failure> {
    let clock = moment::now();
    let now = args.now.map_or(clock, |now| now.resolve(clock));
    let ground = if args.public_key.is_some() || args.secret_file.is_some() {
        Ground::OneKey(one_key::material(args)?)
    } else {
        Ground::Deployment(Box::new(deployment::find(args)?))
    };
    let text = Message::read_stdin()?;
    let verdict = match Message::parse(&text) {
        Err(malformed) => Err(malformed.into()),
        Ok(message) => wait(ground.judge(args, &message, now))??,
    };
    verdict::print(&verdict, now, args.json)
}

/// What a message is judged by.
enum Ground {
    /// A key from a file.
    OneKey(one_key::Given),
    /// A configuration and its registry.
    Deployment(Box<crate::place::Place>),
}

impl Ground {
    async fn judge(
        &self,
        args: &Args,
        message: &Message,
        now: Timestamp,
    ) -> Result<Result<Identity, Refusal>, Failure> {
        let prepared = match self {
            Self::OneKey(given) => one_key::prepare(args, given, message)?,
            Self::Deployment(place) => deployment::prepare(args, place, message).await?,
        };
        Ok(match prepared {
            Err(rejection) => Err(rejection.into()),
            Ok(case) => case.pass(message, args.remember.as_deref(), now).await,
        })
    }
}

/// A head, and all that it takes to judge it.
struct Case {
    head: Head,
    policy: Arc<Policy>,
    keys: Arc<Keys>,
    /// What user tokens are judged by, where the route may ask for one.
    tokens: Option<(TokenSettings, Arc<TokenKeys>)>,
}

impl Case {
    /// The chain, to its end or to its first refusal.
    async fn pass(self, message: &Message, remember: Option<&Path>, now: Timestamp) -> Result<Identity, Refusal> {
        let replay: Box<dyn ReplayStore> = match remember {
            Some(path) => Box::new(Remembered::new(path)),
            None => Box::new(Nothing),
        };
        let keys = &*self.keys;
        let mut open = Claim::read(self.head, &self.policy)?.check(keys, now)?;
        let kept = open.push(message.body().clone())?;
        open.trailers(message.trailers());
        let mut fresh = open.finish(keys, now)?.first_use(keys, &*replay, now).await?;
        if let Some((settings, token_keys)) = &self.tokens {
            fresh = fresh.accompanied(&TokenJudge { settings, keys: token_keys, sites: keys, now })?;
        }
        let ready = fresh.unpack(&Openers::default(), kept)?;
        Ok(ready.identity().clone())
    }
}

/// Where the message was sent to: as said, or as it says itself.
fn origin(args: &Args, message: &Message) -> Result<Origin, Rejection> {
    args.origin.clone().map_or_else(|| message.origin(), Ok)
}
