//! Somebody on the way between two of ours, who passes everything on and keeps a copy.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

pub(super) struct Tap {
    pub(super) address: SocketAddr,
    seen: Seen,
}

/// `None` once it was looked at: what goes by afterwards, for as long as the demo stays, is not kept.
type Seen = Arc<Mutex<Option<Vec<u8>>>>;

impl Tap {
    /// Listens on a free port, and passes on to `to` for as long as the runtime lives.
    pub(super) fn before(to: SocketAddr) -> std::io::Result<Self> {
        let listener = std::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let (address, listener) = (listener.local_addr()?, TcpListener::from_std(listener)?);
        let seen = Seen::new(Mutex::new(Some(Vec::new())));
        let keeping = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((from, _)) = listener.accept().await {
                let Ok(on) = TcpStream::connect(to).await else { continue };
                let ((from, back), (answers, on)) = (from.into_split(), on.into_split());
                tokio::spawn(pass(from, on, Arc::clone(&keeping)));
                tokio::spawn(pass(answers, back, Arc::clone(&keeping)));
            }
        });
        Ok(Self { address, seen })
    }

    /// Every byte that went by so far, in either direction, once: nothing is kept any more.
    pub(super) fn seen(&self) -> Vec<u8> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_default()
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, seen: Seen) {
    let mut part = [0; 4096];
    while let Ok(length @ 1..) = from.read(&mut part).await {
        // Kept before it goes on: whoever has the answer finds all of it here.
        if let Some(seen) = &mut *seen.lock().unwrap_or_else(PoisonError::into_inner) {
            seen.extend_from_slice(&part[..length]);
        }
        if to.write_all(&part[..length]).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_goes_by_after_it_was_looked_at_is_passed_on_and_not_kept() {
        let echo = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let tap = Tap::before(echo.local_addr().unwrap()).unwrap();
        let mut caller = TcpStream::connect(tap.address).await.unwrap();
        let (mut called, _) = echo.accept().await.unwrap();
        let mut part = [0; 5];
        for (text, kept) in [(b"first", &b"first"[..]), (b"later", b"")] {
            caller.write_all(text).await.unwrap();
            called.read_exact(&mut part).await.unwrap();
            assert_eq!((&part, tap.seen().as_slice()), (text, kept));
        }
    }
}
