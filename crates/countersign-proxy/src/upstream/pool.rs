use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use http::Version;
use tokio::time::{Instant, sleep};

use super::destination::Destination;
use super::http1::Http1;
use super::http2::Http2;
use crate::settings::Limits;
use crate::turn;

/// Unused connections, by address. Each worker has its own: the lock is never waited for.
#[derive(Clone, Default)]
pub(crate) struct Pool(Arc<Mutex<Places>>);

#[derive(Default)]
struct Places {
    /// Upstreams are few: comparing names takes less than hashing one.
    unused: BTreeMap<Arc<str>, Vec<Unused>>,
    /// Whether somebody looks after them.
    watched: bool,
}

struct Unused {
    lease: Lease,
    since: Instant,
}

/// A connection on loan for one exchange. It goes back by [`Lease::give_back`], after a whole response; dropped on any other
/// way, it is closed, so that nothing of one exchange is ever read as part of another. One of HTTP/2 stays in the pool
/// meanwhile, since its exchanges are told apart by the protocol.
pub(crate) struct Lease {
    pub(super) connection: Connection,
    /// As who we began it, see [`Destination::identity`].
    identity: u64,
    home: Pool,
    to: Arc<str>,
    most: usize,
    longest: Duration,
}

/// How it is spoken on.
pub(super) enum Connection {
    /// One exchange at a time.
    Http1(Box<Http1>),
    /// Exchanges beside each other.
    Http2(Http2),
}

impl Pool {
    /// The connection that was used last, if there is one that is open and younger than `longest`.
    pub(super) fn take(&self, to: &Destination, longest: Duration) -> Option<Lease> {
        let mut places = self.lock();
        let unused = places.unused.get_mut(to.name())?;
        while let Some(Unused { mut lease, since }) = unused.pop() {
            if turn::now().duration_since(since) > longest {
                // The others are older still.
                unused.clear();
                return None;
            }
            if lease.is_open() && lease.identity == to.identity() {
                unused.extend(lease.shared().map(Unused::new));
                return Some(lease);
            }
        }
        None
    }

    /// A new connection.
    pub(super) async fn connect(&self, to: &Destination, limits: &Limits) -> io::Result<Lease> {
        let identity = to.identity();
        let (stream, version) = to.connect().await?;
        let connection = match version {
            Version::HTTP_2 => Connection::Http2(Http2::begin(stream, to.is_https()).await?),
            _ => Connection::Http1(Box::new(Http1::new(stream))),
        };
        let Limits { max_idle_upstream: most, idle_upstream: longest, .. } = *limits;
        let lease = Lease { connection, identity, home: self.clone(), to: to.name().into(), most, longest };
        if let Some(shared) = lease.shared().filter(|_| most > 0) {
            // One is enough; what is under way on another ends there.
            self.lock().unused.insert(Arc::clone(&lease.to), vec![Unused::new(shared)]);
            self.look_after();
        }
        Ok(lease)
    }

    /// Sees to it that unused connections end in time, also where nobody asks for one any more.
    fn look_after(&self) {
        if !std::mem::replace(&mut self.lock().watched, true) {
            tokio::spawn(sweep(Arc::downgrade(&self.0)));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Places> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Drops connections that are unused for too long, or were closed by the other side, until none is left.
async fn sweep(places: Weak<Mutex<Places>>) {
    loop {
        sleep(SWEEP).await;
        let Some(places) = places.upgrade().map(Pool) else { return };
        let mut places = places.lock();
        for unused in places.unused.values_mut() {
            unused.retain_mut(|unused| unused.since.elapsed() <= unused.lease.longest && unused.lease.is_open());
        }
        if places.unused.values().all(Vec::is_empty) {
            places.watched = false;
            return;
        }
    }
}

const SWEEP: Duration = Duration::from_secs(1);

impl Unused {
    fn new(lease: Lease) -> Self {
        Self { lease, since: turn::now() }
    }
}

impl Lease {
    /// Whether another exchange may begin. Of one that did not end its last in order, or on which something was heard since,
    /// nobody knows whose the next answer would be.
    fn is_open(&mut self) -> bool {
        match &mut self.connection {
            Connection::Http1(connection) => connection.is_silent(),
            Connection::Http2(connection) => connection.is_ready(),
        }
    }

    /// The same connection for another exchange, where they go beside each other.
    fn shared(&self) -> Option<Self> {
        let Connection::Http2(connection) = &self.connection else { return None };
        Some(Self {
            connection: Connection::Http2(connection.clone()),
            identity: self.identity,
            home: self.home.clone(),
            to: Arc::clone(&self.to),
            most: self.most,
            longest: self.longest,
        })
    }

    /// Puts the connection back after a whole response.
    pub(super) fn give_back(self) {
        let reusable = matches!(&self.connection, Connection::Http1(connection) if connection.is_reusable());
        if !reusable || self.most == 0 {
            return;
        }
        let home = self.home.clone();
        let watched = {
            let mut places = home.lock();
            let unused = match places.unused.get_mut(&self.to) {
                Some(unused) => unused,
                None => places.unused.entry(Arc::clone(&self.to)).or_default(),
            };
            if unused.len() >= self.most {
                unused.remove(0);
            }
            unused.push(Unused::new(self));
            places.watched
        };
        if !watched {
            home.look_after();
        }
    }
}

#[cfg(test)]
mod tests {
    use countersign::Origin;
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;
    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn an_unused_connection_is_closed_in_time_or_once_the_other_side_closes_it_though_nobody_asks_for_one() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = Origin::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let to = Destination::new(&origin, || Err("not asked for".to_owned())).unwrap();
        let pool = Pool::default();
        for (longest, closes) in [(Duration::from_millis(10), false), (Duration::from_secs(3600), true)] {
            let limits = Limits { idle_upstream: longest, ..Limits::default() };
            let lease = pool.connect(&to, &limits).await.unwrap();
            let (mut far, _) = listener.accept().await.unwrap();
            lease.give_back();
            assert!(pool.lock().watched);
            if closes {
                drop(far);
            } else {
                assert_eq!(timeout(SWEEP * 5, far.read(&mut [0])).await.unwrap().unwrap(), 0);
            }
            timeout(SWEEP * 5, async {
                while pool.lock().watched {
                    sleep(Duration::from_millis(10)).await;
                }
            })
            .await
            .unwrap();
            assert!(pool.lock().unused.values().all(Vec::is_empty));
        }
    }

    #[tokio::test]
    async fn of_unused_connections_the_last_is_taken_first_and_the_oldest_gives_way() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = Origin::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let to = Destination::new(&origin, || Err("not asked for".to_owned())).unwrap();
        let (pool, limits) = (Pool::default(), Limits { max_idle_upstream: 2, ..Limits::default() });
        let (mut leases, mut far) = (Vec::new(), Vec::new());
        for _ in 0..3 {
            leases.push(pool.connect(&to, &limits).await.unwrap());
            far.push(listener.accept().await.unwrap().0);
        }
        leases.into_iter().for_each(Lease::give_back);
        assert_eq!(timeout(SWEEP, far[0].read(&mut [0])).await.unwrap().unwrap(), 0);
        drop(pool.take(&to, limits.idle_upstream).unwrap());
        assert_eq!(timeout(SWEEP, far[2].read(&mut [0])).await.unwrap().unwrap(), 0);
        assert!(pool.take(&to, Duration::ZERO).is_none() && pool.take(&to, limits.idle_upstream).is_none());
    }
}
