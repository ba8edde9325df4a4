use super::*;

/// Not a test of anything: what a use costs alone, and beside others. By hand, in a release build:
/// `cargo test --release -p countersign-store --lib -- --ignored --nocapture what_a_use_costs`
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn what_a_use_costs_alone_and_beside_others() {
    let server = RedisServer::start();
    let node = Node::start(&server).await;
    let memory = |server: &RedisServer| -> u64 {
        let info = server.ask(&["INFO", "memory"]);
        info.split("used_memory:").nth(1).unwrap().lines().next().unwrap().trim().parse().unwrap()
    };
    for at_once in [1, 8, 64, 512] {
        let each = if at_once == 1 { 5_000 } else { 200_000 / at_once };
        let (held, before, begun) = (memory(&server), node.replay.numbers(), Instant::now());
        let tasks: Vec<_> = (0..at_once)
            .map(|_| {
                let replay = Arc::clone(&node.replay);
                tokio::spawn(async move {
                    for _ in 0..each {
                        assert_eq!(replay.first_use(&fresh(), now()).await, Ok(Seen::First));
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        let (took, after) = (begun.elapsed(), node.replay.numbers());
        let uses = after.uses - before.uses;
        println!(
            "{at_once:4} at once: {:6.1} µs per use, {:7.0} uses/s, {:5.1} in one command, {} bytes each",
            took.as_secs_f64() * 1e6 / uses as f64,
            uses as f64 / took.as_secs_f64(),
            uses as f64 / (after.batches - before.batches) as f64,
            memory(&server).saturating_sub(held) / uses,
        );
    }
}
