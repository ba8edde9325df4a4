//! Handshakes: each in bounded time, and a bounded number of them.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use countersign::Timestamp;
use rustls::pki_types::CertificateDer;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::server::Server;
use crate::framing::Fault;

/// The handshakes under way.
#[derive(Default)]
pub(crate) struct Handshakes {
    under_way: Mutex<UnderWay>,
    /// The second of the last failure that was told, and how many were told in it.
    told: Mutex<(i64, u32)>,
}

#[derive(Default)]
struct UnderWay {
    next: u64,
    /// By age, the oldest first, and how each is told to end.
    waiting: BTreeMap<u64, Arc<Notify>>,
}

/// A connection whose handshake is done.
pub(crate) struct Secured {
    pub(crate) stream: TlsStream<TcpStream>,
    /// Whether HTTP/2 was agreed on. Where nothing was, it is HTTP/1.1 (RFC 9113 §3.3).
    pub(crate) http2: bool,
    /// The certificates that the caller showed, judged by the handshake; none where it showed none.
    pub(crate) chain: Vec<CertificateDer<'static>>,
}

/// Why a handshake came to nothing.
#[derive(Debug)]
pub(crate) enum Unsecured {
    /// The caller left, or said nothing.
    Silence,
    /// It took too long, or was the oldest of too many.
    Slow,
    /// The caller speaks HTTP in the clear.
    Plain,
    /// What rustls says of it.
    Failed(String),
}

impl Handshakes {
    /// Shakes hands within `limit`. Of more than `most` handshakes the oldest is broken off: one that both sides take part in
    /// is done within a few round trips, so whoever is oldest among that many keeps us waiting on purpose.
    ///
    /// # Errors
    /// [`Unsecured`]; the caller was told why, where it listens.
    pub(crate) async fn shake(
        &self,
        stream: TcpStream,
        server: &Server,
        limit: Duration,
        most: usize,
    ) -> Result<Secured, Unsecured> {
        let turn = self.enter(most);
        tokio::select! {
            () = turn.end.notified() => Err(Unsecured::Slow),
            done = timeout(limit, shake(stream, server)) => done.unwrap_or(Err(Unsecured::Slow)),
        }
    }

    /// Whether one more failure has a line in the log: a few in a second have, so that strangers don't fill it.
    pub(crate) fn may_tell(&self, now: Timestamp) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let second = now.as_millis() / 1000;
        if told.0 != second {
            *told = (second, 0);
        }
        told.1 += 1;
        told.1 <= TOLD_IN_A_SECOND
    }

    fn enter(&self, most: usize) -> Turn<'_> {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        while under_way.waiting.len() >= most.max(1)
            && let Some((_, oldest)) = under_way.waiting.pop_first()
        {
            oldest.notify_one();
        }
        let (number, end) = (under_way.next, Arc::new(Notify::new()));
        under_way.next += 1;
        under_way.waiting.insert(number, Arc::clone(&end));
        Turn { handshakes: self, number, end }
    }
}

const TOLD_IN_A_SECOND: u32 = 10;

struct Turn<'a> {
    handshakes: &'a Handshakes,
    number: u64,
    end: Arc<Notify>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.handshakes.under_way.lock().unwrap_or_else(PoisonError::into_inner).waiting.remove(&self.number);
    }
}

async fn shake(mut stream: TcpStream, server: &Server) -> Result<Secured, Unsecured> {
    let mut first = [0];
    match stream.peek(&mut first).await {
        Ok(1) if first[0].is_ascii_uppercase() => {
            // A method begins so, and no record of TLS does.
            let _ = stream.write_all(Fault::Bad("").answer("").as_bytes()).await;
            return Err(Unsecured::Plain);
        }
        Ok(1) => {}
        _ => return Err(Unsecured::Silence),
    }
    let stream =
        TlsAcceptor::from(Arc::clone(&server.config)).accept(stream).await.map_err(|fault| unsecured(&fault))?;
    let connection = stream.get_ref().1;
    let http2 = connection.alpn_protocol() == Some(b"h2");
    let chain = connection.peer_certificates().map(<[_]>::to_vec).unwrap_or_default();
    let chain = chain.into_iter().map(CertificateDer::into_owned).collect();
    Ok(Secured { stream, http2, chain })
}

fn unsecured(fault: &io::Error) -> Unsecured {
    match fault.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(fault) => Unsecured::Failed(fault.to_string()),
        None => Unsecured::Silence,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn of_too_many_handshakes_the_oldest_gives_way() {
        let handshakes = Handshakes::default();
        let (first, second) = (handshakes.enter(2), handshakes.enter(2));
        let third = handshakes.enter(2);
        first.end.notified().await;
        drop(second);
        let fourth = handshakes.enter(2);
        drop((first, fourth, third));
        assert!(handshakes.under_way.lock().unwrap().waiting.is_empty());
    }
}
