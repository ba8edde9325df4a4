//! The whole system in one process on loopback: two APIs as people write them, a gateway between, and everything that can
//! go wrong with a message.

mod cost;
mod http;
mod receiver;
mod report;
mod scenes;
mod sender;
mod stage;

use std::future::Future;
use std::path::Path;

use countersign::{Form, Scheme};

use crate::exit::{Exit, Failure};
use crate::moment;
use crate::output::say;
use http::Letter;
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
    let Stage { cast, serving, keys, policy, config, notes } = Stage::set(dir, &gateway, &sender).await?;
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

    let message = Letter::post_json("/message1", scenes::message1(moment::now()).to_string());
    let mut costs = Vec::new();
    let own = Form::new(Scheme::Pki, sender::KEY_ID);
    let pki = (&Scheme::Pki.algorithms()[0], &own, cast.sender.key());
    costs.push(cost::measure(&message, pki.2, pki.1, &keys, &policy, *pki.0).await?);
    for (algorithm, id, key) in &cast.partner {
        let form = Form::new(Scheme::HttpMessageSignatures, id);
        costs.push(cost::measure(&message, key, &form, &keys, &policy, *algorithm).await?);
    }
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
