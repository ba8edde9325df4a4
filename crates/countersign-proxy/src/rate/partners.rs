use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use countersign::{Quota, Tally};

use super::{Cell, Standing};

/// What each partner asked of one route. As many numbers as partners have been here, and only those with a key that holds get
/// one.
#[derive(Debug, Default)]
pub(crate) struct PartnerRates(RwLock<HashMap<String, Cell>>);

impl PartnerRates {
    /// Counts a request that a partner was proved to have made, unless whoever shares our memory counted it: `tally`.
    pub(crate) fn take(&self, partner: &str, quota: Quota, tally: Option<Tally>, now: Duration) -> Standing {
        if let Some(tally) = tally {
            return Standing { name: NAME, quota, tally };
        }
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(cell) = known.get(partner) {
            return cell.take(NAME, quota, now);
        }
        drop(known);
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        all.entry(partner.to_owned()).or_default().take(NAME, quota, now)
    }
}

const NAME: &str = "partner";
