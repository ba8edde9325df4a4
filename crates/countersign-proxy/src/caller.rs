//! Who calls: the peer of a connection, or whom a proxy that is trusted speaks for.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};

use ipnet::IpNet;
use tokio::sync::watch;

use crate::connection::Stream;
use crate::gate::Gate;
use crate::proxy_protocol;
use crate::rate;

/// A connection that may be served: who calls, and the place that is theirs until it is dropped.
pub(crate) struct Admitted {
    pub(crate) address: IpAddr,
    _place: Option<Place>,
}

/// Finds out who is at the other end of a connection that was just accepted, and whether they have one too many. Nothing is
/// read of it but the PROXY header of a trusted peer, so that TLS and HTTP begin where they should.
///
/// `None`: it is to be closed without a word.
pub(crate) async fn admit(
    stream: &mut impl Stream,
    peer: IpAddr,
    gate: &Gate,
    mut stop: watch::Receiver<bool>,
) -> Option<Admitted> {
    let table = gate.table.load_full();
    let mut address = peer.to_canonical();
    let proxied = table.trusted.believes(address);
    if proxied && table.proxy_protocol {
        let told = tokio::select! {
            told = proxy_protocol::read(stream, table.limits.head_time) => told,
            _ = stop.wait_for(|stop| *stop) => return None,
        };
        match told {
            // For itself it says nothing of who calls: a probe of the proxy's own.
            Ok(told) => address = told.map_or(address, |told| told.to_canonical()),
            Err(fault) => {
                gate.metrics.refused_connections.fetch_add(1, Relaxed);
                gate.log.note(gate.clock.now(), "connection closed", &format!("{peer}: PROXY header: {fault}"));
                return None;
            }
        }
    }
    if !table.is_limited(address) {
        return Some(Admitted { address, _place: None });
    }
    let place = gate.connections.place(address, table.limits.max_connections_per_source);
    if place.is_none() {
        gate.metrics.refused_connections.fetch_add(1, Relaxed);
    }
    place.map(|place| Admitted { address, _place: Some(place) })
}

/// Whose word on who calls is believed.
#[derive(Debug, Default)]
pub(crate) struct Trusted(Vec<IpNet>);

impl Trusted {
    pub(crate) fn new(networks: &[IpNet]) -> Self {
        Self(networks.to_vec())
    }

    pub(crate) fn believes(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.0.iter().any(|network| network.contains(&peer))
    }
}

/// Open connections by where they come from. Asked once for each connection, never for a request.
#[derive(Debug, Default)]
pub(crate) struct Connections(Mutex<HashMap<IpAddr, usize>>);

impl Connections {
    /// A place for one more connection, unless there are `most` already.
    fn place(self: &Arc<Self>, address: IpAddr, most: usize) -> Option<Place> {
        let source = rate::network(address);
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(source).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Place { home: Arc::clone(self), source })
    }
}

/// One open connection of a source.
#[derive(Debug)]
struct Place {
    home: Arc<Connections>,
    source: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.home.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.source) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.source);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_source_has_so_many_places_and_gets_them_back() {
        let connections = Arc::new(Connections::default());
        let place = |text| connections.place(ip(text), 2);
        let (first, second) = (place("192.0.2.1"), place("::ffff:192.0.2.1"));
        assert!(first.is_some() && second.is_some() && place("192.0.2.1").is_none());
        let _other = place("192.0.2.2").unwrap();
        drop(first);
        assert!(place("192.0.2.1").is_some());
        drop(second);
        assert_eq!(connections.0.lock().unwrap().len(), 1, "nobody who left is remembered");
    }

    #[test]
    fn a_network_of_ipv6_is_one_source() {
        let connections = Arc::new(Connections::default());
        let _one = connections.place(ip("2001:db8::1"), 1).unwrap();
        assert!(connections.place(ip("2001:db8::ffff:1"), 1).is_none());
        assert!(connections.place(ip("2001:db8:0:1::1"), 1).is_some());
    }

    #[test]
    fn an_address_is_believed_in_both_its_spellings() {
        let trusted = Trusted::new(&["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()]);
        assert!(["10.1.2.3", "::ffff:10.1.2.3", "fd00::1"].into_iter().all(|text| trusted.believes(ip(text))));
        assert!(!["11.0.0.1", "::1", "fe80::1"].into_iter().any(|text| trusted.believes(ip(text))));
    }
}
