//! The keys that user tokens are signed with: how one is made, and how it gives way.

use std::time::Duration;

use countersign::{Timestamp, TokenAlgorithm};
use countersign_store::Registry;
use countersign_store::registry::{Overlap, OwnKeyAdd, OwnUse};

use crate::config::Token;
use crate::exit::Failure;
use crate::output;
use crate::place::Place;
use crate::wire;

/// What the configuration says of tokens, which it has to.
pub(crate) fn settings(place: &Place) -> Result<&Token, Failure> {
    let missing =
        || Failure::usage("the configuration has no [token]: there are no user tokens").hint("countersign lint");
    place.config.token.as_ref().ok_or_else(missing)
}

/// A new pair.
pub(crate) fn new_key(token: &Token) -> Result<OwnKeyAdd, Failure> {
    let algorithm: TokenAlgorithm = wire::known(token.algorithm.as_str())?;
    Ok(OwnKeyAdd { usage: OwnUse::Token, algorithm: algorithm.to_string(), pair: algorithm.generate()? })
}

/// A key signs once nobody can go by a set without it, and verifies until its last token has ended.
pub(crate) fn overlap(token: &Token) -> Overlap {
    Overlap { lead: PUBLISHED + NOTICED, tail: token.lifetime + SKEW }
}

/// Makes the first key, or the first of another algorithm.
pub(crate) async fn ensure(registry: &Registry, token: &Token, now: Timestamp) -> Result<(), Failure> {
    let keys = registry.own_keys(OwnUse::Token).await?;
    let Some(last) = keys.iter().find(|key| key.superseded.is_none() && key.revoked.is_none()) else {
        registry.add_own_key(&new_key(token)?, now).await?;
        return Ok(());
    };
    if last.algorithm != token.algorithm.as_str() {
        let next = registry.rotate_own_key(&new_key(token)?, overlap(token), now).await?;
        output::note!("user tokens are signed with {} from {} on", next.algorithm, next.not_before);
    }
    Ok(())
}

/// `max-age` of the published set.
const PUBLISHED: Duration = Duration::from_secs(300);
/// Until every gateway has seen a change of the registry.
const NOTICED: Duration = Duration::from_secs(1);
/// How far the clocks of two gateways may differ.
const SKEW: Duration = Duration::from_secs(30);
