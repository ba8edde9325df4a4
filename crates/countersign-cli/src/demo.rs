//! The whole system in one process on loopback: two APIs as people write them, a gateway between, and everything that can
//! go wrong with a message.

mod cost;
mod http;
mod receiver;
mod register;
mod report;
mod scenes;
mod sender;
mod stage;
mod upload;

use std::future::Future;
use std::path::Path;

use crate::exit::{Exit, Failure};
use crate::output::say;
use stage::{Port, Stage};

/// Plays every scene, and keeps serving until `stop` where somebody wants to try more.
pub(crate) async fn play(
    dir: &Path,
    gateway: Option<u16>,
    sender: Option<u16>,
    stop: Option<impl Future<Output = ()>>,
) -> Result<Exit, Failure> {
    let gateway = Port { asked: gateway, default: 8001, flag: "--gateway-port" };
    let sender = Port { asked: sender, default: 8002, flag: "--sender-port" };
    let Stage { cast, serving, keys, policies, config, notes } = Stage::set(dir, &gateway, &sender).await?;
    for line in notes {
        say!("{line}");
    }
    say!("Receiver API  http://{}, behind the gateway", cast.gateway);
    say!("Sender API    http://{}", cast.sender_api);
    say!("");
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(serving.run(async { drop(ended.await) }));
    let rows = cast.play().await?;
    report::rows(&rows);
    say!("");

    let costs = cost::all(&cast, &keys, &policies).await?;
    if let Some(stop) = stop {
        report::costs(&costs);
        say!("");
        report::to_try(&cast, dir, &config);
        stop.await;
    } else {
        report::costs(&costs);
    }
    drop(end);
    running.await.map_err(Failure::ours)??;
    let all = rows.iter().all(scenes::Row::holds);
    Ok(if all { Exit::FINE } else { Exit(1) })
}
