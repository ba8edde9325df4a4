//! One file per command: its arguments, and what it does.

pub(crate) mod completion;
pub(crate) mod curl;
pub(crate) mod demo;
pub(crate) mod gateway;
pub(crate) mod init;
pub(crate) mod key;
pub(crate) mod lint;
pub(crate) mod man;
pub(crate) mod open;
mod own_key;
pub(crate) mod partner;
pub(crate) mod registry;
pub(crate) mod seal;
pub(crate) mod seal_key;
pub(crate) mod sidecar;
pub(crate) mod sign;
pub(crate) mod token;
pub(crate) mod user;
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
    let mut interrupts = Interrupts::listen()?;
    Ok(async move { interrupts.next().await })
}

/// SIGTERM and SIGINT, one after the other.
struct Interrupts {
    terminate: Signal,
    interrupt: Signal,
}

impl Interrupts {
    /// Listens from the call on, so that none is missed.
    fn listen() -> Result<Self, Failure> {
        Ok(Self { terminate: listen_to(SignalKind::terminate())?, interrupt: listen_to(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

fn listen_to(kind: SignalKind) -> Result<Signal, Failure> {
    signal(kind).map_err(|fault| Failure::ours(format!("signals: {}", words(&fault))))
}
