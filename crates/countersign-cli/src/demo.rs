//! The whole system in one process on loopback: two APIs as people write them, a gateway between, and everything that can
//! go wrong with a message.

mod cost;
mod foreign;
mod gateways;
mod http;
mod receiver;
mod register;
mod report;
mod scenes;
mod sender;
mod stage;
mod tap;
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
    let Stage { cast, serving: [main, narrow], sidecars: [plain, sealing], keys, policies, notes } =
        Box::pin(Stage::set(dir, &gateway, &sender)).await?;
    for line in notes {
        say!("{line}");
    }
    say!("Receiver API  http://{}, behind the gateway", cast.gateway);
    say!("Sender API    http://{}", cast.sender_api);
    say!("sidecar       http://{}, signs for who can't", cast.sidecar);
    say!("");
    let (end, _) = tokio::sync::broadcast::channel::<()>(1);
    let ended = || {
        let mut ended = end.subscribe();
        async move { drop(ended.recv().await) }
    };
    let running = [tokio::spawn(main.run(ended())), tokio::spawn(narrow.run(ended()))];
    let beside = [tokio::spawn(plain.run(ended())), tokio::spawn(sealing.run(ended()))];
    let rows = cast.play().await?;
    report::rows(&rows);
    say!("");
    report::advice(&rows);
    say!("");
    report::costs(&cost::all(&cast, &keys, &policies).await?);
    if let Some(stop) = stop {
        // What one tries is typed in the directory of the demo, wherever the binary lies.
        let binary = std::env::current_exe().map_err(Failure::ours)?;
        std::os::unix::fs::symlink(binary, dir.join("countersign")).map_err(Failure::ours)?;
        say!("");
        report::to_try(&cast, dir);
        stop.await;
    }
    drop(end);
    for gateway in running {
        gateway.await.map_err(Failure::ours)??;
    }
    for sidecar in beside {
        sidecar.await.map_err(Failure::ours)?;
    }
    let all = rows.iter().all(scenes::Row::holds);
    Ok(if all { Exit::FINE } else { Exit(1) })
}
