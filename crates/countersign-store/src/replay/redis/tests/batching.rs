use super::*;

/// What waits goes to the store together: alone a use is a command, beside others it shares one. What that comes to in time
/// is printed, for `--nocapture`; nothing here depends on it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn uses_that_wait_at_the_same_time_share_a_command() {
    let server = RedisServer::start();
    let node = Node::start(&server).await;
    for at_once in [1, 64] {
        let (before, begun) = (node.replay.numbers(), Instant::now());
        let tasks: Vec<_> = (0..at_once)
            .map(|_| {
                let replay = Arc::clone(&node.replay);
                tokio::spawn(async move {
                    for _ in 0..EACH {
                        assert_eq!(replay.first_use(&fresh(), now()).await, Ok(Seen::First));
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        let (took, after) = (begun.elapsed(), node.replay.numbers());
        let (uses, commands) = (after.uses - before.uses, after.batches - before.batches);
        assert_eq!(uses, at_once * EACH);
        println!(
            "{at_once:2} at once: {:.1} µs per use, {uses} uses in {commands} commands",
            took.as_secs_f64() * 1e6 / uses as f64
        );
        match at_once {
            1 => assert_eq!(commands, uses),
            _ => assert!(commands * 4 < uses, "{uses} uses took {commands} commands"),
        }
    }
}

/// Uses of each task.
const EACH: u64 = 100;
