//! A store that does not answer, or not as it should: nothing passes, and nothing waits for long.

use super::*;

#[tokio::test]
async fn a_store_that_is_down_and_comes_back() {
    let mut server = RedisServer::start();
    server.kill();
    let node = Node::reaching(&server, tempfile::tempdir().unwrap(), REACH);
    assert!(node.replay.ready(Duration::from_millis(300)).await.unwrap_err().contains("refused"));
    let begun = Instant::now();
    let unavailable = node.why().await;
    assert!(begun.elapsed() < Duration::from_millis(100), "it waited for a store that is known to be down");
    assert_eq!((unavailable.what(), unavailable.retry_after()), ("replay store", Some(Duration::from_secs(1))));
    server.restart();
    node.ready().await;
    assert_eq!(node.spend(&fresh()).await, Some(Seen::First));
    assert_eq!(node.replay.floor(), None, "a gateway that never admitted anything lost nothing");
}

#[tokio::test]
async fn a_replay_after_the_answer_was_lost() {
    let server = RedisServer::start();
    let node = Node::start(&server).await;
    let once = fresh();
    server.signal("-STOP");
    let begun = Instant::now();
    let unavailable = node.replay.first_use(&once, now()).await.unwrap_err();
    let took = begun.elapsed();
    assert!(took < Duration::from_millis(1500), "{took:?}");
    assert!(unavailable.detail().contains("may have been spent"), "{unavailable}");
    node.notices("no answer").await;
    server.signal("-CONT");
    node.ready().await;
    // The command was still carried out.
    assert_eq!(node.spend(&once).await, Some(Seen::Again));
    assert_eq!(node.spend(&fresh()).await, Some(Seen::First));
    assert_eq!(node.replay.floor(), None, "the same process with the same memory");
}

#[tokio::test]
async fn a_store_whose_clock_is_off_ours() {
    let server = RedisServer::start();
    for (offset, fine) in [(-40_i64, false), (40, false), (20, true), (-20, true)] {
        let dir = tempfile::tempdir().unwrap();
        let lock = super::lock(&dir);
        let shifted = move || Timestamp::from_millis(now().as_millis() + offset * 1000);
        let address = RedisAddress::parse(&server.url()).unwrap();
        let replay = RedisReplay::follow(address, &lock, ClockMark::open(&lock).unwrap(), REACH, shifted).unwrap();
        let ready = replay.ready(Duration::from_millis(if fine { 5000 } else { 1000 })).await;
        assert_eq!(ready.is_ok(), fine, "{offset}: {ready:?}");
        let seen = replay.first_use(&signed(shifted()), shifted()).await;
        assert_eq!(seen.is_ok(), fine, "{offset}: {seen:?}");
        if !fine {
            assert!(ready.unwrap_err().contains("off ours"));
        }
    }
    // Also the clock of one request.
    let node = Node::start(&server).await;
    let ahead = now().after(Duration::from_secs(40));
    assert!(node.replay.first_use(&signed(ahead), ahead).await.is_err());
    assert_eq!(node.spend(&fresh()).await, Some(Seen::First));
}

#[tokio::test]
async fn a_store_that_is_full_refuses_and_forgets_nothing() {
    let server = RedisServer::start();
    let node = Node::start(&server).await;
    let once = fresh();
    assert_eq!(node.spend(&once).await, Some(Seen::First));
    server.ask(&["CONFIG", "SET", "maxmemory", "1"]);
    assert!(node.why().await.detail().contains("OOM"));
    server.ask(&["CONFIG", "SET", "maxmemory", "0"]);
    node.ready().await;
    node.until(|| node.replay.missing(now()).is_none(), "open again").await;
    assert_eq!((node.spend(&once).await, node.spend(&fresh()).await), (Some(Seen::Again), Some(Seen::First)));
}

#[tokio::test]
async fn a_script_cache_that_was_flushed() {
    let server = RedisServer::start();
    let node = Node::start(&server).await;
    server.ask(&["SCRIPT", "FLUSH"]);
    assert_eq!(node.spend(&fresh()).await, None);
    node.until(|| node.replay.numbers().connects > 1 && node.replay.missing(now()).is_none(), "loaded anew").await;
    assert_eq!(node.spend(&fresh()).await, Some(Seen::First));
    assert_eq!(node.replay.floor(), None);
}

#[tokio::test]
async fn a_password_and_a_database_and_a_wrong_password() {
    let server = RedisServer::with(&["--save", "", "--requirepass", "geheim"]);
    let dir = tempfile::tempdir().unwrap();
    let lock = super::lock(&dir);
    let follow = |url: &str| {
        RedisReplay::follow(RedisAddress::parse(url).unwrap(), &lock, ClockMark::open(&lock).unwrap(), REACH, now)
            .unwrap()
    };
    let right = follow(&format!("redis://:geheim@127.0.0.1:{}/3", server.port));
    right.ready(Duration::from_secs(5)).await.unwrap();
    assert_eq!(right.first_use(&fresh(), now()).await, Ok(Seen::First));
    drop(right);
    for url in ["redis://:verraten@127.0.0.1", "redis://127.0.0.1"] {
        let why = follow(&format!("{url}:{}", server.port)).ready(Duration::from_millis(500)).await.unwrap_err();
        assert!(!why.contains("verraten") && !why.contains("not reached yet"), "{why}");
    }
}

/// The page says which rights are enough.
#[tokio::test]
async fn a_user_with_the_rights_that_docs_operate_names() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operate.md")).unwrap();
    let rights = page.split("A user may be as narrow as `").nth(1).unwrap().split('`').next().unwrap();
    let server = RedisServer::start();
    let mut command = vec!["ACL", "SETUSER", "narrow", "on", ">geheim", "resetkeys", "-@all"];
    command.extend(rights.split_whitespace());
    assert_eq!(server.ask(&command), "+OK");
    let dir = tempfile::tempdir().unwrap();
    let lock = super::lock(&dir);
    let address = RedisAddress::parse(&format!("redis://narrow:geheim@127.0.0.1:{}/1", server.port)).unwrap();
    let replay = RedisReplay::follow(address, &lock, ClockMark::open(&lock).unwrap(), REACH, now).unwrap();
    replay.ready(Duration::from_secs(5)).await.unwrap();
    let both = Use::new(*fresh().first(), Some(*fresh().first()), now(), now().after(MINUTE));
    assert_eq!(replay.first_use(&both, now()).await, Ok(Seen::First));
    assert_eq!(replay.first_use(&both, now()).await, Ok(Seen::Again));
}
