//! Three primaries of a Redis Cluster.

use super::*;
use crate::suite;

/// Starts three, which share the slots.
async fn three() -> [RedisServer; 3] {
    let arguments = [
        "--save",
        "",
        "--cluster-enabled",
        "yes",
        "--cluster-node-timeout",
        "1000",
        "--cluster-require-full-coverage",
        "no",
    ];
    let servers = [(); 3].map(|()| RedisServer::with(&arguments));
    for (server, slots) in servers.iter().zip([["0", "5460"], ["5461", "10922"], ["10923", "16383"]]) {
        assert_eq!(server.ask(&["CLUSTER", "ADDSLOTSRANGE", slots[0], slots[1]]), "+OK");
        assert_eq!(server.ask(&["CLUSTER", "MEET", "127.0.0.1", &servers[0].port.to_string()]), "+OK");
    }
    let formed = |server: &RedisServer| {
        let info = server.ask(&["CLUSTER", "INFO"]);
        info.contains("cluster_state:ok") && info.contains("cluster_slots_ok:16384")
    };
    let end = Instant::now() + Duration::from_secs(20);
    while !servers.iter().all(formed) {
        assert!(Instant::now() < end, "{}", servers[0].ask(&["CLUSTER", "INFO"]));
        sleep(Duration::from_millis(50)).await;
    }
    servers
}

async fn node(servers: &[RedisServer; 3]) -> Node {
    let url = format!("redis+cluster://127.0.0.1:{},127.0.0.1:{}", servers[1].port, servers[2].port);
    let node = Node::at(&url, tempfile::tempdir().unwrap(), REACH);
    node.ready().await;
    node
}

fn of_every_part() -> Vec<Use> {
    (0..32).map(|group| fresh().in_group(group)).collect()
}

async fn spend_all(node: &Node, uses: &[Use]) -> Vec<Option<Seen>> {
    let mut seen = Vec::new();
    for once in uses {
        seen.push(node.spend(once).await);
    }
    seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_cluster_keeps_the_contract() {
    let servers = three().await;
    let node = node(&servers).await;
    suite::first_then_again(&*node.replay, now()).await;
    suite::two_marks_together(&*node.replay, now()).await;
    for _ in 0..5 {
        suite::one_of_a_thousand_at_once(node.replay.clone(), now()).await;
    }
    let uses = of_every_part();
    assert_eq!(spend_all(&node, &uses).await, vec![Some(Seen::First); 32]);
    assert_eq!(spend_all(&node, &uses).await, vec![Some(Seen::Again); 32]);
    for server in &servers {
        let keys: usize = server.ask(&["DBSIZE"]).trim_start_matches(':').parse().unwrap();
        assert!(keys >= 12, "{keys}: a part of the store lies on each");
    }
}

#[tokio::test]
async fn a_replay_after_a_primary_of_a_cluster_came_back_empty() {
    let mut servers = three().await;
    let node = node(&servers).await;
    let uses = of_every_part();
    assert_eq!(spend_all(&node, &uses).await, vec![Some(Seen::First); 32]);
    servers[2].kill();
    node.until(|| node.replay.missing(now()).is_some(), "noticed").await;
    let seen = spend_all(&node, &uses).await;
    assert!(seen.contains(&None) && seen.contains(&Some(Seen::Again)), "the others go on: {seen:?}");
    assert!(!seen.contains(&Some(Seen::First)), "{seen:?}");
    servers[2].restart();
    node.ready().await;
    let seen = spend_all(&node, &uses).await;
    assert!(!seen.contains(&Some(Seen::First)), "a captured request passed a second time: {seen:?}");
    assert!(node.replay.floor().is_some());
}

#[tokio::test]
async fn a_replay_after_a_slot_moved_to_another_node() {
    let servers = three().await;
    let node = node(&servers).await;
    let uses = of_every_part();
    assert_eq!(spend_all(&node, &uses).await, vec![Some(Seen::First); 32]);
    // All that the third has, by force and without its keys: what an operator may do to a node that is gone.
    servers[0].ask(&["CLUSTER", "BUMPEPOCH"]);
    for server in &servers {
        assert_eq!(server.ask(&["CLUSTER", "DELSLOTSRANGE", "10923", "16383"]), "+OK");
    }
    assert_eq!(servers[0].ask(&["CLUSTER", "ADDSLOTSRANGE", "10923", "16383"]), "+OK");
    node.until(|| node.replay.floor().is_some(), "noticed").await;
    node.ready().await;
    let seen = spend_all(&node, &uses).await;
    assert!(!seen.contains(&Some(Seen::First)), "a captured request passed a second time: {seen:?}");
}

#[tokio::test]
async fn a_url_that_is_not_for_what_is_there() {
    let servers = three().await;
    let one = Node::at(&servers[0].url(), tempfile::tempdir().unwrap(), REACH);
    one.until(|| one.replay.missing(now()).is_some_and(|why| why.contains("redis+cluster://")), "a node of a cluster")
        .await;
    let single = RedisServer::start();
    let many = Node::at(&format!("redis+cluster://127.0.0.1:{}", single.port), tempfile::tempdir().unwrap(), REACH);
    many.until(|| many.replay.missing(now()).is_some_and(|why| why.contains("cluster support disabled")), "none").await;
}

#[tokio::test]
async fn a_partner_with_keys_all_over_a_cluster_has_one_rate() {
    let servers = three().await;
    let nodes = [node(&servers).await, node(&servers).await];
    let quota = Quota { requests: 20, per: Duration::from_secs(3600) };
    let mut passed = 0;
    for (number, once) in of_every_part().iter().enumerate() {
        let (seen, tally) = nodes[number % 2].count(Some(once), "acme", quota).await.unwrap();
        assert_eq!(seen, Seen::First);
        passed += usize::from(tally.wait.is_none());
        assert_eq!(nodes[0].spend(once).await, Some(Seen::Again));
    }
    assert_eq!(passed, 20);
}

/// The replica of a primary that was lost takes its slots. Whether it has all that was admitted nobody knows.
#[tokio::test]
async fn a_replay_after_a_failover_in_a_cluster() {
    let mut servers = three().await;
    let replica = RedisServer::with(&["--save", "", "--cluster-enabled", "yes", "--cluster-node-timeout", "1000"]);
    assert_eq!(replica.ask(&["CLUSTER", "MEET", "127.0.0.1", &servers[0].port.to_string()]), "+OK");
    let node = node(&servers).await;
    let id = servers[2].ask(&["CLUSTER", "MYID"]);
    node.until(|| replica.ask(&["CLUSTER", "REPLICATE", &id]) == "+OK", "a replica").await;
    node.until(|| replica.ask(&["INFO", "replication"]).contains("master_link_status:up"), "copied").await;
    let uses = of_every_part();
    assert_eq!(spend_all(&node, &uses).await, vec![Some(Seen::First); 32]);
    servers[2].kill();
    assert_eq!(replica.ask(&["CLUSTER", "FAILOVER", "TAKEOVER"]), "+OK");
    node.until(|| node.replay.floor().is_some(), "noticed").await;
    node.ready().await;
    let seen = spend_all(&node, &uses).await;
    assert!(!seen.contains(&Some(Seen::First)), "a captured request passed a second time: {seen:?}");
    // It goes on with what is signed above the floor, everywhere.
    let floor = node.replay.floor().unwrap();
    let above: Vec<_> = (0..32).map(|group| signed(floor).in_group(group)).collect();
    let seen = spend_all(&node, &above).await;
    assert_eq!(seen, vec![Some(Seen::First); 32]);
}
