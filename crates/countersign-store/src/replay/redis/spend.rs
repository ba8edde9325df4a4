use countersign::{BoxFuture, Count, ReplayStore, Seen, Tally, Timestamp, Unavailable, Use};
use tokio::sync::{mpsc::error::TrySendError, oneshot};

use super::RedisReplay;
use super::part::{Counting, Job, State, Told};
use super::reply::unavailable;

impl RedisReplay {
    /// Spends a use, counts a request, or both: in one command wherever both lie in one part.
    async fn spend(&self, once: Option<&Use>, count: Option<Counting>, now: Timestamp) -> Told {
        let parts = self.shared.parts.len();
        let counts = count.as_ref().map(|count| count.part(parts));
        let Some(once) = once else {
            return self.send(counts.unwrap_or(0), None, count, now).await;
        };
        // All uses that may share a mark lie in one part, and so in one slot of a cluster.
        let part = usize::from(once.group()) % parts;
        match counts {
            // A partner may have several keys, whose uses lie elsewhere than what is counted of it.
            Some(other) if other != part => match self.send(part, Some(*once), None, now).await? {
                (Seen::First, _) => self.send(other, None, count, now).await,
                again => Ok(again),
            },
            _ => self.send(part, Some(*once), count, now).await,
        }
    }

    async fn send(&self, part: usize, once: Option<Use>, count: Option<Counting>, now: Timestamp) -> Told {
        let queue = match &**self.shared.parts[part].state.load() {
            State::Open(open) => open.queue.clone(),
            State::Closed(why) => return Err(unavailable(why)),
        };
        let (answer, answered) = oneshot::channel();
        let job = Job { part, once, count, now, again: false, answer };
        queue.try_send(job).map_err(|fault| match fault {
            TrySendError::Full(_) => unavailable("too many requests wait for it"),
            TrySendError::Closed(_) => unavailable("it was lost a moment ago"),
        })?;
        answered.await.unwrap_or_else(|_| Err(unavailable("no answer: the use may have been spent")))
    }
}

impl ReplayStore for RedisReplay {
    fn first_use<'a>(&'a self, once: &'a Use, now: Timestamp) -> BoxFuture<'a, Result<Seen, Unavailable>> {
        Box::pin(async move { Ok(self.spend(Some(once), None, now).await?.0) })
    }

    fn admits(&self, now: Timestamp) -> Option<bool> {
        Some(self.missing(now).is_none())
    }

    fn first_use_counted<'a>(
        &'a self,
        once: Option<&'a Use>,
        count: &'a Count<'a>,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<(Seen, Option<Tally>), Unavailable>> {
        Box::pin(self.spend(once, Some(Counting::of(count)), now))
    }
}
