//! From an accepted socket to its connection: in the clear, or after a TLS handshake.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::answer::{AtGate, source_quota};
use crate::caller;
use crate::channel::Channel;
use crate::connection;
use crate::deciding::Undecided;
use crate::front::Spoken;
use crate::gate::Gate;
use crate::tls::{Server, Shown, Unsecured};
use crate::upstream::Upstreams;

/// Serves one caller, who is `expected` to ask, to its end. How it is spoken to is what is in force when it comes.
pub(crate) async fn enter(
    mut stream: TcpStream,
    peer: IpAddr,
    (gate, upstreams): (Arc<Gate>, Arc<Upstreams>),
    expected: Undecided,
    mut stop: watch::Receiver<bool>,
) {
    // Answers are written whole; waiting to fill a packet would only delay them.
    let _ = stream.set_nodelay(true);
    // Its place is the caller's until the connection has ended.
    let Some(admitted) = caller::admit(&mut stream, peer, &gate, stop.clone()).await else { return };
    let peer = admitted.address;
    let tls = gate.table.load().tls.clone();
    let Some(tls) = tls else {
        let front = AtGate::new(gate, upstreams, (Channel::plain(peer), Spoken::Either), expected);
        return connection::serve(stream, Some(peer), front, stop).await;
    };
    let secured = tokio::select! {
        // On the heap for as long as it takes, not in every connection for as long as that lives.
        secured = Box::pin(secure(stream, peer, &gate, &tls)) => secured,
        () = connection::silence(&mut stop) => return,
    };
    // It may be kept for long, and a reload frees what it replaces.
    drop(tls);
    if let Some((stream, spoken, channel)) = secured {
        let front = AtGate::new(gate, upstreams, (channel, spoken), expected);
        Box::pin(connection::serve(stream, Some(peer), front, stop)).await;
    }
}

async fn secure(
    stream: TcpStream,
    peer: IpAddr,
    gate: &Gate,
    tls: &Server,
) -> Option<(tokio_rustls::server::TlsStream<TcpStream>, Spoken, Channel)> {
    let (limit, most) = {
        let limits = &gate.table.load().limits;
        (limits.handshake_time, limits.max_handshakes)
    };
    let quota = source_quota(&gate.table.load(), peer);
    let spent = |quota| gate.rates.sources.is_spent(peer, quota, gate.rates.time(Instant::now()));
    if quota.is_some_and(spent) {
        // A private operation is dearer than all that would be refused behind it.
        gate.metrics.refused_connections.fetch_add(1, Relaxed);
        return None;
    }
    let shaken = gate.handshakes.shake(stream, tls, limit, most).await;
    let shown = shaken.and_then(|it| {
        let shown = Shown::read(it.chain).map_err(Unsecured::Failed)?;
        Ok((it.stream, if it.http2 { Spoken::Http2 } else { Spoken::Http1 }, Channel::secured(peer, shown)))
    });
    match shown {
        Ok(entered) => {
            gate.metrics.handshakes.fetch_add(1, Relaxed);
            Some(entered)
        }
        Err(fault) => {
            gate.metrics.failed_handshakes.fetch_add(1, Relaxed);
            let why = match &fault {
                // Port scans and health checks of others would fill the log.
                Unsecured::Silence => return None,
                Unsecured::Slow => "it took too long",
                Unsecured::Plain => "HTTP in the clear",
                Unsecured::Failed(why) => why,
            };
            if let Some(quota) = quota {
                gate.rates.sources.failed_handshake(peer, quota, gate.rates.time(Instant::now()));
            }
            let now = gate.clock.now();
            if gate.handshakes.may_tell(now) {
                gate.log.note(now, "handshake failed", &format!("{}: {why}", peer.to_canonical()));
            }
            None
        }
    }
}
