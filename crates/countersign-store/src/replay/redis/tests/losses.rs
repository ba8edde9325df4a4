//! A store that forgot: whatever was admitted before must not pass again.

use countersign::Scheme;

use super::*;
use crate::replay::Skews;

/// Nothing that was signed by now passes; what is signed above the floor does.
async fn nothing_of_before_passes(node: &Node, captured: &Use) {
    nothing_passes_within(SKEW, node, captured).await;
}

async fn nothing_passes_within(skew: Duration, node: &Node, captured: &Use) {
    assert_eq!(node.spend(captured).await, None, "a captured request passed a second time");
    assert_eq!(node.spend(&signed(now().after(skew))).await, None, "signed as far ahead as a sender may");
    node.until(|| node.replay.floor().is_some(), "the loss is noticed").await;
    let floor = node.replay.floor().unwrap();
    let reaches = now().after(skew + Duration::from_secs(31));
    assert!(floor <= reaches && floor > reaches.before(Duration::from_secs(15)), "{floor}");
    let unavailable = node.why().await;
    let left = unavailable.retry_after().unwrap();
    assert!(left > skew && left < skew + Duration::from_secs(32), "{unavailable}, {left:?}");
    let next = signed(floor);
    assert_eq!((node.spend(&next).await, node.spend(&next).await), (Some(Seen::First), Some(Seen::Again)));
}

#[tokio::test]
async fn a_replay_after_flushall() {
    let server = RedisServer::start();
    let (node, idle) = (Node::start(&server).await, Node::start(&server).await);
    let once = fresh();
    assert_eq!(node.spend(&once).await, Some(Seen::First));
    server.ask(&["FLUSHALL"]);
    // At once, not after the next look.
    assert_eq!(node.spend(&once).await, None);
    node.notices("emptied").await;
    nothing_of_before_passes(&node, &once).await;
    assert_eq!(idle.spend(&once).await, None, "at the other gateway");
    // Both know it after their own restarts, and none begins another floor for it.
    let floor = node.replay.floor();
    let (node, idle) = (node.restart(&server).await, idle.restart(&server).await);
    assert_eq!((node.replay.floor(), idle.replay.floor()), (floor, floor));
    assert_eq!(node.spend(&once).await, None);
}

#[tokio::test]
async fn a_replay_after_the_mark_was_deleted() {
    for key in ["token", "mark", "high"] {
        let server = RedisServer::start();
        let node = Node::start(&server).await;
        let once = fresh();
        assert_eq!(node.spend(&once).await, Some(Seen::First));
        assert_eq!(server.ask(&["DEL", &format!("countersign:{{0}}:{key}")]), ":1");
        node.until(|| node.replay.floor().is_some(), key).await;
        nothing_of_before_passes(&node, &once).await;
    }
}

#[tokio::test]
async fn a_replay_after_redis_was_killed_and_came_back_empty() {
    let mut server = RedisServer::start();
    let node = Node::start(&server).await;
    let once = fresh();
    assert_eq!(node.spend(&once).await, Some(Seen::First));
    server.kill();
    assert_eq!(node.spend(&once).await, None);
    assert!(node.replay.missing(now()).is_some());
    server.restart();
    node.ready().await;
    nothing_of_before_passes(&node, &once).await;
}

#[tokio::test]
async fn a_replay_after_redis_came_back_without_the_last_second() {
    let mut server = RedisServer::with(&["--save", "", "--appendonly", "yes", "--appendfsync", "no"]);
    let node = Node::start(&server).await;
    let (kept, lost) = (fresh(), fresh());
    assert_eq!(node.spend(&kept).await, Some(Seen::First));
    server.ask(&["BGREWRITEAOF"]);
    assert_eq!(node.spend(&lost).await, Some(Seen::First));
    server.kill();
    server.restart();
    node.ready().await;
    nothing_of_before_passes(&node, &kept).await;
    nothing_of_before_passes(&node, &lost).await;
}

#[tokio::test]
async fn a_replay_after_redis_forgot_while_no_gateway_ran() {
    let mut server = RedisServer::start();
    let node = Node::start(&server).await;
    let once = fresh();
    assert_eq!(node.spend(&once).await, Some(Seen::First));
    let dir = node.end();
    server.kill();
    server.restart();
    let node = Node::reaching(&server, dir, REACH);
    node.ready().await;
    nothing_of_before_passes(&node, &once).await;
}

