use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use super::destination::Destination;
use super::sender::Sender;
use super::wire::Wire;
use crate::spool::SpoolFile;

/// Unused connections, by address. Each worker has its own: the lock is never waited for.
#[derive(Clone, Default)]
pub(crate) struct Pool(Arc<Mutex<Places>>);

/// Upstreams are few: comparing names takes less than hashing one.
type Places = BTreeMap<Arc<str>, Vec<Unused>>;

struct Unused {
    lease: Lease,
    since: Instant,
}

/// A connection on loan for one exchange. It goes back by [`Lease::give_back`], after a whole response; dropped on any other
/// way, it is closed, so that nothing of one exchange is ever read as part of another. One of HTTP/2 stays in the pool
/// meanwhile, since its exchanges are told apart by the protocol.
pub(crate) struct Lease {
    pub(super) sender: Sender,
    /// The file of a request's body: that is there as long as not all of it was sent.
    pub(super) unsent: Option<Weak<SpoolFile>>,
    heard: Arc<AtomicU64>,
    /// As who we began it, see [`Destination::identity`].
    identity: u64,
    home: Pool,
    to: Arc<str>,
    most: usize,
}

impl Pool {
    /// The connection that was used last, if there is one that is open and younger than `longest`.
    pub(super) fn take(&self, to: &Destination, longest: Duration) -> Option<Lease> {
        let mut places = self.lock();
        let unused = places.get_mut(to.name())?;
        while let Some(Unused { lease, since }) = unused.pop() {
            if since.elapsed() > longest {
                // The others are older still.
                unused.clear();
                return None;
            }
            // One that is not ready did not end its last exchange in order.
            if lease.sender.is_ready() && lease.identity == to.identity() {
                unused.extend(lease.shared().map(Unused::new));
                return Some(lease);
            }
        }
        None
    }

    /// A new connection.
    pub(super) async fn connect(&self, to: &Destination, most: usize) -> io::Result<Lease> {
        let identity = to.identity();
        let (stream, version) = to.connect().await?;
        let (wire, heard) = Wire::new(stream);
        let sender = Sender::begin(wire, version, to.is_https()).await?;
        let lease = Lease { sender, unsent: None, heard, identity, home: self.clone(), to: to.name().into(), most };
        if let Some(shared) = lease.shared().filter(|_| most > 0) {
            // One is enough; what is under way on another ends there.
            self.lock().insert(Arc::clone(&lease.to), vec![Unused::new(shared)]);
        }
        Ok(lease)
    }

    fn lock(&self) -> MutexGuard<'_, Places> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Unused {
    fn new(lease: Lease) -> Self {
        Self { lease, since: Instant::now() }
    }
}

impl Lease {
    /// Bytes heard on the connection, where they can only belong to the exchange at hand.
    pub(super) fn heard(&self) -> u64 {
        // Beside each other, what was heard says nothing of one exchange: an error before its answer is all there is.
        if self.sender.is_shared() { 0 } else { self.heard.load(Relaxed) }
    }

    /// The same connection for another exchange, where they go beside each other.
    fn shared(&self) -> Option<Self> {
        let Self { heard, identity, home, to, most, .. } = self;
        let sender = self.sender.shared()?;
        let heard = Arc::clone(heard);
        Some(Self {
            sender,
            unsent: None,
            heard,
            identity: *identity,
            home: home.clone(),
            to: Arc::clone(to),
            most: *most,
        })
    }

    /// Puts the connection back after a whole response.
    pub(super) fn give_back(mut self) {
        // An upstream may answer before it has read all. What it leaves is not sent on for ever.
        let unsent = self.unsent.take().is_some_and(|file| file.strong_count() > 0);
        if unsent || self.sender.is_shared() || self.sender.is_closed() {
            return;
        }
        let home = self.home.clone();
        let mut places = home.lock();
        let unused = places.entry(Arc::clone(&self.to)).or_default();
        if unused.len() >= self.most && !unused.is_empty() {
            unused.remove(0);
        }
        if self.most > 0 {
            unused.push(Unused::new(self));
        }
    }
}
