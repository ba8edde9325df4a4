use countersign::Unavailable;
use sqlx::{AnyConnection, Connection};
use tokio::sync::{mpsc, oneshot};

use super::table::User;
use super::unavailable;
use crate::registry::{Error, Failed, Registry, WRITE};

/// Writes registrations, as many in one transaction as wait for it: what a commit costs, all of them share.
pub(super) struct Writer {
    registry: Registry,
    /// Its own, so that nobody who reads can keep it waiting; `None` after a fault.
    connection: Option<AnyConnection>,
}

/// A registration that waits to be durable.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) user: User,
    /// What the address looks like, where it is beyond ASCII.
    pub(super) skeleton: Option<String>,
    /// Whether the address was free.
    pub(super) answer: oneshot::Sender<Result<bool, Unavailable>>,
}

impl Writer {
    pub(super) async fn new(registry: &Registry) -> Result<Self, Error> {
        Ok(Self { registry: registry.clone(), connection: Some(registry.connect().await?) })
    }

    pub(super) async fn run(mut self, mut queue: mpsc::Receiver<Waiting>) {
        let mut batch = Vec::with_capacity(MOST);
        while queue.recv_many(&mut batch, MOST).await > 0 {
            // Whoever no longer waits was told that nothing was registered.
            batch.retain(|waiting| !waiting.answer.is_closed());
            let outcome = self.commit(&batch).await;
            if outcome.is_err() {
                self.connection = None;
            }
            for (at, waiting) in batch.drain(..).enumerate() {
                let answer = match &outcome {
                    Ok(new) => Ok(new[at]),
                    Err(fault) => Err(unavailable(fault)),
                };
                // Whoever left in between finds the user at the next login.
                let _ = waiting.answer.send(answer);
            }
        }
        if let Some(connection) = self.connection {
            // Whatever is committed is; a close that fails loses none of it.
            let _ = connection.close().await;
        }
    }

    /// For each whether its address was free. Nobody is told before all of them are durable; after a fault none is there.
    async fn commit(&mut self, batch: &[Waiting]) -> Result<Vec<bool>, Error> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(self.registry.connect().await?),
        };
        let mut change = connection.begin_with(WRITE).await.map_err(Failed::to("begin a registration"))?;
        let mut new = Vec::with_capacity(batch.len());
        for Waiting { user, skeleton, .. } in batch {
            new.push(user.insert(skeleton.as_deref(), &mut change).await?);
        }
        change.commit().await.map_err(Failed::to("commit a registration"))?;
        Ok(new)
    }
}

/// In one transaction: some milliseconds of work, so that others who write come in between.
const MOST: usize = 256;
