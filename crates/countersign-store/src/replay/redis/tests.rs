//! With a real Redis: see `tests/support/redis_server.rs`.

#[path = "../../../tests/support/redis_server.rs"]
mod redis_server;

mod batching;
mod cluster;
mod contract;
mod faults;
mod losses;
mod rates;

use std::time::SystemTime;

use countersign::{Count, Quota, ReplayStore, Seen, Tally, Unavailable, Use, UseMark};

use self::redis_server::RedisServer;
use super::*;
use crate::lock::DataLock;

const SKEW: Duration = Duration::from_secs(30);
const REACH: Reach = Reach { max_skew: crate::replay::Skews::all(Some(SKEW)), max_age: Duration::from_secs(300) };

/// A gateway's end of the store.
struct Node {
    dir: tempfile::TempDir,
    replay: Arc<RedisReplay>,
    _lock: DataLock,
}

impl Node {
    /// A gateway that never ran, once it admits.
    async fn start(server: &RedisServer) -> Self {
        let node = Self::reaching(server, tempfile::tempdir().unwrap(), REACH);
        node.ready().await;
        node
    }

    fn reaching(server: &RedisServer, dir: tempfile::TempDir, reach: Reach) -> Self {
        Self::at(&server.url(), dir, reach)
    }

    fn at(url: &str, dir: tempfile::TempDir, reach: Reach) -> Self {
        let lock = lock(&dir);
        let address = RedisAddress::parse(url).unwrap();
        let replay =
            Arc::new(RedisReplay::follow(address, &lock, ClockMark::open(&lock).unwrap(), reach, now).unwrap());
        Self { dir, replay, _lock: lock }
    }

    /// The same gateway after its own restart.
    async fn restart(self, server: &RedisServer) -> Self {
        let node = Self::reaching(server, self.end(), REACH);
        node.ready().await;
        node
    }

    /// In order, with what it leaves behind.
    fn end(self) -> tempfile::TempDir {
        self.replay.close(now()).unwrap();
        self.dir
    }

    async fn ready(&self) {
        self.replay.ready(Duration::from_secs(10)).await.unwrap();
    }

    /// `None` where it could not be told.
    async fn spend(&self, once: &Use) -> Option<Seen> {
        self.replay.first_use(once, now()).await.ok()
    }

    /// `None` where it could not be told.
    async fn count(&self, once: Option<&Use>, partner: &str, quota: Quota) -> Option<(Seen, Tally)> {
        let count = Count { route: "/orders", partner, quota };
        let (seen, tally) = self.replay.first_use_counted(once, &count, now()).await.ok()?;
        Some((seen, tally?))
    }

    /// Why a use that was never seen can't be told.
    async fn why(&self) -> Unavailable {
        self.replay.first_use(&fresh(), now()).await.unwrap_err()
    }

    /// Until the store says what was lost.
    async fn notices(&self, what: &str) {
        self.until(|| self.replay.missing(now()).is_some_and(|why| why.contains(what)), what).await;
    }

    async fn until(&self, holds: impl Fn() -> bool, what: &str) {
        let end = Instant::now() + Duration::from_secs(10);
        while !holds() {
            assert!(Instant::now() < end, "{what}: {:?}, {:?}", self.replay, self.replay.missing(now()));
            sleep(Duration::from_millis(10)).await;
        }
    }
}

/// A process that another test starts right now holds what we let go until it is itself.
fn lock(dir: &tempfile::TempDir) -> DataLock {
    let end = Instant::now() + Duration::from_secs(5);
    loop {
        match DataLock::acquire(dir.path()) {
            Ok(lock) => return lock,
            Err(error) => assert!(Instant::now() < end, "{error}"),
        }
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap())
}

fn signed(at: Timestamp) -> Use {
    let mut bytes = [0; 32];
    aws_lc_rs::rand::fill(&mut bytes).unwrap();
    Use::new(UseMark::from_bytes(bytes), None, at, at.after(Duration::from_secs(390)))
}

fn fresh() -> Use {
    signed(now())
}
