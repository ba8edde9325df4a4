//! Secrets that stand in a registry more than once. What no two requests may share under a key, they may not share under a
//! secret: whichever id it stands under, it is the same MAC.

use std::collections::HashMap;
use std::sync::Arc;

use crate::algorithm::Scheme;
use crate::key::VerifyingKey;
use crate::time::Timestamp;

/// The `app-hmac` keys of a snapshot by their material.
#[derive(Default)]
pub(crate) struct SameSecret(HashMap<[u8; 32], Vec<Arc<VerifyingKey>>>);

impl SameSecret {
    /// Takes in a key of any scheme.
    pub(crate) fn note(&mut self, key: &Arc<VerifyingKey>) {
        if key.record().scheme == Scheme::AppHmac {
            self.0.entry(*key.fingerprint()).or_default().push(Arc::clone(key));
        }
    }

    /// Whether the secret of `key` is usable in another form, too: it would sign two grammars.
    pub(crate) fn has_another_form(&self, key: &VerifyingKey, now: Timestamp) -> bool {
        self.of(key).iter().any(|other| other.usable(now) && other.record().form != key.record().form)
    }

    /// From when on and until when the secret of `key` verifies, wherever it stands; `None` where there is no bound.
    pub(crate) fn validity(&self, key: &VerifyingKey) -> (Option<Timestamp>, Option<Timestamp>) {
        let records = || self.of(key).iter().map(|key| key.record());
        let from = records().map(|record| record.not_before).min().flatten();
        let until: Option<Vec<_>> = records().map(|record| record.not_after).collect();
        (from, until.and_then(|ends| ends.into_iter().max()))
    }

    fn of(&self, key: &VerifyingKey) -> &[Arc<VerifyingKey>] {
        self.0.get(key.fingerprint()).map_or(&[], Vec::as_slice)
    }
}
