use countersign::{Basis, Unavailable};

use crate::handles::Used;
use crate::log::Entry;
use crate::spool::Held;
use crate::trace::TraceId;

/// Puts decisions on record. Before there is evidence, that is the log.
#[derive(Default)]
pub(crate) struct Recorder {
    used: Option<Used>,
}

/// On record: the only thing that goes upstream.
#[must_use = "a recorded request is still to be forwarded"]
pub(crate) struct Recorded {
    basis: Basis<Held>,
    trace: TraceId,
}

impl Recorder {
    pub(crate) fn new(used: Option<Used>) -> Self {
        Self { used }
    }

    /// Records why a request is forwarded.
    ///
    /// # Errors
    /// [`Unavailable`] where it can't be put on record: then it was not decided, and is not forwarded.
    #[allow(clippy::unused_async)] // evidence waits for its batch
    pub(crate) async fn record(&self, basis: Basis<Held>, entry: &mut Entry) -> Result<Recorded, Unavailable> {
        let undecided = entry.undecided.take();
        if let Some(undecided) = &undecided {
            undecided.check()?;
        }
        if let Some(identity) = basis.identity()
            && entry.identity.is_none()
        {
            entry.identity = Some(identity.clone());
        }
        entry.token = basis.token().map(|token| (token.user().to_owned(), token.id().to_owned()));
        match (entry.take_place(), &basis) {
            // What is only observed goes on without.
            (Err(_), Basis::Observed(..)) | (Ok(()), _) => {}
            (Err(unavailable), _) => return Err(unavailable),
        }
        if let (Some(used), Some(identity)) = (&self.used, basis.identity()) {
            used(identity, entry.time);
        }
        if let Basis::Observed(_, outcome) = &basis {
            entry.observe(&outcome.refusal);
        }
        Ok(Recorded { basis, trace: entry.trace })
    }
}

impl Recorded {
    pub(crate) fn into_parts(self) -> (Basis<Held>, TraceId) {
        (self.basis, self.trace)
    }
}
