use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;

use super::destination::Destination;
use super::wire::Wire;
use crate::sent::Sent;

/// Unused connections, by address. Each worker has its own: the lock is never waited for.
#[derive(Clone, Default)]
pub(crate) struct Pool(Arc<Mutex<HashMap<String, Vec<Unused>>>>);

struct Unused {
    lease: Lease,
    since: Instant,
}

/// A connection on loan for one exchange. It goes back by [`Lease::give_back`], after a whole response; dropped on any other
/// way, it is closed, so that nothing of one exchange is ever read as part of another.
pub(crate) struct Lease {
    pub(super) sender: SendRequest<Sent>,
    heard: Arc<AtomicU64>,
    home: Pool,
    to: String,
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
            if lease.sender.is_ready() {
                return Some(lease);
            }
        }
        None
    }

    /// A new connection.
    pub(super) async fn connect(&self, to: &Destination, most: usize) -> io::Result<Lease> {
        let (wire, heard) = Wire::new(to.connect().await?);
        let (sender, connection) = http1::handshake(TokioIo::new(wire)).await.map_err(io::Error::other)?;
        // It ends when the sender is dropped; its errors are told to the exchange at hand.
        tokio::spawn(async move { drop(connection.await) });
        Ok(Lease { sender, heard, home: self.clone(), to: to.name().to_owned(), most })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Vec<Unused>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease {
    /// Bytes heard on the connection.
    pub(super) fn heard(&self) -> u64 {
        self.heard.load(Relaxed)
    }

    /// Puts the connection back after a whole response.
    pub(super) fn give_back(self) {
        if self.sender.is_closed() {
            return;
        }
        let home = self.home.clone();
        let mut places = home.lock();
        let unused = places.entry(self.to.clone()).or_default();
        if unused.len() >= self.most && !unused.is_empty() {
            unused.remove(0);
        }
        if self.most > 0 {
            unused.push(Unused { lease: self, since: Instant::now() });
        }
    }
}
