use super::*;
use crate::suite;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn keeps_the_contract() {
    let server = RedisServer::start();
    let node = Node::start(&server).await;
    suite::first_then_again(&*node.replay, now()).await;
    suite::two_marks_together(&*node.replay, now()).await;
    for _ in 0..20 {
        suite::one_of_a_thousand_at_once(node.replay.clone(), now()).await;
    }
    let numbers = node.replay.numbers();
    assert!(numbers.batches * 4 < numbers.uses, "what waits is sent together: {numbers:?}");
}

#[tokio::test]
async fn a_use_is_known_until_its_end_and_not_for_ever() {
    let server = RedisServer::start();
    let node = Node::start(&server).await;
    // Signed so long ago that the window of all gateways, and the minute, end in two seconds.
    let window = REACH.max_age + SKEW + MINUTE;
    let begun = now();
    let at = begun.before(window).after(Duration::from_secs(2));
    let once = Use::new(*fresh().first(), None, at, at);
    assert_eq!(node.spend(&once).await, Some(Seen::First));
    while now() < begun.after(Duration::from_millis(1900)) {
        assert_eq!(node.spend(&once).await, Some(Seen::Again));
        sleep(Duration::from_millis(100)).await;
    }
    node.until(|| server.ask(&["DBSIZE"]) == ":3", "only the mark is left").await;
    assert_eq!(node.spend(&once).await, None, "what could be used until then is forgotten");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_copies_of_a_request_race_at_two_gateways() {
    let server = RedisServer::start();
    let (one, other) = (Node::start(&server).await, Node::start(&server).await);
    for _ in 0..10 {
        let once = fresh();
        let copies = (0..1000).map(|number| {
            let replay = Arc::clone(if number % 2 == 0 { &one.replay } else { &other.replay });
            tokio::spawn(async move { replay.first_use(&once, now()).await })
        });
        let mut firsts = 0;
        for copy in copies.collect::<Vec<_>>() {
            firsts += usize::from(copy.await.unwrap() == Ok(Seen::First));
        }
        assert_eq!(firsts, 1);
    }
}

#[tokio::test]
async fn a_replay_at_another_gateway_and_after_restarts_of_both() {
    let server = RedisServer::start();
    let (one, other) = (Node::start(&server).await, Node::start(&server).await);
    let once = fresh();
    assert_eq!(one.spend(&once).await, Some(Seen::First));
    assert_eq!(other.spend(&once).await, Some(Seen::Again));
    let (one, other) = (one.restart(&server).await, other.restart(&server).await);
    assert_eq!((one.spend(&once).await, other.spend(&once).await), (Some(Seen::Again), Some(Seen::Again)));
    assert_eq!((one.replay.floor(), one.replay.missing(now())), (None, None), "a gateway's restart forgets nothing");
    one.replay.close(now()).unwrap();
    assert_eq!(one.spend(&fresh()).await, None, "admitted while it ended");
}

#[tokio::test]
async fn a_replay_after_another_gateway_came_with_a_longer_age() {
    let server = RedisServer::start();
    let short = Node::start(&server).await;
    let old = now().before(Duration::from_secs(400));
    let hour = Reach { max_age: Duration::from_secs(3600), ..REACH };
    let long = Node::reaching(&server, tempfile::tempdir().unwrap(), hour);
    long.ready().await;
    // What was signed long before may have been admitted, and forgotten, under the shorter age.
    assert!(long.replay.first_use(&signed(old), now()).await.unwrap_err().detail().contains("shorter age"));
    let [raised] = long.replay.raised()[..] else { panic!("{:?}", long.replay.raised()) };
    assert_eq!(raised.max_age, REACH.max_age);
    assert!(raised.before > now().after(SKEW) && raised.before < now().after(Duration::from_secs(90)));
    // From now on the gateway with the shorter age remembers as long as the other could admit again.
    let once = fresh();
    assert_eq!(short.spend(&once).await, Some(Seen::First));
    let lives = longest_life(&server);
    assert!(lives > 3_600_000, "it lives for {lives} ms");
    assert_eq!(short.replay.raise(hour).await.unwrap(), [raised]);
    // A reload that raises it further is told before it admits anything.
    let day = Reach { max_age: Duration::from_secs(86_400), ..REACH };
    assert_eq!(short.replay.raise(day).await.unwrap().len(), 2);
}

/// Of any key, in milliseconds.
fn longest_life(server: &RedisServer) -> i64 {
    let script = "local most = 0 for _, key in ipairs(redis.call('KEYS', '*')) do most = math.max(most, redis.call('PTTL', key)) end return most";
    server.ask(&["EVAL", script, "0"]).trim_start_matches(':').parse().unwrap()
}

#[tokio::test]
async fn a_use_kept_for_ages_is_a_slip_of_ours() {
    let server = RedisServer::start();
    let node = Node::start(&server).await;
    let far = Use::new(*fresh().first(), None, now(), Timestamp::from_millis(i64::MAX));
    assert_eq!(node.spend(&far).await, None);
    assert_eq!(node.spend(&fresh()).await, Some(Seen::First));
}
