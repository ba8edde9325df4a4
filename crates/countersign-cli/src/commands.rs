//! One file per command: its arguments, and what it does.

pub(crate) mod completion;
pub(crate) mod curl;
pub(crate) mod demo;
pub(crate) mod gateway;
pub(crate) mod init;
pub(crate) mod key;
pub(crate) mod lint;
pub(crate) mod man;
pub(crate) mod partner;
pub(crate) mod registry;
pub(crate) mod sidecar;
pub(crate) mod sign;
pub(crate) mod vectors;
pub(crate) mod verify;
pub(crate) mod version;

use std::future::Future;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit::{Failure, words};

/// Runs a future to its end on this thread.
fn wait<F: Future>(future: F) -> Result<F::Output, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    Ok(runtime.map_err(|fault| Failure::ours(format!("no runtime: {fault}")))?.block_on(future))
}

/// Ready once SIGTERM or SIGINT has come. Listens from the call on, so that none is missed.
fn interrupted() -> Result<impl Future<Output = ()>, Failure> {
    let (mut terminate, mut interrupt) = (listen_to(SignalKind::terminate())?, listen_to(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

fn listen_to(kind: SignalKind) -> Result<Signal, Failure> {
    signal(kind).map_err(|fault| Failure::ours(format!("signals: {}", words(&fault))))
}
