//! What partners may ask for, counted for all gateways that share the store.

use super::*;

/// So slow that no step of it passes while a test runs.
const SEVEN: Quota = Quota { requests: 7, per: Duration::from_secs(3600) };

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gateways_together_admit_the_rate_and_no_more() {
    let server = RedisServer::start();
    let nodes = [Arc::new(Node::start(&server).await), Arc::new(Node::start(&server).await)];
    let tasks: Vec<_> = (0..60)
        .map(|number| {
            let node = Arc::clone(&nodes[number % 2]);
            tokio::spawn(async move { node.count(Some(&fresh()), "acme", SEVEN).await.unwrap() })
        })
        .collect();
    let mut left = Vec::new();
    for task in tasks {
        let (seen, tally) = task.await.unwrap();
        assert_eq!(seen, Seen::First);
        assert!(tally.reset > Duration::from_secs(500) && tally.reset <= SEVEN.per);
        left.push(tally.wait.is_none().then_some(tally.remaining));
    }
    left.sort_unstable();
    assert_eq!(left[..53], [None; 53]);
    assert_eq!(left[53..], [0, 1, 2, 3, 4, 5, 6].map(Some), "each that passed was told another number");
    // One partner's flood is nobody else's, nor another route's.
    assert_eq!(nodes[0].count(Some(&fresh()), "other", SEVEN).await.unwrap().1.remaining, 6);
}

#[tokio::test]
async fn a_use_and_its_count_are_one_command() {
    let server = RedisServer::start();
    let node = Node::start(&server).await;
    let before = node.replay.numbers();
    for _ in 0..10 {
        node.count(Some(&fresh()), "acme", SEVEN).await.unwrap();
    }
    let after = node.replay.numbers();
    assert_eq!((after.uses - before.uses, after.batches - before.batches), (10, 10));
    let stats = server.ask(&["INFO", "commandstats"]);
    assert!(stats.contains("cmdstat_evalsha:calls=10,"), "{stats}");
}

#[tokio::test]
async fn a_replay_costs_nothing_of_the_rate_and_a_refusal_spends_its_nonce() {
    let server = RedisServer::start();
    let node = Node::start(&server).await;
    let once = fresh();
    assert_eq!(node.count(Some(&once), "acme", SEVEN).await.unwrap().1.remaining, 6);
    let again = Count { route: "/orders", partner: "acme", quota: SEVEN };
    for _ in 0..20 {
        assert_eq!(node.replay.first_use_counted(Some(&once), &again, now()).await, Ok((Seen::Again, None)));
    }
    for remaining in (0..6).rev() {
        // Messages that say nothing of themselves count, too.
        let (_, tally) = node.count(None, "acme", SEVEN).await.unwrap();
        assert_eq!((tally.remaining, tally.wait), (remaining, None));
    }
    let refused = fresh();
    let (seen, tally) = node.count(Some(&refused), "acme", SEVEN).await.unwrap();
    assert_eq!(seen, Seen::First);
    let step = Duration::from_nanos(SEVEN.step());
    assert!(tally.wait.is_some_and(|wait| wait <= step && wait > step.mul_f64(0.9)), "{tally:?}");
    assert_eq!(node.spend(&refused).await, Some(Seen::Again));
}

#[tokio::test]
async fn a_rate_comes_back_evenly_and_its_count_ends_by_itself() {
    let server = RedisServer::start();
    let node = Node::start(&server).await;
    let quota = Quota { requests: 4, per: Duration::from_millis(400) };
    while node.count(None, "acme", quota).await.unwrap().1.wait.is_none() {}
    let wait = node.count(None, "acme", quota).await.unwrap().1.wait.unwrap();
    sleep(wait + Duration::from_millis(2)).await;
    assert_eq!(node.count(None, "acme", quota).await.unwrap().1.wait, None);
    sleep(Duration::from_millis(450)).await;
    assert_eq!(server.ask(&["EXISTS", "countersign:{0}:rate:acme /orders"]), ":0");
    assert_eq!(node.count(None, "acme", quota).await.unwrap().1.remaining, 3);
}

#[tokio::test]
async fn a_lower_rate_after_a_reload_locks_nobody_out() {
    let server = RedisServer::start();
    let node = Node::start(&server).await;
    while node.count(None, "acme", SEVEN).await.unwrap().1.wait.is_none() {}
    let quick = Quota { requests: 10, per: Duration::from_millis(200) };
    assert!(
        node.count(None, "acme", quick).await.unwrap().1.wait.is_some_and(|wait| wait <= Duration::from_millis(20))
    );
    sleep(Duration::from_millis(220)).await;
    assert_eq!(node.count(None, "acme", quick).await.unwrap().1.remaining, 9);
}

#[tokio::test]
async fn rates_at_their_ends_are_counted() {
    let server = RedisServer::start();
    let node = Node::start(&server).await;
    for (partner, requests, per) in [
        ("a", 1, Duration::from_secs(1)),
        ("b", 1_000_000, Duration::from_secs(1)),
        ("c", 4_000_000, Duration::from_secs(1)),
        ("d", u64::MAX, Duration::from_secs(1)),
        ("e", 1, Duration::MAX),
        ("f", 0, Duration::ZERO),
        ("g", 1_000_000_000, Duration::MAX),
    ] {
        let (_, tally) = node.count(Some(&fresh()), partner, Quota { requests, per }).await.unwrap();
        assert_eq!(tally.wait, None, "{partner}");
    }
    assert!(node.count(None, "a", Quota { requests: 1, per: Duration::from_secs(1) }).await.unwrap().1.wait.is_some());
}

/// A store that forgot gives a new burst; what it must not do is let a replay pass, and that is the floor's.
#[tokio::test]
async fn a_store_that_is_down_counts_nothing_and_says_so() {
    let mut server = RedisServer::start();
    let node = Node::start(&server).await;
    server.kill();
    node.until(|| node.replay.missing(now()).is_some(), "noticed").await;
    assert_eq!(node.count(None, "acme", SEVEN).await, None, "counted by nobody, it has to be refused");
    server.restart();
    node.ready().await;
    assert_eq!(node.count(None, "acme", SEVEN).await.unwrap().1.remaining, 6);
}
