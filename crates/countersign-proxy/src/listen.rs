//! The sockets: one per worker on each address, so that the kernel spreads the callers.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

const BACKLOG: i32 = 1024;

/// Opens `count` listeners on `address`, and says which address that is where its port was 0.
pub(crate) fn open(address: SocketAddr, count: usize) -> io::Result<(SocketAddr, Vec<TcpListener>)> {
    if count <= 1 {
        let only = socket(address, false)?;
        only.listen(BACKLOG)?;
        let listener = TcpListener::from(only);
        return Ok((listener.local_addr()?, vec![listener]));
    }
    // Sockets that share a port also share it with a stranger of the same user who asks for that. Bound alone first, the
    // port is known to be free of others.
    let probe = socket(address, false)?;
    probe.listen(1)?;
    let address = TcpListener::from(probe).local_addr()?;
    let listeners = (0..count).map(|_| {
        let one = socket(address, true)?;
        one.listen(BACKLOG)?;
        Ok(TcpListener::from(one))
    });
    Ok((address, listeners.collect::<io::Result<_>>()?))
}

/// Spreads sockets that listen already over so many workers: each has one at least, and none is without a worker.
pub(crate) fn adopt(sockets: &[TcpListener], count: usize) -> io::Result<(SocketAddr, Vec<Vec<TcpListener>>)> {
    let first = sockets.first().ok_or(io::ErrorKind::AddrNotAvailable)?.local_addr()?;
    let mut workers: Vec<Vec<TcpListener>> = (0..count.max(1)).map(|_| Vec::new()).collect();
    for number in 0..count.max(sockets.len()) {
        let one = sockets[number % sockets.len()].try_clone()?;
        one.set_nonblocking(true)?;
        workers[number % count.max(1)].push(one);
    }
    Ok((first, workers))
}

fn socket(address: SocketAddr, shared: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restart must not wait for the connections of the run before.
    socket.set_reuse_address(true)?;
    if shared {
        #[cfg(unix)]
        socket.set_reuse_port(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_another_gateway_serves_is_not_shared() {
        let (address, _first) = open("127.0.0.1:0".parse().unwrap(), 2).unwrap();
        assert_eq!(open(address, 2).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        assert_eq!(open(address, 1).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn more_or_fewer_workers_than_before_take_all_sockets_over() {
        for (before, now) in [(1, 3), (3, 1), (2, 3), (2, 2)] {
            let (address, opened) = open("127.0.0.1:0".parse().unwrap(), before).unwrap();
            let (adopted, workers) = adopt(&opened, now).unwrap();
            let counts: Vec<_> = workers.iter().map(Vec::len).collect();
            assert_eq!(adopted, address);
            assert!(counts.len() == now && counts.iter().all(|count| *count > 0), "{counts:?}");
            assert_eq!(counts.iter().sum::<usize>(), before.max(now));
        }
    }
}
