//! A restart without a gap: a new process takes over from the one that serves, and callers notice at most that an answer took
//! a moment longer.
//!
//! Why so, and not by a signal on which a process starts its successor: the new one is started by whoever starts gateways,
//! with the new binary, configuration and environment, and one that can't start harms nobody. Why descriptors are passed, and
//! not opened anew: who waits in the queue of a listening socket is reset when that is closed, and the lock of the data
//! directory would be free for a moment.
//!
//! Both talk over a Unix socket in the data directory, a line at a time:
//!
//! ```text
//! new → old  countersign take-over 1 PID
//! old → new  what there is, as JSON; then the descriptors: locks, listening sockets
//! new → old  stop       everything is prepared that does not need the old one's end
//! old → new  stopped    it takes nobody, what was at hand is decided, the replay memory is written down
//! new → old  ready      the memory is read; all that may fail has not failed
//! old → new  go         from here on it never decides again; only answers on their way end there
//! ```
//!
//! Until `go` the old process has lost nothing: where the new one ends, falls silent or closes, it goes on by itself. The new
//! one decides nothing before it has read `go`, and ends where it does not come. So whatever breaks, at most one decides, and
//! `replay.state` is closed by one before it is opened by the other.
//!
//! Where it hands nothing over to whoever asks, the old one says why, in a line of its own, instead of what there is.
//!
//! Who asks while another one is taking over waits, and asks that one once it serves.

mod channel;
mod offer;
mod take;

use std::path::{Path, PathBuf};

pub(crate) use offer::{Door, Offer};
pub(crate) use take::{Found, Handed, Predecessor, find};

/// For the directory's owner alone.
fn path(data: &Path) -> PathBuf {
    data.join("handover.sock")
}

const HELLO: &str = "countersign take-over 1 ";
/// Instead of what there is: to a process of another user.
const NOT_YOURS: &str = "not yours";
/// The same to one that begins with other words.
const UNKNOWN_VERSION: &str = "unknown version";
const STOP: &str = "stop";
const STOPPED: &str = "stopped";
const READY: &str = "ready";
const GO: &str = "go";
