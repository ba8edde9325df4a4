//! Redis Cluster: which node serves which part, and a connection to each of them.
//!
//! The library's own client for clusters stays out: it sends again what may have been carried out, and goes on with another
//! node without telling, so that nobody would notice what that node lacks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use redis::{ConnectionAddr, ConnectionInfo, Pipeline, Value};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::address::RedisAddress;
use super::link::{Link, connect};
use super::reply::{text_of, told};
use super::shared::Shared;

/// Host and port.
type Node = (String, u16);

/// Which parts lie on which node.
type Map = BTreeMap<Node, Vec<usize>>;

/// Follows the cluster, and keeps a connection to each node that serves a part.
pub(super) async fn serve(shared: Arc<Shared>, address: RedisAddress) {
    let mut links: BTreeMap<Node, (Vec<usize>, Running)> = BTreeMap::new();
    let mut nodes: Vec<ConnectionInfo> = Vec::new();
    loop {
        let map = match map(&shared, nodes.iter().chain(&address.servers)).await {
            Ok((map, asked)) => {
                nodes = map.keys().map(|node| reach(&asked, node)).collect();
                map
            }
            Err(why) => {
                // Connections that stand go on; the cluster may only be slow to tell.
                let of_links = |part: &usize| {
                    links.values().any(|(parts, running)| parts.contains(part) && !running.0.is_finished())
                };
                (0..shared.parts.len())
                    .filter(|part| !of_links(part))
                    .for_each(|part| shared.parts[part].close(why.clone()));
                sleep(AGAIN).await;
                continue;
            }
        };
        links.retain(|node, (parts, running)| {
            let stays = !running.0.is_finished() && map.get(node) == Some(parts);
            if !stays {
                running.0.abort();
                for part in &*parts {
                    shared.parts[*part].close("its slots moved, or its node was lost");
                }
            }
            stays
        });
        for (node, parts) in &map {
            if !links.contains_key(node)
                && let Some(server) = nodes.iter().find(|server| place(server).as_ref() == Some(node))
            {
                let running = tokio::spawn(link(Arc::clone(&shared), parts.clone(), server.clone()));
                links.insert(node.clone(), (parts.clone(), Running(running)));
            }
        }
        let served: Vec<usize> = map.values().flatten().copied().collect();
        for part in (0..shared.parts.len()).filter(|part| !served.contains(part)) {
            shared.parts[part].close("no node of the cluster serves its slot");
        }
        // Until a connection ends, or a while has passed.
        let mut waited = Duration::ZERO;
        while waited < REFRESH && (waited < AGAIN || links.values().all(|(_, running)| !running.0.is_finished())) {
            sleep(STEP).await;
            waited += STEP;
        }
    }
}

/// Ends with whoever follows the cluster.
struct Running(JoinHandle<()>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn link(shared: Arc<Shared>, parts: Vec<usize>, server: ConnectionInfo) {
    match Link::open(Arc::clone(&shared), parts.clone(), server, true).await {
        Ok(link) => {
            shared.counts.connects.fetch_add(1, Relaxed);
            link.run().await;
        }
        Err(why) => parts.iter().for_each(|part| shared.parts[*part].close(why.clone())),
    }
}

/// Asks the first node that answers, and says which that was.
async fn map(shared: &Shared, nodes: impl Iterator<Item = &ConnectionInfo>) -> Result<(Map, ConnectionInfo), String> {
    let mut why = "there is no node to ask".to_owned();
    for node in nodes {
        match timeout(ASK, ask(shared, node)).await {
            Ok(Ok(map)) => return Ok((map, node.clone())),
            Ok(Err(error)) => why = error,
            Err(_) => why = "a node does not answer".to_owned(),
        }
    }
    Err(why)
}

async fn ask(shared: &Shared, node: &ConnectionInfo) -> Result<Map, String> {
    let mut connection = connect(node.clone()).await?;
    let mut pipeline = Pipeline::new();
    pipeline.cmd("CLUSTER").arg("SLOTS");
    for part in &shared.parts {
        pipeline.cmd("CLUSTER").arg("KEYSLOT").arg(part.token_key());
    }
    let answers = connection.send_packed_commands(&pipeline, 0, 1 + shared.parts.len()).await;
    let mut answers = answers.map_err(|error| told(&error))?.into_iter();
    let mut next = || {
        let answer = answers.next().ok_or("it did not answer")?;
        answer.extract_error().map_err(|error| told(&error))
    };
    let ranges = ranges(next()?, node).ok_or("it does not tell its slots")?;
    let mut map = Map::new();
    for part in 0..shared.parts.len() {
        let Value::Int(slot) = next()? else { return Err("it does not tell the slot of a key".to_owned()) };
        if let Some((_, _, node)) = ranges.iter().find(|(first, last, _)| (*first..=*last).contains(&slot)) {
            map.entry(node.clone()).or_default().push(part);
        }
    }
    Ok(map)
}

/// First and last slot, and the primary that serves them. A node that does not know its own name is called as we called it.
fn ranges(slots: Value, asked: &ConnectionInfo) -> Option<Vec<(i64, i64, Node)>> {
    let own = place(asked)?.0;
    let range = |range: Value| {
        let mut range = range.into_sequence().ok()?.into_iter();
        let (Value::Int(first), Value::Int(last)) = (range.next()?, range.next()?) else { return None };
        let mut primary = range.next()?.into_sequence().ok()?.into_iter();
        let host =
            text_of(primary.next()?).filter(|host| !host.is_empty() && host != "?").unwrap_or_else(|| own.clone());
        let Value::Int(port) = primary.next()? else { return None };
        Some((first, last, (host, u16::try_from(port).ok()?)))
    };
    slots.into_sequence().ok()?.into_iter().map(range).collect()
}

fn place(server: &ConnectionInfo) -> Option<Node> {
    match server.addr() {
        ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => Some((host.clone(), *port)),
        _ => None,
    }
}

/// The same user and protection, at another node.
fn reach(asked: &ConnectionInfo, (host, port): &Node) -> ConnectionInfo {
    let (host, port) = (host.clone(), *port);
    let address = match asked.addr() {
        ConnectionAddr::TcpTls { insecure, tls_params, .. } => {
            ConnectionAddr::TcpTls { host, port, insecure: *insecure, tls_params: tls_params.clone() }
        }
        _ => ConnectionAddr::Tcp(host, port),
    };
    asked.clone().set_addr(address)
}

/// How many parts a cluster's store has: several for each node of a large one, and few enough for uses to wait together.
pub(super) const PARTS: usize = 32;

/// For one node to say where everything lies.
const ASK: Duration = Duration::from_secs(2);
/// After which the cluster is asked again without a reason.
const REFRESH: Duration = Duration::from_secs(5);
/// The shortest time between two questions.
const AGAIN: Duration = Duration::from_millis(250);
const STEP: Duration = Duration::from_millis(50);
