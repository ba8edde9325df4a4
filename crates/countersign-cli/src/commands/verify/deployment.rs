//! Verifying as a gateway of this configuration would, with the keys of its registry.

use std::sync::Arc;

use countersign::{Code, Head, Rejection};
use countersign_store::Snapshots;

use super::{Args, Case, origin};
use crate::config::{Channel, Route};
use crate::exit::Failure;
use crate::message::Message;
use crate::place::{ConfigFile, Place};
use crate::{moment, output, wire};

/// The configuration, which has to be there. What a route demands is not for a flag to say.
pub(super) fn find(args: &Args) -> Result<Place, Failure> {
    let file = args.config.clone().map_or_else(ConfigFile::default, ConfigFile::named);
    let flags = [
        ("--algorithm", args.algorithm.is_some()),
        ("--id", args.id.is_some()),
        ("--require", args.require.is_some()),
        ("--nonce", args.nonce.is_some()),
        ("--tag", args.tag.is_some()),
        ("--max-age", args.max_age.is_some()),
        ("--max-skew", args.max_skew.is_some()),
    ];
    if let Some((flag, _)) = flags.iter().chain(&args.form.given()).find(|(_, given)| *given) {
        return Err(Failure::usage(format!("{flag} goes with one key; with a configuration the route decides"))
            .hint("add --public-key FILE or --secret-file FILE, or leave it out"));
    }
    let (config, _) = file.read().map_err(|failure| match (&args.config, file.path().exists()) {
        (None, false) => failure.hint("or name a key: --public-key FILE, --secret-file FILE"),
        _ => failure,
    })?;
    Ok(Place::of(config))
}

pub(super) async fn prepare(args: &Args, place: &Place, message: &Message) -> Result<Result<Case, Rejection>, Failure> {
    let head = match head(args, place, message)? {
        Ok(head) => head,
        Err(rejection) => return Ok(Err(rejection)),
    };
    let Some(route) = route(&place.config.routes, head.path().unwrap_or("/")) else {
        return Ok(Err(Rejection::new(Code::NoRoute, "no [[route]] of the configuration takes this path")));
    };
    if route.channel == Channel::SamePartner {
        output::note!("the route also wants the TLS client certificate of who signs, which a message does not show");
    }
    // The verdict is about the signature: what is sealed stays so.
    let route = Route { channel: Channel::Any, open: Vec::new(), ..route.clone() };
    let policy = Arc::new(wire::policy(&route, place.config.memory())?);
    if policy.is_by_token_alone() {
        let what = format!("the route {} asks for a user token alone: there is no signature to verify", route.path);
        return Err(Failure::usage(what));
    }
    let registry = place.registry_to_read().await?;
    // Freshness goes by the clock, whatever time the verdict is for.
    let snapshots = Snapshots::follow(&registry, place.config.registry.max_stale, moment::now).await?;
    let keys = snapshots.keys(moment::now())?;
    let token_keys = snapshots.token_keys(moment::now())?;
    drop(snapshots);
    registry.close().await;
    let tokens = place.config.token.as_ref().map(|token| (wire::tokens(token), token_keys));
    Ok(Ok(Case { head, policy, keys, tokens }))
}

/// The head as the gateway would see it: under a `public_url` where there is one, else as it was received.
fn head(args: &Args, place: &Place, message: &Message) -> Result<Result<Head, Rejection>, Failure> {
    let public = &place.config.gateway.public_url;
    if args.origin.is_some() {
        return Ok(origin(args, message).and_then(|origin| message.head(origin)));
    }
    if public.is_empty() {
        // As received, whatever the sender meant.
        return Ok(message.received_origin(place.config.gateway.tls.is_some()).and_then(|origin| message.head(origin)));
    }
    for url in public {
        let believed = wire::origin(url)?;
        if message.authority_under(&believed) {
            return Ok(message.head(believed));
        }
    }
    Ok(Err(Rejection::new(Code::Malformed, "Host is none of the public_url of the configuration")))
}

/// Whole segments, the longest match: as the gateway does.
fn route<'a>(routes: &'a [Route], path: &str) -> Option<&'a Route> {
    let takes = |route: &&Route| match path.strip_prefix(route.path.trim_end_matches('/')) {
        Some(rest) => rest.is_empty() || rest.starts_with('/'),
        None => false,
    };
    routes.iter().filter(takes).max_by_key(|route| route.path.len())
}
