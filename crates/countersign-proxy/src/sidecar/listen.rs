//! Where a sender reaches its sidecar.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, SockAddr, Socket, Type};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::sleep;

use super::AtSidecar;
use crate::connection;

/// An address of a sidecar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// An address and a port.
    Tcp(SocketAddr),
    /// The path of a Unix socket.
    Unix(PathBuf),
}

/// Whom the file of a Unix socket opens to: who may write to it may connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketFile {
    /// Its permissions.
    pub mode: u32,
    /// The id of its group, where it is not to be that of the process.
    pub group: Option<u32>,
}

impl Default for SocketFile {
    /// Its owner alone.
    fn default() -> Self {
        Self { mode: 0o600, group: None }
    }
}

impl Address {
    /// Whether only this machine reaches it.
    #[must_use]
    pub fn is_local(&self) -> bool {
        match self {
            Self::Tcp(address) => address.ip().to_canonical().is_loopback(),
            Self::Unix(_) => true,
        }
    }

    pub(super) fn port(&self) -> Option<u16> {
        match self {
            Self::Tcp(address) => Some(address.port()),
            Self::Unix(_) => None,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

pub(super) enum Listener {
    Tcp(TcpListener),
    /// With the file, which goes when it does.
    Unix(UnixListener, #[expect(dead_code, reason = "dropped, it removes the file")] Bound),
}

/// The file of a Unix socket, removed with it.
pub(super) struct Bound(PathBuf);

impl Drop for Bound {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Listener {
    /// Opens it, and says where it is where its port was 0.
    pub(super) fn open(address: &Address, socket: SocketFile) -> io::Result<(Self, Address)> {
        match address {
            Address::Tcp(address) => {
                let (address, listeners) = crate::listen::open(*address, 1)?;
                let listener = listeners.into_iter().next().ok_or(io::ErrorKind::AddrNotAvailable)?;
                Ok((Self::Tcp(TcpListener::from_std(listener)?), Address::Tcp(address)))
            }
            Address::Unix(path) => {
                remove_stale(path)?;
                let listener = Socket::new(Domain::UNIX, Type::STREAM, None)?;
                listener.bind(&SockAddr::unix(path)?)?;
                let bound = Bound(path.clone());
                // Nobody can connect before `listen`, so that it is open to others at no moment.
                std::os::unix::fs::chown(path, None, socket.group)?;
                std::fs::set_permissions(path, std::fs::Permissions::from_mode(socket.mode))?;
                listener.set_nonblocking(true)?;
                listener.listen(BACKLOG)?;
                Ok((Self::Unix(UnixListener::from_std(listener.into())?, bound), address.clone()))
            }
        }
    }

    /// Serves whoever comes.
    pub(super) async fn accept_all(
        self,
        front: AtSidecar,
        most: usize,
        stop: watch::Receiver<bool>,
        alive: mpsc::Sender<()>,
    ) {
        let places = Arc::new(Semaphore::new(most));
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            let (front, stop, alive) = (front.clone(), stop.clone(), alive.clone());
            let accepted = match &self {
                Self::Tcp(listener) => listener.accept().await.map(|(stream, peer)| {
                    let _ = stream.set_nodelay(true);
                    tokio::spawn(async move {
                        connection::serve(stream, Some(peer.ip()), front, stop).await;
                        drop((place, alive));
                    });
                }),
                Self::Unix(listener, _) => listener.accept().await.map(|(stream, _)| {
                    tokio::spawn(async move {
                        connection::serve(stream, None, front, stop).await;
                        drop((place, alive));
                    });
                }),
            };
            if accepted.is_err() {
                // Out of descriptors, or a caller who left while waiting: the next one may do better, but not at once.
                sleep(Duration::from_millis(10)).await;
            }
        }
    }
}

/// Connections that wait to be accepted.
const BACKLOG: i32 = 1024;

/// What a sidecar that was killed left: a socket that nobody answers on.
fn remove_stale(path: &Path) -> io::Result<()> {
    let is_socket = std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket());
    if is_socket && std::os::unix::net::UnixStream::connect(path).is_err() {
        std::fs::remove_file(path)?;
    }
    Ok(())
}
