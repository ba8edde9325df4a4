//! One thread, one runtime, one pool: nothing on the path crosses between workers.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::time::{sleep, timeout};

use crate::entrance::enter;
use crate::gate::Gate;
use crate::steering::Phase;
use crate::upstream::{Pool, Upstreams};

/// What a worker serves, and how long it lets requests at hand take at its end.
pub(crate) struct Worker {
    pub(crate) number: usize,
    pub(crate) listeners: Vec<TcpListener>,
    pub(crate) gate: Arc<Gate>,
    /// One per connection that may be open, all workers together.
    pub(crate) places: Arc<Semaphore>,
    pub(crate) grace: Duration,
    /// Whether somebody else holds the listeners, too, so that whoever waits there need not be taken at the end.
    pub(crate) kept_open: bool,
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
        let Self { number, listeners, gate, places, grace, kept_open } = self;
        let (alive, mut all_gone) = mpsc::channel::<()>(1);
        let (mut phase, heard) = (gate.steering.phase(), gate.steering.phase());
        let beating = Arc::clone(&gate);
        tokio::spawn(async move { beating.steering.beat(number).await });
        let door = Door {
            upstreams: Arc::new(Upstreams::new(Pool::default())),
            winding_down: gate.steering.winding_down(),
            gate: Arc::clone(&gate),
            places,
            alive,
            kept_open,
        };
        let mut accepting = tokio::task::JoinSet::new();
        for listener in listeners {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            accepting.spawn(door.clone().accept(listener, phase.clone()));
        }
        drop(door);
        tokio::select! {
            _ = phase.wait_for(|phase| *phase >= Phase::Ending) => {}
            _ = accepting.join_next() => {
                // The accepting tasks may hear of the end before we do.
                if *heard.borrow() < Phase::Ending {
                    return Err(io::Error::other("nobody accepts any more"));
                }
            }
        }
        // Each connection holds one end of the channel; it closes with the last of them. What one has taken back is judged all
        // the same.
        let all_ended = async {
            while accepting.join_next().await.is_some() {}
            let _ = all_gone.recv().await;
            while gate.deciding.undecided() > 0 {
                sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::select! {
            _ = timeout(grace, all_ended) => {}
            _ = phase.wait_for(|phase| *phase == Phase::Over) => {}
        }
        Ok(())
    }
}

/// Where callers come in.
#[derive(Clone)]
struct Door {
    gate: Arc<Gate>,
    upstreams: Arc<Upstreams>,
    places: Arc<Semaphore>,
    winding_down: watch::Receiver<bool>,
    alive: mpsc::Sender<()>,
    kept_open: bool,
}

impl Door {
    async fn accept(self, listener: tokio::net::TcpListener, mut phase: watch::Receiver<Phase>) {
        loop {
            let now = *phase.borrow_and_update();
            match now {
                Phase::Serving => {
                    self.gate.steering.looks(true);
                    self.serve(&listener, &mut phase).await;
                    self.gate.steering.looks(false);
                }
                Phase::Paused => {
                    if phase.changed().await.is_err() {
                        return;
                    }
                }
                Phase::Ending if !self.kept_open => break,
                Phase::Ending | Phase::HandedOver | Phase::Over => return,
            }
        }
        // Who waits in the kernel's queue was told that we are there, and would be reset.
        let queue = async {
            while let Ok(accepted) = timeout(QUIET, listener.accept()).await {
                self.take(accepted).await;
            }
        };
        let _ = timeout(QUEUE_TIME, queue).await;
    }

    /// Takes whoever comes until the phase is another.
    async fn serve(&self, listener: &tokio::net::TcpListener, phase: &mut watch::Receiver<Phase>) {
        while *phase.borrow_and_update() == Phase::Serving {
            tokio::select! {
                biased;
                accepted = listener.accept() => {
                    self.take(accepted).await;
                    // One at a time, as nginx does it: in front of a crowd at the door those inside are served, too.
                    tokio::task::yield_now().await;
                }
                changed = phase.changed() => if changed.is_err() { return },
            }
        }
    }

    /// Serves a caller. Beyond the limit this one waits here, and those behind it in the kernel's queue. A place is taken
    /// for a caller who is there: taken before, it would be missing where callers wait.
    async fn take(&self, accepted: io::Result<(TcpStream, SocketAddr)>) {
        match accepted {
            Ok((stream, peer)) => {
                let place = Arc::clone(&self.places).acquire_owned().await;
                let (gate, upstreams) = (Arc::clone(&self.gate), Arc::clone(&self.upstreams));
                let expected = gate.deciding.expect();
                let (stop, alive) = (self.winding_down.clone(), self.alive.clone());
                tokio::spawn(async move {
                    // Begun in here: handed in, it would stand in the task twice for as long as that lives.
                    enter(stream, peer.ip(), (gate, upstreams), expected, stop).await;
                    drop((place, alive));
                });
            }
            // Out of descriptors, or a caller who left while waiting: the next one may do better, but not at once.
            Err(_) => sleep(Duration::from_millis(10)).await,
        }
    }
}

/// A queue from which nobody came for so long is empty.
const QUIET: Duration = Duration::from_millis(10);
/// Callers who keep coming don't keep the listeners open.
const QUEUE_TIME: Duration = Duration::from_millis(500);