#[tokio::test]
async fn a_replay_after_a_gateway_that_never_ran_began_a_memory_in_the_place_of_a_lost_one() {
    let mut server = RedisServer::start();
    let node = Node::start(&server).await;
    let once = fresh();
    assert_eq!(node.spend(&once).await, Some(Seen::First));
    server.kill();
    server.restart();
    let other = Node::start(&server).await;
    assert_eq!(other.spend(&once).await, None, "the one that knows said so before the other admitted");
    nothing_of_before_passes(&node, &once).await;
}

#[tokio::test]
async fn a_replay_after_a_gateway_came_from_a_memory_of_its_own_and_went_back() {
    let server = RedisServer::start();
    let dir = tempfile::tempdir().unwrap();
    let once = fresh();
    let lock = super::lock(&dir);
    let open = || crate::MemoryReplay::open(&lock, 1000, now(), REACH).unwrap();
    let memory = open();
    assert_eq!(memory.first_use(&once, now()).await, Ok(Seen::First));
    memory.close(now()).unwrap();
    drop((memory, lock));
    let node = Node::reaching(&server, dir, REACH);
    node.ready().await;
    // Nobody can tell under which skew it admitted.
    nothing_passes_within(Duration::from_secs(300), &node, &once).await;
    let late = signed(node.replay.floor().unwrap());
    assert_eq!(node.spend(&late).await, Some(Seen::First));
    let dir = node.end();
    let lock = super::lock(&dir);
    let memory = crate::MemoryReplay::open(&lock, 1000, now(), REACH).unwrap();
    assert!(memory.floor().is_some() && memory.first_use(&once, now()).await.is_err());
}

