//! One thread, one runtime, one pool: nothing on the path crosses between workers.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::time::{sleep, timeout};

use crate::answer::AtGate;
use crate::connection;
use crate::gate::Gate;
use crate::upstream::{Pool, Upstreams};

/// What a worker serves, and when it ends.
pub(crate) struct Worker {
    pub(crate) listeners: Vec<TcpListener>,
    pub(crate) gate: Arc<Gate>,
    /// One per connection that may be open, all workers together.
    pub(crate) places: Arc<Semaphore>,
    pub(crate) stop: watch::Receiver<bool>,
    pub(crate) grace: Duration,
}

impl Worker {
    /// Starts the thread. The receiver gets its end: an error where it could not serve on.
    pub(crate) fn start(self, name: String) -> io::Result<oneshot::Receiver<io::Result<()>>> {
        let (ended, end) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        std::thread::Builder::new().name(name).spawn(move || {
            let outcome = runtime.block_on(self.run());
            // What is still open now has had its time.
            runtime.shutdown_background();
            let _ = ended.send(outcome);
        })?;
        Ok(end)
    }

    async fn run(self) -> io::Result<()> {
        let upstreams = Arc::new(Upstreams::new(Pool::default()));
        let (alive, mut all_gone) = mpsc::channel::<()>(1);
        let mut accepting = tokio::task::JoinSet::new();
        for listener in self.listeners {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            accepting.spawn(accept(
                listener,
                Arc::clone(&self.gate),
                Arc::clone(&upstreams),
                Arc::clone(&self.places),
                self.stop.clone(),
                alive.clone(),
            ));
        }
        drop(alive);
        let mut stop = self.stop.clone();
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => {}
            _ = accepting.join_next() => {
                // The accepting tasks may hear of the stop before we do.
                if !*self.stop.borrow() {
                    return Err(io::Error::other("nobody accepts any more"));
                }
            }
        }
        // Each connection holds one end of the channel; it closes with the last of them.
        let _ = timeout(self.grace, async {
            while accepting.join_next().await.is_some() {}
            all_gone.recv().await
        })
        .await;
        Ok(())
    }
}

async fn accept(
    listener: tokio::net::TcpListener,
    gate: Arc<Gate>,
    upstreams: Arc<Upstreams>,
    places: Arc<Semaphore>,
    stop: watch::Receiver<bool>,
    alive: mpsc::Sender<()>,
) {
    let mut stopping = stop.clone();
    loop {
        let next = async {
            let accepted = listener.accept().await;
            // Beyond the limit this one waits here, and those behind it in the kernel's queue. A place is taken for a caller
            // who is there: taken before, it would be missing where callers wait.
            (accepted, Arc::clone(&places).acquire_owned().await)
        };
        let (accepted, place) = tokio::select! {
            biased;
            next = next => next,
            _ = stopping.wait_for(|stop| *stop) => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                // Answers are written whole; waiting to fill a packet would only delay them.
                let _ = stream.set_nodelay(true);
                let front = AtGate { gate: Arc::clone(&gate), upstreams: Arc::clone(&upstreams) };
                let serving = connection::serve(stream, Some(peer.ip()), front, stop.clone());
                let alive = alive.clone();
                tokio::spawn(async move {
                    serving.await;
                    drop((place, alive));
                });
            }
            // Out of descriptors, or a caller who left while waiting: the next one may do better, but not at once.
            Err(_) => sleep(Duration::from_millis(10)).await,
        }
    }
}
