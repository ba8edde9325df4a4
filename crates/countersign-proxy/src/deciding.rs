use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use countersign::Unavailable;

/// Whether this gateway decides, and what it has not decided yet: before another process decides in its place, it has to have
/// stopped.
#[derive(Default)]
pub(crate) struct Deciding {
    undecided: AtomicUsize,
    over: AtomicBool,
}

/// A request that was not decided yet, a caller who was taken and has not asked yet, or a connection on which one may begin:
/// told to wind down, it hears what is there already, and nothing more. It counts until it is dropped.
pub(crate) struct Undecided(Arc<Deciding>);

impl Deciding {
    /// A caller who was taken, or a connection that listens: a request may come.
    pub(crate) fn expect(self: &Arc<Self>) -> Undecided {
        self.undecided.fetch_add(1, SeqCst);
        Undecided(Arc::clone(self))
    }

    /// A request.
    ///
    /// # Errors
    /// [`Unavailable`] where another process decides by now.
    pub(crate) fn begin(self: &Arc<Self>) -> Result<Undecided, Unavailable> {
        let undecided = self.expect();
        undecided.check()?;
        Ok(undecided)
    }

    /// How many there are.
    pub(crate) fn undecided(&self) -> usize {
        self.undecided.load(SeqCst)
    }

    /// From here on nothing is decided, until it may again.
    pub(crate) fn stop(&self, over: bool) {
        self.over.store(over, SeqCst);
    }
}

impl Undecided {
    /// Asked right before a decision counts.
    ///
    /// # Errors
    /// [`Unavailable`] where another process decides by now.
    pub(crate) fn check(&self) -> Result<(), Unavailable> {
        if self.0.over.load(SeqCst) {
            return Err(Unavailable::new("gateway", "another process is taking over"));
        }
        Ok(())
    }
}

impl Drop for Undecided {
    fn drop(&mut self) {
        self.0.undecided.fetch_sub(1, SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_began_before_is_told_at_its_decision_that_it_came_too_late() {
        let deciding = Arc::new(Deciding::default());
        let (early, caller) = (deciding.begin().unwrap(), deciding.expect());
        assert_eq!(deciding.undecided(), 2);
        drop(caller);
        assert!(early.check().is_ok());
        deciding.stop(true);
        assert!(early.check().is_err() && deciding.begin().is_err());
        drop(early);
        assert_eq!(deciding.undecided(), 0);
        deciding.stop(false);
        assert!(deciding.begin().is_ok());
    }
}
