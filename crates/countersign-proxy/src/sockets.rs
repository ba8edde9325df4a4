use std::net::{SocketAddr, TcpListener};

/// Sockets that listen already: those of a gateway before this one, or of a service manager. Each keeps its queue: who waits
/// there is not reset when the process that opened it ends.
#[derive(Debug, Default)]
pub struct Sockets {
    /// For callers.
    pub listen: Vec<TcpListener>,
    /// For health and metrics.
    pub admin: Option<TcpListener>,
    /// Whether somebody else holds them, too, so that queues outlive this process, and are left alone at its end.
    pub kept_open: bool,
}

impl Sockets {
    /// Takes out those that listen on `address`. Port 0 is any port; then those of the first that is found.
    pub(crate) fn take(&mut self, address: SocketAddr) -> Vec<TcpListener> {
        let fits = |own: SocketAddr| own.ip() == address.ip() && (address.port() == 0 || own.port() == address.port());
        let port =
            self.listen.iter().filter_map(|one| one.local_addr().ok()).find(|own| fits(*own)).map(|own| own.port());
        let Some(port) = port else { return Vec::new() };
        let of_it = |one: &mut TcpListener| one.local_addr().is_ok_and(|own| fits(own) && own.port() == port);
        self.listen.extract_if(.., of_it).collect()
    }

    /// Takes out the admin's, where it listens on `address`.
    pub(crate) fn take_admin(&mut self, address: SocketAddr) -> Option<TcpListener> {
        let own = self.admin.as_ref()?.local_addr().ok()?;
        if own.ip() == address.ip() && (address.port() == 0 || own.port() == address.port()) {
            return self.admin.take();
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_goes_to_the_address_that_it_has() {
        let (_, one) = crate::listen::open("127.0.0.1:0".parse().unwrap(), 2).unwrap();
        let (_, other) = crate::listen::open("127.0.0.1:0".parse().unwrap(), 1).unwrap();
        let (first, second) = (one[0].local_addr().unwrap(), other[0].local_addr().unwrap());
        let mut sockets = Sockets { listen: one.into_iter().chain(other).collect(), ..Sockets::default() };
        assert!(sockets.take("127.0.0.2:0".parse().unwrap()).is_empty());
        assert_eq!(sockets.take(second).len(), 1);
        let any = sockets.take("127.0.0.1:0".parse().unwrap());
        assert_eq!(any.iter().map(|one| one.local_addr().unwrap()).collect::<Vec<_>>(), [first, first]);
        assert!(sockets.listen.is_empty() && sockets.take(first).is_empty());
    }
}