#[tokio::test]
async fn a_replay_after_redis_evicted() {
    let server = RedisServer::start();
    let node = Node::start(&server).await;
    let once = fresh();
    assert_eq!(node.spend(&once).await, Some(Seen::First));
    server.ask(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    node.notices("noeviction").await;
    assert_eq!(node.spend(&fresh()).await, None, "admitted by a store that may evict");
    server.ask(&["CONFIG", "SET", "maxmemory", "1"]);
    server.ask(&["SET", "others", "x"]);
    server.ask(&["CONFIG", "SET", "maxmemory", "0"]);
    server.ask(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    node.ready().await;
    nothing_of_before_passes(&node, &once).await;
}

#[tokio::test]
async fn a_replay_after_keys_were_evicted_between_two_looks() {
    let server = RedisServer::start();
    let node = Node::start(&server).await;
    let once = fresh();
    assert_eq!(node.spend(&once).await, Some(Seen::First));
    // Only what has an end: the mark stays.
    server.ask(&["CONFIG", "SET", "maxmemory", "1", "maxmemory-policy", "volatile-ttl"]);
    server.ask(&["CONFIG", "SET", "maxmemory", "0", "maxmemory-policy", "noeviction"]);
    node.until(|| node.replay.floor().is_some(), "evicted").await;
    nothing_of_before_passes(&node, &once).await;
}

#[tokio::test]
async fn a_replay_after_the_stores_clock_ran_ahead_and_went_back() {
    let server = RedisServer::start();
    let node = Node::start(&server).await;
    let once = fresh();
    assert_eq!(node.spend(&once).await, Some(Seen::First));
    // What a look leaves behind while the clock is an hour ahead.
    let ahead = now().after(Duration::from_secs(3600)).as_millis().to_string();
    server.ask(&["SET", "countersign:{0}:high", &ahead]);
    assert_eq!(node.spend(&once).await, None, "at once");
    node.notices("went back").await;
    nothing_of_before_passes(&node, &once).await;
}

#[tokio::test]
async fn a_replay_after_a_replica_was_promoted_that_lacks_it() {
    let primary = RedisServer::start();
    let replica = RedisServer::start();
    let port = primary.port.to_string();
    let node = Node::start(&primary).await;
    assert_eq!(replica.ask(&["REPLICAOF", "127.0.0.1", &port]), "+OK");
    let synced = || replica.ask(&["INFO", "replication"]).contains("master_link_status:up");
    node.until(synced, "replicated").await;
    node.until(|| replica.ask(&["EXISTS", "countersign:{0}:mark"]) == ":1", "the mark is there").await;
    // The replica hears no more, and is promoted.
    replica.ask(&["REPLICAOF", "NO", "ONE"]);
    let once = fresh();
    assert_eq!(node.spend(&once).await, Some(Seen::First));
    let dir = node.end();
    drop(primary);
    let node = Node::reaching(&replica, dir, REACH);
    node.ready().await;
    nothing_of_before_passes(&node, &once).await;
}

#[tokio::test]
async fn a_replay_after_a_primary_was_demoted_and_came_back_under_an_open_connection() {
    let (server, other) = (RedisServer::start(), RedisServer::start());
    let node = Node::start(&server).await;
    let (theirs, ours) = (other.port.to_string(), server.port.to_string());
    // The other becomes a copy, and then the primary of a copy that lacks what came in between.
    other.ask(&["REPLICAOF", "127.0.0.1", &ours]);
    node.until(|| other.ask(&["EXISTS", "countersign:{0}:mark"]) == ":1", "copied").await;
    other.ask(&["REPLICAOF", "NO", "ONE"]);
    let once = fresh();
    assert_eq!(node.spend(&once).await, Some(Seen::First));
    server.ask(&["REPLICAOF", "127.0.0.1", &theirs]);
    node.notices("primary").await;
    node.until(|| server.ask(&["INFO", "replication"]).contains("master_link_status:up"), "copied back").await;
    server.ask(&["REPLICAOF", "NO", "ONE"]);
    node.ready().await;
    nothing_of_before_passes(&node, &once).await;
}

#[tokio::test]
async fn after_a_loss_a_scheme_with_a_short_skew_does_not_wait_for_one_with_a_long_one() {
    let long = Duration::from_secs(300);
    let max_skew = Skews::each(|scheme| match scheme {
        Scheme::HttpMessageSignatures => Some(SKEW),
        Scheme::TrustedSite => Some(long),
        Scheme::Pki | Scheme::AppHmac => None,
    });
    let server = RedisServer::start();
    let node = Node::reaching(&server, tempfile::tempdir().unwrap(), Reach { max_skew, ..REACH });
    node.ready().await;
    let ahead = signed(now().after(long)).under(Scheme::TrustedSite);
    assert_eq!(node.spend(&ahead).await, Some(Seen::First));
    server.ask(&["FLUSHALL"]);
    node.notices("emptied").await;
    // 31 seconds for clocks that differ, then each its own.
    let (short, later) = (now().after(SKEW + Duration::from_secs(31)), now().after(long + Duration::from_secs(31)));
    assert_eq!(node.spend(&signed(short)).await, Some(Seen::First));
    assert_eq!(node.spend(&signed(short).under(Scheme::TrustedSite)).await, None);
    assert_eq!(node.spend(&ahead).await, None, "what was admitted before, signed as far ahead as it may be");
    assert_eq!(node.spend(&signed(later).under(Scheme::TrustedSite)).await, Some(Seen::First));
    assert_eq!(node.replay.missing(short), None, "most of what callers sign passes by then");
    assert!(
        node.replay
            .floor()
            .is_some_and(|floor| floor > short.after(Duration::from_secs(270)).before(Duration::from_secs(15)))
    );
    // Whoever comes later has the same floors.
    let node = Node::reaching(&server, node.end(), Reach { max_skew, ..REACH });
    node.ready().await;
    assert_eq!(node.spend(&signed(short)).await, Some(Seen::First));
    assert_eq!(node.spend(&ahead).await, None);
}

#[tokio::test]
async fn a_replay_after_flushall_in_a_scheme_that_only_another_gateway_took_and_a_reload_adds() {
    let of = |sites| {
        let of = |scheme| match scheme {
            Scheme::HttpMessageSignatures => Some(SKEW),
            Scheme::TrustedSite => sites,
            Scheme::Pki | Scheme::AppHmac => None,
        };
        Reach { max_skew: Skews::each(of), ..REACH }
    };
    let (with, without) = (of(Some(Duration::from_secs(300))), of(None));
    let server = RedisServer::start();
    let node = Node::reaching(&server, tempfile::tempdir().unwrap(), without);
    node.ready().await;
    let dir = node.end();
    let other = Node::reaching(&server, tempfile::tempdir().unwrap(), with);
    other.ready().await;
    let once = signed(now().after(Duration::from_secs(200))).under(Scheme::TrustedSite);
    assert_eq!(other.spend(&once).await, Some(Seen::First));
    other.end();
    server.ask(&["FLUSHALL"]);
    let node = Node::reaching(&server, dir, without);
    node.ready().await;
    assert!(node.replay.raise(with).await.is_ok());
    assert_eq!(node.spend(&once).await, None);
}
